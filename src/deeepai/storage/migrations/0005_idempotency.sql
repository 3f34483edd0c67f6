-- Answers to requests that came with an idempotency key: given again instead of being made again.

CREATE TABLE idempotency (
  account_id TEXT NOT NULL,
  key TEXT NOT NULL,                        -- SHA-256 of the caller's key, hex
  digest TEXT NOT NULL,                     -- SHA-256 of the request, hex
  request_id TEXT NOT NULL,                 -- what the charge is keyed by, whoever takes the request up again
  status BIGINT,                            -- HTTP status of the answer; NULL while it is under way
  headers TEXT,                             -- JSON pairs
  body TEXT,                                -- base64; NULL where it was too large to keep
  leased_until BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);
