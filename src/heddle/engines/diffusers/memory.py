"""A lack of memory, in the one form that the worker knows: the attempt is lost, and another one may succeed.

PyTorch tells it as a RuntimeError, like what is wrong with a file or an argument; only the text differs.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

#: What is said of it by CUDA and MPS, by the allocator of the CPU, and by the libraries of CUDA.
_SAID = ("out of memory", "allocate memory", "alloc_failed")
#: A device whose driver gave up: nothing more can be computed in this process, and the next one begins anew.
_BROKEN = "AcceleratorError"


@contextmanager
def told() -> Generator[None]:
    """Within: raises MemoryError for what `lacks` memory, whatever was made of it on the way."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if not lacks(error):
            raise
        with suppress(RuntimeError):  # a broken device gives nothing back
            give_back()
        raise MemoryError(str(error)) from error


def lacks(error: BaseException | None) -> bool:
    """Whether it, or what it was raised from, is a lack of memory."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == _BROKEN:
            return True
        if isinstance(error, RuntimeError) and any(said in str(error).lower() for said in _SAID):
            return True
        error = error.__cause__
    return False


def give_back() -> None:
    """What is no longer used leaves the device's memory now and not some time."""
    torch = _torch()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _torch() -> Any:
    import torch  # noqa: PLC0415 - heavy

    return torch
