-- Short-lived keys that callers hand to browsers: each opens sessions of one operation, as the token it was made with.

CREATE TABLE client_secrets (
  digest TEXT PRIMARY KEY,                  -- SHA-256 of the key, hex
  token_digest TEXT NOT NULL,               -- of the token's key: who calls
  operation TEXT NOT NULL,                  -- protocol.operation
  model TEXT NOT NULL,
  session TEXT NOT NULL,                    -- JSON: what the session is to be like
  expires_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX client_secrets_expiry ON client_secrets (expires_at);
