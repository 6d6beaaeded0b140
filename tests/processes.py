"""What tests ask about processes that are not their children."""

from __future__ import annotations

import asyncio
from pathlib import Path


def exists(pid: int) -> bool:
    """Whether there is such a process, other than as a zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def is_frozen(pid: int) -> bool:
    """Whether the process is stopped, so that it cannot see that its parent died."""
    return ") T " in Path(f"/proc/{pid}/stat").read_text()


async def vanished(pid: int, within_s: float = 5) -> bool:
    """Nobody tells a stranger that a process ended, so this looks again and again."""
    async with asyncio.timeout(within_s):
        while exists(pid):
            await asyncio.sleep(0.01)
    return True
