"""Running a document from Python: `load`, `run`, `arun`, `stream`.

What is wrong with document, inputs or target raises UsageError before anything is sent; what goes wrong while it runs
is the status of the result.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, cast

import httpx

from heddle.arazzo import leniency
from heddle.arazzo.budgets import Options
from heddle.arazzo.document import Document, document_of, read_document
from heddle.arazzo.durable import UnderWay, inputs_in, opened, start
from heddle.arazzo.events import Event, Result, RunEnded
from heddle.arazzo.exchange import Answer, Client, Sender
from heddle.arazzo.facts import facts_of
from heddle.arazzo.files import file_value
from heddle.arazzo.hosts import GuardedTransport, policy
from heddle.arazzo.journal import Journal
from heddle.arazzo.lifespan import Application, started
from heddle.arazzo.masking import Secrets
from heddle.arazzo.plan import Plan, make_plan
from heddle.arazzo.requests import Request
from heddle.arazzo.secrecy import known_secrets
from heddle.arazzo.security import Keys
from heddle.arazzo.sources import Servers, load_linked
from heddle.arazzo.tree import Tree
from heddle.errors import UsageError

Watcher: TypeAlias = Callable[[Request, Answer], None]
"""Sees every request and its answer."""

_IN_PROCESS = "http://localhost"


class Target(TypedDict, total=False):
    """What `run`, `arun` and `stream` take beside document and inputs."""

    workflow: str
    """Which Arazzo workflow, when the document has several."""
    servers: str | Mapping[str, str]
    """The server of every source, whose own paths are kept, or the exact base URL of each by its name."""
    app: Application
    """An ASGI application to call in this process."""
    lifespan: bool
    """Start the application for this run, and stop it afterwards; without it, it is called as it is."""
    transport: httpx.AsyncBaseTransport
    """Any transport of httpx in the place of the network."""
    allow_hosts: tuple[str, ...]
    """Private hosts (`host`, `host:port`, `*.domain` or a network) that answers may lead to, beside the servers."""
    auth: Mapping[str, str]
    """Credentials by security scheme, `SCHEME` or `SOURCE.SCHEME`; the environment plays no part."""
    sources: Mapping[str, Path]
    """Where the descriptions of sources are, when they do not lie beside the document."""
    options: Options
    """Budgets and pace."""
    strict: bool
    """By the letter of the specification: every leniency off."""
    without: tuple[str, ...]
    """Single leniencies to switch off."""
    checkpoint: Path
    """A file that the run writes down what it does in; it must not be there yet, or be empty."""
    resume: bool
    """Go on with the run in the checkpoint; inputs but secrets need not be given again."""
    under_way: Literal["again", "skip"]
    """What to do about a request that was under way and may not simply be sent again."""


@dataclass(frozen=True, slots=True)
class Session:
    """A document that is ready to run: all that can be wrong with it has been looked for."""

    plan: Plan
    inputs: Mapping[str, Any]
    secrets: Secrets
    options: Options
    target: Target

    async def events(self, watcher: Watcher | None = None) -> AsyncGenerator[Event]:
        """The run itself, up to and with RunEnded."""
        async with self._journal() as journal, self._transport() as transport, Client(transport) as client:
            sender = client if watcher is None else _Watched(client, watcher)
            _, events = start(
                self.plan, self.inputs, sender, options=self.options, secrets=self.secrets, journal=journal
            )
            async for event in events:
                yield event

    async def result(self) -> Result:
        ended: Event | None = None
        async for event in self.events():  # to its end, so that everything is closed
            ended = event
        assert isinstance(ended, RunEnded)
        return ended.result

    @asynccontextmanager
    async def _transport(self) -> AsyncGenerator[httpx.AsyncBaseTransport]:
        app = self.target.get("app")
        if app is None:
            hosts = policy(self.target.get("allow_hosts", ()), self.plan.servers())
            yield self.target.get("transport") or GuardedTransport(hosts)
        elif self.target.get("lifespan"):
            async with started(app) as running:
                yield _in_process(running)
        else:
            yield _in_process(app)

    def _journal(self) -> AbstractAsyncContextManager[Journal | None]:
        path = self.target.get("checkpoint")
        if path is None:
            return nullcontext()
        chosen = self.target.get("under_way")
        return opened(
            path,
            facts_of(self.plan, self.inputs, self.secrets, self.options.uploads),
            resume=self.target.get("resume", False),
            under_way=UnderWay(chosen) if chosen else None,
        )


def load(source: str | Path, *, folder: Path | None = None) -> Document:
    """A document by its path, or as text: a `str` that begins with `{` or has more than one line.

    `folder` is where the descriptions of a text are looked for; the current folder unless given.
    """
    if isinstance(source, Path):
        return read_document(source)
    if "\n" in source or source.lstrip().startswith("{"):
        return document_of(Tree("document", source), folder or Path())
    return read_document(Path(source))


def run(document: Document | str | Path, inputs: Mapping[str, Any] | None = None, **target: Unpack[Target]) -> Result:
    """Run a document to its end. Raises UsageError for what cannot work; look at the `status` of the result."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(arun(document, inputs, **target))
    raise RuntimeError("run() would block the event loop that is running: use `await arun(...)`")


