"""For those who watch: is it alive, can it take work, what does it count. Also of processes without an API."""

from __future__ import annotations

import asyncio
import ipaddress

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from heddle import metrics
from heddle.api import problems
from heddle.api.census import Census
from heddle.api.deps import answer
from heddle.db import Database
from heddle.errors import CallerError, Forbidden, Unavailable
from heddle.settings import Settings

#: Headers by which a proxy says that it only passes a request on.
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-real-ip")


class Probes:
    """What is asked of one process."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._census = Census(db)

    def routes(self) -> list[Route]:
        """`/livez`, `/readyz`, and `/metrics` unless it is off."""
        routes = [Route("/livez", self.live, methods=["GET"]), Route("/readyz", self.ready, methods=["GET"])]
        if self._settings.metrics != "off":
            routes.append(Route("/metrics", self.metrics, methods=["GET"]))
        return routes

    async def live(self, _request: Request) -> Response:
        """The event loop turns: whoever gets no answer may restart the process."""
        return answer({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """The database answers, and took what was last written; else 503, and work should go elsewhere."""
        stopping: asyncio.Event | None = getattr(request.app.state, "stopping", None)
        if stopping is not None and stopping.is_set():
            raise Unavailable("this process is about to stop")
        await self._db.ready()
        return answer({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        """What is counted, in Prometheus' text format."""
        if self._settings.metrics != "open" and not _from_here(request):
            raise Forbidden("/metrics is read from this machine alone; HEDDLE_METRICS=open lets others read it, too")
        await self._census.take()
        return Response(metrics.render([self._census]), media_type=metrics.CONTENT_TYPE)


def probes_app(db: Database, settings: Settings) -> Starlette:
    """The probes alone, for a process that serves nothing else."""
    return Starlette(
        routes=Probes(db, settings).routes(),
        exception_handlers={
            CallerError: problems.on_caller_error,
            Unavailable: problems.on_unavailable,
            Exception: problems.on_bug,
        },
    )


def _from_here(request: Request) -> bool:
    """Whether a program on this machine asks for itself: a proxy here asks for the world."""
    if any(name in request.headers for name in _PASSED_ON):
        return False
    if request.client is None:  # a socket in the file system
        return True
    peer = ipaddress.ip_address(request.client.host)
    return (getattr(peer, "ipv4_mapped", None) or peer).is_loopback
