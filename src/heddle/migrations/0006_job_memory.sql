-- The memory that a job needs, in MiB, beside its `needs`: what no slot of a dispatcher can hold is not looked at there,
-- or so many of them at the head of the queue would hide all that can run.
ALTER TABLE queued_jobs ADD COLUMN memory_mb BIGINT NOT NULL DEFAULT 0;
