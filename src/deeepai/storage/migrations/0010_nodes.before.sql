CREATE TABLE switched_off (                 -- channels of nodes' own, by name, that an operator disabled
  name TEXT PRIMARY KEY
);
INSERT INTO switched_off (name)
  SELECT name FROM channels WHERE source IN ('builtin', 'environment') AND status = 'disabled';

CREATE TABLE applied_files (                -- versions of the declarative file
  serial BIGINT PRIMARY KEY,
  digest TEXT NOT NULL,                     -- SHA-256, hex
  node TEXT NOT NULL,                       -- who applied it
  applied_at BIGINT NOT NULL
);

CREATE TABLE nodes (                        -- gateways that share this database
  id TEXT PRIMARY KEY,
  host TEXT NOT NULL,
  seen_at BIGINT NOT NULL
);
