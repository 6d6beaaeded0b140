"""From what a server says that a graph gave to artifacts: pictures, videos, sounds, texts and other files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, cast

from PIL import Image

from heddle.engines import Made
from heddle.errors import JobError
from heddle.studio.probe import probe

_MIMES: Mapping[str, str] = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".avif": "image/avif", ".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime",
    ".mkv": "video/x-matroska", ".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg",
    ".opus": "audio/ogg", ".m4a": "audio/mp4", ".txt": "text/plain", ".json": "application/json",
    ".glb": "model/gltf-binary", ".safetensors": "application/octet-stream",
}  # fmt: skip

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")

#: A text of a node, in characters, and all that one node may give.
_LONGEST = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file on the server."""

    node: str
    where: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.where["filename"]

    @property
    def kept(self) -> bool:
        """Whether the graph saves it, and does not only show it."""
        return self.where["type"] == "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that a node shows."""

    node: str
    text: str


def found(entry: Mapping[str, Any], order: Sequence[str]) -> tuple[list[File], list[Text]]:
    """What an entry of the history says that the nodes gave, in the order of the graph."""
    given = entry.get("outputs")
    outputs = cast("dict[str, Any]", given if isinstance(given, dict) else {})
    files: dict[tuple[str, ...], File] = {}
    texts: list[Text] = []
    for node in sorted(outputs, key=lambda name: order.index(name) if name in order else len(order)):
        for value in _lists(outputs[node]):
            for item in value:
                if isinstance(item, str) and item:
                    texts.append(Text(node=node, text=item[:_LONGEST]))
                elif (where := _where(item)) is not None:
                    files.setdefault(tuple(where.values()), File(node=node, where=where))
    return list(files.values()), texts


def _lists(output: object) -> Iterator[list[Any]]:
    if isinstance(output, dict):
        for value in cast("dict[str, Any]", output).values():
            if isinstance(value, list):
                yield cast("list[Any]", value)
            elif isinstance(value, str):
                yield [value]


def _where(item: object) -> dict[str, str] | None:
    """How a file is asked for; None for what is no file."""
    match item:
        case {"filename": str(name)} if name:
            one = cast("dict[str, Any]", item)
            folder, kind = one.get("subfolder"), one.get("type")
            return {"filename": name, "subfolder": str(folder or ""), "type": str(kind or "output")}
        case _:
            return None


Fetch = Callable[[Mapping[str, str]], tuple[bytes, str]]


def made(files: Sequence[File], texts: Sequence[Text], fetch: Fetch, told: Mapping[str, Any]) -> Iterator[Made]:
    """Artifacts. What is only shown is a preview where something is saved; a text stands beside files."""
    saved = any(file.kept for file in files)
    for file in files:
        data, mime = fetch(file.where)
        yield _file(file, data, mime, "preview" if saved and not file.kept else "", told)
    for text in texts:
        yield Made(
            data=text.text.encode(),
            mime="text/plain",
            metadata={**told, "node": text.node},
            output={"text": text.text},
            role="text" if files else "",
        )


def _file(file: File, data: bytes, said: str, role: str, told: Mapping[str, Any]) -> Made:
    mime = _MIMES.get(PurePosixPath(file.name).suffix.lower()) or _safe(said)
    size, lasts = _measured(data, mime)
    return Made(
        data=data,
        mime=mime,
        width=size[0] if size else None,
        height=size[1] if size else None,
        duration_ms=lasts,
        metadata={**told, "node": file.node, "filename": file.name[:300]},
        role=role,
    )


def _safe(mime: str) -> str:
    """Media as the server says; what a browser would run is a file like any other."""
    return (
        mime
        if mime.partition("/")[0] in {"image", "video", "audio"} and mime != "image/svg+xml"
        else _MIMES[".safetensors"]
    )


def _measured(data: bytes, mime: str) -> tuple[tuple[int, int] | None, int | None]:
    """Size and duration, as far as they can be read: what the server made is kept in any case."""
    kind = mime.partition("/")[0]
    try:
        if kind == "image":
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                return image.size, None
        if kind in {"video", "audio"}:
            facts = probe(data)
            return (facts.width, facts.height) if facts.width and facts.height else None, facts.duration_ms
    except (JobError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        pass
    return None, None
