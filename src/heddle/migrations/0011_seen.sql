-- When a slot last said that it can run an engine, and the largest memory that such a slot ever had (NULL: any).
ALTER TABLE queue_engines ADD COLUMN seen_at BIGINT;
ALTER TABLE queue_engines ADD COLUMN seen_mb BIGINT DEFAULT 0;
