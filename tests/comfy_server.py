"""A double of a ComfyUI server: it speaks the protocol as far as the engine `comfyui` uses it, and computes a little.

Written from observations of a real one (the order of its messages, its answers, what it does to runs that are stopped);
no real ComfyUI runs in the tests. Node classes here are few, and their pictures are noise by the seed.

What it also does as the real one: one run at a time; the closing `executing` without a node comes late, when the next
client already listens; a run that was seen before is `execution_cached`; previews are binary frames; a graph that is
wrong is a 400 with `node_errors`.
"""

from __future__ import annotations

import asyncio
import io
import json
import struct
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from PIL import Image, PngImagePlugin
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

Graph = dict[str, dict[str, Any]]


def _spec(required: dict[str, list[Any]], *, output: bool = False) -> dict[str, Any]:
    return {"input": {"required": required}, "output_node": output}


CLASSES: dict[str, dict[str, Any]] = {
    "CheckpointLoaderSimple": _spec({"ckpt_name": [["real.safetensors", "sd_xl.safetensors"]]}),
    "CLIPTextEncode": _spec({"text": ["STRING", {"multiline": True}], "clip": ["CLIP"]}),
    "EmptyLatentImage": _spec({"width": ["INT"], "height": ["INT"], "batch_size": ["INT"]}),
    "KSampler": _spec({"model": ["MODEL"], "seed": ["INT"], "steps": ["INT"], "latent_image": ["LATENT"]}),
    "VAEDecode": _spec({"samples": ["LATENT"], "vae": ["VAE"]}),
    "LoadImage": _spec({"image": [["example.png"], {"image_upload": True}]}),
    "LoadAudio": _spec({"audio": [["example.wav"], {"audio_upload": True}]}),
    "Shout": _spec({"text": ["STRING"]}, output=True),
    "Fancy": _spec({"image": ["IMAGE"], "strength": ["FLOAT"]}),
    "Fancy //Pack": _spec({"image": ["IMAGE"]}),
    "Explode": _spec({"image": ["IMAGE"]}),
    "SaveImage": _spec({"images": ["IMAGE"], "filename_prefix": ["STRING"]}, output=True),
    "PreviewImage": _spec({"images": ["IMAGE"]}, output=True),
    "SaveAudio": _spec({"audio": ["AUDIO"]}, output=True),
    "SaveVideo": _spec({"images": ["IMAGE"]}, output=True),
    "SaveNothing": _spec({"images": ["IMAGE"]}, output=True),
}


@dataclass
class Run:
    number: int
    id: str
    graph: Graph
    client: str
    stopped: bool = False


