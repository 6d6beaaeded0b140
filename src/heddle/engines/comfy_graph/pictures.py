"""Nodes that make and change pictures. They work on one picture of a batch after the other, to keep memory small."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageFilter

from heddle.engines.comfy_graph import masks, scaling
from heddle.engines.comfy_graph.values import Floats, Given, Inputs, Masks, Pictures, Upscaler, floats, to_bytes
from heddle.graph import Size
from heddle.graph.sizes import crop_box, times, to_sides, to_total

_GRAY = 128


def empty(inputs: Inputs) -> Given:
    width, height, count, color = inputs.numbers("width", "height", "batch_size", "color")
    made = np.empty((count, height, width, 3), dtype=np.uint8)
    made[...] = (color >> 16, color >> 8 & 255, color & 255)
    return (made,)


# ── sizes ─────────────────────────────────────────────────────────────────────


def _size(given: Pictures) -> Size:
    return Size(width=given.shape[2], height=given.shape[1], count=given.shape[0])


def scaled(inputs: Inputs) -> Given:
    given = inputs.pictures("image")
    size = to_sides(_size(given), *inputs.numbers("width", "height"))
    return (scaling.pictures(given, size, inputs.text("upscale_method"), inputs.text("crop")),)


def scaled_by(inputs: Inputs) -> Given:
    given = inputs.pictures("image")
    return (scaling.pictures(given, times(_size(given), inputs.fraction("scale_by")), inputs.text("upscale_method")),)


def scaled_to_total(inputs: Inputs) -> Given:
    given = inputs.pictures("image")
    size = to_total(_size(given), inputs.fraction("megapixels"))
    return (scaling.pictures(given, size, inputs.text("upscale_method")),)


def upscaled(inputs: Inputs) -> Given:
    """Interpolated and sharpened: what an upscaling model would invent is not there."""
    given, factor = inputs.pictures("image"), inputs.of("upscale_model", Upscaler).factor
    larger = scaling.pictures(given, times(_size(given), factor), "lanczos")
    sharp = ImageFilter.UnsharpMask(radius=0.6 * factor, percent=70, threshold=0)
    return (np.stack([np.asarray(Image.fromarray(one).filter(sharp)) for one in larger]),)


def cropped(inputs: Inputs) -> Given:
    given = inputs.pictures("image")
    box = inputs.numbers("x", "y", "width", "height")
    x, y, width, height = crop_box(_size(given), box[0], box[1], box[2], box[3])
    return (given[:, y : y + height, x : x + width],)


def padded(inputs: Inputs) -> Given:
    given = inputs.pictures("image")
    left, top, right, bottom = inputs.numbers("left", "top", "right", "bottom")
    margins = ((0, 0), (top, bottom), (left, right), (0, 0))
    made = np.pad(given, margins, constant_values=_GRAY)
    height, width = given.shape[1:3]
    mask = np.ones((1, *made.shape[1:3]), dtype=np.float32)
    inside = _feathering(height, width, (left, top, right, bottom), inputs.number("feathering"))
    mask[0, top : top + height, left : left + width] = inside
    return made, mask


def _feathering(height: int, width: int, margins: tuple[int, ...], over: int) -> Floats:
    """How much of the picture itself is drawn anew: near the margins that were added, more and more."""
    if over == 0 or over * 2 >= min(height, width):
        return np.zeros((height, width), dtype=np.float32)
    left, top, right, bottom = (np.float32(0 if margin else np.inf) for margin in margins)
    across = np.arange(width, dtype=np.float32)
    down = np.arange(height, dtype=np.float32)
    near_side = np.minimum(across + left, across[::-1] + 1 + right)
    near_edge = np.minimum(down + top, down[::-1] + 1 + bottom)
    distance = np.minimum(near_edge[:, None], near_side[None, :])
    return np.square(np.clip((over - distance) / over, 0, 1))


# ── batches ───────────────────────────────────────────────────────────────────


def joined(inputs: Inputs) -> Given:
    first = inputs.pictures("image1")
    return (np.concatenate([first, _at_size(inputs.pictures("image2"), first)]),)


def some(inputs: Inputs) -> Given:
    given = inputs.pictures("image")
    start = min(len(given) - 1, inputs.number("batch_index"))
    return (given[start : start + inputs.number("length")],)


def _at_size(given: Pictures, other: Pictures) -> Pictures:
    """At the size of another batch, cut to its shape."""
    return scaling.pictures(given, _size(other), "bilinear", "center")


def _repeated(given: Pictures, count: int) -> Pictures:
    return given if len(given) == count else given[np.arange(count) % len(given)]


# ── colors ────────────────────────────────────────────────────────────────────


def inverted(inputs: Inputs) -> Given:
    return (255 - inputs.pictures("image"),)


def blended(inputs: Inputs) -> Given:
    first = inputs.pictures("image1")
    second = _at_size(inputs.pictures("image2"), first)
    count = max(len(first), len(second))
    share, mode = np.float32(inputs.fraction("blend_factor")), _BLENDS[inputs.text("blend_mode")]
    made = np.empty((count, *first.shape[1:]), dtype=np.uint8)
    for i, (one, other) in enumerate(zip(_repeated(first, count), _repeated(second, count), strict=True)):
        below = floats(one)
        made[i] = to_bytes(below * (1 - share) + mode(below, floats(other)) * share)
    return (made,)


def _overlay(one: Floats, other: Floats) -> Floats:
    return np.where(one <= 0.5, 2 * one * other, 1 - 2 * (1 - one) * (1 - other))


def _soft_light(one: Floats, other: Floats) -> Floats:
    light = np.where(one <= 0.25, ((16 * one - 12) * one + 4) * one, np.sqrt(one))
    return np.where(other <= 0.5, one - (1 - 2 * other) * one * (1 - one), one + (2 * other - 1) * (light - one))


_BLENDS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "normal": lambda _, other: other,
    "multiply": lambda one, other: one * other,
    "screen": lambda one, other: 1 - (1 - one) * (1 - other),
    "overlay": _overlay,
    "soft_light": _soft_light,
    "difference": lambda one, other: one - other,
}


def blurred(inputs: Inputs) -> Given:
    given = inputs.pictures("image")
    kernel = _gaussian(inputs.number("blur_radius"), inputs.fraction("sigma"))
    return (np.stack([to_bytes(_convolved(floats(one), kernel)) for one in given]),)


def sharpened(inputs: Inputs) -> Given:
    given = inputs.pictures("image")
    kernel = _gaussian(inputs.number("sharpen_radius"), inputs.fraction("sigma"))
    # Tenfold, because that is what graphs were made with.
    amount = np.float32(10 * inputs.fraction("alpha"))
    made = np.empty_like(given)
    for i, one in enumerate(given):
        plain = floats(one)
        made[i] = to_bytes(plain + amount * (plain - _convolved(plain, kernel)))
    return (made,)


def _gaussian(radius: int, sigma: float) -> Floats:
    """A row of weights; sigma counts in radii."""
    weights = np.exp(-np.square(np.linspace(-1, 1, 2 * radius + 1)) / (2 * sigma * sigma))
    return (weights / weights.sum()).astype(np.float32)


def _convolved(picture: Floats, kernel: Floats) -> Floats:
    """Across and down; at the edges the picture is mirrored."""
    radius = len(kernel) // 2
    for axis in (0, 1):
        length = picture.shape[axis]
        margins = [(0, 0)] * picture.ndim
        margins[axis] = (radius, radius)
        wide = np.pad(picture, margins, mode="reflect")
        parts = (np.take(wide, range(i, i + length), axis=axis) * weight for i, weight in enumerate(kernel))
        picture = sum(parts, start=np.zeros_like(picture))
    return picture


# ── one over another ──────────────────────────────────────────────────────────


def composed(inputs: Inputs) -> Given:
    below, above = inputs.pictures("destination"), inputs.pictures("source")
    if inputs.flag("resize_source"):
        above = scaling.pictures(above, _size(below), "bilinear")
    mask = inputs.masks("mask") if inputs.has("mask") else np.ones((1, *above.shape[1:3]), dtype=np.float32)
    x, y = inputs.numbers("x", "y")
    return (laid_over(below, above, scaling.masks(mask, above.shape[2], above.shape[1]), x, y),)


def laid_over(below: Pictures, above: Pictures, mask: Masks, x: int = 0, y: int = 0) -> Pictures:
    """One batch over another where the mask, which is as large as what is above, is 1."""
    count = max(len(below), len(above))
    made = _repeated(below, count).copy()
    sources, shares = _repeated(above, count), masks.repeated(mask, count)
    for i in range(count):
        target = made[i, y : y + above.shape[1], x : x + above.shape[2]]
        height, width = target.shape[:2]
        share = shares[i, :height, :width, None]
        target[...] = to_bytes(floats(target) * (1 - share) + floats(sources[i, :height, :width]) * share)
    return made
