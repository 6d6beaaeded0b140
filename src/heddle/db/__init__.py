"""The database: transactions, group commit, wake-ups, migrations.

A *verb* is a function `(tx, items) -> outcomes`: it takes everything that waits for it at this moment and issues one
statement per table for all of it. `await db.write(verb, item)` puts one item in line; items that wait for the same
verb share the next transaction, so a commit (and its fsync) is paid once for many callers. An outcome that is an
exception is raised to the caller of that item alone; its neighbors are committed.

Owners write SQL in the dialect that SQLite and PostgreSQL share, with `?` for parameters.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, cast

from heddle import metrics
from heddle.errors import HeddleError, Unavailable

log = logging.getLogger(__name__)

I = TypeVar("I")  # noqa: E741 - item
O = TypeVar("O")  # noqa: E741 - outcome
T = TypeVar("T")

#: How many items one transaction takes at most; keeps a commit short when thousands wait.
BATCH = 1000

#: What a commit may wake: new jobs, new events, leases that were taken away.
Topic = Literal["queue", "outbox", "leases"]


class Row(Protocol):
    """One row, read by column name."""

    def __getitem__(self, key: str, /) -> Any: ...


class Tx(Protocol):
    """An open transaction: four ways to speak SQL, and a hint for after the commit."""

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Execute; the number of rows touched."""
        ...

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute once per row of parameters."""
        ...

    def one(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        """The first row."""
        ...

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Every row."""
        ...

    def wake(self, topic: Topic) -> None:
        """After the commit, tell the listeners of `topic` to look. A hint: they poll as well."""
        ...


class Connection(Protocol):
    """What a dialect gives: one connection that can begin, commit and roll back."""

    def begin(self) -> Tx: ...

    def commit(self) -> frozenset[Topic]: ...

    def rollback(self) -> None: ...

    def snapshot(self) -> Tx:
        """Begin reading: every statement until the rollback sees the same state."""
        ...

    def close(self) -> None: ...


class Dialect(Protocol):
    """Built by `sqlite.SQLite` (and, on servers, by a PostgreSQL twin)."""

    #: How this database writes an integer key that counts up.
    serial: str

    def connect(self, *, write: bool) -> Connection: ...

    def translate(self, error: Exception) -> HeddleError | None:
        """A driver's error as one of ours, None when it is a bug."""
        ...


Verb = Callable[[Tx, Sequence[I]], Sequence[O | HeddleError]]
Listener = Callable[[], None]


def marks(values: Sequence[Any]) -> str:
    """`?, ?, ?` for an IN list; never call it with an empty one."""
    return ", ".join("?" * len(values))


