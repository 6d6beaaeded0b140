"""Upscaling models in memory. Any, because PyTorch is poorly typed."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError

from heddle.engines.spandrel.library import spandrel
from heddle.engines.spandrel.options import Options
from heddle.engines.spandrel.tiles import Pixels, Values
from heddle.errors import EngineFailed

#: Pixels per side that every model gets at least: not all say how few they can do with.
_LEAST = 16
#: How much of each color a grey picture takes from what a model for colors made of it.
_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)


class OutOfRoom(Exception):
    """There was not enough memory for a tile; a smaller one may do."""


class Model:
    """One model on a device. `scale` is by how much it enlarges, 1 for one that only restores."""

    def __init__(self, descriptor: Any, read: Callable[[], Any], device: str, dtype: str) -> None:
        self._descriptor = descriptor
        self._read = read
        self._device = device
        self.scale: int = descriptor.scale
        self.channels: int = descriptor.input_channels
        self.architecture = str(descriptor.architecture.name)
        self.dtype = dtype
        self._move()

    @property
    def on_gpu(self) -> bool:
        """Whether tiles may be large."""
        return not self._device.startswith("cpu")

    def enlarge(self, source: Pixels) -> Values:
        """A tile, `scale` times as wide and tall, with as many channels: 1 or 3. Raises OutOfRoom."""
        height, width, channels = source.shape
        bottom, right = max(0, _LEAST - height), max(0, _LEAST - width)
        padded = np.pad(source, ((0, bottom), (0, right), (0, 0)), mode="edge")
        made = self._colored(padded) if self.channels == 3 else self._by_channel(padded)
        made = made[: height * self.scale, : width * self.scale]
        return made if made.shape[2] == channels else (made @ _BRIGHTNESS)[:, :, None]

    def _colored(self, source: Pixels) -> Values:
        return self._through(source if source.shape[2] == 3 else np.repeat(source, 3, axis=2))

    def _by_channel(self, source: Pixels) -> Values:
        return np.concatenate([self._through(source[:, :, i : i + 1]) for i in range(source.shape[2])], axis=2)

    def _through(self, source: Pixels) -> Values:
        values = np.ascontiguousarray(source.transpose(2, 0, 1)[None]).astype(np.float32) / 255
        while True:
            try:
                given = torch.tensor(values, device=self._device, dtype=getattr(torch, self.dtype))
                made: Any = self._descriptor(given).float()
                if self.dtype == "float32" or bool(torch.isfinite(made).all()):
                    return np.nan_to_num(made.cpu().numpy()[0].transpose(1, 2, 0))
            except RuntimeError as error:  # of which torch.OutOfMemoryError is one
                if not _is_memory(error):
                    raise EngineFailed(f"the model failed: {_first_line(error)}") from error
                raise OutOfRoom(str(error)) from error
            self._widen()

    def _widen(self) -> None:
        """Some models leave the range of half precision. Their weights may have, too, so they are read again."""
        self._descriptor, self.dtype = self._read(), "float32"
        try:
            self._move()
        except RuntimeError as error:
            # A smaller tile is no help here, and some of it is moved and some is not.
            if _is_memory(error):
                raise MemoryError(str(error)) from error
            raise EngineFailed(f"the model does not go to {self._device!r}: {_first_line(error)}") from error

    def _move(self) -> None:
        self._descriptor.eval().to(self._device, getattr(torch, self.dtype))


def load(path: Path, options: Options) -> Model:
    """The model in a safetensors file. Raises EngineFailed with what is wrong with it."""
    library = spandrel()

    def read() -> Any:
        return _detected(library, _tensors(path), path)

    descriptor = read()
    if not isinstance(descriptor, library.ImageModelDescriptor) or descriptor.purpose not in {"SR", "Restoration"}:
        raise EngineFailed(
            f"model: {path.name!r} is a model of {descriptor.architecture.name} for {descriptor.purpose}, "
            "and this must be one that enlarges or restores whole pictures"
        )
    channels = (descriptor.input_channels, descriptor.output_channels)
    if channels not in {(1, 1), (3, 3)}:
        raise EngineFailed(f"model: {path.name!r} takes {channels[0]} channels and gives {channels[1]}, not 1 or 3")
    device = options.device or _best_device()
    try:
        return Model(descriptor, read, device, _dtype(descriptor, device, options.dtype))
    except RuntimeError as error:
        if _is_memory(error):
            raise MemoryError(str(error)) from error
        raise EngineFailed(f"model: {path.name!r} does not go to {device!r}: {_first_line(error)}") from error


def tidy() -> None:
    """Give back what PyTorch keeps for tensors to come."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _tensors(path: Path) -> dict[str, Any]:
    read = cast("Any", safetensors.torch).load_file
    try:
        return read(path)
    except (SafetensorError, OSError) as error:
        raise EngineFailed(f"model: {path.name!r} is no safetensors file that can be read: {error}") from error


def _detected(library: Any, tensors: dict[str, Any], path: Path) -> Any:
    try:
        return library.MAIN_REGISTRY.load(tensors)
    except library.UnsupportedModelError as error:
        known = ", ".join(sorted(str(each.architecture.name) for each in library.MAIN_REGISTRY))
        raise EngineFailed(f"model: {path.name!r} is of no architecture that spandrel knows: {known}") from error
    except (RuntimeError, KeyError, IndexError, ValueError, AssertionError, TypeError) as error:
        if isinstance(error, RuntimeError) and _is_memory(error):
            raise MemoryError(str(error)) from error
        # It has the names of an architecture's tensors, and not their shapes.
        raise EngineFailed(f"model: {path.name!r} cannot be loaded: {_first_line(error)}") from error


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _dtype(descriptor: Any, device: str, wanted: str) -> str:
    """What was asked for where the model can; on a GPU the faster of what it can."""
    able = ("float16", descriptor.supports_half), ("bfloat16", descriptor.supports_bfloat16)
    if wanted:
        return next((name for name, can in able if name == wanted and can), "float32")
    return "float32" if device == "cpu" else next((name for name, can in able if can), "float32")


def _is_memory(error: RuntimeError) -> bool:
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "allocate memory" in text


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else 'it says nothing'}"
