"""The wheel holds all that Heddle needs to run, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from tests.architecture.sources import ROOT, SOURCE

from heddle import __version__

pytestmark = pytest.mark.slow

#: What tools leave beside the sources.
_MADE = {"__pycache__"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="the extra `dev` brings it")
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return made


def test_it_holds_exactly_the_package(wheel: Path) -> None:
    here = {
        f"heddle/{path.relative_to(SOURCE)}"
        for path in SOURCE.rglob("*")
        if path.is_file() and not _MADE & set(path.parts)
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if ".dist-info/" not in name} == here
    assert any(name.endswith(".sql") for name in here)
    assert any(name.startswith("heddle/arazzo/descriptions/") and name.endswith(".yml") for name in here)


def test_it_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (folder,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    metadata = Parser().parsestr(archive.read(f"{folder}/METADATA").decode())
    assert (metadata["Name"], metadata["Version"]) == ("heddle-cloud", __version__)
    assert "heddle = heddle.cli.main:main" in archive.read(f"{folder}/entry_points.txt").decode()
    assert f"{folder}/licenses/LICENSE" in archive.namelist()


def test_it_runs_from_there(wheel: Path, tmp_path: Path) -> None:
    """Migrations and descriptions are found beside the code, not in the checkout."""
    place = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(place)
    program = (
        "import heddle.db.migrate as m, importlib.resources as r;"
        "print(m.__file__, len(m.scripts()), len([f for f in r.files('heddle.arazzo.descriptions').iterdir()"
        " if f.name.endswith('.yml')]))"
    )
    env = {**os.environ, "PYTHONPATH": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    where, scripts, descriptions = done.stdout.split()
    assert Path(where).is_relative_to(place)
    assert (int(scripts), int(descriptions)) == (len(list((SOURCE / "migrations").glob("*.sql"))), 2)
