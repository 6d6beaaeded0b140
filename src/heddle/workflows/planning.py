"""Plan a request without touching anything: which engine runs each step, what its jobs are, what they cost.

Feasibility is decided here, at submit, from what the engines say of themselves; a step that nothing can run is
refused with every reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from heddle import registry, steps
from heddle.blobs import Stored
from heddle.contract.orchestration import StepRequest, WorkflowRequest
from heddle.domain import JSON, Callback, Job, Needs, Status, Step, Workflow, new_id
from heddle.engines import Checker, Engine, Fitter, Loader, Offer, Selective
from heddle.errors import InvalidRequest
from heddle.queue import Room
from heddle.settings import Settings
from heddle.steps import Facts, FactsOf, Plan, Source, StepType
from heddle.workflows import models, pricing, references
from heddle.workflows.models import Absent, Find, First, Foreign, Models
from heddle.workflows.references import Bound, Reference, is_token, readable
from heddle.workflows.rows import NewWorkflow


def _unknown(_engine: str) -> Room | None:
    """The slots of those who know of none."""
    return None


@dataclass(frozen=True, slots=True)
class Look:
    """What planning may look up."""

    find: Find
    facts_of: FactsOf
    first: First = models.none
    #: What the slots have for an engine; None: nobody knows.
    room: Callable[[str], Room | None] = _unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A planned workflow; statuses are settled when its sources are looked at, inside the transaction."""

    new: NewWorkflow
    sources: Sequence[tuple[int, Source]]
    #: Sources that came with the request: their bytes are in storage, and they are recorded with the workflow.
    stored: Sequence[Stored] = ()


@dataclass(frozen=True, slots=True)
class _Ready:
    name: str
    engine: Engine
    offer: Offer
    missing: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A step about to be planned."""

    index: int
    request: StepRequest
    bound: Bound
    look: Look


@dataclass(frozen=True, slots=True)
class _Chosen:
    """An engine for a step, the family it stands in for, if it does, and the models that the step names."""

    ready: _Ready
    models: Models
    stands_in_for: str | None = None


@dataclass(frozen=True, slots=True)
class _Taken:
    """What an engine was found to take of a step: all of it."""

    engine: _Ready
    plan: Plan
    payloads: Sequence[dict[str, Any]]
    needs: Sequence[Needs | None]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of sources: what a blob is, and what another step that is to make one was planned for."""

    look: FactsOf
    references: Sequence[Reference]
    planned: Mapping[int, tuple[Step, Plan]]
    #: The kind of what each reference gives.
    gives: Sequence[str]

    def of(self, source: str) -> Facts:
        pairs = zip(self.references, self.gives, strict=True)
        reference, kind = next(((r, kind) for r, kind in pairs if r.token == source), (None, ""))
        if reference is None:
            return self.look(source)
        mime = f"{kind}/*" if kind in {"image", "video", "audio"} else None
        if reference.step not in self.planned:
            return Facts(mime=mime)
        payloads = self.planned[reference.step][1].payloads
        return Facts(
            mime=mime,
            width=_agreed(payloads, "width"),
            height=_agreed(payloads, "height"),
            duration_ms=_agreed(payloads, "durationMs"),
            fps=_agreed(payloads, "fps"),
        )


def _agreed(payloads: Sequence[JSON], name: str) -> Any:
    """What all jobs of a step were planned for; None where they differ: a reference may be to any one's result."""
    first = payloads[0].get(name)
    return first if all(payload.get(name) == first for payload in payloads) else None


