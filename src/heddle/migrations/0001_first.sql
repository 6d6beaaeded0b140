-- Times are milliseconds since the epoch; money is whole Buzz; JSON is text.

-- owner: accounts.py
CREATE TABLE accounts (
    id {serial},
    username TEXT NOT NULL UNIQUE,
    email TEXT,
    tier TEXT NOT NULL,
    webhook_secret TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);

-- owner: workflows/rows.py
CREATE TABLE workflows (
    id TEXT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    idempotency_key TEXT,
    request_hash TEXT,
    status TEXT NOT NULL,
    tags TEXT NOT NULL,
    callbacks TEXT NOT NULL,
    cost BIGINT NOT NULL,
    reason TEXT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    completed_at BIGINT,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX workflows_idempotency ON workflows (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX workflows_by_account ON workflows (account_id, id) WHERE deleted_at IS NULL;
CREATE INDEX workflows_by_status ON workflows (account_id, status, id) WHERE deleted_at IS NULL;
CREATE TABLE workflow_tags (
    account_id BIGINT NOT NULL,
    tag TEXT NOT NULL,
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    PRIMARY KEY (account_id, tag, workflow_id)
);
CREATE INDEX workflow_tags_by_workflow ON workflow_tags (workflow_id);
CREATE TABLE steps (
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    idx INTEGER NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    input TEXT NOT NULL,
    timeout_s REAL NOT NULL,
    started_at BIGINT,
    completed_at BIGINT,
    PRIMARY KEY (workflow_id, idx)
);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    step INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    status TEXT NOT NULL,
    engine TEXT NOT NULL,
    payload TEXT NOT NULL,
    inputs TEXT NOT NULL,
    cost BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    started_at BIGINT,
    completed_at BIGINT,
    artifacts TEXT,
    reason TEXT,
    message TEXT,
    log TEXT
);
CREATE UNIQUE INDEX jobs_by_workflow ON jobs (workflow_id, step, idx);
CREATE TABLE waits (
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    step INTEGER NOT NULL,
    blob_id TEXT NOT NULL,
    PRIMARY KEY (workflow_id, step, blob_id)
);
CREATE INDEX waits_by_blob ON waits (blob_id);

-- owner: queue.py. Holds unfinished jobs only, so it stays small whatever the history.
CREATE TABLE queued_jobs (
    job_id TEXT PRIMARY KEY,
    workflow_id TEXT NOT NULL,
    account_id BIGINT NOT NULL,
    engine TEXT NOT NULL,
    band INTEGER NOT NULL,
    run_at BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    losses INTEGER NOT NULL,
    owner TEXT,
    lease_until BIGINT,
    progress REAL
);
CREATE INDEX queued_jobs_ready ON queued_jobs (band, job_id) WHERE owner IS NULL;
CREATE INDEX queued_jobs_later ON queued_jobs (run_at) WHERE owner IS NULL AND run_at > 0;
CREATE INDEX queued_jobs_leased ON queued_jobs (lease_until) WHERE owner IS NOT NULL;
CREATE INDEX queued_jobs_by_workflow ON queued_jobs (workflow_id);

-- owner: ledger.py. Entries are only ever appended; balances are their sums, kept beside them.
CREATE TABLE ledger_entries (
    id {serial},
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    kind TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount >= 0),
    workflow_id TEXT,
    n INTEGER NOT NULL,
    memo TEXT,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX ledger_once ON ledger_entries (workflow_id, kind, n) WHERE workflow_id IS NOT NULL;
CREATE INDEX ledger_by_account ON ledger_entries (account_id, id);
CREATE TABLE balances (
    account_id BIGINT PRIMARY KEY REFERENCES accounts (id),
    available BIGINT NOT NULL CHECK (available >= 0),
    held BIGINT NOT NULL CHECK (held >= 0),
    spent BIGINT NOT NULL CHECK (spent >= 0)
);

-- owner: outbox.py
CREATE TABLE events (
    id {serial},
    workflow_id TEXT NOT NULL,
    account_id BIGINT NOT NULL,
    endpoint TEXT NOT NULL,
    seq INTEGER NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    delivered_at BIGINT,
    error TEXT
);
CREATE UNIQUE INDEX events_in_order ON events (workflow_id, endpoint, seq);
CREATE INDEX events_waiting ON events (next_at) WHERE state = 'waiting';
CREATE INDEX events_by_account ON events (account_id, id);

-- owner: blobs.py
CREATE TABLE blobs (
    id TEXT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    state TEXT NOT NULL,
    storage_key TEXT NOT NULL,
    mime TEXT NOT NULL,
    size BIGINT,
    sha256 TEXT,
    width INTEGER,
    height INTEGER,
    duration_ms BIGINT,
    nsfw_level INTEGER NOT NULL,
    nsfw_reason TEXT,
    job_id TEXT,
    metadata TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    upload_until BIGINT
);
CREATE INDEX blobs_promised ON blobs (upload_until) WHERE state = 'promised';
CREATE TABLE signing_keys (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- owners: catalog/*.py
CREATE TABLE models (
    id {serial},
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    creator TEXT NOT NULL,
    nsfw_level INTEGER NOT NULL,
    details TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE model_versions (
    id {serial},
    model_id BIGINT NOT NULL REFERENCES models (id),
    name TEXT NOT NULL,
    base_model TEXT NOT NULL,
    air TEXT NOT NULL UNIQUE,
    details TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    published_at BIGINT
);
CREATE INDEX model_versions_by_model ON model_versions (model_id, id);
CREATE TABLE model_files (
    id {serial},
    version_id BIGINT NOT NULL REFERENCES model_versions (id),
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    format TEXT NOT NULL,
    size BIGINT NOT NULL,
    path TEXT,
    hashes TEXT NOT NULL,
    is_primary INTEGER NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX model_files_by_version ON model_files (version_id, id);
