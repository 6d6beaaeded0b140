"""What a server says and logs holds no key: no signed link, no token on a command line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
from tests.serving import Serving


def test_the_access_log_holds_paths_without_queries(tmp_path: Path) -> None:
    serving = Serving(tmp_path / "home", slots=1, log_level="debug").start()
    with serving.client() as client:
        made = client.post("/v2/consumer/blobs/upload", params={"sig": "a-key-that-opens", "exp": "1"})
        shown = client.get("/v2/consumer/blobs/content/blob_none", params={"sig": "a-key-that-opens", "exp": "1"})
    assert made.status_code >= 400
    assert shown.status_code >= 400
    serving.stop()
    log = (tmp_path / "server.log").read_text()
    assert "GET /v2/consumer/blobs/content/blob_none HTTP" in log
    assert "a-key-that-opens" not in log


def test_the_greeting_puts_the_token_on_no_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "heddle", "serve", "--port", "0", "--home", str(tmp_path / "home")]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert server.stdout is not None
    try:
        first, second, third = (server.stdout.readline() for _ in range(3))
        found = re.fullmatch(r"Your token, shown this once: (hd_\S+)\n", second)
        assert found is not None
        assert found[1] not in first + third
        assert "--token" not in third
        url, bearer = third.split()[2], {"Authorization": f"Bearer {found[1]}"}
        assert httpx.get(f"{url}/api/v1/me", headers=bearer, trust_env=False).json()["username"] == "owner"
    finally:
        server.terminate()
        rest = server.communicate()[0]
    assert found[1] not in rest
    assert server.returncode == 0
