"""When each word is heard, from espeak-ng's events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from heddle.engines.espeak.synthesis import WORD

_TOKEN = re.compile(r"\S+")
#: Scripts that set no spaces between words: there espeak-ng's own words are told apart.
_UNSPACED = re.compile("[\u0e00-\u0e7f\u1000-\u109f\u3040-\u30ff\u4e00-\u9fff]")
_MARKS = ".,;:!?…\"'“”„«»()[]{}—-。，、！？"  # noqa: RUF001 - as texts have them


def words(text: str, events: Sequence[Sequence[int]], offset: int, samples: int, rate: int) -> list[dict[str, Any]]:
    """Text, start and end of each word, in seconds; `offset` samples were cut off at the beginning."""

    def seconds(sample: int) -> float:
        return round(min(max(0, sample - offset), samples) / rate, 3)

    return [
        {
            "text": text[start:end].strip(_MARKS) or text[start:end],
            "startTime": seconds(first),
            "endTime": seconds(last),
        }
        for start, end, first, last in _spoken(text, events, offset + samples)
    ]


def _spoken(text: str, events: Sequence[Sequence[int]], last: int) -> list[tuple[int, int, int, int]]:
    """Where each word is in the text, and its first and last sample: the last is where the next event is.

    espeak-ng tells of a number several times, once for each word that it is read as: those are one.
    """
    found: list[tuple[int, int, int, int]] = []
    ends = [event[3] for event in events[1:]] + [last]
    for (kind, position, length, sample), end in zip(events, ends, strict=True):
        span = _span(text, position, length) if kind == WORD else None
        if span is None:
            continue
        if found and found[-1][:2] == span:
            found[-1] = (*span, found[-1][2], end)
        else:
            found.append((*span, sample, end))
    return found


def _span(text: str, position: int, length: int) -> tuple[int, int] | None:
    """The word that an event is in. espeak-ng splits at apostrophes and points; here spaces part words."""
    if not 0 <= position < len(text) or text[position].isspace():
        return None
    if _UNSPACED.match(text, position):
        return position, min(len(text), position + length)
    start = position
    while start and not text[start - 1].isspace():
        start -= 1
    found = _TOKEN.match(text, start)
    return found.span() if found else None