class Planner:
    """Holds one instance of every step type and engine; they plan and price, and never run, in this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._types: dict[str, StepType] = {
            name: registry.load(target)() for name, target in registry.targets("steps").items()
        }
        self._engines = [_ready(name) for name in registry.targets("engines")]

    @property
    def media(self) -> dict[str, Mapping[str, tuple[str, ...]]]:
        """The fields of each step type that hold source media."""
        return {name: kind.media for name, kind in self._types.items()}

    def plan(
        self,
        request: WorkflowRequest,
        *,
        account_id: int,
        look: Look,
        at: datetime,
        key: str | None = None,
        request_hash: str | None = None,
    ) -> Draft:
        """A request as a workflow. Raises InvalidRequest with every bad field of every step."""
        workflow_id = new_id("wf")
        planned = self._plan_steps(workflow_id, request, look)
        made = [step for step, _ in planned]
        workflow = Workflow(
            id=workflow_id,
            account_id=account_id,
            status=Status.UNASSIGNED,
            tags=list(dict.fromkeys(request.tags)),
            callbacks=_callbacks(request),
            cost=sum(job.cost for step in made for job in step.jobs),
            created_at=at,
            steps=made,
        )
        sources = [
            (step.index, source) for step, plan in planned for source in plan.sources if not is_token(source.blob_id)
        ]
        inputs = {job.id: [source.blob_id for source in plan.sources] for step, plan in planned for job in step.jobs}
        return Draft(
            new=NewWorkflow(workflow=workflow, idempotency_key=key, request_hash=request_hash, inputs=inputs),
            sources=sources,
        )

    def _plan_steps(self, workflow_id: str, request: WorkflowRequest, look: Look) -> list[tuple[Step, Plan]]:
        """In an order in which what a step refers to is planned before it; returned in the order of the request."""
        bound = references.bind(request)
        planned: dict[int, tuple[Step, Plan]] = {}
        problems: dict[str, list[str]] = {}
        for index in references.order(bound):
            try:
                gives = [self._given(reference, request.steps) for reference in bound[index].references]
                facts = _Facts(look.facts_of, bound[index].references, planned, gives)
                wanted = _Wanted(index, request.steps[index], bound[index], replace(look, facts_of=facts.of))
                step, plan = self._plan_step(workflow_id, wanted)
                _check_uses(wanted, plan, gives)
                planned[index] = step, plan
            except InvalidRequest as error:
                problems.update({path: [readable(m) for m in messages] for path, messages in error.fields.items()})
        if problems:
            first = min(problems, key=_place)
            more = f" (and {len(problems) - 1} more fields)" if len(problems) > 1 else ""
            raise InvalidRequest(f"{first}: {problems[first][0]}{more}", problems)
        return [planned[index] for index in range(len(request.steps))]

    def _given(self, reference: Reference, requests: Sequence[StepRequest]) -> str:
        """The kind of what a reference is to. Raises InvalidRequest when the step gives no such thing."""
        name = requests[reference.step].type
        gives = self._type(name, f"steps[{reference.step}].$type").gives
        if reference.member not in gives:
            members = ", ".join(f"output.{member}" for member in gives)
            raise InvalidRequest.of(reference.at, f"{reference.path!r} is nothing that {name} gives: {members}")
        return gives[reference.member]

    def _plan_step(self, workflow_id: str, wanted: _Wanted) -> tuple[Step, Plan]:
        index, request = wanted.index, wanted.request
        kind = self._type(request.type, f"steps[{index}].$type")
        with _Under(f"steps[{index}].input"):
            taken = self._taken(wanted, kind)
        plan, payloads = taken.plan, taken.payloads
        costs = pricing.costs(kind, taken.engine.engine, payloads, wanted.look.facts_of)
        jobs = [
            Job(
                id=new_id("job"),
                workflow_id=workflow_id,
                step=index,
                index=i,
                status=Status.UNASSIGNED,
                engine=taken.engine.name,
                payload=payload,
                cost=cost,
                needs=need,
            )
            for i, (payload, cost, need) in enumerate(zip(payloads, costs, taken.needs, strict=True))
        ]
        step = Step(
            workflow_id=workflow_id,
            index=index,
            name=request.name if request.name is not None else str(index),
            type=request.type,
            status=Status.UNASSIGNED,
            priority=request.priority,
            input=request.input,
            timeout_s=request.timeout or max(self._settings.step_timeout_s, plan.timeout_s),
            follows=wanted.bound.follows,
            jobs=jobs,
        )
        return step, plan

    def _taken(self, wanted: _Wanted, kind: StepType) -> _Taken:
        """By the engine that is named, else by the first that refuses nothing and suits, if one does."""
        type_name, look = wanted.request.type, wanted.look
        able = [e for e in self._engines if type_name in e.offer.step_types]
        plan = kind.plan(wanted.bound.input, look.facts_of)
        if plan.family is not None:
            return _take(wanted, kind, plan, self._choose(type_name, kind, plan, look))

        def unasked(ready: _Ready) -> _Taken:
            own = _own(wanted, kind, plan, ready)
            return _take(wanted, kind, own, _Chosen(ready, _models(own, ready, look)))

        refusals: list[InvalidRequest] = []
        unsuited: _Taken | None = None
        for ready in _unasked(able, type_name):
            try:
                taken = unasked(ready)
            except InvalidRequest as error:
                refusals.append(error)
                continue
            if _suits(taken):
                return taken
            unsuited = unsuited or taken
        if unsuited is not None:
            return unsuited
        # The last one takes the most, so what it says against a step is what there is to be mended; unless it is only
        # that the models which were named are another's.
        raise next((error for error in reversed(refusals) if not isinstance(error, Absent | Foreign)), refusals[-1])

    def _type(self, name: str, path: str) -> StepType:
        if name in self._types:
            return self._types[name]
        here = ", ".join(sorted(self._types))
        if name in steps.NAMES:
            raise InvalidRequest.of(path, f"{name!r} cannot run on this server, which has: {here}")
        raise InvalidRequest.of(path, f"{name!r} is not one of: {', '.join(steps.NAMES)}")

    def _choose(self, type_name: str, kind: StepType, plan: Plan, look: Look) -> _Chosen:
        """For a plan that names its family."""
        assert plan.family is not None
        able = [e for e in self._engines if type_name in e.offer.step_types]
        named = [e for e in able if plan.family in e.offer.families or plan.family == e.name]
        lacking: dict[str, Absent] = {}
        for engine in named:
            if not engine.missing:
                try:
                    return _Chosen(engine, _models(plan, engine, look))
                except Absent as error:
                    lacking[engine.name] = error
        if not named and plan.family not in kind.families:
            names = sorted({f for e in able for f in e.offer.families} | set(kind.families))
            raise InvalidRequest.of("engine", f"{plan.family!r} is not one of: {', '.join(names)}")
        if plan.refusal is not None:
            raise plan.refusal
        stand_ins = [e for e in able if e.offer.stand_in and not e.missing]
        if self._settings.stand_in and stand_ins:
            # It loads no models, so it takes any that are named.
            return _Chosen(stand_ins[0], Models(), plan.family)
        for error in lacking.values():
            if error.named:
                raise error
        path, name = plan.asked or ("engine", plan.family)
        raise InvalidRequest.of(path, _why_not(name, named, lacking, stand_ins))


class _Under:
    """Put a path in front of the paths of InvalidRequest."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, InvalidRequest):
            fields = {
                self._prefix if name == "body" else f"{self._prefix}.{name}": messages
                for name, messages in error.fields.items()
            }
            raise InvalidRequest(error.message, fields) from error


