"""Draws what sound looks like: spectrograms of the sources of `soundscape`, and the notes of pieces of `composer`.

python scripts/sound_sheets.py sources docs/pictures/soundscape-sources.webp
python scripts/sound_sheets.py pieces docs/pictures/composer-pieces.webp
python scripts/sound_sheets.py pieces out.png "a slow waltz for flute and harp"
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

from heddle.engines.composer.compose import Asked, composed, staffed
from heddle.engines.composer.description import read as read_description
from heddle.engines.composer.render import rendered
from heddle.engines.soundscape.mix import mixed
from heddle.engines.soundscape.prompt import Layer
from heddle.engines.soundscape.sources import catalog
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


def main() -> int:
    """Write the sheet."""
    kinds: dict[str, Callable[[Sequence[str]], plt.Figure]] = {"sources": sources, "pieces": pieces}
    parser = argparse.ArgumentParser(description="Draw what sound looks like.")
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("out", type=Path)
    parser.add_argument("what", nargs="*", help="names of sources, or descriptions of pieces; default: all")
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
