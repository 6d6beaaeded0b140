"""How far a training is, on the disk: what was learned, what the optimizer remembers, and the epochs that are done.

A worker may die at any moment, and the next attempt of the job goes on from here. Files are safetensors and JSON, and
whole or not there. What is in the folder was written here; a folder that cannot be read is as good as none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from heddle.learning.piece import Piece

_STATE = "state.safetensors"

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a training stood after some steps."""

    step: int
    losses: Sequence[float] = ()
    values: Mapping[str, Array] = field(default_factory=dict[str, Array])
    alpha: Mapping[str, float] = field(default_factory=dict[str, float])
    #: Of the optimizer: `<parameter>/<what it remembers>`.
    memory: Mapping[str, Array] = field(default_factory=dict[str, Array])


class _Said(msgspec.Struct):
    mime: str
    role: str
    output: dict[str, Any]
    metadata: dict[str, Any]
    width: int | None = None
    height: int | None = None


class Checkpoints:
    """Those of one job."""

    def __init__(self, folder: Path, key: str) -> None:
        """`key` says what is trained: what was kept for something else does not count."""
        self._folder = folder
        self._key = key

    def load(self) -> State | None:
        """The latest; None where there is none that can be used."""
        try:
            data = (self._folder / _STATE).read_bytes()
            length = int.from_bytes(data[:8], "little")
            told: dict[str, str] = msgspec.json.decode(data[8 : 8 + length])["__metadata__"]
            tensors = load(data)
        except (OSError, SafetensorError, msgspec.DecodeError, KeyError):
            return None
        if told.get("key") != self._key:
            return None
        return State(
            step=int(told["step"]),
            losses=msgspec.json.decode(told["losses"], type=list[float]),
            alpha=msgspec.json.decode(told["alpha"], type=dict[str, float]),
            values=_under("value:", tensors),
            memory=_under("memory:", tensors),
        )

    def save(self, state: State) -> None:
        """From here on, this is where the next attempt goes on."""
        tensors = {f"value:{name}": value for name, value in state.values.items()}
        tensors |= {f"memory:{name}": value for name, value in state.memory.items()}
        told = {"key": self._key, "step": str(state.step)}
        told["losses"] = msgspec.json.encode(state.losses).decode()
        told["alpha"] = msgspec.json.encode(state.alpha).decode()
        self._write(
            _STATE, save({name: np.asarray(value, order="C") for name, value in tensors.items()}, metadata=told)
        )

    def keep(self, epoch: int, made: Sequence[Piece]) -> None:
        """What an epoch gave; it is given again by an attempt that goes on behind it."""
        for n, one in enumerate(made):
            said = _Said(one.mime, one.role, dict(one.output), dict(one.metadata), one.width, one.height)
            self._write(f"epoch-{epoch}-{n}.json", msgspec.json.encode(said))
            self._write(f"epoch-{epoch}-{n}", one.data)
        self._write(f"epoch-{epoch}", str(len(made)).encode())

    def has(self, epoch: int) -> bool:
        """Whether all that an epoch gave is there."""
        count = self._count(epoch)
        names = [f"epoch-{epoch}-{n}" for n in range(count)]
        return count > 0 and all((self._folder / f"{name}{end}").exists() for name in names for end in ("", ".json"))

    def kept(self, epoch: int) -> Iterator[Piece]:
        """What an epoch gave."""
        return (self._read(f"epoch-{epoch}-{n}") for n in range(self._count(epoch)))

    def _count(self, epoch: int) -> int:
        try:
            return int((self._folder / f"epoch-{epoch}").read_bytes())
        except (OSError, ValueError):
            return 0

    def _read(self, name: str) -> Piece:
        said = msgspec.json.decode((self._folder / f"{name}.json").read_bytes(), type=_Said)
        return Piece(
            data=(self._folder / name).read_bytes(),
            mime=said.mime,
            role=said.role,
            output=said.output,
            metadata=said.metadata,
            width=said.width,
            height=said.height,
        )

    def _write(self, name: str, data: bytes) -> None:
        # Every time, because another attempt of the job, given up by mistake, may have cleared the folder away.
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._folder / f".{name}.{os.getpid()}.part"
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._folder / name)


def _under(prefix: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
