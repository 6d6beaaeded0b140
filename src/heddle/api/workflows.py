"""The Orchestration API's workflows: one function per operation, named by its operationId."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from heddle import blobs, logs, queue, traces
from heddle.accounts import Account
from heddle.api.auth import account
from heddle.api.deps import Deps, answer, base_url, deps, link_expiry, read_body
from heddle.api.sources import Brought, Sources
from heddle.catalog import places
from heddle.contract import base, orchestration
from heddle.contract.orchestration import (
    GetWorkflow,
    QueryWorkflows,
    WorkflowRequest,
    WorkflowUpdate,
    moment,
    present,
)
from heddle.db import Tx
from heddle.domain import Artifact, Workflow, now
from heddle.egress import check_url
from heddle.errors import CallerError, HeddleError, InvalidRequest, NotFound
from heddle.matching import Policy
from heddle.steps import Facts, outputs
from heddle.workflows import amend, live_previews, pricing, rows, submit, waiting
from heddle.workflows.live_previews import Shown as LivePreview
from heddle.workflows.planning import Draft, Look
from heddle.workflows.waiting import Outlook

_KEY = re.compile(r"[\x21-\x7e]{1,255}")

_PREVIEW_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


async def submit_workflow(request: Request) -> Response:
    """Submit a workflow."""
    parts, who = deps(request), await account(request)
    body = await read_body(request)
    sources = Sources(base.decode(body), parts.planner.media, base_url(request))
    key = _idempotency_key(request)
    request_hash = hashlib.sha256(body).hexdigest() if key else None

    async def plan(brought: Brought) -> Draft:
        wanted = base.validate(WorkflowRequest, brought.raw)
        if wanted.callback_url is not None:
            _check_callback(parts, wanted.callback_url)

        def draft(tx: Tx) -> Draft:
            look = _look(tx, who.id, brought)
            return parts.planner.plan(
                wanted, account_id=who.id, key=key, request_hash=request_hash, look=look, at=now()
            )

        return replace(await parts.db.read(draft), stored=brought.stored)

    with traces.span("plan"):
        draft = await plan(brought := Brought(raw=sources.checked()))
    if sources.steps:
        foreseen = await parts.db.read(
            submit.foresee, draft, frozenset({sources.stand_in}), _least(draft, sources.steps)
        )
        if isinstance(foreseen, HeddleError):
            raise foreseen
        if foreseen is not None:
            return answer(_shown(request, foreseen), 202)  # nothing is fetched a second time
        with traces.span("fetch"):
            brought = await sources.bring(parts, who.id)
    try:
        if brought.stored:
            draft = await plan(brought)
        here = traces.current()
        draft = replace(draft, new=replace(draft.new, traceparent=str(here) if here else None))
        with traces.span("commit"):
            written = await parts.db.write(submit.submit, draft)
    except CallerError:  # after any other error it may have been written; if it was not, the sweep finds the bytes
        await brought.discard(parts)
        raise
    if written.id != draft.new.workflow.id:  # the same key was faster
        await brought.discard(parts)
    logs.note(workflow_id=written.id)
    return answer(_shown(request, written), 202)


def _least(draft: Draft, unknown: frozenset[int]) -> int:
    """What a workflow costs at least, when nothing is known of the sources of some steps: 1 Buzz for each of these,
    and for each that works on what they make."""
    steps = draft.new.workflow.steps
    while more := {step.index for step in steps if not unknown.isdisjoint(step.follows)} - unknown:
        unknown |= more
    return sum(1 if step.index in unknown else sum(job.cost for job in step.jobs) for step in steps)


async def query_workflows(request: Request) -> Response:
    """List workflows, newest first."""
    parts, who = deps(request), await account(request)
    wanted = base.validate(QueryWorkflows, _query(request, repeated={"tags"}))
    found = await parts.db.read(_page, who.id, wanted)
    more = len(found) > wanted.take
    items = [_shown(request, w) for w in found[: wanted.take]]
    return answer(orchestration.page(items, found[wanted.take - 1].id if more else None))


async def get_workflow(request: Request) -> Response:
    """Show a workflow as it is now."""
    parts, who = deps(request), await account(request)
    given = request.query_params.get("why", "")
    wanted = base.validate(GetWorkflow, {"why": given} if given else {})
    asked = (who.id, request.path_params["workflowId"])
    if wanted.why:
        found, outlooks = await parts.db.read(_explained, *asked, Policy(defer_s=parts.settings.defer_s))
    else:
        found, outlooks = await parts.db.ask(_with_outlooks, asked)
    headers = {} if found.status.terminal else {"Retry-After": "1"}
    return answer(_shown(request, found, outlooks), headers=headers)


async def update_workflow(request: Request) -> Response:
    """Cancel a workflow, or give it other tags."""
    who = await account(request)
    update = base.parse(WorkflowUpdate, await read_body(request))
    if update.status is None and update.tags is None:
        raise InvalidRequest.of("body", "nothing to change; give `status`: canceled, or `tags`")
    return await _amend(request, who, update=update)


async def patch_workflow(request: Request) -> Response:
    """Change a workflow by JSON Patch: /tags and /status."""
    who = await account(request)
    operations = base.decode(await read_body(request), keep_null=True)
    if not isinstance(operations, list) or len(cast("list[Any]", operations)) > 100:
        raise InvalidRequest.of("body", "a JSON Patch is a list of at most 100 operations")
    listed = cast("list[Any]", operations)
    for i, operation in enumerate(listed):
        if not isinstance(operation, dict):
            raise InvalidRequest.of(f"[{i}]", "an operation is an object with `op` and `path`")
    return await _amend(request, who, patch=listed)


async def delete_workflow(request: Request) -> Response:
    """Delete a workflow; cancels it when it runs."""
    parts, who = deps(request), await account(request)
    deletion = amend.Deletion(account_id=who.id, workflow_id=request.path_params["workflowId"], at=now())
    await parts.db.write(amend.delete, deletion)
    return Response(status_code=204)


async def get_workflow_log(request: Request) -> Response:
    """What the engines wrote while they ran the jobs of a workflow. Heddle's own."""
    parts, who = deps(request), await account(request)
    found = await parts.db.read(_one, who.id, request.path_params["workflowId"])
    lines = await parts.db.read(rows.logs, found.id)
    return answer({"items": [{"jobId": job_id, "lines": text.splitlines()} for job_id, text in lines]})


