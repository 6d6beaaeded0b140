"""The library spandrel, which knows the layouts of upscaling models. Any, because PyTorch is poorly typed."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

#: What two of its architectures take from torchvision. Both are none that this engine runs: they restore faces and
#: fill holes.
_BORROWED = ("normalize", "rotate", "InterpolationMode")
_NAMES = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")


@cache
def spandrel() -> Any:
    """The library. It imports torchvision at its top, which is not needed: where that cannot be had, it goes without.

    torchvision must be built for the very PyTorch that is installed, or it does not load, and takes others along.
    """
    try:
        import_module(_NAMES[-1])
    except Exception:  # noqa: BLE001 - a build for another PyTorch fails with RuntimeError or OSError
        with _stand_in():
            return _imported()
    return _imported()


def _imported() -> Any:
    return import_module("spandrel")


@contextmanager
def _stand_in() -> Generator[None]:
    """Modules with the names that are borrowed, only as long as spandrel is imported: others look for torchvision."""
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "torchvision"}
    made = {name: ModuleType(name) for name in _NAMES}
    for name in _BORROWED:
        setattr(made[_NAMES[-1]], name, _absent)
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _absent(*_: Any, **__: Any) -> Any:
    raise RuntimeError("this architecture needs torchvision, and there is none that fits the installed PyTorch")
