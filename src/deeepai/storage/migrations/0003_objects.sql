-- Objects that vendors keep for callers: each lives at the channel where it was made, and has one owner.

CREATE TABLE objects (
  account_id TEXT NOT NULL,
  protocol TEXT NOT NULL,
  id TEXT NOT NULL,                         -- the vendor's own
  kind TEXT NOT NULL,
  channel_id TEXT NOT NULL,
  token_id TEXT NOT NULL,                   -- that made it
  parent_id TEXT,                           -- the object that it ends with
  facts TEXT NOT NULL DEFAULT '{}',         -- JSON
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, protocol, id)
);
CREATE UNIQUE INDEX objects_owner ON objects (channel_id, protocol, id);
CREATE INDEX objects_list ON objects (account_id, protocol, kind, created_at, id);
CREATE INDEX objects_parent ON objects (account_id, protocol, parent_id);
