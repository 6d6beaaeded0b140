"""The step type `training`: what it takes, what it costs, and what it says where nothing can train."""

from __future__ import annotations

from typing import Any

import pytest

from heddle import prices
from heddle.contract.orchestration import WorkflowRequest
from heddle.domain import now
from heddle.errors import InvalidRequest
from heddle.settings import Settings
from heddle.steps import Facts, Plan, Result
from heddle.steps.training import Training
from heddle.workflows.planning import Look, Planner

ZIP = "blob_00000000000000000000000000"


def plan(**given: Any) -> Plan:
    return Training().plan({"engine": "sdxl", **(given or {"images": [ZIP]})}, lambda _: Facts())


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


@pytest.mark.parametrize("trainer", ["lora", "ai-toolkit"])
def test_the_name_of_a_trainer_is_no_family(trainer: str) -> None:
    assert plan(images=[ZIP], engine=trainer, model="urn:air:sdxl:checkpoint:civitai:1@2").family == "sdxl"
    assert plan(images=[ZIP], engine=trainer, ecosystem="flux").family == "flux1"
    with pytest.raises(InvalidRequest, match="name the model family"):
        plan(images=[ZIP], engine=trainer)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "body"),
        ({"images": [ZIP], "trainingData": {"sourceUrl": ZIP}}, "body"),
        ({"images": [ZIP], "epochs": 0}, "epochs"),
        ({"images": [ZIP], "lr": 2}, "lr"),
        ({"images": [ZIP], "optimizerType": "sgd"}, "optimizerType"),
        ({"images": [ZIP], "lrScheduler": "sometimes"}, "lrScheduler"),
        ({"images": [ZIP], "resolution": 32}, "resolution"),
        ({"images": [ZIP], "minSnrGamma": 21}, "minSnrGamma"),
        ({"images": [ZIP], "epochs": 101, "engine": "sdxl"}, "epochs"),
        ({"images": [ZIP], "epochs": 40, "samples": {"prompts": ["a", "b"]}, "engine": "sdxl"}, "epochs"),
        ({"images": [ZIP]}, "engine"),
        ({"images": [ZIP], "networkDim": 257}, "networkDim"),
        ({"images": [ZIP, ZIP]}, "images"),
        ({"trainingData": {"type": "tar", "sourceUrl": ZIP}}, "trainingData.type"),
    ],
)
def test_bad_fields_are_named(given: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Training().plan(given, lambda _: Facts())
    assert path in caught.value.fields


@pytest.mark.parametrize(
    ("family", "says"), [(None, "name the model family to train for"), ("wan", "'wan' cannot run")]
)
def test_where_nothing_can_train_it_says_so(family: str | None, says: str) -> None:
    steps = [{"$type": "training", "input": {"images": [ZIP]} | ({"engine": family} if family else {})}]
    request = WorkflowRequest.model_validate({"steps": steps})
    look = Look(find=lambda _: None, facts_of=lambda _: Facts())
    with pytest.raises(InvalidRequest, match=says):
        Planner(Settings()).plan(request, account_id=1, look=look, at=now())


def test_prices() -> None:
    def price(family: str, steps: int, epochs: int, samples: int = 0) -> float:
        return prices.training({"family": family, "steps": steps, "epochs": epochs, "samples": ["a"] * samples})

    assert price("sdxl", 2000, 10) == 500
    assert price("sdxl", 100, 1) == 400  # four fifths of the usual price at least
    assert price("flux1", 2000, 10) == 2000
    assert price("sdxl", 2000, 10, samples=2) == 500 + 20 * 8  # and each sample as a picture


def test_the_output_lists_epochs() -> None:
    def result(role: str, epoch: int, blob_id: str) -> Result:
        return Result(job=0, role=role, blob={"id": blob_id}, output={"epoch": epoch})

    given = [result("", 1, "a"), result("sample", 1, "b"), result("", 2, "c"), result("loss", 0, "d")]
    shown = Training().output(given[:3])
    assert [e["epochNumber"] for e in shown["epochs"]] == [1, 2]
    assert shown["epochs"][0]["samples"] == [{"id": "b"}]
    assert shown["model"] == {"id": "c"}
    assert "lossCurve" not in shown


def test_the_output_names_models_and_shows_the_curve() -> None:
    made = [
        Result(job=0, role="", blob={"id": "a"}, output={"epoch": 1, "air": "urn:1", "loss": 0.5, "steps": 3}),
        Result(job=0, role="", blob={"id": "b"}, output={"epoch": 2, "air": "urn:2"}),
        Result(job=0, role="loss-curve", blob={"id": "c"}, output={"images": 4, "skippedCount": 1, "other": 2}),
    ]
    shown = Training().output(made)
    first = shown["epochs"][0]
    assert (first["model"], first["air"], first["loss"], first["steps"]) == ({"id": "a"}, "urn:1", 0.5, 3)
    assert (shown["model"], shown["air"], shown["lossCurve"]) == ({"id": "b"}, "urn:2", {"id": "c"})
    assert (shown["images"], shown["skippedCount"]) == (4, 1)
    assert "other" not in shown


def test_a_training_may_take_longer_than_other_steps() -> None:
    assert plan(images=[ZIP], steps=1000).timeout_s == 60_000


def test_the_learning_rate_where_none_is_said() -> None:
    assert plan(images=[ZIP], engine="sdxl").payloads[0]["learningRate"] == 1e-4
    assert plan(images=[ZIP], engine="mini").payloads[0]["learningRate"] == 1e-3
    assert plan(images=[ZIP], engine="mini", lr=0.5).payloads[0]["learningRate"] == 0.5
