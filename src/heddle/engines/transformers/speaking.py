"""From a text to speech: sentence by sentence, with short pauses between them."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import torch

from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.transformers import folders, models
from heddle.engines.transformers.models import Loaded
from heddle.errors import EngineFailed
from heddle.studio import audio, loudness, previews, voices

#: Characters that one job reads out, of one piece, and seconds that the whole may last.
LONGEST, _PIECE, _MOST_S = 5000, 300, 3600
_PAUSE_S = 0.25
_ENDS = re.compile(r"(?<=[.!?…。！？])\s+|\n+")  # noqa: RUF001 - as texts have them


def make(loaded: Loaded, payload: JSON, context: JobContext) -> Made:
    """The speech of one payload."""
    context.progress(0.0, "reading the text")
    text = str(payload["text"])
    if len(text) > LONGEST:
        raise EngineFailed(f"text has {len(text)} characters; at most {LONGEST} are read out, so split it")
    rate = int(loaded.model.config.sampling_rate)
    parts = _speak(loaded, payload, pieces(text), context)
    sound, times = _joined(parts, rate)
    context.progress(0.9, "writing the file")
    sound = loudness.normalized(sound, rate)
    metadata = _metadata(payload, text)
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


def pieces(text: str) -> list[str]:
    """Sentences, and what is longer than one breath at its spaces."""
    found: list[str] = []
    for sentence in _ENDS.split(text.strip()):
        words = sentence.split()
        while words:
            piece = words.pop(0)
            while words and len(piece) + 1 + len(words[0]) <= _PIECE:
                piece += f" {words.pop(0)}"
            found.append(piece)
    return found


def _speak(loaded: Loaded, payload: JSON, texts: list[str], context: JobContext) -> list[tuple[str, Any]]:
    """Each piece with its samples; those without a letter that the model knows are left out."""
    try:
        voice = folders.speaker(str(payload.get("voice", "default")), loaded.path)
    except KeyError as error:
        raise EngineFailed(f"voice: {error.args[0]}") from error
    model, made, samples = loaded.model, list[tuple[str, Any]](), 0
    model.speaking_rate = model.config.speaking_rate * float(payload.get("speed", 1.0))
    with (
        models.failing("the text could not be read out"),
        models.seeded(int(payload.get("seed", 0)), loaded.device),
        torch.inference_mode(),
    ):
        for i, text in enumerate(texts):
            context.progress(0.05 + 0.85 * i / len(texts), f"piece {i + 1} of {len(texts)}")
            read = loaded.reads(text, return_tensors="pt").to(loaded.device)
            if read["input_ids"].shape[1] <= 1:
                continue
            wave = model(**read, **({} if voice is None else {"speaker_id": voice})).waveform[0]
            made.append((text, wave.float().cpu().numpy()))
            samples += made[-1][1].shape[0]
            if samples > _MOST_S * model.config.sampling_rate:
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


def _metadata(payload: JSON, text: str) -> dict[str, Any]:
    return {
        "engine": "transformers-tts",
        "model": payload["model"],
        "text": text[:1000],
        "speaker": payload.get("voice", "default"),
        "speed": payload.get("speed", 1.0),
        "seed": int(payload.get("seed", 0)),
    }


def _language(payload: JSON) -> str:
    """By its English name; a model speaks its own whatever is asked for."""
    wanted = str(payload.get("language", voices.AUTO))
    return voices.LANGUAGES.get(voices.language(wanted) or "", "the model's own")
