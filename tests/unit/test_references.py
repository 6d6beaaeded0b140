"""References between steps: what is refused at submit, what is filled in, and what becomes of those who follow."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.drafts import draft, slots

from heddle import blobs, ledger, queue
from heddle.contract.orchestration import WorkflowRequest
from heddle.db import Database
from heddle.domain import Artifact, Status, Workflow, new_id, now
from heddle.errors import InvalidRequest
from heddle.settings import Settings
from heddle.steps import Facts
from heddle.workflows import advance, amend, audit, references, rows, submit
from heddle.workflows.advance import Attempt, Failure
from heddle.workflows.planning import Draft, Look, Planner
from heddle.workflows.references import Resolver, Unresolved

PNG = Artifact(blob_id="blob_x", key="k", mime="image/png", size=1, sha256="0")


def request(*steps: dict[str, Any], **more: Any) -> WorkflowRequest:
    typed = [
        {"$type": "imageGen", **step} if "input" in step else {"$type": "imageGen", "input": step} for step in steps
    ]
    return WorkflowRequest.model_validate({"steps": typed, **more})


def plan(*steps: dict[str, Any], **more: Any) -> Draft:
    look = Look(find=lambda _: None, facts_of=lambda _: Facts())
    return Planner(Settings()).plan(request(*steps, **more), account_id=1, look=look, at=now())


def picture(step: str = "0", path: str = "output.images[0].url") -> dict[str, str]:
    return {"$ref": step, "path": path}


# ── at submit ─────────────────────────────────────────────────────────────────


def test_a_step_follows_those_that_it_refers_to() -> None:
    workflow = plan(
        {"name": "fox", "input": {"engine": "sketch", "prompt": "a fox"}},
        {"engine": "sketch", "prompt": "a fox in snow", "images": [picture("fox")]},
        {"engine": "sketch", "prompt": "again", "images": [picture("$1")]},
    ).new.workflow
    assert [list(step.follows) for step in workflow.steps] == [[], [0], [1]]
    assert workflow.cost == sum(job.cost for step in workflow.steps for job in step.jobs) == 6


def test_a_step_may_stand_before_the_one_that_it_follows() -> None:
    second = {"engine": "sketch", "prompt": "b", "images": [picture("1")]}
    made = plan(second, {"prompt": "a", "width": 512, "height": 256})
    assert [list(s.follows) for s in made.new.workflow.steps] == [[1], []]
    # Planned with what the other one will make: its shape.
    assert {k: made.new.workflow.steps[0].jobs[0].payload[k] for k in ("width", "height")} == {
        "width": 1456,
        "height": 720,
    }


def test_arguments_are_known_at_submit() -> None:
    made = plan(
        {"prompt": {"$ref": "$arguments", "path": "texts[1]"}, "width": {"$ref": "$arguments", "path": "side"}},
        arguments={"texts": ["no", "yes"], "side": 128},
    ).new.workflow.steps[0]
    assert (made.jobs[0].payload["prompt"], made.jobs[0].payload["width"], list(made.follows)) == ("yes", 128, [])


def test_a_reference_inside_a_schema_is_a_value() -> None:
    schema = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
    bound = references.bind(request({"prompt": "a", "schema": schema}))[0]
    assert (bound.input["schema"], bound.references) == (schema, [])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"x": "x" * 60_000}, "with its arguments in place is"),
        ({"x": "\ufdd0" + "1" * 5000 + ":output.text\ufdd1"}, "is an argument with a character"),
    ],
)
def test_arguments_neither_swell_an_input_nor_smuggle_tokens(arguments: dict[str, Any], says: str) -> None:
    given = [{"$ref": "$arguments", "path": "x"}] * 100
    with pytest.raises(InvalidRequest, match=says):
        references.bind(request({"prompt": "a", "many": given}, arguments=arguments))


@pytest.mark.parametrize(
    ("value", "says"), [(5, "is an object"), ("a fox", "is an object"), ({"prompt": 5}, "valid string")]
)
def test_a_whole_input_that_is_an_argument_is_an_object(value: Any, says: str) -> None:
    for kind in ("imageGen", "music", "tts", "audioGen", "comfy"):
        with pytest.raises(InvalidRequest) as caught:
            plan({"$type": kind, "input": {"$ref": "$arguments", "path": "x"}}, arguments={"x": value})
        assert all(path.startswith("steps[0].input") for path in caught.value.fields)
        assert isinstance(value, dict) or says in caught.value.message


def test_another_step_does_not_give_a_whole_input() -> None:
    with pytest.raises(InvalidRequest, match=r"steps\[1\].input: is an object"):
        plan({"$type": "textGen", "input": {"prompt": "a"}}, {"input": picture(path="output.parsed")})


def test_many_references_to_a_large_argument_cost_no_more_than_one() -> None:
    given = [{"$ref": "$arguments", "path": "x"}] * 3000
    steps = [{"prompt": "a", "many": given} for _ in range(20)]
    with pytest.raises(InvalidRequest, match="with its arguments in place is 79995000 bytes of JSON"):
        references.bind(request(*steps, arguments={"x": ["y"] * 6666}))


def test_texts_of_other_steps_do_not_swell_a_payload() -> None:
    with pytest.raises(Unresolved, match="at most 1000000 are taken"):
        resolver(text="x" * 90_000).payload({"many": [TEXT] * 12}, [])


def test_the_input_is_kept_as_it_came() -> None:
    step = plan({"prompt": "a"}, {"prompt": "b", "images": [picture()]}).new.workflow.steps[1]
    assert step.input["images"] == [picture()]


@pytest.mark.parametrize(
    ("second", "path", "says"),
    [
        ({"images": [picture("nobody")]}, "steps[1].input.images[0]", "no step is named 'nobody'; there are: 0, 1"),
        ({"images": [picture("$7")]}, "steps[1].input.images[0]", "no step is named '$7'"),
        ({"images": [picture("1")]}, "steps[1].input.images[0]", "cannot refer to itself"),
        ({"images": [picture(path="images[0]")]}, "steps[1].input.images[0]", "should be one like 'output.images[0]"),
        ({"images": [picture(path="output.images[0")]}, "steps[1].input.images[0]", "should be one like"),
        ({"images": [picture(path="output.video")]}, "steps[1].input.images[0]", "nothing that imageGen gives"),
        ({"images": [{"$ref": 5}]}, "steps[1].input.images[0]", "are texts"),
        ({"prompt": picture()}, "steps[1].input.prompt", "gives image, and this takes text"),
        (
            {"seed": picture(path="output.images[0].seed")},
            "steps[1].input.seed",
            "a reference to output.images[0].seed",
        ),
        ({"prompt": {"$ref": "$arguments", "path": "x"}}, "steps[1].input.prompt", "`arguments` does not have"),
        ({"prompt": "a \ufdd0 b"}, "steps[1].input.prompt", "not for text"),
    ],
)
def test_a_bad_reference_names_its_place(second: dict[str, Any], path: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        plan({"prompt": "a"}, {"prompt": "b", **second})
    assert says in caught.value.fields[path][0]


def test_steps_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="wait for each other"):
        plan({"prompt": "a", "images": [picture("1")]}, {"prompt": "b", "images": [picture("0")]})


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_what_holds_no_reference_stays_as_it_is(value: Any) -> None:
    clean = request({"prompt": "a", "odd": value})
    if "\ufdd0" in repr(value) or "\ufdd1" in repr(value) or "$ref" in repr(value):
        return
    assert references.bind(clean)[0].input == clean.steps[0].input


# ── what is filled in ─────────────────────────────────────────────────────────


TEXT, IMAGE = "\ufdd00:output.text\ufdd1", "\ufdd00:output.images[0].url\ufdd1"


def resolver(**output: Any) -> Resolver:
    return Resolver({0: output}, frozenset({"blob_x"}))


def test_a_text_and_a_blob_are_put_in() -> None:
    given = resolver(text="a fox", images=[{"id": "blob_x", "url": references.link(PNG)}])
    payload, inputs = given.payload({"prompt": f"{TEXT}!", "images": [IMAGE], "seed": 1}, [IMAGE, "blob_y"])
    assert (payload, inputs) == ({"prompt": "a fox!", "images": ["blob_x"], "seed": 1}, ["blob_x", "blob_y"])


@pytest.mark.parametrize("path", ["output.images[0]", "output.images[0].id", "output.images[0].url"])
def test_a_blob_may_be_named_by_itself_its_id_or_its_url(path: str) -> None:
    token = f"\ufdd00:{path}\ufdd1"
    given = resolver(images=[{"id": "blob_x", "url": references.link(PNG)}])
    assert given.payload({"images": [token]}, [token]) == ({"images": ["blob_x"]}, ["blob_x"])


@pytest.mark.parametrize(
    ("output", "payload", "inputs"),
    [
        ({}, {"prompt": TEXT}, []),
        ({"text": {"a": 1}}, {"prompt": TEXT}, []),
        ({"text": "x" * 100_001}, {"prompt": TEXT}, []),
        ({"images": []}, {"images": [IMAGE]}, [IMAGE]),
        ({"images": [{"url": "blob_of_somebody_else"}]}, {"images": [IMAGE]}, [IMAGE]),
        ({"images": [{"url": 7}]}, {"images": [IMAGE]}, [IMAGE]),
    ],
)
def test_what_is_not_there_or_not_theirs_is_not_put_in(
    output: dict[str, Any], payload: dict[str, Any], inputs: list[str]
) -> None:
    with pytest.raises(Unresolved, match=r"a reference to output\."):
        resolver(**output).payload(payload, inputs)


def test_a_text_that_looks_like_a_token_is_not_read_again() -> None:
    assert resolver(text=TEXT).payload({"prompt": TEXT}, [])[0] == {"prompt": TEXT}


# ── what becomes of those who follow ──────────────────────────────────────────


def chain(at: datetime, follows: list[list[int]], payload: dict[str, Any] | None = None) -> Draft:
    """One job in each step; the payload and its tokens in those that follow another."""
    made = draft(at, [1] * len(follows), cost=3)
    workflow = made.new.workflow
    given = payload if payload is not None else {"images": [IMAGE]}
    inputs = {job.id: [] for step in workflow.steps for job in step.jobs}
    steps = []
    for step, before in zip(workflow.steps, follows, strict=True):
        mine = given if before else {}
        inputs |= {job.id: [t for t in references.tokens(mine) if "images" in t] for job in step.jobs}
        steps.append(replace(step, follows=before, jobs=[replace(job, payload=mine) for job in step.jobs]))
    return replace(made, new=replace(made.new, workflow=replace(workflow, steps=steps), inputs=inputs))


def started(db: Database, made: Draft) -> str:
    outcome = db.apply(submit.submit, made)
    assert isinstance(outcome, Workflow)
    return outcome.id


def claim(db: Database) -> list[Attempt]:
    return db.apply(advance.claim, advance.Claim(owner="me", slots=slots(10), lease_s=30, at=now()))


def end(db: Database, attempt: Attempt, failure: Failure | None = None) -> None:
    made = [] if failure else [replace(PNG, blob_id=new_id("blob"), key=new_id("k"))]
    item = advance.Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=now(), artifacts=made, failure=failure)
    assert db.apply(advance.finish, item)


def statuses(db: Database, workflow_id: str) -> list[str]:
    [workflow] = db.look(rows.get, [workflow_id])
    return [workflow.status.value, *(step.status.value for step in workflow.steps)]


def test_a_step_runs_when_the_one_before_it_has_succeeded(db: Database) -> None:
    wf = started(db, chain(now(), [[], [0]]))
    [first] = claim(db)
    assert claim(db) == []
    end(db, first)
    assert statuses(db, wf) == ["processing", "succeeded", "unassigned"]
    [second] = claim(db)
    [blob_id] = second.payload["images"]
    assert db.look(blobs.get, [blob_id])[blob_id].job_id == first.job_id
    assert list(second.inputs) == [blob_id]
    end(db, second)
    assert statuses(db, wf) == ["succeeded"] * 3
    assert db.look(audit.check) == []


def test_steps_without_references_run_at_the_same_time(db: Database) -> None:
    started(db, chain(now(), [[], [], [0, 1]]))
    first, second = claim(db)
    end(db, first)
    assert claim(db) == []
    end(db, second)
    assert len(claim(db)) == 1


def test_a_failure_takes_all_that_follow_along_and_gives_their_buzz_back(db: Database) -> None:
    before = db.look(ledger.balance, 1)
    wf = started(db, chain(now(), [[], [0], [1], []]))
    first, other = claim(db)
    end(db, first, Failure(reason="engine_failed", message="no"))
    assert statuses(db, wf) == ["processing", "failed", "canceled", "canceled", "unassigned"]
    [workflow] = db.look(rows.get, [wf])
    job = workflow.steps[1].jobs[0]
    assert (job.reason, job.message) == ("source_failed", "it follows the step '0', which is failed")
    end(db, other)
    assert statuses(db, wf)[0] == "failed"
    after = db.look(ledger.balance, 1)
    assert (after.available, after.held) == (before.available - 3, before.held)
    assert db.look(audit.check) == []


def test_a_reference_that_leads_nowhere_ends_the_step_that_has_it(db: Database) -> None:
    wf = started(db, chain(now(), [[], [0], [1]], {"prompt": TEXT}))
    [first] = claim(db)
    end(db, first)
    assert statuses(db, wf) == ["failed", "succeeded", "failed", "canceled"]
    [workflow] = db.look(rows.get, [wf])
    job = workflow.steps[1].jobs[0]
    assert (job.reason, job.message) == ("reference_unresolved", "a reference to output.text of steps[0] is not there")
    assert db.look(audit.check) == []


def test_a_canceled_workflow_ends_those_that_wait(db: Database) -> None:
    wf = started(db, chain(now(), [[], [0], [1]]))
    change = amend.Amendment(account_id=1, workflow_id=wf, at=now(), update=amend.WorkflowUpdate(status="canceled"))
    db.apply(amend.amend, change)
    assert statuses(db, wf) == ["canceled"] * 4
    assert claim(db) == []
    assert db.look(audit.check) == []


def test_a_lost_attempt_comes_back_with_what_was_filled_in(db: Database) -> None:
    started(db, chain(now(), [[], [0]]))
    [first] = claim(db)
    end(db, first)
    [second] = claim(db)
    again = Failure(reason="attempt_lost", message="gone", retryable=True, blameless=True, lost=True)
    end(db, second, again)
    [third] = claim(db)
    assert (third.job_id, third.attempt, third.payload) == (second.job_id, 2, second.payload)


def test_a_step_waits_for_its_upload_and_for_the_step_before_it(db: Database) -> None:
    for upload_first in (True, False):
        promise = blobs.Promise(blob_id=new_id("blob"), account_id=1, mime="image/png", size=1, upload_until=now().max)
        promise = replace(promise, upload_until=datetime.fromtimestamp(2e9, now().tzinfo))
        db.apply(lambda tx, p: blobs.promise(tx, p, now()), promise)
        made = chain(now(), [[], [0]])
        source = replace(draft(now(), [1], sources=[promise.blob_id]).sources[0][1])
        wf = started(db, replace(made, sources=[(1, source)]))
        assert statuses(db, wf) == ["preparing", "unassigned", "preparing"]
        [first] = claim(db)
        arrived = blobs.Stored(blob_id=promise.blob_id, key=new_id("k"), mime="image/png", size=1, sha256="0")
        acts = [lambda a=arrived: db.apply(advance.arrive, a), lambda f=first: end(db, f)]
        one, other = acts if upload_first else reversed(acts)
        one()
        assert claim(db) == []
        other()
        [second] = claim(db)
        assert second.workflow_id == wf
        end(db, second)


def test_nothing_of_a_waiting_step_is_queued(db: Database) -> None:
    wf = started(db, chain(now(), [[], [0]]))
    assert len(db.look(queue.places, [wf], now())) == 1
    assert Status.UNASSIGNED.value == statuses(db, wf)[2]
