"""Nodes that make and change masks."""

from __future__ import annotations

import numpy as np

from heddle.engines.comfy_graph.values import Given, Inputs, Masks, Pictures, floats, to_bytes
from heddle.graph import Size
from heddle.graph.sizes import crop_box

_CHANNELS = ("red", "green", "blue")


def solid(inputs: Inputs) -> Given:
    width, height = inputs.numbers("width", "height")
    return (np.full((1, height, width), inputs.fraction("value"), dtype=np.float32),)


def inverted(inputs: Inputs) -> Given:
    return (1 - inputs.masks("mask"),)


def from_picture(inputs: Inputs) -> Given:
    return (channel(inputs.pictures("image"), inputs.text("channel")),)


def channel(pictures: Pictures, name: str) -> Masks:
    """One color of a batch, as a mask."""
    return floats(pictures[:, :, :, _CHANNELS.index(name)])


def as_picture(inputs: Inputs) -> Given:
    return (np.repeat(to_bytes(inputs.masks("mask"))[:, :, :, None], 3, axis=3),)


def grown_or_shrunk(inputs: Inputs) -> Given:
    return (grown(inputs.masks("mask"), inputs.number("expand"), tapered=inputs.flag("tapered_corners")),)


def grown(given: Masks, pixels: int, *, tapered: bool) -> Masks:
    """So many pixels larger; smaller when there are less than 0. `tapered`: corners grow more slowly than edges."""
    if pixels < 0:
        return 1 - grown(1 - given, -pixels, tapered=tapered)
    now = given
    for _ in range(pixels):
        now = _one_larger(now, tapered=tapered)
    return now


def _one_larger(given: Masks, *, tapered: bool) -> Masks:
    made = given.copy()
    np.maximum(made[:, 1:], given[:, :-1], out=made[:, 1:])
    np.maximum(made[:, :-1], given[:, 1:], out=made[:, :-1])
    beside = given if tapered else made.copy()
    np.maximum(made[:, :, 1:], beside[:, :, :-1], out=made[:, :, 1:])
    np.maximum(made[:, :, :-1], beside[:, :, 1:], out=made[:, :, :-1])
    return made


def feathered(inputs: Inputs) -> Given:
    mask = inputs.masks("mask").copy()
    height, width = mask.shape[1:]
    left, top, right, bottom = inputs.numbers("left", "top", "right", "bottom")
    mask *= _fade(width, left) * _fade(width, right)[::-1]
    mask *= (_fade(height, top) * _fade(height, bottom)[::-1])[:, None]
    return (mask,)


def _fade(length: int, over: int) -> Masks:
    """From nearly 0 up to 1, over so many pixels."""
    over = min(over, length)
    fade = np.ones(length, dtype=np.float32)
    fade[:over] = (np.arange(over, dtype=np.float32) + 1) / max(1, over)
    return fade


def cropped(inputs: Inputs) -> Given:
    mask = inputs.masks("mask")
    size = Size(width=mask.shape[2], height=mask.shape[1])
    box = inputs.numbers("x", "y", "width", "height")
    x, y, width, height = crop_box(size, box[0], box[1], box[2], box[3])
    return (mask[:, y : y + height, x : x + width],)


def combined(inputs: Inputs) -> Given:
    below, above = both(inputs.masks("destination"), inputs.masks("source"))
    x, y = inputs.numbers("x", "y")
    made = below.copy()
    target = made[:, y : y + above.shape[1], x : x + above.shape[2]]
    source = above[:, : target.shape[1], : target.shape[2]]
    target[...] = np.clip(_combination(inputs.text("operation"), target, source), 0, 1)
    return (made,)


def _combination(operation: str, one: Masks, other: Masks) -> Masks:
    match operation:
        case "multiply":
            return one * other
        case "add":
            return one + other
        case "subtract":
            return one - other
        case "and":
            return _bits(one) * _bits(other)
        case "or":
            return np.maximum(_bits(one), _bits(other))
        case _:
            return np.abs(_bits(one) - _bits(other))


def _bits(mask: Masks) -> Masks:
    return np.rint(mask)


def both(one: Masks, other: Masks) -> tuple[Masks, Masks]:
    """Two batches, the smaller one repeated."""
    count = max(len(one), len(other))
    return repeated(one, count), repeated(other, count)


def repeated(given: Masks, count: int) -> Masks:
    """A batch of so many, from the beginning again where it ends."""
    return given if len(given) == count else given[np.arange(count) % len(given)]
