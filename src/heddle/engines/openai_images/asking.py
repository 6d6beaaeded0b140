"""One picture by HTTP. While the server works on it, a cancel is looked for, and closes the connection."""

from __future__ import annotations

import base64
import io
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from typing import Any

import httpx
import msgspec
from PIL import Image

from heddle import media
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.openai_images.options import Options
from heddle.errors import EngineFailed
from heddle.studio import remote

_NAME = "openai-images"
_TICK_S = 0.2

#: An answer with a picture in base64, and a picture.
_MOST_ANSWER = 96 * 1024 * 1024
_MOST_PICTURE = 64 * 1024 * 1024
_MOST_PIXELS = 64 * 2**20

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}

#: What a picture is thought to take, for the progress that nobody tells.
_USUAL_S = 20.0


class _Picture(msgspec.Struct):
    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


class _Pictures(msgspec.Struct):
    data: list[_Picture]


def asked(payload: JSON, context: JobContext, options: Options) -> Made:
    """The picture of a job. Raises JobError."""
    with remote.client(options.url, silence_s=options.silence_s, key=options.key) as client:
        speaking = remote.Speaking(client, "OpenAI's images API")
        given = _request(payload, context, options)
        with speaking:
            body = _waited(client, given, context)
            found = msgspec.json.decode(body, type=_Pictures).data
        if not found:
            raise EngineFailed("the server answered without a picture")
        data = _data(found[0], options, context)
    picture, mime = _as_wanted(data, f"image/{payload.get('outputFormat', 'png')}")
    told: dict[str, Any] = {"engine": _NAME, "prompt": payload["prompt"][:3000]}
    if model := given["fields"].get("model"):
        told["model"] = model
    if found[0].revised_prompt:
        told["revisedPrompt"] = found[0].revised_prompt[:3000]
    if options.seeds:
        told["seed"] = payload["seed"]
    context.progress(1.0, "done")
    return Made(data=picture[0], mime=mime, width=picture[1], height=picture[2], metadata=told)


def _request(payload: JSON, context: JobContext, options: Options) -> dict[str, Any]:
    model = options.models.get(str(payload.get("model"))) or options.model
    fields: dict[str, Any] = {"prompt": payload["prompt"], "n": 1, "size": f"{payload['width']}x{payload['height']}"}
    fields |= {"model": model} if model else {}
    fields |= {"response_format": "b64_json"} if options.ask_base64 else {}
    fields |= {"seed": payload["seed"] % 2**31} if options.seeds else {}
    fields |= options.more
    sources = [context.read(blob_id) for blob_id in payload.get("images", ())]
    return {"fields": fields, "sources": sources}


def _waited(client: httpx.Client, given: dict[str, Any], context: JobContext) -> bytes:
    """The answer's body, or JobCanceled as soon as somebody wants that."""
    began = time.monotonic()
    threads = ThreadPoolExecutor(1, thread_name_prefix="asking")
    line = _Line()
    answer: Future[bytes] = threads.submit(_send, client, line, given["fields"], given["sources"])
    try:
        while True:
            waited = time.monotonic() - began
            context.progress(0.95 * waited / (waited + _USUAL_S), "asking")
            try:
                return answer.result(_TICK_S)
            except NotYet:
                if answer.done():  # it is the answer's own
                    raise
    finally:
        if not answer.done():
            line.cut()
        threads.shutdown(wait=False, cancel_futures=True)


class _Line:
    """The connection of a request, so that another thread can end it: closing the client would not wake the one that
    waits for an answer."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._cut = False
        self._lock = threading.Lock()

    def trace(self, event: str, told: Mapping[str, Any]) -> None:
        """What httpx tells of a request on its way."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            with self._lock:
                self._socket = told["return_value"].get_extra_info("socket")
                if self._cut:
                    self._end()

    def cut(self) -> None:
        """End it, or the one that is about to be there."""
        with self._lock:
            self._cut = True
            self._end()

    def _end(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it has ended by itself
                # Of the socket below TLS: the thread that waits on it is in the middle of its use.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _send(client: httpx.Client, line: _Line, fields: dict[str, Any], sources: list[bytes]) -> bytes:
    told = {"trace": line.trace}
    if sources:
        name = "image" if len(sources) == 1 else "image[]"
        files = [(name, (f"{i}{_ending(data)}", data, _mime(data))) for i, data in enumerate(sources)]
        form = {name: str(value) for name, value in fields.items()}
        request = client.stream("POST", "/images/edits", data=form, files=files, extensions=told)
    else:
        request = client.stream("POST", "/images/generations", json=fields, extensions=told)
    with request as answer:
        if answer.is_error:
            answer.read()
        remote.check(answer, _NAME, _reason)
        return remote.read(answer, _MOST_ANSWER, "the server's answer")


def _reason(answer: httpx.Response) -> str:
    try:
        error = remote.members(msgspec.json.decode(answer.content)).get("error")
    except ValueError:
        return answer.text
    return remote.said(error) or answer.text


def _data(found: _Picture, options: Options, context: JobContext) -> bytes:
    """The bytes, wherever they are. The key is not sent to where a link leads."""
    if found.b64_json:
        try:
            return base64.b64decode(found.b64_json.partition("base64,")[2] or found.b64_json, validate=True)
        except ValueError as error:
            raise EngineFailed("the server's picture is not base64") from error
    if not found.url:
        raise EngineFailed("the server answered with neither a picture nor a link to one")
    with remote.client(options.url, silence_s=options.silence_s) as client:
        where = client.base_url.join(found.url)
        with remote.Speaking(client, "OpenAI's images API"), client.stream("GET", where) as answer:
            if answer.is_error:
                answer.read()
            remote.check(answer, _NAME, _reason)
            return remote.read(answer, _MOST_PICTURE, "the picture", lambda: context.progress(0.96, "fetching"))


def _mime(data: bytes) -> str:
    return next(iter(media.sniff(data[:4096])), "application/octet-stream")


def _ending(data: bytes) -> str:
    return media.TYPES.get(_mime(data), "")


def _as_wanted(data: bytes, wanted: str) -> tuple[tuple[bytes, int, int], str]:
    """The picture with its size, as the file that was asked for. Raises EngineFailed."""
    try:
        with Image.open(io.BytesIO(data), formats=list(_FORMATS.values())) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise EngineFailed(f"the server's picture has {image.width}x{image.height} pixels, which is too many")
            made = _FORMATS.get(wanted)
            if made is None or image.format == made:
                mime = next(mime for mime, name in _FORMATS.items() if name == image.format)
                return (data, image.width, image.height), mime
            out = io.BytesIO()
            (image.convert("RGB") if made == "JPEG" else image).save(out, made, quality=95)
            return (out.getvalue(), image.width, image.height), wanted
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EngineFailed("the server's answer is no picture that can be read: PNG, JPEG or WEBP") from error
