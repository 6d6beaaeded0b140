"""An engine that does nothing, to measure what is around it. `python benchmarks/noop.py` is `heddle serve` with it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from heddle import registry
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer

#: The smallest PNG there is: one gray pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)


class Noop:
    """Answers `imageGen` for the family `noop` with one pixel, at once."""

    def offer(self) -> Offer:
        return Offer(
            step_types=frozenset({"imageGen"}),
            families=frozenset({"noop"}),
            operations=frozenset({"create"}),
            lookahead=32,
        )

    def missing(self) -> list[str]:
        return []

    def price(self, payload: JSON) -> float:
        return 1.0

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        if notes := os.environ.get("NOOP_NOTES"):  # latency.py asks when a job started
            with open(notes, "a", encoding="ascii") as file:
                print(time.time(), file=file)
        yield Made(data=PIXEL, mime="image/png", width=1, height=1)


def register() -> None:
    """Make the engine known here and in worker processes."""
    registry.add("engines", "noop", "noop:Noop")


if __name__ == "__main__":
    folder = str(Path(__file__).parent)
    sys.path.insert(0, folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    register()
    from heddle.cli.main import cli

    cli(["serve", *sys.argv[1:]], prog_name="noop")
