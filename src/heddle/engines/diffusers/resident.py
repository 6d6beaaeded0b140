"""A model in memory: its pipeline, the others over the same parts, and how one is made ready for a job."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from heddle.engines.diffusers import device, loading, memory
from heddle.engines.diffusers.added import Added
from heddle.engines.diffusers.additions import Additions, Note
from heddle.engines.diffusers.eye import eye_for
from heddle.engines.diffusers.families import Family
from heddle.engines.diffusers.files import Unreadable
from heddle.engines.diffusers.options import Options
from heddle.engines.diffusers.samplers import Sampler, build
from heddle.errors import EngineFailed


class Resident:
    """What `load` brought, and `unload` lets go."""

    def __init__(self, row: Family, path: Path, options: Options, room_mb: float | None = None) -> None:
        layout = loading.checked(row, path)
        there = device.found(options.device)
        self.row = row
        self.path = path
        try:
            numbers = loading.numbers(row, layout, options).values()
        except Unreadable as error:
            raise EngineFailed(str(error)) from error
        self.placement = device.place(row, sum(numbers), max(numbers), there, options, room_mb)
        moved = self.placement.device if self.placement.offload == "none" else "cpu"
        self.pipeline: Any = loading.load(row.name, path, moved, self.placement.dtype, options)
        #: The scheduler as it came with the model; those of jobs are made from it.
        self.scheduler = self.pipeline.scheduler
        self._options = options
        self._derived: dict[str, Any] = {}
        self._hooked: Any = None
        self._additions = Additions(self.pipeline, row, self.placement, options)
        #: Sees what is being drawn; None: nobody does.
        self.eye = eye_for(self.pipeline.vae)
        self._set_up()

    def _set_up(self) -> None:
        core = getattr(self.pipeline, self.row.core)
        if self.row.clip_skip:
            _name_text_model(self.pipeline.text_encoder)
        if self._options.attention:
            core.set_attention_backend(self._options.attention)
        if self._options.vae_tiling:
            self.pipeline.vae.enable_tiling()
        if self._options.vae_slicing:
            self.pipeline.vae.enable_slicing()
        if self._options.compile:
            core.compile()

    @contextmanager
    def prepared(self, operation: str, sampler: Sampler, seed: int, added: Added, note: Note) -> Generator[Any]:
        """The pipeline of an operation, as one job wants it; afterwards nothing of the job is left in it.

        What is added for a job (networks, embeddings, another VAE) goes in and out here. `note` is told what is read.
        """
        if added:
            self._unhook()
        with self._additions.within(self._of(operation), operation, added, note) as pipeline:
            self._hook(pipeline)
            pipeline.scheduler = build(sampler, self.scheduler, seed)
            try:
                yield pipeline
            except BaseException:
                # A call that comes to its end puts its parts back; one that is broken off leaves one on the device.
                if self.placement.offload == "model":
                    with suppress(RuntimeError):
                        pipeline.maybe_free_model_hooks()
                raise
            finally:
                pipeline.scheduler = self.scheduler
                if added:
                    self._unhook()

    def _of(self, operation: str) -> Any:
        if operation not in self._derived:
            self._derived[operation] = loading.derive(self.pipeline, self.row.pipelines[operation])
        return self._derived[operation]

    def _hook(self, pipeline: Any) -> None:
        """Have parts come to the device when they are used; the hooks are the pipeline's that was hooked last."""
        if self.placement.offload == "none" or self._hooked is pipeline:
            return
        if self.placement.offload == "model":
            pipeline.enable_model_cpu_offload(device=self.placement.device)
        else:
            pipeline.enable_sequential_cpu_offload(device=self.placement.device)
        self._hooked = pipeline

    def _unhook(self) -> None:
        """Parts that are changed, or are others for a job, are not under hooks meanwhile."""
        if self._hooked is not None:
            self._hooked.remove_all_hooks()
            self._hooked = None

    def close(self) -> None:
        """Give the memory back."""
        self._unhook()
        self._additions.close()
        self._derived.clear()
        self._hooked = None
        self.pipeline = None
        memory.give_back()


def _name_text_model(encoder: Any) -> None:
    """Pipelines that leave out layers look for the parts of CLIP one level below where transformers 5 has them.

    Past torch's own bookkeeping, for which a module within itself would have no end.
    """
    if not hasattr(encoder, "text_model"):
        vars(encoder)["text_model"] = encoder
