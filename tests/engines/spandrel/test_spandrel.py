"""spandrel on models of a few layers: no seams, every kind of picture, videos whole, a cancel within a tile."""

from __future__ import annotations

import io
import json
import sys
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.moving import Seen, Watcher, file_of, moving, psnr, texture, tone
from tests.torch import WITHOUT, needs_torch

from heddle.engines import Made
from heddle.engines.spandrel import Spandrel
from heddle.errors import EngineFailed, JobCanceled, JobError

pytestmark = needs_torch
if WITHOUT is not None or find_spec("spandrel") is None:
    pytest.skip(WITHOUT or "spandrel is not installed: ./scripts/setup torch", allow_module_level=True)

# What cannot be imported without PyTorch comes after the look for it.
import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tests.torch import tiny_upscaler  # noqa: E402

from heddle.engines.spandrel import models  # noqa: E402
from heddle.engines.spandrel.library import spandrel  # noqa: E402

AIR = "urn:air:other:upscaler:heddle:1@1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models by the factor that is theirs."""
    made = tmp_path_factory.mktemp("upscalers")
    for scale in (1, 2, 4):
        tiny_upscaler.write(made / f"{scale}.safetensors", scale)
    tiny_upscaler.write(made / "grey.safetensors", 2, 1)
    return made


class Setup:
    """An engine with one model in memory."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.engine = Spandrel()
        self.engine.configure({"tile": 96, "overlap": 24, **options})
        self.weights = {AIR: {"path": str(path), "size": path.stat().st_size}}
        self.model = f"spandrel:{path}"
        self.engine.load(self.model, Watcher())

    def enlarged(self, data: bytes, watcher: Watcher | None = None, **more: Any) -> Made:
        given = {"source": "source", "scaleFactor": 4, "numberOfRepeats": 1, "model": AIR, "weights": self.weights}
        watcher = watcher or Watcher()
        watcher.blobs["source"] = data
        [made] = self.engine.run(given | more, watcher)
        return made


@pytest.fixture(scope="module")
def four(folder: Path) -> Setup:
    return Setup(folder / "4.safetensors")


@pytest.fixture(scope="module")
def whole(folder: Path) -> Setup:
    """Takes every picture here in one piece."""
    return Setup(folder / "4.safetensors", tile=1024)


def file(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def pixels(made: Made) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(made.data)))


def away(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(int) - other.astype(int))


# ── tiles ─────────────────────────────────────────────────────────────────────


def test_tiles_make_what_the_whole_picture_makes(four: Setup, whole: Setup) -> None:
    source = texture(150, 2)[:, :131]
    watcher = Watcher()
    tiled, single = pixels(four.enlarged(file(source), watcher)), pixels(whole.enlarged(file(source)))
    assert tiled.shape == (600, 524, 3)
    assert len(watcher.reported) == 1 + 2 * 2
    assert away(tiled, single).max() <= 3
    assert away(tiled, single).mean() < 0.05
    # And that says something: side by side, without an overlap, they make something else.
    parts = [[pixels(whole.enlarged(file(source[y : y + 50, x : x + 44]))) for x in (0, 44, 88)] for y in (0, 50, 100)]
    beside = np.concatenate([np.concatenate(row, axis=1) for row in parts])
    assert away(beside, single).max() > 20


def test_a_plain_picture_has_no_seams(four: Setup, whole: Setup) -> None:
    plain = np.full((150, 131, 3), 120, np.uint8)
    inside = slice(80, -80)
    for setup in (four, whole):
        made = pixels(setup.enlarged(file(plain)))[inside, inside].astype(int)
        assert np.abs(np.diff(made, axis=0)).max() <= 1
        assert np.abs(np.diff(made, axis=1)).max() <= 1


def test_the_model_was_run(four: Setup) -> None:
    """It is the picture with something of the model's own, and another model adds something else."""
    source = texture(64, 1)
    made = pixels(four.enlarged(file(source)))
    likeness = psnr(made, np.repeat(np.repeat(source, 4, 0), 4, 1))
    assert 12 < likeness < 40


@pytest.mark.parametrize("size", [(1, 1), (1, 130), (67, 1), (2, 2), (63, 65), (64, 64), (65, 64)])
def test_odd_sizes(four: Setup, size: tuple[int, int]) -> None:
    made = four.enlarged(file(texture(140, 1)[: size[0], : size[1]]))
    assert (made.height, made.width) == (4 * size[0], 4 * size[1])
    assert pixels(made).shape == (4 * size[0], 4 * size[1], 3)


# ── factors ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("scale", "factor"), [(4, 2), (4, 3), (2, 2), (2, 4), (1, 2)])
def test_a_factor_that_is_not_the_models(folder: Path, scale: int, factor: int) -> None:
    source = texture(130, 2)
    made = Setup(folder / f"{scale}.safetensors").enlarged(file(source), scaleFactor=factor)
    assert (made.width, made.height) == (130 * factor, 130 * factor)
    assert made.metadata["modelScale"] == scale
    assert made.metadata.get("resized") == (None if scale == factor else "lanczos")
    single = Setup(folder / f"{scale}.safetensors", tile=1024).enlarged(file(source), scaleFactor=factor)
    assert away(pixels(made), pixels(single)).max() <= 3


