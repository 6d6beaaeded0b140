-- owner: workflows/live_previews.py. What running jobs show, one small picture each; it goes when the job leaves the queue.
CREATE TABLE live_previews (
    job_id TEXT PRIMARY KEY REFERENCES queued_jobs (job_id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    data {bytes} NOT NULL,
    mime TEXT NOT NULL,
    shown_at BIGINT NOT NULL
);