async def get_job_preview(request: Request) -> Response:
    """Fetch the live preview of a job while it runs. Heddle's own.

    A small picture of what there is so far. It is for the account of the workflow alone, and gone when the job ends.
    """
    parts, who = deps(request), await account(request)
    found = await parts.db.read(_preview, who.id, request.path_params["workflowId"], request.path_params["jobId"])
    return Response(found.data, headers=_PREVIEW_HEADERS, media_type=found.mime)


async def _amend(request: Request, who: Account, **change: Any) -> Response:
    amendment = amend.Amendment(account_id=who.id, workflow_id=request.path_params["workflowId"], at=now(), **change)
    return answer(_shown(request, await deps(request).db.write(amend.amend, amendment)))


def _one(tx: Tx, account_id: int, workflow_id: str) -> Workflow:
    found = _some(tx, [(account_id, workflow_id)])[0]
    if isinstance(found, HeddleError):
        raise found
    return found


def _some(tx: Tx, asked: Sequence[tuple[int, str]]) -> list[Workflow | HeddleError]:
    """Workflows as their accounts see them."""
    found = rows.get(tx, list(dict.fromkeys(workflow_id for _, workflow_id in asked)), kept=True)
    known = {(w.account_id, w.id): w for w in _with_progress(tx, found)}
    return [known.get(one) or NotFound(f"there is no workflow {one[1]!r}") for one in asked]


def _with_outlooks(
    tx: Tx, asked: Sequence[tuple[int, str]]
) -> list[tuple[Workflow, Mapping[str, Outlook]] | HeddleError]:
    """Question: workflows, each with what awaits its jobs."""
    found = _some(tx, asked)
    outlooks = waiting.outlooks(tx, [w for w in found if isinstance(w, Workflow)], now())
    return [(w, _of(w, outlooks)) if isinstance(w, Workflow) else w for w in found]


def _of(workflow: Workflow, outlooks: Mapping[str, Outlook]) -> Mapping[str, Outlook]:
    return {job.id: outlooks[job.id] for step in workflow.steps for job in step.jobs if job.id in outlooks}


def _explained(tx: Tx, account_id: int, workflow_id: str, policy: Policy) -> tuple[Workflow, Mapping[str, Outlook]]:
    found = _one(tx, account_id, workflow_id)
    return found, waiting.explained(tx, found, now(), policy)


