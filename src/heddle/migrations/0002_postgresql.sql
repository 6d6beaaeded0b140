-- Names that differ only in case are one name, also when two are made at once.
CREATE UNIQUE INDEX accounts_by_name ON accounts (lower(username));

-- A row of the queue changes a few times and goes: room beside it keeps the changes on its page, and dead rows are
-- taken away while they are few.
ON POSTGRESQL ALTER TABLE queued_jobs SET (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);
ON POSTGRESQL ALTER TABLE balances SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
ON POSTGRESQL ALTER TABLE events SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
