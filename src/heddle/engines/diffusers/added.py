"""What a job adds to its base model, read from its payload; and what of it cannot be, told by headers of files.

Imports nothing heavy, because the server asks at submit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heddle import air
from heddle.domain import JSON
from heddle.engines.diffusers import files
from heddle.engines.diffusers.families import Family
from heddle.engines.diffusers.files import Tensor, Unreadable

#: AIR types of networks that are LoRAs of one kind or another.
LORAS = frozenset({"lora", "lycoris", "dora"})

#: Families that take embeddings, and the tensor for each of their text encoders; a lone encoder takes any name.
EMBEDDED: Mapping[str, Mapping[str, str]] = {
    "sd1": {"text_encoder": ""},
    "sd2": {"text_encoder": ""},
    "sdxl": {"text_encoder": "clip_l", "text_encoder_2": "clip_g"},
}

_SD: Mapping[str, str] = {
    "create": "StableDiffusionControlNetPipeline",
    "variant": "StableDiffusionControlNetImg2ImgPipeline",
    "inpaint": "StableDiffusionControlNetInpaintPipeline",
}
#: The pipeline of each operation of families that ControlNets steer.
CONTROLLED: Mapping[str, Mapping[str, str]] = {
    "sd1": _SD,
    "sd2": _SD,
    "sdxl": {operation: name.replace("Diffusion", "DiffusionXL") for operation, name in _SD.items()},
    "flux1": {
        "create": "FluxControlNetPipeline",
        "variant": "FluxControlNetImg2ImgPipeline",
        "inpaint": "FluxControlNetInpaintPipeline",
    },
}
#: What can be made of a picture before it steers.
PREPROCESSORS = ("none", "canny", "gray")

#: Families whose LoRAs may change text encoders too.
_SPOKEN = frozenset({"sd1", "sd2", "sd3", "sdxl", "flux1"})
#: Families by the width of what their cross attention listens to.
_WIDTHS: Mapping[int, str] = {768: "sd1", 1024: "sd2", 2048: "sdxl"}

_DOWN = re.compile(r"(lora_down|lora_A|lora\.down|lora_linear_layer\.down)(\.default)?(\.weight)?$")
#: Networks that are no sums of two small matrices, by their tensors.
_OTHERS: Mapping[str, str] = {
    "hada_w": "a LoHa",
    "lokr_": "a LoKr",
    "oft_": "an OFT network",
    ".lora_mid.": "a LoCon of three factors (CP)",
    "lora_controlnet": "a Control-LoRA",
}
_OF_UNETS = re.compile(r"^(lora_unet_(input_blocks|output_blocks|middle_block|down_blocks|up_blocks|mid_block)|unet\.)")
_OF_TRANSFORMERS = re.compile(
    r"^(lora_unet_(double_blocks|single_blocks|joint_blocks|layers|transformer_blocks)|transformer\.|"
    r"diffusion_model\.(double_blocks|single_blocks|joint_blocks|layers|transformer_blocks)\.)"
)
_OF_ENCODERS = re.compile(r"^(lora_te[0-9]?_|text_encoder(_[23])?\.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A LoRA or an embedding."""

    air: str
    #: Its place in the step's input.
    at: int
    strength: float
    path: Path
    #: Words that its author says call it.
    words: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """As its AIR says."""
        return air.parse(self.air).type or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A ControlNet, and the picture that it steers by."""

    air: str
    at: int
    path: Path
    image: str
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    preprocessor: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """All that is added for one job. Empty: the base model as it is."""

    loras: Sequence[Network] = ()
    embeddings: Sequence[Network] = ()
    controls: Sequence[Control] = ()
    vae: Path | None = None
    #: What the record of the picture says of it.
    record: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __bool__(self) -> bool:
        return bool(self.loras or self.embeddings or self.controls or self.vae)


def of(payload: JSON) -> Added:
    """What a job adds. What has no strength is left out, so that it is as if it had not been named."""
    networks = list(_networks(payload))
    controls = list(_controls(payload))
    vae = payload.get("vae")
    record = {
        "networks": [{"air": network.air, "strength": network.strength} for network in networks],
        "vae": vae,
        "controlNets": [
            {
                "model": control.air,
                "preprocessor": control.preprocessor,
                "weight": control.weight,
                "startStep": control.start,
                "endStep": control.end,
            }
            for control in controls
        ],
    }
    return Added(
        loras=_summed(network for network in networks if network.kind in LORAS),
        embeddings=[network for network in networks if network.kind == "embedding" and network.strength],
        controls=[control for control in controls if control.weight],
        vae=_path(payload, vae) if vae else None,
        record={name: value for name, value in record.items() if value},
    )


def said(added: Added) -> Iterator[tuple[str, str]]:
    """For the text in the picture's file."""
    record = added.record
    if networks := record.get("networks"):
        yield "Networks", ", ".join(f"{network['air']} ({network['strength']:g})" for network in networks)
    if vae := record.get("vae"):
        yield "VAE", vae
    if controls := record.get("controlNets"):
        yield "ControlNets", ", ".join(f"{control['model']} ({control['weight']:g})" for control in controls)


