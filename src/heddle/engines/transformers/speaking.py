"""From a text to speech: sentence by sentence, with short pauses between them."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import numpy as np
import torch

from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.transformers import models, saying, speakers
from heddle.engines.transformers.models import Loaded
from heddle.engines.transformers.saying import Speaker
from heddle.errors import EngineFailed
from heddle.studio import audio, loudness, previews, voices

#: Characters that one job reads out, of one piece, and seconds that the whole may last.
LONGEST, _MOST_S = 5000, 3600
_PAUSE_S = 0.25
#: Languages without blanks have none after a full stop either.
_ENDS = re.compile(r"(?<=[.!?…。！？])\s+|(?<=[。！？])(?![。！？])|\n+")  # noqa: RUF001 - as texts have them


def make(loaded: Loaded, payload: JSON, context: JobContext) -> Made:
    """The speech of one payload."""
    context.progress(0.0, "reading the text")
    text = str(payload["text"])
    if len(text) > LONGEST:
        raise EngineFailed(f"text has {len(text)} characters; at most {LONGEST} are read out, so split it")
    voice = _voice(loaded, payload)
    with models.failing("the model cannot speak"):
        speaker = saying.speaker(loaded, voice, float(payload.get("speed", 1.0)))
    parts = _speak(loaded, speaker, payload, pieces(text, speaker.breath), context)
    rate = speaker.rate
    sound, times = _joined(parts, rate)
    context.progress(0.9, "writing the file")
    sound = loudness.normalized(sound, rate)
    metadata = _metadata(payload, text, voice) | ({"note": speaker.note} if speaker.note else {})
    comment = json.dumps({**metadata, "text": text[:300]}, ensure_ascii=False)
    tags = {"title": " ".join(text.split())[:80], "software": "heddle transformers-tts", "comment": comment}
    return Made(
        data=audio.encode(sound, rate, payload["outputFormat"], tags),
        mime=audio.MIMES[payload["outputFormat"]],
        duration_ms=round(len(sound) * 1000 / rate),
        metadata=metadata,
        output={"speaker": payload.get("voice", "default"), "language": _language(payload), "timeStamps": times},
        preview=previews.of_sound(sound),
    )


def pieces(text: str, breath: int) -> list[str]:
    """Sentences, and what is longer than one breath at its spaces."""
    found: list[str] = []
    for sentence in _ENDS.split(text.strip()):
        words = sentence.split()
        while words:
            piece = words.pop(0)
            while words and len(piece) + 1 + len(words[0]) <= breath:
                piece += f" {words.pop(0)}"
            found.append(piece)
    return found


def _voice(loaded: Loaded, payload: JSON) -> str | None:
    """Checked at submit, but for one that another step gave."""
    try:
        return speakers.chosen(str(payload.get("voice", speakers.DEFAULT)), loaded.path)
    except KeyError as error:
        raise EngineFailed(f"voice: {error.args[0]}") from error


def _speak(
    loaded: Loaded, speaker: Speaker, payload: JSON, texts: list[str], context: JobContext
) -> list[tuple[str, Any]]:
    """Each piece with its samples; those without a letter that the model knows are left out."""
    made, samples = list[tuple[str, Any]](), 0
    with (
        models.failing("the text could not be read out"),
        models.seeded(int(payload.get("seed", 0)), loaded.device),
        torch.inference_mode(),
    ):
        for i, text in enumerate(texts):
            tell = partial(context.progress, 0.05 + 0.85 * i / len(texts), f"piece {i + 1} of {len(texts)}")
            tell()
            with models.beating(speaker.beats, tell):
                wave = speaker.say(text) if any(letter.isalnum() for letter in text) else None
            if wave is None:
                continue
            made.append((text, wave.float().cpu().numpy()))
            samples += made[-1][1].shape[0]
            if samples > _MOST_S * speaker.rate:
                raise EngineFailed(f"text would last longer than {_MOST_S} s; split it")
    if not made:
        raise EngineFailed("text has no letter that this model knows; write it in the model's language")
    return made


def _joined(parts: list[tuple[str, Any]], rate: int) -> tuple[Any, list[dict[str, Any]]]:
    """One sound, and when each piece is heard."""
    pause = np.zeros(round(_PAUSE_S * rate), np.float32)
    waves: list[Any] = []
    times: list[dict[str, Any]] = []
    at = 0
    for text, wave in parts:
        if waves:
            waves.append(pause)
            at += len(pause)
        end = at + len(wave)
        times.append({"text": text, "startTime": round(at / rate, 3), "endTime": round(end / rate, 3)})
        waves.append(wave.astype(np.float32))
        at = end
    return np.concatenate(waves).reshape(-1, 1), times


def _metadata(payload: JSON, text: str, voice: str | None) -> dict[str, Any]:
    return {
        "engine": "transformers-tts",
        "model": payload["model"],
        "text": text[:1000],
        "speaker": voice or speakers.DEFAULT,
        "speed": payload.get("speed", 1.0),
        "seed": int(payload.get("seed", 0)),
    }


def _language(payload: JSON) -> str:
    """By its English name; a model speaks its own whatever is asked for."""
    wanted = str(payload.get("language", voices.AUTO))
    return voices.LANGUAGES.get(voices.language(wanted) or "", "the model's own")
