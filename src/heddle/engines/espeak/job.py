"""One job: chooses language and voice, has the text read out, writes the file and says what is in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.espeak import guess, times
from heddle.errors import EngineFailed
from heddle.studio import audio, loudness, previews, sandbox, voices
from heddle.studio.acoustics import Sound

#: Characters that one job reads out, and seconds that it may last.
LONGEST, MOST_S = 5000, 3600
#: Silence left before the first and after the last sound, seconds, and what counts as silence, of full scale.
_BEFORE, _AFTER, _SILENT = 0.05, 0.15, 0.003
#: Words whose times are told: of more, an output would be larger than may be.
_TIMES = 4400
#: How much of a text the metadata repeat.
_SAID = 1000

_LIMITS = sandbox.Limits(memory_mb=2048, cpu_s=120, wall_s=180.0, output_mb=256)


def make(payload: JSON, context: JobContext) -> Made:
    """The speech of one payload."""
    context.progress(0.0, "reading the text")
    wanted = _wanted(payload)
    heard = sandbox.call(
        "heddle.engines.espeak.synthesis:speak",
        wanted.order,
        limits=_LIMITS,
        report=lambda share: context.progress(0.05 + 0.6 * share, "speaking"),
    )
    rate = int(heard["rate"])
    raw = np.frombuffer(heard["samples"], np.int16).reshape(-1, 1) * np.float32(1 / 32768)
    quiet, offset = _trimmed(raw, rate)
    context.progress(0.7, "setting the loudness")
    sound = loudness.normalized(quiet, rate)
    context.progress(0.85, "writing the file")
    metadata = _metadata(payload, wanted, loudness.measure(sound, rate))
    spoken = times.words(wanted.text, heard["events"], offset, len(sound), rate)
    if len(spoken) > _TIMES:
        context.log(f"`timeStamps` has the first {_TIMES} of {len(spoken)} words")
    return Made(
        data=_file(sound, rate, payload["outputFormat"], wanted.text, metadata),
        mime=audio.MIMES[payload["outputFormat"]],
        duration_ms=round(len(sound) * 1000 / rate),
        metadata=metadata,
        output={
            "speaker": wanted.voice,
            "language": voices.LANGUAGES[wanted.language],
            "timeStamps": spoken[:_TIMES],
        },
        preview=previews.of_sound(sound),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is said, in which language, by which voice."""

    text: str
    language: str
    guessed: bool
    voice: str
    speed: float
    pitch: float

    @property
    def order(self) -> dict[str, Any]:
        """What the child process is told."""
        voice = voices.VOICES[self.voice]
        return {
            "text": self.text,
            "language": self.language,
            "variant": voice.variant,
            "speed": self.speed,
            "pitch": voice.pitch * self.pitch,
            "mostSeconds": MOST_S,
        }


def _wanted(payload: JSON) -> _Wanted:
    """Checked once more: nobody saw at submit what other steps gave."""
    text = _text(payload)
    given = str(payload.get("language", voices.AUTO))
    tag = voices.language(given)
    if tag is None:
        raise EngineFailed(f"language {given[:80]!r} is not one of: Auto, {', '.join(voices.LANGUAGES)}")
    named = str(payload.get("voice", "default"))
    voice = voices.voice(named)
    if voice is None:
        raise EngineFailed(f"voice {named[:80]!r} is not one of: {', '.join(voices.VOICES)}")
    guessed = tag == voices.AUTO
    return _Wanted(
        text=text,
        language=guess.language(text) if guessed else tag,
        guessed=guessed,
        voice=voice,
        speed=float(payload.get("speed", 1.0)),
        pitch=float(payload.get("pitch", 1.0)),
    )


def _metadata(payload: JSON, wanted: _Wanted, level: loudness.Level) -> dict[str, Any]:
    variant = voices.VOICES[wanted.voice].variant
    known: dict[str, Any] = {
        "engine": "espeak",
        "standInFor": payload.get("standInFor"),
        "text": wanted.text[:_SAID],
        "language": wanted.language,
        "languageGuessed": wanted.guessed or None,
        "speaker": wanted.voice,
        "voice": f"{wanted.language}+{variant}" if variant else wanted.language,
        "speed": wanted.speed,
        "pitch": wanted.pitch,
        "note": _note(payload, voices.VOICES[wanted.voice]),
        "synthesizer": "espeak-ng (GPL-3.0-or-later) in a process of its own; not a model",
        "loudnessLufs": round(level.loudness, 1),
        "peakDb": round(level.peak, 1),
    }
    return {name: value for name, value in known.items() if value is not None}


def _text(payload: JSON) -> str:
    text = str(payload["text"])
    if len(text) > LONGEST:
        raise EngineFailed(f"text has {len(text)} characters; at most {LONGEST} are read out, so split it")
    # A zero would end the text for espeak-ng.
    return text.replace("\x00", " ")


def _note(payload: JSON, voice: voices.Voice) -> str | None:
    notes = [f"This voice {voice.note}, which is not here."] if voice.note else []
    if payload.get("instruct"):
        notes.append("`instruct` was not followed: espeak-ng cannot be told how to speak.")
    return " ".join(notes) or None


def _trimmed(sound: Sound, rate: int) -> tuple[Sound, int]:
    """Without most of the silence at both ends, and how many samples went at the beginning."""
    loud = np.flatnonzero(np.abs(sound[:, 0]) > _SILENT)
    if not loud.size:
        raise EngineFailed("text has nothing in it that can be read out; give words")
    start = max(0, int(loud[0]) - round(_BEFORE * rate))
    end = min(len(sound), int(loud[-1]) + 1 + round(_AFTER * rate))
    return sound[start:end], start


def _file(sound: Sound, rate: int, file_format: audio.Format, text: str, metadata: JSON) -> bytes:
    comment = json.dumps({**metadata, "text": text[:300]}, ensure_ascii=False)
    tags = {"title": " ".join(text.split())[:80], "software": "heddle espeak", "comment": comment}
    try:
        return audio.encode(sound, rate, file_format, tags)
    except RuntimeError as error:
        raise EngineFailed(f"outputFormat {file_format!r} could not be written: {error}") from error