def approximations(added: Added) -> list[str]:
    """What is not done as a file says."""
    return [
        f"{network.path.name}: a DoRA without its magnitudes"
        for network in added.loras
        if any("dora_scale" in name for name in files.header(network.path))
    ]


def _networks(payload: JSON) -> Iterator[Network]:
    for at, given in enumerate(payload.get("networks") or ()):
        yield Network(
            air=given["air"],
            at=at,
            strength=float(given.get("strength", 1.0)),
            path=_path(payload, given["air"]),
            words=tuple(payload["weights"][given["air"]].get("words") or ()),
        )


def _controls(payload: JSON) -> Iterator[Control]:
    for at, given in enumerate(payload.get("controlNets") or ()):
        yield Control(
            air=given["model"],
            at=at,
            path=_path(payload, given["model"]),
            image=given["image"],
            weight=float(given.get("weight", 1.0)),
            start=float(given.get("startStep", 0.0)),
            end=float(given.get("endStep", 1.0)),
            preprocessor=given.get("preprocessor") or "none",
        )


def _summed(networks: Iterable[Network]) -> list[Network]:
    """One that is named twice is as strong as both together."""
    found: dict[str, Network] = {}
    for network in networks:
        before = found.get(network.air)
        strength = network.strength + (before.strength if before else 0.0)
        found[network.air] = Network(
            air=network.air, at=network.at, strength=strength, path=network.path, words=network.words
        )
    return [network for network in found.values() if network.strength]


def _path(payload: JSON, named: str) -> Path:
    return Path(payload["weights"][named]["path"])


# ── embeddings ────────────────────────────────────────────────────────────────


def say(prompt: str, embeddings: Sequence[Network]) -> str:
    """The prompt with the words of embeddings replaced by those that the tokenizers are given for them."""
    for number, network in enumerate(embeddings):
        spoken = " ".join(tokens(number, vectors(network.path)))
        for word in sorted(triggers(network), key=len, reverse=True):
            prompt = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", spoken, prompt, flags=re.IGNORECASE)
    return prompt


def triggers(network: Network) -> tuple[str, ...]:
    """The words that call an embedding: those of the catalog, else the name of its file."""
    return tuple(word.strip() for word in network.words if word.strip()) or (network.path.stem,)


def tokens(number: int, count: int) -> list[str]:
    """What stands for the vectors of an embedding in a prompt."""
    return [f"<heddle-{number}-{vector}>" for vector in range(count)]


def vectors(path: Path) -> int:
    """How many vectors an embedding has."""
    first = next(iter(files.header(path).values()))
    return first.shape[0] if len(first.shape) == 2 else 1


# ── what cannot be added ──────────────────────────────────────────────────────


def problems(payload: JSON, row: Family, operation: str) -> Iterator[tuple[str, str]]:
    """By the field of the step's input."""
    for network in _networks(payload):
        if wrong := _of_network(network, row):
            yield f"additionalNetworks[{network.at}].air", wrong
        if network.kind == "embedding" and network.strength not in {0, 1}:
            said = f"is {network.strength:g}: an embedding is there (1) or not (0), and the prompt says how strongly"
            yield f"additionalNetworks[{network.at}].strength", said
    yield from _of_controls(payload, row, operation)
    if payload.get("vae") and (wrong := _of_vae(_path(payload, payload["vae"]))):
        yield "vae", wrong


def _of_network(network: Network, row: Family) -> str:
    if network.kind == "controlnet":
        return f"{network.air!r} is a ControlNet, which is named in `controlNets`, with its picture"
    if network.kind not in LORAS | {"embedding"}:
        return f"{network.air!r} is a {network.kind}; this engine takes LoRA, LoCon, DoRA and embeddings"
    try:
        tensors = files.header(network.path)
    except Unreadable as error:
        return str(error)
    name = network.path.name
    return _of_embedding(name, tensors, row) if network.kind == "embedding" else _of_lora(name, tensors, row)


