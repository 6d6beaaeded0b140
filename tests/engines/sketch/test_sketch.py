"""The engine: pictures that follow their prompts, repeat bit for bit, and say what they are."""

from __future__ import annotations

import hashlib
import io
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from heddle.catalog import builtin
from heddle.engines import Made
from heddle.engines.sketch import Sketch
from heddle.engines.sketch.drawing import STYLE_NETWORKS
from heddle.engines.sketch.objects import catalog
from heddle.engines.sketch.styles import STYLES
from heddle.errors import EngineFailed, JobCanceled

from .conftest import Watcher, payload, pixels

Draw = Callable[..., Made]

SCRIPT = """
import hashlib, io, sys
from PIL import Image
from heddle.engines.sketch import Sketch
class Quiet:
    job_id, attempt = "job", 1
    def progress(self, fraction, note=""): pass
    def log(self, text): pass
    def read(self, blob_id): raise KeyError(blob_id)
for prompt in sys.argv[1:]:
    job = {"prompt": prompt, "width": 200, "height": 136, "steps": 12, "cfgScale": 7, "seed": 9, "operation": "create"}
    [made] = Sketch().run(job, Quiet())
    with Image.open(io.BytesIO(made.data)) as image:
        print(hashlib.sha256(image.convert("RGB").tobytes()).hexdigest())
"""


def test_the_same_seed_gives_the_same_pixels_in_every_process() -> None:
    prompts = ["a red house by a lake", "watercolor fox, snow falling", "zxqv, oil painting, a city at night"]
    runs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT, *prompts],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(prompts)


def test_another_seed_gives_another_picture(draw: Draw) -> None:
    assert draw("a cat", seed=1).data != draw("a cat", seed=2).data


def test_progress_reports_every_step_and_ends_at_one() -> None:
    for steps in (1, 7, 150):
        watcher = Watcher()
        list(Sketch().run(payload("a cat", steps=steps), watcher))
        assert len(set(watcher.reported) - {0.0}) == steps
        assert watcher.reported == sorted(watcher.reported)
        assert math.isclose(watcher.reported[-1], 1.0)


def test_a_cancel_flies_through() -> None:
    class Canceling(Watcher):
        def preview(self, draw: object) -> None: ...

        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            if fraction > 0.4:
                raise JobCanceled("canceled")

    watcher = Canceling()
    with pytest.raises(JobCanceled):
        list(Sketch().run(payload("a cat"), watcher))
    assert max(watcher.reported) < 0.6


def _share(seen: np.ndarray, name: str) -> float:
    """How much of a picture is clearly of a colour."""
    red, green, blue = seen[..., 0], seen[..., 1], seen[..., 2]
    masks = {
        "red": (red > 130) & (red > green * 1.9) & (red > blue * 1.9),
        "blue": (blue > 110) & (blue > red * 1.6) & (blue > green * 1.15),
        "green": (green > 90) & (green > red * 1.35) & (green > blue * 1.25),
        "yellow": (red > 170) & (green > 130) & (blue < 110) & (green < red * 1.02),
    }
    return float(masks[name].mean())


@pytest.mark.parametrize("name", ["red", "blue", "green", "yellow"])
def test_a_ball_has_the_color_that_was_asked_for(draw: Draw, name: str) -> None:
    for seed in range(3):
        told = pixels(draw(f"a {name} ball, white background", seed=seed))
        plain = pixels(draw("white background", negativePrompt="ball", seed=seed))
        assert _share(told, name) > 0.06 + _share(plain, name)


def test_left_and_right_are_where_the_color_is(draw: Draw) -> None:
    seen = pixels(draw("a red ball on the left, a blue ball on the right, white background"))
    middle = seen.shape[1] // 2
    assert _share(seen[:, :middle], "red") > 5 * _share(seen[:, middle:], "red")
    assert _share(seen[:, middle:], "blue") > 5 * _share(seen[:, :middle], "blue")


def test_night_is_darker_than_day(draw: Draw) -> None:
    assert pixels(draw("a house at night")).mean() < 0.6 * pixels(draw("a house at noon")).mean()


def test_a_negative_prompt_removes_the_color_with_the_thing(draw: Draw) -> None:
    assert _share(pixels(draw("a red ball, white background")), "red") > 0.06
    assert _share(pixels(draw("a red ball, white background", negativePrompt="ball")), "red") < 0.01


