"""The engine `minterpolate`: frames between frames by FFmpeg's motion-compensated filter. `clips.py` does the work."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from heddle import prices
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer

#: What a source may be at most: pixels per side, frames, and pixels of all frames of the result together.
SIDE, FRAMES, PIXELS = 2048, 3600, 2_000_000_000


class Minterpolate:
    """Two or three times as many frames, on the CPU."""

    def offer(self) -> Offer:
        """Videos under its own name; any model as a stand-in."""
        return Offer(
            step_types=frozenset({"interpolate"}),
            families=frozenset({"minterpolate"}),
            operations=frozenset({"interpolate"}),
            stand_in=True,
            sides=(1, SIDE),
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there."""
        return [f"The library {name!r} is not installed." for name in ("av", "numpy", "PIL") if find_spec(name) is None]

    def price(self, payload: JSON) -> float:
        """By the pixels that it makes; what the model costs when it stands in for one."""
        if payload.get("standInFor"):
            return prices.interpolation(payload)
        return 0.05 * prices.megapixels(payload) * prices.frames({"kind": "video", **payload})

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One video."""
        from heddle.engines.minterpolate import clips  # noqa: PLC0415 - heavy: numpy, Pillow

        context.progress(0.0, "reading")
        data = context.read(str(payload["source"]))
        yield clips.interpolated(data, payload, context.progress)
