-- Answers that the gateway keeps itself, for the caller to go on from: their upstreams keep none.

CREATE TABLE kept_answers (
  account_id TEXT NOT NULL,
  protocol TEXT NOT NULL,
  mode TEXT NOT NULL,                       -- live | test
  id TEXT NOT NULL,                         -- as the caller knows it
  follows_id TEXT,                          -- the kept answer that it goes on from
  turn TEXT NOT NULL,                       -- JSON, what the caller said
  answer TEXT NOT NULL,                     -- JSON, as the caller saw it
  size BIGINT NOT NULL,                     -- characters of the two
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, protocol, mode, id)
);
CREATE INDEX kept_answers_expiry ON kept_answers (expires_at);
