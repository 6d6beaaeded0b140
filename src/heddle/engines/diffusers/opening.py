"""From a folder to a model in the memory of a device, without a network, and to a pipeline of it for one job."""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

from heddle.engines.diffusers import device, folders, memory
from heddle.engines.diffusers.device import Device, Placement
from heddle.engines.diffusers.eye import eye_for
from heddle.engines.diffusers.files import Unreadable
from heddle.engines.diffusers.folders import Folder
from heddle.engines.diffusers.loading import class_named, first_line, stay_offline
from heddle.engines.diffusers.media_options import Options
from heddle.errors import EngineFailed

#: Of a device's memory, what weights may take; the rest is for the work, the driver's and fragments.
_FOR_WEIGHTS = 0.75


class Model:
    """What `load` brought, and `unload` lets go. `exact` parts are computed in float32 whatever the others are.

    `seen`: its videos are shown while they are made.
    """

    def __init__(
        self,
        path: Path,
        options: Options,
        exact: Collection[str] = (),
        room_mb: float | None = None,
        *,
        seen: bool = False,
    ) -> None:
        try:
            folder = folders.look(path)
        except Unreadable as error:
            raise EngineFailed(str(error)) from error
        self.placement = placed(folder, device.found(options.device), options, room_mb)
        with memory.told():
            self.pipeline: Any = _opened(folder, self.placement.dtype, exact)
            if self.placement.offload == "none" and self.placement.device != "cpu":
                self.pipeline.to(self.placement.device)
            self.eye = eye_for(self.pipeline.vae, frames=True) if seen else None
        if options.vae_tiling and hasattr(self.pipeline.vae, "enable_tiling"):
            self.pipeline.vae.enable_tiling()

    def fresh(self, name: str) -> Any:
        """A pipeline of a class over the same parts, for one job: what is changed of it is not changed of the others.

        Nothing is loaded or copied but the scheduler, which counts steps.
        """
        cls = class_named(name)
        config = self.pipeline.config.items()
        values = {name: value for name, value in config if not isinstance(value, tuple)}
        parts = {**values, **self.pipeline.components}
        taken = inspect.signature(cls.__init__).parameters
        made = cls(**{name: part for name, part in parts.items() if name in taken})
        made.scheduler = again(made.scheduler)
        made.set_progress_bar_config(disable=True)
        # Parts come to the device when they are used, and the pipeline that was made last says in which order.
        if self.placement.offload == "model":
            made.enable_model_cpu_offload(device=self.placement.device)
        elif self.placement.offload == "sequential":
            made.enable_sequential_cpu_offload(device=self.placement.device)
        return made


def placed(folder: Folder, there: Device, options: Options, room_mb: float | None = None) -> Placement:
    """How a model is run on a device; `room_mb` is what it was counted with."""
    half = "float32" if there.name == "cpu" else "bfloat16" if there.bfloat16 else "float16"
    dtype = options.dtype or half
    if there.memory_mb == 0:
        return Placement(device=there.name, dtype=dtype)
    if options.offload != "auto":
        return Placement(device=there.name, dtype=dtype, offload=options.offload)
    each = device.WIDTHS[dtype] / 1e6
    room = min(there.memory_mb * _FOR_WEIGHTS, room_mb if room_mb is not None else math.inf)
    whole, part = sum(folder.numbers.values()) * each, max(folder.numbers.values()) * each
    return Placement(device=there.name, dtype=dtype, offload=device.offload(whole, part, room))


def again(scheduler: Any, **changes: Any) -> Any:
    """Another scheduler with the same numbers but for these."""
    kind = cast("Any", type(scheduler))
    return kind.from_config(scheduler.config, **changes)


def _opened(folder: Folder, dtype: str, exact: Collection[str]) -> Any:
    """Raises EngineFailed with what is wrong with the files."""
    import torch  # noqa: PLC0415 - heavy

    stay_offline()
    types = {"default": getattr(torch, dtype), **dict.fromkeys(exact, torch.float32)}
    try:
        pipeline = class_named(folder.pipeline).from_pretrained(
            folder.path, dtype=types, local_files_only=True, use_safetensors=True, variant=folder.variant or None
        )
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError) as error:
        # Whatever diffusers trips over is a fault of the files; memory is not, as `told` sees.
        said = f"{folder.path.name!r} cannot be loaded as {folder.pipeline}: {first_line(error)}"
        raise EngineFailed(said) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