def _page(tx: Tx, account_id: int, wanted: QueryWorkflows) -> list[Workflow]:
    """One more than asked for, to know whether there is a next page."""
    ids = rows.query(tx, account_id, take=wanted.take + 1, before=wanted.cursor, tags=wanted.tags, status=wanted.status)
    return _with_progress(tx, rows.get(tx, ids))


def _preview(tx: Tx, account_id: int, workflow_id: str, job_id: str) -> LivePreview:
    workflow = _one(tx, account_id, workflow_id)
    job = next((job for step in workflow.steps for job in step.jobs if job.id == job_id), None)
    found = None if job is None else live_previews.get(tx, job)
    if found is None:
        raise NotFound(f"there is no preview of {job_id!r}: it does not run, or its engine has shown nothing yet")
    return found


def _with_progress(tx: Tx, found: list[Workflow]) -> list[Workflow]:
    """What is known of running jobs alone: how far they are, and what they show."""
    open_ones = [w for w in found if not w.status.terminal]
    done = queue.progress(tx, [w.id for w in open_ones])
    shown = live_previews.times(tx, open_ones)
    return [rows.with_progress(w, done, shown) for w in found] if done or shown else found


def _shown(request: Request, workflow: Workflow, outlooks: Mapping[str, Outlook] | None = None) -> dict[str, Any]:
    parts, url = deps(request), base_url(request)
    until = link_expiry(parts.settings)

    def link(artifact: Artifact) -> str:
        return parts.signer.url(url, artifact.blob_id, until)

    notes = {job_id: _queued(outlook) for job_id, outlook in (outlooks or {}).items()}
    return orchestration.workflow(workflow, link, outputs.of, notes | _previews(workflow, url))


def _previews(workflow: Workflow, url: str) -> dict[str, Any]:
    """Where the previews of running jobs are; the time in the address tells one from the one before."""
    base = f"{url}/v2/consumer/workflows/{workflow.id}/jobs"
    jobs = (job for step in workflow.steps for job in step.jobs)
    return {
        job.id: {"previewUrl": f"{base}/{job.id}/preview?at={int(job.previewed_at.timestamp() * 1000)}"}
        for job in jobs
        if job.previewed_at is not None
    }


def _queued(outlook: Outlook) -> dict[str, Any]:
    """What is said of a job that waits for a slot."""
    position = {
        "support": "available",
        "precedingJobs": outlook.before,
        "startAt": moment(outlook.start_at),
        "completeAt": moment(outlook.complete_at),
    }
    waits = {
        "earliestStart": moment(outlook.earliest),
        "latestStart": moment(outlook.latest),
        "slots": [{"slot": why.slot, "code": why.code, "text": why.text} for why in outlook.slots] or None,
    }
    return {"queuePosition": present(position), "heddle": {"waiting": present(waits)}}


def _check_callback(parts: Deps, url: str) -> None:
    check_url(url, allow_private=parts.settings.callbacks_private, https_only=True, path="callbackUrl")


def _look(tx: Tx, account_id: int, brought: Brought) -> Look:
    def facts_of(blob_id: str) -> Facts:
        stored = brought.facts(blob_id)
        return _facts(tx, account_id, blob_id) if stored is None else pricing.known(stored)

    return Look(
        find=lambda air: places.of_air(tx, air),
        facts_of=facts_of,
        first=lambda ecosystems, types: places.first(tx, ecosystems, types),
        room=lambda engine: queue.room(tx, engine, now()),
    )


def _facts(tx: Tx, account_id: int, blob_id: str) -> Facts:
    found = blobs.get(tx, [blob_id]).get(blob_id)
    if found is None or found.account_id != account_id:
        return Facts()
    if found.state != "stored":
        return Facts(mime=found.mime)
    return pricing.known(found)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest.of("Idempotency-Key", f"{key!r} is not 1 to 255 printable characters")
    return key


def _query(request: Request, *, repeated: set[str]) -> dict[str, Any]:
    """Query parameters; empty ones are absent, lists come repeated or comma-joined."""
    found: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if value == "":
            continue
        base.refuse_placeholder(name, value)
        if name in repeated:
            found.setdefault(name, []).extend(part for part in value.split(",") if part)
        else:
            found[name] = value
    return found
