"""Secrets of a run, and the one function that keeps them out of everything that is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import quote, quote_plus

MASK = "***"
_MIN_INSIDE = 4
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_RESERVED = ":/?#[]@!$&'()*+,;="


class Masked(str):
    """A text whose secret is not known: nothing can be said about whether it fits a schema."""

    __slots__ = ()


class Secrets:
    """Texts that must not be shown. A very short one is masked only where it is the whole text."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts: set[str] = set()
        self._inside: list[str] = []
        self._numbers: list[re.Pattern[bytes]] = []
        self.add(*texts)

    def add(self, *texts: str) -> None:
        fresh = [text for text in texts if text and text not in self._texts]
        if not fresh:
            return
        self._texts.update(fresh)
        forms = {form for text in self._texts if len(text) >= _MIN_INSIDE for form in _forms(text)}
        self._inside = sorted(forms, key=len, reverse=True)
        self._numbers = [_as_value(text) for text in self._inside if _NUMBER.fullmatch(text)]

    @property
    def texts(self) -> frozenset[str]:
        """All that is known, to be masked elsewhere too."""
        return frozenset(self._texts)

    @property
    def longest(self) -> int:
        """The length in bytes of the longest text that is masked inside others."""
        return max((len(_utf8(form)) for form in self._inside), default=0)

    def mask_bytes(self, content: bytes) -> bytes:
        """The same for a body: texts inside it, in UTF-8."""
        if any(content == _utf8(text) for text in self._texts):
            return MASK.encode()
        for number in self._numbers:  # what is JSON stays JSON
            content = number.sub(rb'\1"%b"' % MASK.encode(), content)
        for secret in self._inside:
            content = content.replace(_utf8(secret), MASK.encode())
        return content

    def mask(self, value: Any) -> Any:
        """The same value with every secret replaced."""
        if isinstance(value, str):
            return self._masked(value)
        if isinstance(value, Mapping):
            members = cast("Mapping[str, Any]", value)
            return {self._masked(name): self.mask(member) for name, member in members.items()}
        if isinstance(value, (list, tuple)):
            return [self.mask(item) for item in cast("list[Any]", value)]
        return MASK if isinstance(value, (int, float)) and self._is_secret_number(value) else value

    def _is_secret_number(self, value: float) -> bool:
        """Not a short one: it would take every count and every status with it."""
        if not self._numbers or isinstance(value, bool):
            return False
        text = json.dumps(value)
        return len(text) >= _MIN_INSIDE and text in self._texts

    def _masked(self, text: str) -> str:
        if text in self._texts:
            return MASK
        for secret in self._inside:
            text = text.replace(secret, MASK)
        return text


def _forms(text: str) -> tuple[str, ...]:
    """As it is, in a URL or a form, in JSON."""
    in_json = json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
    raw = _utf8(text)
    return text, quote(raw, safe=""), quote(raw, safe=_RESERVED), quote_plus(raw), *in_json


def _as_value(number: str) -> re.Pattern[bytes]:
    """A number as a member or an item in JSON."""
    return re.compile(rb"([\[:,]\s*)%b(?=\s*[,}\]])" % re.escape(number.encode()))


def _utf8(text: str) -> bytes:
    """Also of an argument that is no UTF-8, which Python keeps in surrogates."""
    return text.encode("utf-8", "surrogatepass")
