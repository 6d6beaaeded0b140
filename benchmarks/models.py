"""Pictures by a model: a job through the server against the bare pipeline; several in one call; models kept loaded.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/models.py [PICTURES]

Figures are seconds of processor time, which others on the machine change least: of this process, and of the server with
its worker from the first submit to the last picture. Models were in memory once before.

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
import psutil
import torch
from tests.serving import WORKFLOWS, Serving
from tests.torch import tiny

from heddle.engines.diffusers import loading

SIDE, STEPS = 192, 12
#: Seconds between two looks of the client. Each costs the server a millisecond, which is no part of a picture: at 50 a
#: second they were most of what a job seemed to cost beside its model.
LOOK_S = 0.25


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
    """Processor seconds of each picture with all models in memory, by pipelines alone."""
    pipelines = [loading.load("sd1", folder) for folder in folders]
    took: list[float] = []
    for seed, which in enumerate(order):
        begun = time.process_time()
        pipelines[which](
            prompt="a red fox", width=SIDE, height=SIDE, num_inference_steps=STEPS, guidance_scale=7.0,
            generator=torch.Generator("cpu").manual_seed(seed),
        )  # fmt: skip
        took.append(time.process_time() - begun)
    return took


def served(folders: list[Path], order: list[int], device_mb: int, batch: int = 1) -> float:
    """Processor seconds from the first submit to the last picture, all submitted at once."""
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
                begun = _processor_s(server)
                _wait(client, [_submit(client, airs[which], seed) for seed, which in enumerate(order)])
                return _processor_s(server) - begun
        finally:
            server.stop()


def _processor_s(server: Serving) -> float:
    """Of the server and what it started."""
    assert server.process is not None
    whole = psutil.Process(server.process.pid)
    return sum(sum(one.cpu_times()[:2]) for one in [whole, *whole.children(recursive=True)])


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
        took = bare(folders, [0] * count)
        alone = sum(took)
        print(f"{count} pictures of {SIDE} x {SIDE}, {STEPS} steps, {torch.get_num_threads()} threads")
        print(f"bare pipeline                 {alone:6.1f} s (median of one {statistics.median(took):.2f} s)")
        one = served(folders, [0] * count, 12_000)
        print(f"through the server            {one:6.1f} s  {one / alone:.3f} of it")
        several = served(folders, [0] * count, 12_000, batch=4)
        print(f"up to four in one call        {several:6.1f} s  {several / one:.3f} of one by one")
        turns = [n % 2 for n in range(count)]
        both = served(folders, turns, 12_000)
        print(f"two models, room for both     {both:6.1f} s  {both / one:.3f} of one model")
        single = served(folders, turns, 3_200)
        print(f"two models, room for one      {single:6.1f} s  {single / one:.3f} of one model")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
