"""A picture through an upscaling model in tiles, against the same picture in one piece.

    .venv/bin/python benchmarks/upscale.py [SIDE]

The model has ESRGAN's layout with a quarter of its width and two of its 23 blocks, and random weights. Needs the
extra `torch`.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from tests.moving import psnr, texture
from tests.torch import tiny_upscaler

from heddle.engines.spandrel import models, tiles
from heddle.engines.spandrel.options import Options

#: Tile and overlap, the whole last: the memory of a process is the most that it ever had.
WAYS = ((64, 16), (96, 24), (128, 32), (192, 32), (4096, 0))


def main(side: int) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = tiny_upscaler.write(Path(folder) / "model.safetensors", 4, wide=16, blocks=2)
        model = models.load(path, Options())
    source = texture(side, 2)
    made: dict[tuple[int, int], tuple[np.ndarray, float, int, float]] = {}
    for tile, overlap in WAYS:
        begun = time.process_time()
        result = tiles.enlarged(source, model.enlarge, 4, tile, overlap)
        spent = time.process_time() - begun
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        made[tile, overlap] = result, spent, tiles.count((side, side), tile, overlap), memory
    whole, best, _, _ = made[WAYS[-1]]
    print(f"{side} x {side} to {4 * side} x {4 * side}, 1 thread")
    print("| tile | overlap | tiles | CPU s | of whole | peak MiB | dB to whole | most levels off |")
    print("|---|---|---|---|---|---|---|---|")
    for (tile, overlap), (result, spent, count, memory) in made.items():
        off = np.abs(result.astype(int) - whole).max()
        likeness = "" if result is whole else f"{psnr(result, whole):.1f}"
        name = "whole" if tile > side else str(tile)
        print(
            f"| {name} | {overlap} | {count} | {spent:.1f} | {spent / best:.2f} | {memory:.0f} | {likeness} | {off} |"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 288)
