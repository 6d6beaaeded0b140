"""What the networks learn from, in shards: latents of scenes, by seed. Captions are written each time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from heddle.engines.mini.codec import CHANNELS, Codec, patches
from training import pictures, scenes

SHARD = 1024
#: Scenes that are learned from have seeds from 0; those that are held out start here.
HELD_OUT = 1_000_000_000

Floats = npt.NDArray[np.float32]


def fit_codec(pool: pictures.Pool, count: int = 3000, seed: int = HELD_OUT // 2) -> Codec:
    """The principal components of patches of pictures."""
    rows: list[Floats] = []
    rng = np.random.default_rng(0)
    for at in range(count):
        pixels, _ = pictures.picture(scenes.sample(seed + at, pictures.wides()), pool)
        cut = patches(pixels).reshape(-1, 768)
        rows.append(cut[rng.choice(len(cut), 48, replace=False)])
    found = np.concatenate(rows)
    mean = found.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((found - mean).T.astype(np.float64)))
    order = np.argsort(values)[::-1][:CHANNELS]
    basis = vectors[:, order].T.astype(np.float32)
    # Between raw (the first component would be all) and whitened (the last, mostly noise, would count as much).
    spread = np.sqrt(values[order]).astype(np.float32)
    return Codec(basis, mean.astype(np.float32), spread**0.65 * spread[0] ** 0.35)


def save_codec(codec: Codec, path: Path) -> None:
    """Into a safetensors file of its own."""
    save_file({"basis": codec.basis, "mean": codec.mean, "scale": codec.scale}, path)


def load_codec(path: Path) -> Codec:
    """What `save_codec` wrote."""
    held = load_file(path)
    return Codec(held["basis"], held["mean"], held["scale"])


def _shard(folder: Path, number: int) -> None:
    target = folder / f"shard-{number:05}.safetensors"
    if target.exists():
        return
    pool, codec = pictures.Pool(folder / "pool"), load_codec(folder / "codec.safetensors")
    latents: list[npt.NDArray[np.float16]] = []
    for seed in range(number * SHARD, (number + 1) * SHARD):
        scene = scenes.sample(seed, pictures.wides())
        latents.append(codec.encode(pictures.picture(scene, pool)[0]).astype(np.float16))
    whole = target.with_suffix(".part")
    save_file({"latents": np.stack(latents)}, whole)
    os.replace(whole, target)


def draw_shards(folder: Path, count: int, workers: int = 2) -> None:
    """Draw the first `count` shards; those that are there stay."""
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(partial(_shard, folder), range(count)))


class Shards:
    """Batches from all shards that are there, without end, in an order that a step's number decides."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self._folder, self._names = folder, names
        self._held: list[dict[str, npt.NDArray[np.float16]]] = []
        self.reload()

    def reload(self) -> int:
        """Take in shards that were drawn since; returns how many scenes there are."""
        for path in sorted(self._folder.glob("shard-*.safetensors"))[len(self._held) :]:
            held = load_file(path)
            self._held.append({name: held[name] for name in self._names})
        return len(self._held) * SHARD

    def batch(self, step: int, size: int) -> tuple[npt.NDArray[np.int64], dict[str, Floats]]:
        """The seeds of some scenes, and what the shards hold of them."""
        rng = np.random.default_rng((step, 11))
        seeds = rng.integers(0, len(self._held) * SHARD, size)
        rows = {
            name: np.stack([self._held[seed // SHARD][name][seed % SHARD] for seed in seeds]).astype(np.float32)
            for name in self._names
        }
        return seeds, rows


def held_out(count: int) -> Iterator[scenes.Scene]:
    """Scenes that nothing learns from."""
    for at in range(count):
        yield scenes.sample(HELD_OUT + at, pictures.wides())
