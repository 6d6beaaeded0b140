"""How attempts end, when their engine behaves and when it does not."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from heddle.fleet.messages import MAX_FRAME, Done, Log, Started


async def test_artifacts_are_in_storage(fleet: Any) -> None:
    async with fleet() as f:
        run = f.run("Echo", {"texts": ["one", "two"]})
        done = await f.done(run)
        for artifact, text in zip(done.artifacts, [b"one", b"two"], strict=True):
            with f.storage.open(artifact.key) as file:
                assert file.read() == text
            assert (artifact.size, artifact.sha256) == (3, sha256(text).hexdigest())
            assert artifact.key == f"jobs/{artifact.blob_id[-2:]}/{artifact.blob_id}"
            assert artifact.mime == "text/plain"
        assert [type(event) for event in f.of(run, object)] == [Started, Done]


async def test_inputs_are_read_from_storage(fleet: Any) -> None:
    async with fleet() as f:
        f.storage.write("uploads/7F/blob_a", [b"from outside"])
        inputs = {"blob_a": "uploads/7F/blob_a", "blob_gone": "uploads/7F/blob_gone"}
        good = await f.done(f.run("Echo", {"texts": [], "read": ["blob_a"]}, inputs=inputs))
        with f.storage.open(good.artifacts[0].key) as file:
            assert file.read() == b"from outside"
        gone = await f.fails(f.run("Echo", {"read": ["blob_gone"]}, inputs=inputs))
        assert gone.reason == "input_missing"
        strange = await f.fails(f.run("Echo", {"read": ["blob_b"]}, inputs=inputs))
        assert "'blob_b' is not an input" in strange.message


async def test_progress_arrives_in_order(fleet: Any) -> None:
    async with fleet() as f:
        run = f.run("Slow", {"steps": 30, "step_s": 0.02})
        await f.done(run)
        fractions = f.fractions(run)
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0
        assert 2 <= len(fractions) < 15


async def test_a_flood_of_reports_is_thinned(fleet: Any) -> None:
    async with fleet() as f:
        run = f.run("ReportOften")
        await f.done(run)
        assert len(f.fractions(run)) < 60
        assert f.fractions(run)[-1] == 1.0
        assert len(f.of(run, Log)) == 1000


@pytest.mark.parametrize(
    ("engine", "reason", "words", "retryable"),
    [
        ("Raise", "engine_failed", "ValueError: two lines of trouble", False),
        ("RaiseAfterFirst", "engine_failed", "no second", False),
        ("RaiseJobError", "holiday", "the sampler is on holiday", True),
        ("SystemExits", "engine_failed", "SystemExit: enough", False),
        ("RaiseOnImport", "engine_unavailable", "this module cannot be imported", False),
        ("RaiseInConstructor", "engine_unavailable", "this engine cannot be built", False),
        ("unheard-of", "engine_unavailable", "there is no engine 'unheard-of'", False),
        ("ReturnNothing", "no_output", "made nothing", False),
        ("MakeNothing", "no_output", "made nothing", False),
        ("MakeForever", "bad_output", "more than 100 things", False),
        ("MakeStrings", "bad_output", "made a str", False),
        ("MakeOddMetadata", "bad_output", "metadata", False),
    ],
)
async def test_failing_engines(fleet: Any, engine: str, reason: str, words: str, retryable: bool) -> None:
    """The worker survives all of these."""
    async with fleet() as f:
        before = await f.done(f.run("Echo"))
        failed = await f.fails(f.run(engine))
        assert (failed.reason, failed.retryable) == (reason, retryable)
        assert words in failed.message
        assert "\n" not in failed.message
        after = await f.done(f.run("Echo"))
        assert after.artifacts[0].metadata == before.artifacts[0].metadata


async def test_what_an_engine_makes_is_looked_at(fleet: Any) -> None:
    """Everything that could not be recorded later is refused here, with a sentence that says what is wrong."""
    wrong = {
        "data": "data that is a str",
        "mime": "of the type 'text/plain\\r\\nX-More: 1'",
        "no mime": "of the type None",
        "width": "width is '10'",
        "float width": "width is 10.5",
        "height": "height is 0",
        "bool height": "height is True",
        "duration": "duration_ms is -1",
        "huge duration": f"duration_ms is {2**63}",
        "metadata": "metadata that is a list",
        "no metadata": "metadata that is a NoneType",
        "large metadata": "metadata of 70011 bytes",
        "deep metadata": "deeper than 16 levels",
        "huge number": "no JSON",
        "surrogate": "no JSON",
        "rating": "nsfwLevel is 'R'; it should be an int from 0 to 32",
        "high rating": "nsfwLevel is 33",
        "no rating": "nsfwLevel is None",
        "seed": "seed is '1'",
    }
    async with fleet() as f:
        for what, words in wrong.items():
            failed = await f.fails(f.run("MakeWrong", {"what": what}))
            assert (failed.reason, failed.retryable) == ("bad_output", False), what
            assert words in failed.message
        odd = await f.done(f.run("MakeOdd"))
        assert odd.artifacts[0].metadata == {"nsfwLevel": 32, "pair": [1, 2], "nan": None, "names": {"1": "one"}}


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("Exit", "ended itself with status 3: these are my last words"),
        ("KillSelf", "ended by signal SIGKILL"),
        ("KillSelfOddly", "ended by signal 40"),
        ("Segfault", "Segmentation fault"),
        ("WriteToChannel", "sent something that is no message"),
        ("LeakProcess", "ended itself with status 4"),
        ("ForkAndDie", "ended itself with status 5"),
    ],
)
async def test_dying_workers(fleet: Any, engine: str, words: str) -> None:
    """The attempt is lost and may be tried again; what waited behind it is run by the next worker."""
    async with fleet(lookahead=2) as f:
        lost = f.run(engine, {"for_s": 2}, lookahead=8)
        waiting = [f.run("Echo", lookahead=8), f.run("Echo")]
        failed = await f.fails(lost)
        assert (failed.reason, failed.retryable) == ("worker_died", True)
        assert words in failed.message
        for run in waiting:
            await f.done(run)
            assert len(f.of(run, Started)) == 1


async def test_out_of_memory(fleet: Any) -> None:
    async with fleet(worker_memory_mb=700) as f:
        before = await f.done(f.run("Echo"))
        greedy, waiting = f.run("Gluttonous", lookahead=8), f.run("Echo", lookahead=8)
        failed = await f.fails(greedy)
        assert (failed.reason, failed.retryable) == ("out_of_memory", True)
        after = await f.done(waiting)
        assert after.artifacts[0].metadata != before.artifacts[0].metadata, "a new process"


async def test_a_huge_artifact(fleet: Any) -> None:
    async with fleet() as f:
        done = await f.done(f.run("MakeHuge", {"size": MAX_FRAME + 1}))
        assert done.artifacts[0].size == MAX_FRAME + 1
        assert done.artifacts[0].sha256 == sha256(b"h" * (MAX_FRAME + 1)).hexdigest()


async def test_a_job_larger_than_any_frame(fleet: Any) -> None:
    async with fleet() as f:
        failed = await f.fails(f.run("Echo", {"texts": ["x" * (MAX_FRAME + 1)]}))
        assert (failed.reason, failed.retryable) == ("too_large", False)
        await f.done(f.run("Echo"))


async def test_garbage_on_the_standard_streams(fleet: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="heddle.fleet"):
        async with fleet() as f:
            await f.done(f.run("PrintGarbage"))
            await f.fails(f.run("Exit"))
    lines = [record.getMessage() for record in caplog.records]
    assert any("not text" in line for line in lines)
    assert len(lines) < 1000, "a flood is thinned"
    assert all(line.isprintable() and len(line) < 3000 for line in lines)


async def test_threads_left_behind(fleet: Any) -> None:
    """They neither speak for a later attempt nor keep the process."""
    async with fleet() as f:
        leaky = f.run("LeakThreads")
        await f.done(leaky)
        said = len(f.of(leaky, object))
        later = f.run("Slow", {"steps": 10, "step_s": 0.02})
        await f.done(later)
        assert 0.1 not in f.fractions(later)[1:]
        assert len(f.of(leaky, object)) == said


async def test_the_same_attempt_twice(fleet: Any) -> None:
    async with fleet() as f:
        run = f.run("Slow", {"steps": 3})
        with pytest.raises(ValueError, match="is here already"):
            f.executor.run(run)
        await f.done(run)
        again = f.run("Echo", job_id=run.job_id, attempt=2)
        await f.done(again)
