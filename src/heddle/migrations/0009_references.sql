-- The steps (by index, as JSON) that must succeed before this one's jobs may run.
ALTER TABLE steps ADD COLUMN follows TEXT NOT NULL DEFAULT '[]';
