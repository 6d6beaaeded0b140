"""The worker side: takes attempts, runs engines, puts artifacts into storage, says how it went.

`python -m heddle.fleet.worker FD` is a worker process; FD is its end of a socket pair. The main thread runs engines,
because some libraries insist on it. A second thread reads messages, so that a ping is answered and a cancel noticed
while an engine works. When the channel ends the process ends at once: nobody is left to hear the result.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn, cast

import msgspec

from heddle import registry
from heddle.domain import JSON, Artifact, new_id
from heddle.engines import MOST_OUTPUT, Batcher, Engine, Loader, Made
from heddle.errors import EngineFailed, JobCanceled, JobError, Unavailable
from heddle.fleet.messages import (
    MOST_PREVIEW,
    Cancel,
    Done,
    Failed,
    Fetch,
    Frames,
    Hello,
    Key,
    LivePreview,
    Loading,
    Log,
    Message,
    Ping,
    Pong,
    Progress,
    Ready,
    Run,
    Shelf,
    Started,
    encoder,
    frame,
    to_worker,
)
from heddle.fleet.scratch import Scratch
from heddle.fleet.together import Shared, companions
from heddle.storage import Storage
from heddle.studio import previews
from heddle.studio.previews import Preview

#: Hands a message to the executor; callable from every thread.
Say = Callable[[Message], None]

#: The reason of an attempt after which the process ends, because only that gives the memory back.
OUT_OF_MEMORY = "out_of_memory"

#: Artifacts of one job.
MOST_MADE = 100

_PROGRESS_EVERY_S = 0.2
#: Of a job's time, what its previews may take: one that took long waits so many times as long for the next.
_PREVIEW_REST = 20
_CANCEL_LOOK_S = 0.05
_LOG_LINES = 1000
_LOG_LENGTH = 2000
_MESSAGE_LENGTH = 500

#: What an artifact may say of itself. A signed 32-bit number is what every database and client takes.
_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_LARGEST = 2**31 - 1
_METADATA_BYTES = 64 * 1024
_ROLE = re.compile(r"[a-z0-9_-]{0,32}")
_METADATA_DEPTH = 16


class Context:
    """What a running job sees of the world: the `JobContext` of engines."""

    def __init__(
        self, run: Run, storage: Storage, say: Say, scratch: Scratch | None = None, *, preview_s: float = 0.0
    ) -> None:
        self.job_id = run.job_id
        self.attempt = run.attempt
        self.canceled = False
        #: Whether the executor was told that the engine began.
        self.started = False
        self._inputs = run.inputs
        self._storage = storage
        self._say = say
        self._scratch = scratch or Scratch("")
        self._lines = 0
        self._next_progress = 0.0
        self._pending: Progress | None = None
        self._flushing = threading.Lock()
        self._preview_s = preview_s
        #: When the next one is due; None: nobody has begun to show anything.
        self._next_preview: float | None = None
        self._shown_any = False

    def progress(self, fraction: float, note: str = "") -> None:
        self.check()
        # In this order, because `max` answers its first argument for a NaN.
        self._pending = Progress(
            job_id=self.job_id, attempt=self.attempt, fraction=min(1.0, max(0.0, float(fraction))), note=note
        )
        if time.monotonic() >= self._next_progress:
            self.flush()

    def check(self) -> None:
        """Let a cancel through."""
        if self.canceled:
            raise JobCanceled("the job was canceled")

    def flush(self) -> None:
        """Say the latest progress that was held back. The lock keeps two threads from saying it out of order."""
        with self._flushing:
            pending, self._pending = self._pending, None
            if pending is not None:
                self._next_progress = time.monotonic() + _PROGRESS_EVERY_S
                self._say(pending)

    def preview(self, draw: Callable[[int], Preview]) -> None:
        if self._preview_s <= 0:
            return
        began = time.monotonic()
        if self._next_preview is None:  # what is done at once is not shown before
            self._next_preview = began + self._preview_s
        if began >= self._next_preview:
            self._show(draw)
            took = time.monotonic() - began
            # The first one loads what the others have then.
            rest = took * _PREVIEW_REST if self._shown_any else 0.0
            self._shown_any = True
            self._next_preview = began + max(self._preview_s, took, rest)

    def _show(self, draw: Callable[[int], Preview]) -> None:
        """Say a preview. Whatever is wrong with it is no reason to lose the job, nor to try it again at every step."""
        try:
            data, mime = _shown(draw(0))
        except JobCanceled:
            raise
        except Exception as error:  # noqa: BLE001 - engines are strangers' code
            self._preview_s = 0.0
            self.log(f"there are no live previews: {type(error).__name__}: {error}")
            return
        self._say(LivePreview(job_id=self.job_id, attempt=self.attempt, data=data, mime=mime))

    def log(self, text: str) -> None:
        self._lines += 1
        if self._lines > _LOG_LINES:
            return
        if self._lines == _LOG_LINES:
            text = f"(line {_LOG_LINES} of this attempt: no more are taken)"
        self._say(Log(job_id=self.job_id, attempt=self.attempt, text=str(text)[:_LOG_LENGTH]))

    def read(self, blob_id: str) -> bytes:
        if blob_id not in self._inputs:
            raise EngineFailed(f"{blob_id!r} is not an input of this job; it has {sorted(self._inputs)}")
        try:
            with self._storage.open(self._inputs[blob_id]) as file:
                return file.read()
        except KeyError as error:
            raise JobError(f"the input {blob_id!r} is no longer in storage", reason="input_missing") from error
        except Unavailable as error:
            raise JobError(f"storage did not give it: {error}", reason="storage_failed", retryable=True) from error

    def scratch(self) -> Path:
        return self._scratch.of(self.job_id)


class Load:
    """What a load sees of the world: the `LoadContext` of engines."""

    def __init__(self, context: Context, say: Say, memory_mb: int) -> None:
        self.memory_mb = memory_mb
        self._context = context
        self._say = say
        self._next = 0.0

    def progress(self, fraction: float, note: str = "") -> None:
        self.check()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PROGRESS_EVERY_S
            held = min(1.0, max(0.0, float(fraction)))
            self._say(Loading(job_id=self._context.job_id, attempt=self._context.attempt, fraction=held))

    def check(self) -> None:
        """Let a cancel through."""
        self._context.check()


class _Unwatched:
    """The `LoadContext` of a load that no job waits for yet."""

    def __init__(self, memory_mb: int) -> None:
        self.memory_mb = memory_mb

    def progress(self, fraction: float, note: str = "") -> None:
        pass


class Worker:
    """Runs attempts one after the other; those that wait are kept in the order they came."""

    def __init__(self, hello: Hello, storage: Storage, say: Say) -> None:
        self._hello = hello
        self._storage = storage
        self._say = say
        self._scratch = Scratch(hello.scratch)
        self._engines: dict[str, Engine] = {}
        #: What is in memory: model -> its engine and size; the least recently used first.
        self._shelf: dict[str, tuple[str, int]] = {}
        #: Held by whoever loads or unloads: the main thread, or the one that fetches ahead.
        self._loading = threading.Lock()
        self._building = threading.Lock()
        #: The model that is being fetched ahead, and the thread that does it.
        self._ahead: tuple[str, threading.Thread] | None = None
        self._order: SimpleQueue[Key] = SimpleQueue()
        self._waiting: dict[Key, Run] = {}
        self._contexts: dict[Key, Context] = {}

    def accept(self, run: Run) -> None:
        """Put an attempt in line."""
        self._contexts[run.key] = Context(run, self._storage, self._say, self._scratch, preview_s=self._hello.preview_s)
        self._waiting[run.key] = run
        self._order.put(run.key)

    def cancel(self, key: Key) -> None:
        """Drop an attempt that waits; ask one that runs to stop. Called from the reading thread.

        Whoever gets the attempt out of `_waiting` owns it; popping is atomic, so it is this thread or the main one.
        """
        if (context := self._contexts.get(key)) is None:
            return
        context.canceled = True
        if self._waiting.pop(key, None) is not None:
            del self._contexts[key]
            self._say(_canceled(key))

    def fetch(self, wanted: Fetch) -> None:
        """Load a model beside whatever runs. Called from the reading thread; one at a time, and never a must."""
        if self._ahead is None or not self._ahead[1].is_alive():
            thread = threading.Thread(target=self._fetch_ahead, args=(wanted,), name="ahead", daemon=True)
            self._ahead = (wanted.model, thread)
            thread.start()

    def _fetch_ahead(self, wanted: Fetch) -> None:
        """What goes wrong here goes wrong again when the job comes, which then says so."""
        try:
            engine = self._engine(wanted.engine)
            if not (isinstance(engine, Loader) and engine.offer().loads_beside):
                return
            with self._loading:
                if wanted.model not in self._shelf:
                    engine.load(wanted.model, _Unwatched(wanted.memory_mb))
                    self._shelf[wanted.model] = (wanted.engine, wanted.memory_mb)
            self._tell_shelf()
        except BaseException:  # noqa: BLE001 - engines are strangers' code
            traceback.print_exc()

    def flush(self) -> None:
        """Say the progress that was held back."""
        for context in list(self._contexts.values()):
            context.flush()

    def work(self) -> None:
        """Run what comes until an attempt used up the memory."""
        while True:
            run = self._waiting.pop(self._order.get(), None)
            if run is None:
                continue
            beside = self._beside(run)
            for left in self._together([run, *beside]) if beside else [run]:
                outcome = self._attempt(left, self._contexts[left.key])
                self._conclude(left, outcome)
                if isinstance(outcome, Failed) and outcome.reason == OUT_OF_MEMORY:
                    return

    def _conclude(self, run: Run, outcome: Done | Failed) -> None:
        self._contexts.pop(run.key).flush()
        if isinstance(outcome, Done):
            self._scratch.let_go(run.job_id)
        elif not outcome.retryable:
            self._scratch.drop(run.job_id)
        self._say(outcome)

    def _attempt(self, run: Run, context: Context) -> Done | Failed:
        def work() -> list[Artifact]:
            self._prepare(run, context)
            self._start(run, context)
            return self._make(run, context)

        return self._outcome(run, context, work)

    def _outcome(self, run: Run, context: Context, work: Callable[[], list[Artifact]]) -> Done | Failed:
        """The end of an attempt. Whatever an engine throws ends the attempt and not the worker."""
        try:
            artifacts = work()
            context.check()
            return Done(job_id=run.job_id, attempt=run.attempt, artifacts=artifacts)
        except JobError as error:
            return _failed(run, error.reason, error.message, retryable=error.retryable)
        except MemoryError as error:
            return _failed(run, OUT_OF_MEMORY, f"{run.engine!r} ran out of memory: {error}", retryable=True)
        except BaseException as error:  # noqa: BLE001 - engines are strangers' code; SystemExit counts as well
            traceback.print_exc()
            return _failed(run, "engine_failed", f"{run.engine!r} raised {type(error).__name__}: {error}")

    def _start(self, run: Run, context: Context) -> None:
        if not context.started:
            context.started = True
            self._say(Started(job_id=run.job_id, attempt=run.attempt, slot=self._hello.slot))

    # ── several at once ───────────────────────────────────────────────────────

    def _beside(self, run: Run) -> list[Run]:
        """Take attempts out of the line that may be made in one go with this one."""
        alike = [other for other in list(self._waiting.values()) if _alike(other, run)]
        if not alike:
            return []
        try:
            engine = self._engine(run.engine)
            together = companions(engine, run, alike) if isinstance(engine, Batcher) else []
        except BaseException:  # noqa: BLE001 - the attempt by itself says what is wrong
            traceback.print_exc()
            return []
        # Whoever was canceled in the meantime is not there any more.
        return [other for other in together if self._waiting.pop(other.key, None) is not None]

    def _together(self, runs: Sequence[Run]) -> list[Run]:
        """Make them in one go; returns those that are still to be run, each by itself.

        What fails them together may be the fault of one of them, or of their number: that shows when each is alone.
        """
        engine = self._engine(runs[0].engine)
        assert isinstance(engine, Batcher)
        shared = Shared(runs, [self._contexts[run.key] for run in runs], self._conclude)
        try:
            self._prepare(runs[0], self._contexts[runs[0].key])
            for run in runs:
                self._start(run, self._contexts[run.key])
            made = shared.matched(engine.run_together([run.payload for run in runs], shared))
        except JobCanceled:
            return shared.left()
        except BaseException:  # noqa: BLE001 - engines are strangers' code
            traceback.print_exc()
            return shared.left()
        for run in shared.left():
            self._conclude(run, self._of_many(run, made[run.key]))
        return []

    def _of_many(self, run: Run, made: Any) -> Done | Failed:
        context = self._contexts[run.key]
        return self._outcome(run, context, lambda: [self._keep(made, run, context)])

    # ── models ────────────────────────────────────────────────────────────────

    def _prepare(self, run: Run, context: Context) -> None:
        """Have the model of the attempt in memory. What must make room goes first."""
        if not run.model:
            return
        try:
            if run.evict or run.model not in self._shelf:
                self._await_ahead(run, context)
                self._make_room(run)
            if run.model in self._shelf:
                self._shelf[run.model] = self._shelf.pop(run.model)  # the latest to be used
            else:
                self._fetch(run, context)
        finally:  # also when the load went wrong: what was put away is no longer here
            self._tell_shelf()

    def _make_room(self, run: Run) -> None:
        with self._loading:
            for model in run.evict:
                self._put_away(model)

    def _await_ahead(self, run: Run, context: Context) -> None:
        """The model may be on its way already; one load serves both."""
        if self._ahead is None or not self._ahead[1].is_alive():
            return
        # Whatever model is on its way: from here on the time counts, or a load that hangs would hold the slot for ever.
        self._say(Loading(job_id=run.job_id, attempt=run.attempt))
        while self._ahead[1].is_alive():
            context.check()
            self._ahead[1].join(_CANCEL_LOOK_S)

    def _fetch(self, run: Run, context: Context) -> None:
        engine = self._engine(run.engine)
        if not isinstance(engine, Loader):
            raise JobError(f"{run.engine!r} cannot load {run.model!r}", reason="engine_failed")
        self._say(Loading(job_id=run.job_id, attempt=run.attempt))
        load = Load(context, self._say, run.memory_mb)
        with self._loading:
            engine.load(run.model, load)
            self._shelf[run.model] = (run.engine, run.memory_mb)
        load.check()  # canceled or not, it is in memory now

    def _put_away(self, model: str) -> None:
        engine_name, _ = self._shelf.pop(model, ("", 0))
        if engine_name:
            engine = self._engine(engine_name)
            assert isinstance(engine, Loader)
            engine.unload(model)

    def _tell_shelf(self) -> None:
        self._say(Shelf(models=[(model, size) for model, (_, size) in list(self._shelf.items())]))

    def _make(self, run: Run, context: Context) -> list[Artifact]:
        made = self._engine(run.engine).run(run.payload, context)
        try:
            # One more than it may make, so that an engine that never stops does not fill the disk.
            few = islice(_iterate(made), MOST_MADE + 1)
            artifacts = [self._keep(item, run, context) for item in few]
        finally:
            if (close := getattr(made, "close", None)) is not None:
                close()
        if not artifacts:
            raise JobError(f"{run.engine!r} made nothing", reason="no_output")
        if len(artifacts) > MOST_MADE:
            raise JobError(f"{run.engine!r} made more than {MOST_MADE} things in one job", reason="bad_output")
        return artifacts

    def _engine(self, name: str) -> Engine:
        with self._building:
            if name not in self._engines:
                self._engines[name] = _load(name, self._hello.engines)
            return self._engines[name]

    def _keep(self, made: Any, run: Run, context: Context) -> Artifact:
        """Put one artifact into storage; it is synced when this returns."""
        context.check()
        metadata, output = _check(made)
        preview = made.preview or _thumbnail(made)
        if preview is not None and preview.blurhash is not None:
            metadata.setdefault("blurhash", preview.blurhash)
        return replace(
            self._put(made.data, made.mime, made.width, made.height),
            duration_ms=made.duration_ms,
            metadata=metadata,
            role=made.role,
            output=output,
            preview=None if preview is None or _is_small(made) else self._put_preview(preview),
        )

    def _put_preview(self, preview: Preview) -> Artifact:
        return self._put(preview.data, preview.mime, preview.width, preview.height)

    def _put(self, data: bytes, mime: str, width: int | None, height: int | None) -> Artifact:
        blob_id = new_id("blob")
        key = f"jobs/{blob_id[-2:]}/{blob_id}"
        try:
            size = self._storage.write(key, [data])
        except (OSError, Unavailable) as error:
            raise JobError(f"storage did not take it: {error}", reason="storage_failed", retryable=True) from error
        return Artifact(
            blob_id=blob_id,
            key=key,
            mime=mime,
            size=size,
            sha256=hashlib.sha256(data).hexdigest(),
            width=width,
            height=height,
        )


def _alike(one: Run, other: Run) -> bool:
    """Whether they are for one engine and one model, which is there when it is there for one of them."""
    return (one.engine, one.model) == (other.engine, other.model) and not one.evict


def _thumbnail(made: Made) -> Preview | None:
    """Of a picture that came without one; None for what cannot be opened, which is the engine's own affair."""
    if not made.mime.startswith("image/") or made.role:
        return None
    try:
        return previews.of_picture(made.data)
    except Exception:  # noqa: BLE001 - a decoder of strangers' bytes may fail in any way
        return None


