"""resample: better than Lanczos, without halos; formats, transparency, limits; videos whole."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from tests.moving import Seen, Watcher, file_of, moving, psnr, texture, tone

from heddle.engines import Made
from heddle.engines.resample import Resample
from heddle.engines.sketch import Sketch
from heddle.errors import JobError


def enlarged(data: bytes, watcher: Watcher | None = None, **more: Any) -> Made:
    given = {"source": "source", "scaleFactor": 2, "numberOfRepeats": 1} | more
    watcher = watcher or Watcher()
    watcher.blobs["source"] = data
    [made] = Resample().run(given, watcher)
    return made


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def file(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def drawing() -> np.ndarray:
    payload = {
        "family": "sketch", "operation": "create", "prompt": "a red house next to a blue car under a tree",
        "width": 768, "height": 768, "steps": 30, "cfgScale": 7.0, "seed": 5, "networks": [], "images": [],
    }  # fmt: skip
    [made] = Sketch().run(payload, Watcher())
    return np.asarray(opened(made.data).convert("RGB"))


def photo() -> np.ndarray:
    """A gradient, photographic texture and shaded discs."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:768, 0:768] / 768
    light = np.stack([110 + 80 * x - 40 * y, 100 + 60 * np.sin(3 * y) + 30 * x, 130 - 60 * x + 60 * y], -1)
    pixels = light * 0.55 + texture(768, 4).astype(float) * 0.45
    for _ in range(14):
        across, down, radius = *rng.uniform(0, 1, 2), rng.uniform(0.03, 0.13)
        away = np.hypot(x - across, y - down)
        cover = np.clip((radius - away) * 384 + 0.5, 0, 1)[..., None]
        shade = np.clip(1 - away / radius * 0.6, 0, 1)[..., None]
        pixels = pixels * (1 - cover) + cover * (rng.uniform(60, 220, 3) * shade + pixels * 0.2)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def lines() -> np.ndarray:
    """Text and strokes."""
    image = Image.new("RGB", (1536, 1536), "white")
    pen, rng = ImageDraw.Draw(image), np.random.default_rng(4)
    for i in range(9):
        font = ImageFont.load_default(size=60 + 8 * i)
        pen.text((60, 60 + i * 150), "The quick brown fox 0123", fill=(20, 20, 30), font=font)
    for _ in range(40):
        color = tuple(int(v) for v in rng.integers(0, 160, 3))
        pen.line([float(v) for v in rng.uniform(0, 1536, 4)], fill=color, width=int(rng.integers(3, 9)))
    return np.asarray(image.reduce(2))


#: By how many decibels it must beat Lanczos, at 2, 3 and 4 times.
GAINS = {"drawing": (1.8, 1.6, 1.3), "photo": (0.3, 0.5, 0.5), "lines": (2.6, 1.4, 0.8)}


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("name", GAINS)
def test_better_than_lanczos(name: str, factor: int) -> None:
    truth = {"drawing": drawing, "photo": photo, "lines": lines}[name]()
    small = Image.fromarray(truth).reduce(factor)
    plain = np.asarray(small.resize((768, 768), Image.Resampling.LANCZOS))
    made = np.asarray(opened(enlarged(file(np.asarray(small)), scaleFactor=factor).data))
    gain = psnr(made, truth) - psnr(plain, truth)
    print(f"{name} x{factor}: Lanczos {psnr(plain, truth):.2f} dB, resample {psnr(made, truth):.2f} dB")
    assert gain >= GAINS[name][factor - 2]


def test_an_edge_gets_no_halo() -> None:
    step = np.full((40, 40, 3), 60, np.uint8)
    step[:, 20:] = 190
    plain = np.asarray(Image.fromarray(step).resize((160, 160), Image.Resampling.LANCZOS))
    made = np.asarray(opened(enlarged(file(step), scaleFactor=4).data))
    assert plain.min() < 55
    assert plain.max() > 195
    assert made.min() >= 60
    assert made.max() <= 190


def test_a_large_picture_has_no_seams() -> None:
    """A plain gradient that is worked on in several squares stays one."""
    ramp = np.repeat(np.linspace(0, 255, 600)[None, :], 300, 0).astype(np.uint8)
    made = np.asarray(opened(enlarged(file(ramp)).data)).astype(int)
    assert made.shape == (600, 1200)
    assert np.abs(np.diff(made, axis=1)).max() <= 2
    assert np.abs(np.diff(made, axis=0)).max() == 0


