"""Where a model is computed is decided by what there is, without a GPU to try."""

from __future__ import annotations

import pytest

from heddle.engines.diffusers.device import Device, held_mb, place, room_mb
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


#: Megabytes of the parts of a model: 24,000 and 9,800 and a little.
PARTS = (24_000.0, 9_800.0, 170.0)


@pytest.mark.parametrize(
    ("offload", "device", "room", "held"),
    [
        ("auto", "cuda", None, 33_970),  # nobody knows what there is
        ("auto", "cuda", 40_000, 33_970),
        ("auto", "cuda:1", 33_969, 24_000),
        ("auto", "cuda", 24_000, 24_000),
        ("auto", "cuda", 23_999, 23_999),  # by layers, in all that there is
        ("auto", "cuda", 100, 600),  # not even a layer
        ("auto", "cpu", 10_000, 33_970),  # nothing leaves the only memory
        ("auto", "mps", 10_000, 33_970),
        ("none", "cuda", 10_000, 33_970),
        ("model", "cuda", 10_000, 24_000),
        ("sequential", "cuda", 10_000, 10_000),
        ("sequential", "cuda", 30_000, 24_000),
        ("sequential", "cuda", None, 24_000),
    ],
)
def test_what_is_held(offload: str, device: str, room: float | None, held: float) -> None:
    assert held_mb(PARTS, offload, device, room) == held


class Counted:
    """A load that was counted with so much."""

    def __init__(self, memory_mb: int) -> None:
        self.memory_mb = memory_mb

    def progress(self, fraction: float, note: str = "") -> None:
        pass


@pytest.mark.parametrize("there", [2_200, 6_000, 8_500, 16_000, 24_000, 32_000, 80_000])
@pytest.mark.parametrize(("kind", "numbers"), [("sdxl", SDXL), ("flux1", FLUX)])
def test_a_model_takes_no_more_than_was_counted_on_whatever_device(
    kind: str, numbers: tuple[int, int], there: int
) -> None:
    """Planned for the largest slot, it may come to an even larger one that joined later."""
    whole, part = (count * 2 / 1e6 for count in numbers)
    counted = held_mb((part, whole - part), "auto", "cuda", there - 1500)
    context = Counted(round(counted + 1500))
    placement = place(
        FAMILIES[kind], *numbers, Device(name="cuda", memory_mb=140_000), Options(), room_mb(context, 1500)
    )
    takes = {"none": whole, "model": part, "sequential": 600}[placement.offload]
    assert takes <= counted + 1
    assert placement.offload == ("none" if whole <= there - 1500 else "model" if part <= there - 1500 else "sequential")


def test_what_was_not_counted_goes_by_the_device() -> None:
    assert room_mb(Counted(0), 1500) is None
