"""Answers as values, by their content type."""

from __future__ import annotations

from typing import Any

import pytest

from heddle.arazzo.decoding import decoded

CASES: dict[str, tuple[bytes, str, Any]] = {
    "nothing": (b"", "application/json", None),
    "json": (b'{"a":1}', "application/json", {"a": 1}),
    "json with a charset": (b'"\xe9"', "application/json; charset=ISO-8859-1", "é"),
    "json in utf-16": ('"é"'.encode("utf-16"), "application/json", "é"),
    "json with a mark": (b"\xef\xbb\xbf[1]", "application/json", [1]),
    "vendor json": (b"[1]", "application/vnd.api+json; x=1", [1]),
    "text/json": (b"[1]", "text/json", [1]),
    "json that is none": (b"<p>", "application/json", "<p>"),
    "json too deep": (b"[" * 100_000, "application/json", "[" * 100_000),
    "no type, json": (b"[1]", "", [1]),
    "no type, text": (b"caf\xc3\xa9", "", "café"),
    "no type, bytes": (b"\x89PNG\xff", "", b"\x89PNG\xff"),
    "text": (b"caf\xc3\xa9", "text/plain", "café"),
    "text with a charset": (b"caf\xe9", 'text/plain; charset="latin1"', "café"),
    "text with an unknown charset": (b"caf\xc3\xa9", "text/plain; charset=klingon", "café"),
    "text with a codec that is no charset": (b"caf\xc3\xa9", "text/plain; charset=punycode", "café"),
    "text with a charset that no codec can have": (b"caf\xc3\xa9", "text/plain; charset=\0", "café"),
    "text with another": (b"caf\xc3\xa9", "text/plain; charset=zip", "café"),
    "text with a mark": (b"\xef\xbb\xbfa", "text/csv", "a"),
    "broken text": (b"a\xff", "text/plain", "a\N{REPLACEMENT CHARACTER}"),
    "xml": (b"<a/>", "application/xml", "<a/>"),
    "xml that declares": (
        b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>",
        "application/atom+xml",
        "<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>",
    ),
    "the charset wins over xml": (b"<?xml version='1.0' encoding='ascii'?>\xc3\xa9", "text/xml; charset=utf-8",
        "<?xml version='1.0' encoding='ascii'?>é"),
    "lines of json": (b"1\n2\n", "application/x-ndjson", "1\n2\n"),
    "yaml": (b"a: 1", "application/yaml", "a: 1"),
    "a form": (b"a=1", "application/x-www-form-urlencoded", "a=1"),
    "a picture": (b"text", "image/png", b"text"),
    "bytes": (b"text", "application/octet-stream", b"text"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_decoded(case: str) -> None:
    content, content_type, value = CASES[case]
    assert decoded(content, content_type) == value
