"""What a classifier sees of a picture: all that a person sees of it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from heddle import media
from heddle.errors import EngineFailed
from heddle.studio import stills

WHITE, BLACK, RED = (255, 255, 255), (0, 0, 0), (255, 0, 0)


def file(frames: list[Image.Image], kind: str, **more: Any) -> bytes:
    out = io.BytesIO()
    if len(frames) > 1:
        more |= {"save_all": True, "append_images": frames[1:], "duration": 40}
    frames[0].save(out, kind, **more)
    return out.getvalue()


def looks(data: bytes) -> list[Image.Image]:
    return stills.of(data, lambda _: None, picture=media.shows_picture(data[:4096]))


def middle(image: Image.Image) -> tuple[int, ...]:
    color = image.getpixel((image.width // 2, image.height // 2))
    assert isinstance(color, tuple)
    return color


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_later_frames_are_looked_at_too(kind: str) -> None:
    # Frames that are alike are made one by some writers.
    frames = [Image.new("RGB", (64, 64), (i, 0, 0)) for i in range(0, 160, 4)]
    frames.append(Image.new("RGB", (64, 64), WHITE))
    seen = looks(file(frames, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert len(seen) == 16
    assert middle(seen[0]) == BLACK
    assert middle(seen[-1]) == WHITE


def test_two_frames_are_both_seen() -> None:
    seen = looks(file([Image.new("RGB", (32, 32), BLACK), Image.new("RGB", (32, 32), RED)], "GIF"))
    assert [middle(one) for one in seen] == [BLACK, RED]


def test_what_is_not_opaque_lies_on_white() -> None:
    [seen] = looks(file([Image.new("RGBA", (32, 32), (255, 0, 0, 0))], "PNG"))
    assert (seen.mode, middle(seen)) == ("RGB", WHITE)
    [seen] = looks(file([Image.new("RGB", (32, 32), RED)], "PNG"))
    assert middle(seen) == RED


def test_too_many_frames_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stills, "_ALL_PIXELS", 64 * 64)
    data = file([Image.new("RGB", (64, 64), BLACK), Image.new("RGB", (64, 64), RED)], "GIF")
    with pytest.raises(EngineFailed, match="2 frames of 64x64 are too many"):
        looks(data)


def test_a_file_that_ends_early_is_no_picture() -> None:
    frames = [Image.effect_noise((64, 64), 50 + i).convert("RGB") for i in range(4)]
    data = file(frames, "GIF")
    with pytest.raises(EngineFailed, match="no picture that can be read"):
        looks(data[: len(data) * 3 // 8])
