-- Waiting jobs of accounts that are at their cap: a claim looks for them by account, once there is room for one, so
-- that it does not walk past a long backlog each time.
ALTER TABLE queued_jobs ADD COLUMN parked INTEGER NOT NULL DEFAULT 0;
DROP INDEX queued_jobs_ready;
CREATE INDEX queued_jobs_ready ON queued_jobs (finishes, job_id) WHERE owner IS NULL AND parked = 0;
CREATE INDEX queued_jobs_parked ON queued_jobs (account_id, finishes, job_id) WHERE owner IS NULL AND parked = 1;
