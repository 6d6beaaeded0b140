"""One job, run by the other server as one workflow with one step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, cast

from heddle import media
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.orchestrator import HOPS, NAME, hops_of, results
from heddle.engines.orchestrator.options import Options
from heddle.engines.orchestrator.there import There
from heddle.errors import EngineFailed, JobCanceled, JobError
from heddle.studio import remote

_TICK_S = 0.2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.3, 3.0

_BAD_ENDS = frozenset({"failed", "expired", "canceled"})

#: Reasons that mean here what they mean there. All others say something of workers that are not ours.
_SAME = frozenset({"input_missing", "media_unreadable", "media_limit", "media_failed", "bad_output", "no_output"})


class Forward:
    """The work of one job."""

    def __init__(self, payload: JSON, context: JobContext, options: Options) -> None:
        self._payload = payload
        self._context = context
        self._options = options
        self._fraction = 0.0
        self._note = "asking"
        self._tag = f"heddle-job:{context.job_id}"

    def made(self) -> Iterator[Made]:
        """What the step gave there."""
        self._tick()
        with There(self._options) as there:
            workflow = self._workflow(there)
            workflow_id = str(workflow["id"])
            try:
                ended = self._ended(there, workflow)
            except JobCanceled:
                with suppress(JobError):
                    there.cancel(workflow_id)
                raise
            step = results.step_of(ended)
            if ended.get("status") != "succeeded":
                raise _failure(ended, step)
            told = {"engine": NAME, "workflow": workflow_id}
            yield from results.made(
                step, lambda url: there.file(url, self._tick), told, self._payload["asked"].get("media", ())
            )

    def _tick(self) -> None:
        self._context.progress(self._fraction, self._note)

    # ── submit ──

    def _workflow(self, there: There) -> Mapping[str, Any]:
        """The one that an earlier attempt submitted, where there is one that did not end badly; else a new one.

        A job has one workflow at a time there, so it is paid for once: those that ended badly were paid back.
        """
        for _ in range(2):
            before = there.tagged(self._tag)
            good = next((one for one in before if one.get("status") not in _BAD_ENDS), None)
            if good is not None:
                return good
            found = there.submit(self._request(there), f"heddle-{self._context.job_id}-{len(before)}")
            if found is not None and isinstance(found.get("id"), str):
                return found
        raise remote.away("the other server knows the job, and does not show its workflow")

    def _request(self, there: There) -> dict[str, Any]:
        asked = cast("Mapping[str, Any]", self._payload["asked"])
        uploaded: dict[str, str] = {}
        for blob_id in asked["blobs"]:
            if blob_id not in uploaded:
                data = self._context.read(blob_id)
                uploaded[blob_id] = there.upload(data, _sniffed(data))
                self._tick()
        given = cast("dict[str, Any]", _replaced(asked["input"], uploaded))
        if given.get("engine") == NAME:
            del given["engine"]
        if "quantity" in given:
            given["quantity"] = 1
        if "seed" in self._payload:
            given["seed"] = self._payload["seed"]
        given[HOPS] = hops_of(self._payload) + 1
        return {
            "steps": [{"$type": asked["type"], "name": "job", "input": given}],
            "tags": ["heddle-overflow", self._tag],
        }

    # ── wait ──

    def _ended(self, there: There, workflow: Mapping[str, Any]) -> Mapping[str, Any]:
        """As it is at last. Retryable when the server is away for too long: the next attempt finds it again."""
        heard, pause = time.monotonic(), _FIRST_PAUSE_S
        while workflow.get("status") not in {"succeeded", *_BAD_ENDS}:
            self._show(workflow)
            self._wait(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 1.4)
            try:
                workflow = there.workflow(str(workflow["id"]))
                heard = time.monotonic()
            except JobError as error:
                if not error.retryable or time.monotonic() - heard > self._options.silence_s:
                    raise
        return workflow

    def _show(self, workflow: Mapping[str, Any]) -> None:
        rates = [remote.members(job).get("estimatedProgressRate") for job in results.jobs_of(results.step_of(workflow))]
        known = next((rate for rate in rates if isinstance(rate, int | float)), 0.0)
        self._fraction = max(self._fraction, min(0.95, known))
        self._note = f"there: {remote.short(workflow.get('status', 'unknown'))}"

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._tick()
            time.sleep(min(_TICK_S, left))
        self._tick()


def _sniffed(data: bytes) -> str:
    return next(iter(media.sniff(data[:4096])), "application/octet-stream")


def _replaced(value: Any, ids: Mapping[str, str]) -> Any:
    """With the blob ids of the other server."""
    if isinstance(value, Mapping):
        return {name: _replaced(item, ids) for name, item in cast("JSON", value).items()}
    if isinstance(value, list):
        return [_replaced(item, ids) for item in cast("list[Any]", value)]
    return ids.get(value, value) if isinstance(value, str) else value


def _failure(workflow: Mapping[str, Any], step: Mapping[str, Any]) -> JobError:
    """Why it did not succeed there."""
    job = next((one for one in results.jobs_of(step) if one.get("message") or one.get("reason")), dict[str, Any]())
    reason = str(job.get("reason") or workflow.get("reason") or workflow.get("status"))
    said = remote.short(job.get("message") or workflow.get("message") or "it does not say why")
    message = f"the other server ended it as {workflow.get('status')} ({remote.short(reason)}): {said}"
    return JobError(message, reason=reason) if reason in _SAME else EngineFailed(message)
