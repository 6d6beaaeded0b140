"""What jobs add to a model in memory (LoRAs, embeddings, another VAE, ControlNets): in for one job, and out again.

What was read stays for the next jobs, up to `added_mb` of the options; it does nothing while no job names it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from heddle.engines.diffusers import controls, embeddings, loading, memory, networks, parts
from heddle.engines.diffusers.added import CONTROLLED, Added
from heddle.engines.diffusers.device import Placement
from heddle.engines.diffusers.families import Family
from heddle.engines.diffusers.kept import Kept, Key
from heddle.engines.diffusers.options import Options
from heddle.errors import EngineFailed

#: Told what is read.
Note = Callable[[str], None]


class Additions:
    """Of one model."""

    def __init__(self, pipeline: Any, row: Family, placement: Placement, options: Options) -> None:
        self._pipeline: Any = pipeline
        self._row = row
        self._options = options
        self._dtype = loading.torch_dtype(placement.dtype)
        #: While parts come and go by themselves, they are wherever the hooks put them.
        self._device = placement.device if placement.offload == "none" else "cpu"
        self._kept = Kept(round(options.added_mb * 1e6))
        self._numbers = itertools.count(1)

    @contextmanager
    def within(self, pipeline: Any, operation: str, added: Added, note: Note) -> Generator[Any]:
        """The pipeline of an operation with all of it. Raises EngineFailed that says which file is wrong."""
        try:
            with memory.told(), ExitStack() as stack:
                if added.loras:
                    stack.enter_context(self._weighed(added, note))
                vae = None if added.vae is None else self._vae(added, added.vae, note)
                if added.controls:
                    pipeline = self._controlled(operation, added, note)
                if vae is not None:
                    stack.enter_context(_replaced(pipeline, "vae", vae))
                stack.enter_context(embeddings.heard(pipeline, self._row, added.embeddings))
                yield pipeline
        except MemoryError:
            self._kept.clear()
            memory.give_back()
            raise
        self._kept.make_room()

    @contextmanager
    def _weighed(self, added: Added, note: Note) -> Generator[None]:
        try:
            loras = [self._lora(network.path, added, note) for network in added.loras]
            networks.weigh(self._pipeline, loras, [network.strength for network in added.loras])
            yield
        finally:
            networks.silence(self._pipeline)

    def _lora(self, path: Path, added: Added, note: Note) -> networks.Lora:
        def read() -> networks.Lora:
            return networks.Lora(self._pipeline, path, f"lora{next(self._numbers)}", self._dtype)

        return self._take("lora", path, added, note, read, lambda lora: lora.size, lambda lora: lora.drop())

    def _vae(self, added: Added, path: Path, note: Note) -> Any:
        like = self._pipeline.vae

        def read() -> Any:
            made = parts.model(type(like), path, like.config, self._dtype, "VAE").to(self._device)
            _check_like(made, like, path)
            if self._options.vae_tiling:
                made.enable_tiling()
            if self._options.vae_slicing:
                made.enable_slicing()
            return made

        return self._take("vae", path, added, note, read, parts.size)

    def _controlled(self, operation: str, added: Added, note: Note) -> Any:
        found = [
            self._take(
                "controlnet", control.path, added, note, lambda path=control.path: self._control(path), parts.size
            )
            for control in added.controls
        ]
        name = CONTROLLED[self._row.answers][operation]
        return loading.derive(self._pipeline, name, controlnet=found if len(found) > 1 else found[0])

    def _control(self, path: Path) -> Any:
        return controls.load(self._pipeline, path, self._dtype).to(self._device)

    def _take(
        self,
        kind: str,
        path: Path,
        added: Added,
        note: Note,
        read: Callable[[], Any],
        size: Callable[[Any], int],
        drop: Callable[[Any], None] = lambda _: None,
    ) -> Any:
        """What is kept, else what is read now, after room was made for it."""
        key = _key(kind, path)
        found = self._kept.get(key)
        if found is None:
            note(f"loading {path.name}")
            self._kept.make_room(key.size, but=_keys(added))
            found = read()
            self._kept.put(key, found, size(found), lambda: drop(found))
        return found

    def close(self) -> None:
        """Let go of everything, the model as well."""
        self._kept.clear()
        self._pipeline = None


def _keys(added: Added) -> list[Key]:
    """All that a job needs."""
    named = [("lora", network.path) for network in added.loras]
    named += [("controlnet", control.path) for control in added.controls]
    named += [("vae", added.vae)] if added.vae else []
    return [_key(kind, path) for kind, path in named]


def _key(kind: str, path: Path) -> Key:
    try:
        return Key.of(kind, path)
    except OSError as error:
        raise EngineFailed(f"{path.name!r} is not there") from error


def _extent(value: Any) -> Any:
    """Of a list, how long it is."""
    return len(value) if isinstance(value, (list, tuple)) else value  # pyright: ignore[reportUnknownArgumentType]


def _check_like(made: Any, like: Any, path: Path) -> None:
    """A VAE of other latents would give an error late, or a wrong picture. Raises EngineFailed."""
    for name in ("latent_channels", "block_out_channels"):
        there, here = _extent(made.config.get(name)), _extent(like.config.get(name))
        if there != here:
            raise EngineFailed(f"{path.name!r} is no VAE for this model: {name} are {there}, and {here} are needed")


@contextmanager
def _replaced(pipeline: Any, name: str, value: Any) -> Generator[None]:
    before = getattr(pipeline, name)
    setattr(pipeline, name, value)
    try:
        yield
    finally:
        setattr(pipeline, name, before)
