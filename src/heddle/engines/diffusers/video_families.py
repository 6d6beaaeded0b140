"""Families of video models, as data: which pipeline does what, and how each is spoken to. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from heddle.engines.diffusers.folders import Folder

#: What a video is made from beside the prompt: nothing, its first frame, or its first and last.
Start = Literal["text", "first", "ends"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of model."""

    #: What `load` is told.
    name: str
    #: As people write it.
    title: str
    #: The families that callers name as `engine`.
    answers: tuple[str, ...]
    #: The pipeline class of each start. All work on the same parts in memory.
    pipelines: Mapping[Start, str]
    #: Whether a checkpoint is made for one start alone, so that the class in its index decides.
    separate: bool = False
    #: Frames come in so many, and one before them.
    group: int = 4
    #: What sides must be a multiple of.
    multiple: int = 16
    #: Whether it takes the noise of each step from its pipeline, which only Euler can.
    only_euler: bool = True
    #: Whether the shift of its noise can be chosen; else it is computed from the size.
    shift: bool = True
    #: Whether it is told how many frames make a second.
    rate: bool = False
    #: Whether it takes a negative prompt.
    negative: bool = True
    sound: bool = False
    #: Parts that are computed in float32 whatever the others are.
    exact: tuple[str, ...] = ()
    #: Arguments that every call has.
    always: Mapping[str, Any] = field(default_factory=dict[str, Any])
    #: And those of a family, where one kind answers to several.
    of_family: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])

    def frames(self, asked: int) -> int:
        """How many frames it makes when so many are asked for: the nearest that it can, and never one alone."""
        return max(1, round((asked - 1) / self.group)) * self.group + 1

    def padded(self, side: int) -> int:
        """The side that it renders when this is asked for: what is too much is cut off."""
        return -(-side // self.multiple) * self.multiple


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="wan",
            title="Wan",
            answers=("wan",),
            pipelines={
                "text": "WanPipeline",
                "first": "WanImageToVideoPipeline",
                "ends": "WanImageToVideoPipeline",
            },
            separate=True,
            only_euler=False,
            # Its decoder loses detail in half precision.
            exact=("vae",),
        ),
        Kind(
            name="ltx",
            title="LTX-Video",
            answers=("lightricks", "ltx2"),
            pipelines={
                "text": "LTXPipeline",
                "first": "LTXImageToVideoPipeline",
                "ends": "LTXConditionPipeline",
            },
            group=8,
            multiple=32,
            shift=False,
            rate=True,
            # What the makers recommend; decoders without this condition pass over it.
            always={"decode_timestep": 0.05, "decode_noise_scale": 0.025},
        ),
        Kind(
            name="ltx2",
            title="LTX-2",
            answers=("ltx2", "ltx2.3"),
            pipelines={
                "text": "LTX2Pipeline",
                "first": "LTX2ImageToVideoPipeline",
                "ends": "LTX2ConditionPipeline",
            },
            group=8,
            multiple=32,
            shift=False,
            rate=True,
            sound=True,
            of_family={
                "ltx2": {"spatio_temporal_guidance_blocks": [29], "use_cross_timestep": False},
                "ltx2.3": {"spatio_temporal_guidance_blocks": [28], "use_cross_timestep": True},
            },
        ),
        Kind(
            name="hunyuan",
            title="HunyuanVideo",
            answers=("hunyuan",),
            pipelines={"text": "HunyuanVideoPipeline", "first": "HunyuanVideoImageToVideoPipeline"},
            separate=True,
            negative=False,
        ),
        Kind(
            name="hunyuan15",
            title="HunyuanVideo 1.5",
            answers=("hunyuan",),
            pipelines={"text": "HunyuanVideo15Pipeline", "first": "HunyuanVideo15ImageToVideoPipeline"},
            separate=True,
        ),
    )
}

#: Kinds by the pipeline class that a folder's index names.
OF_CLASS: Mapping[str, Kind] = {cls: kind for kind in KINDS.values() for cls in kind.pipelines.values()}

#: The families that callers may name.
ANSWERS = tuple(dict.fromkeys(answer for kind in KINDS.values() for answer in kind.answers))

#: Versions of Wan whose weights are public.
WAN_VERSIONS = ("v2.1", "v2.2", "v2.2-5b")


def starts(kind: Kind, folder: Folder) -> Sequence[Start]:
    """What a checkpoint can make a video from. Raises Unusable."""
    if not kind.separate:
        return tuple(kind.pipelines)
    if kind.name != "wan":
        return tuple(start for start, cls in kind.pipelines.items() if cls == folder.pipeline)
    if folder.values.get("expand_timesteps"):
        return ("text", "first")
    if folder.pipeline == kind.pipelines["text"]:
        return ("text",)
    return ("first", "ends") if _takes_ends(folder) else ("first",)


def _takes_ends(folder: Folder) -> bool:
    """Wan 2.1 sees its pictures through CLIP, and places two of them only where it was trained so."""
    core = folder.config("transformer")
    return not core.get("image_dim") or bool(core.get("pos_embed_seq_len"))


def start_of(payload: Mapping[str, Any]) -> Start:
    """What the video of a job begins with."""
    return "ends" if payload.get("lastFrame") else "first" if payload.get("images") else "text"
