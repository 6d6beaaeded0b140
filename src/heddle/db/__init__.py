"""The database: transactions, group commit, wake-ups, migrations.

A *verb* is a function `(tx, items) -> outcomes`: it takes everything that waits for it at this moment and issues one
statement per table for all of it. `await db.write(verb, item)` puts one item in line; items that wait for the same
verb share the next transaction, so a commit (and its fsync) is paid once for many callers. An outcome that is an
exception is raised to the caller of that item alone; its neighbors are committed.

Owners write SQL in the dialect that SQLite and PostgreSQL share, with `?` for parameters. Where several write at once
(PostgreSQL), a verb first takes the rows that it decides by: `SELECT … ORDER BY key` + `tx.for_update`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from heddle import metrics
from heddle.errors import HeddleError, Unavailable

log = logging.getLogger(__name__)

I = TypeVar("I")  # noqa: E741 - item
O = TypeVar("O")  # noqa: E741 - outcome
T = TypeVar("T")

#: How many items one transaction takes at most; keeps a commit short when thousands wait.
BATCH = 1000

#: Threads that read from a server at most; each has a connection of its own.
_READERS = 8
#: How many of them answer questions of one kind: few, so that what comes meanwhile waits together.
_TOGETHER = 2
#: And how many at once: answers may be large, and those behind wait for all of them.
_ASKED = 64

#: How often a transaction that met another one is tried.
_TRIES = 4

#: What a commit may wake: new jobs, new events, leases that were taken away, new Arazzo runs.
Topic = Literal["queue", "outbox", "leases", "runs"]


class Row(Protocol):
    """One row, read by column name."""

    def __getitem__(self, key: str, /) -> Any: ...


class Tx(Protocol):
    """An open transaction: four ways to speak SQL, and a hint for after the commit."""

    #: What a SELECT ends in to keep the rows it finds for this transaction; empty where only one writes at a time.
    for_update: str
    #: The same, leaving out rows that another transaction keeps.
    skip_locked: str
    #: The same for rows that others may look at and nobody may change.
    for_share: str

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Execute; the number of rows touched."""
        ...

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute for every row of parameters, in no order: no two rows may touch the same record."""
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
    """Either `sqlite.SQLite` or `postgres.PostgreSQL`."""

    #: Threads that write. With one, all that waits shares a transaction; with more, each transaction is of one verb.
    writers: int
    #: Whether other processes use the database at the same time.
    shared: bool

    def connect(self, *, write: bool) -> Connection: ...

    def translate(self, error: Exception) -> HeddleError | None:
        """A driver's error as one of ours, None when it is a bug."""
        ...

    def passing(self, error: Exception) -> bool:
        """Whether the same transaction may succeed when it is tried again at once: it met another one."""
        ...

    def schema(self, statement: str) -> str | None:
        """A statement of a migration in this database's words; None when it is for another one."""
        ...

    def wires(self, heard: Callable[[Topic], None]) -> Wires | None:
        """What wakes other processes; None where there are none. `heard` is called from a thread."""
        ...


class Wires(Protocol):
    """How processes wake each other."""

    def tell(self, topics: frozenset[Topic]) -> None:
        """Soon, and once for many; a hint that may be lost."""
        ...

    def hear(self) -> None:
        """Begin to hear of the others' commits."""
        ...

    def close(self) -> None: ...


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


class _Inbox:
    """What waits to be written, by verb, in the order of arrival of each verb's first item."""

    def __init__(self, *, mixed: bool) -> None:
        self._mixed = mixed
        self._lines: dict[Verb[Any, Any], deque[_Waiting]] = {}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, waiting: _Waiting) -> None:
        with self._changed:
            self._lines.setdefault(waiting.verb, deque()).append(waiting)
            self._changed.notify()

    def take(self) -> list[_Waiting] | None:
        """Up to `BATCH` items, of one verb or of all (mixed); None when it was closed and is empty."""
        with self._changed:
            while not self._lines:
                if self._closed:
                    return None
                self._changed.wait()
            batch = self._of_first()
            while self._mixed and self._lines and len(batch) < BATCH:
                batch += self._of_first(BATCH - len(batch))
            return batch

    def _of_first(self, most: int = BATCH) -> list[_Waiting]:
        verb, line = next(iter(self._lines.items()))
        taken = [line.popleft() for _ in range(min(most, len(line)))]
        del self._lines[verb]
        if line:  # to the end, so that one busy verb does not keep the others from their turn
            self._lines[verb] = line
        return taken

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class _Desk:
    """Where questions that many ask at once are answered together: whoever reads takes all that wait of one kind."""

    def __init__(self, readers: ThreadPoolExecutor, answer: Callable[[Verb[Any, Any], Sequence[Any]], Sequence[Any]]):
        self._readers = readers
        self._answer = answer
        self._lines: dict[Verb[Any, Any], deque[_Waiting]] = {}
        self._busy: Counter[Verb[Any, Any]] = Counter()
        self._lock = threading.Lock()

    def put(self, waiting: _Waiting) -> None:
        question = waiting.verb
        with self._lock:
            self._lines.setdefault(question, deque()).append(waiting)
            if self._busy[question] == _TOGETHER:
                return
            self._busy[question] += 1
        self._readers.submit(self._work, question)

    def _work(self, question: Verb[Any, Any]) -> None:
        while taken := self._take(question):
            _resolve(list(zip(taken, self._answer(question, [w.item for w in taken]), strict=True)))

    def _take(self, question: Verb[Any, Any]) -> list[_Waiting]:
        with self._lock:
            line = self._lines[question]
            taken = [line.popleft() for _ in range(min(_ASKED, len(line)))]
            if not taken:
                self._busy[question] -= 1
            return taken


