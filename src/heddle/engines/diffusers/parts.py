"""Single parts from files: tensors without pickles, and models (a VAE, a ControlNet) whose configuration is known."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from heddle.engines.diffusers import files, memory
from heddle.engines.diffusers.files import Unreadable
from heddle.errors import EngineFailed


def tensors(path: Path) -> dict[str, Any]:
    """Of a safetensors file. Raises EngineFailed with what is wrong with it."""
    safetensors: Any = import_module("safetensors.torch")
    try:
        files.header(path)
        return safetensors.load_file(path, device="cpu")
    except Unreadable as error:
        raise EngineFailed(str(error)) from error
    except (import_module("safetensors").SafetensorError, OSError, KeyError, ValueError) as error:
        raise EngineFailed(f"{path.name!r} cannot be read: {first_line(error)}") from error


def model(cls: Any, path: Path, config: Mapping[str, Any], dtype: Any, what: str) -> Any:
    """One of a class, from a folder with its own configuration or from a file with this one. Raises EngineFailed."""
    try:
        made = _of_folder(cls, path, dtype) if path.is_dir() else _of_file(cls, path, config, dtype)
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError, NotImplementedError) as error:
        if memory.lacks(error):
            raise MemoryError(str(error)) from error
        raise EngineFailed(f"{path.name!r} is no {what} for this model: {first_line(error)}") from error
    if lacking := [name for name, tensor in made.state_dict().items() if tensor.is_meta]:
        raise EngineFailed(f"{path.name!r} is no {what} for this model: it lacks {len(lacking)}, as {lacking[0]}")
    return made.eval()


def _of_folder(cls: Any, path: Path, dtype: Any) -> Any:
    return cls.from_pretrained(path, dtype=dtype, local_files_only=True, use_safetensors=True)


def _of_file(cls: Any, path: Path, config: Mapping[str, Any], dtype: Any) -> Any:
    state = tensors(path)
    with tempfile.TemporaryDirectory(prefix="heddle-") as place:
        (Path(place) / "config.json").write_text(json.dumps({**config, "_class_name": cls.__name__}))
        return cls.from_single_file(state, config=place, dtype=dtype, local_files_only=True)


def size(made: Any) -> int:
    """Bytes of a model in memory."""
    return sum(tensor.nbytes for tensor in made.state_dict().values())


def first_line(error: BaseException) -> str:
    """What a library says was wrong, in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else 'it says nothing'}"
