"""The image: its file is sound, everything it copies is there, and its steps make a Heddle that runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "container" / "Containerfile"
BIN = Path(sys.executable).parent


def instructions() -> list[tuple[str, str]]:
    """Each with what follows it, in one line."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest) for line in text.splitlines() if line.strip() for word, _, rest in [line.partition(" ")]]


def copied() -> list[str]:
    """What comes from the checkout."""
    rows = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    return [path for row in rows for path in row]


def test_the_linter_has_nothing_to_say() -> None:
    said = subprocess.run([BIN / "hadolint", "--no-color", FILE], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, "")


def test_what_is_copied_is_there_and_let_through() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert lines[1] == "*"
    for path in copied():
        assert (ROOT / path).exists(), path
        assert path in kept, f"{path} is not in the build's context"


def test_nothing_runs_as_root_and_no_installer_stays() -> None:
    last = max(n for n, (word, _) in enumerate(instructions()) if word == "FROM")
    end = instructions()[last:]
    assert ("USER", "10001:10001") in end
    assert any(word == "RUN" and "pip uninstall" in rest for word, rest in end)
    assert not any(fnmatch(rest, "*apt-get*") for _, rest in end)
    assert ("ENTRYPOINT", '["heddle"]') in end


def test_the_extras_are_those_of_the_project() -> None:
    [extras] = [rest.removeprefix("EXTRAS=") for word, rest in instructions() if rest.startswith("EXTRAS=")]
    known = re.search(r"\[project.optional-dependencies\]\n(.*?)\n\n", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert known is not None
    assert set(extras.split(",")) <= set(re.findall(r"^(\w+) =", known[1], re.MULTILINE))


def test_the_health_check_sees_a_server_and_its_absence(tmp_path: Path) -> None:
    """What the image runs every ten seconds, against a real process."""
    from tests.serving import Serving  # noqa: PLC0415 - starts nothing until it is used

    server = Serving(tmp_path / "home").start()
    port = server.url.rsplit(":", 1)[1]
    check = [sys.executable, FILE.with_name("healthy.py")]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HEDDLE_")}
    try:
        for env in ({"HEDDLE_PORT": port}, {"HEDDLE_PORT": "1", "HEDDLE_PROBE_PORT": port}):
            assert subprocess.run(check, env=clean | env, check=False, timeout=30).returncode == 0
    finally:
        server.stop()
    assert subprocess.run(check, env=clean | {"HEDDLE_PORT": port}, check=False, timeout=30).returncode == 1


@pytest.mark.slow
def test_the_steps_make_a_heddle_that_runs(tmp_path: Path) -> None:
    """The build stage, in a folder with what it copies and a virtual environment in the place of /opt/heddle."""
    for path in copied():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / path, target)
    [step] = [rest for word, rest in instructions() if word == "RUN" and "uv build" in rest]
    step = step.replace("/opt/heddle", str(tmp_path / "opt")).replace("/usr/local/bin/python", sys.executable)
    env = os.environ | {"EXTRAS": "postgres", "ALSO": "", "PATH": f"{BIN}:{os.environ['PATH']}"}
    env.pop("VIRTUAL_ENV", None)
    built = subprocess.run(
        ["sh", "-euc", step], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=500
    )
    if "error sending request" in built.stderr:
        pytest.skip("there is no package index")
    assert built.returncode == 0, built.stderr[-3000:]
    heddle = tmp_path / "opt" / "bin" / "heddle"
    said = subprocess.run([heddle, "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.startswith("heddle ")
    assert "psycopg" in os.listdir(next((tmp_path / "opt" / "lib").glob("python*")) / "site-packages")
