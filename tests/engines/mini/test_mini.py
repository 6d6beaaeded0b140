"""The engine, with weights that no training made: what must hold whatever it has learned."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.engines.mini.conftest import Watcher, payload, pixels, write_weights

from heddle.engines import Made
from heddle.engines.mini import Mini, samplers
from heddle.engines.mini.canvas import Canvas
from heddle.errors import EngineFailed, JobCanceled, UsageError

Draw = Callable[..., Made]

SCRIPT = """
import hashlib, sys
from tests.engines.mini.conftest import Watcher, payload, pixels
from heddle.engines.mini import Mini
engine = Mini()
engine.configure({"weights": sys.argv[1]})
for sampler in ("Euler", "Euler a"):
    [made] = engine.run(payload("a cat, a red house", width=320, sampler=sampler), Watcher())
    print(hashlib.sha256(pixels(made).tobytes()).hexdigest())
"""


def far(one: Made, other: Made) -> float:
    return float(np.abs(pixels(one) - pixels(other)).mean())


def source(color: str = "orange") -> dict[str, bytes]:
    image = Image.new("RGB", (256, 256), color)
    image.paste("navy", (0, 128, 256, 256))
    out = io.BytesIO()
    image.save(out, "PNG")
    return {"blob_s": out.getvalue()}


# ── what changes a picture, and what does not ─────────────────────────────────


@pytest.mark.slow
def test_the_same_seed_gives_the_same_pixels_in_every_process(weights_file: Path) -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(weights_file)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"prompt": "a blue house"}, {"prompt": ""}, {"prompt": "zxqv"}, {"negativePrompt": "red"}, {"seed": 2},
        {"seed": 2**63 - 1}, {"steps": 5}, {"cfgScale": 5.0}, {"cfgScale": 0}, {"sampler": "Heun"},
        {"sampler": "Euler a"}, {"sampler": "DPM++ 2M"},
    ],
)  # fmt: skip
def test_every_knob_changes_the_picture(draw: Draw, more: dict[str, Any]) -> None:
    assert far(draw(), draw(**more)) > 0.01
    assert far(draw(**more), draw(**more)) == 0


def test_words_that_it_does_not_know_are_told_apart(draw: Draw) -> None:
    assert far(draw("zxqv"), draw("")) > 0.001
    assert far(draw("zxqv"), draw("qqqq")) > 0.001


def test_without_guidance_the_negative_prompt_does_nothing(draw: Draw) -> None:
    assert far(draw(cfgScale=1), draw(cfgScale=1, negativePrompt="a dog")) == 0


# ── from a picture ────────────────────────────────────────────────────────────


def test_the_more_strength_the_farther_from_the_source(draw: Draw) -> None:
    [given] = source().values()
    with Image.open(io.BytesIO(given)) as image:
        there = np.asarray(image).astype(float)

    def off(strength: float) -> float:
        made = draw("a cat", source(), images=["blob_s"], strength=strength, steps=6)
        return float(np.abs(pixels(made) - there).mean())

    told = [off(strength) for strength in (0, 0.1, 0.3, 0.5, 0.7, 0.9, 1)]
    assert told[0] == 0
    assert all(less < more for less, more in itertools.pairwise(told))


@pytest.mark.parametrize("sampler", ["Euler", "Heun", "Euler a", "DPM++ 2M"])
def test_hardly_any_strength_gives_the_source(draw: Draw, sampler: str) -> None:
    def drawn(strength: float) -> np.ndarray:
        made = draw("a cat", source(), images=["blob_s"], strength=strength, steps=3, sampler=sampler)
        return pixels(made).astype(int)

    assert np.abs(drawn(1e-200) - drawn(0.001)).mean() < 0.5


@pytest.mark.parametrize("size", [(256, 256), (480, 300)])
def test_at_full_strength_nothing_of_the_source_is_left(draw: Draw, size: tuple[int, int]) -> None:
    given = {"width": size[0], "height": size[1]}
    from_source = [
        draw("a cat", source(color), images=["blob_s"], strength=1, **given) for color in ("orange", "lightgreen")
    ]
    assert far(*from_source) == 0
    assert far(from_source[0], draw("a cat", **given)) == 0


def test_a_source_that_is_none_is_refused(draw: Draw) -> None:
    with pytest.raises(EngineFailed, match="blob_s"):
        draw("a cat", {"blob_s": b"GIF89a"}, images=["blob_s"], strength=0.5)


# ── sizes ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((256, 256), ""), ((128, 128), "made smaller by Lanczos to 128x128"), ((300, 200), "384x256"),
        ((256, 512), "256x512 pixels are painted in windows of 256x256 that overlap"),
        ((701, 409), "back-projection, as the engine resample does, to 701x409"), ((1024, 128), "2048x256"),
    ],
)  # fmt: skip
def test_every_size_comes_as_asked_and_says_how(draw: Draw, size: tuple[int, int], said: str) -> None:
    made = draw(width=size[0], height=size[1], steps=1)
    assert pixels(made).shape == (size[1], size[0], 3)
    assert (made.width, made.height) == size
    assert said in "; ".join(made.metadata.get("approximations", []))
    assert bool(said) == ("approximations" in made.metadata)
    assert said in made.metadata["parameters"]


def test_a_larger_picture_of_the_same_shape_shows_the_same(draw: Draw) -> None:
    small, large = pixels(draw()), pixels(draw(width=512, height=512))
    shrunk = large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - shrunk).mean() < 2


def test_the_canvas_is_no_larger_than_the_shape_wants() -> None:
    for width, height in itertools.product((128, 200, 256, 511, 1024, 2048), repeat=2):
        canvas = Canvas(width=width, height=height)
        left, top, right, bottom = canvas.box
        down, across = canvas.cells
        assert min(down, across) == 16
        assert (right - left) / (bottom - top) == pytest.approx(width / height)
        assert 0 <= left < 8
        assert 0 <= top < 8
        assert (across * 16 - right, down * 16 - bottom) == pytest.approx((left, top))


# ── on the way ────────────────────────────────────────────────────────────────


def test_every_step_of_both_stages_is_told_and_the_painted_ones_are_shown(engine: Mini) -> None:
    watcher = Watcher()
    [_] = engine.run(payload(width=512, height=256, steps=4), watcher)
    fractions = [fraction for fraction, _ in watcher.reported]
    notes = list(dict.fromkeys(note for _, note in watcher.reported))
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1
    steps = [f"{stage}, step {n} of 4" for stage in ("laying out", "painting") for n in (1, 2, 3, 4)]
    assert notes == ["preparing", *steps, "decoding", "writing the file"]
    assert [(shown.width, shown.height) for shown in watcher.shown] == [(256, 128)] * 4
    assert len({shown.data for shown in watcher.shown}) == 4


def test_a_cancel_comes_through_before_every_call_of_a_network(engine: Mini) -> None:
    class Canceled(Watcher):
        left = 0

        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            if len(self.reported) > self.left:
                raise JobCanceled("enough")

    whole = Watcher()
    given = payload(width=512, height=256, steps=2, sampler="Heun")
    [_] = engine.run(given, whole)
    # Two steps of Heun are three calls of the layout, and as many of the painter in each of three windows.
    assert len(whole.reported) > 3 + 9
    for left in range(0, len(whole.reported), 2):
        watcher = Canceled()
        watcher.left = left
        with pytest.raises(JobCanceled):
            list(engine.run(given, watcher))
        assert len(watcher.reported) == left + 1


# ── what is said of it ────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_the_file_says_how_it_was_made(draw: Draw, kind: str) -> None:
    made = draw(outputFormat=kind, negativePrompt="fog", sampler="dpmpp_2m karras")
    assert made.mime == f"image/{kind}"
    with Image.open(io.BytesIO(made.data)) as image:
        assert image.format == kind.upper()
    text = made.metadata["parameters"]
    assert "Negative prompt: fog" in text
    assert "Sampler: DPM++ 2M," in text
    assert "Quality: preview" in text
    assert made.metadata["quality"] == "preview"
    assert made.metadata["samplerAsked"] == "dpmpp_2m karras"


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("sampler", {"sampler": "LMS"}), ("clipSkip", {"clipSkip": 2}), ("vae", {"vae": "urn:air:x:vae:heddle:1@1"}),
        ("controlNets", {"controlNets": [{"model": "m", "image": "b"}]}),
    ],
)  # fmt: skip
def test_what_it_cannot_do_is_refused_at_submit_and_when_it_runs(
    engine: Mini, field: str, given: dict[str, Any]
) -> None:
    assert list(engine.problems(payload(**given))) == [field]
    with pytest.raises(EngineFailed, match=f"^{field}: "):
        list(engine.run(payload(**given), Watcher()))
    assert engine.problems(payload(clipSkip=1, sampler="Heun")) == {}


# ── the file of weights ───────────────────────────────────────────────────────


def test_without_weights_that_are_good_enough_it_is_not_offered(tmp_path: Path, weights_file: Path) -> None:
    def why(name: str, content: bytes | None = None, **said: Any) -> str:
        path = write_weights(tmp_path / name, **said)
        if content is not None:
            path.write_bytes(content)
        engine = Mini()
        engine.configure({"weights": str(path)})
        with pytest.raises(EngineFailed, match="mini cannot run here"):
            list(engine.run(payload(), Watcher()))
        [sentence] = engine.missing()
        return sentence

    assert "not good enough to be offered: they say 'none'" in why("a", quality="none")
    assert "its format is 'mini-0'" in why("b", format="mini-0")
    assert "does not begin with a safetensors header" in why("c", b"PK\x03\x04" * 100)
    assert "does not begin with a safetensors header" in why("d", b"")
    other = weights_file.read_bytes().replace(b'"text.places"', b'"text.placez"')
    assert "of another version: 2 of its tensors" in why("e", other)


def test_only_weights_that_are_released_are_taken_unasked(tmp_path: Path, engine: Mini) -> None:
    released = Mini()
    released.configure({"weights": str(write_weights(tmp_path / "w", quality="release"))})
    assert (released.missing(), released.offer().preview) == ([], False)
    assert (engine.missing(), engine.offer().preview) == ([], True)
    assert [kind.name for kind in (*released.kinds(), *engine.kinds())] == ["mini", "mini (preview)"]
    assert list(engine.kinds()[0].samplers) == samplers.titles()


def test_a_file_that_is_cut_off_ends_the_job_with_a_reason(tmp_path: Path, weights_file: Path) -> None:
    path = tmp_path / "mini.safetensors"
    path.write_bytes(weights_file.read_bytes()[:-1000])
    engine = Mini()
    engine.configure({"weights": str(path)})
    with pytest.raises(EngineFailed, match=r"'mini\.safetensors' cannot be read"):
        list(engine.run(payload(), Watcher()))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"threads": 0}, "threads is 0"), ({"threads": "many"}, "threads"), ({"weights": "/nowhere"}, "'/nowhere'"),
        ({"color": 1}, "color"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Mini().configure(table)


def test_more_threads_paint_the_same_picture(weights_file: Path, draw: Draw) -> None:
    engine = Mini()
    engine.configure({"weights": str(weights_file), "threads": 2})
    [made] = engine.run(payload(), Watcher())
    assert far(made, draw()) < 0.5
