"""Start and stop of an ASGI application that is called in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from heddle.errors import UsageError

Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
"""An ASGI application."""


@asynccontextmanager
async def started(app: Application) -> AsyncGenerator[Application]:
    """The application between its start and its stop, with the state that it made at its start.

    Raises UsageError when it does not start. One that knows nothing of starting is called all the same.
    """
    state: dict[str, Any] = {}
    asked: asyncio.Queue[Message] = asyncio.Queue()
    told: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.ensure_future(
        app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}, asked.get, told.put)
    )
    answer = await _said("startup", asked, told, task)
    if answer.endswith(".failed"):
        await asyncio.gather(task, return_exceptions=True)
        raise UsageError(f"the application did not start: {answer}", "its log may say why")

    async def stateful(scope: Message, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state)} if state else scope, receive, send)

    try:
        yield stateful
    finally:
        if answer:
            await _said("shutdown", asked, told, task)
        await asyncio.gather(task, return_exceptions=True)


async def _said(word: str, asked: asyncio.Queue[Message], told: asyncio.Queue[Message], task: Any) -> str:
    """The application's answer; empty when it went away instead, as one does that knows no lifespan."""
    await asked.put({"type": f"lifespan.{word}"})
    hearing = asyncio.ensure_future(told.get())
    await asyncio.wait({hearing, task}, return_when=asyncio.FIRST_COMPLETED)
    if not hearing.done():
        hearing.cancel()
        return ""
    return str(hearing.result()["type"])
