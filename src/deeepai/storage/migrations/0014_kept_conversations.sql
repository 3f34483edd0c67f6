-- Conversations that the gateway keeps itself, where no upstream does, and what was said in them.

CREATE TABLE kept_conversations (
  account_id TEXT NOT NULL,
  protocol TEXT NOT NULL,
  mode TEXT NOT NULL,                       -- live | test
  id TEXT NOT NULL,
  metadata TEXT NOT NULL,                   -- JSON
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, protocol, mode, id)
);
CREATE INDEX kept_conversations_expiry ON kept_conversations (expires_at);

CREATE TABLE kept_items (
  account_id TEXT NOT NULL,
  protocol TEXT NOT NULL,
  mode TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  place BIGINT NOT NULL,                    -- among the conversation's
  id TEXT NOT NULL,
  item TEXT NOT NULL,                       -- JSON
  size BIGINT NOT NULL,                     -- characters of it
  PRIMARY KEY (account_id, protocol, mode, conversation_id, place)
);
