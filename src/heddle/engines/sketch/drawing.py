"""One job of the engine: the stages in order, progress between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from heddle import __version__
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.sketch import SIDES, metadata, raster, styles, svg, variant
from heddle.engines.sketch.compose import compose
from heddle.engines.sketch.metadata import Parameters
from heddle.engines.sketch.palette import Influence
from heddle.engines.sketch.prompt import read, read_negative
from heddle.engines.sketch.raster import Pixels
from heddle.engines.sketch.scene import Scene
from heddle.errors import EngineFailed
from heddle.studio.parameters import MIMES, encode

FORMATS = ("png", "jpeg", "webp")

#: The styles that the catalog offers as networks, by AIR.
STYLE_NETWORKS = {
    "urn:air:sketch:lora:heddle:2@2": "watercolor",
    "urn:air:sketch:lora:heddle:3@3": "pixel art",
    "urn:air:sketch:lora:heddle:4@4": "line art",
}


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


class Drawing:
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
        self.ticker.reach(0.04, "reading the prompt")
        scene = self._scene()
        self.ticker.reach(0.16, "composing")
        pixels = self._pixels(scene)
        self.ticker.reach(0.9, "writing the file")
        data = encode(Image.fromarray(pixels), self.kind, metadata.text(self.parameters))
        record = metadata.record(self.parameters) | {"style": scene.style, "backdrop": scene.backdrop}
        self.ticker.reach(1.0, "done")
        return Made(data=data, mime=MIMES[self.kind], width=self.width, height=self.height, metadata=record)

    def _scene(self) -> Scene:

        given = self.parameters
        negative = read_negative(given.negative_prompt) if given.negative_prompt else None
        return compose(
            read(given.prompt), width=self.width, height=self.height, seed=given.seed, negative=negative,
            cfg_scale=given.cfg_scale, steps=given.steps, filled=self.operation != "edit",
            style=_style(given.networks),
            influences=tuple(Influence(air=a, strength=n) for a, n in given.networks if a not in STYLE_NETWORKS),
        )  # fmt: skip

    def _pixels(self, scene: Scene) -> Pixels:

        sources: list[Any] = list(self.payload.get("images") or [])
        if not sources and self.operation != "create":
            raise EngineFailed(f"images: {self.operation!r} needs a source picture, and none was given")
        if self.operation == "create":
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
        return variant.blend(source, pixels, things, strength, scene.seed)


def _style(networks: Sequence[tuple[str, float]]) -> str | None:
    """The style of the strongest style network; None without one above strength 0."""
    wanted = [(strength, air) for air, strength in networks if air in STYLE_NETWORKS and strength > 0]
    return STYLE_NETWORKS[max(wanted)[1]] if wanted else None


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
    networks: list[Any] = list(payload.get("networks") or [])
    from_source = operation != "create" and bool(payload.get("images"))
    return Parameters(
        prompt=str(payload.get("prompt") or ""),
        negative_prompt=str(payload.get("negativePrompt") or ""),
        steps=int(_or(payload.get("steps"), 30)),
        sampler=str(payload.get("sampler") or "sketch"),
        cfg_scale=_or(payload.get("cfgScale"), 7.0),
        seed=int(payload.get("seed") or 0),
        width=int(payload["width"]),
        height=int(payload["height"]),
        model=payload.get("model"),
        stand_in_for=payload.get("standInFor"),
        clip_skip=payload.get("clipSkip"),
        strength=_or(payload.get("strength"), 0.7) if from_source else None,
        networks=tuple((str(row["air"]), _or(row.get("strength"), 1.0)) for row in networks),
        version=__version__,
    )


def _or(value: Any, usual: float) -> float:
    """A number that was left out is the usual one; 0 is a number."""
    return usual if value is None else float(value)
