"""CPU seconds that the engine `sketch` takes for one picture, everything included.

python benchmarks/sketch.py [--size 1024] [--styles]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from heddle.engines.sketch import Sketch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from contact_sheet import PROMPTS, STYLES, Quiet

#: The most that the median may take at 1024x1024.
BUDGET_S = 0.5


def seconds(prompt: str, size: int, seed: int) -> tuple[float, int]:
    """CPU seconds and bytes of one picture."""
    payload = {"family": "sketch", "operation": "create", "prompt": prompt, "width": size, "height": size, "steps": 30,
               "cfgScale": 7.0, "seed": seed, "networks": [], "images": []}  # fmt: skip
    start = time.process_time()
    made = next(iter(Sketch().run(payload, Quiet())))
    return time.process_time() - start, len(made.data)


def main() -> int:
    """Print a table; fail when the median is over the budget."""
    parser = argparse.ArgumentParser(description="Measure the engine sketch.")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--styles", action="store_true", help="one scene in every style")
    given = parser.parse_args()
    prompts = (
        [f"a fox and a small house by a lake, {style}" for style in STYLES] if given.styles else list(PROMPTS[:20])
    )
    seconds("a warm-up", 256, 0)
    taken: list[float] = []
    for index, prompt in enumerate(prompts):
        spent, size = seconds(prompt, given.size, index)
        taken.append(spent)
        print(f"{spent:6.3f} s  {size / 1e6:5.2f} MB  {prompt}")
    median = statistics.median(taken)
    print(f"\nmedian {median:.3f} s CPU, slowest {max(taken):.3f} s, {given.size}x{given.size}, {len(prompts)} prompts")
    return 0 if median <= BUDGET_S or given.size != 1024 else 1


if __name__ == "__main__":
    sys.exit(main())
