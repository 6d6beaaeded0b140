"""The sandbox: results and errors come back, limits hold, a cancel kills, and nothing of ours is inside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from heddle.errors import JobCanceled, JobError
from heddle.studio import sandbox
from heddle.studio.sandbox import Limits


def echo(argument: dict[str, Any], report: sandbox.Report) -> Any:
    report(0.5)
    return argument["value"]


def fail(_argument: dict[str, Any], _report: sandbox.Report) -> None:
    raise JobError("this is not for me", reason="media_unreadable")


def blunder(_argument: dict[str, Any], _report: sandbox.Report) -> None:
    raise ValueError("odd")


def eat(_argument: dict[str, Any], _report: sandbox.Report) -> int:
    return len(bytearray(1 << 34))


def spin(_argument: dict[str, Any], _report: sandbox.Report) -> None:
    while True:
        pass


def sleep(argument: dict[str, Any], report: sandbox.Report) -> None:
    Path(argument["mark"]).write_text(str(os.getpid())) if "mark" in argument else None
    report(0.1)
    time.sleep(3600)


def count(argument: dict[str, Any], _report: sandbox.Report) -> Any:
    for number in range(argument["most"]):
        with Path(argument["mark"]).open("a") as mark:
            mark.write(f"{os.getpid()}\n")
        yield {"number": number, "bytes": b"x" * argument.get("size", 0)}
    if "then" in argument:
        raise JobError(argument["then"], reason="media_unreadable")


def crash(_argument: dict[str, Any], _report: sandbox.Report) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def shout(_argument: dict[str, Any], _report: sandbox.Report) -> bytes:
    return b"x" * (2 << 20)


def chatter(_argument: dict[str, Any], _report: sandbox.Report) -> str:
    os.write(1, b"what native code prints\n")
    print("and what Python prints")
    return "result"


def environment(_argument: dict[str, Any], _report: sandbox.Report) -> dict[str, str]:
    return dict(os.environ)


def call(function: Any, argument: dict[str, Any] | None = None, **more: Any) -> Any:
    return sandbox.call(f"{__name__}:{function.__name__}", argument or {}, **more)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child gets our path; this module is to be on it under the name that it has here."""
    folder = Path(__file__).parents[__name__.count(".")]
    monkeypatch.syspath_prepend(str(folder))


@pytest.mark.parametrize("value", [None, 7, 0.5, "text", b"\0bytes", [1, "a"], {"a": [b""]}])
def test_a_value_goes_there_and_comes_back(value: Any) -> None:
    heard: list[float] = []
    assert call(echo, {"value": value}, report=heard.append) == value
    assert 0.5 in heard


def test_a_large_value_is_no_trouble() -> None:
    value = os.urandom(20 << 20)
    assert call(echo, {"value": value}) == value


@pytest.mark.parametrize(
    ("function", "limits", "reason", "says"),
    [
        (fail, {}, "media_unreadable", "this is not for me"),
        (blunder, {}, "media_failed", "ValueError: odd"),
        (eat, {"memory_mb": 1024}, "media_limit", "needs more than 1024 MiB"),
        (spin, {"cpu_s": 1}, "media_limit", "more than 1 s of processor time"),
        (sleep, {"wall_s": 0.5}, "media_limit", "longer than 0.5 s"),
        (shout, {"output_mb": 1}, "media_limit", "larger than 1 MiB"),
        (crash, {}, "media_failed", "signal 11"),
    ],
)
def test_an_end_without_a_result_says_why(function: Any, limits: dict[str, Any], reason: str, says: str) -> None:
    with pytest.raises(JobError) as caught:
        call(function, limits=Limits(**limits))
    assert caught.value.reason == reason
    assert caught.value.retryable == (function is crash), "what a signal ended may go better next time"
    assert says in caught.value.message


def test_what_is_printed_does_not_disturb_the_result() -> None:
    assert call(chatter) == "result"


def test_the_environment_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDDLE_SECRET", "x")
    assert set(call(environment)) == {"PATH", "LC_ALL", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}


def stream(argument: dict[str, Any], **more: Any) -> Any:
    return sandbox.stream(f"{__name__}:{count.__name__}", argument, **more)


def test_a_stream_gives_every_value_in_order(tmp_path: Path) -> None:
    values = list(stream({"most": 50, "mark": str(tmp_path / "mark"), "size": 1000}))
    assert [value["number"] for value in values] == list(range(50))
    assert {value["bytes"] for value in values} == {b"x" * 1000}
    assert list(stream({"most": 0, "mark": ""})) == []


def test_a_stream_waits_for_whoever_takes_it(tmp_path: Path) -> None:
    """A film of any length needs no more memory than a few of its frames."""
    mark = tmp_path / "mark"
    with closing(stream({"most": 100_000, "mark": str(mark), "size": 200_000})) as values:
        taken = [next(values)["number"] for _ in range(10)]
    assert taken == list(range(10))
    pids = mark.read_text().splitlines()
    assert len(pids) < 20
    assert _gone(int(pids[0]))


def test_a_stream_that_fails_or_is_too_much_says_so(tmp_path: Path) -> None:
    values = stream({"most": 2, "mark": str(tmp_path / "mark"), "then": "the rest is missing"})
    assert [next(values)["number"], next(values)["number"]] == [0, 1]
    with pytest.raises(JobError, match="the rest is missing"):
        next(values)
    with pytest.raises(JobError, match="larger than 1 MiB"):
        next(stream({"most": 1, "mark": str(tmp_path / "mark"), "size": 2 << 20}, limits=Limits(output_mb=1)))


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_cancel_kills_the_child(tmp_path: Path) -> None:
    mark = tmp_path / "pid"

    def report(_: float) -> None:
        if mark.exists():
            raise JobCanceled("canceled")

    with pytest.raises(JobCanceled):
        call(sleep, {"mark": str(mark)}, report=report)
    assert _gone(int(mark.read_text()))


def test_the_child_ends_with_its_caller(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}\nfrom heddle.studio import sandbox\n"
        f"sandbox.call({f'{__name__}:sleep'!r}, {{'mark': {str(mark)!r}}})"
    )
    caller = subprocess.Popen([sys.executable, "-c", program])
    try:
        until = time.monotonic() + 20
        while not (mark.exists() and mark.read_text()):
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        caller.kill()
        caller.wait()
    pid = int(mark.read_text())
    until = time.monotonic() + 10
    while not _gone(pid):
        assert time.monotonic() < until
        time.sleep(0.02)
