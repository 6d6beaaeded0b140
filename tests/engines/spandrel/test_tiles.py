"""Tiles: they cover a picture, their weights add up to one, and joined they are what the whole would have been."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.engines.spandrel import tiles
from heddle.engines.spandrel.tiles import Pixels, Values


@given(length=st.integers(1, 3000), tile=st.integers(16, 700), data=st.data(), factor=st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_tiles_cover_a_side_and_their_weights_add_up_to_one(
    length: int, tile: int, data: st.DataObject, factor: int
) -> None:
    overlap = data.draw(st.integers(0, tile // 4))
    found = tiles.spans(length, tile, overlap)
    assert (found[0].start, found[-1].stop) == (0, length)
    [size] = {span.stop - span.start for span in found}
    assert size <= min(tile, length)
    # No more is done than must be: each pixel once, and what is shared once more.
    assert len(found) * size < length + (len(found) - 1) * overlap + len(found)
    assert all(before.stop - after.start >= overlap for before, after in pairwise(found))
    # With one tile fewer they could not share so much.
    assert len(found) == 1 or (len(found) - 1) * (tile - overlap) + overlap < length
    sums = np.zeros(length * factor)
    for span in found:
        sums[span.start * factor : span.stop * factor] += span.weights(factor, overlap)
    assert np.abs(sums - 1).max() < 1e-6


@given(size=st.tuples(st.integers(1, 90), st.integers(1, 90)), channels=st.sampled_from([1, 3]))
@settings(max_examples=60, deadline=None)
def test_a_model_that_sees_no_neighbors_makes_the_same_of_tiles(size: tuple[int, int], channels: int) -> None:
    source = np.random.default_rng(7).integers(0, 256, (*size, channels), np.uint8)
    seen: list[tuple[int, ...]] = []

    def enlarge(tile: Pixels) -> Values:
        seen.append(tile.shape)
        return np.repeat(np.repeat(tile.astype(np.float32) / 255, 3, axis=0), 3, axis=1)

    made = tiles.enlarged(source, enlarge, 3, 32, 8)
    assert (made == np.repeat(np.repeat(source, 3, axis=0), 3, axis=1)).all()
    assert len(seen) == tiles.count(size, 32, 8)
    assert len(set(seen)) == 1


def test_what_is_at_the_sides_of_a_tile_is_not_used() -> None:
    """A quarter of the overlap: there a model does not see what comes next."""
    source = np.full((70, 70, 1), 100, np.uint8)

    def enlarge(tile: Pixels) -> Values:
        made = np.zeros((tile.shape[0] * 2, tile.shape[1] * 2, 1), np.float32)
        made[8:-8, 8:-8] = 1
        return made

    made = tiles.enlarged(source, enlarge, 2, 40, 16)
    assert (made[8:-8, 8:-8] == 255).all()


@pytest.mark.parametrize("value", [-0.5, 1.5])
def test_what_leaves_the_range_does_not_wrap(value: float) -> None:
    made = tiles.enlarged(np.zeros((4, 4, 1), np.uint8), lambda tile: np.full(tile.shape, value, np.float32), 1, 32, 8)
    assert (made == (255 if value > 1 else 0)).all()