@pytest.mark.parametrize(("kind", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_the_format_of_the_source(kind: str, mime: str) -> None:
    made = enlarged(file(texture(64, 1), kind))
    assert (made.mime, opened(made.data).format, made.width, made.height) == (mime, kind, 128, 128)


def test_avif_becomes_png() -> None:
    pixels = texture(64, 1)
    made = enlarged(file(pixels, "AVIF", quality=100, subsampling="4:4:4"))
    assert (made.mime, made.width, made.height) == ("image/png", 128, 128)
    small = np.asarray(opened(made.data).convert("RGB").reduce(2))
    assert psnr(small, pixels) > 35


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_the_format_asked_for_and_what_the_file_says(kind: str) -> None:
    made = enlarged(file(texture(64, 1), "BMP"), outputFormat=kind)
    image = opened(made.data)
    comment = image.info.get("comment") or image.getexif().get_ifd(0x8769)[0x9286].removeprefix(b"ASCII\0\0\0")
    assert json.loads(comment) == {"engine": "resample", "scaleFactor": 2, "numberOfRepeats": 1}


def test_transparency_is_kept_and_does_not_bleed() -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, :, :3] = (0, 255, 0)
    pixels[8:24, 8:24] = (255, 0, 0, 255)
    made = np.asarray(opened(enlarged(file(pixels), scaleFactor=3).data))
    assert made.shape == (96, 96, 4)
    assert made[0, 0, 3] == 0
    assert made[48, 48].tolist() == [255, 0, 0, 255]
    assert made[:, :, 1][made[:, :, 3] > 0].max() == 0


def test_upright_and_grey() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.fromarray(texture(64, 1)[:32]).convert("L").save(out, "JPEG", exif=exif)
    made = opened(enlarged(out.getvalue()).data)
    assert (made.mode, made.size) == ("L", (64, 128))
    assert made.getexif().get(0x0112, 1) == 1


def test_passes_multiply_and_progress_never_falls() -> None:
    watcher = Watcher()
    made = enlarged(file(texture(64, 1)), watcher, numberOfRepeats=3)
    assert (made.width, made.height) == (512, 512)
    assert watcher.reported == sorted(watcher.reported)
    assert len(watcher.reported) > 3


@pytest.mark.parametrize(
    ("data", "more", "says"),
    [
        (file(np.zeros((1100, 1100, 3), np.uint8)), {"scaleFactor": 2, "numberOfRepeats": 3}, "8800x8800"),
        (file(np.zeros((4100, 100, 3), np.uint8)), {}, "8200"),
        *((file(texture(64, 1), kind)[:600], {}, "can be read") for kind in ("PNG", "WEBP", "AVIF", "JPEG", "GIF")),
        (file(texture(64, 1)), {"kind": "video"}, "no video"),
        (b"", {}, "cannot be read"),
        (b"not a picture at all", {"kind": "image"}, "no image"),
    ],
)
def test_what_cannot_be_made(data: bytes, more: dict[str, Any], says: str) -> None:
    with pytest.raises(JobError, match=says):
        enlarged(data, **more)


def test_a_video_whole() -> None:
    truth = moving(15)
    small = [np.asarray(Image.fromarray(frame).reduce(2)) for frame in truth]
    watcher = Watcher()
    source = file_of(small, Fraction(30000, 1001), tone(0.5))
    made = enlarged(source, watcher)
    seen = Seen(made.data)
    assert (made.mime, made.width, made.height, made.duration_ms) == ("video/mp4", 256, 256, 500)
    assert (seen.codec, len(seen.frames), seen.fps) == ("h264", 15, Fraction(30000, 1001))
    assert seen.sound is not None
    assert abs(len(seen.sound) / 48_000 - 0.5) < 0.05
    assert np.abs(seen.sound).max() > 0.3
    assert json.loads(seen.tags["comment"])["scaleFactor"] == 2
    plain = [np.asarray(Image.fromarray(f).resize((256, 256), Image.Resampling.LANCZOS)) for f in Seen(source).frames]
    likeness = np.mean([psnr(a, b) for a, b in zip(seen.frames, truth, strict=True)])
    lanczos = np.mean([psnr(a, b) for a, b in zip(Seen(file_of(plain, crf=18)).frames, truth, strict=True)])
    print(f"video x2: Lanczos {lanczos:.2f} dB, resample {likeness:.2f} dB")
    assert likeness >= lanczos
    assert watcher.reported == sorted(watcher.reported)
    assert made.preview is not None


def test_a_video_too_large() -> None:
    data = file_of([np.zeros((64, 900, 3), np.uint8)] * 2)
    with pytest.raises(JobError, match="900x64 times 3 is 2700x192"):
        enlarged(data, scaleFactor=3)


def test_odd_sides_of_a_video() -> None:
    made = enlarged(file_of([np.zeros((63, 65, 3), np.uint8)] * 2), scaleFactor=3)
    assert (made.width, made.height) == (198, 192)
    assert Seen(made.data).frames[0].shape == (192, 198, 3)
