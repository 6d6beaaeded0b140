"""Start a server for a measurement: `with running(...) as (url, token)`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def running(folder: Path | None = None, **settings: str) -> Iterator[tuple[str, str]]:
    """`heddle serve` with the no-op engine, in a folder that is removed afterwards."""
    home = str(folder or tempfile.mkdtemp(prefix="heddle-bench-"))
    env = {k: v for k, v in os.environ.items() if not k.startswith("HEDDLE_")}
    env |= {f"HEDDLE_{k.upper()}": v for k, v in settings.items()} | {"HEDDLE_STARTING_BUZZ": "1000000000"}
    command = [sys.executable, str(HERE / "noop.py"), "--port", "0", "--home", home]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True)
    try:
        assert server.stdout is not None
        said = ""
        while "heddle login" not in said:
            line = server.stdout.readline()
            assert line, "the server did not start"
            said += line
        found = re.search(r"Your token.*: (\S+)\s+heddle login (\S+)", said)
        assert found is not None
        yield found[2], found[1]
    finally:
        server.terminate()
        server.wait(60)
        shutil.rmtree(home, ignore_errors=folder is not None)


@contextmanager
def echo() -> Iterator[str]:
    """A raw ASGI application on uvicorn that answers every request with its body, in a process of its own."""
    server = subprocess.Popen([sys.executable, str(HERE / "echo.py")], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
    finally:
        server.terminate()
        server.wait(60)
