"""What an answer says, by its content type: JSON as values, text as text, everything else as bytes."""

from __future__ import annotations

import codecs
import json
import re
from contextlib import suppress
from typing import Any

from heddle.arazzo.floods import is_deeper
from heddle.arazzo.openapi import is_json, media_type

MAX_DEPTH = 200

_TEXTS = (
    "application/xml",
    "application/yaml",
    "application/x-yaml",
    "application/x-www-form-urlencoded",
    "application/x-ndjson",
    "application/jsonl",
    "application/json-seq",
    "application/javascript",
    "application/graphql",
)
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]+)', re.IGNORECASE)
_DECLARED = re.compile(rb"""^(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._\-]+)["']""")
#: Python has others that no answer is written in, and some of them take hours for a megabyte.
_CODECS = re.compile(r"utf-(8|16|32)|ascii|iso|cp|koi8|shift|euc|gb|big5")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decoded(content: bytes, content_type: str) -> Any:
    """No content is null. Without a type, it is what it looks like.

    What is JSON by name only, or nested deeper than anybody means it, stays text.
    """
    if not content:
        return None
    kind = media_type(content_type)
    if not kind:
        return _unlabeled(content)
    if is_json(kind) or kind == "text/json":
        return _json(content, content_type)
    if kind.startswith("text/") or kind in _TEXTS or kind.endswith(("+xml", "+yaml")):
        return _text(content, content_type)
    return content


def _json(content: bytes, content_type: str) -> Any:
    text = _text(content, content_type)
    for source in (content, text):
        with suppress(ValueError, RecursionError):
            value = json.loads(source)
            return text if _is_deep(content, value) else value
    return text


def _is_deep(content: bytes, value: Any) -> bool:
    return content.count(b"[") + content.count(b"{") > MAX_DEPTH and is_deeper(value, MAX_DEPTH)


def _unlabeled(content: bytes) -> Any:
    try:
        return _json(content, "") if content.decode("utf-8-sig") else None
    except UnicodeDecodeError:
        return content


def _text(content: bytes, content_type: str) -> str:
    """By its byte order mark, its charset, or what an XML declaration says; a charset that is not known is UTF-8."""
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    named = _CHARSET.search(content_type)
    declared = _DECLARED.search(content[:200]) if "xml" in content_type else None
    charset = marked or (named and named[1]) or (declared and declared[1].decode("ascii")) or ""
    try:
        known = _CODECS.match(codecs.lookup(charset).name)
        return content.decode(charset if known else "utf-8", "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")
