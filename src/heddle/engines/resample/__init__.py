"""The engine `resample`: larger pictures and videos without a model. It invents no detail; it finds edges again.

    low picture -> Lanczos -> sharpened at edges, held between its neighbors, corrected to shrink back to the source

`studio.enlarging` does the work, `pictures.py` has it done to a picture, `clips.py` in a sandbox to a video.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from heddle import prices
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.errors import EngineFailed

#: What a result may be at most, pixels.
IMAGE_SIDE, IMAGE_AREA, VIDEO_SIDE = 8192, 64_000_000, 2560
#: And how many pixels in all frames together a video may have.
VIDEO_PIXELS = 3_000_000_000


class Resample:
    """Enlarges two to four times per pass, on the CPU."""

    def offer(self) -> Offer:
        """Pictures and videos under its own names; any other upscaler as a stand-in."""
        return Offer(
            step_types=frozenset({"upscale"}),
            families=frozenset({"resample", "lanczos"}),
            operations=frozenset({"upscale"}),
            stand_in=True,
            sides=(1, IMAGE_SIDE),
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there."""
        wanted = ("numpy", "PIL", "av")
        return [f"The library {name!r} is not installed." for name in wanted if find_spec(name) is None]

    def price(self, payload: JSON) -> float:
        """By the pixels that it makes; what the family costs when it stands in for one."""
        if payload.get("standInFor"):
            return prices.upscale(payload)
        share = 0.02 if payload.get("kind") == "video" else 0.25
        return share * prices.frames(payload) * prices.megapixels(payload)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One picture or one video."""
        from heddle.engines.resample import clips, pictures  # noqa: PLC0415 - heavy: numpy, Pillow

        context.progress(0.0, "reading")
        data = context.read(str(payload["source"]))
        record = _record(payload)
        if pictures.is_picture(data):
            _expect(payload, "image")
            yield pictures.enlarged(data, payload, record, context.progress)
        else:
            _expect(payload, "video")
            yield clips.enlarged(data, payload, record, context.progress)


def _expect(payload: JSON, kind: str) -> None:
    if payload.get("kind") not in {None, kind}:
        raise EngineFailed(f"{payload['kind']}: the source is no {payload['kind']} but a file of another kind")


def _record(payload: JSON) -> dict[str, Any]:
    names = ("scaleFactor", "numberOfRepeats", "model", "standInFor")
    return {"engine": "resample"} | {name: payload[name] for name in names if payload.get(name) is not None}
