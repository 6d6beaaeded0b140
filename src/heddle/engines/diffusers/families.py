"""Families of picture models, as data: which pipeline does what, and how each is spoken to. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: What a family may do: from nothing, from a source by noise, by an instruction, or within a mask.
Operation = Literal["create", "variant", "edit", "inpaint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of model: rows of the same `answers` are kinds of the one family that callers name."""

    #: The kind: what `load` is told.
    name: str
    #: The family that callers name as `engine`.
    answers: str
    #: The pipeline class of each operation, of diffusers or as `module:Class`; all work on the same parts in memory.
    pipelines: Mapping[str, str]
    #: Pipeline classes that `model_index.json` may name, beside those above.
    also: tuple[str, ...] = ()
    #: The argument that takes `cfgScale`.
    cfg: str = "guidance_scale"
    #: What of `cfgScale` is no guidance to the pipeline: 1 where its 0 means what 1 means elsewhere.
    cfg_less: float = 0.0
    #: Whether it takes a negative prompt.
    negative: bool = True
    #: What stands for a negative prompt that was not given, where the pipeline guides only with one.
    no_negative: str | None = None
    #: The largest `clipSkip` that leaves out no layer of the text encoder but those that the model was trained without;
    #: 0: none can be left out.
    clip_skip: int = 0
    lora: bool = True
    #: A flow model takes other solvers than a diffusion model.
    flow: bool = True
    #: The side that it was trained for, and what sides must be a multiple of.
    native: int = 1024
    multiple: int = 16
    #: The part that is run at every step.
    core: str = "transformer"
    #: What it is computed in on a GPU.
    dtype: Literal["float16", "bfloat16"] = "bfloat16"
    #: Parts that a single file has beside the core; where it is empty, the rest comes from a base folder.
    parts: tuple[str, ...] = ()
    #: What opens a single file, as `module:function`, where diffusers does not know such files; they are whole then.
    opener: str = ""
    #: Operations whose pipelines choose the size themselves, whatever they are told: what they draw is scaled.
    own_size: tuple[str, ...] = ()
    #: Arguments that every call has.
    always: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def operations(self) -> tuple[str, ...]:
        """What it can do."""
        return tuple(self.pipelines)


FAMILIES: Mapping[str, Family] = {
    row.name: row
    for row in (
        Family(
            name="sd1",
            answers="sd1",
            pipelines={
                "create": "StableDiffusionPipeline",
                "variant": "StableDiffusionImg2ImgPipeline",
                "inpaint": "StableDiffusionInpaintPipeline",
            },
            clip_skip=1,
            flow=False,
            native=512,
            multiple=8,
            core="unet",
            dtype="float16",
            parts=("vae", "text_encoder"),
        ),
        Family(
            name="sd2",
            answers="sd2",
            pipelines={
                "create": "StableDiffusionPipeline",
                "variant": "StableDiffusionImg2ImgPipeline",
                "inpaint": "StableDiffusionInpaintPipeline",
            },
            clip_skip=1,
            flow=False,
            native=512,
            multiple=8,
            core="unet",
            dtype="float16",
            parts=("vae", "text_encoder"),
        ),
        Family(
            name="sd2-768",
            answers="sd2",
            pipelines={
                "create": "StableDiffusionPipeline",
                "variant": "StableDiffusionImg2ImgPipeline",
                "inpaint": "StableDiffusionInpaintPipeline",
            },
            clip_skip=1,
            flow=False,
            native=768,
            multiple=8,
            core="unet",
            dtype="float16",
            parts=("vae", "text_encoder"),
        ),
        Family(
            name="sdxl",
            answers="sdxl",
            pipelines={
                "create": "StableDiffusionXLPipeline",
                "variant": "StableDiffusionXLImg2ImgPipeline",
                "inpaint": "StableDiffusionXLInpaintPipeline",
            },
            clip_skip=2,
            flow=False,
            multiple=8,
            core="unet",
            dtype="float16",
            parts=("vae", "text_encoder", "text_encoder_2"),
        ),
        Family(
            name="sd3",
            answers="sd3",
            pipelines={
                "create": "StableDiffusion3Pipeline",
                "variant": "StableDiffusion3Img2ImgPipeline",
                "inpaint": "StableDiffusion3InpaintPipeline",
            },
            clip_skip=2,
            # The large text encoder may be left out.
            parts=("vae", "text_encoder", "text_encoder_2"),
        ),
        Family(
            name="flux1",
            answers="flux1",
            pipelines={
                "create": "FluxPipeline",
                "variant": "FluxImg2ImgPipeline",
                "inpaint": "FluxInpaintPipeline",
            },
            negative=False,
        ),
        Family(
            name="flux1-kontext",
            answers="flux1",
            pipelines={
                "create": "FluxKontextPipeline",
                "edit": "FluxKontextPipeline",
                "inpaint": "FluxKontextInpaintPipeline",
            },
            negative=False,
            # The size is the caller's affair, and not that of the sizes that it was trained with.
            always={"_auto_resize": False},
        ),
        Family(
            name="flux2",
            answers="flux2",
            pipelines={"create": "Flux2Pipeline", "edit": "Flux2Pipeline"},
            negative=False,
        ),
        Family(
            name="flux2-klein",
            answers="flux2",
            pipelines={
                "create": "Flux2KleinPipeline",
                "edit": "Flux2KleinPipeline",
                "inpaint": "Flux2KleinInpaintPipeline",
            },
            also=("Flux2KleinKVPipeline",),
            negative=False,
        ),
        Family(
            name="z-image",
            answers="z-image",
            pipelines={
                "create": "ZImagePipeline",
                "variant": "ZImageImg2ImgPipeline",
                "inpaint": "ZImageInpaintPipeline",
            },
            # It goes on from the guided prediction by its distance to the other, and so counts one less.
            cfg_less=1.0,
        ),
        Family(
            name="qwen",
            answers="qwen",
            pipelines={
                "create": "QwenImagePipeline",
                "variant": "QwenImageImg2ImgPipeline",
                "inpaint": "QwenImageInpaintPipeline",
            },
            cfg="true_cfg_scale",
            no_negative=" ",
            native=1328,
        ),
        Family(
            name="qwen-edit",
            answers="qwen",
            pipelines={"edit": "QwenImageEditPipeline", "inpaint": "QwenImageEditInpaintPipeline"},
            cfg="true_cfg_scale",
            no_negative=" ",
            own_size=("inpaint",),
        ),
        Family(
            name="qwen-edit-plus",
            answers="qwen",
            pipelines={"edit": "QwenImageEditPlusPipeline"},
            cfg="true_cfg_scale",
            no_negative=" ",
        ),
        Family(
            name="chroma",
            answers="chroma",
            # Its inpainting pipeline asks the transformer for a value that no Chroma has.
            pipelines={"create": "ChromaPipeline", "variant": "ChromaImg2ImgPipeline"},
        ),
        Family(
            name="mini",
            answers="mini",
            pipelines=dict.fromkeys(("create", "variant"), "heddle.engines.mini.torch.pipeline:MiniPipeline"),
            opener="heddle.engines.mini.torch.pipeline:opened",
            native=256,
            core="painter",
            own_size=("create", "variant"),
        ),
    )
}

#: Kinds by the pipeline class that a folder's `model_index.json` names; the first that has it.
OF_CLASS: Mapping[str, str] = {
    cls: row.name for row in reversed(FAMILIES.values()) for cls in (*row.pipelines.values(), *row.also)
}

#: The families that callers may name.
ANSWERS = tuple(dict.fromkeys(row.answers for row in FAMILIES.values()))
