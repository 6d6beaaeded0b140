"""One job of moving pictures: from a payload to a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, cast

from PIL import Image

from heddle import __version__
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.sketch import styles
from heddle.engines.sketch.compose import compose
from heddle.engines.sketch.motion import script as scripts
from heddle.engines.sketch.motion.album import Album
from heddle.engines.sketch.motion.camera import Shot, scene_size
from heddle.engines.sketch.motion.stage import Stage
from heddle.engines.sketch.prompt import read, read_negative
from heddle.engines.sketch.raster import Pixels
from heddle.engines.sketch.scene import Scene
from heddle.errors import EngineFailed
from heddle.studio import previews, video

SIDES, MOST_FRAMES = (64, 1280), 1800
FORMATS: tuple[video.Format, ...] = ("mp4", "webm", "gif")
#: Styles in which every frame is painted anew are shot as such films are: each painting stands for a while.
_PAINTED_PER_S = 8
_PAINTED = frozenset(("watercolor", "oil", "pencil", "poster", "pixel art", "papercut"))


class Film:
    """One job, stage by stage."""

    def __init__(self, payload: JSON, context: JobContext) -> None:
        self.payload = payload
        self.context = context
        self.size = (_side(payload, "width"), _side(payload, "height"))
        self.fps = Fraction(str(payload["fps"])).limit_denominator(1001)
        self.seconds = float(payload["durationMs"]) / 1000
        self.count = _count(self.seconds, self.fps)
        self.kind: video.Format = _format(payload)
        self.prompt = str(payload.get("prompt") or "")
        self.seed = int(payload.get("seed") or 0)
        self.script = scripts.read(self.prompt)
        self._poster: Pixels | None = None

    def made(self) -> Made:
        """All of it."""
        self.context.progress(0.01, "reading the prompt")
        record = self._record()
        data = video.write(
            self._frames(), fps=self.fps, file_format=self.kind, tags={"comment": json.dumps(record)}, crf=19
        )
        assert self._poster is not None
        return Made(
            data=data,
            mime=video.MIMES[self.kind],
            width=self.size[0],
            height=self.size[1],
            duration_ms=round(1000 * self.count / self.fps),
            metadata=record | {"frames": self.count},
            preview=previews.of_frame(self._poster),
        )

    def _frames(self) -> Iterator[Pixels]:
        images = cast("list[str]", list(self.payload.get("images") or []))
        shots: Iterator[Pixels] = self._photographed(images[0]) if images else self._played()
        for i, pixels in enumerate(shots):
            self._poster = pixels if self._poster is None else self._poster
            self.context.progress(0.02 + 0.96 * (i + 1) / self.count, "drawing")
            self.context.preview(partial(_live, pixels))
            yield pixels

    def _played(self) -> Iterator[Pixels]:
        """A scene in motion; where hours pass, one scene for each, faded into the next."""
        composed = self._scene(None)
        scenes = [self._scene(hour) for hour in self.script.hours] or [composed]
        moves = self.script.camera or ("in" if not self._stage(scenes[0], "still").moving else "still")
        gentle = self.script.camera is None
        stages = [self._stage(scene, moves, gentle=gentle) for scene in scenes]
        held: tuple[int, Pixels] | None = None
        for i in range(self.count):
            at = self._held(i, composed.style)
            if held is None or held[0] != at:
                pixels = self._blended(stages, float(at / self.fps))
                held = (at, styles.finish(pixels, composed.style, composed.seed))
            yield held[1]

    def _held(self, i: int, style: str) -> int:
        """The frame whose painting this one shows."""
        each = max(1, round(self.fps / _PAINTED_PER_S)) if style in _PAINTED else 1
        return i // each * each

    def _blended(self, stages: list[Stage], t: float) -> Pixels:
        along = min(1.0, t / self.seconds) * (len(stages) - 1)
        first = min(int(along), len(stages) - 1)
        share = along - first
        pixels = stages[first].frame(t)
        if share < 0.004 or first + 1 == len(stages):
            return pixels
        import numpy as np  # noqa: PLC0415 - beside its use

        one, other = Image.fromarray(pixels), Image.fromarray(stages[first + 1].frame(t))
        return np.asarray(Image.blend(one, other, share))

    def _stage(self, scene: Scene, move: scripts.Camera, *, gentle: bool = False) -> Stage:
        wide, tall = scene_size(*self.size, self.script.camera)
        shot = Shot(
            scene=(scene.width, scene.height),
            frame=(scene.width * self.size[0] / wide, scene.height * self.size[1] / tall),
            move=move,
            close=0.9 if gentle else 0.62,
            toward=_focus(scene),
        )
        return Stage(scene, self.script, shot, self.seconds, self.size)

    def _scene(self, hour: str | None) -> Scene:
        reading = read(self.prompt)
        if hour is not None:
            reading = replace(reading, time=hour, sky_color=None)
        elif self.script.hours:
            reading = replace(reading, time=self.script.hours[0])
        negative = str(self.payload.get("negativePrompt") or "")
        width, height = scene_size(*self.size, self.script.camera)
        return compose(
            reading, width=width, height=height, seed=self.seed, negative=read_negative(negative) if negative else None
        )

    def _photographed(self, blob_id: str) -> Iterator[Pixels]:
        album = Album(self.context.read(blob_id), blob_id, self.size, self.script)
        scene = replace(self._scene(None), things=(), heavens=())
        weather = scene.weather if read(self.prompt).weather else frozenset[str]()
        for i in range(self.count):
            t = float(i / self.fps)
            pixels = album.frame(min(1.0, i / max(1, self.count - 1)))
            yield album.under(pixels, replace(scene, weather=weather), t) if weather else pixels

    def _record(self) -> dict[str, Any]:
        given = self.payload
        record: dict[str, Any] = {
            "engine": "sketch",
            "prompt": self.prompt,
            "negativePrompt": str(given.get("negativePrompt") or ""),
            "seed": self.seed,
            "width": self.size[0],
            "height": self.size[1],
            "fps": float(self.fps),
            "duration": self.seconds,
            "camera": self.script.camera,
            "model": given.get("model"),
            "standInFor": given.get("standInFor"),
            "version": f"heddle {__version__}",
        }
        return {name: value for name, value in record.items() if value not in {None, ""}}


def _live(pixels: Pixels, _: int) -> previews.Preview:
    return previews.live(pixels)


def _focus(scene: Scene) -> tuple[float, float]:
    """What a zoom goes toward: the largest thing that was asked for."""
    asked = [placed for placed in scene.things if placed.asked]
    if not asked:
        return (scene.width / 2, min(scene.horizon, scene.height) * 0.95)
    main = max(asked, key=lambda placed: placed.height)
    return (main.x, main.y - main.height * 0.55)


def _count(seconds: float, fps: Fraction) -> int:
    count = max(1, round(seconds * fps))
    if count > MOST_FRAMES:
        raise EngineFailed(f"duration: {seconds:g} s at {float(fps):g} per second are {count} frames, of {MOST_FRAMES}")
    return count


def _side(payload: JSON, name: str) -> int:
    value = payload.get(name)
    if not isinstance(value, int) or not SIDES[0] <= value <= SIDES[1] or value % 2:
        raise EngineFailed(f"{name}: {value!r} is not an even number from {SIDES[0]} to {SIDES[1]}")
    return value


def _format(payload: JSON) -> video.Format:
    value = payload.get("outputFormat") or "mp4"
    for known in FORMATS:
        if value == known:
            return known
    raise EngineFailed(f"outputFormat: {value!r} is not one of: {', '.join(FORMATS)}")
