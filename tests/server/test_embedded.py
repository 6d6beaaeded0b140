"""A server that commands start for themselves: shared, not lost in the middle, private, and gone at the end."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.serving import Serving

from heddle.server import HomeLock, local_url, public_url
from heddle.settings import Settings

COMMAND = """
import sys
from heddle.cli.embedded import embedded
with embedded() as (url, token):
    print(url, token, flush=True)
    sys.stdin.read()
"""


class Command:
    """A command that uses an embedded server until it is told to end."""

    def __init__(self, home: Path, **more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND],
            env=environment(home, **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.token = ""

    def ready(self) -> Command:
        assert self.process.stdout is not None
        self.url, self.token = self.process.stdout.readline().split()
        return self

    def status(self) -> int:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.get(f"{self.url}/api/v1/me", headers=headers, trust_env=False, timeout=10).status_code

    def end(self, *, kill: bool = False) -> int:
        if kill:
            self.process.kill()
        self.process.communicate()
        return self.process.returncode


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HEDDLE_")}
    return kept | {"HEDDLE_HOME": str(home), "HEDDLE_SLOTS": "1", "XDG_CONFIG_HOME": str(home.parent)} | more


def heddle(home: Path, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "heddle", *args]
    return subprocess.run(command, env=environment(home, **more), capture_output=True, text=True, check=False)


def gone(home: Path) -> bool:
    for _ in range(200):
        if HomeLock(home).holder() is None:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def two(home: Path) -> Iterator[tuple[Command, Command]]:
    """Two commands that begin at the same moment on an empty data folder."""
    both = (Command(home), Command(home))
    yield both
    for command in both:
        if command.process.returncode is None:
            command.end()


@pytest.mark.parametrize("kill", [False, True])
def test_the_server_stays_until_the_last_command_ends(two: tuple[Command, Command], home: Path, kill: bool) -> None:
    first, second = (command.ready() for command in two)
    assert first.url == second.url
    starter, guest = (first, second) if children(first) else (second, first)
    starter.end(kill=kill)
    time.sleep(0.5)  # longer than the pause between two looks at whether anybody is left
    assert guest.status() == 200
    assert guest.end() == 0
    assert gone(home)


def children(command: Command) -> str:
    return Path(f"/proc/{command.process.pid}/task/{command.process.pid}/children").read_text().strip()


def test_the_end_of_the_only_command_is_the_end_of_the_server(home: Path) -> None:
    command = Command(home).ready()
    assert command.end() == 0
    assert HomeLock(home).holder() is None


def test_a_public_address_is_not_where_a_command_goes(home: Path) -> None:
    command = Command(home, HEDDLE_PUBLIC_URL="https://heddle.example.org", HEDDLE_HOST="0.0.0.0").ready()
    assert command.url.startswith("http://127.0.0.1:")
    assert command.status() == 200
    assert command.end() == 0


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8765"),
        ("0.0.0.0", "http://127.0.0.1:8765"),
        ("::1", "http://[::1]:8765"),
        ("::", "http://[::1]:8765"),
        ("heddle.example.org", "http://heddle.example.org:8765"),
    ],
)
def test_the_local_address(host: str, url: str) -> None:
    assert local_url(Settings(host=host, public_url="https://example.org/")) == url
    assert public_url(Settings(host=host)) == url
    assert public_url(Settings(host=host, public_url="https://example.org/")) == "https://example.org"


def test_work_is_not_left_with_a_server_that_ends(home: Path) -> None:
    refused = heddle(home, "submit", "-p", "a fox", "--no-wait")
    assert refused.returncode == 1
    assert "hint: start one with `heddle serve`" in refused.stderr
    command = Command(home).ready()
    assert heddle(home, "submit", "-p", "a fox", "--no-wait").returncode == 1
    assert heddle(home, "ps").stdout == "no workflows\n"
    command.end()


def test_a_server_that_lasts_takes_work_without_waiting(home: Path) -> None:
    serving = Serving(home, slots=1, public_url="http://127.0.0.1:9").start()
    made = heddle(home, "submit", "-p", "a fox", "--no-wait", "--steps", "1")
    assert (made.returncode, made.stdout[:3]) == (0, "wf_"), made.stderr
    assert serving.stop() == 0


def test_serve_shows_a_token_when_nobody_has_one(home: Path) -> None:
    assert heddle(home, "ps").returncode == 0
    serving = Serving(home, slots=1).start()
    with serving.client() as client:
        assert client.get("/api/v1/me").json()["username"] == "owner"
    serving.stop()
    assert '"start without a token"' in heddle(home, "tokens", "list", "--json").stdout
    before = heddle(home, "tokens", "list", "--json").stdout
    serving.start()
    serving.stop()
    assert heddle(home, "tokens", "list", "--json").stdout == before


def test_what_is_kept_is_for_its_owner_only(home: Path) -> None:
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    made = heddle(home, "submit", "-p", "a fox", "--steps", "1", "--save", str(home.parent / "out"))
    assert made.returncode == 0, made.stderr
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    open_to_others = [str(p) for p in home.rglob("*") if stat.S_IMODE(p.stat().st_mode) & 0o077]
    assert open_to_others == []


def test_a_folder_that_was_open_is_closed_by_any_command(home: Path) -> None:
    home.mkdir()
    home.chmod(0o755)
    assert heddle(home, "accounts", "create", "alice").returncode == 0
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "heddle.db").stat().st_mode) == 0o600


def test_why_the_server_did_not_start_is_told_with_its_hint(home: Path) -> None:
    home.mkdir()
    refused = heddle(home, "submit", "-p", "a fox", HEDDLE_STORAGE="tape")
    assert refused.returncode == 1
    first, second = refused.stderr.splitlines()
    assert first.startswith("heddle: the embedded server did not start: HEDDLE_STORAGE is 'tape'")
    assert second.startswith("hint: set it to ")
