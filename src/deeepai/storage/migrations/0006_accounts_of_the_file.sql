ALTER TABLE accounts ADD COLUMN source TEXT NOT NULL DEFAULT 'api';   -- api | file
