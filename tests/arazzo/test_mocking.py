"""`heddle run --mock`: answers made from the descriptions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import yaml

from conftest import EXAMPLES, Played
from heddle.arazzo.mocking import SERVER, Mock
from heddle.arazzo.openapi import Description
from heddle.arazzo.replay import ReplayClock
from heddle.arazzo.sources import Linked
from heddle.arazzo.tree import Tree

GIVEN = {
    "text-to-image.yaml": [],
    "image-to-image.yaml": ["-i", "file=@photo.png"],
    "presigned-upload.yaml": ["-i", "mimeType=image/png", "--upload", "promise.uploadUrl=@photo.png"],
    "catalog-model-to-image.yaml": ["-i", "modelVersionId=7"],
}


@pytest.mark.parametrize("name", GIVEN)
def test_the_examples_come_to_their_end(play: Callable[..., Played], name: str) -> None:
    args = ["--mock", "-i", "prompt=fog", *GIVEN[name], "--json"]
    first, second = play(EXAMPLES / name, *args), play(EXAMPLES / name, *args)
    assert (first.code, first.report["missing"]) == (0, [])
    assert first.report["outputs"] == second.report["outputs"]
    assert "every answer is made up" in " ".join(first.report["notes"])


@pytest.fixture
def described(write: Callable[..., Path]) -> Callable[..., Path]:
    """A document with one step that polls `GET /look` until its state is done, and what the description says of it."""

    def described(content: Any, **fields: Any) -> Path:
        poll = {"name": "again", "type": "goto", "stepId": "look", "criteria": [{"condition": UNTIL}]}
        path = write(
            [{"stepId": "look", "operationId": "look", "outputs": {"state": STATE}, "onSuccess": [poll]}],
            outputs={"state": "$steps.look.outputs.state"},
        )
        description = yaml.safe_load(path.with_name("api.yaml").read_text())
        responses = {"200": {"description": "ok", "content": {"application/json": content}}, **fields}
        description["paths"]["/look"]["get"]["responses"] = responses
        path.with_name("api.yaml").write_text(yaml.safe_dump(description))
        return path

    return described


STATE = "$response.body#/state"
UNTIL = "$response.body#/state != 'done'"


def test_a_poll_moves_on_through_an_enumeration(described: Callable[..., Path], play: Callable[..., Played]) -> None:
    schema = {"type": "object", "properties": {"state": {"enum": ["new", "busy", "done", "failed"]}}}
    played = play(described({"schema": schema}), "--mock", "--json")
    assert (played.code, played.report["outputs"], played.report["calls"]) == (0, {"state": "done"}, 3)


def test_a_poll_that_never_ends_says_so(described: Callable[..., Path], play: Callable[..., Played]) -> None:
    path = described({"example": {"state": "busy"}})
    played = play(path, "--mock", "--max-steps", "50", "--json")
    assert (played.code, played.report["status"]) == (1, "exhausted")
    assert "with made-up answers this loop does not end" in played.report["notes"][-1]
    played = play(path, "--mock", "--pause", "9", "--deadline", "100000", "--max-steps", "100", "--json")
    assert played.report["seconds"] > 1000  # on a clock that does not wait


def test_other_answers_with_another_seed(described: Callable[..., Path], play: Callable[..., Played]) -> None:
    examples = {name: {"value": {"state": "done", "n": name}} for name in ("one", "two")}
    path = described({"examples": examples})
    trace = ["--trace", "t.trace"]
    for seed, name in ((0, "one"), (1, "two"), (2, "one")):
        assert play(path, "--mock", "--mock-seed", str(seed), *trace).code == 0
        lines = [json.loads(line) for line in Path("t.trace").read_text().splitlines()]
        body = next(line["answer"]["body"]["text"] for line in lines if line["type"] == "exchange")
        assert json.loads(body)["n"] == name


def test_headers_and_answers_that_are_not_json(described: Callable[..., Path], play: Callable[..., Played]) -> None:
    header = {"schema": {"type": "string", "example": "a\nb"}}
    answer = {"description": "ok", "headers": {"X-Mark": header, "bad name": header}, "content": {"text/plain": {}}}
    path = described({}, **{"200": answer})
    played = play(path, "--mock", "--trace", "t.trace", "--max-steps", "2")
    (exchange, *_) = [line for line in map(json.loads, Path("t.trace").read_text().splitlines()) if "answer" in line]
    assert ["x-mark", "a?b"] in exchange["answer"]["headers"]
    assert played.code == 1


def test_no_server_and_no_file(described: Callable[..., Path], play: Callable[..., Played]) -> None:
    path = described({"example": {"state": "done"}})
    played = play(path, "--mock", "--server", "http://127.0.0.1:9", "--save", "out")
    assert played.code == 0
    assert "note: --save has no effect: nothing stands behind a made-up link" in played.stdout
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("template", "path", "fits"),
    [
        ("/a", "/a", True),
        ("/a/{b}", "/a/x", True),
        ("/a/{b}", "/a/", False),
        ("/a/{b}", "/a/x/y", False),
        ("/{a}.{b}", "/x.y.z", True),
        ("/{a}.{b}", "/x.", False),
        ("/x-{a}", "/y-1", False),
        ("/{a}{b}", "/xy", True),
        ("/{a}{b}", "/x", False),
        ("/" + "{a}-" * 60 + "x", "/" + "--" * 60 + "y", False),
    ],
    ids=lambda value: str(value)[:20],
)
def test_paths(template: str, path: str, fits: bool) -> None:
    described = DESCRIBED | {"paths": {"/bad": {"get": {"parameters": [{"$ref": "#/no"}]}}, template: {"get": {}}}}
    description = Description("api", Tree("api.yaml", json.dumps(described)), SERVER)
    mock = Mock(Linked(cast("Any", None), {"api": description}, {}), 0, ReplayClock())
    response = asyncio.run(mock.handle_async_request(httpx.Request("GET", SERVER + path)))
    assert (response.status_code == 200) is fits


DESCRIBED: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}}
