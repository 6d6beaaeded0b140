"""The media gate: every byte from outside passes here, and is what its type says, before anything decodes it.

A type is decided by the bytes; what the sender said only chooses where bytes allow more than one (an MP4 may be sound
or moving pictures, text may be JSON). Pictures are measured from their headers: nothing here decodes a pixel, so a
small file that unpacks to gigabytes is refused at the price of reading its header.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

import msgspec

from heddle.errors import InvalidRequest, JobError, TooLarge, Unavailable, UnsupportedMedia
from heddle.studio.probe import probe

#: What this server takes: media type -> file ending.
TYPES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/avif": ".avif",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/ogg": ".ogg",
    "audio/flac": ".flac",
    "audio/mp4": ".m4a",
    "application/zip": ".zip",
    "application/json": ".json",
    "text/plain": ".txt",
}

#: What engines make beside these, and nobody uploads.
_MADE = {"audio/midi": ".mid", "application/x-safetensors": ".safetensors"}

_ALIASES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "audio/mp3": "audio/mpeg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "application/x-zip-compressed": "application/zip",
    "text/json": "application/json",
    # Says nothing about the bytes; many clients send it for a file whose ending they do not know.
    "application/octet-stream": "",
    "binary/octet-stream": "",
}

_PILLOW = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/avif": "AVIF",
}

_TEXT = ("text/plain", "application/json")

#: Enough for every signature below.
_HEAD = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What bytes turned out to be."""

    mime: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    #: Frames per second, of a video.
    fps: float | None = None


def named(content_type: str) -> str:
    """A Content-Type as one of `TYPES`, "" when it says nothing. Raises UnsupportedMedia."""
    bare = content_type.partition(";")[0].strip().lower()
    mime = _ALIASES.get(bare, bare)
    if mime and mime not in TYPES:
        raise UnsupportedMedia(f"{bare[:80]!r} is not one of: {', '.join(TYPES)}")
    return mime


def ending(mime: str) -> str:
    """The file ending of a type, for the names of downloads."""
    return TYPES.get(mime) or _MADE.get(mime, "")


def inline(mime: str) -> bool:
    """Whether a browser may show it; everything else is for saving."""
    return mime.partition("/")[0] in {"image", "video", "audio"}


def lasts(mime: str) -> bool:
    """Whether it is sound or video, which `measure` has to look into."""
    return mime.partition("/")[0] in {"audio", "video"}


def examine(file: BinaryIO, said: str, max_pixels: int, *, exact: bool) -> Media:
    """What the bytes are. `said` is a type of ours or ""; with `exact` they must be just that.

    Raises UnsupportedMedia and, for a picture with too many pixels, TooLarge.
    """
    mime = _choose(said, sniff(_head(file)) or _text(file), exact=exact)
    if mime in _PILLOW:
        return _measure(file, mime, max_pixels)
    if mime == "application/json":
        _check_json(file)
    elif mime == "application/zip":
        _check_zip(file)
    return Media(mime=mime)


def measure(file: BinaryIO, found: Media, *, max_pixels: int, max_s: float) -> Media:
    """Sound and video with their duration and size, read in a child process; everything else as it was found.

    Raises UnsupportedMedia for what does not decode, and TooLarge for too many pixels or seconds.
    """
    if not lasts(found.mime):
        return found
    file.seek(0)
    data = file.read()
    if (says := _length_told(data, found.mime)) > len(data):
        raise UnsupportedMedia(
            f"the bytes are not a readable {found.mime}: the file is cut off, {says} bytes belong to it and "
            f"{len(data)} are there"
        )
    try:
        facts = probe(data)
    except JobError as error:
        if error.reason == "media_failed":
            raise Unavailable(f"sound and video cannot be looked at now: {error.message}") from error
        raise UnsupportedMedia(f"the bytes are not a readable {found.mime}: {error.message}") from error
    if facts.width and facts.height:
        _check_pixels((facts.width, facts.height), max_pixels)
    if facts.duration_ms > max_s * 1000:
        raise TooLarge(f"it lasts {facts.duration_ms / 1000:g} s; at most {max_s:g} s are taken")
    return Media(mime=found.mime, width=facts.width, height=facts.height, duration_ms=facts.duration_ms, fps=facts.fps)


