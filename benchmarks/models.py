"""Pictures by a model: a job through the server against the bare pipeline; several in one call; models kept loaded.

    .venv/bin/python benchmarks/models.py [PICTURES]

The model has the layout of Stable Diffusion 1 with narrow layers and random weights. Needs the extra `torch`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import diffusers
import torch
from tests.serving import WORKFLOWS, Serving
from tests.torch import tiny

from heddle.engines.diffusers import loading

SIDE, STEPS = 256, 20
#: Seconds between two looks of the client.
LOOK_S = 0.02


def write(place: Path, seed: int) -> Path:
    """About a hundred million numbers in a UNet: a step at 256 pixels takes about half a second of a core."""
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(tiny.folder("sd1"), safety_checker=None)
    torch.manual_seed(seed)
    width = pipeline.unet.config.cross_attention_dim
    unet = diffusers.UNet2DConditionModel(
        sample_size=SIDE // 8,
        block_out_channels=(128, 256, 512, 512),
        attention_head_dim=8,
        cross_attention_dim=width,
    )
    vae = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 64, 64, 64),
        layers_per_block=1,
    )
    pipeline.register_modules(unet=unet.eval(), vae=vae.eval())
    pipeline.save_pretrained(place)
    return place


def bare(folders: list[Path], order: list[int]) -> list[float]:
    """Seconds of each picture with all models in memory, by pipelines alone."""
    torch.set_num_threads(_threads())
    pipelines = [loading.load("sd1", folder) for folder in folders]
    took: list[float] = []
    for seed, which in enumerate(order):
        begun = time.perf_counter()
        pipelines[which](
            prompt="a red fox", width=SIDE, height=SIDE, num_inference_steps=STEPS, guidance_scale=7.0,
            generator=torch.Generator("cpu").manual_seed(seed),
        )  # fmt: skip
        took.append(time.perf_counter() - begun)
    return took


def _threads() -> int:
    return os.cpu_count() or 1


def served(folders: list[Path], order: list[int], device_mb: int, batch: int = 1) -> tuple[float, int]:
    """Seconds from the first submit to the last picture, all submitted at once; and how many loads there were."""
    with tempfile.TemporaryDirectory() as room:
        home = Path(room) / "home"
        home.mkdir()
        (home / "engines.toml").write_text(f"[diffusers]\nbatch = {batch}\n")
        server = Serving(home, slots=1, devices="cpu", device_memory_mb=device_mb, defer_s=30, starting_buzz=10**9)
        server.start()
        try:
            airs = [_added(home, folder, n) for n, folder in enumerate(folders)]
            with server.client() as client:
                for which in dict.fromkeys(order):  # the first of each loads it, and torch
                    _wait(client, [_submit(client, airs[which], 10_000)])
                begun = time.perf_counter()
                ids = [_submit(client, airs[which], seed) for seed, which in enumerate(order)]
                _wait(client, ids)
                took = time.perf_counter() - begun
            loads = (home.parent / "server.log").read_text().count("loading")
        finally:
            server.stop()
    return took, loads


def _added(home: Path, folder: Path, number: int) -> str:
    command = [sys.executable, "-m", "heddle", "models", "add", str(folder), "--type", "Checkpoint"]
    command += ["--base-model", "SD 1.5", "--name", f"Bench {number}"]
    done = subprocess.run(
        command, check=True, env={**os.environ, "HEDDLE_HOME": str(home)}, capture_output=True, text=True
    )
    return done.stdout.strip().splitlines()[-1]


def _submit(client: Any, air: str, seed: int) -> str:
    given = {
        "model": air, "prompt": "a red fox", "width": SIDE, "height": SIDE, "steps": STEPS, "cfgScale": 7, "seed": seed,
    }  # fmt: skip
    answer = client.post(WORKFLOWS, json={"steps": [{"$type": "imageGen", "input": given}]})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def _wait(client: Any, ids: list[str]) -> None:
    for workflow_id in ids:
        while (shown := client.get(f"{WORKFLOWS}/{workflow_id}").json())["status"] not in {"succeeded", "failed"}:
            time.sleep(LOOK_S)
        assert shown["status"] == "succeeded", shown


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as room:
        folders = [write(Path(room) / str(n), n) for n in range(2)]
        alone = bare(folders, [0] * count)
        one, _ = served(folders, [0] * count, 12_000)
        print(f"{count} pictures of {SIDE} x {SIDE}, {STEPS} steps, {_threads()} threads")
        print(f"bare pipeline                 {sum(alone):6.1f} s (median of one {statistics.median(alone):.2f} s)")
        print(f"through the server            {one:6.1f} s  {one / sum(alone):.3f} of it")
        several, _ = served(folders, [0] * count, 12_000, batch=4)
        print(f"up to four in one call        {several:6.1f} s  {several / one:.3f} of one by one")
        turns = [n % 2 for n in range(count)]
        for name, device_mb in (("two models, room for both", 12_000), ("two models, room for one", 3_000)):
            took, _ = served(folders, turns, device_mb)
            print(f"{name:<29} {took:6.1f} s  {took / one:.3f} of one model")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