def test_passes(four: Setup, folder: Path) -> None:
    source, watcher = texture(40, 1), Watcher()
    made = Setup(folder / "2.safetensors").enlarged(file(source), watcher, scaleFactor=2, numberOfRepeats=3)
    assert (made.width, made.height) == (320, 320)
    assert watcher.reported == sorted(watcher.reported)
    assert len(watcher.reported) == 1 + 1 + 1 + 2 * 2
    assert made.metadata["numberOfRepeats"] == 3


# ── kinds of pictures ─────────────────────────────────────────────────────────


def test_opacity_is_enlarged_and_what_is_hidden_does_not_show(four: Setup) -> None:
    source = np.zeros((48, 48, 4), np.uint8)
    source[:, :, :3] = (0, 255, 0)
    source[12:36, 12:36] = (200, 40, 40, 255)
    made = pixels(four.enlarged(file(source)))
    assert made.shape == (192, 192, 4)
    opaque = source.copy()
    opaque[:, :] = (200, 40, 40, 255)
    plain = pixels(four.enlarged(file(opaque)))
    assert (plain[:, :, 3] == 255).all()
    # The hidden green leaves no trace: the colors are those of a picture that is red all over.
    assert away(made[:, :, :3], plain[:, :, :3]).max() <= 1
    assert made[96, 96, 3] > 240
    assert made[8, 8, 3] < 16


def test_opacity_of_nothing_and_of_half(four: Setup) -> None:
    for opacity in (0, 128):
        source = np.full((20, 20, 4), opacity, np.uint8)
        source[:, :, :3] = texture(20, 1)
        made = pixels(four.enlarged(file(source)))
        assert (made[:, :, 3] == opacity).all()


def test_grey_stays_grey(four: Setup, folder: Path) -> None:
    grey = np.asarray(Image.fromarray(texture(40, 1)).convert("L"))
    assert pixels(four.enlarged(file(grey))).shape == (160, 160)
    one = Setup(folder / "grey.safetensors")
    assert pixels(one.enlarged(file(grey), scaleFactor=2)).shape == (80, 80)
    colored = texture(40, 1)
    made = pixels(one.enlarged(file(colored), scaleFactor=2))
    assert made.shape == (80, 80, 3)
    alone = pixels(one.enlarged(file(colored[:, :, 1]), scaleFactor=2))
    assert (made[:, :, 1] == alone).all()


