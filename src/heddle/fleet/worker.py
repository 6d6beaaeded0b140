"""The worker side: takes attempts, runs engines, puts artifacts into storage, says how it went.

`python -m heddle.fleet.worker FD` is a worker process; FD is its end of a socket pair. The main thread runs engines,
because some libraries insist on it. A second thread reads messages, so that a ping is answered and a cancel noticed
while an engine works. When the channel ends the process ends at once: nobody is left to hear the result.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import resource
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

from heddle import registry
from heddle.domain import JSON, Artifact, new_id
from heddle.engines import Batcher, Engine, Loader
from heddle.errors import JobCanceled, JobError, Unavailable
from heddle.fleet.contexts import Context, Load, Say, Unwatched
from heddle.fleet.made import checked, is_small, thumbnail
from heddle.fleet.messages import (
    Cancel,
    Done,
    Failed,
    Fetch,
    Frames,
    Hello,
    Key,
    Loading,
    Message,
    Ping,
    Pong,
    Ready,
    Run,
    Shelf,
    Started,
    frame,
    to_worker,
)
from heddle.fleet.scratch import Scratch
from heddle.fleet.together import Shared, companions, handed_back
from heddle.storage import Storage
from heddle.studio.previews import Preview

#: The reason of an attempt after which the process ends, because only that gives the memory back.
OUT_OF_MEMORY = "out_of_memory"

#: Artifacts of one job.
MOST_MADE = 100

_CANCEL_LOOK_S = 0.05
_MESSAGE_LENGTH = 500


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
                    engine.load(wanted.model, Unwatched(wanted.memory_mb))
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
            if not (self._together([run, *beside]) if beside else self._alone(run)):
                return

    def _alone(self, run: Run) -> bool:
        """Run an attempt; whether the process can go on."""
        outcome = self._attempt(run, self._contexts[run.key])
        self._conclude(run, outcome)
        return not (isinstance(outcome, Failed) and outcome.reason == OUT_OF_MEMORY)

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
            self._start(run)
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

    def _start(self, run: Run, together: int = 1) -> None:
        self._say(Started(job_id=run.job_id, attempt=run.attempt, slot=self._hello.slot, together=together))

    # ── several at once ───────────────────────────────────────────────────────

    def _beside(self, run: Run) -> list[Run]:
        """Take attempts out of the line that may be made in one go with this one.

        Only first attempts: whoever was lost or handed back once may be what others would be lost with.
        """
        if run.attempt > 1:
            return []
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

    def _together(self, runs: Sequence[Run]) -> bool:
        """Make them in one go; whether the process can go on.

        What fails them together may be the fault of one of them, or of their number. So that nobody pays for another's,
        they are handed back, and their next attempts are run one by one.
        """
        engine = self._engine(runs[0].engine)
        assert isinstance(engine, Batcher)
        shared = Shared(runs, [self._contexts[run.key] for run in runs], self._conclude)
        try:
            self._prepare(runs[0], self._contexts[runs[0].key])
            for run in runs:
                self._start(run, together=len(runs))
            made = shared.matched(engine.run_together([run.payload for run in runs], shared))
        except BaseException as error:  # noqa: BLE001 - engines are strangers' code
            if not isinstance(error, JobCanceled):
                traceback.print_exc()
            for run in shared.left():
                self._conclude(run, handed_back(run))
            return not isinstance(error, MemoryError)
        for run in shared.left():
            self._conclude(run, self._of_many(run, made[run.key]))
        return True

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
        metadata, output = checked(made)
        preview = made.preview or thumbnail(made)
        if preview is not None and preview.blurhash is not None:
            metadata.setdefault("blurhash", preview.blurhash)
        return replace(
            self._put(made.data, made.mime, made.width, made.height),
            duration_ms=made.duration_ms,
            metadata=metadata,
            role=made.role,
            output=output,
            preview=None if preview is None or is_small(made) else self._put_preview(preview),
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
    return (one.engine, one.model) == (other.engine, other.model) and not one.evict and one.attempt == 1


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
