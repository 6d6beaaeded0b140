"""What the model of `mini` learns from: scenes, what is said of them, their pictures and their plans."""

from __future__ import annotations

import numpy as np
import pytest

from heddle.engines.mini import codec, plan, tokens
from training import captions, maps, pictures, scenes


def test_a_scene_follows_from_its_seed() -> None:
    wides = pictures.wides()
    assert scenes.sample(41, wides) == scenes.sample(41, wides)
    assert scenes.sample(41, wides) != scenes.sample(42, wides)


def test_everything_is_inside_the_frame_and_nearly_nothing_overlaps() -> None:
    wides = pictures.wides()
    for seed in range(400):
        boxes = [box for group in scenes.sample(seed, wides).groups for box in group.boxes]
        assert 1 <= len(boxes) <= scenes.MOST
        for box in boxes:
            assert box.x - box.wide / 2 >= -0.02, (seed, box)
            assert box.x + box.wide / 2 <= 1.02, (seed, box)
            assert box.y - box.high / 2 >= -0.02, (seed, box)
            assert box.y + box.high / 2 <= 1.02, (seed, box)
        for index, one in enumerate(boxes):
            for other in boxes[:index]:
                across = (one.wide + other.wide) / 2 - abs(one.x - other.x)
                down = (one.high + other.high) / 2 - abs(one.y - other.y)
                assert across < 0.02 or down < 0.02, (seed, one, other)


def test_a_caption_names_every_thing_where_it_says_it_does() -> None:
    wides = pictures.wides()
    for seed in range(400):
        scene = scenes.sample(seed, wides)
        caption = captions.write(scene, seed, errors=False)
        words = caption.text.replace(",", " ,").split()
        for group, noun in zip(scene.groups, caption.nouns, strict=True):
            assert words[noun] in {word for pair in captions.NOUNS[group.kind] for word in pair}, caption.text
        assert len(tokens.words(caption.text)) < tokens.LENGTH, caption.text


def test_every_word_of_the_captions_is_in_the_vocabulary() -> None:
    wides = pictures.wides()
    unknown = {
        word
        for seed in range(1500)
        for word in tokens.words(captions.write(scenes.sample(seed, wides), seed, errors=False).text)
        if tokens.number(word) >= tokens.SIZE - tokens.BUCKETS
    }
    # "front" is one of many words for one of many places; its bucket has learned it.
    assert unknown <= {"front"}


def test_the_codes_of_kinds_are_far_apart() -> None:
    rows = plan.codes()
    products = rows @ rows.T
    np.fill_diagonal(products, 0)
    assert set(np.unique(products)) <= {0.0, -12.0}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> pictures.Pool:
    """A few drawings of each kind."""
    folder = tmp_path_factory.mktemp("pool")
    pictures.draw_pool(folder, workers=2, looks=1, variants=1, kinds=("house", "cat"), colors=("red",))
    return pictures.Pool(folder)


@pytest.mark.slow
@pytest.mark.parametrize("style", scenes.STYLES)
def test_what_the_checker_is_to_see_is_where_it_was_drawn(pool: pictures.Pool, style: str) -> None:
    box = scenes.Box(0.25, 0.75, 0.3, 0.3 / pictures.wides()["house"], flip=False)
    scene = scenes.Scene(
        seed=3, background="meadow", told_background=True, style=style, told_style=True,
        groups=(scenes.Group("house", 1, "red", "medium", "bottom left", (box,)),),
    )  # fmt: skip
    pixels, covers = pictures.picture(scene, pool)
    assert pixels.shape == (256, 256, 3)
    kinds, colors, middles = maps.seen(scene, covers)
    assert kinds[12, 4] == scenes.NAMES.index("house") + 1
    assert colors[12, 4] == scenes.COLOR_NAMES.index("red") + 1
    assert np.unravel_index(middles.argmax(), middles.shape) in {(12, 4), (11, 4), (12, 3), (11, 3)}


def test_latents_hold_what_a_patch_mostly_is() -> None:
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((768, codec.CHANNELS)))[0].T.astype(np.float32)
    held = codec.Codec(basis, np.zeros(768, np.float32), np.full(codec.CHANNELS, 2.0, np.float32))
    pixels = rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)
    latents = held.encode(pixels)
    assert latents.shape == (2, 3, codec.CHANNELS)
    assert latents.dtype == np.float32
    patch = pixels[16:, 32:].astype(np.float32).reshape(-1) / 127.5 - 1
    np.testing.assert_allclose(latents[1, 2], basis @ patch / 2, atol=1e-5)
