"""Where a model is computed, in what numbers, and what leaves the device's memory meanwhile."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from heddle.engines import LoadContext
from heddle.engines.diffusers.families import Family
from heddle.engines.diffusers.options import Options
from heddle.studio import gpus

#: Bytes of a number.
WIDTHS = {"float32": 4, "float16": 2, "bfloat16": 2}

#: Of a device's memory, what may be planned with; the rest is the driver's and fragments.
_USABLE = 0.92
#: What a picture of a megapixel takes beside the weights, in megabytes.
WORKING_MB = 2500
#: What is there at once of a model whose layers come one after the other: more than the largest layer that is known.
_LAYER_MB = 600


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


def place(
    row: Family, numbers: int, largest: int, device: Device, options: Options, room_mb: float | None = None
) -> Placement:
    """For a model of so many numbers, of which so many are in its largest part.

    `room_mb` is what it was counted with; None: nobody counted.
    """
    dtype = options.dtype or _dtype(row, device)
    if device.memory_mb == 0:
        return Placement(device=device.name, dtype=dtype)
    if options.offload != "auto":
        return Placement(device=device.name, dtype=dtype, offload=options.offload)
    room = min(device.memory_mb * _USABLE - WORKING_MB, room_mb if room_mb is not None else math.inf)
    whole, part = (count * WIDTHS[dtype] / 1e6 for count in (numbers, largest))
    return Placement(device=device.name, dtype=dtype, offload=offload(whole, part, room))


def offload(whole: float, part: float, room: float) -> str:
    """The least that fits, for a model of a size whose largest part has another, in a room; all three alike."""
    return "none" if whole <= room else "model" if part <= room else "sequential"


def held_mb(sizes: Collection[float], wanted: str, named: str, room_mb: float | None) -> float:
    """What a model takes of a device, by the sizes of its parts, under the options `offload` and `device`.

    `room_mb` is what there is for it; None: nobody knows. As `place` will have it, told by a server without torch.
    """
    whole, part = sum(sizes), max(sizes, default=0.0)
    if wanted == "auto":
        wanted = offload(whole, part, room_mb) if room_mb is not None and _moves(named) else "none"
    if wanted == "sequential" and room_mb is not None:
        return min(part, max(room_mb, _LAYER_MB))
    return whole if wanted == "none" else part


def room_mb(context: LoadContext, working_mb: float) -> float | None:
    """What a model may take beside the work, by what it was counted with; None: nobody counted."""
    # It was rounded to a whole number.
    return context.memory_mb + 1 - working_mb if context.memory_mb else None


def _moves(named: str) -> bool:
    """Whether the device has memory of its own, so that parts may leave it."""
    return named.startswith("cuda") or (not named and gpus.there())


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
