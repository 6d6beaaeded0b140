"""In continuous integration a skip is a failure, also where several processes run the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FILES = {
    "test_good.py": "def test_one(): pass",
    "test_one.py": "import pytest\n@pytest.mark.skip(reason='the moon is down')\ndef test_one(): pass",
    "test_module.py": "import pytest\npytest.skip('the sun is down', allow_module_level=True)",
    "test_lacking.py": "import pytest\n@pytest.mark.skip(reason='node is not installed')\ndef test_one(): pass",
}


@pytest.mark.slow
def test_a_skip_fails(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, "-p", "tests.conftest", "-n", "2", str(tmp_path)],
        env={**os.environ, "CI": "true", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    [said] = [part for part in done.stdout.split("\n\n") if "must not be in continuous integration" in part]
    assert (said.count("the moon is down"), said.count("the sun is down"), said.count("node")) == (1, 1, 0), said
