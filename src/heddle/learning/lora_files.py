"""LoRA files: safetensors with what is known of the training in their metadata."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from heddle.errors import EngineFailed
from heddle.learning.dataset import Example
from heddle.learning.request import OPTIMIZERS, Wanted

Halves = npt.NDArray[np.float16]

#: Files say how often each tag was seen, of so many tags at most.
_MOST_TAGS = 1000


def written(tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """A file. Raises EngineFailed when what was learned is not made of numbers any more."""
    with np.errstate(over="ignore"):  # what is too large for a half is told of below
        halves = {name: np.asarray(value, dtype=np.float16, order="C") for name, value in tensors.items()}
    if bad := [name for name, value in halves.items() if not np.isfinite(value).all()]:
        raise EngineFailed(f"the training left the range of numbers in {bad[0]}: a lower learning rate may help")
    return saved(halves, {**metadata, "sshs_model_hash": _hash(halves)})


def saved(tensors: Mapping[str, Halves], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file of halves, whose bytes are always the same: the library's own writer puts the metadata in
    any order."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    data: list[bytes] = []
    end = 0
    for name in sorted(tensors):
        data.append(tensors[name].tobytes())
        begin, end = end, end + len(data[-1])
        header[name] = {"dtype": "F16", "shape": list(tensors[name].shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *data])


def about(
    wanted: Wanted,
    examples: Sequence[Example],
    buckets: Sequence[tuple[int, int]],
    *,
    checkpointing: bool,
    **more: str | None,
) -> dict[str, str]:
    """Metadata that is the same for every epoch: kohya's names for it, and those of the model metadata standard.

    `more` are values of the standard that a family has, by their names without `modelspec.`, and `version` as kohya
    calls the base model. `checkpointing`: activations are computed twice to save memory.
    """
    resolution = f"{wanted.resolution}x{wanted.resolution}"
    counted = Counter(buckets)
    version = more.pop("version", None)
    told: dict[str, object] = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.title": wanted.name,
        "modelspec.resolution": resolution,
        "modelspec.trigger_phrase": wanted.trigger,
        **{f"modelspec.{name}": value for name, value in more.items()},
        "ss_network_module": "networks.lora",
        "ss_base_model_version": version,
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
        "ss_enable_bucket": str(len(counted) > 1),
        "ss_bucket_info": {
            "buckets": {
                str(n): {"resolution": list(size), "count": count}
                for n, (size, count) in enumerate(sorted(counted.items()))
            }
        },
        "ss_tag_frequency": {wanted.name: _tags(examples)},
        "ss_gradient_checkpointing": str(checkpointing),
        "ss_cache_latents": "True",
        "ss_noise_offset": wanted.noise_offset or None,
        "ss_min_snr_gamma": wanted.min_snr or None,
    }
    return {key: _text(value) for key, value in told.items() if value is not None}


def progress(epoch: int, step: int, loss: float, ranks: Collection[int], alphas: Collection[float]) -> dict[str, str]:
    """Metadata of one epoch."""
    told = {
        "ss_epoch": epoch,
        "ss_steps": step,
        "ss_network_dim": _one(ranks),
        "ss_network_alpha": _one(alphas),
        "ss_loss": round(loss, 6),
    }
    return {key: _text(value) for key, value in told.items()}


def _one(values: Collection[float]) -> float | str:
    found = set(values)
    return found.pop() if len(found) == 1 else "Dynamic"


def _tags(examples: Sequence[Example]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for example in examples:
        for tag in {part.strip() for part in example.caption.split(",")} - {""}:
            counted[tag[:200]] += example.repeats
    return dict(sorted(counted.most_common(_MOST_TAGS)))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else str(value)


def _hash(tensors: Mapping[str, Halves]) -> str:
    """Of the tensors alone, so that metadata may be edited."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(tensors[name].tobytes())
    return found.hexdigest()
