"""Audit: prove that workflows and Buzz agree."""

from __future__ import annotations

from heddle import ledger
from heddle.db import Tx
from heddle.workflows import rows


def check(tx: Tx) -> list[str]:
    """Every complaint in one sentence; empty when all is right.

    Each workflow's cost was held once; an ended one has it all settled or refunded, a running one nothing yet.
    """
    complaints = ledger.check(tx)
    moved = ledger.moved(tx)
    for workflow_id, ended, cost in rows.costs(tx):
        held, closed = moved.pop(workflow_id, (0, 0))
        if held != cost or closed != (cost if ended else 0):
            state = "has ended" if ended else "runs"
            complaints.append(
                f"workflow {workflow_id} costs {cost} and {state}: {held} held, {closed} settled or refunded"
            )
    complaints += [
        f"workflow {workflow_id} does not exist, and of {held} Buzz held {closed} were settled or refunded"
        for workflow_id, (held, closed) in moved.items()  # those that were pruned had ended
        if held != closed
    ]
    return complaints