def shows_picture(head: bytes) -> bool:
    """Whether bytes with this beginning may be a picture."""
    return any(kind.startswith("image/") for kind in sniff(head))


def sniff(head: bytes) -> tuple[str, ...]:
    """The types that bytes with this beginning may have, the likeliest first; none for text and for the unknown."""
    for prefix, types in _SIGNATURES:
        if head.startswith(prefix):
            return types
    if head[:4] == b"RIFF":
        return {b"WEBP": ("image/webp",), b"WAVE": ("audio/wav",)}.get(head[8:12], ())
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return ("video/webm",) if b"webm" in head[:64] else ()
    return ("audio/mpeg",) if _is_mp3_frame(head) else ()


_SIGNATURES: tuple[tuple[bytes, tuple[str, ...]], ...] = (
    (b"\x89PNG\r\n\x1a\n", ("image/png",)),
    (b"\xff\xd8\xff", ("image/jpeg",)),
    (b"GIF87a", ("image/gif",)),
    (b"GIF89a", ("image/gif",)),
    (b"OggS", ("audio/ogg",)),
    (b"fLaC", ("audio/flac",)),
    (b"ID3", ("audio/mpeg",)),
    (b"PK\x03\x04", ("application/zip",)),
    (b"PK\x05\x06", ("application/zip",)),
)


def _iso_media(head: bytes) -> tuple[str, ...]:
    """MP4 and its relatives name their brands in the first box."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, length - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return ("image/avif",)
    if head[8:12] in {b"M4A ", b"M4B "}:
        return ("audio/mp4",)
    if head[8:12] in {b"heic", b"heix", b"mif1", b"msf1", b"qt  ", b"crx "}:
        return ()
    return ("video/mp4", "audio/mp4")


def _is_mp3_frame(head: bytes) -> bool:
    """Sync bits, layer III, a bit rate and a sample rate that exist."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    return head[2] >> 4 not in {0, 15} and (head[2] >> 2) & 3 != 3


def _choose(said: str, possible: tuple[str, ...], *, exact: bool) -> str:
    if said in possible:
        return said
    if possible and not exact and (not said or said.partition("/")[0] == possible[0].partition("/")[0]):
        return possible[0]
    found = f"they are {possible[0]}" if possible else "they are nothing that this server knows"
    if said:
        raise UnsupportedMedia(f"the bytes are not {said}: {found}")
    raise UnsupportedMedia(f"the bytes must be one of: {', '.join(TYPES)}; {found}")


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_HEAD)


# ── text ──────────────────────────────────────────────────────────────────────


