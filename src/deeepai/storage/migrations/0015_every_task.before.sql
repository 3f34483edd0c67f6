-- Tasks of every protocol are listed together, and may be stopped.

CREATE INDEX tasks_latest ON tasks (account_id, mode, submitted_at, id);
ALTER TABLE tasks ADD COLUMN stop_asked_at BIGINT; -- when the vendor took it upon itself to stop it
