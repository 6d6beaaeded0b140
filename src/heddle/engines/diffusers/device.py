"""Where a model is computed, in what numbers, and what leaves the device's memory meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heddle.engines.diffusers.families import Family
from heddle.engines.diffusers.options import Options
from heddle.studio import gpus

#: Bytes of a number.
WIDTHS = {"float32": 4, "float16": 2, "bfloat16": 2}

#: Of a device's memory, what may be planned with; the rest is the driver's and fragments.
_USABLE = 0.92
#: What a picture of a megapixel takes beside the weights, in megabytes.
_WORKING_MB = 2500


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What there is."""

    #: `cuda`, `cuda:1`, `mps` or `cpu`.
    name: str
    #: Of its own; 0 where it shares the machine's.
    memory_mb: int = 0
    #: Whether it computes in bfloat16.
    bfloat16: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How a model is run on a device."""

    device: str
    dtype: str
    #: `none`, `model` or `sequential`.
    offload: str = "none"

    def __str__(self) -> str:
        """For the record of a picture."""
        return f"{self.device} {self.dtype}" + (f" offload {self.offload}" if self.offload != "none" else "")


def place(row: Family, numbers: int, largest: int, device: Device, options: Options) -> Placement:
    """For a model of so many numbers, of which so many are in its largest part."""
    dtype = options.dtype or _dtype(row, device)
    if device.memory_mb == 0:
        return Placement(device=device.name, dtype=dtype)
    if options.offload != "auto":
        return Placement(device=device.name, dtype=dtype, offload=options.offload)
    room = device.memory_mb * _USABLE - _WORKING_MB
    whole, part = (count * WIDTHS[dtype] / 1e6 for count in (numbers, largest))
    offload = "none" if whole <= room else "model" if part <= room else "sequential"
    return Placement(device=device.name, dtype=dtype, offload=offload)


def _dtype(row: Family, device: Device) -> str:
    if device.name == "cpu":
        return "float32"
    return row.dtype if device.bfloat16 or row.dtype != "bfloat16" else "float16"


def found(wanted: str) -> Device:
    """The device that the operator named, or the best one here. Only where torch is."""
    torch = _torch()
    name = wanted or ("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
    if not name.startswith("cuda"):
        return Device(name=name)
    memory = torch.cuda.get_device_properties(torch.device(name)).total_memory // 1_000_000
    return Device(
        name=name, memory_mb=int(memory), bfloat16=bool(torch.cuda.is_bf16_supported(including_emulation=False))
    )


def width(options: Options, row: Family) -> int:
    """Bytes of a number as a server without torch may expect them: what the machine has decides."""
    if options.dtype:
        return WIDTHS[options.dtype]
    named = options.device.partition(":")[0]
    gpu = named in {"cuda", "mps"} or (not named and gpus.there())
    return WIDTHS[row.dtype] if gpu else WIDTHS["float32"]


def _torch() -> Any:
    import torch  # noqa: PLC0415 - heavy

    return torch
