"""Room for sources: how many addresses this process fetches at the same time, and how many bytes of sources it holds.

Who finds no room waits in line, and hears after a while that there is none. One account has half of the places and
half of the bytes at most, so that an address which answers slowly is the trouble of whoever gave it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from heddle.errors import Unavailable


class Pool:
    """Some of something that many share: taken in the order of coming, given back, and never more than there is."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def idle(self) -> bool:
        """Nobody has or wants any of it."""
        return self._free == self._total and not self._line

    async def take(self, count: int, seconds: float) -> int:
        """Wait for so many, or for all where that is more than there are; how many. Raises TimeoutError."""
        count = min(count, self._total)
        if count <= self._free and not self._line:
            self._free -= count
            return count
        turn = asyncio.get_running_loop().create_future()
        self._line.append((count, turn))
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException:
            # Its turn may have come in the same moment.
            self.give(0 if turn.cancelled() else count)
            raise
        return count

    def give(self, count: int) -> None:
        """Take back, and serve who waits."""
        self._free += count
        while self._line:
            wanted, turn = self._line[0]
            if turn.done():  # gave up
                self._line.popleft()
                continue
            if wanted > self._free:
                break
            self._line.popleft()
            self._free -= wanted
            turn.set_result(None)


class Shared:
    """A pool of which one account has half at most. Who waits `wait_s` in vain is told who has it."""

    def __init__(self, total: int, wait_s: float, mine: str, others: str) -> None:
        self._pool = Pool(total)
        self._share = (total + 1) // 2
        self._shares: dict[int, Pool] = {}
        self._wait_s = wait_s
        self._mine = mine
        self._others = others

    async def take(self, account_id: int, count: int) -> int:
        """Wait for so many, or for half of all where that is more; how many. Raises Unavailable."""
        share = self._shares.setdefault(account_id, Pool(self._share))
        try:
            taken = await self._wait(share, count, self._mine)
            try:
                return await self._wait(self._pool, taken, self._others)
            except BaseException:
                share.give(taken)
                raise
        finally:
            self._forget(account_id)

    def give(self, account_id: int, count: int) -> None:
        """Take back what this account took."""
        if count:
            self._pool.give(count)
            self._shares[account_id].give(count)
            self._forget(account_id)

    def _forget(self, account_id: int) -> None:
        if (share := self._shares.get(account_id)) is not None and share.idle:
            del self._shares[account_id]

    async def _wait(self, pool: Pool, count: int, trouble: str) -> int:
        try:
            return await pool.take(count, self._wait_s)
        except TimeoutError as error:
            raise Unavailable(f"{trouble}, and that did not change for {self._wait_s:g} s") from error


class Room:
    """What the sources of all requests share. `size` is in bytes; `wait_s` is how long one waits for room."""

    def __init__(self, places: int = 16, size: int = 256 * 1024 * 1024, wait_s: float = 10.0) -> None:
        self._places = Shared(
            places,
            wait_s,
            mine="this account fetches as many sources already as one may at the same time",
            others="as many sources are being fetched as this server fetches at once",
        )
        self._bytes = Shared(
            size,
            wait_s,
            mine="the sources of this account fill the room that one may have",
            others="the sources of other requests fill the room that there is",
        )

    @asynccontextmanager
    async def place(self, account_id: int) -> AsyncGenerator[None]:
        """For one fetch. Raises Unavailable."""
        await self._places.take(account_id, 1)
        try:
            yield
        finally:
            self._places.give(account_id, 1)

    def hold(self, account_id: int) -> Hold:
        """For the bytes of one source."""
        return Hold(self._bytes, account_id)


class Hold:
    """Room for the bytes of one source, until the context ends."""

    def __init__(self, room: Shared, account_id: int) -> None:
        self._room = room
        self._account_id = account_id
        self._count = 0

    async def expect(self, count: int) -> None:
        """So many may come in all, whatever was expected before. Raises Unavailable."""
        # Who waits holds nothing: two that hold a part each and want more would wait for each other.
        self.keep(0)
        self._count = await self._room.take(self._account_id, count)

    def keep(self, count: int) -> None:
        """Only so many came; the rest of the room is given back."""
        left = min(count, self._count)
        self._room.give(self._account_id, self._count - left)
        self._count = left

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.keep(0)
