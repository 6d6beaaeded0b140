"""Videos of sketch: exact numbers of frames, the same bytes for the same seed, motion where it was asked for."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.moving import Seen, Watcher, texture

from heddle.engines import Made
from heddle.engines.sketch import Sketch, svg
from heddle.engines.sketch.backdrops import backdrops
from heddle.engines.sketch.compose import compose
from heddle.engines.sketch.prompt import read
from heddle.errors import JobError


def filmed(prompt: str, watcher: Watcher | None = None, **more: Any) -> Made:
    given = {"prompt": prompt, "width": 160, "height": 96, "durationMs": 1500, "fps": 8, "seed": 1}
    [made] = Sketch().run(given | more, watcher or Watcher())
    return made


def changed(made: Made) -> float:
    frames = Seen(made.data).frames
    return float(np.abs(frames[0].astype(float) - frames[-1]).mean())


def test_of_waves_only_crests_are_drawn_for_every_frame() -> None:
    """Rows drawn to the foot of the picture, each over the one before, are most of the work of a film of the sea."""
    scene = compose(read("the sea"), width=1600, height=1000, seed=1)
    drawn: list[list[str]] = []
    for moment in (0.0, 0.4):
        pen = svg.pen_of(scene)
        backdrops()["sea"].draw(pen, replace(scene, heavens=(), moment=moment))
        drawn.append(pen.parts)
    now, later = drawn
    moving = [one for one, other in zip(now, later, strict=True) if one != other]
    rows = [part for part in now if "V1020H-400" in part]
    assert len(rows) == 7
    assert not set(rows) & set(moving)
    assert len([part for part in moving if 'd="M-' in part and "url(" in part]) == 7


def test_a_clip_whole() -> None:
    watcher = Watcher()
    made = filmed("a sailboat sailing on the sea at sunset", watcher)
    seen = Seen(made.data)
    assert (made.mime, made.width, made.height, made.duration_ms) == ("video/mp4", 160, 96, 1500)
    assert (seen.codec, len(seen.frames), seen.fps) == ("h264", 12, 8)
    assert json.loads(seen.tags["comment"])["seed"] == 1
    assert made.preview is not None
    assert watcher.reported == sorted(watcher.reported)
    assert changed(made) > 1


@pytest.mark.parametrize(
    "prompt",
    [
        "a red car driving",
        "a castle, day to night",
        "a cup on a table",
        "rain in a street",
        "a lighthouse, zoom in",
        "a horse, pan left",
        "a tower, tilt up",
    ],
)
def test_something_moves_and_nothing_jumps(prompt: str) -> None:
    made = filmed(prompt, fps=12)
    frames = [f.astype(float) for f in Seen(made.data).frames]
    steps = [np.abs(b - a).mean() for a, b in itertools.pairwise(frames)]
    assert changed(made) > 0.5
    assert max(steps) < 25


def test_the_seed_decides() -> None:
    assert filmed("a boat on a lake").data == filmed("a boat on a lake").data
    assert filmed("a boat on a lake").data != filmed("a boat on a lake", seed=2).data


@pytest.mark.parametrize(("kind", "mime"), [("webm", "video/webm"), ("gif", "image/gif")])
def test_formats(kind: str, mime: str) -> None:
    made = filmed("birds flying over hills", outputFormat=kind)
    assert made.mime == mime
    assert len(Seen(made.data).frames) == 12


@pytest.mark.parametrize("camera", ["zoom in", "zoom out", "pan left", "tilt down", "zoom in, rain"])
def test_over_a_source_picture(camera: str) -> None:
    out = io.BytesIO()
    Image.fromarray(texture(200, 1)).save(out, "PNG")
    made = filmed(camera, Watcher(source=out.getvalue()), images=["source"])
    assert changed(made) > 1


@pytest.mark.parametrize("more", [{"width": 161}, {"height": 2000}, {"outputFormat": "avi"}, {"durationMs": 900_000}])
def test_what_cannot_be_made(more: dict[str, Any]) -> None:
    with pytest.raises(JobError):
        filmed("a boat", **more)
