-- owner: runs/rows.py. Arazzo documents that the server runs for an account; a run without `ended_at` is to go on.
CREATE TABLE arazzo_runs (
    id TEXT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    document TEXT NOT NULL,
    workflow TEXT,
    inputs TEXT NOT NULL,
    sources TEXT NOT NULL,
    status TEXT NOT NULL,
    result TEXT,
    brief TEXT,
    canceling BIGINT NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_until BIGINT,
    claims BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT
);
CREATE INDEX arazzo_runs_by_account ON arazzo_runs (account_id, id);
CREATE INDEX arazzo_runs_open ON arazzo_runs (id) WHERE ended_at IS NULL;
-- owner: runs/rows.py. The journal of each run, only ever added to; a number that is taken fences off a second process.
CREATE TABLE arazzo_records (
    run_id TEXT NOT NULL REFERENCES arazzo_runs (id),
    number BIGINT NOT NULL,
    body TEXT NOT NULL,
    brief TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
);