def _is_small(made: Made) -> bool:
    """Whether a picture is as small as its preview would be."""
    return made.mime.startswith("image/") and 0 < max(made.width or 0, made.height or 0) <= previews.SIDE


def _load(name: str, targets: dict[str, str]) -> Engine:
    """Import and build an engine. It is not kept when that fails, so that the next attempt tries anew."""
    if name not in targets:
        raise JobError(f"there is no engine {name!r} here; there are {sorted(targets)}", reason="engine_unavailable")
    try:
        return registry.engine(name, targets[name])
    except (JobError, MemoryError):
        raise
    except BaseException as error:
        traceback.print_exc()
        raise JobError(
            f"{name!r} could not be loaded: {type(error).__name__}: {error}", reason="engine_unavailable"
        ) from error


def _iterate(made: Any) -> Iterator[Any]:
    """What `run` returned, as an iterator; an engine that returned nothing made nothing."""
    return iter(() if made is None else made)


def _check(made: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """An artifact is what it should be, before its bytes go anywhere; returns its metadata and output as plain JSON.

    The server records what comes from here as it is: what slipped through would fail there, again and again.
    """
    if not isinstance(made, Made):
        raise _bad(f"made a {type(made).__name__}; it should make heddle.engines.Made")
    # Strangers' code: the annotations of `Made` are promises only.
    given: Any = made
    if not isinstance(given.data, bytes):
        raise _bad(f"made data that is a {type(given.data).__name__}; it should be bytes")
    if not (isinstance(given.mime, str) and _MIME.fullmatch(given.mime)):
        raise _bad(f"made something of the type {_short(given.mime)}; it should be one like 'image/png'")
    for name, low in (("width", 1), ("height", 1), ("duration_ms", 0)):
        value = getattr(given, name)
        if value is not None and not _is_int(value, low, _LARGEST):
            raise _bad(f"made something whose {name} is {_short(value)}; it should be an int from {low} to {_LARGEST}")
    if not (isinstance(given.role, str) and _ROLE.fullmatch(given.role)):
        raise _bad(f"made something whose role is {_short(given.role)}; it should be a lower-case word or empty")
    if given.preview is not None:
        _check_preview(given.preview)
    return _metadata(given.metadata), _plain(given.output, "output", MOST_OUTPUT)


def _check_preview(given: Any) -> None:
    if not isinstance(given, Preview):
        raise _bad(f"made a preview that is a {type(given).__name__}; it should be heddle.studio.previews.Preview")
    one: Any = given
    right = isinstance(one.data, bytes) and isinstance(one.mime, str) and _MIME.fullmatch(one.mime)
    if not (right and _is_int(one.width, 1, _LARGEST) and _is_int(one.height, 1, _LARGEST)):
        raise _bad("made a preview whose data, mime, width or height is not what it should be")


def _shown(given: Any) -> tuple[bytes, str]:
    """The bytes of a live preview and their type. Raises JobError."""
    _check_preview(given)
    if given.mime not in previews.MIMES:
        raise _bad(f"made a live preview of the type {_short(given.mime)}; it should be one of {previews.MIMES}")
    if len(given.data) > MOST_PREVIEW:
        raise _bad(f"made a live preview of {len(given.data)} bytes; {MOST_PREVIEW} may be")
    return given.data, given.mime


def _plain(given: Any, what: str, most: int) -> dict[str, Any]:
    """JSON as the server and the callers will see it."""
    if not isinstance(given, dict):
        raise _bad(f"made {what} that is a {type(given).__name__}; it should be a dict")
    try:
        text = msgspec.json.encode(given)
        if len(text) > most:
            raise _bad(f"made {what} of {len(text)} bytes; {most} may be")
        plain = msgspec.json.decode(text)
        encoder.encode(plain)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _bad(f"made {what} that is no JSON: {error}") from error
    if not _is_flat(plain, _METADATA_DEPTH):
        raise _bad(f"made {what} nested deeper than {_METADATA_DEPTH} levels")
    return plain


def _metadata(given: Any) -> dict[str, Any]:
    plain = _plain(given, "metadata", _METADATA_BYTES)
    for name, low, high in (("nsfwLevel", 0, 32), ("seed", -(2**63), 2**63 - 1)):
        if name in plain and not _is_int(plain[name], low, high):
            raise _bad(f"made metadata whose {name} is {_short(plain[name])}; it should be an int from {low} to {high}")
    return plain


def _bad(what: str) -> JobError:
    return JobError(f"the engine {what}", reason="bad_output")


def _is_int(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_flat(value: Any, levels: int) -> bool:
    """Whether nothing lies deeper: what can be written here must be readable in any thread of the server."""
    if not isinstance(value, dict | list):
        return True
    items = cast("Iterable[Any]", value.values() if isinstance(value, dict) else value)
    return levels > 0 and all(_is_flat(item, levels - 1) for item in items)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _canceled(key: Key) -> Failed:
    return Failed(job_id=key[0], attempt=key[1], reason="canceled", message="the job was canceled before it began")


def _without_paths(run: Run, message: str) -> str:
    """Callers read it, and where the weights lie is not theirs to know: the last part of a path stands for it."""
    weights: dict[str, JSON] = run.payload.get("weights") or {}
    paths = {str(place["path"]) for place in weights.values() if place.get("path")}
    for path in sorted(paths, key=len, reverse=True):  # one may begin with another
        message = message.replace(path, Path(path).name or "the weights")
    return message


def _failed(run: Run, reason: str, message: str, *, retryable: bool = False) -> Failed:
    sentence = " ".join(_without_paths(run, message).split())[:_MESSAGE_LENGTH]
    return Failed(job_id=run.job_id, attempt=run.attempt, reason=reason, message=sentence, retryable=retryable)


# ── the process ───────────────────────────────────────────────────────────────


class Channel:
    """The socket to the executor: whole frames, from any thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._sending = threading.Lock()

    def say(self, message: Message) -> None:
        body = frame(message)
        try:
            with self._sending:
                self._socket.sendall(body)
        except OSError:
            _end()

    def hear(self) -> Iterator[Any]:
        """Every message until the other end is closed."""
        frames = Frames()
        while data := self._receive():
            for body in frames.feed(data):
                yield to_worker.decode(body)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(262_144)
        except ConnectionError:
            return b""


def _listen(messages: Iterator[Any], worker: Worker, say: Say) -> None:
    """The reading thread. However it ends, the process ends: a worker that cannot hear is of no use."""
    try:
        for message in messages:
            match message:
                case Run():
                    worker.accept(message)
                case Cancel(job_id=job_id, attempt=attempt):
                    worker.cancel((job_id, attempt))
                case Fetch():
                    worker.fetch(message)
                case Ping(n=n):
                    say(Pong(n=n))
                    worker.flush()
                case _:
                    print(f"a worker does not understand {message!r}", file=sys.stderr)  # noqa: T201 - the log
    except Exception:  # noqa: BLE001 - the last words of a thread that takes the process with it
        traceback.print_exc()
    _end()


def _end() -> NoReturn:
    """Leave at once, with every process that an engine started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _die_with_parent() -> None:
    """Linux: have the kernel end this process with its parent, also while it is frozen or cannot read."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _limit(memory_mb: int) -> None:
    """Be the one who yields: to the server for the CPU, to everybody when memory ends."""
    os.nice(5)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_mb:
        size = memory_mb * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def main(fd: int) -> None:
    _die_with_parent()
    # What an engine starts must not hold the channel open.
    os.set_inheritable(fd, False)
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure")(line_buffering=True, errors="backslashreplace")  # noqa: B009 - TextIO has none
    channel = Channel(socket.socket(fileno=fd))
    messages = channel.hear()
    hello: JSON | Hello | None = next(messages, None)
    if not isinstance(hello, Hello):
        raise SystemExit(f"the first message was {hello!r}; it should be hello")
    _limit(hello.memory_mb)
    registry.set_options(hello.engine_options)
    worker = Worker(hello, registry.load(hello.storage)(hello.storage_options), channel.say)
    threading.Thread(target=_listen, args=(messages, worker, channel.say), name="channel", daemon=True).start()
    channel.say(Ready(slot=hello.slot, pid=os.getpid()))
    worker.work()
    # Not `sys.exit`: threads that an engine left behind would keep the process.
    _end()


if __name__ == "__main__":
    main(int(sys.argv[1]))
