"""ControlNets: pictures that steer where things are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle.engines.diffusers import loading, parts
from heddle.engines.diffusers.added import Control

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

#: Slopes of brightness: from the larger on an edge begins, and down to the smaller it goes on.
_WEAK, _STRONG = 100.0, 200.0


def load(pipeline: Any, path: Path, dtype: Any) -> Any:
    """One for a model. Raises EngineFailed."""
    unet = getattr(pipeline, "unet", None)
    cls = loading.class_named("FluxControlNetModel" if unet is None else "ControlNetModel")
    return parts.model(cls, path, {} if unet is None else _config(cls, unet), dtype, "ControlNet")


def _config(cls: Any, unet: Any) -> dict[str, Any]:
    """It is the half of the U-Net that looks, with the same sides, and so has the same configuration."""
    taken = inspect.signature(cls.__init__).parameters
    config = {name: value for name, value in unet.config.items() if name in taken}
    # One for inpainting has more channels, and its ControlNets have not.
    return config | {"in_channels": unet.config.out_channels}


def arguments(controls: Sequence[Control], operation: str, pictures: Sequence[Image.Image]) -> dict[str, Any]:
    """What a pipeline is called with."""
    if not controls:
        return {}
    images = [prepare(picture, control.preprocessor) for control, picture in zip(controls, pictures, strict=True)]
    each: dict[str, list[Any]] = {
        "control_image": images,
        "controlnet_conditioning_scale": [control.weight for control in controls],
        "control_guidance_start": [control.start for control in controls],
        "control_guidance_end": [control.end for control in controls],
    }
    given: dict[str, Any] = each if len(controls) > 1 else {name: value[0] for name, value in each.items()}
    # Pipelines that make pictures from nothing call it `image`, but for Flux, which has no such argument there.
    return given | ({"image": given["control_image"]} if operation == "create" else {})


# ── what is made of a picture before it steers ────────────────────────────────


def prepare(picture: Image.Image, preprocessor: str) -> Image.Image:
    """The picture that steers."""
    makers: dict[str, Callable[[Image.Image], Image.Image]] = {
        "none": lambda image: image,
        "canny": canny,
        "gray": lambda image: image.convert("L"),
    }
    return makers[preprocessor](picture).convert("RGB")


def canny(picture: Image.Image) -> Image.Image:
    """White edges on black, one pixel wide."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image as Images  # noqa: PLC0415 - heavy

    gray = np.asarray(picture.convert("L")).astype(np.float32)
    across, down = _slopes(gray)
    steep = np.abs(across) + np.abs(down)
    ridge = np.where(_is_ridge(steep, across, down), steep, 0)
    return Images.fromarray(np.where(_followed(ridge > _STRONG, ridge > _WEAK), 255, 0).astype(np.uint8))


def _slopes(gray: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """By Sobel's kernels."""
    import numpy as np  # noqa: PLC0415 - heavy

    around = np.pad(gray, 1, mode="edge")
    smooth_down = around[:-2] + 2 * around[1:-1] + around[2:]
    smooth_across = around[:, :-2] + 2 * around[:, 1:-1] + around[:, 2:]
    across, down = smooth_down[:, 2:] - smooth_down[:, :-2], smooth_across[2:] - smooth_across[:-2]
    return across.astype(np.float32), down.astype(np.float32)


def _is_ridge(
    steep: npt.NDArray[np.float32], across: npt.NDArray[np.float32], down: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Where it is steeper than on both sides, along the slope."""
    import numpy as np  # noqa: PLC0415 - heavy

    around = np.pad(steep, 1)
    height, width = steep.shape

    def beside(right: int, below: int) -> npt.NDArray[np.float32]:
        return around[1 + below : 1 + below + height, 1 + right : 1 + right + width]

    angle = np.rad2deg(np.arctan2(down, across)) % 180
    direction = np.round(angle / 45).astype(int) % 4
    ways = [(1, 0), (1, 1), (0, 1), (-1, 1)]
    before = np.choose(direction, [beside(-x, -y) for x, y in ways])
    after = np.choose(direction, [beside(x, y) for x, y in ways])
    return (steep > before) & (steep >= after)


def _followed(begun: npt.NDArray[np.bool_], may_go_on: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Edges with all that hangs together with them."""
    import numpy as np  # noqa: PLC0415 - heavy

    height, width = begun.shape
    while True:
        around = np.pad(begun, 1)
        grown = np.zeros_like(begun)
        for y in range(3):
            for x in range(3):
                grown |= around[y : y + height, x : x + width]
        grown &= may_go_on
        if bool((grown == begun).all()):
            return begun
        begun = grown
