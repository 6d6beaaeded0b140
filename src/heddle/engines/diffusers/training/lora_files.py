"""LoRA files: safetensors with what is known of the training in their metadata, and the reading of those of others."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from heddle.engines.diffusers.training import names
from heddle.engines.diffusers.training.dataset import Example
from heddle.engines.diffusers.training.request import OPTIMIZERS, Wanted
from heddle.errors import EngineFailed

#: Files say how often each tag was seen, of so many tags at most.
_MOST_TAGS = 1000


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
    tensors = {name: value.detach().cpu().to(torch.float16).contiguous() for name, value in made.items()}
    if bad := [name for name, value in tensors.items() if not bool(torch.isfinite(value).all())]:
        raise EngineFailed(f"the training left the range of numbers in {bad[0]}: a lower learning rate may help")
    told = {**_progress(learned), **about}
    return saved(tensors, told | {"sshs_model_hash": _hash(tensors)})


def saved(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file of halves, whose bytes are always the same: the library's own writer puts the metadata in
    any order."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    data: list[bytes] = []
    end = 0
    for name in sorted(tensors):
        data.append(tensors[name].numpy().tobytes())
        begin, end = end, end + len(data[-1])
        header[name] = {"dtype": "F16", "shape": list(tensors[name].shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *data])


def read(data: bytes, name: str) -> dict[str, Tensor]:
    """The tensors of a file. Raises EngineFailed."""
    try:
        return load(data)
    except SafetensorError as error:
        raise EngineFailed(f"continueFrom: {name} is no safetensors file that can be read: {error}") from error


def about(wanted: Wanted, pipe: Any, examples: Sequence[Example], buckets: Sequence[tuple[int, int]]) -> dict[str, str]:
    """Metadata that is the same for every epoch: kohya's names for it, and those of the model metadata standard."""
    resolution = f"{wanted.resolution}x{wanted.resolution}"
    counted = Counter(buckets)
    told: dict[str, object] = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": wanted.about.architecture,
        "modelspec.implementation": "diffusers",
        "modelspec.title": wanted.name,
        "modelspec.resolution": resolution,
        "modelspec.trigger_phrase": wanted.trigger,
        "modelspec.prediction_type": _prediction(wanted, pipe),
        "ss_network_module": "networks.lora",
        "ss_base_model_version": wanted.about.version,
        "ss_v2": str(wanted.family == "sd2"),
        "ss_output_name": wanted.name,
        "ss_learning_rate": wanted.rate,
        "ss_unet_lr": wanted.rate,
        "ss_lr_scheduler": wanted.schedule,
        "ss_optimizer": OPTIMIZERS[wanted.optimizer],
        "ss_seed": wanted.seed,
        "ss_max_train_steps": wanted.steps,
        "ss_num_epochs": wanted.epochs,
        "ss_total_batch_size": wanted.batch_size,
        "ss_resolution": f"({wanted.resolution}, {wanted.resolution})",
        "ss_num_train_images": sum(example.repeats for example in examples),
        "ss_enable_bucket": "True",
        "ss_bucket_info": {
            "buckets": {
                str(n): {"resolution": list(size), "count": count}
                for n, (size, count) in enumerate(sorted(counted.items()))
            }
        },
        "ss_tag_frequency": {wanted.name: _tags(examples)},
        "ss_gradient_checkpointing": "True",
        "ss_cache_latents": "True",
        "ss_noise_offset": wanted.noise_offset or None,
        "ss_min_snr_gamma": wanted.min_snr or None,
    }
    return {key: _text(value) for key, value in told.items() if value is not None}


def _progress(learned: Learned) -> dict[str, str]:
    alphas = set(learned.alpha.values())
    ranks = {len(value) for name, value in learned.values.items() if name.endswith(".lora_A.weight")}
    told = {
        "ss_epoch": learned.epoch,
        "ss_steps": learned.step,
        "ss_network_dim": ranks.pop() if len(ranks) == 1 else "Dynamic",
        "ss_network_alpha": alphas.pop() if len(alphas) == 1 else "Dynamic",
        "ss_loss": round(learned.loss, 6),
    }
    return {key: _text(value) for key, value in told.items()}


def _prediction(wanted: Wanted, pipe: Any) -> str | None:
    if wanted.about.noise == "flow":
        return None
    return "v" if pipe.scheduler.config.prediction_type == "v_prediction" else "epsilon"


def _tags(examples: Sequence[Example]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for example in examples:
        for tag in {part.strip() for part in example.caption.split(",")} - {""}:
            counted[tag[:200]] += example.repeats
    return dict(sorted(counted.most_common(_MOST_TAGS)))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else str(value)


def _hash(tensors: Mapping[str, Tensor]) -> str:
    """Of the tensors alone, so that metadata may be edited."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(tensors[name].numpy().tobytes())
    return found.hexdigest()
