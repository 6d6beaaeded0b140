"""How well `mini` follows captions that nothing learned from, as the frozen checker sees it, beside the bars.

    python benchmarks/mini_quality.py RUN [--weights FILE] [--captions 500] [--steps 20] [--cfg 2] [--sheets FOLDER]

RUN is a folder of the training with its pool of drawings and its checker (`python -m training take-up RUN`, then
`python -m training draw RUN --shards 0`). Needs `heddle-cloud[train]` and a checkout.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import torch

from heddle.engines.mini import sampling, weights
from heddle.engines.mini.codec import Pixels
from heddle.engines.mini.plan import CELLS
from heddle.engines.mini.sampling import Knobs, Told
from heddle.engines.mini.sessions import Networks, Sessions

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from training.evaluation import TWENTY, sheet
from training.scenes import NAMES, Scene
from training.trainer import averaged

from training import captions, checker, data, pictures

BARS = {
    "release": {"object": 0.90, "color": 0.80, "count": 0.70, "position": 0.80, "background": 0.97, "style": 0.90},
    "preview": {"object": 0.60, "color": 0.50, "count": 0.40, "position": 0.60, "background": 0.95, "style": 0.85},
}
_BATCH = 10
_STRENGTHS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


class Painting:
    """Pictures by the engine's own loop and sessions."""

    def __init__(self, file: Path, knobs: Knobs) -> None:
        self.sessions = Sessions(file, 1)
        self.networks: Networks = self.sessions.networks((), lambda: None)
        self.knobs = knobs

    def pictures(self, texts: Sequence[str], seed: int, negatives: Sequence[str] | None = None) -> list[Pixels]:
        """A picture for each text; seeds count up from `seed`."""
        made: list[Pixels] = []
        for start in range(0, len(texts), _BATCH):
            part = texts[start : start + _BATCH]
            against = negatives[start : start + _BATCH] if negatives is not None else [""] * len(part)
            seeds = [seed + start + at for at in range(len(part))]
            told, untold = self._joined(part), self._joined(against)
            placed = sampling.laid_out(
                self.networks.layout, told, seeds, self.knobs, against=untold if negatives is not None else None
            )
            plans = sampling.plans(placed, (CELLS, CELLS))
            latents = sampling.latents(self.networks.painter, plans, told, untold, seeds, self.knobs)
            made += [self.networks.decoded(latents[at : at + 1]) for at in range(len(part))]
        return made

    def variants(self, texts: Sequence[str], sources: Sequence[Pixels], strength: float, seed: int) -> list[Pixels]:
        """Pictures from pictures."""
        made: list[Pixels] = []
        for at, (text, source) in enumerate(zip(texts, sources, strict=True)):
            told, untold = self._joined([text]), self._joined([""])
            there = self.encoded(source)
            if sampling.stays(strength):
                plans = sampling.cleared(self.networks.read(there))
            else:
                placed = sampling.laid_out(self.networks.layout, told, [seed + at], self.knobs)
                plans = sampling.plans(placed, (CELLS, CELLS))
            latents = sampling.latents(
                self.networks.painter, plans, told, untold, [seed + at], self.knobs, start=there, level=strength
            )
            made.append(self.networks.decoded(latents))
        return made

    def encoded(self, pixels: Pixels) -> np.ndarray:
        """Latents (1, 24, 16, 16)."""
        return np.ascontiguousarray(self.sessions.codec.encode(pixels).transpose(2, 0, 1)[None])

    def _joined(self, texts: Sequence[str]) -> Told:
        rows = self.networks.told(texts)
        return Told(*(np.concatenate(parts) for parts in zip(*rows, strict=True)))


class Bench:
    """Held-out scenes, their captions and the checker."""

    def __init__(self, run: Path, count: int) -> None:
        self._run = run
        self.scenes: list[Scene] = list(data.held_out(count))
        self.told = [
            captions.write(scene, data.HELD_OUT + at, errors=False) for at, scene in enumerate(self.scenes)
        ]  # fmt: skip
        self.texts = [caption.text for caption in self.told]
        self.checker = averaged(checker.Checker(), run, "checker")

    @cached_property
    def real(self) -> list[Pixels]:
        """The drawings of the scenes."""
        pool = pictures.Pool(self._run / "pool")
        return [pictures.picture(scene, pool)[0] for scene in self.scenes]

    def scores(self, images: Sequence[Pixels], shift: int = 0) -> dict[str, float]:
        """Shares of right answers by column; `shift` holds pictures against the captions of others."""
        scenes = self.scenes[shift:] + self.scenes[:shift]
        told = self.told[shift:] + self.told[:shift]
        return checker.table(scenes, told, checker.look(self.checker, images))

    def row(self, name: str, images: Sequence[Pixels], shift: int = 0) -> dict[str, float]:
        """Print a row of `scores`."""
        made = self.scores(images, shift)
        print(f"| {name:30} | " + " | ".join(f"{value:.3f}" for value in made.values()) + " |", flush=True)
        return made

    def seen(self, image: Pixels, kind: str) -> int:
        """How many cells of a kind there are."""
        return int((checker.look(self.checker, [image])[0].kinds == NAMES.index(kind) + 1).sum())


