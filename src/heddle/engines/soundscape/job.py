"""One job: reads, mixes, writes the file and says what is in it."""

from __future__ import annotations

import json
from typing import Any

from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.soundscape.mix import mixed
from heddle.engines.soundscape.prompt import Reading, read
from heddle.errors import EngineFailed
from heddle.studio import audio, loudness, previews
from heddle.studio.acoustics import RATE

#: How much of a prompt a file repeats.
_SAID = 1000


def make(payload: JSON, context: JobContext) -> Made:
    """The sound of one payload."""
    context.progress(0.0, "reading the prompt")
    length = float(payload["durationMs"]) / 1000
    reading = read(str(payload["prompt"]))
    seed = int(payload["seed"])
    sound = mixed(
        reading.parts,
        reading.places,
        length,
        seed,
        loop=bool(payload.get("loop")),
        report=lambda share: context.progress(0.05 + 0.8 * share, "mixing"),
    )
    context.progress(0.9, "writing the file")
    metadata = _metadata(payload, reading, loudness.measure(sound, RATE))
    file_format: audio.Format = payload["outputFormat"]
    try:
        data = audio.encode(sound, RATE, file_format, _tags(payload, metadata))
    except RuntimeError as error:
        raise EngineFailed(f"outputFormat {file_format!r} could not be written: {error}") from error
    return Made(
        data=data,
        mime=audio.MIMES[file_format],
        duration_ms=round(len(sound) * 1000 / RATE),
        metadata=metadata,
        preview=previews.of_sound(sound),
    )


def _metadata(payload: JSON, reading: Reading, level: loudness.Level) -> dict[str, Any]:
    known: dict[str, Any] = {
        "engine": "soundscape",
        "standInFor": payload.get("standInFor"),
        "prompt": str(payload["prompt"])[:_SAID],
        "seed": payload["seed"],
        "duration": payload["durationMs"] / 1000,
        "loop": payload.get("loop") or None,
        "heard": [[_said(layer.source, layer.behind) for layer in part] for part in reading.parts],
        "places": list(reading.places) or None,
        "ignored": list(reading.unknown),
        "note": None
        if reading.parts
        else "Nothing in the prompt names a sound that is known here: a neutral ambience.",
        "loudnessLufs": round(level.loudness, 1),
        "peakDb": round(level.peak, 1),
    }
    return {name: value for name, value in known.items() if value is not None}


def _said(source: str, behind: bool) -> str:
    return f"{source} (of the place)" if behind else source


def _tags(payload: JSON, metadata: JSON) -> dict[str, str]:
    """What the file says of itself."""
    comment = json.dumps({**metadata, "prompt": str(metadata["prompt"])[:300]}, ensure_ascii=False)
    return {"title": " ".join(str(payload["prompt"]).split())[:80], "software": "heddle soundscape", "comment": comment}
