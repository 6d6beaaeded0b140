"""Subtitle files: SubRip and WebVTT."""

from __future__ import annotations

from collections.abc import Sequence

from heddle.engines.sphinx.hearing import Said


def srt(cues: Sequence[Said]) -> str:
    """A SubRip file."""
    return "".join(
        f"{i}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{cue.text}\n\n" for i, cue in enumerate(cues, 1)
    )


def vtt(cues: Sequence[Said]) -> str:
    """A WebVTT file."""
    return "WEBVTT\n\n" + "".join(f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{cue.text}\n\n" for cue in cues)


def _time(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"