def rows(values: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """`(?, ?), (?, ?)` for a VALUES list, and the flat parameters."""
    one = f"({marks(values[0])})"
    return ", ".join([one] * len(values)), [item for row in values for item in row]


@dataclass(slots=True)
class _Waiting:
    verb: Verb[Any, Any]
    item: Any
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Database:
    """One writer thread with group commit; reads on connections of their own, which never queue behind writes."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._inbox: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._closed = False
        #: Why the last transaction could not be written; None while all is well.
        self.trouble: str | None = None
        self._direct = threading.Lock()
        self._local = threading.local()
        self._connections: list[Connection] = []
        self._listeners: dict[Topic, list[tuple[asyncio.AbstractEventLoop, Listener]]] = {}

    # ── writing ───────────────────────────────────────────────────────────────

    async def write(self, verb: Verb[I, O], item: I) -> O:
        """Put one item in line for `verb`; returns when it is committed. Raises its own refusal only."""
        return await self.put(verb, item)

    def put(self, verb: Verb[I, O], item: I) -> asyncio.Future[O]:
        """The same without waiting: a future of the outcome."""
        if self._closed:
            raise Unavailable("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[O] = loop.create_future()
        if self._writer is None:
            self._start()
        self._inbox.put(_Waiting(verb, item, future, loop))
        return future

    def apply(self, verb: Verb[I, O], item: I) -> O:
        """The same at once, from code that has no event loop (commands, tests)."""
        with self._direct:
            outcome = self._attempt(self._thread_connection(write=True), verb, [item])[0]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _start(self) -> None:
        self._writer = threading.Thread(target=self._write_loop, name="heddle-writer", daemon=True)
        self._writer.start()

    def _write_loop(self) -> None:
        """Never ends by itself: a writer that died would leave every caller waiting for ever."""
        connection: Connection | None = None
        while (batch := self._next_batch()) is not None:
            try:
                connection = connection or self._dialect.connect(write=True)
                self._commit_batch(connection, batch)
            except BaseException as error:
                log.exception("the database connection failed and is opened anew")
                refusal = Unavailable(f"the database failed: {error}")
                self.trouble = refusal.message
                _resolve([(waiting, refusal) for waiting in batch])
                if connection is not None:
                    with suppress(Exception):
                        connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _next_batch(self) -> list[_Waiting] | None:
        first = self._inbox.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < BATCH:
            try:
                waiting = self._inbox.get_nowait()
            except queue.Empty:
                break
            if waiting is None:
                self._inbox.put(None)
                break
            batch.append(waiting)
        return batch

    def _commit_batch(self, connection: Connection, batch: list[_Waiting]) -> None:
        groups: dict[Verb[Any, Any], list[_Waiting]] = {}
        for waiting in batch:
            groups.setdefault(waiting.verb, []).append(waiting)
        resolved: list[tuple[_Waiting, Any]] = []
        began = time.perf_counter()
        try:
            tx = connection.begin()
            for verb, group in groups.items():
                resolved += zip(group, verb(tx, [w.item for w in group]), strict=True)
            self._tell(connection.commit())
            metrics.commit_seconds.observe(time.perf_counter() - began)
            metrics.commit_items.observe(len(batch))
            self.trouble = None
        except Exception as error:  # noqa: BLE001 - whatever a verb raises belongs to the callers, not to this thread
            connection.rollback()
            resolved = self._after_failure(connection, batch, error)
        _resolve(resolved)

    def _after_failure(
        self, connection: Connection, batch: list[_Waiting], error: Exception
    ) -> list[tuple[_Waiting, Any]]:
        """One bad item must not fail its neighbors: each gets a transaction of its own.

        Not when the database itself says no: asking it once per item would only wait as often.
        """
        ours = self._as_ours(error)
        if isinstance(ours, Unavailable):
            self.trouble = ours.message
        if len(batch) == 1 or isinstance(ours, Unavailable):
            return [(waiting, ours) for waiting in batch]
        return [(w, self._attempt(connection, w.verb, [w.item])[0]) for w in batch]

    def _attempt(self, connection: Connection, verb: Verb[I, O], items: Sequence[I]) -> Sequence[O | Exception]:
        try:
            outcomes = verb(connection.begin(), items)
            self._tell(connection.commit())
        except Exception as error:  # noqa: BLE001 - returned to the one caller it belongs to
            connection.rollback()
            return [self._as_ours(error)] * len(items)
        return outcomes

    def _as_ours(self, error: Exception) -> Exception:
        ours = self._dialect.translate(error)
        if ours is None:
            return error
        ours.__cause__ = error
        return ours

    # ── reading ───────────────────────────────────────────────────────────────

    async def read(self, query: Callable[..., T], *args: Any) -> T:
        """Run `query(tx, *args)` on what is committed now: one state for all its statements.

        Runs in the calling thread: the embedded database answers point reads from the page cache in microseconds,
        less than a hop to another thread costs.
        """
        return self.look(query, *args)

    def look(self, query: Callable[..., T], *args: Any) -> T:
        """The same for code that has no event loop."""
        connection = self._thread_connection(write=False)
        try:
            tx = connection.snapshot()
            try:
                return query(tx, *args)
            finally:
                connection.rollback()
        except Exception as error:
            ours = self._dialect.translate(error)
            if ours is None:
                raise
            raise ours from error

    def _thread_connection(self, *, write: bool) -> Connection:
        name = "writer" if write else "reader"
        if not hasattr(self._local, name):
            connection = self._dialect.connect(write=write)
            self._connections.append(connection)
            setattr(self._local, name, connection)
        return cast("Connection", getattr(self._local, name))

    # ── wake-ups ──────────────────────────────────────────────────────────────

    def listen(self, topic: Topic, listener: Listener) -> None:
        """Call `listener` in the running event loop after commits that woke `topic`."""
        self._listeners.setdefault(topic, []).append((asyncio.get_running_loop(), listener))

    def _tell(self, topics: frozenset[Topic]) -> None:
        for topic in topics:
            for loop, listener in self._listeners.get(topic, []):
                _soon(loop, listener)

    def close(self) -> None:
        """Write what waits, then close every connection."""
        self._closed = True
        if self._writer is not None:
            self._inbox.put(None)
            self._writer.join()
            self._writer = None
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._local = threading.local()


def _resolve(resolved: list[tuple[_Waiting, Any]]) -> None:
    """Wake each event loop once for all of its items."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, Any]]] = {}
    for waiting, outcome in resolved:
        loops.setdefault(waiting.loop, []).append((waiting, outcome))
    for loop, pairs in loops.items():
        _soon(loop, lambda pairs=pairs: _settle(pairs))


def _settle(pairs: list[tuple[_Waiting, Any]]) -> None:
    for waiting, outcome in pairs:
        if waiting.future.done():
            continue
        if isinstance(outcome, BaseException):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], Any]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:  # the loop was closed: nobody waits there any more
        log.debug("an event loop was closed before its write was done")


__all__ = ["Connection", "Database", "Dialect", "Row", "Topic", "Tx", "Unavailable", "Verb", "marks", "rows"]
