"""How large what a node gives will be: one small function per way of working it out.

Planning uses them for limits and prices, the engine for the sizes themselves, so that both always agree.
"""

from __future__ import annotations

import math
import re

from heddle.graph import Inflow, Measure, Size

#: Latents count in squares of so many pixels.
CELL = 8

#: How much larger a model makes pictures when its name does not say.
USUAL_FACTOR = 4

_FACTOR = re.compile(r"(?<![0-9a-z])([2-8])x(?![0-9])|(?<![0-9a-z])x([2-8])(?![0-9])", re.IGNORECASE)


def like(name: str) -> Measure:
    """As large as what comes in."""

    def measure(known: Inflow) -> Size | None:
        return known.size(name)

    return measure


def given(known: Inflow) -> Size | None:
    """As `width` and `height` say."""
    count = int(known.node.values.get("batch_size", 1))
    return Size(width=known.number("width"), height=known.number("height"), count=count)


def latent(known: Inflow) -> Size | None:
    """As `width` and `height` say, in whole cells."""
    size = given(known)
    return in_cells(size) if size else None


def encoded(known: Inflow) -> Size | None:
    """The picture's, in whole cells."""
    size = known.size("pixels")
    return in_cells(size) if size else None


def in_cells(size: Size) -> Size:
    """Rounded down to whole cells, of which there is at least one."""
    width, height = (max(CELL, side // CELL * CELL) for side in (size.width, size.height))
    return Size(width=width, height=height, count=size.count)


def scaled(known: Inflow) -> Size | None:
    """`width` and `height`; a 0 keeps the shape, two keep the size."""
    size = known.size("image")
    return to_sides(size, known.number("width"), known.number("height")) if size else None


def scaled_latent(known: Inflow) -> Size | None:
    """The same for latents, in whole cells."""
    size = known.size("samples")
    return in_cells(to_sides(size, known.number("width"), known.number("height"))) if size else None


def to_sides(size: Size, width: int, height: int) -> Size:
    """A side of 0 follows from the other one."""
    if not width and not height:
        return size
    width = width or max(1, round(size.width * height / size.height))
    height = height or max(1, round(size.height * width / size.width))
    return Size(width=width, height=height, count=size.count)


def scaled_by(known: Inflow) -> Size | None:
    """`scale_by` times as wide and as high."""
    size = known.size("image")
    return times(size, known.fraction("scale_by")) if size else None


def scaled_latent_by(known: Inflow) -> Size | None:
    """The same for latents, in whole cells."""
    size = known.size("samples")
    return in_cells(times(size, known.fraction("scale_by"))) if size else None


def times(size: Size, factor: float) -> Size:
    """So many times as wide and as high."""
    width, height = (max(1, round(side * factor)) for side in (size.width, size.height))
    return Size(width=width, height=height, count=size.count)


def scaled_to_total(known: Inflow) -> Size | None:
    """As many megapixels as asked for."""
    size = known.size("image")
    return to_total(size, known.fraction("megapixels")) if size else None


def to_total(size: Size, megapixels: float) -> Size:
    """So many times 1024 times 1024 pixels, in the same shape."""
    return times(size, math.sqrt(megapixels * 1024 * 1024 / (size.width * size.height)))


def upscaled(known: Inflow) -> Size | None:
    """Larger by the factor of the model."""
    size, factor = known.size("image"), known.size("upscale_model")
    return times(size, factor.width) if size and factor else None


def factor(known: Inflow) -> Size | None:
    """How much larger a model makes pictures: no size of anything, but it comes along the same links."""
    return Size(width=factor_of(str(known.node.values["model_name"])), height=1, count=0)


def factor_of(model: str) -> int:
    """As its name says: `4x-UltraSharp.pth`, `RealESRGAN_x2plus.pth`."""
    found = _FACTOR.search(model.replace("_", " "))
    return int(found[1] or found[2]) if found else USUAL_FACTOR


def cropped(known: Inflow) -> Size | None:
    """What is left of a picture or a mask: the place is moved inside, the size cut to what is there."""
    size = known.size("image") or known.size("mask")
    if size is None:
        return None
    x, y, width, height = (known.number(name) for name in ("x", "y", "width", "height"))
    _, _, width, height = crop_box(size, x, y, width, height)
    return Size(width=width, height=height, count=size.count)


def crop_box(size: Size, x: int, y: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Place and size of a crop, inside the picture."""
    x, y = min(x, size.width - 1), min(y, size.height - 1)
    return x, y, min(width, size.width - x), min(height, size.height - y)


def padded(known: Inflow) -> Size | None:
    """With the margins."""
    size = known.size("image")
    if size is None:
        return None
    left, top, right, bottom = (known.number(name) for name in ("left", "top", "right", "bottom"))
    return Size(width=size.width + left + right, height=size.height + top + bottom, count=size.count)


def joined(known: Inflow) -> Size | None:
    """Both batches, as large as the first."""
    first, second = known.size("image1"), known.size("image2")
    if first is None or second is None:
        return None
    return Size(width=first.width, height=first.height, count=first.count + second.count)


def some(known: Inflow) -> Size | None:
    """Some pictures of a batch."""
    size = known.size("image")
    if size is None:
        return None
    start = min(size.count - 1, known.number("batch_index"))
    return Size(width=size.width, height=size.height, count=min(size.count - start, known.number("length")))


def repeated(known: Inflow) -> Size | None:
    """A batch several times."""
    size = known.size("samples")
    return Size(width=size.width, height=size.height, count=size.count * known.number("amount")) if size else None


def larger_batch(first: str, second: str) -> Measure:
    """As large as the first, as many as there are in the larger batch."""

    def measure(known: Inflow) -> Size | None:
        one, other = known.size(first), known.size(second)
        if one is None or other is None:
            return None
        return Size(width=one.width, height=one.height, count=max(one.count, other.count))

    return measure
