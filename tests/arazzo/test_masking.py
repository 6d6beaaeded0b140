"""Secrets in every form in which they may be shown."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest

from heddle.arazzo.masking import Secrets

SECRET = 'käse & "brot"/1'


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        quote(SECRET, safe=""),
        urlencode({"a": SECRET}),
        json.dumps([SECRET]),
        json.dumps([SECRET], ensure_ascii=False),
        quote(SECRET, safe=":/?#[]@!$&'()*+,;="),
    ],
    ids=["plain", "in a path", "in a form", "in JSON", "in JSON as it is", "with what is reserved"],
)
def test_texts_and_bytes(shown: str) -> None:
    secrets = Secrets([SECRET])
    for masked in (secrets.mask(shown), secrets.mask_bytes(shown.encode()).decode()):
        assert "***" in masked
        assert "brot" not in masked


def test_short_secrets_are_masked_where_they_stand_alone() -> None:
    secrets = Secrets(["abc"])
    assert (secrets.mask("abc"), secrets.mask("abcd"), secrets.mask_bytes(b"abc")) == ("***", "abcd", b"***")


def test_a_secret_that_is_no_utf_8() -> None:
    secrets = Secrets(["\udcff\udcfe-word"])
    assert secrets.mask("<\udcff\udcfe-word>") == "<***>"
    assert secrets.mask_bytes(b"-word") == b"-word"


def test_numbers_are_masked_as_values_and_inside_texts() -> None:
    secrets = Secrets(["87654321", "7"])
    assert secrets.mask({"pin": 87654321, "n": 7, "on": True}) == {"pin": "***", "n": 7, "on": True}
    assert (secrets.mask("pin=87654321"), secrets.mask_bytes(b'{"pin":87654321}')) == ("pin=***", b'{"pin":"***"}')
    assert secrets.mask_bytes(b'[87654321, 87654321,1, "x87654321"]') == b'["***", "***",1, "x***"]'
