"""The engine `sketch`: an illustrator, not a model, and it says so.

    prompt -> reading -> scene (pure data) -> SVG -> pixels -> style or variant -> file

`prompt.read`, `compose.compose`, `svg.draw`, `raster.render`, `styles.finish` and `metadata.encode` are these arrows;
each can be used without the ones before it. Nothing heavy is imported until a job runs: the server plans with this
module too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heddle import __version__
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.errors import EngineFailed

if TYPE_CHECKING:
    from heddle.engines.sketch.metadata import Parameters
    from heddle.engines.sketch.raster import Pixels
    from heddle.engines.sketch.scene import Scene

SIDES = (64, 2048)
FORMATS = ("png", "jpeg", "webp")


class Sketch:
    """Draws what the prompt says, on the CPU, in well under a second."""

    def offer(self) -> Offer:
        """Images of its own family; any other family as a stand-in."""
        return Offer(
            step_types=frozenset({"imageGen"}),
            families=frozenset({"sketch"}),
            operations=frozenset({"create", "variant", "edit"}),
            stand_in=True,
            sides=SIDES,
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that cannot be imported."""
        reasons: list[str] = []
        for module in ("numpy", "PIL", "resvg_py"):
            try:
                __import__(module)
            except ImportError as error:
                reasons.append(f"The library {module!r} cannot be imported: {error}.")
        return reasons

    def price(self, payload: JSON) -> float:
        """1 Buzz per megapixel of its own; what the family costs when it stands in for one."""
        if payload.get("family", "sketch") == "sketch":
            return int(payload["width"]) * int(payload["height"]) / 1e6
        from heddle.prices import image

        return image(payload)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One picture."""
        yield _Drawing(payload, context).made()


@dataclass(slots=True)
class _Ticker:
    """Turns stages of work into steps: one report for every step asked for, none twice."""

    context: JobContext
    steps: int
    done: int = 0

    def reach(self, fraction: float, note: str) -> None:
        """Report every step up to a fraction of the work."""
        target = min(self.steps, round(self.steps * fraction))
        if self.done >= target:
            # A cancel gets through between stages even when no step is due.
            self.context.progress(self.done / self.steps, note)
        while self.done < target:
            self.done += 1
            self.context.progress(self.done / self.steps, note)


class _Drawing:
    """One job, stage by stage."""

    def __init__(self, payload: JSON, context: JobContext) -> None:
        self.payload = payload
        self.context = context
        self.width = _side(payload, "width")
        self.height = _side(payload, "height")
        self.operation = str(payload.get("operation") or "create")
        self.kind = _format(payload)
        self.parameters = _parameters(payload, self.operation)
        self.ticker = _Ticker(context, max(1, self.parameters.steps))

    def made(self) -> Made:
        """All stages."""
        from heddle.engines.sketch import metadata

        self.ticker.reach(0.04, "reading the prompt")
        scene = self._scene()
        self.ticker.reach(0.16, "composing")
        pixels = self._pixels(scene)
        self.ticker.reach(0.9, "writing the file")
        data = metadata.encode(pixels, self.kind, metadata.text(self.parameters))
        record = metadata.record(self.parameters) | {"style": scene.style, "backdrop": scene.backdrop}
        self.ticker.reach(1.0, "done")
        return Made(data=data, mime=metadata.MIMES[self.kind], width=self.width, height=self.height, metadata=record)

    def _scene(self) -> Scene:
        from heddle.engines.sketch.compose import compose
        from heddle.engines.sketch.palette import Influence
        from heddle.engines.sketch.prompt import read, read_negative

        given = self.parameters
        negative = read_negative(given.negative_prompt) if given.negative_prompt else None
        return compose(
            read(given.prompt), width=self.width, height=self.height, seed=given.seed, negative=negative,
            cfg_scale=given.cfg_scale, steps=given.steps,
            influences=tuple(Influence(air=air, strength=strength) for air, strength in given.networks),
        )  # fmt: skip

    def _pixels(self, scene: Scene) -> Pixels:
        from heddle.engines.sketch import raster, styles, svg, variant

        sources: list[Any] = list(self.payload.get("images") or [])
        if not sources or self.operation == "create":
            drawn = svg.draw(scene, self.width, self.height)
            self.ticker.reach(0.3, "drawing")
            pixels = raster.render(drawn)
            self.ticker.reach(0.7, "finishing")
            return styles.finish(pixels, scene.style, scene.seed)
        strength = self.parameters.strength if self.parameters.strength is not None else 0.7
        source = variant.decode(self.context.read(str(sources[0])), self.width, self.height, str(sources[0]))
        self.ticker.reach(0.3, "drawing")
        things = raster.render_layer(svg.draw_things(scene, self.width, self.height))
        self.ticker.reach(0.5, "drawing")
        if self.operation == "edit":
            edited = variant.edit(source, things, scene.palette.tint, strength)
            self.ticker.reach(0.7, "finishing")
            return styles.finish(edited, scene.style, scene.seed) if scene.style != "illustration" else edited
        pixels = styles.finish(raster.render(svg.draw(scene, self.width, self.height)), scene.style, scene.seed)
        self.ticker.reach(0.7, "blending")
        return variant.blend(source, pixels, things, strength)


def _side(payload: JSON, name: str) -> int:
    value = payload.get(name)
    if not isinstance(value, int) or not SIDES[0] <= value <= SIDES[1]:
        raise EngineFailed(f"{name}: {value!r} is not a whole number from {SIDES[0]} to {SIDES[1]}")
    return value


def _format(payload: JSON) -> str:
    value = payload.get("outputFormat") or "png"
    if value not in FORMATS:
        raise EngineFailed(f"outputFormat: {value!r} is not one of: {', '.join(FORMATS)}")
    return str(value)


def _parameters(payload: JSON, operation: str) -> Parameters:
    from heddle.engines.sketch.metadata import Parameters

    steps, cfg_scale, strength = payload.get("steps"), payload.get("cfgScale"), payload.get("strength")
    networks: list[Any] = list(payload.get("networks") or [])
    from_source = operation != "create" and bool(payload.get("images"))
    return Parameters(
        prompt=str(payload.get("prompt") or ""),
        negative_prompt=str(payload.get("negativePrompt") or ""),
        steps=30 if steps is None else int(steps),
        sampler=str(payload.get("sampler") or "sketch"),
        cfg_scale=7.0 if cfg_scale is None else float(cfg_scale),
        seed=int(payload.get("seed") or 0),
        width=int(payload["width"]),
        height=int(payload["height"]),
        model=payload.get("model"),
        stand_in_for=payload.get("standInFor"),
        clip_skip=payload.get("clipSkip"),
        strength=(0.7 if strength is None else float(strength)) if from_source else None,
        networks=tuple((str(row["air"]), float(row.get("strength", 1.0))) for row in networks),
        version=__version__,
    )