@pytest.mark.parametrize(("width", "height"), [(64, 64), (2048, 64), (64, 2048), (65, 333), (1000, 250)])
@pytest.mark.parametrize("prompt", ["a castle at sunset", "watercolor cat"])
def test_any_size(draw: Draw, width: int, height: int, prompt: str) -> None:
    made = draw(prompt, width=width, height=height)
    assert pixels(made).shape == (height, width, 3)
    assert (made.width, made.height) == (width, height)


def test_the_largest_size(draw: Draw) -> None:
    seen = pixels(draw("a lighthouse on the coast", width=2048, height=2048))
    assert seen.shape == (2048, 2048, 3)
    assert seen.std() > 20


@pytest.mark.parametrize("style", STYLES)
def test_every_style_looks_different(draw: Draw, style: str) -> None:
    words = {"pencil": "pencil sketch", "oil": "oil painting"}.get(style, style)
    seen = pixels(draw(f"a fox by a lake, {words}", width=192, height=128))
    plain = pixels(draw("a fox by a lake, illustration", width=192, height=128))
    assert seen.std() > 12
    assert style == "illustration" or np.abs(seen - plain).mean() > 3


@pytest.mark.parametrize("kinds", [list(catalog())[start : start + 12] for start in range(0, len(catalog()), 12)])
def test_everything_in_the_catalogue_can_be_drawn(draw: Draw, kinds: list[str]) -> None:
    for kind in kinds:
        assert pixels(draw(f"{kind}, plain background", width=96, height=96)).std() > 1, kind


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "   ",
        "🐱🌈",
        "一只猫在月球上",
        "\x00\ud800 \u202e",
        "((((((",
        ":::,,,",
        "a " * 5000,
        "<lora:x:1>",
        "%s {0} \\ '\"",
        "no",
    ],
)
def test_odd_prompts_give_pictures(draw: Draw, prompt: str) -> None:
    assert pixels(draw(prompt, width=96, height=96)).shape == (96, 96, 3)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=200), st.text(max_size=60), st.integers(0, 2**63 - 1), st.floats(0, 30), st.integers(1, 150))
def test_no_prompt_raises(prompt: str, negative: str, seed: int, cfg_scale: float, steps: int) -> None:
    job = payload(prompt, negativePrompt=negative, seed=seed, cfgScale=cfg_scale, steps=steps, width=64, height=64)
    [made] = Sketch().run(job, Watcher())
    assert made.data.startswith(b"\x89PNG")


def test_png_carries_the_parameters(draw: Draw) -> None:
    made = draw(
        "a cat, 猫", negativePrompt="dogs", sampler="DPM++ 2M Karras", steps=30, cfgScale=7, seed=123,
        width=128, height=96, clipSkip=2,
    )  # fmt: skip
    with Image.open(io.BytesIO(made.data)) as image:
        rows = image.info["parameters"].splitlines()
    assert rows[0] == "a cat, 猫"
    assert rows[1] == "Negative prompt: dogs"
    pairs = dict(pair.split(": ", 1) for pair in rows[2].split(", "))
    assert pairs == {
        "Steps": "30", "Sampler": "DPM++ 2M Karras", "CFG scale": "7", "Seed": "123", "Size": "128x96",
        "Model": "sketch", "Clip skip": "2", "Engine": "sketch", "Version": pairs["Version"],
    }  # fmt: skip
    assert pairs["Version"].startswith("heddle ")
    assert made.metadata["parameters"] == "\n".join(rows)


@pytest.mark.parametrize(("kind", "mime"), [("jpeg", "image/jpeg"), ("webp", "image/webp")])
def test_jpeg_and_webp_carry_them_too(draw: Draw, kind: str, mime: str) -> None:
    made = draw("a cat, 猫", outputFormat=kind)
    assert made.mime == mime
    with Image.open(io.BytesIO(made.data)) as image:
        comment = image.getexif().get_ifd(0x8769)[0x9286]
    assert comment.startswith(b"UNICODE\0")
    assert comment[8:].decode("utf-16-be") == made.metadata["parameters"]


def test_a_stand_in_says_so(draw: Draw) -> None:
    made = draw("a cat", family="sdxl", standInFor="sdxl", model="urn:air:sdxl:checkpoint:civitai:1@2")
    assert made.metadata["engine"] == "sketch"
    assert made.metadata["standInFor"] == "sdxl"
    assert "Stand-in for: sdxl" in made.metadata["parameters"]
    assert "Model: sketch" in made.metadata["parameters"]


