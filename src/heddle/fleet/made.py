"""What engines make, before its bytes go anywhere: is it what it should be? Engines are strangers' code.

The server records what comes from a worker as it is: what slipped through would fail there, again and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

import msgspec

from heddle.engines import MOST_OUTPUT, Made
from heddle.errors import JobError
from heddle.fleet.messages import MOST_PREVIEW, encoder
from heddle.studio import previews
from heddle.studio.previews import Preview

#: What an artifact may say of itself. A signed 32-bit number is what every database and client takes.
_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_LARGEST = 2**31 - 1
_METADATA_BYTES = 64 * 1024
_ROLE = re.compile(r"[a-z0-9_-]{0,32}")
_METADATA_DEPTH = 16


def checked(made: Any) -> tuple[dict[str, Any], dict[str, Any]]:
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


def shown(given: Any) -> tuple[bytes, str]:
    """The bytes of a live preview and their type. Raises JobError."""
    _check_preview(given)
    if given.mime not in previews.MIMES:
        raise _bad(f"made a live preview of the type {_short(given.mime)}; it should be one of {previews.MIMES}")
    if len(given.data) > MOST_PREVIEW:
        raise _bad(f"made a live preview of {len(given.data)} bytes; {MOST_PREVIEW} may be")
    return given.data, given.mime


def thumbnail(made: Made) -> Preview | None:
    """Of a picture that came without one; None for what cannot be opened, which is the engine's own affair."""
    if not made.mime.startswith("image/") or made.role:
        return None
    try:
        return previews.of_picture(made.data)
    except Exception:  # noqa: BLE001 - a decoder of strangers' bytes may fail in any way
        return None


def is_small(made: Made) -> bool:
    """Whether a picture is as small as its preview would be."""
    return made.mime.startswith("image/") and 0 < max(made.width or 0, made.height or 0) <= previews.SIDE


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
