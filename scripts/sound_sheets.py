"""Draws what sound looks like: spectrograms of the sources of `soundscape`, the notes of pieces of `composer`, and
wave and spectrogram of the files that `audioGen`, `music` and `tts` make.

python scripts/sound_sheets.py sources docs/pictures/soundscape-sources.webp
python scripts/sound_sheets.py pieces docs/pictures/composer-pieces.webp
python scripts/sound_sheets.py pieces out.png "a slow waltz for flute and harp"
python scripts/sound_sheets.py sounds docs/pictures/soundscape-waves.webp
python scripts/sound_sheets.py music docs/pictures/composer-waves.webp
python scripts/sound_sheets.py speech docs/pictures/speech-waves.webp
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from contact_sheet import Quiet
from PIL import Image

from heddle.domain import JSON
from heddle.engines import Engine, Made
from heddle.engines.composer import Composer
from heddle.engines.composer.compose import Asked, composed, staffed
from heddle.engines.composer.description import read as read_description
from heddle.engines.composer.render import rendered
from heddle.engines.espeak import Espeak
from heddle.engines.soundscape import Soundscape
from heddle.engines.soundscape.mix import mixed
from heddle.engines.soundscape.prompt import Layer
from heddle.engines.soundscape.sources import catalog
from heddle.steps import Facts, StepType
from heddle.steps.audio_gen import AudioGen
from heddle.steps.music import Music
from heddle.steps.tts import Tts
from heddle.studio import audio
from heddle.studio.acoustics import RATE, Sound

mpl.use("Agg")

from matplotlib import pyplot as plt

PIECES = (
    "calm lo-fi with piano and soft drums",
    "a waltz for violin",
    "jazz quartet",
    "epic cinematic strings",
    "solo piano, sad",
    "techno",
)
#: What the three step types are asked for.
SOUNDS = (
    "heavy rain on a tin roof with distant thunder",
    "an owl in the forest at night, then a rooster",
    "three knocks on a door, then a door creak",
    "waves and seagulls, a foghorn in the distance",
)
TUNES = ("a waltz for violin", "calm lo-fi with piano and soft drums", "techno", "solo piano, sad")
VOICES = ("default", "f3", "m5", "whisper")
SENTENCE = "Good morning. The train leaves at nine."
_COLORS = {"lead": "#c8452f", "comp": "#2f5496", "pad": "#8fb08c", "bass": "#333333", "drums": "#d9a441"}


def spectrogram(axes: plt.Axes, sound: Sound) -> None:
    """Time to the right, pitch upward on a scale of octaves."""
    mono = sound.mean(axis=1) + 1e-7 * np.random.default_rng(0).standard_normal(len(sound))
    axes.specgram(mono, NFFT=2048, noverlap=1536, Fs=RATE, vmin=-130, vmax=-42, cmap="magma")
    axes.set_yscale("log")
    axes.set_ylim(40, 16_000)
    axes.set_axis_off()


def sources(names: Sequence[str]) -> plt.Figure:
    """One small spectrogram each, five seconds long."""
    wanted = names or sorted(catalog())
    columns = min(10, len(wanted))
    rows = -(-len(wanted) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(columns * 1.5, rows * 1.15), squeeze=False)
    for axes in grid.flat[len(wanted) :]:
        axes.set_axis_off()
    for axes, name in zip(grid.flat, wanted, strict=False):
        spectrogram(axes, mixed(((Layer(source=name),),), (), 5.0, 7, loop=False, report=lambda _: None))
        axes.set_title(name, fontsize=7, pad=2)
    return figure


def pieces(descriptions: Sequence[str]) -> plt.Figure:
    """Half a minute each: the notes at the left, what sounds at the right."""
    wanted = descriptions or PIECES
    figure, grid = plt.subplots(len(wanted), 2, figsize=(14, 2.1 * len(wanted)), squeeze=False)
    for (left, right), description in zip(grid, wanted, strict=True):
        brief = read_description(description)
        score = composed(brief, Asked(seconds=30, seed=5))
        for note in score.notes:
            span = [score.at(note.start), score.at(note.start + note.length)]
            left.plot(span, [note.pitch] * 2, color=_COLORS[note.part], linewidth=2.4 if note.part == "lead" else 1.3)
        left.set_title(f"{description}: {score.key}, {score.bpm} bpm", fontsize=9, loc="left", pad=2)
        left.set_xlim(0, 30)
        left.tick_params(labelsize=6)
        spectrogram(right, rendered(score, staffed(brief), lambda _: None))
    return figure


def made(step: StepType, engine: Engine, raw: JSON) -> Made:
    """The file that a step with this input makes."""
    [payload] = step.plan(raw, lambda _: Facts()).payloads
    return next(iter(engine.run(payload, Quiet())))


def waves(files: Mapping[str, Made]) -> plt.Figure:
    """Each file as a player would hear it: its wave above, its spectrogram below, words where they are said."""
    figure, grid = plt.subplots(
        2 * len(files), 1, figsize=(9, 1.75 * len(files)), gridspec_kw={"height_ratios": [1, 1.3] * len(files)}
    )
    for i, (title, file) in enumerate(files.items()):
        sound = audio.decode(file.data, rate=RATE, channels=2)
        wave, below = grid[2 * i], grid[2 * i + 1]
        _draw_wave(wave, sound)
        wave.set_title(title, fontsize=9, loc="left", pad=3)
        for word in (file.output or {}).get("timeStamps", ()):
            wave.axvline(word["startTime"], color="#c8452f", linewidth=0.8)
            wave.text(word["startTime"], -1.05, f" {word['text']}", fontsize=7, va="bottom", color="#c8452f")
        spectrogram(below, sound)
        below.set_xlim(0, len(sound) / RATE)
    return figure


def _draw_wave(axes: plt.Axes, sound: Sound) -> None:
    """The loudest and quietest of each column."""
    parts = np.array_split(sound.mean(axis=1), 1200)
    at = np.linspace(0, len(sound) / RATE, len(parts))
    axes.fill_between(at, [p.min() for p in parts], [p.max() for p in parts], color="#2f5496", linewidth=0)
    axes.set_xlim(0, len(sound) / RATE)
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([])
    axes.tick_params(labelsize=6, length=2, pad=1)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)


def sounds(prompts: Sequence[str]) -> plt.Figure:
    """Files of `audioGen`."""
    return waves(
        {p: made(AudioGen(), Soundscape(), {"prompt": p, "duration": 8, "seed": 7}) for p in prompts or SOUNDS}
    )


def music(descriptions: Sequence[str]) -> plt.Figure:
    """Files of `music`."""
    raw = {"duration": 16, "seed": 5}
    return waves({d: made(Music(), Composer(), raw | {"musicDescription": d}) for d in descriptions or TUNES})


def speech(voices: Sequence[str]) -> plt.Figure:
    """Files of `tts`: the same sentence in several voices."""
    return waves({f"voice {v}": made(Tts(), Espeak(), {"text": SENTENCE, "voice": v}) for v in voices or VOICES})


def main() -> int:
    """Write the sheet."""
    kinds: dict[str, Callable[[Sequence[str]], plt.Figure]] = {
        "sources": sources,
        "pieces": pieces,
        "sounds": sounds,
        "music": music,
        "speech": speech,
    }
    parser = argparse.ArgumentParser(description="Draw what sound looks like.")
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("out", type=Path)
    parser.add_argument("what", nargs="*", help="names of sources or voices, or descriptions; default: some or all")
    given = parser.parse_args()
    figure = kinds[given.kind](given.what)
    figure.tight_layout(pad=0.4)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=100)
    Image.open(drawn).convert("RGB").save(given.out, quality=80, method=4)
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