def _of_lora(name: str, tensors: Mapping[str, Tensor], row: Family) -> str:
    if other := next((said for mark, said in _OTHERS.items() if any(mark in key for key in tensors)), ""):
        return f"{name!r} is {other}; this engine takes LoRA, LoCon and DoRA"
    if not any(_DOWN.search(key) for key in tensors):
        first = ", ".join(sorted(tensors)[:3])
        return f"{name!r} is no LoRA: it holds {len(tensors)} tensors, such as {first}"
    if all(_OF_ENCODERS.match(key) for key in tensors) and row.answers not in _SPOKEN:
        return f"{name!r} changes text encoders alone, and those of {row.name} are not changed by LoRAs"
    if any(_OF_TRANSFORMERS.match(key) for key in tensors) and row.core == "unet":
        return f"{name!r} is a LoRA for a transformer, and {row.name} has none"
    if any(_OF_UNETS.match(key) for key in tensors) and row.core != "unet":
        return f"{name!r} is a LoRA for a U-Net as of SD 1 or SDXL, and {row.name} has none"
    told = _WIDTHS.get(_width(tensors), row.answers) if row.core == "unet" else row.answers
    return "" if told == row.answers else f"{name!r} is a LoRA for {told}, and the model is {row.name}"


def _width(tensors: Mapping[str, Tensor]) -> int:
    """Of what the cross attention listens to."""
    listening = re.compile(r"attn2[._](processor[._])?to_k")
    found = (row.shape for key, row in tensors.items() if listening.search(key) and _DOWN.search(key))
    return next((shape[1] for shape in found if len(shape) > 1), 0)


def _of_embedding(name: str, tensors: Mapping[str, Tensor], row: Family) -> str:
    if row.answers not in EMBEDDED:
        return f"{row.name} takes no embeddings; those that do: {', '.join(EMBEDDED)}"
    wanted = EMBEDDED[row.answers]
    if len(wanted) == 1 and "clip_g" in tensors:
        return f"{name!r} is an embedding for sdxl, and the model is {row.name}"
    if lacking := [key for key in wanted.values() if key and key not in tensors]:
        return f"{name!r} has no {', no '.join(lacking)}, which an embedding for {row.name} has"
    if len(tensors) > len(wanted):
        return f"{name!r} is no embedding: it holds {len(tensors)} tensors, and one has {len(wanted)}"
    if any(not 1 <= len(tensor.shape) <= 2 or 0 in tensor.shape for tensor in tensors.values()):
        return f"{name!r} is no embedding: its tensors are no rows of vectors"
    return "" if len({_rows(tensor) for tensor in tensors.values()}) == 1 else f"{name!r} has unequal counts of vectors"


def _rows(tensor: Tensor) -> int:
    return tensor.shape[0] if len(tensor.shape) == 2 else 1


def _of_controls(payload: JSON, row: Family, operation: str) -> Iterator[tuple[str, str]]:
    for control in _controls(payload):
        at = f"controlNets[{control.at}]"
        if operation not in CONTROLLED.get(row.answers, {}) or row.name == "flux1-kontext":
            yield f"{at}.model", f"{row.name} takes no ControlNet to {operation}"
        elif wrong := _of_control(control, row):
            yield f"{at}.model", wrong
        if control.preprocessor not in PREPROCESSORS:
            known = ", ".join(PREPROCESSORS)
            said = f"{control.preprocessor!r} is not one of: {known}; else give the picture that it would make, as none"
            yield f"{at}.preprocessor", said


def _of_control(control: Control, row: Family) -> str:
    path = control.path
    if path.is_dir():
        return "" if (path / "config.json").is_file() else f"{path.name!r} has no config.json"
    if row.core != "unet":
        return f"{path.name!r} is a single file; ControlNets of {row.name} are loaded from folders with a config.json"
    try:
        tensors = files.header(path)
    except Unreadable as error:
        return str(error)
    if any("task_embedding" in key for key in tensors):
        return f"{path.name!r} is a ControlNet of many kinds (union), which this engine does not load"
    marks = ("controlnet_cond_embedding.", "input_hint_block.")
    return "" if any(mark in key for key in tensors for mark in marks) else f"{path.name!r} is no ControlNet"


def _of_vae(path: Path) -> str:
    if path.is_dir():
        return "" if (path / "config.json").is_file() else f"{path.name!r} has no config.json"
    try:
        tensors = files.header(path)
    except Unreadable as error:
        return str(error)
    return "" if any(key.endswith("decoder.conv_in.weight") for key in tensors) else f"{path.name!r} is no VAE"
