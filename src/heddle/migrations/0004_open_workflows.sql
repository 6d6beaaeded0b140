-- What has not ended is found without the history.
CREATE INDEX workflows_open ON workflows (id) WHERE completed_at IS NULL;
