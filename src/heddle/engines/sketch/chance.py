"""Chance that repeats: every draw comes from a seed and a label, never from the process."""

from __future__ import annotations

import hashlib
import random


def number(*parts: object) -> int:
    """64 bits from any parts, the same in every process and on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def source(*parts: object) -> random.Random:
    """A generator of its own for one purpose, so that one drawing's draws never shift another's."""
    return random.Random(number(*parts))  # noqa: S311 - pictures, not secrets


def share(*parts: object) -> float:
    """One number 0..1."""
    return number(*parts) / 2**64
