-- owner: chores/duties.py. When each duty that one process does for all is due again.
CREATE TABLE duties (
    name TEXT PRIMARY KEY,
    next_at BIGINT NOT NULL
);
