"""Seconds and memory that the engine `mini` takes for one picture, each size and count of steps in a fresh process.

python benchmarks/mini.py [--weights FILE] [--threads 1] [--sampler Euler]

Without a file, and where none is shipped, the weights are random: they take as long.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from heddle.engines import JobContext
from heddle.engines.mini import Mini, weights

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from training.shipped import write

CASES = [(side, steps) for side in (256, 1024) for steps in (10, 20)]
#: The most CPU seconds that a picture of 256 pixels with 20 steps may take.
BUDGET_S = 1.0


class Quiet:
    """A job context that nobody watches."""

    job_id, attempt = "job", 1

    def progress(self, fraction: float, note: str = "") -> None: ...
    def preview(self, draw: object) -> None: ...
    def log(self, text: str) -> None: ...


def measured(path: str, threads: int, sampler: str, side: int, steps: int) -> dict[str, float]:
    """In this process: the first picture with what it loads, then the median of five."""
    engine = Mini()
    engine.configure({"weights": path, "threads": threads})
    payload: dict[str, Any] = {
        "family": "mini", "operation": "create", "prompt": "a red house under a yellow sun", "width": side,
        "height": side, "steps": steps, "cfgScale": 2.0, "seed": 1, "sampler": sampler,
    }  # fmt: skip

    def one() -> tuple[float, float]:
        began, spent = time.perf_counter(), time.process_time()
        context: JobContext = Quiet()  # type: ignore[assignment] - what is not there is not called
        [_] = engine.run(payload, context)
        return time.perf_counter() - began, time.process_time() - spent

    first = one()
    rows = sorted(one() for _ in range(5))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first": first[0], "wall": rows[2][0], "cpu": sorted(cpu for _, cpu in rows)[2], "peak": peak}


def random_file(folder: str) -> str:
    """Weights that no training made."""
    rng = np.random.default_rng(0)
    held = {name: rng.normal(0, 0.03, shape).astype(np.float32) for name, shape in weights.shapes().items()}
    write(Path(folder) / "mini.safetensors", held, {"format": weights.FORMAT, "quality": "preview"})
    return str(Path(folder) / "mini.safetensors")


def main() -> int:
    """Print a table; fail when the usual picture is over the budget."""
    parser = argparse.ArgumentParser(description="Measure the engine mini.")
    parser.add_argument("--weights", default=str(weights.SHIPPED) if weights.SHIPPED.exists() else "")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sampler", default="Euler")
    parser.add_argument("--case", nargs=2, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measured(given.weights, given.threads, given.sampler, *given.case)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = given.weights or random_file(folder)
        print(f"{given.threads} thread(s), {given.sampler}; weights: {given.weights or 'random'}")
        print("  side  steps   first s   then s    CPU s   peak MB")
        usual = 0.0
        for side, steps in CASES:
            command = [sys.executable, __file__, "--weights", path, "--threads", str(given.threads)]
            command += ["--sampler", given.sampler, "--case", str(side), str(steps)]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"{side:6} {steps:6} {row['first']:9.2f} {row['wall']:8.2f} {row['cpu']:8.2f} {row['peak']:9.0f}")
            usual = row["cpu"] if (side, steps) == (256, 20) else usual
    return 0 if usual <= BUDGET_S else 1


if __name__ == "__main__":
    sys.exit(main())
