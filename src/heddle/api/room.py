"""Room for sources: how many addresses this process fetches at the same time, and how many bytes of sources it holds.

Who finds no room waits in line, and hears after a while that there is none. One account has half of the places at
most, so that an address which answers slowly is the trouble of whoever gave it.
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


class Room:
    """What the sources of all requests share. `size` is in bytes; `wait_s` is how long one waits for room."""

    def __init__(self, places: int = 16, size: int = 256 * 1024 * 1024, wait_s: float = 10.0) -> None:
        self._places = Pool(places)
        self._bytes = Pool(size)
        self._wait_s = wait_s
        self._share = (places + 1) // 2
        self._shares: dict[int, Pool] = {}

    @asynccontextmanager
    async def place(self, account_id: int) -> AsyncGenerator[None]:
        """For one fetch. Raises Unavailable."""
        share = self._shares.setdefault(account_id, Pool(self._share))
        try:
            await self._wait(share, 1, "this account fetches as many sources already as one may at the same time")
            try:
                await self._wait(self._places, 1, "as many sources are being fetched as this server fetches at once")
                try:
                    yield
                finally:
                    self._places.give(1)
            finally:
                share.give(1)
        finally:
            if share.idle:
                self._shares.pop(account_id, None)

    def hold(self) -> Hold:
        """For the bytes of one source."""
        return Hold(self)

    async def bytes(self, count: int) -> int:
        """Wait for room for so many bytes; how many were taken. Raises Unavailable."""
        return await self._wait(self._bytes, count, "the sources of other requests fill the room that there is")

    def free(self, count: int) -> None:
        """These bytes are gone."""
        self._bytes.give(count)

    async def _wait(self, pool: Pool, count: int, trouble: str) -> int:
        try:
            return await pool.take(count, self._wait_s)
        except TimeoutError as error:
            raise Unavailable(f"{trouble}, and that did not change for {self._wait_s:g} s") from error


class Hold:
    """The bytes of one source, until the context ends."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._count = 0

    async def expect(self, count: int) -> None:
        """So many may come. Raises Unavailable."""
        self._count += await self._room.bytes(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._room.free(self._count)
