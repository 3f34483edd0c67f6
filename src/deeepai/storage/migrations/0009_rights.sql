ALTER TABLE leases ADD COLUMN debt BIGINT NOT NULL DEFAULT 0;  -- what open requests may cost beyond what is held
ALTER TABLE holds ADD COLUMN debt BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN limits_by TEXT NOT NULL DEFAULT '{}';  -- JSON, who set a limit: operator | owner | user
UPDATE tokens SET limits_by = '{"status": "operator"}' WHERE status = 'disabled';
ALTER TABLE users ADD COLUMN account_id TEXT;  -- the user's own, where money and tokens go by default
UPDATE users SET account_id = (SELECT MIN(m.account_id) FROM members m JOIN accounts a ON a.id = m.account_id WHERE m.user_id = users.id AND m.role = 'owner' AND a.kind = 'person' AND a.name = users.name);
CREATE TABLE invitations (                     -- memberships that are offered, and not accepted yet
  account_id TEXT NOT NULL REFERENCES accounts(id),
  user_id TEXT NOT NULL REFERENCES users(id),
  role TEXT NOT NULL,
  invited_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, user_id)
);
CREATE INDEX invitations_user ON invitations (user_id);
CREATE TABLE good_addresses (                  -- networks from which users have signed in
  user_id TEXT NOT NULL REFERENCES users(id),
  network TEXT NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, network)
);