class Database:
    """Writer threads with group commit; reads on connections of their own, which never queue behind writes."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._inbox = _Inbox(mixed=dialect.writers == 1)
        self._writers: list[threading.Thread] = []
        self._readers = ThreadPoolExecutor(_READERS, "heddle-reader") if dialect.shared else None
        self._desk = _Desk(self._readers, self._answers) if self._readers else None
        self._closed = False
        #: Why the last transaction could not be written; None while all is well.
        self.trouble: str | None = None
        self._direct = threading.Lock()
        self._idle: dict[bool, deque[Connection]] = {True: deque(), False: deque()}
        self._listeners: dict[Topic, list[tuple[asyncio.AbstractEventLoop, Listener]]] = {}
        self._wires: Wires | None = None
        self._wiring = threading.Lock()

    @property
    def shared(self) -> bool:
        """Whether other processes use the database at the same time."""
        return self._dialect.shared

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
        if not self._writers:
            self._start()
        self._inbox.put(_Waiting(verb, item, future, loop))
        return future

    def apply(self, verb: Verb[I, O], item: I) -> O:
        """The same at once, from code that has no event loop (commands, tests)."""
        with self._direct, self._connection(write=True) as connection:
            outcome = self._attempt(connection, verb, [item])[0]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _start(self) -> None:
        for n in range(self._dialect.writers):
            writer = threading.Thread(target=self._write_loop, name=f"heddle-writer-{n}", daemon=True)
            writer.start()
            self._writers.append(writer)

    def _write_loop(self) -> None:
        """Never ends by itself: a writer that died would leave every caller waiting for ever."""
        connection: Connection | None = None
        while (batch := self._inbox.take()) is not None:
            try:
                connection = connection or self._dialect.connect(write=True)
                self._commit_batch(connection, batch)
            except BaseException as error:
                known = isinstance(error, Exception) and self._dialect.translate(error) is not None
                log.warning("the database connection failed and is opened anew: %s", error, exc_info=not known)
                refusal = Unavailable(f"the database failed: {error}")
                self.trouble = refusal.message
                _resolve([(waiting, refusal) for waiting in batch])
                if connection is not None:
                    with suppress(Exception):
                        connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _commit_batch(self, connection: Connection, batch: list[_Waiting]) -> None:
        groups: dict[Verb[Any, Any], list[_Waiting]] = {}
        for waiting in batch:
            groups.setdefault(waiting.verb, []).append(waiting)

        def write(tx: Tx) -> list[tuple[_Waiting, Any]]:
            resolved: list[tuple[_Waiting, Any]] = []
            for verb, group in groups.items():
                resolved += zip(group, verb(tx, [w.item for w in group]), strict=True)
            return resolved

        began = time.perf_counter()
        try:
            resolved = self._transact(connection, write)
            metrics.commit_seconds.observe(time.perf_counter() - began)
            metrics.commit_items.observe(len(batch))
            self.trouble = None
        except Exception as error:  # noqa: BLE001 - whatever a verb raises belongs to the callers, not to this thread
            resolved = self._after_failure(connection, batch, error)
        _resolve(resolved)

    def _transact(self, connection: Connection, work: Callable[[Tx], T]) -> T:
        """Do the work in a transaction, again when it met another one."""
        for tries_left in reversed(range(_TRIES)):
            try:
                done = work(connection.begin())
                self._tell(connection.commit())
                return done
            except Exception as error:
                connection.rollback()
                if not tries_left or not self._dialect.passing(error):
                    raise
                metrics.commit_retries.inc()
                log.debug("a transaction met another one and is tried again: %s", error)
        raise AssertionError("the last try returns or raises")

    def _after_failure(
        self, connection: Connection, batch: list[_Waiting], error: Exception
    ) -> list[tuple[_Waiting, Any]]:
        """One bad item must not fail its neighbors, nor meet as many others as they: each gets its own transaction.

        Not when the database itself says no: asking it once per item would only wait as often.
        """
        ours = self._as_ours(error)
        refused = isinstance(ours, Unavailable) and not self._dialect.passing(error)
        if refused:
            self.trouble = str(ours)
        if len(batch) == 1 or refused:
            return [(waiting, ours) for waiting in batch]
        return [(w, self._attempt(connection, w.verb, [w.item])[0]) for w in batch]

    def _attempt(self, connection: Connection, verb: Verb[I, O], items: Sequence[I]) -> Sequence[O | Exception]:
        try:
            return self._transact(connection, lambda tx: verb(tx, items))
        except Exception as error:  # noqa: BLE001 - returned to the one caller it belongs to
            return [self._as_ours(error)] * len(items)

    def _as_ours(self, error: Exception) -> Exception:
        ours = self._dialect.translate(error)
        if ours is None:
            return error
        ours.__cause__ = error
        return ours

    # ── reading ───────────────────────────────────────────────────────────────

    async def read(self, query: Callable[..., T], *args: Any) -> T:
        """Run `query(tx, *args)` on what is committed now: one state for all its statements.

        The embedded database answers point reads from the page cache in microseconds, less than a hop to another
        thread costs, so it is asked in the calling thread; a server is asked in a thread of its own.
        """
        if self._readers is None:
            return self.look(query, *args)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.look, query, *args)

    async def ask(self, question: Verb[I, O], item: I) -> O:
        """Like `read`, for what many ask at the same time: those that wait share a state, and its statements.

        Raises the item's own refusal, as `write` does.
        """
        if self._desk is None:
            outcome = self._answers(question, [item])[0]
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        loop = asyncio.get_running_loop()
        future: asyncio.Future[O] = loop.create_future()
        self._desk.put(_Waiting(question, item, future, loop))
        return await future

    def _answers(self, question: Verb[I, O], items: Sequence[I]) -> Sequence[O | Exception]:
        """Of all items. One that fails does not fail its neighbors, unless the database itself says no."""
        try:
            found = self.look(question, items)
            if len(found) != len(items):
                raise RuntimeError(f"{question} answered {len(found)} of {len(items)}")
            return found
        except Exception as error:  # noqa: BLE001 - belongs to the callers, not to this thread
            if len(items) == 1 or isinstance(error, Unavailable):
                return [error] * len(items)
            return [self._answers(question, [item])[0] for item in items]

    def look(self, query: Callable[..., T], *args: Any) -> T:
        """The same for code that has no event loop."""
        try:
            with self._connection(write=False) as connection:
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

    @contextmanager
    def _connection(self, *, write: bool) -> Generator[Connection]:
        """An idle connection or a new one, for one thread at a time."""
        idle = self._idle[write]
        try:
            connection = idle.pop()
        except IndexError:
            connection = self._dialect.connect(write=write)
        try:
            yield connection
        except Exception as error:
            if self._dialect.translate(error) is not None:  # it may be the connection's fault
                connection.close()
            else:
                idle.append(connection)
            raise
        idle.append(connection)

    async def ready(self) -> None:
        """Raises Unavailable when it does not answer, or does not take what is written.

        The last write may have failed long ago, and where that is told nobody sends another one: so write something.
        """
        await self.read(_asked)
        if self.trouble is not None:
            await self.write(_touched, None)

    # ── wake-ups ──────────────────────────────────────────────────────────────

    def listen(self, topic: Topic, listener: Listener) -> None:
        """Call `listener` in the running event loop after commits that woke `topic`, here or in another process."""
        self._listeners.setdefault(topic, []).append((asyncio.get_running_loop(), listener))
        if (wires := self._wire()) is not None:
            wires.hear()

    def _wire(self) -> Wires | None:
        with self._wiring:
            if self._wires is None and not self._closed:
                self._wires = self._dialect.wires(self._hear)
            return self._wires

    def _tell(self, topics: frozenset[Topic]) -> None:
        for topic in topics:
            self._hear(topic)
        if topics and (wires := self._wires or self._wire()):
            wires.tell(topics)

    def _hear(self, topic: Topic) -> None:
        for loop, listener in self._listeners.get(topic, []):
            _soon(loop, listener)

    def close(self) -> None:
        """Write what waits, then close every connection."""
        self._closed = True
        self._inbox.close()
        for writer in self._writers:
            writer.join()
        self._writers.clear()
        if self._readers is not None:
            self._readers.shutdown()
        if self._wires is not None:
            self._wires.close()
        for idle in self._idle.values():
            while idle:
                idle.pop().close()


def _asked(tx: Tx) -> None:
    tx.one("SELECT 1 AS one")


def _touched(tx: Tx, items: Sequence[None]) -> list[None]:
    """Verb: a write that changes nothing."""
    tx.run("UPDATE migrations SET applied_at = applied_at WHERE name = (SELECT MIN(name) FROM migrations)")
    return [None] * len(items)


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


__all__ = [
    "Connection",
    "Database",
    "Dialect",
    "Row",
    "Topic",
    "Tx",
    "Unavailable",
    "Verb",
    "Wires",
    "marks",
    "rows",
]