@dataclass
class ComfyServer:
    """What tests may look at and turn."""

    key: str = ""
    step_s: float = 0.0
    #: Sockets break off after so many messages; -1: they do not.
    drop_after: int = -1
    #: Whether sockets are refused.
    deaf: bool = False
    #: Older servers take no prompt_id, end runs by `executing` alone, and stop whatever runs.
    old: bool = False
    #: Whether it says that some outputs are wrong and runs the others, as the real one does.
    lenient: bool = False
    #: What a sampler shows at each step.
    preview: bytes = b"a preview"
    #: What a run that names no client shows to all of them.
    of_others: bytes = b""
    url: str = ""
    asked: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    inputs: dict[str, bytes] = field(default_factory=dict)
    outputs: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    interrupted: list[str] = field(default_factory=list)
    histories: dict[str, dict[str, Any]] = field(default_factory=dict)
    pending: list[Run] = field(default_factory=list)
    running: Run | None = None
    sockets: list[tuple[str, WebSocket]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    #: The messages of one run that come after the next one began.
    late: list[dict[str, Any]] = field(default_factory=list)

    def forget(self) -> None:
        """As after a start: nothing of what was asked for is known."""
        if self.running:
            self.running.stopped = True
        self.running = None
        self.pending.clear()
        self.histories.clear()

    # ── HTTP ──

    def app(self) -> Starlette:
        routes = [
            Route("/prompt", self._prompt, methods=["GET", "POST"]),
            Route("/object_info", self._object_info),
            Route("/object_info/{name}", self._object_info),
            Route("/upload/image", self._upload, methods=["POST"]),
            Route("/history/{id}", self._history),
            Route("/queue", self._queue, methods=["GET", "POST"]),
            Route("/interrupt", self._interrupt, methods=["POST"]),
            Route("/view", self._view),
            WebSocketRoute("/ws", self._socket),
        ]
        return Starlette(routes=routes)

    def _refused(self, request: Request) -> Response | None:
        self.asked.append(f"{request.method} {request.url.path}")
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return PlainTextResponse("who are you?", 401)
        return None

    async def _prompt(self, request: Request) -> Response:
        if refusal := self._refused(request):
            return refusal
        if request.method == "GET":
            left = len(self.pending) + (self.running is not None)
            return JSONResponse({"exec_info": {"queue_remaining": left}})
        body = await request.json()
        graph: Graph = body["prompt"]
        for name, node in graph.items():
            if node["class_type"] not in CLASSES:
                error = {"type": "missing_node_type", "message": f"Node {name!r} not found.", "details": ""}
                return JSONResponse({"error": error, "node_errors": {}}, 400)
        errors = self._errors(graph)
        if errors and not self.lenient:
            error = {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation",
                     "details": ""}  # fmt: skip
            return JSONResponse({"error": error, "node_errors": errors}, 400)
        number = len(self.runs)
        given = "" if self.old else body.get("prompt_id", "")
        run = Run(number, given or f"{number:08}-0000", graph, body.get("client_id", ""))
        self.runs.append(run)
        self.pending.append(run)
        return JSONResponse({"prompt_id": run.id, "number": number, "node_errors": errors})

    def _errors(self, graph: Graph) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, node in graph.items():
            found: list[dict[str, Any]] = []
            for wanted, (kind, *_) in CLASSES[node["class_type"]]["input"]["required"].items():
                value = node["inputs"].get(wanted)
                if value is None:
                    found.append(_error("required_input_missing", "Required input is missing", wanted, wanted))
                elif node["class_type"] in {"LoadImage", "LoadAudio"} and value not in self.inputs:
                    found.append(_error("custom_validation_failed", "Custom validation failed for node",
                                        f"{wanted} - Invalid file: {value}", wanted))  # fmt: skip
                elif CLASSES[node["class_type"]] is CLASSES["CheckpointLoaderSimple"] and value not in kind:
                    found.append(_error("value_not_in_list", "Value not in list",
                                            f"{wanted}: {value!r} not in {kind}", wanted))  # fmt: skip
            if found:
                made[name] = {"errors": found, "dependent_outputs": [], "class_type": node["class_type"]}
        return made

    async def _object_info(self, request: Request) -> Response:
        if refusal := self._refused(request):
            return refusal
        name = request.path_params.get("name")
        if name is None:
            return JSONResponse(CLASSES)
        return JSONResponse({name: CLASSES[name]} if name in CLASSES else {})

    async def _upload(self, request: Request) -> Response:
        if refusal := self._refused(request):
            return refusal
        async with request.form() as form:
            file, folder = form["image"], str(form.get("subfolder", ""))
            assert not isinstance(file, str)
            name = str(file.filename)
            self.inputs[f"{folder}/{name}" if folder else name] = await file.read()
        return JSONResponse({"name": name, "subfolder": folder, "type": "input"})

    async def _history(self, request: Request) -> Response:
        if refusal := self._refused(request):
            return refusal
        prompt_id = request.path_params["id"]
        return JSONResponse({prompt_id: self.histories[prompt_id]} if prompt_id in self.histories else {})

    async def _queue(self, request: Request) -> Response:
        if refusal := self._refused(request):
            return refusal
        if request.method == "POST":
            gone = (await request.json()).get("delete", [])
            self.pending = [run for run in self.pending if run.id not in gone]
            return Response()
        running = [self.running] if self.running else []
        shown = [
            [[r.number, r.id, r.graph, {"client_id": r.client}, []] for r in rows] for rows in (running, self.pending)
        ]
        return JSONResponse({"queue_running": shown[0], "queue_pending": shown[1]})

    async def _interrupt(self, request: Request) -> Response:
        if refusal := self._refused(request):
            return refusal
        prompt_id = (await request.json()).get("prompt_id")
        if self.running and (self.old or self.running.id == prompt_id):
            self.running.stopped = True
            self.interrupted.append(self.running.id)
        return Response()

    async def _view(self, request: Request) -> Response:
        if refusal := self._refused(request):
            return refusal
        asked = request.query_params
        data = self.outputs.get((asked["type"], asked["subfolder"], asked["filename"]))
        kind = {"png": "image/png", "wav": "audio/x-wav", "svg": "image/svg+xml"}.get(
            asked["filename"][-3:], "text/html"
        )
        return Response("gone", 404) if data is None else Response(data, media_type=kind)

    # ── the socket ──

    async def _socket(self, socket: WebSocket) -> None:
        self.asked.append("WS /ws")
        right = not self.key or socket.headers.get("authorization") == f"Bearer {self.key}"
        if self.deaf or not right:
            await socket.close()
            return
        await socket.accept()
        entry = (socket.query_params["clientId"], socket)
        await socket.send_json({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}}})
        # An earlier run of somebody else closes only now.
        for message in self.late:
            await socket.send_json(message)
        self.late.clear()
        self.sockets.append(entry)
        try:
            await socket.receive()
        except WebSocketDisconnect:
            pass
        finally:
            if entry in self.sockets:
                self.sockets.remove(entry)

    async def _say(self, run: Run, kind: str, **data: Any) -> None:
        await self._send(run, json.dumps({"type": kind, "data": {**data, "prompt_id": run.id}}))

    async def _send(self, run: Run, message: str | bytes) -> None:
        for client, socket in list(self.sockets):
            if client not in {run.client, ""}:
                continue
            if self.drop_after == 0:
                self.sockets.remove((client, socket))
                await socket.close(1012)
                continue
            self.drop_after -= 1
            await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))

    # ── runs ──

    async def work(self) -> None:
        """Forever: one after the other."""
        while True:
            await asyncio.sleep(0.005)
            if self.pending:
                if self.of_others:
                    await self._send(self.pending[0], struct.pack(">II", 1, 2) + self.of_others)
                self.running = self.pending.pop(0)
                await self._run(self.running)

    async def _run(self, run: Run) -> None:
        outputs: dict[str, Any] = {}
        messages: list[Any] = [["execution_start", {"prompt_id": run.id}]]
        await self._say(run, "execution_start", timestamp=1)
        text = json.dumps(run.graph, sort_keys=True)
        cached = [name for name, node in run.graph.items() if not CLASSES[node["class_type"]]["output_node"]]
        cached = cached if text in self.seen else []
        await self._say(run, "execution_cached", nodes=cached)
        status = "success"
        try:
            values: dict[str, Any] = {}
            for name in _ordered(run.graph):
                await self._node(run, name, values, outputs, name in cached)
        except InterruptedError:
            status = "error"
            messages.append(["execution_interrupted", {"prompt_id": run.id}])
            await self._say(run, "execution_interrupted")
        except ZeroDivisionError as error:
            status = "error"
            told = {"node_id": "x", "node_type": "Explode", "exception_message": f"{error}\n", "exception_type": "Bad"}
            messages.append(["execution_error", {"prompt_id": run.id, **told}])
            await self._say(run, "execution_error", **told)
        else:
            if not self.old:
                await self._say(run, "execution_success")
        if self.running is not run:  # it was started again since
            return
        self.seen.add(text)
        self.histories[run.id] = {
            "prompt": [run.number, run.id, run.graph, {}, []],
            "outputs": outputs,
            "status": {"status_str": status, "completed": status == "success", "messages": messages},
        }
        self.running = None
        closing = {"type": "executing", "data": {"node": None, "prompt_id": run.id}}
        if self.old:
            await self._say(run, "executing", node=None)
        else:
            self.late.append(closing)

    async def _node(self, run: Run, name: str, values: dict[str, Any], outputs: dict[str, Any], cached: bool) -> None:
        node = run.graph[name]
        given = {k: values[v[0]] if isinstance(v, list) else v for k, v in node["inputs"].items()}
        kind = node["class_type"]
        if not cached:
            await self._say(run, "executing", node=name, display_node=name)
        if kind == "KSampler" and not cached:
            for step in range(given["steps"]):
                await asyncio.sleep(self.step_s)
                if run.stopped:
                    raise InterruptedError
                state = {"value": step + 1, "max": given["steps"], "state": "running"}
                await self._say(run, "progress_state", nodes={name: state})
                await self._say(run, "progress", value=step + 1, max=given["steps"], node=name)
                await self._send(run, struct.pack(">II", 1, 2) + self.preview)
        if kind == "Explode":
            1 / 0  # noqa: B018
        values[name] = self._value(kind, given)
        if CLASSES[kind]["output_node"]:
            outputs[name] = self._saved(run, name, kind, values[name])
            await self._say(run, "executed", node=name, output=outputs[name])

    def _value(self, kind: str, given: dict[str, Any]) -> Any:
        if kind == "KSampler":
            width, height = given["latent_image"]
            rng = np.random.default_rng(given["seed"])
            return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        if kind == "EmptyLatentImage":
            return given["width"], given["height"]
        if kind == "LoadImage":
            return np.asarray(Image.open(io.BytesIO(self.inputs[given["image"]])).convert("RGB"))
        if kind == "LoadAudio":
            return self.inputs[given["audio"]]
        if kind.startswith("Fancy"):
            return 255 - given["image"]
        return next(iter(given.values()), None)

    def _saved(self, run: Run, name: str, kind: str, value: Any) -> dict[str, Any]:
        if kind == "SaveNothing":
            return {}
        if kind == "Shout":
            return {"text": [str(value).upper()]}
        folder = "temp" if kind == "PreviewImage" else "output"
        ending = {"SaveAudio": "wav", "SaveVideo": "webp"}.get(kind, "png")
        where = {"filename": f"ComfyUI_{run.number:05}_{name}.{ending}", "subfolder": "", "type": folder}
        self.outputs[folder, "", where["filename"]] = (
            value if kind == "SaveAudio" else _picture(value, run.graph, ending)
        )
        member = {"SaveAudio": "audio", "SaveVideo": "gifs"}.get(kind, "images")
        return {member: [where], "animated": [kind == "SaveVideo"]}


