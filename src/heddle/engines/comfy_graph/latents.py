"""Nodes that make, change and decode latents; drawing itself is in `sampling`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from heddle.engines.comfy_graph import masks, scaling
from heddle.engines.comfy_graph.values import Given, Inputs, Latent, Masks
from heddle.graph import Size
from heddle.graph.sizes import in_cells, times, to_sides

#: What an empty latent decodes to.
_GRAY = 127


def empty(inputs: Inputs) -> Given:
    width, height, count = inputs.numbers("width", "height", "batch_size")
    return (Latent(size=in_cells(Size(width=width, height=height, count=count))),)


def scaled(inputs: Inputs) -> Given:
    latent = inputs.of("samples", Latent)
    return (_resized(latent, to_sides(latent.size, *inputs.numbers("width", "height")), inputs, inputs.text("crop")),)


def scaled_by(inputs: Inputs) -> Given:
    latent = inputs.of("samples", Latent)
    return (_resized(latent, times(latent.size, inputs.fraction("scale_by")), inputs, "disabled"),)


def _resized(latent: Latent, wanted: Size, inputs: Inputs, crop: str) -> Latent:
    size = in_cells(wanted)
    if latent.pictures is None:
        return replace(latent, size=size)
    method = inputs.text("upscale_method")
    return replace(latent, size=size, pictures=scaling.pictures(latent.pictures, size, method, crop))


def repeated(inputs: Inputs) -> Given:
    latent, amount = inputs.of("samples", Latent), inputs.number("amount")
    pictures = None if latent.pictures is None else np.tile(latent.pictures, (amount, 1, 1, 1))
    mask = None if latent.mask is None else np.tile(latent.mask, (amount, 1, 1))
    return (Latent(size=replace(latent.size, count=latent.size.count * amount), pictures=pictures, mask=mask),)


def masked(inputs: Inputs) -> Given:
    return (replace(inputs.of("samples", Latent), mask=inputs.masks("mask")),)


def decoded(inputs: Inputs) -> Given:
    latent = inputs.of("samples", Latent)
    if latent.pictures is not None:
        return (latent.pictures,)
    size = latent.size
    return (np.full((size.count, size.height, size.width, 3), _GRAY, dtype=np.uint8),)


def encoded(inputs: Inputs) -> Given:
    return (_encoded(inputs, None),)


def encoded_for_inpaint(inputs: Inputs) -> Given:
    return (_encoded(inputs, masks.grown(inputs.masks("mask"), inputs.number("grow_mask_by"), tapered=False)),)


def _encoded(inputs: Inputs, mask: Masks | None) -> Latent:
    given = inputs.pictures("pixels")
    size = in_cells(Size(width=given.shape[2], height=given.shape[1], count=given.shape[0]))
    fitted = scaling.cut_out(given, size.width, size.height)
    if fitted.shape[1:3] != (size.height, size.width):
        # Smaller than one cell.
        fitted = scaling.pictures(given, size, "bilinear")
    return Latent(size=size, pictures=fitted, mask=mask)