def _text(file: BinaryIO) -> tuple[str, ...]:
    """Text when all of it is UTF-8 without control characters."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        for piece in _pieces(file):
            if _CONTROL.search(decoder.decode(piece)):
                return ()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return ()
    return _TEXT


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


def _pieces(file: BinaryIO, size: int = 1 << 18) -> Iterator[bytes]:
    while piece := file.read(size):
        yield piece


def _check_json(file: BinaryIO) -> None:
    file.seek(0)
    try:
        # Raw checks the syntax without building the value.
        msgspec.json.decode(file.read(), type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnsupportedMedia(f"the bytes are not application/json: {error}") from error


def _check_zip(file: BinaryIO) -> None:
    """It must have a directory; nothing is unpacked."""
    file.seek(0)
    if not zipfile.is_zipfile(file):
        raise UnsupportedMedia("the bytes are not application/zip: the archive has no directory, it may be cut off")


# ── sound and video ───────────────────────────────────────────────────────────


def _length_told(data: bytes, mime: str) -> int:
    """How many bytes a file says it has; 0 where it says nothing. What is cut off decodes, up to where it ends."""
    if mime in {"video/mp4", "audio/mp4"}:
        return _boxes_end(data)
    return _segment_end(data) if mime == "video/webm" else 0


#: What an MP4 consists of; behind them may be anything.
_BOXES = frozenset((
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"free", b"skip", b"wide", b"uuid", b"meta", b"sidx", b"emsg",
))  # fmt: skip


def _boxes_end(data: bytes) -> int:
    """MP4 is boxes, each with its length in front: 0 is for the last, 1 for a length in the eight bytes that follow."""
    at = 0
    while at + 8 <= len(data) and data[at + 4 : at + 8] in _BOXES:
        length = int.from_bytes(data[at : at + 4], "big")
        if length == 1 and at + 16 <= len(data):
            length = int.from_bytes(data[at + 8 : at + 16], "big")
        if length < 8:
            return 0
        at += length
    return at


def _segment_end(data: bytes) -> int:
    """WebM is a header and a segment; a recording that was not closed does not say how long its segment is."""
    header = _number(data, 4)
    if header is None or data[sum(header) : sum(header) + 4] != b"\x18\x53\x80\x67":
        return 0
    segment = _number(data, sum(header) + 4)
    return 0 if segment is None else sum(segment)


def _number(data: bytes, at: int) -> tuple[int, int] | None:
    """Where a number of EBML ends, and the number: its first bit that is set says how long it is. None: unknown."""
    first = data[at] if at < len(data) else 0
    if not first:
        return None
    length = 9 - first.bit_length()
    value = int.from_bytes(data[at : at + length], "big") & ((1 << 7 * length) - 1)
    return None if value == (1 << 7 * length) - 1 else (at + length, value)


# ── pictures ──────────────────────────────────────────────────────────────────


def _measure(file: BinaryIO, mime: str, max_pixels: int) -> Media:
    """Width and height, from the header alone; a PNG's checksums as well, because that needs no decoding either."""
    from PIL import Image  # noqa: PLC0415 - a worker that only reads text never needs it

    if mime == "image/webp":
        # Pillow's WebP reader allocates the whole canvas on opening.
        _check_pixels(_webp_size(_head(file)), max_pixels)
    file.seek(0)
    try:
        with Image.open(file, formats=[_PILLOW[mime]]) as image:
            _check_pixels(image.size, max_pixels)
            if mime == "image/png":
                image.verify()
            return Media(mime=mime, width=image.width, height=image.height)
    except (TooLarge, UnsupportedMedia):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge(f"the picture has more than {max_pixels} pixels") from error
    except Exception as error:  # a parser of hostile bytes may fail in any way, and each means the same
        raise UnsupportedMedia(f"the bytes are not a readable {mime}{_why(error)}") from error


def _why(error: Exception) -> str:
    """The parser's reason, unless it only names an object of ours."""
    text = str(error)
    return "" if not text or "<" in text else f": {text}"


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise UnsupportedMedia(f"a picture of {width}x{height} pixels is empty")
    if width * height > max_pixels:
        raise TooLarge(f"the picture has {width}x{height} pixels; at most {max_pixels} are taken")


def _webp_size(head: bytes) -> tuple[int, int]:
    """From the first chunk: extended, lossless or lossy."""
    kind, body = head[12:16], head[20:30]
    if len(body) == 10 and kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if len(body) == 10 and kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(body) == 10 and kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise UnsupportedMedia("the bytes are not a readable image/webp: the first chunk is unknown or cut off")


# ── text values that stand for bytes ──────────────────────────────────────────


def unwrap(value: bytes) -> tuple[bytes, str]:
    """The bytes that a form's text value stands for, and their type where it says one.

    Taken are a data: URL, base64 of a known medium, and bytes or text as they are. Raises InvalidRequest.
    """
    start = value[:32].lstrip().lower()
    if start.startswith(b"data:"):
        return _data_url(value.strip())
    if start.startswith((b"http://", b"https://")):
        raise InvalidRequest.of("file", "an address is not fetched; send the bytes, a data: URL or the bytes in base64")
    return _base64_medium(value), ""


def _data_url(value: bytes) -> tuple[bytes, str]:
    header, comma, data = value.partition(b",")
    if not comma or len(header) > 200:
        raise InvalidRequest.of("file", "the data: URL has no comma after its media type")
    said, *parameters = header[len("data:") :].decode("latin-1").split(";")
    if "base64" not in (p.strip().lower() for p in parameters):
        return unquote_to_bytes(data), named(said)
    try:
        return base64.b64decode(b"".join(unquote_to_bytes(data).split()), validate=True), named(said)
    except binascii.Error as error:
        raise InvalidRequest.of("file", f"the data: URL is not valid base64: {error}") from error


def _base64_medium(value: bytes) -> bytes:
    """Decoded only when a known medium comes out: a short word is valid base64 too."""
    try:
        if not sniff(base64.b64decode(b"".join(value[:512].split())[:128], validate=True)):
            return value
        return base64.b64decode(b"".join(value.split()), validate=True)
    except binascii.Error:
        return value
