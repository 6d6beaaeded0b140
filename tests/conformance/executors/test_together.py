"""Jobs that an engine makes in one go: which go together, and what the trouble of one is to the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from heddle.fleet.messages import Done, LivePreview, Progress, Run, Started
from heddle.fleet.together import HANDED_BACK

AHEAD = 8


def _sheets(f: Any, texts: Sequence[str], steps: int = 3, timeout_s: float = 60.0, **more: Any) -> list[Run]:
    """Jobs that wait in one worker, behind one that gives them time to get there."""
    front = f.run("Slow", {"steps": 15}, lookahead=AHEAD)
    given = {"ink": "black", "steps": steps} | more
    runs = [f.run("Press", given | {"text": text}, lookahead=AHEAD, timeout_s=timeout_s) for text in texts]
    assert front.key not in {run.key for run in runs}
    return runs


def _texts(f: Any, done: Done) -> list[tuple[str, int]]:
    texts: list[tuple[str, int]] = []
    for artifact in done.artifacts:
        with f.storage.open(artifact.key) as file:
            texts.append((file.read().decode(), artifact.metadata["sheets"]))
    return texts


async def test_what_waits_and_is_alike_is_made_in_one_go(fleet: Any) -> None:
    async with fleet(lookahead=AHEAD) as f:
        runs = _sheets(f, ["a", "b", "c"])
        blue = f.run("Press", {"ink": "blue", "text": "d", "steps": 1}, lookahead=AHEAD)
        alone = f.run("Press", {"ink": "", "text": "e", "steps": 1}, lookahead=AHEAD)
        for run, text in zip(runs, "abc", strict=True):
            assert _texts(f, await f.done(run)) == [(text, 3)]
            assert len(f.of(run, Started)) == 1
            assert f.of(run, Progress)
        assert _texts(f, await f.done(blue)) == [("d", 1)]
        assert _texts(f, await f.done(alone)) == [("e", 1)]


async def test_each_shows_its_own_and_nobody_elses(fleet: Any) -> None:
    async with fleet(lookahead=AHEAD, preview_s=0.03) as f:
        runs = _sheets(f, "abc", steps=20)
        for run, text in zip(runs, b"abc", strict=True):
            await f.done(run)
            assert {shown.data for shown in f.of(run, LivePreview)} == {bytes([text])}


async def test_not_more_than_the_engine_takes(fleet: Any) -> None:
    async with fleet(lookahead=AHEAD) as f:
        runs = _sheets(f, "abcde", most=2)
        sizes = [_texts(f, await f.done(run))[0][1] for run in runs]
        assert sorted(sizes) == [1, 2, 2, 2, 2]


async def test_whoever_is_canceled_ends_at_once_and_the_others_go_on(fleet: Any) -> None:
    async with fleet(lookahead=AHEAD) as f:
        first, second, third = _sheets(f, "abc", steps=40)
        await f.started(first)
        await f.hears(first, Progress)
        f.cancel(first)
        assert (await f.fails(first)).reason == "canceled"
        assert not f.of(second, Done)
        for run, text in ((second, "b"), (third, "c")):
            assert _texts(f, await f.done(run)) == [(text, 3)]


async def test_all_canceled_and_the_worker_serves_the_next(fleet: Any) -> None:
    async with fleet(lookahead=AHEAD) as f:
        runs = _sheets(f, "ab", steps=1000)
        pid = await f.pid(runs[0])
        for run in runs:
            f.cancel(run)
        assert [(await f.fails(run)).reason for run in runs] == ["canceled", "canceled"]
        after = f.run("Press", {"ink": "black", "text": "c", "steps": 1})
        assert _texts(f, await f.done(after)) == [("c", 1)]
        assert await f.pid(after) == pid


async def test_the_fault_of_one_is_not_that_of_the_others(fleet: Any) -> None:
    """They are handed back, and each is run by itself; a second attempt is never made with others."""
    async with fleet(lookahead=AHEAD) as f:
        runs = _sheets(f, ["a", "smudge", "c"])
        ends = [await f.fails(run) for run in runs]
        assert {(end.reason, end.retryable) for end in ends} == {(HANDED_BACK, True)}
        again = [f.run("Press", run.payload, job_id=run.job_id, attempt=2, lookahead=AHEAD) for run in runs]
        assert (await f.fails(again[1])).message == "the ink ran"
        assert _texts(f, await f.done(again[0])) == [("a", 1)]
        assert _texts(f, await f.done(again[2])) == [("c", 1)]


@pytest.mark.parametrize("text", ["thin", "stingy"])
async def test_too_much_or_too_little_at_once_is_handed_back(fleet: Any, text: str) -> None:
    async with fleet(lookahead=AHEAD) as f:
        runs = _sheets(f, [text, "b"])
        assert [(await f.fails(run)).reason for run in runs] == [HANDED_BACK] * 2
        again = [f.run("Press", run.payload, job_id=run.job_id, attempt=2, lookahead=AHEAD) for run in runs]
        assert [_texts(f, await f.done(run)) for run in again] == [[(text, 1)], [("b", 1)]]


async def test_whoever_is_killed_for_a_cancel_or_for_its_time_costs_others_nothing(fleet: Any) -> None:
    async with fleet(lookahead=AHEAD) as f:
        for end in ("cancel", "time"):
            slow, other = _sheets(f, ["deaf", "b"], timeout_s=1.0 if end == "time" else 60.0)
            await f.started(other)
            if end == "cancel":
                f.cancel(slow)
            assert (await f.fails(slow)).reason == ("canceled" if end == "cancel" else "timeout")
            assert (await f.fails(other)).reason == HANDED_BACK


async def test_a_call_for_several_has_the_time_of_all(fleet: Any) -> None:
    async with fleet(lookahead=AHEAD) as f:
        runs = _sheets(f, "abc", steps=60, timeout_s=0.8)
        assert [_texts(f, await f.done(run))[0][1] for run in runs] == [3, 3, 3]


async def test_a_killed_worker_loses_what_it_made_and_nothing_else(fleet: Any) -> None:
    async with fleet(lookahead=AHEAD) as f:
        runs = _sheets(f, "ab", steps=1000)
        waiting = f.run("Echo", lookahead=AHEAD)
        pid = await f.pid(runs[0])
        for run in runs:
            await f.started(run)
        os.kill(pid, signal.SIGKILL)
        ends = [await f.fails(run) for run in runs]
        assert {(end.reason, end.retryable) for end in ends} == {("worker_died", True)}
        await f.done(waiting)
