"""Where a model is computed is decided by what there is, without a GPU to try."""

from __future__ import annotations

import pytest

from heddle.engines.diffusers.device import Device, place
from heddle.engines.diffusers.families import FAMILIES
from heddle.engines.diffusers.options import Options

SDXL = (3_470_000_000, 2_570_000_000)  # numbers in all, and in the largest part
FLUX = (16_900_000_000, 11_900_000_000)


@pytest.mark.parametrize(
    ("kind", "numbers", "device", "options", "expected"),
    [
        ("sdxl", SDXL, Device(name="cpu"), Options(), "cpu float32"),
        ("sdxl", SDXL, Device(name="cpu"), Options(dtype="bfloat16"), "cpu bfloat16"),
        ("sdxl", SDXL, Device(name="mps"), Options(), "mps float16"),
        ("sdxl", SDXL, Device(name="cuda", memory_mb=24_000), Options(), "cuda float16"),
        ("sdxl", SDXL, Device(name="cuda", memory_mb=8_500), Options(), "cuda float16 offload model"),
        ("sdxl", SDXL, Device(name="cuda", memory_mb=6_000), Options(), "cuda float16 offload sequential"),
        ("flux1", FLUX, Device(name="cuda:1", memory_mb=80_000), Options(), "cuda:1 bfloat16"),
        ("flux1", FLUX, Device(name="cuda", memory_mb=32_000), Options(), "cuda bfloat16 offload model"),
        ("flux1", FLUX, Device(name="cuda", memory_mb=16_000), Options(), "cuda bfloat16 offload sequential"),
        ("flux1", FLUX, Device(name="cuda", memory_mb=80_000, bfloat16=False), Options(), "cuda float16"),
        ("flux1", FLUX, Device(name="cuda", memory_mb=16_000), Options(offload="none"), "cuda bfloat16"),
        ("flux1", FLUX, Device(name="cuda", memory_mb=80_000), Options(offload="model"), "cuda bfloat16 offload model"),
        ("flux1", FLUX, Device(name="cpu"), Options(offload="model"), "cpu float32"),
    ],
)
def test_placement(kind: str, numbers: tuple[int, int], device: Device, options: Options, expected: str) -> None:
    assert str(place(FAMILIES[kind], *numbers, device, options)) == expected
