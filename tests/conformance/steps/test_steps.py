"""What every step type and every engine that runs it here must do, asked of each that is registered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.smallest import SMALLEST, SOURCES

from heddle import registry
from heddle.contract.orchestration import WorkflowRequest
from heddle.domain import new_id, now
from heddle.engines import Engine, Made
from heddle.errors import InvalidRequest, JobCanceled
from heddle.fleet.contexts import Context
from heddle.fleet.made import checked
from heddle.fleet.messages import Message, Progress, Run
from heddle.settings import Settings
from heddle.steps import Facts, Plan, Result, StepType
from heddle.storage.disk import DiskStorage
from heddle.workflows.planning import Look, Planner

KINDS = {"image", "video", "audio", "blob", "text", "data"}
NAMES = sorted(registry.targets("steps"))
LOOK = Look(find=lambda _: None, facts_of=lambda _: Facts())


def step_type(name: str) -> StepType:
    return registry.get("steps", name)()


def engine_of(name: str) -> str | None:
    """The engine that this server takes by itself, without a model of the catalog."""
    for engine in registry.targets("engines"):
        made: Engine = registry.get("engines", engine)()
        if name in made.offer().step_types and not made.offer().loads and not made.missing():
            return engine
    return None


RUNNING = [name for name in NAMES if engine_of(name)]


def plan(name: str, **more: Any) -> Plan:
    return step_type(name).plan({**SMALLEST[name], **more}, lambda _: Facts())


def problems(name: str, **more: Any) -> dict[str, list[str]] | None:
    """The bad fields; None when there are none."""
    try:
        plan(name, **more)
    except InvalidRequest as error:
        return dict(error.fields)
    return None


def payload(name: str, **more: Any) -> tuple[str, dict[str, Any], list[str]]:
    """The engine, its payload as it would get it, and the sources."""
    request = WorkflowRequest.model_validate({"steps": [{"$type": name, "input": {**SMALLEST[name], **more}}]})
    draft = Planner(Settings()).plan(request, account_id=1, look=LOOK, at=now())
    [job, *_] = draft.new.workflow.steps[0].jobs
    return job.engine, msgspec.json.decode(msgspec.json.encode(job.payload)), list(draft.new.inputs[job.id])


def test_every_step_type_has_a_smallest_input() -> None:
    assert sorted(SMALLEST) == NAMES


# ── step types ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", NAMES)
def test_it_describes_itself(name: str) -> None:
    kind = step_type(name)
    schema = kind.model.model_json_schema(by_alias=True)
    assert schema["properties"], name
    described = [p for p in schema["properties"].values() if p.get("description")]
    assert len(described) >= len(schema["properties"]) / 2
    assert set(kind.gives.values()) <= KINDS
    assert kind.gives
    for pattern, media in kind.media.items():
        first = pattern.partition(".")[0].removesuffix("[*]")
        assert media
        assert first in _names(schema), f"{pattern!r} names no field of {name}"


def _names(schema: dict[str, Any]) -> set[str]:
    return set(schema["properties"]) | set(schema.get("x-aliases", ()))


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_is_plain_and_the_same_each_time(name: str) -> None:
    made = plan(name)
    assert made.payloads
    text = json.dumps(made.payloads, sort_keys=True)
    assert json.dumps(plan(name).payloads, sort_keys=True) == text
    assert {s.blob_id for s in made.sources} == {b for b in SOURCES if b in text} | {
        s.blob_id for s in made.sources if s.blob_id not in SOURCES
    }
    assert all(s.blob_id in text for s in made.sources), "a source that no payload names cannot be read"


@pytest.mark.parametrize("name", NAMES)
def test_members_that_it_does_not_know_are_ignored(name: str) -> None:
    assert plan(name, somethingNew={"a": [1]}).payloads == plan(name).payloads


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", [[], {"a": 1}, True, 10**30, "x" * 3_000_000])
def test_a_wrong_value_is_refused_or_ignored_and_never_a_crash(name: str, wrong: Any) -> None:
    for field in SMALLEST[name]:
        fields = problems(name, **{field: wrong})
        assert fields is None or fields, field


@pytest.mark.parametrize("name", NAMES)
def test_a_token_is_passed_on_unread(name: str) -> None:
    """Another step's output goes wherever a text or a medium goes."""
    token = "\ufdd00:output.text\ufdd1"
    for field, value in SMALLEST[name].items():
        if field in {"engine", "language", "voice"}:
            continue
        if (isinstance(value, str) and value in SOURCES) or (isinstance(value, str) and " " in value):
            given = token
        elif isinstance(value, list) and value and value[0] in SOURCES:
            given = [token]
        else:
            continue
        made = plan(name, **{field: given})
        assert token in json.dumps(made.payloads, ensure_ascii=False), field


