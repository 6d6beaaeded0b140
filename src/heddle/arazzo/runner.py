"""The engine: walks a plan, one HTTP call after the other, and tells what it does as a stream of events.

Safety before speed of mind: where the document does not clearly say what comes next, the run stops as undecided and
never walks past a guard.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from heddle.arazzo.budgets import Budget, Clock, Options, Stopped, SystemClock
from heddle.arazzo.conditions import Undecidable
from heddle.arazzo.events import (
    ActionTaken,
    EndedBy,
    Event,
    LeniencyUsed,
    Result,
    RunEnded,
    RunStarted,
    Status,
    StepEnded,
    StepRecord,
    StepStarted,
    Uploaded,
    Waiting,
    Warned,
)
from heddle.arazzo.exchange import Answer, ExchangeError, Sender, Skipped
from heddle.arazzo.expressions import ABSENT, Call, Expression, Input, Message, Scope
from heddle.arazzo.frames import Attempt, Frame
from heddle.arazzo.guards import only_loops, passed_guard
from heddle.arazzo.masking import Secrets
from heddle.arazzo.plan import Plan, PlannedAction, PlannedStep, PlannedWorkflow
from heddle.arazzo.requests import Request, RequestError, build_request, secrets_of
from heddle.arazzo.templates import Template
from heddle.arazzo.transfers import TransferError, Upload, put
from heddle.errors import UsageError

MAX_DEPTH = 20


class Run:
    """One run of a plan. `events()` may be consumed once; the last event carries the result."""

    def __init__(
        self,
        plan: Plan,
        inputs: Mapping[str, Any],
        client: Sender,
        *,
        options: Options | None = None,
        secrets: Secrets | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._plan = plan
        self._client = client
        self._options = options or Options()
        self._budget = Budget(self._options, clock or SystemClock())
        self._secrets = secrets or Secrets()
        self._records: dict[str, StepRecord] = {}
        self._warnings: list[Warned] = []
        self._finished: dict[str, Mapping[str, Mapping[str, Any]]] = {}
        self._departures_told = 0
        self._warnings_told = 0
        self._calls = 0
        self._frame = Frame(plan.main, inputs, 0)
        _check_uploads(plan.main, self._options.uploads)

    async def events(self) -> AsyncIterator[Event]:
        """Run the plan to its end."""
        self._budget.start()
        plan = self._plan
        yield RunStarted(plan.main.id, plan.document.title, plan.servers())
        for event in self._news():
            yield event
        frame = self._frame
        stop: Stopped | None = None
        try:
            async for event in self._workflow(frame):
                yield event
        except Stopped as stopped:
            stop = stopped
        if stop is not None or frame.failure:
            self._collect_outputs(frame)  # what there is so far
        self._warn_of_unresolved(frame)
        for event in self._news():
            yield event
        if stop is not None:
            yield RunEnded(self._result(frame, stop.status, stop.reason, stop.ended_by))
        elif frame.failure:
            yield RunEnded(self._result(frame, Status.FAILED, frame.failure, frame.ended_by))
        else:
            status = Status.INCOMPLETE if frame.missing else Status.SUCCEEDED
            yield RunEnded(self._result(frame, status, "", frame.ended_by))

    def snapshot(self) -> Result:
        """How far the run got, for one that was interrupted."""
        self._collect_outputs(self._frame)
        return self._result(self._frame, Status.FAILED, "interrupted", None)

    # The walk through one Arazzo workflow

    async def _workflow(self, frame: Frame) -> AsyncIterator[Event]:
        """Run a frame to its end: its outputs, or its failure, are in the frame afterwards."""
        while True:
            async for event in self._dependencies(frame):
                yield event
            if not frame.failure:
                async for event in self._steps(frame):
                    yield event
            if frame.transfer is None or frame.failure:
                break
            self._enter(frame, frame.transfer, frame.handed)
        if not frame.failure:
            self._collect_outputs(frame)
            past = {"inputs": frame.inputs, "outputs": frame.outputs, "steps": frame.steps}
            self._finished[frame.workflow.key] = past

    async def _dependencies(self, frame: Frame) -> AsyncIterator[Event]:
        for name in frame.workflow.depends_on:
            if name in self._finished:
                continue
            inner = self._inner(frame, name, self._shared_inputs(name, frame.inputs))
            async for event in self._workflow(inner):
                yield event
            if inner.failure:
                frame.failure = (
                    f"the workflow {name!r}, on which {frame.workflow.id!r} depends, failed: {inner.failure}"
                )
                frame.ended_by = inner.ended_by
                return

    async def _steps(self, frame: Frame) -> AsyncIterator[Event]:
        at: int | None = 0
        while at is not None and at < len(frame.workflow.steps):
            step = frame.workflow.steps[at]
            attempt = self._attempt(frame)
            async for event in self._step(frame, step, attempt):
                yield event
            action = self._choose(frame, step, attempt)
            if action is None:
                async for event in self._without_action(frame, step, attempt):
                    yield event
                at = None if frame.failure else at + 1
                continue
            yield _taken(frame, step, action)
            pause = self._pause(frame, step, action, attempt)
            if pause is not None:
                yield pause
                await self._budget.rest(pause)
            if action.kind == "retry":
                async for event in self._before_retry(frame, action, attempt):
                    yield event
                at = None if frame.failure else at
            else:
                at = self._follow(frame, step, action, attempt)
        if frame.ended_by is None and frame.transfer is None:
            frame.ended_by = EndedBy(frame.workflow.steps[-1].id, None)

    def _follow(self, frame: Frame, step: PlannedStep, action: PlannedAction, attempt: Attempt) -> int | None:
        """Where `end` and `goto` lead: an index, or None when the walk is over."""
        if action.kind == "end":
            frame.ended_by = EndedBy(step.id, action.name, action.place())
            return None
        if action.workflow is not None:
            frame.transfer = action.workflow
            frame.handed = self._handed(frame, action, attempt)
            return None
        return action.step

    async def _without_action(self, frame: Frame, step: PlannedStep, attempt: Attempt) -> AsyncIterator[Event]:
        """No action matched: a failed step fails its workflow, a succeeded one goes on, unless that passes a guard."""
        if not attempt.ok:
            frame.failure = f"step {step.id!r} failed: {attempt.reason}"
            frame.ended_by = EndedBy(step.id, None, step.place())
            return
        frame.leave_loops(step)
        if not step.on_success:
            return
        problem = passed_guard(step, attempt.scope, len(frame.workflow.steps))
        if problem and not self._options.fall_through:
            raise Stopped(Status.UNDECIDED, problem, EndedBy(step.id, None, step.place()))
        if problem or not only_loops(step):
            self._warn(step.id, f"none of the onSuccess actions of {step.id!r} matched; going on with the next step")
        for event in self._news():
            yield event

    def _choose(self, frame: Frame, step: PlannedStep, attempt: Attempt) -> PlannedAction | None:
        """The first action whose criteria all hold."""
        for action in step.on_success if attempt.ok else step.on_failure:
            try:
                matches = all(criterion.holds(attempt.scope) for criterion in action.criteria)
            except Undecidable as error:
                raise Stopped(
                    Status.UNDECIDED,
                    f"the action {action.name!r} of step {step.id!r} cannot be decided: {error.message}",
                    EndedBy(step.id, action.name, action.place()),
                ) from error
            if matches and not frame.use_up(step, action):
                return action
        return None

    async def _before_retry(self, frame: Frame, action: PlannedAction, failed: Attempt) -> AsyncIterator[Event]:
        """A retry may name a step or an Arazzo workflow to run first."""
        if action.step is not None:
            step = frame.workflow.steps[action.step]
            attempt = self._attempt(frame)
            async for event in self._step(frame, step, attempt):
                yield event
            if not attempt.ok:
                frame.failure = f"step {step.id!r}, to be run before a retry, failed: {attempt.reason}"
        elif action.workflow is not None:
            try:
                inner = self._inner(frame, action.workflow, self._handed(frame, action, failed))
            except UsageError as error:
                frame.failure = error.message
                return
            async for event in self._workflow(inner):
                yield event
            frame.failure = inner.failure

    # One run of one step

    async def _step(self, frame: Frame, step: PlannedStep, attempt: Attempt) -> AsyncIterator[Event]:
        self._budget.spend(step)
        record = self._records.setdefault(step.id, StepRecord(step.id))
        record.runs += 1
        started = self._budget.now()
        attempt.reason = self._waits_for(frame, step)
        if attempt.reason:
            yield StepStarted(step.id, record.runs, "waits for another step")
        elif step.operation is not None:
            operation = step.operation
            yield StepStarted(step.id, record.runs, f"{operation.method} {operation.path}", frame.workflow.key)
            await self._call(frame, step, attempt)
        else:
            yield StepStarted(step.id, record.runs, f"workflow {step.workflow}", frame.workflow.key)
            async for event in self._nested(frame, step, attempt):
                yield event
        if attempt.ok:
            self._step_outputs(step, attempt)
            async for event in self._uploads(step, attempt):
                yield event
        if attempt.ok:
            frame.steps[step.id] = attempt.outputs
            frame.forget_retries(step)
        record.ok, record.code, record.reason = attempt.ok, attempt.code, attempt.reason
        record.outputs = attempt.outputs
        seconds = self._budget.now() - started
        record.seconds += seconds
        for event in self._news():
            yield event
        yield StepEnded(step.id, record.runs, attempt.ok, attempt.code, seconds, attempt.outputs, attempt.reason)

    def _waits_for(self, frame: Frame, step: PlannedStep) -> str:
        """Why a step cannot run: one that it depends on has not ended well. Empty when it can."""
        for workflow, name in step.depends_on:
            done = frame.steps if workflow is None else self._finished.get(workflow, {}).get("steps", {})
            if name not in done:
                of = f" of the workflow {workflow!r}" if workflow else ""
                return f"it depends on the step {name!r}{of}, which has not ended well before"
        return ""

    async def _call(self, frame: Frame, step: PlannedStep, attempt: Attempt) -> None:
        """Build, send, judge."""
        assert step.operation is not None
        leniency = self._plan.leniency
        try:
            request = build_request(step.operation, step.parameters, step.body, attempt.scope, leniency)
            self._note_absent(step, request.absent)
        except (RequestError, UsageError, Undecidable) as error:
            attempt.reason = error.message
            return
        self._secrets.add(*secrets_of(request))
        attempt.scope.call = Call(request.method, request.url, request.message)
        try:
            attempt.answer = await self._send(request, step.timeout)
        except Skipped as skipped:
            attempt.ok = True
            self._warn(step.id, skipped.message)
            return
        except ExchangeError as error:
            attempt.reason = error.message
            return
        answer = attempt.answer
        attempt.code = answer.status
        attempt.scope.call.status = answer.status
        attempt.scope.call.response = Message(answer.headers, body=answer.body())
        attempt.reason = _failure(step, attempt.scope, answer)
        attempt.ok = not attempt.reason

    async def _send(self, request: Request, limit: float | None) -> Answer:
        """`limit` is what the document grants the step; when that is up the step has failed, and the run goes on."""
        left = self._budget.left()
        own = limit is not None and limit < left
        self._calls += 1
        try:
            async with asyncio.timeout(limit if own else left):
                return await self._client.send(request)
        except TimeoutError as error:
            if own:
                raise ExchangeError(f"there was no answer within the {limit:g} s of its timeout") from error
            raise self._budget.out_of_time() from error

    async def _nested(self, frame: Frame, step: PlannedStep, attempt: Attempt) -> AsyncIterator[Event]:
        """A step that runs another Arazzo workflow of the document."""
        assert step.workflow is not None
        try:
            inner = self._inner(frame, step.workflow, _rendered(step.arguments, attempt.scope))
        except (UsageError, Undecidable) as error:
            attempt.reason = error.message
            return
        async for event in self._workflow(inner):
            yield event
        attempt.reason = inner.failure
        attempt.scope.outputs = inner.outputs
        try:
            if not attempt.reason and not all(one.holds(attempt.scope) for one in step.success_criteria):
                attempt.reason = "its successCriteria do not hold"
        except Undecidable as error:
            attempt.reason = error.message
        attempt.ok = not attempt.reason

    def _step_outputs(self, step: PlannedStep, attempt: Attempt) -> None:
        for name, template in step.outputs:
            absent: list[Expression] = []
            try:
                value = template.render(attempt.scope, absent)
            except Undecidable as error:
                attempt.ok, attempt.reason = False, f"the output {name!r} cannot be read: {error.message}"
                return
            if value is not ABSENT:
                attempt.outputs[name] = value
            elif not self._plan.leniency.allows("unresolved-output", step.place, f"{step.id}.{name}"):
                attempt.ok, attempt.reason = False, f"the output {name!r} did not resolve: {absent[0]}"

    async def _uploads(self, step: PlannedStep, attempt: Attempt) -> AsyncIterator[Event]:
        for upload in self._options.uploads:
            if upload.step != step.id or not attempt.ok:
                continue
            try:
                size = await put(self._client, attempt.outputs.get(upload.output), upload.file, _asked_headers(attempt))
                self._calls += 1
                yield Uploaded(step.id, upload.output, upload.file.path, size)
            except Skipped as skipped:
                self._warn(step.id, skipped.message)
            except (TransferError, UsageError) as error:
                attempt.ok, attempt.reason = False, error.message

    def _note_absent(self, step: PlannedStep, absent: Sequence[Expression]) -> None:
        """An absent optional input is a leniency; anything else that is absent deserves a warning."""
        for expression in absent:
            if isinstance(expression, Input):
                if not self._plan.leniency.allows("absent-input", step.place, str(expression)):
                    raise RequestError(f"{expression} has no value")
            else:
                self._warn(step.id, f"{expression} did not resolve and was left out of the request of {step.id!r}")

    # Budgets and pace

    def _pause(self, frame: Frame, step: PlannedStep, action: PlannedAction, attempt: Attempt) -> Waiting | None:
        """A jump back or a retry waits; the server's Retry-After overrules every other figure."""
        back = action.kind == "retry" or (
            action.kind == "goto" and action.step is not None and action.step <= step.index
        )
        if not back:
            frame.leave_loops(step)
            return None
        asked = attempt.answer.retry_after() if attempt.answer else None
        if asked is not None:
            return Waiting(step.id, asked, "the server asked for it")
        if action.retry_after is not None:
            return Waiting(step.id, action.retry_after, "the document asks for it")
        if not self._plan.leniency.allows("loop-pacing", action.place, action.name):
            return None
        key = step.index, step.index if action.step is None else action.step
        turns = frame.loops.get(key, 0)
        frame.loops[key] = turns + 1
        seconds = min(
            self._options.first_pause * self._options.pause_growth ** min(turns, 50), self._options.longest_pause
        )
        return Waiting(step.id, seconds, "between two rounds") if seconds > 0 else None

    # Frames, outputs, news

    def _attempt(self, frame: Frame) -> Attempt:
        return Attempt(
            Scope(
                inputs=frame.inputs,
                steps=frame.steps,
                workflows=self._finished_in(frame.workflow.file),
                sources=frame.workflow.sources,
                outputs=frame.outputs,
                self_uri=frame.workflow.self_uri,
            )
        )

    def _finished_in(self, file: str) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """What `$workflows` means in a document: those of its own that have ended."""
        workflows = self._plan.workflows
        return {workflows[key].id: past for key, past in self._finished.items() if workflows[key].file == file}

    def _inner(self, frame: Frame, name: str, inputs: Mapping[str, Any]) -> Frame:
        if frame.depth >= MAX_DEPTH:
            raise Stopped(Status.EXHAUSTED, f"Arazzo workflows run each other more than {MAX_DEPTH} levels deep")
        workflow = self._plan.workflows[name]
        return Frame(workflow, workflow.inputs.bind(inputs), frame.depth + 1)

    def _enter(self, frame: Frame, name: str, handed: Mapping[str, Any]) -> None:
        """A goto to another Arazzo workflow: control goes there and does not come back."""
        workflow = self._plan.workflows[name]
        try:
            frame.inputs = workflow.inputs.bind(handed)
        except UsageError as error:
            frame.failure = error.message
        frame.workflow, frame.transfer = workflow, None
        frame.steps, frame.loops, frame.retries = {}, {}, {}

    def _handed(self, frame: Frame, action: PlannedAction, attempt: Attempt) -> dict[str, Any]:
        """Inputs for the Arazzo workflow that an action leads to: its parameters, else those of the same names."""
        assert action.workflow is not None
        if action.arguments is None:
            return self._shared_inputs(action.workflow, frame.inputs)
        try:
            return _rendered(action.arguments, attempt.scope)
        except Undecidable as error:
            raise Stopped(Status.UNDECIDED, f"the parameters of {action.name!r}: {error.message}") from error

    def _shared_inputs(self, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        wanted = self._plan.workflows[name].inputs.names
        return {key: value for key, value in inputs.items() if key in wanted}

    def _collect_outputs(self, frame: Frame) -> None:
        scope = self._attempt(frame).scope
        missing: list[str] = []
        for name, template in frame.workflow.outputs:
            try:
                value = template.render(scope, [])
            except Undecidable as error:
                value = ABSENT
                self._warn(None, f"the output {name!r} cannot be read: {error.message}")
            if value is ABSENT:
                missing.append(name)
            else:
                frame.outputs[name] = value
        frame.missing = tuple(missing)

    def _warn(self, step: str | None, message: str) -> None:
        warning = Warned(step, message)
        if warning not in self._warnings:
            self._warnings.append(warning)

    def _warn_of_unresolved(self, frame: Frame) -> None:
        """At the end only: an output that a poll could not read yet is no news."""
        for step in frame.workflow.steps:
            outputs = frame.steps.get(step.id)
            lacking = [name for name, _ in step.outputs if outputs is not None and name not in outputs]
            if lacking:
                self._warn(step.id, f"outputs of {step.id!r} that did not resolve: {', '.join(lacking)}")

    def _news(self) -> list[Event]:
        """Leniencies and warnings since the last time."""
        used = self._plan.leniency.used
        events: list[Event] = []
        if len(used) > self._departures_told:
            events += [LeniencyUsed(departure) for departure in list(used.values())[self._departures_told :]]
            self._departures_told = len(used)
        if len(self._warnings) > self._warnings_told:
            events += self._warnings[self._warnings_told :]
            self._warnings_told = len(self._warnings)
        return events

    def _result(self, frame: Frame, status: Status, reason: str, ended_by: EndedBy | None) -> Result:
        declared = [name for name, _ in frame.workflow.outputs]
        finished = status in (Status.SUCCEEDED, Status.INCOMPLETE)
        return Result(
            status=status,
            workflow=self._plan.main.id,
            outputs={name: frame.outputs.get(name) for name in declared},
            missing=frame.missing if finished else tuple(name for name in declared if name not in frame.outputs),
            steps=tuple(self._records.values()),
            warnings=tuple(self._warnings),
            departures=tuple(self._plan.leniency.used.values()),
            calls=self._calls,
            seconds=self._budget.seconds(),
            ended_by=ended_by,
            reason=reason,
        )


def _rendered(arguments: Sequence[tuple[str, Template]], scope: Scope) -> dict[str, Any]:
    """Inputs for an Arazzo workflow; what is absent is left out."""
    rendered = ((name, template.render(scope, [])) for name, template in arguments)
    return {name: value for name, value in rendered if value is not ABSENT}


def _taken(frame: Frame, step: PlannedStep, action: PlannedAction) -> ActionTaken:
    target = action.workflow if action.step is None else frame.workflow.steps[action.step].id
    return ActionTaken(step.id, action.name, action.kind, target)


def _failure(step: PlannedStep, scope: Scope, answer: Answer) -> str:
    """Why the step failed; empty when it succeeded. Without criteria, a 2xx answer is a success."""
    if not step.success_criteria:
        return "" if 200 <= answer.status < 300 else f"the server answered {answer.status}{_said(answer)}"
    for criterion in step.success_criteria:
        try:
            holds = criterion.holds(scope)
        except Undecidable as error:
            return f"the criterion {criterion.text!r} cannot be decided: {error.message}"
        if not holds:
            return f"the criterion {criterion.text!r} does not hold: the server answered {answer.status}{_said(answer)}"
    return ""


def _said(answer: Answer) -> str:
    """The server's own words for a refusal."""
    body = answer.body()
    if answer.status < 400 or not isinstance(body, dict):
        return ""
    problem = cast("dict[str, Any]", body)
    words = next((problem[name] for name in ("message", "detail", "title", "error") if problem.get(name)), "")
    return f": {str(words)[:300]}" if words else ""


def _asked_headers(attempt: Attempt) -> Mapping[str, Any]:
    """The `headers` object that an answer with an upload URL may carry."""
    body = attempt.scope.call.response.body if attempt.scope.call else None
    headers = cast("dict[str, Any]", body).get("headers") if isinstance(body, dict) else None
    return cast("dict[str, Any]", headers) if isinstance(headers, dict) else {}


def _check_uploads(workflow: PlannedWorkflow, uploads: Sequence[Upload]) -> None:
    produced = [f"{step.id}.{name}" for step in workflow.steps for name, _ in step.outputs]
    for upload in uploads:
        if f"{upload.step}.{upload.output}" not in produced:
            raise UsageError(
                f"no step produces {upload.step}.{upload.output} to upload to", f"steps produce: {', '.join(produced)}"
            )