@pytest.mark.parametrize(("kind", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_the_file_says_what_was_done(four: Setup, kind: str, mime: str) -> None:
    made = four.enlarged(file(texture(32, 1), kind), scaleFactor=3)
    assert made.mime == mime
    image = Image.open(io.BytesIO(made.data))
    comment = image.info.get("comment") or image.getexif().get_ifd(0x8769)[0x9286].removeprefix(b"ASCII\0\0\0")
    assert json.loads(comment) == made.metadata == {
        "engine": "spandrel", "model": AIR, "architecture": "ESRGAN", "scaleFactor": 3, "numberOfRepeats": 1,
        "modelScale": 4, "dtype": "float32", "tile": 96, "resized": "lanczos",
    }  # fmt: skip


def test_the_same_again(four: Setup) -> None:
    source = file(texture(100, 3))
    assert four.enlarged(source).data == four.enlarged(source).data


# ── memory and precision ──────────────────────────────────────────────────────


def test_half_precision_is_near(folder: Path, whole: Setup) -> None:
    half = Setup(folder / "4.safetensors", dtype="bfloat16")
    made = half.enlarged(file(texture(40, 1)))
    assert made.metadata["dtype"] == "bfloat16"
    assert psnr(pixels(made), pixels(whole.enlarged(file(texture(40, 1))))) > 30


def test_a_model_that_half_precision_cannot_hold_is_run_in_single(tmp_path: Path, four: Setup) -> None:
    weights = tiny_upscaler.tensors()
    for name, by in (("conv_first", 3e4), ("conv_last", 1 / 3e4)):
        weights[f"{name}.weight"] *= by
    save_file(weights, tmp_path / "large.safetensors")
    setup = Setup(tmp_path / "large.safetensors", dtype="float16")
    made = setup.enlarged(file(texture(40, 1)))
    assert made.metadata["dtype"] == "float32"
    single = Setup(tmp_path / "large.safetensors").enlarged(file(texture(40, 1)))
    assert (pixels(made) == pixels(single)).all()
    assert pixels(made).mean() > 50


def test_tiles_get_smaller_when_memory_ends(folder: Path) -> None:
    """Twice: from 256 pixels to 64."""
    setup = Setup(folder / "4.safetensors", tile=256, overlap=64)

    class Small(models.Model):
        def enlarge(self, source: np.ndarray) -> np.ndarray:
            if max(source.shape) > 70:
                raise models.OutOfRoom("no room for so much")
            return super().enlarge(source)

    setup.engine._models[setup.model].__class__ = Small
    made = setup.enlarged(file(texture(150, 1)))
    assert (made.width, made.metadata["tile"]) == (600, 64)


# ── files that cannot be used ─────────────────────────────────────────────────


def test_models_that_cannot_be_used(tmp_path: Path) -> None:
    good = tiny_upscaler.tensors()
    bent = good | {"conv_hr.weight": good["conv_hr.weight"][:, :3].clone()}
    for name, weights, says in (
        ("unknown", {"some.weight": good["conv_hr.weight"]}, "of no architecture that spandrel knows"),
        ("bent", bent, "cannot be loaded"),
        ("four", tiny_upscaler.tensors(4, 5), "takes 5 channels"),
    ):
        save_file(weights, tmp_path / name)
        with pytest.raises(EngineFailed, match=says):
            Setup(tmp_path / name)
    (tmp_path / "torn").write_bytes((tmp_path / "bent").read_bytes()[:5000])
    with pytest.raises(EngineFailed, match="no safetensors file that can be read"):
        Setup(tmp_path / "torn")


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    torch.save({"conv_first.weight": torch.zeros(1)}, tmp_path / "model.pth")
    with pytest.raises(EngineFailed, match="no safetensors file"):
        Setup(tmp_path / "model.pth")


def test_spandrel_leaves_no_stand_in_behind() -> None:
    assert len(spandrel().MAIN_REGISTRY) > 40
    left = sys.modules.get("torchvision")
    assert left is None or getattr(left, "__file__", None)


def test_a_model_that_was_unloaded_is_gone(folder: Path) -> None:
    setup = Setup(folder / "2.safetensors")
    setup.engine.unload(setup.model)
    assert not setup.engine._models


# ── cancel, videos ────────────────────────────────────────────────────────────


class Impatient(Watcher):
    """Cancels at the so-manieth report."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._after = after

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        super().progress(fraction, note)
        if len(self.reported) > self._after:
            raise JobCanceled("canceled")


def test_a_cancel_stops_before_the_next_tile(four: Setup) -> None:
    watcher = Impatient(4)
    with pytest.raises(JobCanceled):
        four.enlarged(file(texture(200, 1)), watcher)
    assert len(watcher.reported) == 5
    assert four.enlarged(file(texture(20, 1))).width == 80


def test_a_video_whole(folder: Path) -> None:
    setup, watcher = Setup(folder / "2.safetensors"), Watcher()
    frames = [frame[:45, :75] for frame in moving(7, side=96)]
    made = setup.enlarged(file_of(frames, Fraction(30000, 1001), tone(7 * 1001 / 30000)), watcher, scaleFactor=2)
    seen = Seen(made.data)
    # The file that is read has even sides, as codecs want them: 46 by 76.
    assert (made.mime, made.width, made.height, made.duration_ms) == ("video/mp4", 152, 92, 234)
    assert (seen.codec, len(seen.frames), seen.fps) == ("h264", 7, Fraction(30000, 1001))
    assert seen.frames[0].shape == (92, 152, 3)
    assert seen.sound is not None
    assert np.abs(seen.sound).max() > 0.3
    assert json.loads(seen.tags["comment"])["model"] == AIR
    assert made.metadata["frames"] == 7
    assert made.preview is not None
    assert watcher.reported == sorted(watcher.reported)
    assert len({round(fraction, 3) for fraction in watcher.reported}) >= 7
    # Each frame is what the model makes of the picture.
    alone = pixels(setup.enlarged(file(Seen(file_of(frames)).frames[3]), scaleFactor=2))
    assert psnr(seen.frames[3], alone) > 28


def test_a_canceled_video_leaves_no_process(folder: Path) -> None:
    setup = Setup(folder / "2.safetensors")
    data = file_of(moving(20, side=96))
    with pytest.raises(JobCanceled):
        setup.enlarged(data, Impatient(6), scaleFactor=2)
    assert setup.enlarged(file(texture(20, 1)), scaleFactor=2).width == 40


@pytest.mark.parametrize(
    ("data", "more", "says"),
    [
        (file(np.zeros((2100, 20, 3), np.uint8)), {}, "8400"),
        (file(np.zeros((20, 20, 3), np.uint8)), {"kind": "video"}, "no video"),
        (file(texture(64, 1))[:600], {}, "can be read"),
        (b"", {}, "cannot be read"),
        (b"not a picture at all", {"kind": "image"}, "no image"),
        (file_of([np.zeros((32, 700, 3), np.uint8)] * 2), {}, "700x32 times 4 is 2800x128"),
    ],
)
def test_what_cannot_be_made(four: Setup, data: bytes, more: dict[str, Any], says: str) -> None:
    with pytest.raises(JobError, match=says):
        four.enlarged(data, **more)
