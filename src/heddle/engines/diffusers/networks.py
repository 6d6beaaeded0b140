"""LoRAs on a model in memory: put in by name, weighed for a job, never melted into the weights of the base.

diffusers knows the names of every trainer, so it translates them; the rest is done here: what a file changes is
compared with the model layer by layer before anything of the model is touched, and alphas go into the matrices. So a
file that does not fit is refused whole, and the form of a file makes no difference.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from heddle.engines.diffusers import memory, parts
from heddle.errors import EngineFailed

#: A half of a layer's change, as trainers and diffusers write it.
_HALF = re.compile(
    r"(?P<layer>.+?)(?:\.(?P<half>lora_[AB])|[._]lora(?:_linear_layer)?\.(?P<old>down|up))(?:\.default)?\.weight"
)
_MAGNITUDE = re.compile(r"(?P<layer>.+?)\.lora_magnitude_vector(?:\.default)?(?:\.weight)?")
_OLD = {"down": "lora_A", "up": "lora_B"}
#: What diffusers once called the layers of attention.
_OLD_LAYERS = {"to_out": "to_out.0"}
_OLD_SPOKEN_LAYERS = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
#: Where diffusers keeps the settings of a training in a file.
_SETTINGS = "lora_adapter_metadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Of one layer: two matrices, of which the product is added; a DoRA has magnitudes as well."""

    down: Any = None
    up: Any = None
    magnitude: Any = None
    alpha: float | None = None

    @property
    def rank(self) -> int:
        """What lies between the two."""
        return self.down.shape[0]


#: By part of the pipeline and layer of the part.
Changes = dict[str, dict[str, Change]]


class Lora:
    """One that was put in."""

    def __init__(self, pipeline: Any, path: Path, name: str, dtype: Any) -> None:
        changes = read(pipeline, path)
        self.name = name
        self.size = 0
        self._pipeline = pipeline
        try:
            for part, layers in changes.items():
                state = _state(layers, dtype)
                self.size += sum(tensor.nbytes for tensor in state.values())
                _put_in(getattr(pipeline, part), name, state, layers)
        except (ValueError, KeyError, RuntimeError, AttributeError, TypeError, NotImplementedError) as error:
            self.drop()
            if memory.lacks(error):
                raise MemoryError(str(error)) from error
            raise EngineFailed(f"{path.name!r} cannot be loaded: {parts.first_line(error)}") from error
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Take it out; with the last one the layers are plain again."""
        self._pipeline.delete_adapters(self.name)
        if not any(self._pipeline.get_list_adapters().values()):
            self._pipeline.unload_lora_weights()


def weigh(pipeline: Any, loras: Sequence[Lora], strengths: Sequence[float]) -> None:
    """Run with these and no others."""
    pipeline.enable_lora()
    pipeline.set_adapters([lora.name for lora in loras], list(strengths))


def silence(pipeline: Any) -> None:
    """Run without any: each layer then is the base's, bit for bit."""
    pipeline.disable_lora()


def _put_in(model: Any, name: str, state: Mapping[str, Any], layers: Mapping[str, Change]) -> None:
    """Into one part. By peft itself: transformers would make the ones before anew, with chance for weights."""
    peft: Any = import_module("peft")
    ranks = {f"^{re.escape(layer)}": change.rank for layer, change in layers.items()}
    most = max(ranks.values())
    config = peft.LoraConfig(
        r=most,
        lora_alpha=most,
        rank_pattern=ranks,
        alpha_pattern=ranks,
        target_modules="|".join(map(re.escape, layers)),
        use_dora=any(change.magnitude is not None for change in layers.values()),
    )
    peft.inject_adapter_in_model(config, model, adapter_name=name, state_dict=dict(state), low_cpu_mem_usage=True)
    # By this the libraries know that they have something to weigh and to take out.
    model._hf_peft_config_loaded = True  # noqa: SLF001 - there is no other way to say it
    left: list[str] = peft.set_peft_model_state_dict(model, dict(state), name, low_cpu_mem_usage=True).unexpected_keys
    if left:
        raise ValueError(f"{len(left)} of its tensors found no place, as {left[0]}")


def _state(layers: Mapping[str, Change], dtype: Any) -> dict[str, Any]:
    """In peft's names, in the numbers that the model computes in, and with alphas as factors."""
    state: dict[str, Any] = {}
    for layer, change in layers.items():
        factor = 1.0 if change.alpha is None else change.alpha / change.rank
        state[f"{layer}.lora_A.weight"] = change.down.to(dtype)
        state[f"{layer}.lora_B.weight"] = (change.up.float() * factor).to(dtype)
        if change.magnitude is not None:
            state[f"{layer}.lora_magnitude_vector"] = change.magnitude.to(dtype)
    return state


# ── reading ───────────────────────────────────────────────────────────────────


def read(pipeline: Any, path: Path) -> Changes:
    """What a file changes of a model. Raises EngineFailed, also when that is not the model that it is for."""
    state = parts.tensors(path)
    try:
        translated, alphas = _translated(pipeline, state)
        changes = _changes(translated, alphas, _settings(path), path.name)
    except EngineFailed:
        raise
    except (ValueError, KeyError, RuntimeError, AttributeError, TypeError, IndexError, NotImplementedError) as error:
        raise EngineFailed(f"{path.name!r} is no LoRA for this model: {parts.first_line(error)}") from error
    found = _as_here(pipeline, changes)
    _check(pipeline, found, path.name)
    return found


