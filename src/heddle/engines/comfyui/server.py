"""One ComfyUI server over HTTP. Raises JobError, retryable where the server is away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self, cast
from urllib.parse import quote

import httpx
import msgspec

from heddle.engines.comfyui.options import Options
from heddle.errors import EngineFailed
from heddle.studio import remote

_LANGUAGE = "ComfyUI's API"

#: Answers that are read whole: a history or a queue holds graphs.
_MOST_JSON = 64 * 1024 * 1024

#: How long one answer may take: while it does, a cancel is not heard.
_ANSWER_S = 20.0

#: Problems of a graph that are told, and how much of each.
_TOLD, _LONG = 4, 180


class Server:
    """A connection, for one job."""

    def __init__(self, url: str, options: Options) -> None:
        self.url = url
        self._most = options.most_mb * 1024 * 1024
        #: What the operator has sent along, for other connections too.
        self.headers = ({"Authorization": f"Bearer {options.key}"} if options.key else {}) | options.headers
        self._client = remote.client(url, silence_s=min(options.silence_s, _ANSWER_S), headers=self.headers)
        self._speaking = remote.Speaking(self._client, _LANGUAGE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def waiting(self) -> int:
        """How many graphs it has to run."""
        left = remote.members(self._json("GET", "/prompt").get("exec_info")).get("queue_remaining")
        return left if isinstance(left, int) else 0

    def node_class(self, name: str) -> dict[str, Any] | None:
        """What it says of a node class; None when it has none of that name."""
        # A slash does not get through in a path: then it is asked for all of them.
        found = self._json("GET", "/object_info" if "/" in name else f"/object_info/{quote(name)}").get(name)
        return cast("dict[str, Any]", found) if isinstance(found, dict) else None

    def upload(self, name: str, data: bytes, mime: str) -> str:
        """Put a file into its input folder; how graphs name it there."""
        form = {"type": "input", "subfolder": "heddle", "overwrite": "true"}
        said = self._json("POST", "/upload/image", data=form, files={"image": (name, data, mime)})
        stored, folder = said.get("name"), said.get("subfolder")
        if not isinstance(stored, str):
            raise EngineFailed(f"the server did not say where it put an upload: {remote.short(said)}")
        return f"{folder}/{stored}" if folder else stored

    def submit(self, graph: Mapping[str, Any], prompt_id: str, client_id: str) -> str:
        """Have a graph run; the id that it has there. Raises EngineFailed that names the node and the input."""
        body = {"prompt": graph, "prompt_id": prompt_id, "client_id": client_id}
        with self._speaking:
            answer = self._client.post("/prompt", json=body)
            if answer.status_code == 400:
                raise EngineFailed(_refusal(_decoded(answer)))
            remote.check(answer, "comfyui", lambda one: one.text)
            said = _decoded(answer)
        made = said.get("prompt_id")
        if not isinstance(made, str):
            raise EngineFailed(f"the server took the graph and gave no prompt_id: {remote.short(said)}")
        if said.get("node_errors"):
            # It would run the outputs that are right, and leave the others out.
            self.drop(made)
            raise EngineFailed(_refusal(said))
        return made

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """What became of a run; None while it has not ended."""
        found = self._json("GET", f"/history/{quote(prompt_id, safe='')}").get(prompt_id)
        return cast("dict[str, Any]", found) if isinstance(found, dict) else None

    def place(self, prompt_id: str) -> int | None:
        """How many graphs run before this one: 0 when it runs itself; None when it is not in the queue."""
        queue = self._json("GET", "/queue")
        if prompt_id in _ids(queue.get("queue_running")):
            return 0
        waiting = _ids(queue.get("queue_pending"))
        return waiting.index(prompt_id) + 1 if prompt_id in waiting else None

    def drop(self, prompt_id: str) -> None:
        """Take it out of the queue, or stop it: the next step of a sampler does not happen."""
        self._quietly("/queue", {"delete": [prompt_id]})
        # Older servers stop whatever runs.
        if self.place(prompt_id) == 0:
            self._quietly("/interrupt", {"prompt_id": prompt_id})

    def file(self, where: Mapping[str, str], tick: Callable[[], None]) -> tuple[bytes, str]:
        """A file that it made, and its media type as the server has it."""
        what = f"the server's file {where['filename']!r}"
        with self._speaking, self._client.stream("GET", "/view", params=dict(where)) as answer:
            if answer.is_error:
                answer.read()
            remote.check(answer, "comfyui", lambda one: f"{what}: {one.text}")
            data = remote.read(answer, self._most, what, tick)
        return data, answer.headers.get("content-type", "").partition(";")[0].strip().lower()

    def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        with self._speaking, self._client.stream(method, path, **more) as answer:
            if answer.is_error:
                answer.read()
            remote.check(answer, "comfyui", lambda one: one.text)
            return _object(remote.read(answer, _MOST_JSON, f"the answer to {path}"))

    def _quietly(self, path: str, body: Mapping[str, Any]) -> None:
        with self._speaking:
            self._client.post(path, json=body)


def _decoded(answer: httpx.Response) -> dict[str, Any]:
    return _object(answer.content)


def _object(data: bytes) -> dict[str, Any]:
    """Raises ValueError for what is no JSON object."""
    found = msgspec.json.decode(data)
    if not isinstance(found, dict):
        raise ValueError("it answered with JSON that is no object")  # noqa: TRY004 - read as all else that is not JSON
    return cast("dict[str, Any]", found)


def _ids(queue: object) -> list[str]:
    """Of the graphs in a list of the queue: `[[number, prompt_id, ...], ...]`, by their numbers."""
    rows = [row for one in remote.items(queue) if len(row := remote.items(one)) > 1]
    rows.sort(key=lambda row: row[0] if isinstance(row[0], int | float) else 0)
    return [str(row[1]) for row in rows]


# ── what is wrong with a graph ────────────────────────────────────────────────


def _refusal(said: Mapping[str, Any]) -> str:
    """Every problem by its node and input, as far as there is room."""
    nodes = remote.members(said.get("node_errors"))
    problems = [problem for node, told in nodes.items() for problem in _node_problems(node, remote.members(told))]
    if not problems:
        return f"the server refused the graph: {_problem(said.get('error')) or remote.short(said)}"
    more = f" (and {len(problems) - _TOLD} more problems)" if len(problems) > _TOLD else ""
    return "; ".join(problems[:_TOLD]) + more


def _node_problems(node: str, told: Mapping[str, Any]) -> list[str]:
    made: list[str] = []
    for error in remote.items(told.get("errors")):
        name = remote.members(remote.members(error).get("extra_info")).get("input_name")
        where = f"workflow.{node}.inputs.{name}" if name else f"workflow.{node}"
        made.append(f"{where}: {_problem(error) or remote.short(error)}")
    return made or [f"workflow.{node}: {told.get('class_type')} cannot run so"]


def _problem(error: object) -> str:
    one = remote.members(error)
    text = ": ".join(str(one[name]) for name in ("message", "details") if one.get(name)) if one else str(error or "")
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
