"""The tables `[diffusers-video]` and `[diffusers-audio]` of `engines.toml`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec

from heddle.domain import Needs
from heddle.engines.diffusers import device
from heddle.errors import UsageError
from heddle.studio import gpus

#: How long any load takes, in seconds.
_LOAD_S = 2.0


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: The model of a family when a job names none, by AIR, as in `wan = "urn:air:wanvideo:checkpoint:heddle:1@1"`.
    models: dict[str, str] = {}
    #: `cuda`, `cuda:1`, `mps` or `cpu`; empty: the best that is there.
    device: str = ""
    #: What weights are computed in; empty: bfloat16 on a GPU that has it, float32 on a CPU.
    dtype: Literal["", "float32", "float16", "bfloat16"] = ""
    #: What leaves the GPU while it is not used: `none`, whole parts (`model`), single layers (`sequential`); `auto`
    #: decides by the memory of the device.
    offload: Literal["auto", "none", "model", "sequential"] = "auto"
    #: Whether videos are decoded in tiles: much less memory, and seams that may show.
    vae_tiling: bool = False
    #: How long the first byte to the last of a gigabyte takes to load, in seconds.
    seconds_per_gb: float = 1.5

    @classmethod
    def of(cls, engine: str, families: Collection[str], table: Mapping[str, Any]) -> Options:
        """Raises UsageError that names the option."""
        try:
            found = msgspec.convert(dict(table), cls)
        except msgspec.ValidationError as error:
            known = ", ".join(cls.__struct_fields__)
            raise UsageError(f"[{engine}] in engines.toml: {error}", f"its options are: {known}") from error
        for name in found.models:
            if name not in families:
                raise UsageError(f"[{engine}] models names {name!r}", f"there are: {', '.join(families)}")
        kind, _, number = found.device.partition(":")
        if kind not in {"", "cpu", "mps", "cuda"} or (number and not number.isdecimal()):
            raise UsageError(f"[{engine}] device is {found.device!r}", "write cuda, cuda:1, mps or cpu")
        if not 0 <= found.seconds_per_gb <= 3600:
            raise UsageError(f"[{engine}] seconds_per_gb is {found.seconds_per_gb:g}", "set it to 0 to 3,600")
        return found


def needed(
    model: str,
    numbers: Mapping[str, int],
    exact: Collection[str],
    options: Options,
    *,
    working_mb: int,
    room_mb: int | None = None,
) -> Needs:
    """What a model takes in memory, and how long it takes to load, as a server without torch may expect it.

    `room_mb` is what models may take of the device; None: nobody knows.
    """
    each = {part: count * (4 if part in exact else _width(options)) / 1e6 for part, count in numbers.items()}
    room = None if room_mb is None else room_mb - working_mb
    held = device.held_mb(each.values(), options.offload, options.device, room)
    return Needs(
        model=model,
        memory_mb=round(held) + working_mb,
        load_s=round(_LOAD_S + sum(each.values()) / 1000 * options.seconds_per_gb, 1),
    )


def _width(options: Options) -> int:
    """Bytes of a number: what the machine has decides."""
    if options.dtype:
        return 4 if options.dtype == "float32" else 2
    named = options.device.partition(":")[0]
    return 2 if named in {"cuda", "mps"} or (not named and gpus.there()) else 4
