"""A slot offers what can run in it, so that no claim hands it a job that it cannot run."""

from __future__ import annotations

import asyncio
from typing import Any

from heddle import registry
from heddle.fleet.messages import Loading


async def test_an_engine_that_misses_something_is_not_offered(fleet: Any) -> None:
    async with fleet() as f:
        for _ in range(300):
            slots = f.executor.slots()
            if slots and all("Lame" not in slot.engines for slot in slots):
                break
            await asyncio.sleep(0.1)
        assert slots
        assert all("Echo" in slot.engines and "Lame" not in slot.engines for slot in slots)


async def test_a_model_that_is_being_loaded_says_when_it_will_be_there(fleet: Any) -> None:
    registry.add("engines", "shelf", "shelf:Shelf")
    async with fleet() as f:
        [slot] = f.executor.slots()
        run = f.run(
            "shelf", {"prompt": "red", "steps": 1}, slot=slot.name, model="red", memory_mb=1000, load_s=60.0, est_s=1.0
        )
        await f.hears(run, Loading)
        [slot] = f.executor.slots()
        [red] = slot.models
        assert 50 < red.ready_s <= 60
        assert slot.busy_s >= red.ready_s
        await f.done(run)
        [slot] = f.executor.slots()
        assert [(m.model, m.ready_s) for m in slot.models] == [("red", 0.0)]
        assert slot.busy_s == 0
