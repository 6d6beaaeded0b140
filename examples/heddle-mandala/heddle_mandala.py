"""An engine that draws mandalas. The prompt's words choose colors and petals, the seed turns them."""

from __future__ import annotations

import hashlib
import io
import math
import random
from collections.abc import Iterator

from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.errors import EngineFailed

RINGS = 24


class Mandala:
    """Rings of petals, from the outside in."""

    def offer(self) -> Offer:
        """Pictures of its own family, from a prompt alone."""
        return Offer(
            step_types=frozenset({"imageGen"}),
            families=frozenset({"mandala"}),
            operations=frozenset({"create"}),
            sides=(64, 2048),
        )

    def missing(self) -> list[str]:
        """Pillow comes with Heddle."""
        return []

    def price(self, payload: JSON) -> float:
        """Half a Buzz."""
        return 0.5

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One picture."""
        # Imported here: the server loads this module too, to plan and to price, and never draws.
        from PIL import Image, ImageDraw

        prompt, width, height = payload["prompt"], payload["width"], payload["height"]
        if not any(letter.isalpha() for letter in prompt):
            raise EngineFailed(f"prompt: {prompt!r} has no letter to draw from")
        # Not `hash`, which is another one in every process.
        chance = random.Random(hashlib.sha256(f"{prompt} {payload['seed']}".encode()).digest())
        image = Image.new("RGB", (width, height), "#101018")
        draw = ImageDraw.Draw(image)
        for ring in range(RINGS):
            context.progress(ring / RINGS, f"ring {ring + 1}")  # a cancel comes through here
            _draw_ring(draw, (width, height), 1 - ring / RINGS, chance)
        out = io.BytesIO()
        image.save(out, "PNG")
        yield Made(
            data=out.getvalue(),
            mime="image/png",
            width=width,
            height=height,
            metadata={"seed": payload["seed"], "engine": "mandala"},
        )


def _draw_ring(draw, size: tuple[int, int], share: float, chance: random.Random) -> None:
    """Petals around the middle, as far out as `share` says."""
    x, y = size[0] / 2, size[1] / 2
    reach = min(size) / 2 * share
    petals = chance.randrange(6, 25)
    color = f"hsl({chance.randrange(360)}, 70%, {35 + round(40 * (1 - share))}%)"
    turn = chance.random() * math.tau
    for petal in range(petals):
        angle = turn + petal * math.tau / petals
        px, py = x + math.cos(angle) * reach * 0.8, y + math.sin(angle) * reach * 0.8
        half = reach * 0.9 * math.sin(math.pi / petals)
        draw.ellipse((px - half, py - half, px + half, py + half), fill=color)
