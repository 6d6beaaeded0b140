"""What was added for jobs and stays loaded for the next ones, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Key:
    """A file or folder as it was when it was read: one that is put there anew is another."""

    kind: str
    path: Path
    stamp: int
    size: int

    @classmethod
    def of(cls, kind: str, path: Path) -> Key:
        """As it is now."""
        weights = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
        stats = [file.stat() for file in weights]
        return cls(kind, path, max((s.st_mtime_ns for s in stats), default=0), sum(s.st_size for s in stats))


@dataclass(slots=True)
class _Held:
    value: Any
    size: int
    drop: Callable[[], None]


class Kept:
    """The least recently used goes first; what a job needs stays, however large."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Key, _Held] = OrderedDict()

    def get(self, key: Key) -> Any:
        """None when it is not there."""
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key].value

    def put(self, key: Key, value: Any, size: int, drop: Callable[[], None]) -> None:
        """`drop` is called when it goes."""
        self._held[key] = _Held(value, size, drop)

    def make_room(self, size: int = 0, but: Collection[Key] = ()) -> None:
        """Let go of what is over the bound with `size` more."""
        for key in [key for key in self._held if key not in but]:
            if self.size + size <= self._most:
                return
            self._held.pop(key).drop()

    def clear(self) -> None:
        """Let go of everything."""
        while self._held:
            self._held.popitem()[1].drop()

    @property
    def size(self) -> int:
        """Bytes of all that is held."""
        return sum(held.size for held in self._held.values())

    def __contains__(self, key: Key) -> bool:
        return key in self._held
