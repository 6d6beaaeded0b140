"""Audit: prove that workflows and Buzz agree."""

from __future__ import annotations

from heddle import ledger
from heddle.db import Tx
from heddle.ledger import Moved
from heddle.workflows import rows


def check(tx: Tx) -> list[str]:
    """Every complaint in one sentence; empty when all is right.

    Each workflow's cost was held once; an ended one has it all settled or refunded, a running one nothing yet; and what
    was settled is what its succeeded jobs cost.
    """
    complaints = ledger.check(tx)
    moved, earned = ledger.moved(tx), rows.earned(tx)
    for workflow_id, ended, cost in rows.costs(tx):
        done = moved.pop(workflow_id, Moved())
        if done.held != cost or done.closed != (cost if ended else 0):
            state = "has ended" if ended else "runs"
            complaints.append(
                f"workflow {workflow_id} costs {cost} and {state}: {done.held} held, {done.closed} settled or refunded"
            )
        elif ended and done.settled != earned.get(workflow_id, 0):
            complaints.append(
                f"workflow {workflow_id} has ended: its jobs cost {earned.get(workflow_id, 0)}, and {done.settled} were"
                " settled"
            )
    complaints += [
        f"workflow {workflow_id} does not exist, and of {done.held} Buzz held {done.closed} were settled or refunded"
        for workflow_id, done in moved.items()  # those that were pruned had ended
        if done.held != done.closed
    ]
    return complaints
