"""Commands that make what the package holds: the graphs, and the file of weights."""

from __future__ import annotations

from pathlib import Path

import click

from training.shipped import FILE, QUALITIES

_PACKAGE = Path(__file__).parent.parent / "src/heddle/engines/mini"


@click.command()
@click.argument("target", type=click.Path(path_type=Path), default=_PACKAGE / "graphs")
def export(target: Path) -> None:
    """Write the networks as ONNX graphs without weights, into the package where no folder is named."""
    from training.export import export as export_to  # noqa: PLC0415 - heavy: torch, onnx

    export_to(target)


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path), default=_PACKAGE / FILE)
@click.option("--quality", type=click.Choice(QUALITIES), default="none", show_default=True, help="Which bar it meets.")
def pack(folder: Path, target: Path, quality: str) -> None:
    """Write the averaged weights of all stages in FOLDER into one file, into the package where none is named."""
    from training.pack import pack as pack_into  # noqa: PLC0415 - heavy: torch

    pack_into(folder, target, quality)