def _source() -> bytes:
    """A picture of a dark violet field with a bright bar and a checkered corner."""
    seen = np.full((160, 200, 3), (70, 40, 110), dtype=np.uint8)
    seen[60:90, 20:180] = (250, 230, 90)
    seen[110:150, 120:190] = np.indices((40, 70)).sum(0)[:, :, None] // 8 % 2 * 200 + 30
    out = io.BytesIO()
    Image.fromarray(seen).save(out, "PNG")
    return out.getvalue()


def test_a_variant_moves_from_its_source_to_its_prompt(draw: Draw) -> None:
    blobs = {"blob_1": _source()}
    with Image.open(io.BytesIO(blobs["blob_1"])) as image:
        source = np.asarray(image).astype(float)
    prompt, size = "a red house in a meadow", {"width": 200, "height": 160}
    told = pixels(draw(prompt, **size))
    away, near = [], []
    for strength in (0.0, 0.2, 0.4, 0.6, 0.9, 1.0):
        seen = pixels(draw(prompt, blobs, operation="variant", images=["blob_1"], strength=strength, **size))
        away.append(np.abs(seen - source).mean())
        near.append(np.abs(seen - told).mean())
    assert away == sorted(away)
    assert near == sorted(near, reverse=True)
    assert away[0] == 0
    assert away[1] < 0.2 * away[-1]
    assert near[4] < 0.2 * near[0]
    assert near[5] == 0


def test_an_edit_keeps_its_source_and_adds(draw: Draw) -> None:
    blobs = {"blob_1": _source()}
    made = draw("add a red balloon", blobs, operation="edit", images=["blob_1"], width=200, height=160)
    with Image.open(io.BytesIO(blobs["blob_1"])) as image:
        source = np.asarray(image).astype(float)
    same = np.abs(pixels(made) - source).max(axis=2) < 3
    assert 0.5 < same.mean() < 0.99
    assert _share(pixels(made), "red") > 0.01


def test_a_variant_needs_a_source(draw: Draw) -> None:
    with pytest.raises(EngineFailed, match="images"):
        draw("a cat", operation="variant")


def test_create_ignores_a_source(draw: Draw) -> None:
    assert draw("a cat", images=["blob_1"]).data == draw("a cat").data


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n broken", b"%!PS-Adobe-3.0 EPSF-3.0"])
def test_a_source_that_is_no_picture_is_named(draw: Draw, data: bytes) -> None:
    with pytest.raises(EngineFailed, match="blob_1"):
        draw("a cat", {"blob_1": data}, operation="variant", images=["blob_1"])


def test_prices_and_offer() -> None:
    engine = Sketch()
    assert engine.price(payload("a cat", width=1000, height=2000)) == 2.0
    offer = engine.offer()
    assert offer.families == {"sketch"}
    assert offer.stand_in
    assert offer.sides == (64, 2048)
    assert engine.missing() == []


@pytest.mark.parametrize(
    ("field", "value"), [("width", 63), ("height", 2049), ("width", "big"), ("outputFormat", "bmp")]
)
def test_a_bad_payload_names_the_field(draw: Draw, field: str, value: Any) -> None:
    with pytest.raises(EngineFailed, match=field):
        draw("a cat", **{field: value})


def test_planning_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'PIL', 'resvg_py'}"
    code = f"import sys; from heddle.engines.sketch import Sketch; Sketch().offer(); print({heavy} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"


def test_the_parameters_do_not_depend_on_the_picture(draw: Draw) -> None:
    """Two formats of one job differ in bytes only."""
    one, other = draw("a cat"), draw("a cat", outputFormat="webp")
    assert one.metadata["parameters"] == other.metadata["parameters"]
    assert hashlib.sha256(one.data).digest() != hashlib.sha256(other.data).digest()


def test_the_style_entries_of_the_catalog_draw_in_their_style(draw: Callable[..., Made]) -> None:
    """Every built-in network entry is known to the engine, and changes the picture as its trained word would."""
    built_in = [e for e in builtin.ENTRIES if e.type == "LORA"]
    assert {str(e.version_id) for e in built_in} == {air.rpartition("@")[2] for air in STYLE_NETWORKS}
    plain = draw("a house in a meadow")
    for entry in built_in:
        [air] = [a for a in STYLE_NETWORKS if a.endswith(f":{entry.model_id}@{entry.version_id}")]
        styled = draw("a house in a meadow", networks=[{"air": air, "strength": 0.8}])
        assert styled.metadata["style"] == STYLE_NETWORKS[air] == entry.trained_words[0]
        assert np.abs(pixels(styled) - pixels(plain)).mean() > 3
        off = draw("a house in a meadow", networks=[{"air": air, "strength": 0}])
        assert np.array_equal(pixels(off), pixels(plain))
