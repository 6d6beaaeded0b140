-- Fair shares: what an account weighs, and how much it may have at once (0: as much as it likes).
ALTER TABLE accounts ADD COLUMN weight REAL NOT NULL DEFAULT 1;
ALTER TABLE accounts ADD COLUMN max_running INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN max_open INTEGER NOT NULL DEFAULT 0;

DROP INDEX workflows_open;
CREATE INDEX workflows_open ON workflows (account_id, id) WHERE completed_at IS NULL;

-- What a job needs in a worker's memory, as JSON; NULL: nothing.
ALTER TABLE jobs ADD COLUMN needs TEXT;

-- The queue is ordered by virtual time (fairness.py), which is stamped when a job is queued.
ALTER TABLE queued_jobs ADD COLUMN starts REAL NOT NULL DEFAULT 0;
ALTER TABLE queued_jobs ADD COLUMN finishes REAL NOT NULL DEFAULT 0;
ALTER TABLE queued_jobs ADD COLUMN cost BIGINT NOT NULL DEFAULT 0;
ALTER TABLE queued_jobs ADD COLUMN needs TEXT;
ALTER TABLE queued_jobs ADD COLUMN passed_at BIGINT;
DROP INDEX queued_jobs_ready;
CREATE INDEX queued_jobs_ready ON queued_jobs (finishes, job_id) WHERE owner IS NULL;
CREATE INDEX queued_jobs_by_engine ON queued_jobs (engine) WHERE owner IS NULL;
CREATE INDEX queued_jobs_by_account ON queued_jobs (account_id) WHERE owner IS NOT NULL;

-- owner: queue.py. How far each line (an account's jobs of one priority) has got in virtual time.
CREATE TABLE queue_lines (
    account_id BIGINT NOT NULL,
    band INTEGER NOT NULL,
    last REAL NOT NULL,
    PRIMARY KEY (account_id, band)
);
-- owner: queue.py. How far each engine's queue has got in virtual time, and what a Buzz of its work takes.
CREATE TABLE queue_engines (
    engine TEXT PRIMARY KEY,
    clock REAL NOT NULL,
    s_per_buzz REAL
);
-- owner: queue.py. What the slots of each dispatcher are and have, as they last said: for those who ask why a job waits.
CREATE TABLE queue_slots (
    dispatcher TEXT NOT NULL,
    name TEXT NOT NULL,
    report TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (dispatcher, name)
);
