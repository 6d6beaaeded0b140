"""The commands of the training: `python -m training STAGE FOLDER`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import torch

from training import checker, data, decoder, denoisers, kept, pictures, ship, text
from training.trainer import Plan

#: Where a run is kept between machines.
KEPT = Path(__file__).parent / "kept"
#: How long each stage runs where nothing else is asked for.
PLANS = {
    "text": Plan(steps=900, decay=500, batch=128, keep_every=100, average=0.99),
    "checker": Plan(steps=2600, decay=600, batch=32, keep_every=100, average=0.995),
    "layout": Plan(steps=8000, decay=1800, batch=96, keep_every=100),
    "painter": Plan(steps=5900, decay=2400, batch=96, keep_every=100),
    "decoder": Plan(steps=2100, decay=800, batch=64, keep_every=100),
    "reader": Plan(steps=1800, decay=900, batch=64, keep_every=100, average=0.99),
}
_STAGES: dict[str, Callable[[Path, Plan, torch.device], None]] = {
    "text": lambda folder, plan, _: text.train(folder, plan),
    "checker": checker.train,
    "layout": denoisers.train_layout,
    "painter": denoisers.train_painter,
    "decoder": decoder.train,
    "reader": denoisers.train_reader,
}


@click.group()
def main() -> None:
    """Make the model of the engine mini, stage by stage, in a folder; each goes on where it was ended."""
    torch.set_num_threads(1)


main.add_command(ship.export)
main.add_command(ship.pack)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--shards", default=64, show_default=True, help="How many times 1,024 scenes.")
@click.option("--workers", default=2, show_default=True)
def draw(folder: Path, shards: int, workers: int) -> None:
    """Draw what the networks learn from."""
    pictures.draw_pool(folder / "pool", workers)
    if not (folder / "codec.safetensors").exists():
        data.save_codec(data.fit_codec(pictures.Pool(folder / "pool")), folder / "codec.safetensors")
    data.draw_shards(folder, shards, workers)


@main.command()
@click.argument("stage", type=click.Choice(tuple(_STAGES)))
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--steps", type=int, help="In all, those of earlier runs among them.")
@click.option("--decay", type=int, help="Over how many of the last steps the rate falls.")
@click.option("--batch", type=int)
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default=True)
def train(stage: str, folder: Path, steps: int | None, decay: int | None, batch: int | None, device: str) -> None:
    """Train a stage: text first, then layout, painter, decoder, reader and checker in any order."""
    usual = PLANS[stage]
    plan = Plan(
        steps=steps or usual.steps, decay=decay or usual.decay, batch=batch or usual.batch, warm=usual.warm,
        average=usual.average, keep_every=usual.keep_every,
    )  # fmt: skip
    _STAGES[stage](folder, plan, torch.device(device))


@main.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path), default=KEPT)
def keep(folder: Path, target: Path) -> None:
    """Keep what a run has learned in the repository, so that another machine can go on with it."""
    kept.keep(folder, target)


@main.command("take-up")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("source", type=click.Path(exists=True, path_type=Path), default=KEPT)
def take_up(folder: Path, source: Path) -> None:
    """Start a run in FOLDER from what was kept; `draw` and `train` then go on."""
    kept.take_up(source, folder)
