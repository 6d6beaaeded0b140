"""LoRA files of diffusers' models, and the reading of those of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from heddle.engines.diffusers.training import names
from heddle.engines.diffusers.training.request import FAMILIES
from heddle.errors import EngineFailed
from heddle.learning import lora_files
from heddle.learning.dataset import Example
from heddle.learning.request import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What was learned so far."""

    values: Mapping[str, Tensor]
    alpha: Mapping[str, float]
    #: Tensors of a file that it went on from which were left alone.
    kept: Mapping[str, Tensor]
    epoch: int
    step: int
    loss: float


def write(wanted: Wanted, core: Any, learned: Learned, about: Mapping[str, str]) -> bytes:
    """A file. Raises EngineFailed when what was learned is not made of numbers any more."""
    made = names.written(wanted.family, core, names.layers(learned.values, learned.alpha)) | dict(learned.kept)
    tensors = {name: value.detach().cpu().float().numpy() for name, value in made.items()}
    ranks = [len(value) for name, value in learned.values.items() if name.endswith(".lora_A.weight")]
    told = lora_files.progress(learned.epoch, learned.step, learned.loss, ranks, list(learned.alpha.values()))
    return lora_files.written(tensors, {**told, **about})


def read(data: bytes, name: str) -> dict[str, Tensor]:
    """The tensors of a file. Raises EngineFailed."""
    try:
        return load(data)
    except SafetensorError as error:
        raise EngineFailed(f"continueFrom: {name} is no safetensors file that can be read: {error}") from error


def about(wanted: Wanted, pipe: Any, examples: Sequence[Example], buckets: Sequence[tuple[int, int]]) -> dict[str, str]:
    """Metadata that is the same for every epoch."""
    family = FAMILIES[wanted.family]
    return lora_files.about(
        wanted,
        examples,
        buckets,
        checkpointing=True,
        architecture=family.architecture,
        implementation="diffusers",
        prediction_type=_prediction(wanted, pipe),
        version=family.version,
    )


def _prediction(wanted: Wanted, pipe: Any) -> str | None:
    if FAMILIES[wanted.family].noise == "flow":
        return None
    return "v" if pipe.scheduler.config.prediction_type == "v_prediction" else "epsilon"