def _error(kind: str, message: str, details: str, name: str) -> dict[str, Any]:
    return {"type": kind, "message": message, "details": details, "extra_info": {"input_name": name}}


def _ordered(graph: Graph) -> Iterator[str]:
    done: list[str] = []
    while len(done) < len(graph):
        for name, node in graph.items():
            needs = [v[0] for v in node["inputs"].values() if isinstance(v, list)]
            if name not in done and all(need in done for need in needs):
                done.append(name)
                yield name


def _picture(pixels: Any, graph: Graph, ending: str) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(np.asarray(pixels, dtype=np.uint8))
    if ending == "webp":
        image.save(out, "WEBP", save_all=True, append_images=[image.rotate(180)], duration=500)
    else:
        info = PngImagePlugin.PngInfo()
        info.add_text("prompt", json.dumps(graph))
        image.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def sound(seconds: float = 0.5) -> bytes:
    """A small WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(int(8000 * seconds) * 2))
    return out.getvalue()


class _Quiet(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        return


@contextmanager
def serving(**options: Any) -> Iterator[ComfyServer]:
    """A double that listens; stopped at the end."""
    double = ComfyServer(**options)
    config = uvicorn.Config(double.app(), port=0, log_config=None, lifespan="off", ws="websockets-sansio",
                            timeout_graceful_shutdown=1)  # fmt: skip
    server = _Quiet(config)

    async def serve() -> None:
        working = asyncio.create_task(double.work())
        await server.serve()
        working.cancel()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    double.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield double
    finally:
        server.should_exit = True
        thread.join(10)
