"""The units: systemd finds nothing wrong with them, their commands exist, and they wait longer than Heddle does."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from heddle import settings
from heddle.cli.main import cli

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(path for path in FOLDER.glob("*.service"))
NAMES = [path.name.replace("@.", "@8765.") for path in UNITS]
#: What the units refer to, and a machine has.
_TARGETS = ("sysinit", "basic", "shutdown", "network-online", "multi-user")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder in which they are installed."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.split()[1]) < 250:
        pytest.skip("it cannot look at another root")
    root = tmp_path_factory.mktemp("machine")
    units = root / "etc" / "systemd" / "system"
    shutil.copytree(FOLDER, units, symlinks=True)
    for name in _TARGETS:
        (units / f"{name}.target").write_text("[Unit]\nDescription=A target\n")
    heddle = root / "opt" / "heddle" / "bin" / "heddle"
    heddle.parent.mkdir(parents=True)
    heddle.write_text("#!/bin/sh\n")
    heddle.chmod(0o755)
    return root


def analyze(root: Path, *words: str) -> str:
    said = subprocess.run(
        ["systemd-analyze", words[0], "--man=no", f"--root={root}", *words[1:]],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return said.stdout + said.stderr


@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_nothing_wrong(machine: Path, name: str) -> None:
    assert analyze(machine, "verify", f"/etc/systemd/system/{name}") == ""


def test_the_check_itself(machine: Path) -> None:
    bad = machine / "etc" / "systemd" / "system" / "heddle-bad.service"
    bad.write_text((FOLDER / "heddle-chores.service").read_text().replace("TimeoutStopSec", "TimeoutStopSecs"))
    assert "Unknown key" in analyze(machine, "verify", "/etc/systemd/system/heddle-bad.service")
    bad.unlink()


@pytest.mark.parametrize("name", NAMES)
def test_they_are_in_a_sandbox(machine: Path, name: str) -> None:
    """By systemd's own measure: from 0 (safe) to 10; without the drop-in it is 9.6."""
    said = analyze(machine, "security", "--offline=yes", name)
    found = re.search(r"exposure level for .*: ([0-9.]+)", said)
    assert found, said
    assert float(found[1]) < 2.5


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_they_start_commands_that_exist(path: Path) -> None:
    program, *words = shlex.split(parsed(path)["Service"]["ExecStart"].replace("%i", "8765"))
    assert program == "/opt/heddle/bin/heddle"
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    assert command is not None
    flags = {flag for option in command.params for flag in option.opts}
    assert {word for word in words[1:] if word.startswith("--")} <= flags


def test_they_wait_longer_than_heddle() -> None:
    chosen = settings.read(example())
    patience = {path.name: int(parsed(path)["Service"]["TimeoutStopSec"]) for path in UNITS}
    assert patience["heddle.service"] > chosen.drain_s + chosen.grace_s + 5
    assert patience["heddle-dispatch.service"] > chosen.grace_s + 5
    assert patience["heddle-api@.service"] > chosen.drain_s + 5


def test_the_example_has_settings_that_exist() -> None:
    known = {f"HEDDLE_{name.upper()}" for name in settings.Settings.__dataclass_fields__}
    named = set(re.findall(r"^#?(HEDDLE_\w+)=", (FOLDER / "heddle.env.example").read_text(), re.MULTILINE))
    assert named
    assert named <= known


def parsed(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser


def example() -> dict[str, str]:
    lines = (FOLDER / "heddle.env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