# ── engines ───────────────────────────────────────────────────────────────────


class Stage:
    """A place to run an engine in, as a worker does."""

    def __init__(self, folder: Path) -> None:
        self.storage = DiskStorage({"root": str(folder)})
        self.said: list[Message] = []
        self.canceled_after: int | None = None

    def run(self, name: str, **more: Any) -> list[Made]:
        engine, given, inputs = payload(name, **more)
        keys = {blob_id: f"uploads/{i}" for i, blob_id in enumerate(inputs)}
        for blob_id, key in keys.items():
            self.storage.write(key, [SOURCES[blob_id]()])
        run = Run(job_id=new_id("job"), attempt=1, engine=engine, payload=given, inputs=keys)
        context = Context(run, self.storage, self._hear)
        self._context = context
        made = registry.get("engines", engine)().run(given, context)
        try:
            return list(made)
        finally:
            context.flush()

    def _hear(self, message: Message) -> None:
        self.said.append(message)
        if self.canceled_after is not None and len(self.said) > self.canceled_after:
            self._context.canceled = True


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture(scope="module")
def made_by(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Made]]:
    """What the engine of each type makes of its smallest input, once."""
    known: dict[str, list[Made]] = {}

    def made(name: str) -> list[Made]:
        if name not in known:
            known[name] = Stage(tmp_path_factory.mktemp(name)).run(name)
        return known[name]

    return made


@pytest.mark.parametrize("name", RUNNING)
def test_an_engine_offers_what_it_is_chosen_for(name: str) -> None:
    engine, given, _ = payload(name)
    made: Engine = registry.get("engines", engine)()
    offer = made.offer()
    assert offer == registry.get("engines", engine)().offer()
    assert plan(name).operation in offer.operations
    assert made.price(given) == made.price(given) > 0


@pytest.mark.parametrize("name", RUNNING)
def test_what_it_makes_is_kept_as_it_is(name: str, made_by: Callable[[str], list[Made]]) -> None:
    made = made_by(name)
    assert made
    for one in made:
        checked(one)
    assert sum(not one.role for one in made) >= 1, "something is the thing that was asked for"


@pytest.mark.parametrize("name", RUNNING)
def test_the_same_payload_makes_the_same(name: str, stage: Stage, made_by: Callable[[str], list[Made]]) -> None:
    again = stage.run(name)
    assert [one.mime for one in again] == [one.mime for one in made_by(name)]
    assert [one.data for one in again] == [one.data for one in made_by(name)]


@pytest.mark.parametrize("name", RUNNING)
def test_it_says_how_far_it_is(name: str, stage: Stage) -> None:
    stage.run(name)
    told = [m.fraction for m in stage.said if isinstance(m, Progress)]
    assert told == sorted(told)
    assert told[-1] > 0


@pytest.mark.parametrize("name", RUNNING)
def test_a_cancel_comes_through(name: str, stage: Stage) -> None:
    stage.canceled_after = 0
    with pytest.raises(JobCanceled):
        stage.run(name)


@pytest.mark.parametrize("name", RUNNING)
def test_the_output_has_what_the_type_gives(name: str, made_by: Callable[[str], list[Made]]) -> None:
    kind = step_type(name)
    results = [
        Result(job=0, role=m.role, blob={"id": f"blob_{i}", "mimeType": m.mime}, output=m.output)
        for i, m in enumerate(made_by(name))
    ]
    shown = kind.output(results)
    json.dumps(shown)
    assert set(kind.gives) & set(shown), f"{sorted(shown)} has nothing of {sorted(kind.gives)}"
    for member, what in kind.gives.items():
        if what == "text" and member in shown:
            assert isinstance(shown[member], str)