async def arun(
    document: Document | str | Path, inputs: Mapping[str, Any] | None = None, **target: Unpack[Target]
) -> Result:
    """The same as `run`, inside an event loop."""
    return await prepare(document, inputs, **target).result()


def stream(
    document: Document | str | Path, inputs: Mapping[str, Any] | None = None, **target: Unpack[Target]
) -> AsyncGenerator[Event]:
    """The events of a run as they happen; the last one is RunEnded. The run stops where the iteration is closed."""
    return prepare(document, inputs, **target).events()


def prepare(
    document: Document | str | Path, inputs: Mapping[str, Any] | None = None, **target: Unpack[Target]
) -> Session:
    """Everything before the first request. In `inputs`, a Path is a file to send."""
    document = document if isinstance(document, Document) else load(document)
    if "app" in target and "transport" in target:
        raise UsageError("app and transport exclude each other", "an app is called through a transport of its own")
    servers = _servers(target)
    linked = load_linked(document, servers, target.get("sources", {}), Keys(target.get("auth")))
    allowed = leniency.strict() if target.get("strict") else leniency.without(target.get("without", ()))
    plan = make_plan(document, target.get("workflow"), linked.descriptions, allowed, linked.others)
    check_covered(plan, servers)
    values = plan.main.inputs.bind({**_known(target), **_with_files(inputs or {})})
    return Session(plan, values, known_secrets(plan, values, servers), target.get("options") or Options(), target)


def check_covered(plan: Plan, servers: Servers, hint: str = "servers={'SOURCE': URL}, servers=URL, or app=…") -> None:
    """A request never goes to a server that nobody named: the one in a description may cost money.

    `hint` says how to name one for SOURCE.
    """
    missing = next((one for one in plan.used_sources() if not servers.covers(one)), None)
    if missing is not None:
        raise UsageError(f"no server is given for the source {missing!r}", hint.replace("SOURCE", missing))


def _servers(target: Target) -> Servers:
    given = target.get("servers")
    local = _IN_PROCESS if "app" in target else None
    if given is None or isinstance(given, str):
        return Servers(default=_url(given) if given else local)
    return Servers({name: _url(url) for name, url in given.items()}, local)


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise UsageError(f"servers: {text!r} is not a URL", "it looks like http://127.0.0.1:8765")
    return text.rstrip("/")


def _in_process(app: Application) -> httpx.AsyncBaseTransport:
    """An error of the application is a 500, as it would be on a server."""
    return httpx.ASGITransport(cast("Any", app), raise_app_exceptions=False)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A sender that somebody looks at."""

    inner: Sender
    watcher: Watcher

    async def send(self, request: Request) -> Answer:
        answer = await self.inner.send(request)
        self.watcher(request, answer)
        return answer


def _known(target: Target) -> dict[str, Any]:
    return inputs_in(target["checkpoint"]) if target.get("resume") and "checkpoint" in target else {}


def _with_files(value: Any) -> Any:
    if isinstance(value, Path):
        return file_value(value)
    if isinstance(value, Mapping):
        return {name: _with_files(member) for name, member in cast("Mapping[str, Any]", value).items()}
    return [_with_files(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value
