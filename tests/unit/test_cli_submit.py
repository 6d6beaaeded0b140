"""What `heddle submit` refuses before anything is paid for, and what it says when saving or waiting fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from tests.fixtures.pixels import PIXEL
from tests.serving import Serving

from heddle.cli.main import cli

Heddle = Callable[..., Result]


@pytest.fixture
def heddle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Heddle:
    """Commands on an empty data folder; a server would have to be started for them."""
    monkeypatch.setenv("HEDDLE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return lambda *args: CliRunner().invoke(cli, args)


@pytest.fixture
def serving(tmp_path: Path, heddle: Heddle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A server on the data folder of the commands."""
    server = Serving(tmp_path / "home", slots=1).start()
    yield server
    server.stop()


def test_a_folder_that_cannot_be_made_costs_nothing(heddle: Heddle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = heddle("submit", "-p", "a fox", "--save", "file/out")
    assert (result.exit_code, result.stderr.splitlines()[1]) == (1, "hint: give another to --save")
    assert "the folder file/out cannot be made: Not a directory" in result.stderr
    assert not (tmp_path / "home").exists()


def test_flags_beside_a_request_are_refused(heddle: Heddle, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"steps": []}')
    result = heddle("submit", "r.json", "-p", "a cat", "--cfg-scale", "3", "--lora", "x", "--priority", "low")
    assert result.exit_code == 1
    for flag in ("--prompt", "--cfg-scale", "--lora", "--priority"):
        assert flag in result.stderr
    assert "--seed" not in result.stderr
    assert not (tmp_path / "home").exists()


def test_what_is_not_json_gets_a_hint(heddle: Heddle, serving: Serving, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Hello")
    result = heddle("submit", "README.md")
    assert result.stderr.startswith("heddle: README.md is not JSON: ")
    assert 'hint: a source picture is given with --image, a request looks like {"steps"' in result.stderr
    result = heddle("submit", "-p", "a fox", "--image", "README.md")
    assert (result.exit_code, result.stderr[:19]) == (1, "heddle: README.md: ")
    assert not (tmp_path / "out").exists(), "a folder in which nothing was saved is taken away again"


def test_text_that_is_none(heddle: Heddle, serving: Serving) -> None:
    result = heddle("submit", "-p", "fox \udcff\udcfe")
    assert (result.exit_code, "holds bytes that are no text in UTF-8" in result.stderr) == (1, True)
    assert "bug" not in result.stderr


def test_what_could_not_be_saved_is_got_later(heddle: Heddle, serving: Serving, tmp_path: Path) -> None:
    code = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (900, 900)); from heddle.cli.main import main; main()"
    args = [sys.executable, "-c", code, "submit", "-p", "a fox", "--steps", "1"]
    # The limit must not meet the database, so the command is told of the server as of one elsewhere.
    with serving.client() as client:
        log_in(heddle, str(client.base_url), client)
    ran = subprocess.run(args, capture_output=True, text=True, cwd=tmp_path, env={**os.environ}, check=False)
    first, second = ran.stderr.splitlines()
    assert (ran.returncode, "cannot be saved: File too large" in first) == (1, True)
    assert second.startswith("hint: it is safe on the server: `heddle logs wf_")
    assert not (tmp_path / "out").exists(), "no part of a file is left, and no empty folder"
    workflow_id = second.split()[9]
    later = heddle("logs", workflow_id, "--save", "later")
    assert later.exit_code == 0
    (file,) = (tmp_path / "later").iterdir()
    assert f"saved later/{file.name}" in later.stdout
    assert file.read_bytes().startswith(b"\x89PNG")


def log_in(heddle: Heddle, url: str, client: httpx.Client) -> None:
    token = client.headers["Authorization"].removeprefix("Bearer ")
    assert heddle("login", url, "--token", token).exit_code == 0


@pytest.mark.parametrize("lasting", [True, False])
def test_ctrl_c_says_what_becomes_of_the_work(
    heddle: Heddle, tmp_path: Path, request: pytest.FixtureRequest, lasting: bool
) -> None:
    if lasting:
        request.getfixturevalue("serving")
    args = [
        sys.executable,
        "-m",
        "heddle",
        "submit",
        "-p",
        "a castle",
        "--width",
        "2048",
        "--height",
        "2048",
        "-q",
        "10",
    ]
    with subprocess.Popen(
        args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env={**os.environ}
    ) as child:
        assert child.stdout is not None
        workflow_id = child.stdout.readline().split()[0]
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=60)
    said = stderr.strip()
    assert child.returncode == 130
    assert said.startswith(f"{workflow_id}: it goes on; " if lasting else f"{workflow_id}: the server stops, and what ")
    assert said.endswith(f"; `heddle cancel {workflow_id}` stops it")
    if lasting:
        assert "canceled" in heddle("cancel", workflow_id).stdout


def test_lists_that_are_empty_say_so(heddle: Heddle) -> None:
    for noun, said in (("tokens", "no tokens"), ("webhooks", "no events"), ("accounts", "no accounts")):
        assert heddle(noun, "list").stdout == f"{said}\n"
        assert json.loads(heddle(noun, "list", "--json").stdout) == []
    assert heddle("accounts", "create", "x", "--buzz", "9" * 20).exit_code == 2


def test_any_step_type_with_any_input(heddle: Heddle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest that shows all: values as JSON and as text, and a file that is uploaded inside a list."""
    Path("a.png").write_bytes(PIXEL)
    inputs = ["prompt=a green fox", "width=64", "height=64", 'images=["@a.png"]', "strength=0.2"]
    args = [part for text in inputs for part in ("-i", text)]
    result = heddle("submit", "--type", "imageGen", *args, "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)["workflow"]["steps"][0]
    assert shown["input"]["prompt"] == "a green fox"
    assert shown["input"]["width"] == 64
    assert shown["input"]["images"][0].startswith("blob_")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["-i", "novalue"], "is not NAME=VALUE"),
        (["-i", "images=@nothing.png"], "cannot be read"),
        (["--type", "noSuch", "-p", "x"], "'noSuch' is not one of"),
    ],
)
def test_a_wrong_input_is_told(heddle: Heddle, serving: Serving, args: list[str], says: str) -> None:
    result = heddle("submit", *args)
    assert result.exit_code != 0
    assert says in result.output + result.stderr
