"""What tests of the runner share: stub servers, documents written inline, and runs of the command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from heddle.cli.main import cli

sys.path.append(str(Path(__file__).parent))

from arazzo_stub import DESCRIPTION, Handler, SeedApi, Stub, png, serving

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No login of the person who runs the tests, and a folder of our own with a photo in it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(png())


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], Stub]]:
    """Start servers; they are gone after the test."""
    opened: list[Any] = []

    def start(handler: Handler) -> Stub:
        context = serving(handler)
        opened.append(context)
        return context.__enter__()

    yield start
    for context in opened:
        context.__exit__(None, None, None)


@pytest.fixture
def seed_api(serve: Callable[[Handler], Stub]) -> SeedApi:
    api = SeedApi()
    api.stub = serve(api)
    api.url = api.stub.url
    return api


@dataclass(frozen=True, slots=True)
class Played:
    """What `heddle run` did."""

    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.stdout)


@pytest.fixture
def play() -> Callable[..., Played]:
    """`heddle run`, with the shortest of pauses."""

    def play(document: str | Path, *args: str) -> Played:
        result = CliRunner().invoke(cli, ["run", str(document), "--pause", "0.002", *args], prog_name="heddle")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Played(result.exit_code, result.stdout, result.stderr)

    return play


@pytest.fixture
def replay() -> Callable[..., Played]:
    def replay(*args: str | Path) -> Played:
        result = CliRunner().invoke(cli, ["arazzo", "replay", *map(str, args)], prog_name="heddle")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Played(result.exit_code, result.stdout, result.stderr)

    return replay


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write an Arazzo document with one workflow `main`, and an OpenAPI description beside it."""

    def write(steps: list[dict[str, Any]], **fields: Any) -> Path:
        workflow = {"workflowId": "main", "steps": steps}
        workflow |= {name: fields.pop(name) for name in ("inputs", "outputs", "dependsOn") if name in fields}
        workflow |= {name: fields.pop(name) for name in ("parameters", "failureActions") if name in fields}
        document = {
            "arazzo": "1.0.1",
            "info": {"title": "A test", "version": "1"},
            "sourceDescriptions": [{"name": "api", "url": "api.yaml", "type": "openapi"}],
            "workflows": [workflow, *fields.pop("more_workflows", [])],
            **fields,
        }
        (tmp_path / "api.yaml").write_text(yaml.safe_dump(DESCRIPTION, sort_keys=False))
        path = tmp_path / "flow.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    return write