def _ready(name: str) -> _Ready:
    engine: Engine = registry.engine(name)
    return _Ready(name, engine, engine.offer(), engine.missing())


def _unasked(able: Sequence[_Ready], type_name: str) -> list[_Ready]:
    """Those that may run what names no engine, at least one, in the order in which they are asked."""
    ready = [engine for engine in able if not engine.missing and not engine.offer.preview]
    if ready:
        # Behind the first one, none that lacks a model which nobody named, or that sends the step away from here.
        return [ready[0], *(e for e in ready[1:] if not e.offer.loads and not e.offer.elsewhere)]
    why = {e.name: ", ".join(e.missing) or "it is a preview, which runs only where it is named" for e in able}
    reasons = "; ".join(f"{name}: {reason}" for name, reason in why.items()) or "none is installed"
    raise InvalidRequest.of("engine", f"no engine can run {type_name} here: {reasons}")


def _suits(taken: _Taken) -> bool:
    """Whether the engine should have it unasked. Jobs differ in their seeds, so one is asked about."""
    engine = taken.engine.engine
    return engine.suits(taken.payloads[0]) if isinstance(engine, Selective) else True


def _own(wanted: _Wanted, kind: StepType, plan: Plan, ready: _Ready) -> Plan:
    """A step that names no engine as one for this one: with the usual size, steps, ... of its family."""
    # What stands in for every family is planned as the step by itself would have it.
    if ready.name not in kind.families or ready.offer.stand_in:
        return plan
    return kind.plan({**wanted.bound.input, "engine": ready.name}, wanted.look.facts_of)


def _take(wanted: _Wanted, kind: StepType, plan: Plan, chosen: _Chosen) -> _Taken:
    """Raises InvalidRequest with what the engine refuses of the plan."""
    ready = chosen.ready
    _check(plan, ready.offer)
    payloads = [_payload(payload, chosen) for payload in plan.payloads]
    if ready.offer.forwards:
        payloads = [payload | {"asked": _asked(wanted, plan, kind)} for payload in payloads]
    _check_can(ready.engine, payloads)
    room = wanted.look.room(ready.name) if ready.offer.device or isinstance(ready.engine, Loader) else None
    needs = [_needs(ready.engine, payload, room) for payload in payloads]
    _check_room(ready, max((n.memory_mb for n in needs if n is not None), default=0), room)
    return _Taken(ready, plan, payloads, needs)


def _models(plan: Plan, ready: _Ready, look: Look) -> Models:
    return models.resolve(plan, ready.engine, ready.name, look.find, look.first)


def _why_not(family: str, named: Sequence[_Ready], lacking: Mapping[str, Absent], stand_ins: Sequence[_Ready]) -> str:
    reasons = [f"{e.name}: {reason}" for e in named for reason in e.missing]
    reasons += [f"{name}: {error.why}" for name, error in lacking.items()]
    reasons = reasons or ["no engine for it is installed"]
    other = ""
    if stand_ins:
        name = stand_ins[0].name
        other = f"; set `engine` to {name!r}, or start the server with HEDDLE_STAND_IN=on to let {name} stand in for it"
    return f"{family!r} cannot run here ({'; '.join(reasons)}){other}"


