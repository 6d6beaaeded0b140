"""The table `[spandrel]` of `engines.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from heddle.errors import UsageError

#: Pixels of the source that a tile shares with its neighbor, by default.
OVERLAP = 32


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: The model of a job that names none, by AIR; empty: the first upscaler that was added to the catalog.
    model: str = ""
    #: `cuda`, `cuda:1`, `mps` or `cpu`; empty: the best that is there.
    device: str = ""
    #: What models compute in; empty: float16 on a GPU where the model can, else bfloat16, else float32.
    dtype: Literal["", "float32", "float16", "bfloat16"] = ""
    #: Pixels of the source per side that go through the model at once; 0: 512 on a GPU, 192 on a CPU.
    tile: int = 0
    #: Pixels of the source over which one tile turns into the next.
    overlap: int = OVERLAP
    #: How long the first byte to the last of a gigabyte takes to load, in seconds.
    seconds_per_gb: float = 1.5

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Options:
        """Raises UsageError that names the option."""
        try:
            found = msgspec.convert(dict(table), cls)
        except msgspec.ValidationError as error:
            known = ", ".join(cls.__struct_fields__)
            raise UsageError(f"[spandrel] in engines.toml: {error}", f"its options are: {known}") from error
        kind, _, number = found.device.partition(":")
        if kind not in {"", "cpu", "mps", "cuda"} or (number and not number.isdecimal()):
            raise UsageError(f"[spandrel] device is {found.device!r}", "write cuda, cuda:1, mps or cpu")
        if not (found.tile == 0 or 64 <= found.tile <= 4096):
            raise UsageError(f"[spandrel] tile is {found.tile}", "set it to 64 to 4,096, or to 0")
        # Of three tiles in a row, the first and the third must not touch: see `tiles.py`.
        most = (found.tile or 192) // 4
        if not 0 <= found.overlap <= most:
            raise UsageError(
                f"[spandrel] overlap is {found.overlap}", f"set it to 0 to {most}, a quarter of a tile at most"
            )
        if not 0 <= found.seconds_per_gb <= 3600:
            raise UsageError(f"[spandrel] seconds_per_gb is {found.seconds_per_gb:g}", "set it to 0 to 3,600")
        return found
