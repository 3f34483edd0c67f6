-- Short-lived keys that stand for a token towards one protocol: each for somebody whom its owner names.

CREATE TABLE sub_tokens (
  id TEXT PRIMARY KEY,
  digest TEXT NOT NULL,                     -- SHA-256 of the key, hex
  token_id TEXT NOT NULL,                   -- whose rights, limits and money it has
  protocol TEXT NOT NULL,
  holder TEXT NOT NULL,                     -- whose objects it reaches; empty: those of the token itself
  most BIGINT,                              -- charged calls; NULL: any number
  used BIGINT NOT NULL DEFAULT 0,
  expires_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX sub_tokens_digest ON sub_tokens (digest);
CREATE INDEX sub_tokens_holder ON sub_tokens (token_id, protocol, holder);
CREATE INDEX sub_tokens_expiry ON sub_tokens (expires_at);

ALTER TABLE objects ADD COLUMN holder TEXT NOT NULL DEFAULT ''; -- for whom the token's owner had it made
