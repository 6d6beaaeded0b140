"""The step type `training`: what it takes, what it costs, and what it says where nothing can train."""

from __future__ import annotations

from typing import Any

import pytest

from heddle.contract.orchestration import WorkflowRequest
from heddle.domain import now
from heddle.errors import InvalidRequest
from heddle.prices import training as price
from heddle.settings import Settings
from heddle.steps import Facts, Plan, Result
from heddle.steps.training import Training
from heddle.workflows.planning import Look, Planner

ZIP = "blob_00000000000000000000000000"


def plan(**given: Any) -> Plan:
    return Training().plan(given or {"images": [ZIP]}, lambda _: Facts())


def test_the_two_ways_to_name_the_zip() -> None:
    [source] = plan(images=[ZIP]).sources
    assert (source.blob_id, source.path) == (ZIP, "images[0]")
    [source] = plan(trainingData={"type": "zip", "sourceUrl": ZIP}).sources
    assert (source.blob_id, source.path) == (ZIP, "trainingData.sourceUrl")
    assert source.takes("application/zip")
    assert not source.takes("image/png")


def test_fields_of_the_newer_dialect() -> None:
    made = plan(
        engine="ai-toolkit", ecosystem="sdxl", lr=0.001, trainingData={"sourceUrl": ZIP}, networkDim=8, seed=5,
        samples={"prompts": ["a fox"]}, epochs=3, steps=2,
    )  # fmt: skip
    [payload] = made.payloads
    assert made.family == "sdxl"
    assert (payload["learningRate"], payload["networkDim"], payload["networkAlpha"]) == (0.001, 8, 8)
    assert (payload["samples"], payload["epochs"], payload["steps"]) == (["a fox"], 2, 2)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "body"),
        ({"images": [ZIP], "trainingData": {"sourceUrl": ZIP}}, "body"),
        ({"images": [ZIP], "epochs": 0}, "epochs"),
        ({"images": [ZIP], "lr": 2}, "lr"),
        ({"images": [ZIP], "networkDim": 257}, "networkDim"),
        ({"images": [ZIP, ZIP]}, "images"),
        ({"trainingData": {"type": "tar", "sourceUrl": ZIP}}, "trainingData.type"),
    ],
)
def test_bad_fields_are_named(given: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Training().plan(given, lambda _: Facts())
    assert path in caught.value.fields


@pytest.mark.parametrize(("family", "says"), [(None, "no engine can run training here"), ("sdxl", "'sdxl' cannot run")])
def test_where_nothing_can_train_it_says_so(family: str | None, says: str) -> None:
    steps = [{"$type": "training", "input": {"images": [ZIP]} | ({"engine": family} if family else {})}]
    request = WorkflowRequest.model_validate({"steps": steps})
    look = Look(find=lambda _: None, facts_of=lambda _: Facts())
    with pytest.raises(InvalidRequest, match=says):
        Planner(Settings()).plan(request, account_id=1, look=look, at=now())


def test_prices() -> None:
    assert price("sdxl", 2000, 10) == 500
    assert price("sdxl", 100, 1) == 400  # four fifths of the usual price at least
    assert price("flux1", 2000, 10) == 2000


def test_the_output_lists_epochs() -> None:
    def result(role: str, epoch: int, blob_id: str) -> Result:
        return Result(job=0, role=role, blob={"id": blob_id}, output={"epoch": epoch})

    given = [result("", 1, "a"), result("sample", 1, "b"), result("", 2, "c"), result("loss", 0, "d")]
    shown = Training().output(given[:3])
    assert [e["epochNumber"] for e in shown["epochs"]] == [1, 2]
    assert shown["epochs"][0]["samples"] == [{"id": "b"}]
    assert shown["model"] == {"id": "c"}
