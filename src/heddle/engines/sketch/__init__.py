"""The engine `sketch`: an illustrator, not a model, and it says so.

    prompt -> reading -> scene (pure data) -> SVG -> pixels -> style or variant -> file

`prompt.read`, `compose.compose`, `svg.draw`, `raster.render`, `styles.finish` and `studio.parameters.encode` are these
arrows; each can be used without the ones before it. Nothing heavy is imported until a job runs: the server plans with
this module too.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer

#: Pixels per side: smallest, largest.
SIDES = (64, 2048)


class Sketch:
    """Draws what the prompt says, on the CPU, in well under a second."""

    def offer(self) -> Offer:
        """Pictures and videos of its own family; any other family as a stand-in."""
        return Offer(
            step_types=frozenset({"imageGen", "videoGen"}),
            families=frozenset({"sketch"}),
            operations=frozenset({"create", "variant", "edit"}),
            stand_in=True,
            sides=SIDES,
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there."""
        # Looked for and not imported: the server asks this at every start and never draws.
        wanted = ("numpy", "PIL", "resvg_py", "av")
        return [f"The library {name!r} is not installed." for name in wanted if find_spec(name) is None]

    def price(self, payload: JSON) -> float:
        """1 Buzz per megapixel of its own, a twentieth in a video; what the family costs when it stands in for one."""
        if "fps" in payload:
            from heddle.prices import video  # noqa: PLC0415 - the worker's side never needs prices

            return video(payload)
        if payload.get("family", "sketch") == "sketch":
            return int(payload["width"]) * int(payload["height"]) / 1e6
        from heddle.prices import image  # noqa: PLC0415 - the worker's side never needs prices

        return image(payload)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One picture, or one video."""
        if "fps" in payload:
            from heddle.engines.sketch.motion.film import Film  # noqa: PLC0415 - heavy: numpy, Pillow, resvg

            yield Film(payload, context).made()
            return
        from heddle.engines.sketch.drawing import Drawing  # noqa: PLC0415 - heavy: numpy, Pillow, resvg

        yield Drawing(payload, context).made()
