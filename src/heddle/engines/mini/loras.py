"""LoRAs: files from anybody, looked at before they are believed, and merged into the weights with numpy.

`X.lora_A.weight` and `X.lora_B.weight` (peft), or `X.lora_down.weight` and `X.lora_up.weight`, with `X.alpha`, where X
is a layer of `text`, `layout` or `painter`, as `layout.trunk.blocks.0.feed.inner`; prefixes of diffusers may stand
before it. The layer's weight W becomes W + strength * alpha / rank * B A.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle.engines.mini import weights
from heddle.engines.mini.weights import Unusable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from heddle.engines.mini.weights import Halves

    Floats = npt.NDArray[np.float32]

#: Networks whose layers may be changed.
CHANGED = ("text", "layout", "painter")
MOST_BYTES = 64 * 1024 * 1024
MOST_TENSORS = 2000
MOST_RANK = 256
_TYPES = ("F16", "BF16", "F32")

_PREFIXES = ("base_model.model.", "diffusion_model.", "transformer.", "unet.")
_SPOKEN = "text_encoder."
_TENSOR = re.compile(
    r"(?P<layer>.+?)\.(?:lora_(?P<new>[AB])(?:\.default)?\.weight|lora[_.](?P<old>down|up)\.weight|(?P<alpha>alpha))"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A tensor of a file: the weight that it is for, what of the change it is, its numbers' type, its shape."""

    weight: str
    what: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A LoRA of a job."""

    air: str
    #: Its place in the step's input.
    at: int
    strength: float
    path: Path

    @property
    def stamp(self) -> tuple[str, int, int]:
        """The file as it is now."""
        stat = _stat(self.path)
        return str(self.path), stat.st_mtime_ns, stat.st_size


# ── reading ───────────────────────────────────────────────────────────────────


def check(path: Path) -> dict[str, Row]:
    """What a file changes, by the names of its tensors, from its header alone. Raises Unusable."""
    safetensors: Any = import_module("safetensors")
    if (size := _stat(path).st_size) > MOST_BYTES:
        raise Unusable(f"{path.name!r} has {size:,} bytes; a LoRA for mini has {MOST_BYTES:,} at most")
    try:
        with safetensors.safe_open(path, "np") as file:
            names = list(file.keys())
            if len(names) > MOST_TENSORS:
                raise Unusable(f"{path.name!r} holds {len(names)} tensors; a LoRA for mini has {MOST_TENSORS} at most")
            found = {name: file.get_slice(name) for name in names}
            rows = {
                name: _row(path.name, name, str(part.get_dtype()), tuple(part.get_shape()))
                for name, part in found.items()
            }
    except safetensors.SafetensorError as error:
        raise Unusable(f"{path.name!r} is no safetensors file: {str(error)[:200]}") from error
    except OSError as error:
        raise Unusable(f"{path.name!r} cannot be read") from error
    _check_pairs(path.name, rows)
    return rows


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise Unusable(f"{path.name!r} is not there any more") from error


def _row(file: str, name: str, dtype: str, shape: tuple[int, ...]) -> Row:
    match = _TENSOR.fullmatch(_plain(name)) if len(name) <= 300 else None
    if match is None:
        raise Unusable(f"{file!r} holds {name[:80]!r}, which is no tensor of a LoRA: X.lora_A.weight, X.lora_B.weight")
    weight = f"{match['layer']}.weight"
    if match["layer"].partition(".")[0] not in CHANGED or weight not in weights.shapes():
        raise Unusable(f"{file!r} is not for mini: it changes {match['layer'][:80]!r}, which the model does not have")
    if dtype not in _TYPES:
        raise Unusable(f"{file!r} holds {name[:80]!r} as {dtype}; numbers may be {', '.join(_TYPES)}")
    what = "alpha" if match["alpha"] else "down" if match["new"] == "A" or match["old"] == "down" else "up"
    return Row(weight, what, dtype, shape)


def _plain(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return f"text.{name.removeprefix(_SPOKEN)}" if name.startswith(_SPOKEN) else name


def _check_pairs(file: str, rows: Mapping[str, Row]) -> None:
    """Every change has both halves once, and they fit the weight."""
    if not rows:
        raise Unusable(f"{file!r} holds no tensors")
    parts: dict[str, dict[str, Row]] = {}
    for row in rows.values():
        if parts.setdefault(row.weight, {}).setdefault(row.what, row) is not row:
            raise Unusable(f"{file!r} changes {row.weight} twice")
    for weight, halves in parts.items():
        if not {"down", "up"} <= halves.keys():
            raise Unusable(f"{file!r} has one half only of the change of {weight}")
        _check_shapes(file, weight, halves)


def _check_shapes(file: str, weight: str, halves: Mapping[str, Row]) -> None:
    rows, columns = weights.size(weight)
    down, up = halves["down"].shape, halves["up"].shape
    rank = down[0] if down else 0
    if not 1 <= rank <= MOST_RANK:
        raise Unusable(f"{file!r} changes {weight} with the rank {rank}; it may be 1 to {MOST_RANK}")
    if _flat(down) != (rank, columns) or _flat(up) != (rows, rank):
        raise Unusable(
            f"{file!r} changes {weight} with halves of the shapes {list(down)} and {list(up)};"
            f" for this weight they are [{rank}, {columns}] and [{rows}, {rank}]"
        )
    if "alpha" in halves and _flat(halves["alpha"].shape) not in {(1, 1), ()}:
        raise Unusable(
            f"{file!r} has an alpha of {weight} with the shape {list(halves['alpha'].shape)}; it is one number"
        )


def _flat(shape: tuple[int, ...]) -> tuple[int, ...]:
    """As a matrix."""
    if not shape:
        return ()
    rest = 1
    for side in shape[1:]:
        rest *= side
    return shape[0], rest


# ── merging ───────────────────────────────────────────────────────────────────


def merged(base: Mapping[str, Halves], stack: Sequence[Network]) -> dict[str, Halves]:
    """The weights that a stack changes, as they are with it. Raises Unusable."""
    import numpy as np  # noqa: PLC0415 - heavy

    changed: dict[str, Floats] = {}
    # What grows beyond all numbers is found below.
    with np.errstate(over="ignore", invalid="ignore"):
        for network in stack:
            for weight, change in _changes(network.path).items():
                before = changed.get(weight, base[weight].astype(np.float32))
                grown: Floats = change.reshape(before.shape) * network.strength
                changed[weight] = before + grown
    made = {name: _halves(values, stack) for name, values in changed.items()}
    # Where a change is too small to show in halves, the base's own are taken.
    return {name: values for name, values in made.items() if not np.array_equal(values, base[name])}


def _halves(values: Floats, stack: Sequence[Network]) -> Halves:
    import numpy as np  # noqa: PLC0415 - heavy

    if not np.abs(values).max() <= np.finfo(np.float16).max:
        names = ", ".join(f"{network.air} ({network.strength:g})" for network in stack)
        raise Unusable(f"with {names} weights become too large for numbers of 16 bits; take less strength")
    return values.astype(np.float16)


def halves(path: Path) -> dict[str, tuple[Floats, Floats, float]]:
    """For every weight that a file changes, the two matrices as they are written, and alpha. Raises Unusable."""
    rows = check(path)
    held: dict[str, dict[str, Floats]] = {}
    for name, values in _tensors(path, rows).items():
        held.setdefault(rows[name].weight, {})[rows[name].what] = values
    return {weight: (parts["down"], parts["up"], _alpha(parts)) for weight, parts in held.items()}


def _alpha(parts: Mapping[str, Floats]) -> float:
    """Where a file says none, it is the rank."""
    return float(parts["alpha"].reshape(-1)[0]) if "alpha" in parts else float(parts["down"].shape[0])


def _changes(path: Path) -> dict[str, Floats]:
    """For every weight what is added to it at strength 1."""
    return {weight: _product(*parts) for weight, parts in halves(path).items()}


def _product(down: Floats, up: Floats, alpha: float) -> Floats:
    rank = down.shape[0]
    made: Floats = up.reshape(-1, rank) @ down.reshape(rank, -1)
    return made * (alpha / rank)


def _tensors(path: Path, rows: Mapping[str, Row]) -> dict[str, Floats]:
    """Raises Unusable for numbers that are none."""
    import numpy as np  # noqa: PLC0415 - heavy

    safetensors: Any = import_module("safetensors")
    raw: list[tuple[str, dict[str, Any]]] = safetensors.deserialize(path.read_bytes())
    made: dict[str, Floats] = {}
    for name, entry in raw:
        row = rows.get(name)
        if row is None or row.dtype != entry["dtype"] or row.shape != tuple(entry["shape"]):
            raise Unusable(f"{path.name!r} was changed while it was read")
        made[name] = _numbers(bytes(entry["data"]), row)
        if not np.isfinite(made[name]).all():
            raise Unusable(f"{path.name!r} holds numbers in {name[:80]!r} that are none (NaN or infinite)")
    return made


def _numbers(data: bytes, row: Row) -> Floats:
    import numpy as np  # noqa: PLC0415 - heavy

    if row.dtype == "BF16":
        # The upper half of a float.
        values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.frombuffer(data, "<f2" if row.dtype == "F16" else "<f4").astype(np.float32)
    return values.reshape(row.shape)
