"""Room for sources: in the order of coming, never more than there is, and an end to the waiting."""

from __future__ import annotations

import asyncio

import pytest

from heddle.api.room import Pool, Room
from heddle.errors import Unavailable

LONG = 60.0


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_comes_first_is_served_first() -> None:
    async def scene() -> list[str]:
        pool, served = Pool(4), list[str]()

        async def want(name: str, count: int) -> None:
            await pool.take(count, LONG)
            served.append(name)

        await want("a", 3)
        async with asyncio.TaskGroup() as group:
            for name, count in (("large", 4), ("small", 1)):  # the small one would fit, and does not overtake
                group.create_task(want(name, count))
            await _settled()
            assert served == ["a"]
            pool.give(3)
            await _settled()
            assert served == ["a", "large"]
            pool.give(4)
        pool.give(1)
        assert pool.idle
        return served

    assert asyncio.run(scene()) == ["a", "large", "small"]


def test_what_is_more_than_there_is_takes_all_and_gives_back_as_much() -> None:
    async def scene() -> None:
        pool = Pool(4)
        assert await pool.take(9, LONG) == 4
        with pytest.raises(TimeoutError):
            await pool.take(1, 0.01)
        pool.give(4)
        assert pool.idle

    asyncio.run(scene())


@pytest.mark.parametrize("served", [False, True])
def test_who_gives_up_takes_nothing_with_them(served: bool) -> None:
    async def scene() -> None:
        pool = Pool(1)
        await pool.take(1, LONG)
        first, second = (asyncio.create_task(pool.take(1, LONG)) for _ in range(2))
        await _settled()
        if served:  # its turn comes, and before it can go on it is canceled
            pool.give(1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        if not served:
            pool.give(1)
        assert await second == 1
        pool.give(1)
        assert pool.idle

    asyncio.run(scene())


def test_one_account_has_half_of_the_places() -> None:
    async def scene() -> None:
        room = Room(places=4, wait_s=0.01)
        async with room.place(1), room.place(1):
            with pytest.raises(Unavailable, match="this account fetches as many"):
                async with room.place(1):
                    pass
            async with room.place(2), room.place(2):
                with pytest.raises(Unavailable, match="as many sources are being fetched"):
                    async with room.place(3):
                        pass
        async with room.place(1), room.place(3), room.place(2), room.place(2):
            pass

    asyncio.run(scene())


def test_one_account_has_half_of_the_bytes_and_needs_no_more() -> None:
    async def scene() -> None:
        room = Room(size=100, wait_s=0.01)
        with room.hold(1) as hold:
            await hold.expect(1000)
            with room.hold(1) as more, pytest.raises(Unavailable, match="the sources of this account fill the room"):
                await more.expect(1)
            with room.hold(2) as other:
                await other.expect(50)
                with room.hold(3) as third, pytest.raises(Unavailable, match="of other requests fill the room"):
                    await third.expect(1)
        with room.hold(3) as hold, room.hold(3) as more, room.hold(1) as other:
            await hold.expect(20)
            await more.expect(30)
            await other.expect(50)

    asyncio.run(scene())


def test_what_was_expected_and_did_not_come_is_given_back() -> None:
    async def scene() -> None:
        room = Room(size=100, wait_s=0.01)
        with room.hold(1) as hold, room.hold(1) as more:
            await hold.expect(50)
            hold.keep(10)
            await more.expect(40)
            with pytest.raises(Unavailable), room.hold(1) as third:
                await third.expect(1)

    asyncio.run(scene())


def test_two_that_expect_more_than_both_can_have_do_not_wait_for_each_other() -> None:
    async def scene() -> list[str]:
        room, done = Room(size=100, wait_s=LONG), list[str]()

        async def fetch(name: str) -> None:
            with room.hold(1) as hold:
                await hold.expect(20)
                await _settled()
                await hold.expect(50)
                await _settled()
                done.append(name)

        async with asyncio.timeout(LONG / 2):
            await asyncio.gather(fetch("a"), fetch("b"))
        return done

    assert asyncio.run(scene()) == ["a", "b"]