@click.command()
@click.argument("run", type=click.Path(exists=True, path_type=Path))
@click.option("--weights", "file", type=click.Path(exists=True, path_type=Path), default=weights.SHIPPED)
@click.option("--captions", "count", default=500, show_default=True)
@click.option("--steps", default=20, show_default=True)
@click.option("--cfg", default=Knobs().cfg, show_default=True)
@click.option("--sheets", type=click.Path(path_type=Path), help="Where pictures to look at are written.")
def main(run: Path, file: Path, count: int, steps: int, cfg: float, sheets: Path | None) -> None:
    """Print the table and what the knobs do."""
    torch.set_num_threads(1)
    bench, painting = Bench(run, count), Painting(file, Knobs(steps=steps, cfg=cfg))
    stamp = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    print(f"{file.name} sha256 {stamp}, {count} captions, {steps} steps, cfg {cfg:g}")
    print(f"| {'pictures':30} | " + " | ".join((*checker.COLUMNS, "all")) + " |")
    print("|---|" + "---|" * 7)
    bench.row("drawings (ceiling)", bench.real)
    bench.row(
        "drawings, encoded and decoded", [painting.networks.decoded(painting.encoded(real)) for real in bench.real]
    )
    images = painting.pictures(bench.texts, 1)
    made = bench.row(f"mini, cfg {cfg:g}", images)
    shuffled = bench.row("mini, captions of others (floor)", images, shift=1)
    few = min(count, 100)
    painting.knobs = Knobs(steps=steps, cfg=1.0)
    part = Bench(run, few) if few < count else bench
    plain = part.row(f"mini, cfg 1, {few} captions", painting.pictures(part.texts, 1))
    painting.knobs = Knobs(steps=steps, cfg=cfg)
    guided = part.row(f"mini, cfg {cfg:g}, {few} captions", images[:few])
    for name, bars in BARS.items():
        short = [f"{key} {made[key]:.3f} < {bar:.2f}" for key, bar in bars.items() if made[key] < bar]
        print(f"{name}: {'met' if not short else ', '.join(short)}")
    print(f"captions of others: object {shuffled['object']:.3f} (bar: at most 0.15)")
    print(f"guidance: object {plain['object']:.3f} at cfg 1, {guided['object']:.3f} at cfg {cfg:g}")
    _knobs(bench, painting)
    if sheets is not None:
        _sheets(bench, painting, images, sheets)


def negative(bench: Bench, painting: Painting, count: int = len(NAMES)) -> tuple[int, int, int]:
    """A thing that the prompt names, named as unwanted as well: in how many pictures it is seen without that and with,
    and in how many of the latter the wanted thing is."""
    pairs = list(zip(NAMES, NAMES[7:] + NAMES[:7], strict=True))[:count]
    texts = [f"a {kind} and a {other}, plain gray background" for kind, other in pairs]
    with_it = painting.pictures(texts, 500)
    without = painting.pictures(texts, 500, negatives=[f"a {other}" for _, other in pairs])
    before = sum(bench.seen(image, other) >= 2 for image, (_, other) in zip(with_it, pairs, strict=True))
    after = sum(bench.seen(image, other) >= 2 for image, (_, other) in zip(without, pairs, strict=True))
    kept = sum(bench.seen(image, kind) >= 2 for image, (kind, _) in zip(without, pairs, strict=True))
    return before, after, kept


def distances(
    painting: Painting, texts: Sequence[str], sources: Sequence[Pixels], strengths: Sequence[float]
) -> list[float]:
    """How far pictures are from what they are made of, for each strength: mean difference of their numbers."""
    rows: list[float] = []
    for strength in strengths:
        made = painting.variants(texts, sources, strength, 900)
        rows.append(float(np.mean([np.abs(a.astype(float) - b).mean() for a, b in zip(made, sources, strict=True)])))
    return rows


def _knobs(bench: Bench, painting: Painting) -> None:
    before, after, kept = negative(bench, painting)
    print(
        f"negative prompt: the unwanted thing is seen in {after} instead of {before} of {len(NAMES)} pictures,"
        f" the wanted one in {kept}"
    )
    rows = distances(painting, bench.texts[12:24], bench.real[:12], _STRENGTHS)
    told = ", ".join(f"{strength:g} {off:.1f}" for strength, off in zip(_STRENGTHS, rows, strict=True))
    rising = all(one < other for one, other in pairwise(rows))
    print(f"strength, mean difference from the source: {told}; {'rising' if rising else 'NOT rising'}")


def _sheets(bench: Bench, painting: Painting, images: Sequence[Pixels], folder: Path) -> None:
    """Pictures for a person."""
    folder.mkdir(parents=True, exist_ok=True)
    sheet(painting.pictures(TWENTY, 7), 5, folder / "twenty.png")
    held = [image for pair in zip(bench.real[:16], images[:16], strict=True) for image in pair]
    sheet(held, 8, folder / "held-out.png")
    usual = painting.knobs
    prompts = ("a red house under a yellow sun in a meadow", "a black cat on the beach", "three blue balloons")
    rows: list[Pixels] = []
    for prompt in prompts:
        for steps, cfg in [(usual.steps, cfg) for cfg in (1.0, 2.0, 4.0, 7.0)] + [
            (n, usual.cfg) for n in (2, 4, 8, 32)
        ]:
            painting.knobs = Knobs(steps=steps, cfg=cfg)
            rows += painting.pictures([prompt], 11)
    painting.knobs = usual
    sheet(rows, 8, folder / "cfg-and-steps.png")
    sheet([image for prompt in prompts for image in painting.pictures([prompt] * 8, 20)], 8, folder / "seeds.png")
    source, rows = bench.real[8], []
    for prompt in ("a watercolor of a castle at night", "a red car in the desert"):
        rows += [source, *(painting.variants([prompt], [source], s, 5)[0] for s in (0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0))]
    sheet(rows, 8, folder / "strength.png")
    pairs = (
        ("a house and a tree, meadow", "tree"),
        ("a cat and a balloon, gray background", "balloon"),
        ("a car, city", "city"),
    )
    rows = [
        image
        for text, unwanted in pairs
        for against in ("", unwanted)
        for image in painting.pictures([text] * 4, 30, [against] * 4)
    ]
    sheet(rows, 8, folder / "negative.png")


if __name__ == "__main__":
    main()
