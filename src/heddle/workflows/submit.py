"""Submit: check the sources, hold the Buzz, write the rows, queue the jobs, emit. One transaction for a whole list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from heddle import accounts, blobs, ledger, queue
from heddle.accounts import Limits
from heddle.blobs import Blob
from heddle.db import Tx
from heddle.domain import Job, Status, Step, Workflow, roll_up_steps
from heddle.errors import Conflict, HeddleError, InsufficientBuzz, InvalidRequest, TooManyRequests
from heddle.steps import Source
from heddle.workflows import events, pricing, rows
from heddle.workflows.planning import Draft
from heddle.workflows.rows import NewWorkflow

#: How many steps may wait for the bytes of one blob.
WAITS_PER_BLOB = 1000


def submit(tx: Tx, drafts: Sequence[Draft]) -> list[Workflow | HeddleError]:
    """Write every draft that may be written; the others get their refusal, and nothing of theirs is written."""
    outcomes = _seen_before(tx, drafts)
    checked = _check_sources(tx, {i: d for i, d in enumerate(drafts) if i not in outcomes}, outcomes)
    once, first = _once(checked)
    limits = accounts.limits(tx, [new.workflow.account_id for new in once.values()])
    decided: dict[int, HeddleError | None] = {}
    for i in _too_many(tx, once, limits):
        decided[i] = _quota(limits[once[i].workflow.account_id])
    decided |= _write(tx, {i: new for i, new in once.items() if i not in decided}, limits)
    for i, decider in first.items():
        outcomes[i] = decided.get(decider) or _same(once[decider], checked[i])
    paid = [new for i, new in once.items() if decided[i] is None]
    blobs.store(tx, [stored for i in once if decided[i] is None for stored in drafts[i].stored], _at(drafts))
    events.emit(tx, [events.of_workflow(new.workflow) for new in paid], _at(drafts))
    return [outcomes[i] for i in range(len(drafts))]


def foresee(tx: Tx, draft: Draft, coming: frozenset[str], least: int) -> Workflow | HeddleError | None:
    """What `submit` would answer, as far as can be told before the sources in `coming` are there; None: perhaps yes.

    `least` is what the draft costs at least, in Buzz. Keeps nobody waiting, and `submit` decides again.
    """
    if seen := _seen_before(tx, [draft]):
        return seen[0]
    refused: dict[int, Workflow | HeddleError] = {}
    there = replace(draft, sources=[(step, s) for step, s in draft.sources if s.blob_id not in coming])
    if not _check_sources(tx, {0: there}, refused):
        return refused[0]
    account = draft.new.workflow.account_id
    limits = accounts.limits(tx, [account])
    if _too_many(tx, {0: draft.new}, limits):
        return _quota(limits[account])
    if (has := ledger.balance(tx, account).available) < least:
        return InsufficientBuzz(f"this costs {least} Buzz or more and the account has {has}")
    return None


def entries(workflow: Workflow, weight: float, steps: frozenset[int] | None = None) -> list[queue.Entry]:
    """The claimable jobs of a workflow: those of steps that wait for nothing (or of the steps named)."""
    return [
        queue.Entry(
            job_id=job.id,
            workflow_id=workflow.id,
            account_id=workflow.account_id,
            engine=job.engine,
            band=step.priority.band,
            cost=job.cost,
            weight=weight,
            needs=job.needs,
        )
        for step in workflow.steps
        if (step.status is Status.UNASSIGNED and not step.follows if steps is None else step.index in steps)
        for job in step.jobs
    ]


def _seen_before(tx: Tx, drafts: Sequence[Draft]) -> dict[int, Workflow | HeddleError]:
    """The same idempotency key again returns the workflow of the first time, if it asks for the same."""
    keyed = {
        i: (d.new.workflow.account_id, key) for i, d in enumerate(drafts) if (key := d.new.idempotency_key) is not None
    }
    known = rows.by_idempotency_key(tx, list(keyed.values()))
    found = {i: known[pair] for i, pair in keyed.items() if pair in known}
    if not found:
        return {}
    stored = {w.id: w for w in rows.get(tx, [workflow_id for workflow_id, _ in found.values()])}
    return {
        i: stored[workflow_id] if request_hash == drafts[i].new.request_hash else _other_body(drafts[i].new)
        for i, (workflow_id, request_hash) in found.items()
    }


def _check_sources(
    tx: Tx, drafts: Mapping[int, Draft], outcomes: dict[int, Workflow | HeddleError]
) -> dict[int, NewWorkflow]:
    """Sources must exist and belong to the account; promised ones make their step wait."""
    # Kept, so that bytes that arrive just now find the step that waits for them, or this step finds the bytes.
    known = blobs.get(tx, sorted({s.blob_id for d in drafts.values() for _, s in d.sources}), keep=tx.for_share)
    known |= {s.blob_id: blobs.uploaded(s, _at([d])) for d in drafts.values() for s in d.stored}
    promised = [b.id for b in known.values() if b.state == "promised"]
    waiting = Counter(dict.fromkeys(promised, 0) | rows.waits_on(tx, promised))
    checked: dict[int, NewWorkflow] = {}
    for i, draft in drafts.items():
        workflow = draft.new.workflow
        problems = {
            f"steps[{step}].input.{source.path}": [problem]
            for step, source in draft.sources
            if (problem := _source_problem(source, known.get(source.blob_id), workflow))
            or (problem := _crowd_problem(source, waiting, draft))
        }
        if problems:
            first = next(iter(problems))
            outcomes[i] = InvalidRequest(f"{first}: {problems[first][0]}", problems)
            continue
        waits = sorted({(step, s.blob_id) for step, s in draft.sources if known[s.blob_id].state == "promised"})
        waiting.update(blob_id for _, blob_id in waits)  # only those that are accepted crowd their neighbors
        steps = {step for step, _ in waits}
        mine = [known[s.blob_id] for step, s in draft.sources if step not in steps]
        checked[i] = replace(draft.new, workflow=_waiting(pricing.at_last(workflow, mine, steps), steps), waits=waits)
    return checked


def _source_problem(source: Source, blob: Blob | None, workflow: Workflow) -> str | None:
    if blob is None or blob.account_id != workflow.account_id:
        return f"there is no blob {source.blob_id!r}; upload one, or ask for an upload URL, and give its id"
    if blob.state == "promised" and blob.upload_until is not None and blob.upload_until <= workflow.created_at:
        return f"the upload URL of blob {source.blob_id!r} expired before the bytes came"
    if not source.takes(blob.mime):
        return f"blob {source.blob_id!r} is {blob.mime}, and this must be {' or '.join(source.media)}"
    return None


def _crowd_problem(source: Source, waiting: Mapping[str, int], draft: Draft) -> str | None:
    """All steps that wait for a blob are released in the one transaction that records its upload."""
    own = len({step for step, s in draft.sources if s.blob_id == source.blob_id})
    if source.blob_id in waiting and waiting[source.blob_id] + own > WAITS_PER_BLOB:
        return f"{WAITS_PER_BLOB} steps wait for blob {source.blob_id!r} already; upload it first"
    return None


def _waiting(workflow: Workflow, steps: set[int]) -> Workflow:
    made = [_prepare(step) if step.index in steps else step for step in workflow.steps]
    return replace(workflow, steps=made, status=roll_up_steps(s.status for s in made))


def _prepare(step: Step) -> Step:
    jobs: list[Job] = [replace(job, status=Status.PREPARING) for job in step.jobs]
    return replace(step, status=Status.PREPARING, jobs=jobs)


def _too_many(tx: Tx, once: Mapping[int, NewWorkflow], limits: Mapping[int, Limits]) -> list[int]:
    """Those that are one too many for their account."""
    bounded = sorted(account for account, limit in limits.items() if limit.max_open)
    if not bounded:
        return []
    accounts.limits(tx, bounded, keep=tx.for_update)  # whoever counts at the same moment counts after this commit
    count = rows.open_of(tx, bounded)
    beyond: list[int] = []
    for i, new in once.items():
        account = new.workflow.account_id
        if account not in bounded:
            continue
        count[account] = count.get(account, 0) + 1
        if count[account] > limits[account].max_open:
            count[account] -= 1
            beyond.append(i)
    return beyond


def _quota(limits: Limits) -> TooManyRequests:
    return TooManyRequests(
        f"this account may have {limits.max_open} workflows under way at once and has them; wait until one ends"
    )


def _write(tx: Tx, once: Mapping[int, NewWorkflow], limits: Mapping[int, Limits]) -> dict[int, InsufficientBuzz | None]:
    """Write and hold. The hold comes last, because until the commit nobody else can pay from the same account."""
    holds = {
        i: ledger.Hold(account_id=n.workflow.account_id, workflow_id=n.workflow.id, amount=n.workflow.cost)
        for i, n in once.items()
    }
    outcomes = dict(zip(holds, ledger.too_poor(tx, list(holds.values())), strict=True))
    rich = [i for i, refusal in outcomes.items() if refusal is None]
    if not rich:
        return outcomes
    rows.insert(tx, [once[i] for i in rich])
    made = [once[i].workflow for i in rich]
    queue.enqueue(tx, [entry for w in made for entry in entries(w, limits[w.account_id].weight)])
    refusals = ledger.hold(tx, [holds[i] for i in rich], once[rich[0]].workflow.created_at)
    outcomes |= zip(rich, refusals, strict=True)
    # Those that could pay alone but not together with the others.
    beaten = [once[i].workflow.id for i, refusal in zip(rich, refusals, strict=True) if refusal is not None]
    queue.remove(tx, beaten)
    rows.remove(tx, beaten)
    return outcomes


def _once(checked: Mapping[int, NewWorkflow]) -> tuple[dict[int, NewWorkflow], dict[int, int]]:
    """Of several with one key in this batch the first decides, and all get its outcome: (deciders, decider of each)."""
    first = _first_of_key(checked)
    return {i: new for i, new in checked.items() if first[i] == i}, first


def _first_of_key(checked: Mapping[int, NewWorkflow]) -> dict[int, int]:
    """For each draft the first one of this batch with the same key: itself, mostly."""
    first: dict[tuple[int, str], int] = {}
    return {
        i: first.setdefault((new.workflow.account_id, new.idempotency_key), i) if new.idempotency_key else i
        for i, new in checked.items()
    }


def _same(first: NewWorkflow, again: NewWorkflow) -> Workflow | Conflict:
    return first.workflow if first.request_hash == again.request_hash else _other_body(again)


def _other_body(new: NewWorkflow) -> Conflict:
    return Conflict(f"the Idempotency-Key {new.idempotency_key!r} was used before, with another request")


def _at(drafts: Sequence[Draft]) -> datetime:
    return drafts[0].new.workflow.created_at
