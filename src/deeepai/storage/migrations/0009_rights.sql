ALTER TABLE leases ADD COLUMN debt BIGINT NOT NULL DEFAULT 0;  -- what open requests may cost beyond what is held
ALTER TABLE holds ADD COLUMN debt BIGINT NOT NULL DEFAULT 0;
