"""From a sound to a text: 16 kHz mono, windows of half a minute, each read token by token.

The windows follow each other as the model's own time stamps say, so that no word is cut in two.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.transformers import folders, models
from heddle.engines.transformers.models import Loaded
from heddle.errors import EngineFailed
from heddle.studio import audio, voices

RATE = 16_000

#: Stretches whose times the output tells, and the length of the text in it: more would not fit.
_CUES, _LETTERS = 1000, 60_000


@dataclass(frozen=True, slots=True)
class Cue:
    """A stretch of speech, and when it is said, in seconds."""

    text: str
    start: float
    end: float


def make(loaded: Loaded, payload: JSON, context: JobContext) -> Iterator[Made]:
    """The transcript, and subtitles in two forms."""
    if problem := folders.language_problem(payload):
        raise EngineFailed(f"language: {problem['language']}")
    began = time.monotonic()
    data = context.read(payload["media"])
    samples = audio.decode(data, rate=RATE, report=lambda share: context.progress(0.05 * share, "decoding"))[:, 0]
    if not len(samples):
        raise EngineFailed("media: the sound is empty; there is nothing to hear")
    with models.failing("the sound could not be transcribed"), torch.inference_mode():
        language, cues = _hear(loaded, samples, payload, context)
    text = "\n".join(cue.text for cue in cues)
    output: dict[str, Any] = {
        "text": text[:_LETTERS],
        "language": LANGUAGES.get(language, language).title(),
        "elapsedSeconds": round(time.monotonic() - began, 3),
    }
    if payload.get("timeStamps"):
        output["timeStamps"] = [
            {"text": c.text[:500], "startTime": round(c.start, 2), "endTime": round(c.end, 2)} for c in cues[:_CUES]
        ]
    yield Made(
        data=f"{text}\n".encode(),
        mime="text/plain",
        metadata={"engine": "whisper", "model": payload["model"], "stretches": len(cues)},
        output=output,
        duration_ms=round(len(samples) * 1000 / RATE),
    )
    yield Made(data=_srt(cues).encode(), mime="application/x-subrip", role="srt")
    yield Made(data=_vtt(cues).encode(), mime="text/vtt", role="vtt")
    context.progress(1.0)


def _hear(loaded: Loaded, samples: Any, payload: JSON, context: JobContext) -> tuple[str, list[Cue]]:
    watch = _Watch(context)
    heard = loaded.hears(
        samples,
        sampling_rate=RATE,
        return_tensors="pt",
        truncation=False,
        padding="longest" if len(samples) > loaded.hears.n_samples else "max_length",
        return_attention_mask=True,
    )
    features = heard.input_features.to(loaded.device, loaded.model.dtype)
    language = _language(loaded, features, payload)
    many = bool(folders.languages(loaded.path))
    hint = payload.get("context")
    found = loaded.model.generate(
        features,
        attention_mask=heard.attention_mask.to(loaded.device),
        return_timestamps=True,
        return_segments=True,
        monitor_progress=watch.window,
        stopping_criteria=models.watched(watch.token),
        **({"language": language, "task": "transcribe"} if many else {}),
        **({"prompt_ids": _prompt(loaded, hint)} if hint else {}),
    )
    # A window may be longer than the sound, and nothing is said after its end.
    length = len(samples) / RATE
    said = [_cue(loaded, one, length) for one in found["segments"][0] if one["start"] < length]
    return language, [cue for cue in said if cue.text]


def _cue(loaded: Loaded, segment: Any, length: float) -> Cue:
    text = loaded.reads.decode(segment["tokens"], skip_special_tokens=True)
    return Cue(text.strip(), float(segment["start"]), min(float(segment["end"]), length))


def _prompt(loaded: Loaded, hint: str) -> Any:
    """What it is about, in as many tokens as the model takes before its answer."""
    most = loaded.model.config.max_target_positions // 2 - 1
    tokens = loaded.reads.get_prompt_ids(hint, return_tensors="pt")
    return torch.cat([tokens[:1], tokens[1:][-most + 1 :]]).to(loaded.device)


def _language(loaded: Loaded, features: Any, payload: JSON) -> str:
    """As asked for; else what the first half minute sounds like."""
    wanted = str(payload.get("language", voices.AUTO))
    known = folders.languages(loaded.path)
    if not known:
        return "en"
    if wanted.lower() != voices.AUTO:
        return folders.language_code(wanted)
    first = features[..., : loaded.hears.nb_max_frames]
    [token] = loaded.model.detect_language(input_features=first).tolist()
    return loaded.reads.convert_ids_to_tokens(token).strip("<|>")


class _Watch:
    """Tells how far the reading is, and lets a cancel through after every token."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._share = 0.0
        self._note = ""
        self._read = -1

    def window(self, seek: torch.Tensor) -> None:
        """Before each window: frames that are read, and those there are."""
        done, every = (int(value) for value in seek[0])
        if done <= self._read:
            raise EngineFailed(f"the model gets no further than {done / 100:g} s: it says that nothing was said there")
        self._read = done
        self._share = 0.05 + 0.95 * done / max(1, every)
        self._note = f"{done // 100} of {every // 100} s"
        self._context.progress(self._share, self._note)

    def token(self, _tokens: Any) -> bool:
        """It never ends a window itself."""
        self._context.progress(self._share, self._note)
        return False


# ── subtitles ─────────────────────────────────────────────────────────────────


def _srt(cues: Sequence[Cue]) -> str:
    return "".join(
        f"{i}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{cue.text}\n\n" for i, cue in enumerate(cues, 1)
    )


def _vtt(cues: Sequence[Cue]) -> str:
    return "WEBVTT\n\n" + "".join(f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{cue.text}\n\n" for cue in cues)


def _time(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"
