"""What a model is, told from its files alone: a folder's `model_index.json`, or the header of a safetensors file.

Light, because the server asks at submit. Nothing is loaded, and nothing in the files is run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import msgspec

from heddle.engines.diffusers.families import FAMILIES, OF_CLASS

#: A header names every tensor; those of the largest models have some thousand, and trainers add notes of their own.
_LARGEST_HEADER = 16 * 1024 * 1024
#: Weights of half the size, in one file or in several.
HALF = re.compile(r"\.fp16[.-]")
#: Where the core of a model lies in a file that has other parts as well.
_CORE = "model.diffusion_model."
#: Libraries whose classes a folder may name. Others would be code that comes with the folder.
_LIBRARIES = frozenset({"diffusers", "transformers", "stable_diffusion", "stable_diffusion_xl", "flux2", "qwenimage"})

#: Which tensors say that a file has a part.
_PARTS: Mapping[str, tuple[str, ...]] = {
    "vae": ("first_stage_model.", "vae."),
    "text_encoder": ("cond_stage_model.", "conditioner.embedders.0.", "text_encoders.clip_l."),
    "text_encoder_2": ("conditioner.embedders.1.", "text_encoders.clip_g."),
    "text_encoder_3": ("text_encoders.t5xxl.",),
}
#: Quantizations whose scales lie beside the weights, and which would load as noise.
_SCALED = re.compile(r"(^|\.)(scaled_fp8|scale_weight|weight_scale|quant_state\.\S+|absmax|qzeros)$")


class Unreadable(ValueError):
    """A file or folder that this engine cannot use; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is known of a model before it is loaded."""

    #: A name in `FAMILIES`.
    kind: str
    #: The configuration that a single file goes with; for a folder the class that it names.
    architecture: str
    folder: bool
    #: The parts that are there, beside the core.
    parts: frozenset[str] = frozenset()
    #: How many numbers its tensors hold, by part.
    numbers: Mapping[str, int] = field(default_factory=dict[str, int])
    #: Channels that the core takes: more than 4 are for inpainting.
    channels: int = 0
    #: What the model predicts, where the file says it: `v_prediction`.
    prediction: str = ""
    #: Whether the weights are named `*.fp16.safetensors`.
    variant: str = ""
    #: The classes of a folder's processors, by part.
    processors: Mapping[str, str] = field(default_factory=dict[str, str])


def look(path: Path) -> Layout:
    """What lies at a path. Raises Unreadable."""
    try:
        stamp = path.stat()
    except OSError as error:
        raise Unreadable(f"{path.name!r} is not there") from error
    if path.is_dir():
        index = path / "model_index.json"
        # A folder's own time tells nothing of its files; that of its index does when a model is put there anew.
        return _of_folder(path, index.stat().st_mtime_ns if index.exists() else 0)
    return _of_file(path, stamp.st_mtime_ns, stamp.st_size)


# ── folders ───────────────────────────────────────────────────────────────────


@lru_cache(maxsize=256)
def _of_folder(path: Path, _stamp: int) -> Layout:
    index = _index(path)
    name = index.get("_class_name")
    if not isinstance(name, str) or name not in OF_CLASS:
        known = ", ".join(sorted(OF_CLASS))
        raise Unreadable(f"{path.name!r} is a {name!r}, and this engine loads: {known}")
    named = dict(_named(index))
    for part, (library, cls) in named.items():
        if library not in _LIBRARIES:
            raise Unreadable(f"{path.name!r}: {part} is {library}.{cls}, which is code that comes with the model")
    weighed = {part: _weights(path / part) for part in named}
    numbers = {part: sum(map(_numbers, files)) for part, files in weighed.items() if files}
    core = FAMILIES[OF_CLASS[name]].core
    if core not in numbers:
        raise Unreadable(f"{path.name!r} has no {core}/*.safetensors; pickles (.bin) are never loaded")
    config = _config(path / core)
    half = any(HALF.search(file.name) for files in weighed.values() for file in files)
    return Layout(
        # The two are the same classes, and differ in the width of their text encoders.
        kind="sd2" if OF_CLASS[name] == "sd1" and config.cross_attention_dim == 1024 else OF_CLASS[name],
        architecture=name,
        folder=True,
        parts=frozenset(named) - {core},
        numbers=numbers,
        channels=config.in_channels,
        variant="fp16" if half else "",
        processors={part: cls for part, (_, cls) in named.items() if cls.endswith("Processor")},
    )


def _index(path: Path) -> dict[str, object]:
    try:
        return msgspec.json.decode((path / "model_index.json").read_bytes(), type=dict[str, object])
    except FileNotFoundError as error:
        raise Unreadable(f"the folder {path.name!r} has no model_index.json") from error
    except (OSError, msgspec.DecodeError) as error:
        raise Unreadable(f"{path.name}/model_index.json cannot be read: {error}") from error


def _named(index: Mapping[str, object]) -> Iterator[tuple[str, tuple[str, str]]]:
    """The parts of a folder, each with its library and class."""
    for part, row in index.items():
        match row:
            case [str() as library, str() as cls]:
                yield part, (library, cls)
            case _:
                pass


def _weights(folder: Path) -> list[Path]:
    """The safetensors files that would be loaded: those without a variant, else those of half the size."""
    files = sorted(folder.glob("*.safetensors"))
    plain = [file for file in files if not re.search(r"\.(fp16|bf16|non_ema)[.-]", file.name)]
    return plain or [file for file in files if HALF.search(file.name)]


def _numbers(file: Path) -> int:
    return sum(math.prod(row.shape) for row in header(file).values())


class _Config(msgspec.Struct):
    in_channels: int = 0
    cross_attention_dim: int | list[int] | None = None


def _config(folder: Path) -> _Config:
    try:
        return msgspec.json.decode((folder / "config.json").read_bytes(), type=_Config)
    except (OSError, msgspec.DecodeError) as error:
        raise Unreadable(f"{folder.name}/config.json cannot be read: {error}") from error


# ── single files ──────────────────────────────────────────────────────────────


class Tensor(msgspec.Struct):
    """A row of a safetensors header."""

    dtype: str
    shape: list[int]


def header(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _LARGEST_HEADER:
                raise Unreadable(f"{path.name!r} is no safetensors file")
            rows = msgspec.json.decode(file.read(length), type=dict[str, msgspec.Raw])
        rows.pop("__metadata__", None)
        return {name: msgspec.json.decode(row, type=Tensor) for name, row in rows.items()}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"the header of {path.name!r} cannot be read: {error}") from error


@lru_cache(maxsize=256)
def _of_file(path: Path, _stamp: int, _size: int) -> Layout:
    if path.suffix.lower() == ".gguf":
        raise Unreadable(f"{path.name!r} is a GGUF file; this engine loads safetensors")
    tensors = header(path)
    if odd := next((name for name in tensors if _SCALED.search(name)), None):
        raise Unreadable(f"{path.name!r} is quantized with scales ({odd}), which this engine cannot undo")
    shapes = {name.removeprefix(_CORE): row.shape for name, row in tensors.items()}
    kind, architecture = _recognize(path.name, shapes)
    parts = frozenset(part for part, marks in _PARTS.items() if any(name.startswith(marks) for name in tensors))
    if kind.startswith("flux1") and "text_encoder_3" in parts:  # Flux calls it its second
        parts = parts - {"text_encoder_3"} | {"text_encoder_2"}
    return Layout(
        kind=kind,
        architecture=architecture,
        folder=False,
        parts=parts,
        numbers=_by_part(tensors, FAMILIES[kind].core),
        channels=_in(shapes),
        prediction="v_prediction" if "v_pred" in tensors else "",
    )


def _by_part(tensors: Mapping[str, Tensor], core: str) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for name, row in tensors.items():
        part = next((part for part, marks in _PARTS.items() if name.startswith(marks)), core)
        numbers[part] = numbers.get(part, 0) + math.prod(row.shape)
    return numbers


def _in(shapes: Mapping[str, list[int]]) -> int:
    first = shapes.get("input_blocks.0.0.weight", [])
    return first[1] if len(first) == 4 else 0


def _recognize(name: str, shapes: Mapping[str, list[int]]) -> tuple[str, str]:
    """The kind and the configuration, by tensors that nothing else has."""
    if "input_blocks.0.0.weight" in shapes:
        return _unet(name, shapes)
    for marks, tell in _MARKS.items():
        if not shapes.keys().isdisjoint(marks):
            return tell(name, shapes)
    raise Unreadable(f"{name!r} is of no layout that this engine knows; {_looks_like(shapes)}")


def _unet(name: str, shapes: Mapping[str, list[int]]) -> tuple[str, str]:
    if any(key.startswith("conditioner.embedders.1.") for key in shapes):
        return "sdxl", "sdxl"
    if any(key.startswith("conditioner.embedders.0.model.") for key in shapes):
        raise Unreadable(f"{name!r} is a refiner of SDXL, which draws nothing by itself")
    if any(key.startswith("cond_stage_model.model.") for key in shapes):
        return "sd2", "sd2"
    if any(key.startswith("cond_stage_model.transformer.") for key in shapes):
        return "sd1", "sd1"
    if "label_emb.0.0.weight" in shapes:
        return "sdxl", "sdxl"
    width = shapes.get("input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight", [0, 768])[-1]
    return ("sd2", "sd2") if width == 1024 else ("sd1", "sd1")


def _flux(name: str, shapes: Mapping[str, list[int]]) -> tuple[str, str]:
    width = (shapes.get("img_in.weight") or shapes.get("x_embedder.weight") or [0, 64])[-1]
    if width in {96, 128, 384}:
        raise Unreadable(f"{name!r} is a Flux that takes a picture beside the noise (fill or control)")
    guided = any(key.startswith(("guidance_in.", "time_text_embed.guidance_embedder.")) for key in shapes)
    return "flux1", "flux1-dev" if guided else "flux1-schnell"


def _sd3(_name: str, shapes: Mapping[str, list[int]]) -> tuple[str, str]:
    dual = "joint_blocks.0.x_block.attn2.qkv.weight" in shapes
    return "sd3", "sd35-medium" if dual else "sd35-large" if _count(shapes, "joint_blocks") > 24 else "sd3-medium"


def _flux2(_name: str, shapes: Mapping[str, list[int]]) -> tuple[str, str]:
    guided = any(key.startswith(("guidance_in.", "time_guidance_embed.guidance_embedder.")) for key in shapes)
    return ("flux2", "flux2") if guided else ("flux2-klein", "flux2-klein")


#: Tensors that tell a transformer, in the original layout and in diffusers' own; the first that is there decides.
_MARKS: Mapping[tuple[str, ...], Callable[[str, Mapping[str, list[int]]], tuple[str, str]]] = {
    ("joint_blocks.0.context_block.adaLN_modulation.1.bias",): _sd3,
    ("single_stream_modulation.lin.weight", "single_stream_modulation.linear.weight"): _flux2,
    ("distilled_guidance_layer.in_proj.bias",): lambda _name, _shapes: ("chroma", "chroma"),
    ("double_blocks.0.img_attn.norm.key_norm.scale", "single_transformer_blocks.0.norm.linear.weight"): _flux,
    ("layers.0.adaLN_modulation.0.weight",): lambda _name, _shapes: ("z-image", "z-image"),
    ("transformer_blocks.0.img_mod.1.weight",): lambda _name, _shapes: ("qwen", "qwen"),
    ("painter.trunk.places",): lambda _name, _shapes: ("mini", "mini"),
}


def _count(shapes: Iterable[str], block: str) -> int:
    numbers = (re.match(rf"{block}\.(\d+)\.", key) for key in shapes)
    return 1 + max((int(found[1]) for found in numbers if found), default=-1)


def _looks_like(shapes: Mapping[str, list[int]]) -> str:
    first = ", ".join(sorted(shapes)[:3])
    return f"it holds {len(shapes)} tensors, such as {first}"