def _check_uses(wanted: _Wanted, plan: Plan, gives: Sequence[str]) -> None:
    """A picture goes where a picture is wanted, and nothing else does."""
    taken = {source.blob_id: source for source in plan.sources}
    used = set(references.tokens(list(plan.payloads)))
    for reference, kind in zip(wanted.bound.references, gives, strict=True):
        source = taken.get(reference.token)
        if source is not None and not references.fits(kind, source.media):
            raise InvalidRequest.of(reference.at, f"gives {kind}, and this must be {' or '.join(source.media)}")
        if source is None and reference.token in used and kind in {"image", "video", "audio"}:
            raise InvalidRequest.of(reference.at, f"gives {kind}, and this takes text")


def _place(path: str) -> int:
    """Which step a field belongs to."""
    return int(path.partition("[")[2].partition("]")[0] or 0)


def _check(plan: Plan, offer: Offer) -> None:
    if plan.operation not in offer.operations:
        path = "mask" if plan.operation == "inpaint" else "images"
        raise InvalidRequest.of(
            path, f"this engine cannot {plan.operation}; it can {', '.join(sorted(offer.operations))}"
        )
    low, high = offer.sides
    for name in ("width", "height"):
        side = plan.payloads[0].get(name)
        if side is not None and not low <= side <= high:
            raise InvalidRequest.of(name, f"{side} is outside this engine's {low} to {high} pixels")
    sampler = plan.payloads[0].get("sampler")
    if offer.samplers and sampler is not None and sampler not in offer.samplers:
        raise InvalidRequest.of("sampler", f"{sampler!r} is not one of: {', '.join(sorted(offer.samplers))}")


def _check_can(engine: Engine, payloads: Sequence[JSON]) -> None:
    """What the engine says against jobs. They differ in their seeds, so one is asked about."""
    problems = engine.problems(payloads[0]) if isinstance(engine, Checker) else dict[str, str]()
    if problems:
        first, message = next(iter(problems.items()))
        raise InvalidRequest(f"{first}: {message}", {name: [text] for name, text in problems.items()})


def _needs(engine: Engine, payload: JSON, room: Room | None) -> Needs | None:
    """What the largest slot will have to hold for a job."""
    if isinstance(engine, Fitter) and room is not None and room.memory_mb is not None:
        return engine.fit(payload, room.memory_mb)
    return engine.needs(payload) if isinstance(engine, Loader) else None


def _check_room(ready: _Ready, memory_mb: int, room: Room | None) -> None:
    """What no slot can ever run would wait until it expires. Engines that fit everywhere are not asked about."""
    if not (ready.offer.device or memory_mb):
        return
    if room is not None and ready.offer.device and not room.able:
        raise InvalidRequest.of("engine", f"no slot of this server's fleet runs {ready.name!r}")
    if room is not None and room.able and room.memory_mb is not None and memory_mb > room.memory_mb:
        raise InvalidRequest.of(
            "model",
            f"the model takes {memory_mb} MB, and the largest slot for {ready.name!r} has {room.memory_mb} MB; it needs"
            " a larger device, or the option `offload` where the engine has it",
        )


def _payload(payload: Mapping[str, Any], chosen: _Chosen) -> dict[str, Any]:
    """What the engine gets: the family by name, models by the AIR that the catalog has, and where those lie."""
    ready, known = chosen.ready, chosen.models
    made: dict[str, Any] = {**payload, "family": payload.get("family") or ready.name}
    if "model" in made:
        made["model"] = known.air(made["model"])
    elif known.default is not None:
        made["model"] = known.default.air
    if "networks" in made:
        networks: list[dict[str, Any]] = made["networks"]
        made["networks"] = [n | {"air": known.air(n["air"])} for n in networks]
    if "vae" in made:
        made["vae"] = known.air(made["vae"])
    if "controlNets" in made:
        controls: list[dict[str, Any]] = made["controlNets"]
        made["controlNets"] = [c | {"model": known.air(c["model"])} for c in controls]
    if "continueFrom" in made:
        made["continueFrom"] = known.air(made["continueFrom"])
    if ready.offer.loads or ready.offer.adds:
        made["weights"] = known.weights()
    if chosen.stands_in_for:
        made["standInFor"] = chosen.stands_in_for
    return made


def _asked(wanted: _Wanted, plan: Plan, kind: StepType) -> dict[str, Any]:
    """The step as it was asked for, with blob ids where its sources are, and which members of its output are blobs."""
    blobs = [source.blob_id for source in plan.sources]
    media = [name for name, given in kind.gives.items() if given not in {"text", "data"}]
    return {"type": wanted.request.type, "input": wanted.bound.input, "blobs": blobs, "media": media}


def _callbacks(request: WorkflowRequest) -> list[Callback]:
    if request.callback_url is None:
        return []
    events = frozenset[str](request.callback_events) or frozenset({"workflow:*"})
    return [Callback(url=request.callback_url, events=events, detailed=request.detailed)]