def _translated(pipeline: Any, state: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, float]]:
    """In diffusers' names, and the alphas that are known by themselves."""
    # Magnitudes of a DoRA in kohya's form are dropped there too; `added.approximations` says so of the picture.
    kept = {name: tensor for name, tensor in state.items() if "dora_scale" not in name}
    translate: Any = pipeline.lora_state_dict
    unet: Any = getattr(pipeline, "unet", None)
    if unet is not None:
        translated, alphas = translate(kept, unet_config=unet.config)
    elif "return_alphas" in inspect.signature(translate).parameters:
        translated, alphas = translate(kept, return_alphas=True)
    else:
        translated, alphas = translate(kept), None
    return translated, alphas or {}


def _settings(path: Path) -> Mapping[str, Any]:
    """Of the training, where diffusers wrote them."""
    safetensors: Any = import_module("safetensors")
    with safetensors.safe_open(path, "pt") as file:
        said: dict[str, str] = file.metadata() or {}
    settings: Mapping[str, Any] = json.loads(said.get(_SETTINGS, "{}"))
    return settings


def _changes(state: Mapping[str, Any], alphas: Mapping[str, float], settings: Mapping[str, Any], name: str) -> Changes:
    changes: Changes = {}
    strange: list[str] = []
    for key, tensor in state.items():
        part, layer, what = _place(key)
        if not what:
            strange.append(key)
            continue
        layers = changes.setdefault(part, {})
        layers[layer] = replace(layers.get(layer, Change()), **{what: tensor})
    if strange:
        raise EngineFailed(f"{name!r} holds {len(strange)} tensors that are not of a LoRA, such as {strange[0]}")
    known = {_alpha_place(key): float(value) for key, value in alphas.items()}
    for part, layers in changes.items():
        for layer, change in layers.items():
            if change.down is None or change.up is None:
                raise EngineFailed(f"{name!r} has one half only of {part}.{layer}")
            alpha = known.get((part, layer), _alpha_set(settings, part, layer, change.rank))
            layers[layer] = replace(change, alpha=alpha)
    return changes


def _place(key: str) -> tuple[str, str, str]:
    """The part, its layer, and what of the change a tensor is; the last is empty where it is something else."""
    part, _, rest = key.replace(".processor.", ".").partition(".")
    if match := _HALF.fullmatch(rest):
        half = match["half"] or _OLD[match["old"]]
        layer = match["layer"] if match["half"] else _renamed(match["layer"], part)
        return part, layer, "down" if half == "lora_A" else "up"
    if match := _MAGNITUDE.fullmatch(rest):
        return part, match["layer"], "magnitude"
    return part, rest, ""


def _renamed(layer: str, part: str) -> str:
    before, dot, last = layer.rpartition(".")
    names = _OLD_SPOKEN_LAYERS if part.startswith("text_encoder") else _OLD_LAYERS
    return before + dot + names.get(last, last)


def _alpha_place(key: str) -> tuple[str, str]:
    """The part and layer of an alpha, which diffusers names after the first half, or after the layer."""
    part, layer, what = _place(key.removesuffix(".alpha"))
    return part, layer if what else key.removesuffix(".alpha").partition(".")[2]


def _alpha_set(settings: Mapping[str, Any], part: str, layer: str, rank: int) -> float | None:
    """By the settings of the training."""
    alpha = settings.get(f"{part}.lora_alpha")
    patterns: Any = settings.get(f"{part}.alpha_pattern") or {}
    for pattern, value in patterns.items():
        if re.fullmatch(rf"(.*\.)?({pattern})", layer):
            alpha = value
    if alpha is None:
        return None
    return float(alpha) * (math.sqrt(rank) if settings.get(f"{part}.use_rslora") else 1.0)


# ── whether it fits ───────────────────────────────────────────────────────────


def _as_here(pipeline: Any, changes: Changes) -> Changes:
    """Text encoders had a level more once, and files still name it."""
    made: Changes = {}
    for part, layers in changes.items():
        model = getattr(pipeline, part, None)
        flat = (
            part.startswith("text_encoder") and model is not None and "text_model" not in dict(model.named_children())
        )
        made[part] = {layer.removeprefix("text_model.") if flat else layer: change for layer, change in layers.items()}
    return made


def _check(pipeline: Any, changes: Changes, name: str) -> None:
    """Raises EngineFailed when a layer is not the model's."""
    count = sum(map(len, changes.values()))
    wrong = list(_misfits(pipeline, changes))
    if not count:
        raise EngineFailed(f"{name!r} changes nothing of this model")
    if wrong:
        raise EngineFailed(
            f"{name!r} is not for this model: {len(wrong)} of its {count} layers do not fit, as {wrong[0]}"
        )


def _misfits(pipeline: Any, changes: Changes) -> Iterator[str]:
    changed: Sequence[str] = pipeline._lora_loadable_modules  # noqa: SLF001 - it is said nowhere else
    for part, layers in changes.items():
        model = getattr(pipeline, part, None) if part in changed else None
        for layer, change in layers.items():
            if why := _misfit(model, layer, change):
                yield f"{part}.{layer}, which {why}"


def _misfit(model: Any, layer: str, change: Change) -> str:
    try:
        module: Any = None if model is None else model.get_submodule(layer)
    except AttributeError:
        module = None
    base: Any = module.get_base_layer() if hasattr(module, "get_base_layer") else module
    if not hasattr(base, "weight"):
        return "the model does not have"
    here, there = tuple(base.weight.shape[:2]), (change.up.shape[0], change.down.shape[1])
    if here != there:
        return f"is {there[1]} to {there[0]} wide, and in the model {here[1]} to {here[0]}"
    return (
        "" if change.up.shape[1] == change.rank else f"has halves of the ranks {change.rank} and {change.up.shape[1]}"
    )
