ALTER TABLE tasks ADD COLUMN served_by TEXT;                       -- the operation of another protocol that does it
ALTER TABLE tasks ADD COLUMN candidate TEXT;                       -- upstream id that a callback named, not yet believed
ALTER TABLE tasks ADD COLUMN fetch_tries BIGINT NOT NULL DEFAULT 0; -- polls at which a result could not be had
ALTER TABLE tasks ADD COLUMN background_path TEXT;                 -- where background work is asked for upstream
ALTER TABLE tasks ADD COLUMN within TEXT NOT NULL DEFAULT '[]';    -- JSON, objects that background work goes on in
CREATE INDEX tasks_request ON tasks (account_id, request_id);
