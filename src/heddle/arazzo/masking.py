"""Secrets of a run, and the one function that keeps them out of everything that is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import quote

MASK = "***"
_MIN_INSIDE = 4


class Secrets:
    """Texts that must not be shown. A very short one is masked only where it is the whole text."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts: set[str] = set()
        self._inside: list[str] = []
        self.add(*texts)

    def add(self, *texts: str) -> None:
        fresh = [text for text in texts if text and text not in self._texts]
        if not fresh:
            return
        self._texts.update(fresh)
        forms = {form for text in self._texts if len(text) >= _MIN_INSIDE for form in _forms(text)}
        self._inside = sorted(forms, key=len, reverse=True)

    def mask(self, value: Any) -> Any:
        """The same value with every secret replaced."""
        if isinstance(value, str):
            return self._masked(value)
        if isinstance(value, Mapping):
            members = cast("Mapping[str, Any]", value)
            return {self._masked(name): self.mask(member) for name, member in members.items()}
        if isinstance(value, (list, tuple)):
            return [self.mask(item) for item in cast("list[Any]", value)]
        return value

    def _masked(self, text: str) -> str:
        if text in self._texts:
            return MASK
        for secret in self._inside:
            text = text.replace(secret, MASK)
        return text


def _forms(text: str) -> tuple[str, ...]:
    """As it is, in a URL, in JSON."""
    return text, quote(text, safe=""), json.dumps(text)[1:-1]
