"""From a sound to words: find the stretches of speech, recognize each in a sandbox, put the times together.

samples -> loud stretches -> those like speech (`likeness.py`) -> words with times
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heddle.engines.sphinx import likeness
from heddle.studio import audio, sandbox
from heddle.studio.sandbox import Limits, Report

RATE = 16_000

#: Seconds: of one look at the level; of a pause that ends a stretch; of the longest stretch; of what is kept around it.
_LOOK_S, _PAUSE_S, _LONGEST_S, _AROUND_S = 0.02, 0.4, 15.0, 0.15
#: Shorter stretches are clicks.
_SHORTEST_S = 0.12
#: How far below its loud parts speech is still speech, and the level below which nothing is, in decibels:
#: some recordings are 40 dB softer than others, and their speech is to be heard as well.
_BELOW_DB, _FLOOR_DB = 30.0, -72.0
#: Words of one subtitle.
_WORDS = 9

_LIMITS = Limits(memory_mb=2048, cpu_s=7200, wall_s=14_400, output_mb=64)

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Said:
    """A word or a stretch of words, and when it is said, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything that was understood in a sound of so many seconds."""

    words: list[Said]
    cues: list[Said]
    seconds: float
    #: Seconds that are loud enough and not like speech, and were not listened to.
    passed_over: float

    @property
    def text(self) -> str:
        """All words; a line for each stretch of speech."""
        return "\n".join(cue.text for cue in self.cues)


def hear(data: bytes, report: Report) -> Heard:
    """Words and times of any sound or video. Raises JobError."""
    samples = audio.decode(data, rate=RATE, report=lambda share: report(0.1 * share))[:, 0]
    report(0.1)  # however short the decoding was, a cancel comes through before the long part
    loud_parts = find_loud(samples)
    stretches = likeness.speech_of(samples, loud_parts)
    passed_over = sum(end - start for start, end in loud_parts) - sum(end - start for start, end in stretches)
    if not stretches:
        return Heard([], [], len(samples) / RATE, passed_over / RATE)
    loud = _level(samples)
    parts = [
        {"at": start / RATE, "pcm": (np.clip(loud[start:end], -1, 1) * 32767).astype("<i2").tobytes()}
        for start, end in stretches
    ]
    found: list[list[list[Any]]] = sandbox.call(
        "heddle.engines.sphinx.hearing:recognize",
        {"parts": parts},
        limits=_LIMITS,
        report=lambda share: report(0.1 + 0.9 * share),
    )
    spoken = [[Said(*word) for word in part] for part in found]
    words = [word for part in spoken for word in part]
    return Heard(words, _cues(spoken), len(samples) / RATE, passed_over / RATE)


def _level(samples: Samples) -> Samples:
    """As loud as the model was trained with, whatever the recording's level."""
    loud = float(np.percentile(np.abs(samples), 99.9)) if len(samples) else 0.0
    return samples * (0.7 / loud) if loud > 1e-4 else samples


def find_loud(samples: Samples) -> list[tuple[int, int]]:
    """Stretches that are not silence, as sample numbers: silence alone is heard as words by the recognizer."""
    look = int(_LOOK_S * RATE)
    count = len(samples) // look
    if count == 0:
        return []
    energy = (samples[: count * look].reshape(count, look) ** 2).mean(axis=1)
    level = 10 * np.log10(energy + 1e-12)
    threshold = max(_FLOOR_DB, float(np.percentile(level, 95)) - _BELOW_DB)
    return _stretches(level > threshold, look, len(samples))


def _stretches(loud: NDArray[np.bool_], look: int, length: int) -> list[tuple[int, int]]:
    """Loud looks, joined over short pauses and cut where they get too long."""
    pause, longest, shortest = (round(s / _LOOK_S) for s in (_PAUSE_S, _LONGEST_S, _SHORTEST_S))
    found: list[list[int]] = []
    for at in np.flatnonzero(loud).tolist():
        if found and at - found[-1][1] <= pause and at - found[-1][0] < longest:
            found[-1][1] = at + 1
        else:
            found.append([at, at + 1])
    around = int(_AROUND_S * RATE)
    return [
        (max(0, start * look - around), min(length, end * look + around))
        for start, end in found
        if end - start >= shortest
    ]


def _cues(spoken: list[list[Said]]) -> list[Said]:
    """Subtitles: stretches of speech, in pieces of a few words."""
    pieces = [part[i : i + _WORDS] for part in spoken for i in range(0, len(part), _WORDS)]
    return [Said(" ".join(w.text for w in piece), piece[0].start, piece[-1].end) for piece in pieces]


# ── the child ─────────────────────────────────────────────────────────────────


def recognize(argument: dict[str, Any], report: Report) -> list[list[list[Any]]]:
    """The words of each part, with their times in seconds."""
    import pocketsphinx  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs] - native, and heavy

    library: Any = pocketsphinx
    path = library.get_model_path
    config = library.Config(
        hmm=path("en-us/en-us"),
        lm=path("en-us/en-us.lm.bin"),
        dict=path("en-us/cmudict-en-us.dict"),
        logfn="/dev/null",
    )
    decoder = library.Decoder(config)
    parts = argument["parts"]
    found: list[list[list[Any]]] = []
    for i, part in enumerate(parts):
        decoder.start_utt()
        decoder.process_raw(part["pcm"], full_utt=True)
        decoder.end_utt()
        found.append(_words(decoder, part["at"]))
        report((i + 1) / len(parts))
    return found


def _words(decoder: Any, at: float) -> list[list[Any]]:
    """Without pauses and noises; `read(2)` is another way to say `read`."""
    named = ((s.word.partition("(")[0], s.start_frame, s.end_frame + 1) for s in decoder.seg())
    return [[w, at + first / 100, at + end / 100] for w, first, end in named if w and w[0] not in "<[+"]
