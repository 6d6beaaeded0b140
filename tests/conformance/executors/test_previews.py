"""What a job shows while it runs: not too often, nothing that is no small picture, and never at the job's cost."""

from __future__ import annotations

from typing import Any

import pytest

from heddle.fleet.messages import Done, LivePreview, Log, Started


async def test_a_job_shows_what_it_has_now_and_then(fleet: Any) -> None:
    async with fleet(preview_s=0.1) as f:
        run = f.run("Show", {"steps": 60})
        await f.done(run)
        shown = f.of(run, LivePreview)
        assert {(one.data, one.mime) for one in shown} == {(b"0", "image/webp")}
        assert 2 <= len(shown) < 20
        kinds = [type(event) for event in f.of(run, Started, LivePreview, Done)]
        assert (kinds[0], kinds[-1]) == (Started, Done)


async def test_nothing_is_shown_where_nobody_wants_it(fleet: Any) -> None:
    async with fleet(preview_s=0) as f:
        run = f.run("Show", {"steps": 20, "shown": "error"})
        await f.done(run)
        assert f.of(run, LivePreview, Log) == []


async def test_a_short_job_shows_nothing(fleet: Any) -> None:
    async with fleet(preview_s=30) as f:
        run = f.run("Show", {"steps": 5})
        await f.done(run)
        assert f.of(run, LivePreview) == []


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("large", "a live preview of 100000 bytes; 65536 may be"),
        ("page", "of the type 'text/html'"),
        ("nothing", "made a preview that is a NoneType"),
        ("error", "ValueError: no picture today"),
    ],
)
async def test_what_is_no_preview_ends_them_and_not_the_job(fleet: Any, shown: str, said: str) -> None:
    async with fleet(preview_s=0.02) as f:
        run = f.run("Show", {"steps": 30, "shown": shown})
        await f.done(run)
        assert f.of(run, LivePreview) == []
        logged = [event.text for event in f.of(run, Log)]
        assert len(logged) == 1
        assert said in logged[0]
