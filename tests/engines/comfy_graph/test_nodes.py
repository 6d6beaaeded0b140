"""Each node against what numpy and Pillow say it should give."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from heddle.engines.comfy_graph.nodes import FUNCTIONS
from heddle.errors import EngineFailed
from heddle.graph.table import CLASSES, SEEDS, SOURCES

from .conftest import Array, node, noise, pixels, png, psnr, run, sampled

A, B = noise(1), noise(2)
#: A picture with a hole.
HOLED = np.dstack([noise(3), noise(4, channels=1)])
SOURCES_HERE = {"blob_a": png(A), "blob_b": png(B), "blob_holed": png(HOLED), "blob_wide": png(noise(5, 90, 30))}


def given(kind: str, output: int = 0, **inputs: Any) -> list[Array]:
    """What a node gives for two pictures `a` and `b` and a mask `m` (the holed one's); masks as gray pictures."""
    graph = {
        "a": node("LoadImage", image="blob_a"),
        "b": node("LoadImage", image="blob_b"),
        "m": node("LoadImage", image="blob_holed"),
        "wide": node("LoadImage", image="blob_wide"),
        "node": node(kind, **inputs),
        "out": node("SaveImage", images=["node", output]),
    }
    if CLASSES[kind].outputs[output] == "MASK":
        graph["seen"] = node("MaskToImage", mask=["node", output])
        graph["out"] = node("SaveImage", images=["seen", 0])
    return [pixels(made) for made in run(graph, SOURCES_HERE)]


def one(kind: str, output: int = 0, **inputs: Any) -> Array:
    (picture,) = given(kind, output, **inputs)
    return picture


def mask(kind: str, output: int = 0, **inputs: Any) -> Array:
    """A mask as numbers from 0 to 255."""
    seen = one(kind, output, **inputs)
    assert (seen[:, :, 0] == seen[:, :, 2]).all()
    return seen[:, :, 0]


def close(found: Array, wanted: Array, most: float = 1.0) -> None:
    """Alike up to rounding."""
    assert found.shape == wanted.shape
    assert np.abs(found.astype(float) - np.clip(wanted, 0, 255).astype(float)).max() <= most


def test_every_class_has_a_function_and_no_function_is_left_over() -> None:
    apart = {*SEEDS, *SOURCES, "SaveImage", "PreviewImage", "Reroute"}
    apart |= {name for name in CLASSES if name.startswith("Primitive")}
    assert set(FUNCTIONS) == set(CLASSES) - apart


# ── sources ──


def test_a_picture_is_loaded_as_it_is() -> None:
    close(one("LoadImage", image="blob_a"), A, 0)
    close(one("LoadImage", image="blob_holed"), HOLED[:, :, :3], 0)


def test_the_mask_of_a_picture_is_what_is_transparent() -> None:
    close(mask("LoadImage", 1, image="blob_holed"), 255 - HOLED[:, :, 3].astype(int))
    close(mask("LoadImage", 1, image="blob_a"), np.zeros((40, 60)), 0)


@pytest.mark.parametrize(("channel", "wanted"), [
    ("red", HOLED[:, :, 0]), ("green", HOLED[:, :, 1]), ("blue", HOLED[:, :, 2]), ("alpha", 255 - HOLED[:, :, 3]),
])  # fmt: skip
def test_a_channel_is_loaded_as_a_mask(channel: str, wanted: Array) -> None:
    close(mask("LoadImageMask", image="blob_holed", channel=channel), wanted)


def test_what_is_no_picture_is_refused() -> None:
    graph = {"a": node("LoadImage", image="blob_x"), "out": node("SaveImage", images=["a", 0])}
    with pytest.raises(EngineFailed, match=r"workflow\.a\.inputs\.image: 'blob_x' is not a picture"):
        run(graph, {"blob_x": b"no picture"})


def test_a_picture_on_its_side_is_set_upright() -> None:
    image = Image.fromarray(A)
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    image.save(out, "PNG", exif=exif)
    (made,) = run({"a": node("LoadImage", image="blob_t"), "o": node("SaveImage", images=["a", 0])},
                  {"blob_t": out.getvalue()})  # fmt: skip
    close(pixels(made), np.rot90(A, -1), 0)


def test_gray_of_16_bits_keeps_its_steps() -> None:
    gray = np.arange(0, 65536, 64, dtype=np.uint16).reshape(16, 64)
    out = io.BytesIO()
    Image.fromarray(gray).save(out, "PNG")
    graph = {"a": node("LoadImage", image="blob_g"), "o": node("SaveImage", images=["a", 0])}
    (made,) = run(graph, {"blob_g": out.getvalue()})
    close(pixels(made)[:, :, 1], gray >> 8, 0)


def test_an_empty_picture_has_its_color() -> None:
    found = given("EmptyImage", width=7, height=5, batch_size=3, color=0x1E90FF)
    assert len(found) == 3
    assert all((picture == (0x1E, 0x90, 0xFF)).all() and picture.shape == (5, 7, 3) for picture in found)


# ── scaling ──


@pytest.mark.parametrize(("method", "pillow"), [
    ("nearest-exact", Image.Resampling.NEAREST), ("bilinear", Image.Resampling.BILINEAR),
    ("area", Image.Resampling.BOX), ("bicubic", Image.Resampling.BICUBIC), ("lanczos", Image.Resampling.LANCZOS),
])  # fmt: skip
def test_scaling(method: str, pillow: Image.Resampling) -> None:
    found = one("ImageScale", image=["a", 0], upscale_method=method, width=90, height=20, crop="disabled")
    close(found, np.asarray(Image.fromarray(A).resize((90, 20), pillow)), 0)


def test_scaling_with_a_cut_keeps_the_shape_of_things() -> None:
    found = one("ImageScale", image=["a", 0], upscale_method="area", width=20, height=20, crop="center")
    close(found, np.asarray(Image.fromarray(A[:, 10:50]).resize((20, 20), Image.Resampling.BOX)), 0)


def test_scaling_by_a_factor_and_to_a_total() -> None:
    assert one("ImageScaleBy", image=["a", 0], upscale_method="bicubic", scale_by=2.5).shape == (100, 150, 3)
    total = one("ImageScaleToTotalPixels", image=["a", 0], upscale_method="area", megapixels=0.25).shape
    assert abs(total[0] * total[1] - 0.25 * 2**20) / 2**18 < 0.005
    assert abs(total[1] / total[0] - 1.5) < 0.01


def test_upscaling_keeps_the_picture_and_sharpens_it() -> None:
    soft = np.asarray(Image.fromarray(A).filter(ImageFilter.GaussianBlur(1)))
    graph = {
        "a": node("LoadImage", image="blob_s"),
        "u": node("UpscaleModelLoader", model_name="lanczos-2x"),
        "x": node("ImageUpscaleWithModel", upscale_model=["u", 0], image=["a", 0]),
        "out": node("SaveImage", images=["x", 0]),
    }
    (made,) = run(graph, {"blob_s": png(soft)})
    plain = np.asarray(Image.fromarray(soft).resize((120, 80), Image.Resampling.LANCZOS))
    found = pixels(made)
    assert found.shape == plain.shape
    assert psnr(found, plain) > 28
    assert (
        np.abs(np.diff(found.astype(float), axis=1)).mean() > 1.1 * np.abs(np.diff(plain.astype(float), axis=1)).mean()
    )


def test_cropping_stays_inside() -> None:
    close(one("ImageCrop", image=["a", 0], width=20, height=10, x=5, y=7), A[7:17, 5:25], 0)
    close(one("ImageCrop", image=["a", 0], width=500, height=500, x=50, y=30), A[30:, 50:], 0)


def test_padding_and_the_mask_for_it() -> None:
    args: dict[str, Any] = {"image": ["a", 0], "left": 10, "top": 0, "right": 4, "bottom": 6, "feathering": 8}
    padded = one("ImagePadForOutpaint", **args)
    assert padded.shape == (46, 74, 3)
    close(padded[:40, 10:70], A, 0)
    assert (padded[:, :10] == 128).all()
    seen = mask("ImagePadForOutpaint", 1, **args)
    assert (seen[:, :10] == 255).all()
    assert (seen[40:] == 255).all()
    # Fades with the square of the way into the picture; nothing at the top, where there is no margin.
    wanted = [np.rint(255 * ((8 - d) / 8) ** 2) for d in range(9)]
    assert seen[5, 10:19].tolist() == wanted
    assert seen[0, 30] == 0
    plain = mask("ImagePadForOutpaint", 1, **{**args, "feathering": 0})
    assert (plain[:40, 10:70] == 0).all()


# ── batches ──


def test_batches_are_joined_and_taken_apart() -> None:
    both = given("ImageBatch", image1=["a", 0], image2=["b", 0])
    close(both[0], A, 0)
    close(both[1], B, 0)
    other = given("ImageBatch", image1=["a", 0], image2=["wide", 0])
    wide = Image.fromarray(noise(5, 90, 30)).crop((22, 0, 67, 30)).resize((60, 40), Image.Resampling.BILINEAR)
    close(other[1], np.asarray(wide), 0)
    graph = {
        "a": node("LoadImage", image="blob_a"), "b": node("LoadImage", image="blob_b"),
        "ab": node("ImageBatch", image1=["a", 0], image2=["b", 0]),
        "x": node("ImageFromBatch", image=["ab", 0], batch_index=1, length=5),
        "out": node("SaveImage", images=["x", 0]),
    }  # fmt: skip
    (made,) = run(graph, SOURCES_HERE)
    close(pixels(made), B, 0)


# ── colors ──


def test_inverting() -> None:
    close(one("ImageInvert", image=["a", 0]), 255 - A, 0)


@pytest.mark.parametrize("mode", ["normal", "multiply", "screen", "overlay", "soft_light", "difference"])
def test_blending(mode: str) -> None:
    x, y = A / 255, B / 255
    wanted = {
        "normal": y,
        "multiply": x * y,
        "screen": x + y - x * y,
        "overlay": np.where(x <= 0.5, 2 * x * y, 1 - 2 * (1 - x) * (1 - y)),
        "soft_light": np.where(
            y <= 0.5,
            x - (1 - 2 * y) * x * (1 - x),
            x + (2 * y - 1) * (np.where(x <= 0.25, 16 * x**3 - 12 * x**2 + 4 * x, x**0.5) - x),
        ),
        "difference": x - y,
    }[mode]
    found = one("ImageBlend", image1=["a", 0], image2=["b", 0], blend_factor=0.7, blend_mode=mode)
    close(found, 255 * (0.3 * x + 0.7 * wanted))


def _blur(picture: Array, radius: int, sigma: float) -> Array:
    """The long way: every offset of the square kernel by itself."""
    steps = np.linspace(-1, 1, 2 * radius + 1)
    kernel = np.exp(-(steps[:, None] ** 2 + steps[None] ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    wide = np.pad(picture.astype(float), ((radius, radius), (radius, radius), (0, 0)), mode="reflect")
    height, width = picture.shape[:2]
    return sum(
        kernel[i, j] * wide[i : i + height, j : j + width] for i in range(2 * radius + 1) for j in range(2 * radius + 1)
    )


def test_blurring_and_sharpening() -> None:
    close(one("ImageBlur", image=["a", 0], blur_radius=3, sigma=0.6), _blur(A, 3, 0.6))
    found = one("ImageSharpen", image=["a", 0], sharpen_radius=2, sigma=1.0, alpha=0.1)
    close(found, A + 1.0 * (A - _blur(A, 2, 1.0)))


def test_a_blur_wider_than_the_picture() -> None:
    graph = {"a": node("EmptyImage", width=3, height=1, color=0x808080),
             "x": node("ImageBlur", image=["a", 0], blur_radius=31, sigma=10.0),
             "out": node("SaveImage", images=["x", 0])}  # fmt: skip
    (made,) = run(graph)
    assert (pixels(made) == 0x80).all()


# ── one over another ──


def test_a_picture_is_laid_over_another() -> None:
    found = one("ImageCompositeMasked", destination=["a", 0], source=["wide", 0], x=20, y=25, resize_source=False)
    wanted = A.copy()
    wanted[25:, 20:] = noise(5, 90, 30)[:15, :40]
    close(found, wanted, 0)


def test_where_the_mask_is_the_source_is_seen() -> None:
    found = one("ImageCompositeMasked", destination=["a", 0], source=["b", 0], mask=["m", 1])
    share = 1 - HOLED[:, :, 3:] / 255
    close(found, A * (1 - share) + B * share)


def test_a_source_may_be_resized_and_lie_outside() -> None:
    found = one("ImageCompositeMasked", destination=["a", 0], source=["wide", 0], resize_source=True)
    close(found, np.asarray(Image.fromarray(noise(5, 90, 30)).resize((60, 40), Image.Resampling.BILINEAR)), 0)
    close(one("ImageCompositeMasked", destination=["a", 0], source=["b", 0], x=500, y=500), A, 0)


# ── masks ──


def test_solid_masks_and_their_opposites() -> None:
    assert (mask("SolidMask", value=0.25, width=9, height=4) == 64).all()
    close(mask("InvertMask", mask=["m", 1]), HOLED[:, :, 3])


def test_a_channel_becomes_a_mask() -> None:
    close(mask("ImageToMask", image=["a", 0], channel="green"), A[:, :, 1], 0)


def _ring(pixels: int, *, tapered: bool) -> Array:
    """A single white dot grown by hand."""
    y, x = np.mgrid[:9, :11]
    away = np.abs(y - 4) + np.abs(x - 5) if tapered else np.maximum(np.abs(y - 4), np.abs(x - 5))
    return np.where(away <= pixels, 255, 0)


@pytest.mark.parametrize("tapered", [True, False])
@pytest.mark.parametrize("pixels", [0, 1, 3])
def test_masks_grow_and_shrink(pixels: int, tapered: bool) -> None:
    dot = np.zeros((9, 11, 3), dtype=np.uint8)
    dot[4, 5] = 255
    for picture, sign in ((dot, 1), (255 - dot, -1)):
        graph = {
            "a": node("LoadImageMask", image="blob_dot", channel="red"),
            "x": node("GrowMask", mask=["a", 0], expand=sign * pixels, tapered_corners=tapered),
            "see": node("MaskToImage", mask=["x", 0]),
            "out": node("SaveImage", images=["see", 0]),
        }
        (made,) = run(graph, {"blob_dot": png(picture)})
        wanted = _ring(pixels, tapered=tapered)
        assert _array(made).tolist() == (wanted if sign == 1 else 255 - wanted).tolist()


def _array(made: Any) -> Array:
    return pixels(made)[:, :, 0]


def test_edges_fade() -> None:
    graph = {"s": node("SolidMask", value=1.0, width=20, height=10),
             "f": node("FeatherMask", mask=["s", 0], left=4, top=0, right=0, bottom=2),
             "see": node("MaskToImage", mask=["f", 0]), "out": node("SaveImage", images=["see", 0])}  # fmt: skip
    (made,) = run(graph)
    found = _array(made)
    assert found[3, :5].tolist() == [64, 128, 191, 255, 255]
    assert found[-2:, 10].tolist() == [255, 128]
    assert (found[:8, 4:] == 255).all()


def test_masks_are_cropped() -> None:
    close(mask("CropMask", mask=["m", 1], x=3, y=5, width=20, height=900), 255 - HOLED[5:, 3:23, 3])


@pytest.mark.parametrize("operation", ["multiply", "add", "subtract", "and", "or", "xor"])
def test_masks_are_combined(operation: str) -> None:
    graph = {
        "a": node("LoadImageMask", image="blob_a", channel="red"),
        "b": node("LoadImageMask", image="blob_b", channel="red"),
        "x": node("MaskComposite", destination=["a", 0], source=["b", 0], x=10, y=5, operation=operation),
        "see": node("MaskToImage", mask=["x", 0]), "out": node("SaveImage", images=["see", 0]),
    }  # fmt: skip
    (made,) = run(graph, SOURCES_HERE)
    below, above = A[:, :, 0] / 255, B[:35, :50, 0] / 255
    part = below[5:, 10:]
    bits = part.round().astype(int), above.round().astype(int)
    wanted = below.copy()
    wanted[5:, 10:] = {
        "multiply": part * above, "add": part + above, "subtract": part - above,
        "and": bits[0] & bits[1], "or": bits[0] | bits[1], "xor": bits[0] ^ bits[1],
    }[operation]  # fmt: skip
    close(_array(made), 255 * wanted)


# ── latents ──


def encoded(**nodes: dict[str, Any]) -> list[Array]:
    """`a` through a latent: `e` is its latent, `x` the node in between."""
    graph = {
        "a": node("LoadImage", image="blob_a"), "v": node("VAELoader", vae_name="sketch"),
        "e": node("VAEEncode", pixels=["a", 0], vae=["v", 0]), **nodes,
        "d": node("VAEDecodeTiled", samples=["x" if nodes else "e", 0], vae=["v", 0]),
        "out": node("SaveImage", images=["d", 0]),
    }  # fmt: skip
    return [pixels(made) for made in run(graph, SOURCES_HERE)]


def test_a_latent_is_the_picture_cut_to_cells() -> None:
    close(encoded()[0], A[:, 2:58], 0)


def test_latents_are_scaled_in_cells() -> None:
    x = node("LatentUpscaleBy", samples=["e", 0], upscale_method="bicubic", scale_by=1.5)
    (found,) = encoded(x=x)
    assert found.shape == (56, 80, 3)
    x = node("LatentUpscale", samples=["e", 0], upscale_method="area", width=28, height=0, crop="disabled")
    (found,) = encoded(x=x)
    assert found.shape == (16, 24, 3)


def test_latents_are_repeated() -> None:
    found = encoded(x=node("RepeatLatentBatch", samples=["e", 0], amount=3))
    assert len(found) == 3
    close(found[2], A[:, 2:58], 0)


def test_a_sampler_without_strength_changes_nothing() -> None:
    large = noise(6, 128, 72)
    graph = sampled(latent_image=["e", 0], denoise=0.0) | {
        "a": node("LoadImage", image="blob_large"),
        "e": node("VAEEncode", pixels=["a", 0], vae=["4", 2]),
    }
    (made,) = run(graph, {"blob_large": png(large)})
    close(pixels(made), large, 0)


def test_an_empty_latent_is_gray() -> None:
    graph = {"l": node("EmptySD3LatentImage", width=70, height=64, batch_size=2),
             "v": node("VAELoader", vae_name="sketch"), "d": node("VAEDecode", samples=["l", 0], vae=["v", 0]),
             "out": node("SaveImage", images=["d", 0])}  # fmt: skip
    found = [pixels(made) for made in run(graph)]
    assert len(found) == 2
    assert found[0].shape == (64, 64, 3)
    assert (found[0] == 127).all()
