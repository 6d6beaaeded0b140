"""Variables in the URLs of servers, from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from arazzo_stub import Handler, Reply, Stub

SERVERS: list[Any] = [
    {
        "url": "https://{region}.example.org/{version}/{rest}",
        "variables": {
            "region": {"default": "eu"},
            "version": {"default": "v1", "enum": ["v1", "v2"]},
            "rest": {"default": "all"},
        },
    }
]


@pytest.fixture
def document(write: Callable[..., Path], tmp_path: Path) -> Path:
    path = write([{"stepId": "look", "operationId": "look"}, {"stepId": "make", "operationId": "make"}])
    description = yaml.safe_load((tmp_path / "api.yaml").read_text()) | {"servers": SERVERS}
    description["paths"]["/make"]["servers"] = [{"url": "/{odd}/make", "variables": "none"}]
    (tmp_path / "api.yaml").write_text(yaml.safe_dump(description))
    return path


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ([], ["/v1/all/look", "/make/make"]),
        (["version=v2", "rest=some"], ["/v2/some/look", "/make/make"]),
        (["version=v1", "api.version=v2", "odd=x"], ["/v2/all/look", "/x/make/make"]),
        (["region=us"], ["/v1/all/look", "/make/make"]),
    ],
)
def test_variables(
    document: Path, serve: Callable[[Handler], Stub], play: Callable[..., Any], given: list[str], paths: list[str]
) -> None:
    stub = serve(lambda got: Reply(200, {}))
    options = [part for text in given for part in ("--server-var", text)]
    assert play(document, "--server", stub.url, *options).code == 0
    assert [got.path for got in stub.got] == paths


def test_a_replay_and_made_up_answers_know_them(
    document: Path, serve: Callable[[Handler], Stub], play: Callable[..., Any], replay: Callable[..., Any]
) -> None:
    stub = serve(lambda got: Reply(200, {}))
    assert play(document, "--server", stub.url, "--server-var", "version=v2", "--trace", "t").code == 0
    assert replay("t", "--strict").code == 0
    assert play(document, "--mock", "--server-var", "version=v2").code == 0


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("version=v9", "--server-var version is 'v9'"),
        ("versoin=v1", "--server-var names 'versoin', which no server has"),
        ("other.version=v1", "--server-var names 'other.version', which no server has"),
        ("version", "--server-var 'version' is not NAME=VALUE"),
    ],
)
def test_what_is_no_variable(document: Path, play: Callable[..., Any], given: str, problem: str) -> None:
    played = play(document, "--server", "http://127.0.0.1:9", "--server-var", given)
    assert played.code == 1
    assert problem in played.stderr
