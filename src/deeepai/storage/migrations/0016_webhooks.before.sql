-- Who is told of all that becomes of an account's tasks.

CREATE TABLE webhooks (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  url TEXT NOT NULL,
  events TEXT NOT NULL,                     -- JSON list
  description TEXT NOT NULL DEFAULT '',
  status TEXT NOT NULL DEFAULT 'enabled',   -- enabled | disabled
  secret TEXT NOT NULL,                     -- encrypted, as is the next
  secret_before TEXT,                       -- signs, too, until then
  secret_before_until BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX webhooks_account ON webhooks (account_id);

ALTER TABLE outbox ADD COLUMN webhook_id TEXT; -- NULL: the callback that the task's own request asked for
ALTER TABLE outbox ADD COLUMN event TEXT;
CREATE UNIQUE INDEX outbox_event ON outbox (webhook_id, task_id, event);
