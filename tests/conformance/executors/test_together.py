"""Jobs that an engine makes in one go: which go together, and what the trouble of one is to the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

from heddle.fleet.messages import Done, LivePreview, Progress, Run, Started

AHEAD = 8


def _sheets(f: Any, texts: Sequence[str], steps: int = 3, **more: Any) -> list[Run]:
    """Jobs that wait in one worker, behind one that gives them time to get there."""
    front = f.run("Slow", {"steps": 15}, lookahead=AHEAD)
    runs = [f.run("Press", {"ink": "black", "text": text, "steps": steps} | more, lookahead=AHEAD) for text in texts]
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
    async with fleet(lookahead=AHEAD) as f:
        good, bad, other = _sheets(f, ["a", "smudge", "c"])
        assert (await f.fails(bad)).message == "the ink ran"
        assert _texts(f, await f.done(good)) == [("a", 1)]
        assert _texts(f, await f.done(other)) == [("c", 1)]
        assert [len(f.of(run, Started)) for run in (good, bad, other)] == [1, 1, 1]


async def test_too_much_at_once_is_made_one_by_one(fleet: Any) -> None:
    async with fleet(lookahead=AHEAD) as f:
        runs = _sheets(f, ["thin", "b"])
        assert [_texts(f, await f.done(run)) for run in runs] == [[("thin", 1)], [("b", 1)]]


async def test_an_engine_that_makes_too_few_is_asked_for_each(fleet: Any) -> None:
    async with fleet(lookahead=AHEAD) as f:
        runs = _sheets(f, ["stingy", "b"])
        assert [_texts(f, await f.done(run)) for run in runs] == [[("stingy", 1)], [("b", 1)]]


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
