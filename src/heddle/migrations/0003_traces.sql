-- The trace that a workflow was submitted in, as a W3C traceparent: what becomes of its jobs belongs to it, too.
ALTER TABLE workflows ADD COLUMN traceparent TEXT;

-- Dead events are few among many delivered ones, and are counted and looked for by operators.
CREATE INDEX events_dead ON events (id) WHERE state = 'dead';
