"""Work that may stand still, in a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


async def apart(work: Callable[[], Coroutine[Any, Any, T]], patience_s: float) -> T:
    """What `work` gives, or raises. When we are canceled it is too, and is waited for so long; then it is left alone.

    Nobody can stop a thread: one that is left comes to its end by itself, and holds up no exit of the process.
    """
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()
    began: Future[Callable[[], None]] = Future()
    Thread(target=_run, args=(work, began, done), name="heddle-run", daemon=True).start()
    ended = asyncio.wrap_future(done)
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        began.add_done_callback(lambda cancel: cancel.result()())
        await asyncio.wait({ended}, timeout=patience_s)
        ended.cancel()
        raise


def _run(work: Callable[[], Coroutine[Any, Any, T]], began: Future[Callable[[], None]], done: Future[T]) -> None:
    async def main() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work())

        def cancel() -> None:
            with suppress(RuntimeError):  # the loop is closed: it is over already
                loop.call_soon_threadsafe(task.cancel)

        began.set_result(cancel)
        return await task

    try:
        done.set_result(asyncio.run(main()))
    except BaseException as error:  # noqa: BLE001 - raised where it is waited for
        done.set_exception(error)
