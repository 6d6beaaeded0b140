"""The verbs on a workflow: the only modules that combine queue, ledger, outbox and blobs, each in one transaction."""
