"""One job: text, plan, latents, pixels, file; with progress, previews and a way out before every call of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from heddle import __version__
from heddle.engines import JobContext, Made
from heddle.engines.mini import plan, sampling, windows
from heddle.engines.mini.asked import Asked
from heddle.engines.mini.canvas import Canvas, cut
from heddle.engines.mini.codec import Pixels
from heddle.engines.mini.sampling import Floats, Knobs, Told
from heddle.engines.mini.sessions import Sessions
from heddle.engines.mini.weights import Unusable
from heddle.engines.mini.windows import NATIVE
from heddle.errors import EngineFailed
from heddle.studio import parameters, previews

#: Of the whole, what is done before the first step and after the last one.
_BEGUN, _STEPPED, _DECODED = 0.03, 0.9, 0.93
#: A step of the painter is as much work as so many of the layout, in each window.
_PAINTER_WORK = 9.0


class Drawing:
    """A job and what is loaded for it."""

    def __init__(self, asked: Asked, context: JobContext, sessions: Sessions, quality: str) -> None:
        self._asked = asked
        self._context = context
        self._sessions = sessions
        self._quality = quality
        self._canvas = Canvas(width=asked.width, height=asked.height)
        self._knobs = Knobs(steps=asked.steps, cfg=asked.cfg, sampler=asked.sampler.name)
        self._done, self._note = 0.0, "preparing"

    def made(self) -> Made:
        """All of it. Raises EngineFailed."""
        self._progress(0.0, "preparing")
        try:
            self._networks = self._sessions.networks(self._asked.stack, self._tick)
            image = self._image()
        except Unusable as error:
            raise EngineFailed(f"additionalNetworks: {error}") from error
        self._progress(0.98, "writing the file")
        data = parameters.encode(image, self._asked.kind, self._text())
        return Made(
            data=data, mime=parameters.MIMES[self._asked.kind], width=image.width, height=image.height,
            metadata=self._record(),
        )  # fmt: skip

    # ── the stages ────────────────────────────────────────────────────────────

    def _image(self) -> Image.Image:
        asked = self._asked
        source = self._source() if asked.source is not None else None
        level = 1.0 if asked.strength is None else asked.strength
        if source is not None and level == 0:
            return source
        told, untold = self._networks.told([asked.prompt, asked.negative_prompt])
        there = None if source is None else self._encoded(source)
        plans = self._plans(told, untold, there, level)
        latents = sampling.latents(
            self._networks.painter, plans, told, untold, [asked.seed], self._knobs,
            start=there, level=level, watch=self._watch("painting", self._layout_work, show=True),
        )  # fmt: skip
        self._progress(_STEPPED, "decoding")
        pixels = self._networks.decoded(latents)
        return self._canvas.finished(pixels, lambda part: self._progress(_DECODED + 0.05 * part, "scaling"))

    def _source(self) -> Image.Image:
        name = str(self._asked.source)
        draft = (self._asked.width, self._asked.height)
        return cut(parameters.source(self._context.read(name), name, draft), *draft)

    def _encoded(self, source: Image.Image) -> Floats:
        latents = self._sessions.codec.encode(self._canvas.laid(source))
        return np.ascontiguousarray(latents.transpose(2, 0, 1)[None], dtype=np.float32)

    def _plans(self, told: Told, untold: Told, there: Floats | None, level: float) -> Floats:
        """Of what a source has there, or of the things that the layout places."""
        if there is not None and sampling.stays(level):
            return sampling.cleared(self._networks.read(there))
        placed = sampling.laid_out(
            self._networks.layout, told, [self._asked.seed], self._knobs,
            against=untold if self._asked.negative_prompt else None, watch=self._watch("laying out", 0.0, show=False),
        )  # fmt: skip
        return sampling.plans(placed, self._canvas.cells)

    # ── progress ──────────────────────────────────────────────────────────────

    @property
    def _layout_work(self) -> float:
        """The layout's share of the steps."""
        return 1 / (1 + _PAINTER_WORK * windows.count(self._asked.width, self._asked.height))

    def _watch(self, doing: str, begun: float, *, show: bool) -> sampling.Watch:
        share = 1 - begun if show else self._layout_work

        def watch(done: int, count: int, clean: Floats) -> None:
            part = begun + share * done / count
            self._progress(_BEGUN + (_STEPPED - _BEGUN) * part, f"{doing}, step {done} of {count}")
            if show:
                self._context.preview(lambda _: self._preview(clean))

        return watch

    def _preview(self, clean: Floats) -> previews.Preview:
        pixels: Pixels = self._networks.decoded(clean)
        left, top, right, bottom = (round(side) for side in self._canvas.box)
        return previews.live(pixels[top:bottom, left:right], (self._asked.width, self._asked.height))

    def _progress(self, done: float, note: str) -> None:
        self._done, self._note = done, note
        self._tick()

    def _tick(self) -> None:
        """Let a cancel through."""
        self._context.progress(self._done, self._note)

    # ── what is said of it ────────────────────────────────────────────────────

    def _approximations(self) -> list[str]:
        said = [self._asked.sampler.approximation]
        if self._asked.strength != 0:
            if max(self._canvas.cells) > plan.CELLS:
                said.append(f"{self._canvas.painted} pixels are painted in windows of {NATIVE}x{NATIVE} that overlap")
            said.append(self._canvas.scaled())
        return [sentence for sentence in said if sentence]

    def _text(self) -> str:
        asked = self._asked
        pairs: list[tuple[str, object]] = [
            ("Steps", asked.steps),
            ("Sampler", asked.sampler.title),
            ("CFG scale", f"{asked.cfg:g}"),
            ("Seed", asked.seed),
            ("Size", f"{asked.width}x{asked.height}"),
            ("Model", "mini"),
        ]
        if asked.strength is not None:
            pairs.append(("Denoising strength", f"{asked.strength:g}"))
        if asked.sampler.approximation:
            pairs.append(("Asked sampler", parameters.quoted(asked.sampler.asked)))
        if said := self._approximations():
            pairs.append(("Approximation", parameters.quoted("; ".join(said))))
        if asked.networks:
            names = ", ".join(f"{air} ({strength:g})" for air, strength in asked.networks)
            pairs.append(("Networks", parameters.quoted(names)))
        pairs += [("Engine", "mini"), ("Quality", self._quality)]
        if asked.model:
            pairs.append(("AIR", parameters.quoted(asked.model)))
        pairs.append(("Version", f"heddle {__version__}"))
        return parameters.text(asked.prompt, asked.negative_prompt, pairs)

    def _record(self) -> dict[str, Any]:
        asked = self._asked
        record: dict[str, Any] = {
            "engine": "mini",
            "quality": self._quality,
            "model": asked.model,
            "operation": asked.operation,
            "prompt": asked.prompt,
            "negativePrompt": asked.negative_prompt,
            "steps": asked.steps,
            "sampler": asked.sampler.title,
            "samplerAsked": asked.sampler.asked or None,
            "approximations": self._approximations() or None,
            "networks": [{"air": air, "strength": strength} for air, strength in asked.networks] or None,
            "cfgScale": asked.cfg,
            "seed": asked.seed,
            "strength": asked.strength,
            "parameters": self._text(),
        }
        return {name: value for name, value in record.items() if value is not None}
