"""One job: reads, composes, renders, and writes two files: the sound, and its notes as MIDI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.composer import midi
from heddle.engines.composer.compose import Asked, composed, staffed
from heddle.engines.composer.description import Brief, read
from heddle.engines.composer.render import rendered
from heddle.engines.composer.score import Score
from heddle.errors import EngineFailed
from heddle.studio import audio, loudness, previews
from heddle.studio.acoustics import RATE

#: How much of a text a file repeats.
_SAID = 1000


def make(payload: JSON, context: JobContext) -> Iterator[Made]:
    """The piece of one payload."""
    context.progress(0.0, "composing")
    brief = read(str(payload["musicDescription"]))
    score = composed(brief, _asked(payload))
    sound = rendered(score, staffed(brief), lambda share: context.progress(0.05 + 0.85 * share, "playing"))
    context.progress(0.92, "writing the files")
    metadata = _metadata(payload, brief, score, loudness.measure(sound, RATE))
    title = " ".join(str(payload["musicDescription"]).split())[:80]
    file_format: audio.Format = payload["outputFormat"]
    comment = json.dumps({**metadata, "description": metadata["description"][:300]}, ensure_ascii=False)
    try:
        data = audio.encode(
            sound, RATE, file_format, {"title": title, "software": "heddle composer", "comment": comment}
        )
    except RuntimeError as error:
        raise EngineFailed(f"outputFormat {file_format!r} could not be written: {error}") from error
    duration = round(len(sound) * 1000 / RATE)
    yield Made(
        data=data,
        mime=audio.MIMES[file_format],
        duration_ms=duration,
        metadata=metadata,
        preview=previews.of_sound(sound),
    )
    yield Made(data=midi.encode(score, title), mime="audio/midi", duration_ms=duration, metadata=metadata, role="midi")


def _asked(payload: JSON) -> Asked:
    return Asked(
        seconds=payload["durationMs"] / 1000,
        seed=int(payload["seed"]),
        bpm=payload.get("bpm"),
        signature=payload.get("timeSignature"),
        key=payload.get("key"),
    )


def _metadata(payload: JSON, brief: Brief, score: Score, level: loudness.Level) -> dict[str, Any]:
    lyrics = str(payload.get("lyrics") or "")
    sung = f"{len(lyrics)} characters of lyrics were given, and nothing here sings." if lyrics.strip() else None
    over, under = score.meter.fraction
    known: dict[str, Any] = {
        "engine": "composer",
        "standInFor": payload.get("standInFor"),
        "description": str(payload["musicDescription"])[:_SAID],
        "seed": payload["seed"],
        "duration": score.seconds,
        "style": brief.style.name,
        "moods": list(brief.moods) or None,
        "bpm": score.bpm,
        "timeSignature": f"{over}/{under}",
        "key": score.key,
        "sections": [{"name": s.name, "bar": s.first_bar + 1, "bars": s.bars} for s in score.sections],
        "chords": " ".join(score.chords)[:4000],
        "instruments": {part.name: part.instrument for part in score.parts},
        "notes": len(score.notes),
        "ignored": list(brief.unknown),
        "note": None
        if brief.named_style
        else f"The description names no style that is known here: {brief.style.name}.",
        "lyrics": sung,
        "loudnessLufs": round(level.loudness, 1),
        "peakDb": round(level.peak, 1),
    }
    return {name: value for name, value in known.items() if value is not None}
