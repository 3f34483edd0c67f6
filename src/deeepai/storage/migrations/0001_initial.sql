-- One dialect for SQLite and PostgreSQL. Times are milliseconds since 1970, money is 10⁻⁹ USD, truth is 0 or 1.
-- Ids are time-ordered text, so that new rows land at the end of every index.

CREATE TABLE accounts (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,                       -- person | organisation
  name TEXT NOT NULL,
  price_group TEXT NOT NULL DEFAULT 'default',
  status TEXT NOT NULL DEFAULT 'enabled',
  available BIGINT NOT NULL DEFAULT 0,      -- sums of the ledger's three deltas, proved by `ledger verify`
  held BIGINT NOT NULL DEFAULT 0,
  spent BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL
);

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  email TEXT,
  password TEXT,                            -- scrypt
  role TEXT NOT NULL DEFAULT 'user',        -- admin | user
  status TEXT NOT NULL DEFAULT 'enabled',
  created_at BIGINT NOT NULL
);

CREATE TABLE members (
  account_id TEXT NOT NULL REFERENCES accounts(id),
  user_id TEXT NOT NULL REFERENCES users(id),
  role TEXT NOT NULL,                       -- owner | admin | member
  PRIMARY KEY (account_id, user_id)
);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts(id),
  user_id TEXT REFERENCES users(id),
  name TEXT NOT NULL,
  digest TEXT NOT NULL UNIQUE,              -- SHA-256 of the key, hex
  hint TEXT NOT NULL,                       -- sk-abcd…wxyz
  mode TEXT NOT NULL,                       -- live | test
  status TEXT NOT NULL DEFAULT 'enabled',
  expires_at BIGINT,
  budget BIGINT,                            -- NULL: bounded by the account alone
  spent BIGINT NOT NULL DEFAULT 0,
  held BIGINT NOT NULL DEFAULT 0,           -- durable holds and leases against the budget
  models TEXT,                              -- JSON list of names or patterns; NULL: all
  ips TEXT,                                 -- JSON list of addresses or networks; NULL: all
  rpm BIGINT,
  concurrency BIGINT,
  price_group TEXT,                         -- NULL: the account's
  settings TEXT NOT NULL DEFAULT '{}',      -- JSON
  source TEXT NOT NULL DEFAULT 'api',       -- api | file
  created_at BIGINT NOT NULL,
  last_used_at BIGINT
);
CREATE INDEX tokens_account ON tokens (account_id);

CREATE TABLE channels (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  protocol TEXT NOT NULL,
  base_url TEXT NOT NULL,
  credential TEXT,                          -- encrypted
  models TEXT,                              -- JSON list of names or patterns; NULL: the protocol's own
  model_map TEXT NOT NULL DEFAULT '{}',     -- JSON: asked → the upstream's name
  mode TEXT NOT NULL DEFAULT 'live',        -- live | test
  price_groups TEXT,                        -- JSON list; NULL: all
  priority BIGINT NOT NULL DEFAULT 0,       -- higher first
  weight BIGINT NOT NULL DEFAULT 1,
  concurrency BIGINT,
  rpm BIGINT,
  status TEXT NOT NULL DEFAULT 'enabled',   -- enabled | disabled
  settings TEXT NOT NULL DEFAULT '{}',      -- JSON: time limits in seconds (connect, first_byte, between, whole) …
  source TEXT NOT NULL DEFAULT 'api',       -- api | file | environment | builtin
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE price_groups (
  name TEXT PRIMARY KEY,
  multiplier TEXT NOT NULL,                 -- decimal
  source TEXT NOT NULL DEFAULT 'api'
);

CREATE TABLE prices (                       -- the operator's, over the shipped book
  key TEXT PRIMARY KEY,
  entry TEXT NOT NULL,                      -- JSON, as an entry of the book
  source TEXT NOT NULL DEFAULT 'api',
  updated_at BIGINT NOT NULL
);

CREATE TABLE aliases (
  name TEXT PRIMARY KEY,                    -- may end in *
  target TEXT NOT NULL,
  source TEXT NOT NULL DEFAULT 'api'
);

CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL                       -- JSON; `config_version` counts every change of the tables above
);

CREATE TABLE leases (                       -- part of a balance that a node may hold against in memory
  id TEXT PRIMARY KEY,
  node TEXT NOT NULL,
  account_id TEXT NOT NULL,
  token_id TEXT,                            -- set where the token has a budget of its own
  amount BIGINT NOT NULL,                   -- what is left of it
  expires_at BIGINT NOT NULL
);
CREATE INDEX leases_expiry ON leases (expires_at);

CREATE TABLE holds (                        -- durable holds, open ones only
  request_id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  token_id TEXT,
  amount BIGINT NOT NULL,
  task_id TEXT,                             -- such a hold lives as long as its task
  expires_at BIGINT NOT NULL
);
CREATE INDEX holds_expiry ON holds (expires_at);

