-- Who suspended a key: its holder resumes it only if they did.
ALTER TABLE api_keys ADD COLUMN suspended_by TEXT NOT NULL DEFAULT '';
-- The networks from which the person of a session was proven, the latest first.
ALTER TABLE sessions ADD COLUMN networks TEXT NOT NULL DEFAULT '';
