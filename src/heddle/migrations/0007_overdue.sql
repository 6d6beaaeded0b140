-- Jobs that were passed over too long are taken first, wherever they stand in the queue.
CREATE INDEX queued_jobs_passed ON queued_jobs (passed_at) WHERE owner IS NULL AND passed_at IS NOT NULL;
