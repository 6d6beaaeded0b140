"""One run of a graph on one of the servers."""

from __future__ import annotations

import copy
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, cast

from heddle import media
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.comfyui import outputs
from heddle.engines.comfyui.events import PREVIEW, Events
from heddle.engines.comfyui.options import Options
from heddle.engines.comfyui.progress import Tally
from heddle.engines.comfyui.server import Server
from heddle.errors import EngineFailed, InvalidRequest, JobError
from heddle.graph import checker, elsewhere
from heddle.graph.table import MOST_SEED
from heddle.studio import previews, remote

#: How often a cancel is looked for, and how long a run is left alone without an event before somebody looks.
_TICK_S = 0.2
_LOOK_S = 2.0

#: Events after which the history tells what became of a run.
_ENDS = frozenset({"execution_success", "execution_error", "execution_interrupted"})

#: The ids of attempts at the server are made of this, so that a later attempt knows those of earlier ones.
JOBS = uuid.UUID("6b1e3c8e-6a43-5c0e-9d9c-6b9f0f0f2a51")


class Run:
    """The run of one job."""

    def __init__(
        self, payload: JSON, context: JobContext, options: Options, classes: dict[tuple[str, str], JSON]
    ) -> None:
        self._payload = payload
        self._context = context
        self._options = options
        self._classes = classes
        try:
            self._shapes = checker.shaped(payload["workflow"])
        except InvalidRequest as error:  # a text of another step came since
            raise EngineFailed(error.message) from error
        self._tally = Tally(self._shapes)

    def made(self) -> Iterator[Made]:
        """What the graph gives."""
        self._context.progress(0.0, "asking")
        with self._server() as server:
            began = time.monotonic()
            prompt_id, entry = self._entry(server)
            _check(entry)
            files, texts = outputs.found(entry, list(self._shapes))
            if not files and not texts:
                raise EngineFailed("workflow: the graph ran, and no node of it saved or showed anything")
            told: dict[str, Any] = {
                "engine": "comfyui",
                "promptId": prompt_id,
                "runtimeSeconds": round(time.monotonic() - began, 2),
            }
            if parameters := self._payload.get("imageMetadata"):
                told["parameters"] = parameters[:3000]
            yield from outputs.made(files, texts, lambda where: server.file(where, self._tick), told)
        self._context.progress(1.0, "done")

    def _tick(self) -> None:
        self._context.progress(self._tally.fraction, self._tally.note)

    # ── which server ──

    def _server(self) -> Server:
        """The one with the least to do; of equals, each job has its own order. Raises JobError when all are away."""
        urls = self._options.servers
        first = uuid.uuid5(JOBS, self._context.job_id).int % len(urls)
        best: tuple[int, str] | None = None
        trouble: JobError | None = None
        for url in [*urls[first:], *urls[:first]]:
            with Server(url, self._options) as server:
                try:
                    waiting = server.waiting()
                except JobError as error:
                    trouble = error
                    continue
            if best is None or waiting < best[0]:
                best = (waiting, url)
            if not waiting:
                break
        if best is None:
            assert trouble is not None
            raise trouble
        return Server(best[1], self._options)

    # ── what is sent ──

    def _entry(self, server: Server) -> tuple[str, Mapping[str, Any]]:
        """The id of the run and its entry in the history."""
        prompt_id = self._id(self._context.attempt)
        client_id = f"heddle-{self._context.job_id}-{self._context.attempt}"
        self._drop_earlier(server)
        graph = self._graph(server)
        # Listening first: nothing that the server says of this run is missed.
        with Events(server.url, client_id, server.headers) as events:
            self._tick()
            prompt_id = server.submit(graph, prompt_id, client_id)
            try:
                return prompt_id, _Following(
                    self._context, server, events, self._tally, prompt_id, self._options
                ).entry()
            except BaseException:
                # Canceled or given up: nobody waits for it any more.
                with suppress(JobError):
                    server.drop(prompt_id)
                raise

    def _id(self, attempt: int) -> str:
        return str(uuid.uuid5(JOBS, f"{self._context.job_id}/{attempt}"))

    def _drop_earlier(self, server: Server) -> None:
        """An attempt that was lost may still run, on this server or on another one."""
        if self._context.attempt == 1:
            return
        self._drop_all(server)
        for url in self._options.servers:
            if url != server.url:
                with suppress(JobError), Server(url, self._options) as other:  # it may be away
                    self._drop_all(other)

    def _drop_all(self, server: Server) -> None:
        for attempt in range(1, self._context.attempt):
            if server.place(self._id(attempt)) is not None:
                server.drop(self._id(attempt))

    def _graph(self, server: Server) -> dict[str, Any]:
        """The graph as that server reads it."""
        given = cast("Mapping[str, Any]", self._payload["workflow"])
        graph: dict[str, Any] = {}
        for name, shape in self._shapes.items():
            inputs = copy.deepcopy(dict(shape.inputs))
            graph[name] = {"class_type": shape.kind, "inputs": inputs}
            if isinstance(meta := given[name].get("_meta", given[name].get("meta")), dict):
                graph[name]["_meta"] = meta
            self._put_seeds(inputs)
            self._put_models(inputs)
        self._check_files(server, graph)
        self._put_uploads(server, graph)
        return graph

    def _put_seeds(self, inputs: dict[str, Any]) -> None:
        offset = int(self._payload.get("seedOffset", 0))
        for name in elsewhere.SEEDS:
            if offset and isinstance(seed := inputs.get(name), int):
                inputs[name] = (seed + offset) % (MOST_SEED + 1)

    def _put_models(self, inputs: dict[str, Any]) -> None:
        names = self._options.models
        inputs |= {name: names[v] for name, v in inputs.items() if isinstance(v, str) and v in names}

    def _put_uploads(self, server: Server, graph: Mapping[str, Any]) -> None:
        stored: dict[str, str] = {}
        for node, name in self._payload.get("uploads", ()):
            inputs = graph[node]["inputs"]
            blob_id = str(inputs[name])
            if blob_id not in stored:
                data = self._context.read(blob_id)
                mime = _sniffed(data)
                file = f"{self._context.job_id}-{len(stored)}{media.TYPES.get(mime, '.bin')}"
                stored[blob_id] = server.upload(file, data, mime)
                self._tick()
            inputs[name] = stored[blob_id]

    def _check_files(self, server: Server, graph: Mapping[str, Any]) -> None:
        """Every node class is there, and nothing reads what lies on the server: results of others do, too."""
        ours = {(node, name) for node, name in self._payload.get("uploads", ())}
        for node, value in graph.items():
            known = self._class(server, node, value["class_type"])
            for name, text in value["inputs"].items():
                if self._options.own_files or (node, name) in ours or not isinstance(text, str):
                    continue
                if _uploads(known, name) or elsewhere.ANNOTATED.fullmatch(text):
                    raise EngineFailed(
                        f"workflow.{node}.inputs.{name}: {remote.short(text)!r} would be a file on the server, which"
                        " graphs may not read here; upload the file and name its blob id"
                    )

    def _class(self, server: Server, node: str, name: str) -> JSON:
        key = (server.url, name)
        if key not in self._classes:
            found = server.node_class(name)
            if found is None:
                raise EngineFailed(f"workflow.{node}.class_type: {name!r} is not a node class of the ComfyUI server")
            self._classes[key] = found
        return self._classes[key]


