-- Keys of the control API: sessions after a login, and users' lasting access keys.

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,              -- SHA-256 of the key, hex
  hint TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES users(id),
  kind TEXT NOT NULL,                       -- session | access
  name TEXT NOT NULL DEFAULT '',
  expires_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

ALTER TABLE users ADD COLUMN source TEXT NOT NULL DEFAULT 'api';   -- api | file