CREATE TABLE ledger (
  request_id TEXT NOT NULL,
  kind TEXT NOT NULL,                       -- grant | redeem | adjust | lease | return | hold | void | charge
  account_id TEXT NOT NULL,
  token_id TEXT,
  available BIGINT NOT NULL,                -- deltas
  held BIGINT NOT NULL,
  spent BIGINT NOT NULL,
  note TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (request_id, kind)
);
CREATE INDEX ledger_account ON ledger (account_id, created_at);

CREATE TABLE usage (                        -- one row a request that reached an account
  request_id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  token_id TEXT NOT NULL,
  user_id TEXT,
  protocol TEXT NOT NULL,
  operation TEXT NOT NULL,
  model TEXT,
  upstream_model TEXT,
  channel_id TEXT,
  task_id TEXT,
  status BIGINT NOT NULL,                   -- HTTP status that the caller saw
  cost BIGINT NOT NULL DEFAULT 0,
  basis TEXT,                               -- vendor | counted | call | second | estimated
  consumed TEXT,                            -- JSON: what the charge rests on
  streamed BIGINT NOT NULL DEFAULT 0,
  attempts BIGINT NOT NULL DEFAULT 1,
  latency_ms BIGINT NOT NULL DEFAULT 0,     -- whole
  first_byte_ms BIGINT,
  overhead_us BIGINT,
  error TEXT,
  ip TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX usage_account ON usage (account_id, created_at);

CREATE TABLE tasks (
  id TEXT PRIMARY KEY,                      -- public, in the protocol's own form
  protocol TEXT NOT NULL,
  operation TEXT NOT NULL,
  account_id TEXT NOT NULL,
  token_id TEXT NOT NULL,
  channel_id TEXT NOT NULL,
  upstream_id TEXT,
  parent_id TEXT,
  request_id TEXT NOT NULL,                 -- of the submission; also the reference given to the upstream
  hold_id TEXT,                             -- request id that the hold stands under, NULL once closed
  model TEXT NOT NULL,
  price_key TEXT NOT NULL,
  price_group TEXT NOT NULL,
  estimate TEXT NOT NULL,                   -- JSON usage that the hold was made from
  state TEXT NOT NULL,
  progress BIGINT,
  params TEXT NOT NULL DEFAULT '{}',        -- JSON
  request TEXT,                             -- JSON
  facts TEXT NOT NULL DEFAULT '{}',         -- JSON
  snapshot TEXT,                            -- JSON, the vendor's last word
  error TEXT,
  cost BIGINT NOT NULL DEFAULT 0,
  hook_url TEXT,
  hook_secret TEXT,                         -- encrypted
  hook_key TEXT NOT NULL,                   -- part of our own callback address
  mode TEXT NOT NULL,
  misses BIGINT NOT NULL DEFAULT 0,         -- 404s in a row
  polls BIGINT NOT NULL DEFAULT 0,
  next_poll_at BIGINT,                      -- NULL: nothing to poll
  polled_at BIGINT,
  leased_by TEXT,
  leased_until BIGINT NOT NULL DEFAULT 0,
  results BIGINT NOT NULL DEFAULT 0,
  submitted_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT,
  version BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX tasks_due ON tasks (next_poll_at);
CREATE INDEX tasks_account ON tasks (account_id, protocol, submitted_at);
CREATE INDEX tasks_upstream ON tasks (channel_id, upstream_id);

CREATE TABLE assets (
  task_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  account_id TEXT NOT NULL,
  key TEXT NOT NULL,                        -- in the asset store
  content_type TEXT NOT NULL,
  size BIGINT NOT NULL,
  source_url TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (task_id, number)
);

CREATE TABLE outbox (                       -- callbacks to callers
  id TEXT PRIMARY KEY,                      -- the message's id, the same on each try
  task_id TEXT NOT NULL,
  account_id TEXT NOT NULL,
  url TEXT NOT NULL,
  body TEXT NOT NULL,
  headers TEXT NOT NULL DEFAULT '{}',       -- JSON
  state TEXT NOT NULL,                      -- pending | delivered | given_up
  attempts BIGINT NOT NULL DEFAULT 0,
  next_at BIGINT,
  leased_until BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (next_at);
CREATE INDEX outbox_task ON outbox (task_id);

CREATE TABLE deliveries (
  outbox_id TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  status BIGINT,
  error TEXT,
  duration_ms BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (outbox_id, attempt)
);

CREATE TABLE redemptions (
  id TEXT PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  hint TEXT NOT NULL,
  name TEXT NOT NULL,
  amount BIGINT NOT NULL,
  expires_at BIGINT,
  status TEXT NOT NULL DEFAULT 'enabled',   -- enabled | disabled | used
  used_by TEXT,                             -- account
  used_at BIGINT,
  created_at BIGINT NOT NULL
);
