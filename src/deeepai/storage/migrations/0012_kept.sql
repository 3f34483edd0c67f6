-- How much is kept of each account's, so that it can be bounded, and who sweeps what is kept no longer.

CREATE TABLE kept (
  account_id TEXT NOT NULL,
  mode TEXT NOT NULL,                       -- live | test
  kind TEXT NOT NULL,                       -- files | replays | answers
  bytes BIGINT NOT NULL,
  items BIGINT NOT NULL,
  PRIMARY KEY (account_id, mode, kind)
);

ALTER TABLE assets ADD COLUMN mode TEXT NOT NULL DEFAULT 'live';
ALTER TABLE assets ADD COLUMN unkept TEXT;                 -- why its bytes are not in the store; NULL: they are
ALTER TABLE assets ADD COLUMN keyed BIGINT NOT NULL DEFAULT 0; -- its vendor shows it to its own customer only
UPDATE assets SET mode = 'test' WHERE task_id IN (SELECT id FROM tasks WHERE mode = 'test');
CREATE INDEX assets_age ON assets (created_at);
CREATE INDEX assets_account ON assets (account_id, mode, created_at);

ALTER TABLE idempotency ADD COLUMN mode TEXT NOT NULL DEFAULT 'live';
ALTER TABLE idempotency ADD COLUMN size BIGINT NOT NULL DEFAULT 0; -- characters of the body
UPDATE idempotency SET size = COALESCE(LENGTH(body), 0);

CREATE INDEX kept_answers_age ON kept_answers (mode, created_at);
CREATE INDEX tasks_finished ON tasks (finished_at);

INSERT INTO kept (account_id, mode, kind, bytes, items)
  SELECT account_id, mode, 'files', SUM(size), COUNT(*) FROM assets GROUP BY account_id, mode;
INSERT INTO kept (account_id, mode, kind, bytes, items)
  SELECT account_id, mode, 'replays', SUM(size), COUNT(*) FROM idempotency WHERE size > 0 GROUP BY account_id, mode;
INSERT INTO kept (account_id, mode, kind, bytes, items)
  SELECT account_id, mode, 'answers', SUM(size), COUNT(*) FROM kept_answers GROUP BY account_id, mode;

CREATE TABLE chores (                       -- what one node does for all
  name TEXT PRIMARY KEY,
  next_at BIGINT NOT NULL,
  leased_until BIGINT NOT NULL DEFAULT 0
);
INSERT INTO chores (name, next_at) VALUES ('sweep', 0);