def _sniffed(data: bytes) -> str:
    """The media type of an input: the server tells formats by the ending of the name."""
    return next(iter(media.sniff(data[:4096])), "application/octet-stream")


def _uploads(known: JSON, name: str) -> bool:
    """Whether an input of a node class is a file that a person uploads."""
    for group in remote.members(known.get("input")).values():
        options = remote.items(remote.members(group).get(name))[1:2]
        if any(option.endswith("_upload") and flag for one in options for option, flag in remote.members(one).items()):
            return True
    return False


class _Following:
    """Waits for the end of a run: by events, and by a look of its own where none come."""

    def __init__(
        self, context: JobContext, server: Server, events: Events, tally: Tally, prompt_id: str, options: Options
    ) -> None:
        self._context = context
        self._server = server
        self._events = events
        self._tally = tally
        self._id = prompt_id
        self._silence_s = options.silence_s
        self._heard = time.monotonic()
        self._looked = self._heard
        self._ended = False
        #: Whether the server is at work on this run; before that, its pictures are of somebody else's.
        self._begun = False

    def entry(self) -> Mapping[str, Any]:
        """Of the history. Raises JobError: retryable when the server is away, or forgot the run."""
        while True:
            if (event := self._events.next(self._id, _TICK_S)) is not None:
                self._take(*event)
            elif not self._events.there and not self._ended:
                time.sleep(_TICK_S)
            self._context.progress(self._tally.fraction, self._tally.note)
            if self._ended or time.monotonic() - max(self._heard, self._looked) >= _LOOK_S:
                entry = self._look()
                if entry is not None:
                    return entry

    def _take(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind == PREVIEW:
            self._show(data["picture"])
            return
        self._heard = time.monotonic()
        self._begun = self._begun or kind == "execution_start"
        self._tally.take(kind, data)
        # Servers before `execution_success` end a run with no node.
        self._ended = self._ended or kind in _ENDS or (kind == "executing" and data.get("node") is None)

    def _show(self, picture: bytes) -> None:
        if self._begun and not self._ended:
            self._context.preview(lambda _: previews.live_of(picture))

    def _look(self) -> Mapping[str, Any] | None:
        """None: it has not ended, or nobody can say."""
        self._looked = time.monotonic()
        try:
            entry = self._server.history(self._id)
            place = self._server.place(self._id) if entry is None else None
            # It may have ended between the two.
            entry = self._server.history(self._id) if entry is None and place is None else entry
        except JobError as error:
            # It may come back, and the run with it.
            if not error.retryable or self._looked - self._heard > self._silence_s:
                raise
            self._ended = False
            return None
        self._heard = time.monotonic()
        if entry is None and place is None:
            raise remote.away("the server does not know the run any more; it was started again, perhaps")
        if place:
            self._tally.note = f"{place} before it"
        return entry


def _check(entry: Mapping[str, Any]) -> None:
    """Raises EngineFailed when the run did not end well, with the node that is to blame."""
    status = remote.members(entry.get("status"))
    if status.get("status_str", "success") == "success":
        return
    for message in remote.items(status.get("messages")):
        kind, data = [*remote.items(message), None, None][:2]
        if kind == "execution_error":
            raise EngineFailed(_blame(remote.members(data)))
        if kind == "execution_interrupted":
            raise EngineFailed("the run was interrupted at the server")
    raise EngineFailed(f"the run ended as {remote.short(status.get('status_str'))!r}")


def _blame(data: Mapping[str, Any]) -> str:
    node, kind = data.get("node_id"), data.get("node_type")
    return (
        f"workflow.{node}: {kind} failed: {remote.short(data.get('exception_message') or data.get('exception_type'))}"
    )
