"""The table of node classes: what each takes, within which bounds, and what it gives.

The page of all nodes is made from it (`scripts/reference.py`); what each class does with its inputs is in the engine.
"""

from __future__ import annotations

from collections.abc import Mapping

from heddle.graph import Input, Measure, Node, NodeClass, sizes

#: Longest text of an input.
MOST_TEXT = 20_000

#: Largest side that a graph may write down; what it may add up to is bounded as well.
MOST_SIDE = 8192

#: Largest seed.
MOST_SEED = 2**64 - 1

#: Classes that hold notes and values for the editor only; they are left out.
NOTES = frozenset({"Note", "MarkdownNote", "PrimitiveNode"})

SAMPLERS = (
    "euler", "euler_cfg_pp", "euler_ancestral", "euler_ancestral_cfg_pp", "heun", "heunpp2", "dpm_2", "dpm_2_ancestral",
    "lms", "dpm_fast", "dpm_adaptive", "dpmpp_2s_ancestral", "dpmpp_2s_ancestral_cfg_pp", "dpmpp_sde", "dpmpp_sde_gpu",
    "dpmpp_2m", "dpmpp_2m_cfg_pp", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "ddpm",
    "lcm", "ipndm", "ipndm_v", "deis", "res_multistep", "res_multistep_cfg_pp", "res_multistep_ancestral",
    "res_multistep_ancestral_cfg_pp", "gradient_estimation", "er_sde", "seeds_2", "seeds_3", "sa_solver", "ddim",
    "uni_pc", "uni_pc_bh2",
)  # fmt: skip
SCHEDULERS = (
    "normal", "karras", "exponential", "sgm_uniform", "simple", "ddim_uniform", "beta", "linear_quadratic",
    "kl_optimal",
)  # fmt: skip
_SCALING = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")
_LATENT_SCALING = ("nearest-exact", "bilinear", "area", "bicubic", "bislerp")
_CROPPING = ("disabled", "center")
_CHANNELS = ("red", "green", "blue", "alpha")
BLENDS = ("normal", "multiply", "screen", "overlay", "soft_light", "difference")
COMBINATIONS = ("multiply", "add", "subtract", "and", "or", "xor")


def _link(name: str, kind: str, *, optional: bool = False) -> Input:
    return Input(name=name, type=kind, optional=optional)


def _int(name: str, default: int | None, low: int = 0, high: int = MOST_SIDE) -> Input:
    return Input(name=name, type="INT", default=default, low=low, high=high)


def _float(name: str, default: float | None, low: float, high: float) -> Input:
    return Input(name=name, type="FLOAT", default=default, low=low, high=high)


def _text(name: str, default: str | None = None) -> Input:
    return Input(name=name, type="STRING", default=default)


def _choice(name: str, choices: tuple[str, ...], default: str | None = None) -> Input:
    return Input(name=name, type="STRING", default=default or choices[0], choices=choices)


def _flag(name: str, default: bool | None) -> Input:
    return Input(name=name, type="BOOLEAN", default=default)


def _model(name: str, weights: str) -> Input:
    return Input(name=name, type="STRING", weights=weights)


def _size(default: int, low: int = 1) -> tuple[Input, Input]:
    return _int("width", default, low), _int("height", default, low)


def _place() -> tuple[Input, Input]:
    return _int("x", 0), _int("y", 0)


def _margins() -> tuple[Input, ...]:
    return tuple(_int(name, 0) for name in ("left", "top", "right", "bottom"))


_Rows = tuple[tuple[str, tuple[Input, ...], tuple[str, ...], Measure | None, str], ...]

_MODELS: _Rows = (
    ("CheckpointLoaderSimple", (_model("ckpt_name", "checkpoint"),), ("MODEL", "CLIP", "VAE"), None,
     "names the model that draws"),
    ("UNETLoader", (_model("unet_name", "checkpoint"), _text("weight_dtype", "default")), ("MODEL",), None,
     "the same, of a file with the model alone"),
    ("CLIPLoader", (_model("clip_name", "clip"), _text("type", "stable_diffusion"), _text("device", "default")),
     ("CLIP",), None, "names a text encoder"),
    ("DualCLIPLoader",
     (_model("clip_name1", "clip"), _model("clip_name2", "clip"), _text("type", "sdxl"), _text("device", "default")),
     ("CLIP",), None, "names two"),
    ("VAELoader", (_model("vae_name", "vae"),), ("VAE",), None, "names a decoder"),
    ("LoraLoader",
     (_link("model", "MODEL"), _link("clip", "CLIP"), _model("lora_name", "lora"),
      _float("strength_model", 1.0, -10, 10), _float("strength_clip", 1.0, -10, 10)),
     ("MODEL", "CLIP"), None, "adds a LoRA; `strength_model` counts"),
    ("LoraLoaderModelOnly",
     (_link("model", "MODEL"), _model("lora_name", "lora"), _float("strength_model", 1.0, -10, 10)),
     ("MODEL",), None, "adds a LoRA"),
    ("UpscaleModelLoader", (_model("model_name", "upscaler"),), ("UPSCALE_MODEL",), sizes.factor,
     "names an upscaler; its factor is read from the name"),
)  # fmt: skip

_TEXTS: _Rows = (
    ("CLIPTextEncode", (_text("text"), _link("clip", "CLIP")), ("CONDITIONING",), None, "a prompt"),
    ("CLIPSetLastLayer", (_link("clip", "CLIP"), _int("stop_at_clip_layer", -1, -24, -1)), ("CLIP",), None,
     "clip skip; is told to the picture engine"),
    ("ConditioningCombine", (_link("conditioning_1", "CONDITIONING"), _link("conditioning_2", "CONDITIONING")),
     ("CONDITIONING",), None, "both prompts, one after the other"),
    ("ConditioningConcat", (_link("conditioning_to", "CONDITIONING"), _link("conditioning_from", "CONDITIONING")),
     ("CONDITIONING",), None, "both prompts, one after the other"),
    ("ConditioningAverage",
     (_link("conditioning_to", "CONDITIONING"), _link("conditioning_from", "CONDITIONING"),
      _float("conditioning_to_strength", 1.0, 0, 1)),
     ("CONDITIONING",), None, "both prompts, the stronger first, with their weights"),
    ("ConditioningZeroOut", (_link("conditioning", "CONDITIONING"),), ("CONDITIONING",), None, "an empty prompt"),
)  # fmt: skip

_LATENTS: _Rows = (
    ("KSampler",
     (_link("model", "MODEL"), _int("seed", 0, 0, MOST_SEED), _int("steps", 20, 1, 150), _float("cfg", 8.0, 0, 100),
      _choice("sampler_name", SAMPLERS), _choice("scheduler", SCHEDULERS), _link("positive", "CONDITIONING"),
      _link("negative", "CONDITIONING"), _link("latent_image", "LATENT"), _float("denoise", 1.0, 0, 1)),
     ("LATENT",), sizes.like("latent_image"),
     "draws; from a picture, and with `denoise` below 1, a variant of it"),
    ("KSamplerAdvanced",
     (_link("model", "MODEL"), _choice("add_noise", ("enable", "disable")), _int("noise_seed", 0, 0, MOST_SEED),
      _int("steps", 20, 1, 150), _float("cfg", 8.0, 0, 100), _choice("sampler_name", SAMPLERS),
      _choice("scheduler", SCHEDULERS), _link("positive", "CONDITIONING"), _link("negative", "CONDITIONING"),
      _link("latent_image", "LATENT"), _int("start_at_step", 0, 0, 10_000), _int("end_at_step", 10_000, 0, 10_000),
      _choice("return_with_leftover_noise", ("disable", "enable"))),
     ("LATENT",), sizes.like("latent_image"),
     "the same; the share of the steps from `start_at_step` on is the strength"),
    ("EmptyLatentImage", (*_size(512, 16), _int("batch_size", 1, 1, 64)), ("LATENT",), sizes.latent,
     "a size to draw in"),
    ("EmptySD3LatentImage", (*_size(1024, 16), _int("batch_size", 1, 1, 64)), ("LATENT",), sizes.latent,
     "a size to draw in"),
    ("LatentUpscale",
     (_link("samples", "LATENT"), _choice("upscale_method", _LATENT_SCALING), *_size(512, 0),
      _choice("crop", _CROPPING)),
     ("LATENT",), sizes.scaled_latent, "scales to a size; 0 keeps the shape"),
    ("LatentUpscaleBy",
     (_link("samples", "LATENT"), _choice("upscale_method", _LATENT_SCALING), _float("scale_by", 1.5, 0.01, 8)),
     ("LATENT",), sizes.scaled_latent_by, "scales by a factor"),
    ("RepeatLatentBatch", (_link("samples", "LATENT"), _int("amount", 1, 1, 64)), ("LATENT",), sizes.repeated,
     "the batch several times"),
    ("SetLatentNoiseMask", (_link("samples", "LATENT"), _link("mask", "MASK")), ("LATENT",), sizes.like("samples"),
     "samplers change only what is masked"),
    ("VAEDecode", (_link("samples", "LATENT"), _link("vae", "VAE")), ("IMAGE",), sizes.like("samples"),
     "the picture of a latent"),
    ("VAEDecodeTiled",
     (_link("samples", "LATENT"), _link("vae", "VAE"), _int("tile_size", 512, 64, 4096), _int("overlap", 64, 0, 4096),
      _int("temporal_size", 64, 8, 4096), _int("temporal_overlap", 8, 4, 4096)),
     ("IMAGE",), sizes.like("samples"), "the same; tiles are not needed here"),
    ("VAEEncode", (_link("pixels", "IMAGE"), _link("vae", "VAE")), ("LATENT",), sizes.encoded,
     "a picture to start from, cut to multiples of 8"),
    ("VAEEncodeForInpaint",
     (_link("pixels", "IMAGE"), _link("vae", "VAE"), _link("mask", "MASK"), _int("grow_mask_by", 6, 0, 64)),
     ("LATENT",), sizes.encoded, "the same; only what is masked is drawn anew"),
)  # fmt: skip

_PICTURES: _Rows = (
    ("LoadImage", (_text("image"),), ("IMAGE", "MASK"), None, "a source picture, and what is transparent in it"),
    ("EmptyImage", (*_size(512), _int("batch_size", 1, 1, 64), _int("color", 0, 0, 0xFFFFFF)), ("IMAGE",), sizes.given,
     "one color"),
    ("ImageScale",
     (_link("image", "IMAGE"), _choice("upscale_method", _SCALING), *_size(512, 0), _choice("crop", _CROPPING)),
     ("IMAGE",), sizes.scaled, "scales to a size; 0 keeps the shape"),
    ("ImageScaleBy", (_link("image", "IMAGE"), _choice("upscale_method", _SCALING), _float("scale_by", 1.0, 0.01, 8)),
     ("IMAGE",), sizes.scaled_by, "scales by a factor"),
    ("ImageScaleToTotalPixels",
     (_link("image", "IMAGE"), _choice("upscale_method", _SCALING), _float("megapixels", 1.0, 0.01, 16)),
     ("IMAGE",), sizes.scaled_to_total, "scales to so many times 1024x1024 pixels"),
    ("ImageUpscaleWithModel", (_link("upscale_model", "UPSCALE_MODEL"), _link("image", "IMAGE")), ("IMAGE",),
     sizes.upscaled, "scales by the upscaler's factor, by interpolation, and sharpens"),
    ("ImageCrop", (_link("image", "IMAGE"), *_size(512), *_place()), ("IMAGE",), sizes.cropped, "cuts out"),
    ("ImageInvert", (_link("image", "IMAGE"),), ("IMAGE",), sizes.like("image"), "the negative"),
    ("ImageBlend",
     (_link("image1", "IMAGE"), _link("image2", "IMAGE"), _float("blend_factor", 0.5, 0, 1),
      _choice("blend_mode", BLENDS)),
     ("IMAGE",), sizes.larger_batch("image1", "image2"), "mixes two pictures, at the first one's size"),
    ("ImageBlur", (_link("image", "IMAGE"), _int("blur_radius", 1, 1, 31), _float("sigma", 1.0, 0.1, 10)), ("IMAGE",),
     sizes.like("image"), "a Gaussian, cut off at the radius"),
    ("ImageSharpen",
     (_link("image", "IMAGE"), _int("sharpen_radius", 1, 1, 31), _float("sigma", 1.0, 0.1, 10),
      _float("alpha", 1.0, 0, 5)),
     ("IMAGE",), sizes.like("image"), "adds what a Gaussian takes away, `alpha` times"),
    ("ImagePadForOutpaint", (_link("image", "IMAGE"), *_margins(), _int("feathering", 40)), ("IMAGE", "MASK"),
     sizes.padded, "gray margins, and the mask to fill them"),
    ("ImageBatch", (_link("image1", "IMAGE"), _link("image2", "IMAGE")), ("IMAGE",), sizes.joined,
     "one batch of two, at the first one's size"),
    ("ImageFromBatch", (_link("image", "IMAGE"), _int("batch_index", 0, 0, 4095), _int("length", 1, 1, 4096)),
     ("IMAGE",), sizes.some, "some pictures of a batch"),
    ("ImageCompositeMasked",
     (_link("destination", "IMAGE"), _link("source", "IMAGE"), *_place(), _flag("resize_source", default=False),
      _link("mask", "MASK", optional=True)),
     ("IMAGE",), sizes.larger_batch("destination", "source"), "lays one picture over another, where the mask is 1"),
)  # fmt: skip

_MASKS: _Rows = (
    ("LoadImageMask", (_text("image"), _choice("channel", _CHANNELS, "alpha")), ("MASK",), None,
     "a channel of a source picture; of `alpha` what is transparent"),
    ("SolidMask", (_float("value", 1.0, 0, 1), *_size(512)), ("MASK",), sizes.given, "one value everywhere"),
    ("InvertMask", (_link("mask", "MASK"),), ("MASK",), sizes.like("mask"), "1 less the mask"),
    ("ImageToMask", (_link("image", "IMAGE"), _choice("channel", _CHANNELS[:3])), ("MASK",), sizes.like("image"),
     "a channel of a picture"),
    ("MaskToImage", (_link("mask", "MASK"),), ("IMAGE",), sizes.like("mask"), "the mask as a gray picture"),
    ("GrowMask", (_link("mask", "MASK"), _int("expand", 0, -256, 256), _flag("tapered_corners", default=True)),
     ("MASK",), sizes.like("mask"), "grows by pixels, or shrinks"),
    ("FeatherMask", (_link("mask", "MASK"), *_margins()), ("MASK",), sizes.like("mask"), "fades out toward the edges"),
    ("CropMask", (_link("mask", "MASK"), *_place(), *_size(512)), ("MASK",), sizes.cropped, "cuts out"),
    ("MaskComposite",
     (_link("destination", "MASK"), _link("source", "MASK"), *_place(), _choice("operation", COMBINATIONS)),
     ("MASK",), sizes.larger_batch("destination", "source"), "lays one mask over another"),
)  # fmt: skip

_VALUES: _Rows = (
    ("PrimitiveInt", (_int("value", None, -(2**63), MOST_SEED),), ("INT",), None, "a value for other nodes"),
    ("PrimitiveFloat", (_float("value", None, -1e15, 1e15),), ("FLOAT",), None, "a value for other nodes"),
    ("PrimitiveString", (_text("value"),), ("STRING",), None, "a value for other nodes"),
    ("PrimitiveStringMultiline", (_text("value"),), ("STRING",), None, "a value for other nodes"),
    ("PrimitiveBoolean", (_flag("value", None),), ("BOOLEAN",), None, "a value for other nodes"),
    ("Reroute", (), ("*",), None, "gives on what it is linked to"),
)

_RESULTS: _Rows = (
    ("SaveImage", (_link("images", "IMAGE"), _text("filename_prefix", "ComfyUI")), (), None, "a result of the graph"),
    ("PreviewImage", (_link("images", "IMAGE"),), (), None,
     "the same with the role `preview` where there is a SaveImage too"),
)  # fmt: skip

_GROUPS: Mapping[str, _Rows] = {
    "Models": _MODELS,
    "Prompts": _TEXTS,
    "Latents": _LATENTS,
    "Pictures": _PICTURES,
    "Masks": _MASKS,
    "Values": _VALUES,
    "Results": _RESULTS,
}

#: Every node class by its name.
CLASSES: Mapping[str, NodeClass] = {
    name: NodeClass(
        name=name, group=group, inputs=inputs, outputs=outputs, size=size, does=does, saves=group == "Results"
    )
    for group, rows in _GROUPS.items()
    for name, inputs, outputs, size, does in rows
}

#: Classes whose input `image` names a source picture.
SOURCES = ("LoadImage", "LoadImageMask")

#: Classes that draw, and the input that holds their seed.
SEEDS: Mapping[str, str] = {"KSampler": "seed", "KSamplerAdvanced": "noise_seed"}


def seed_of(node: Node, offset: int) -> int:
    """The seed of a sampler in a run whose seeds are so much higher."""
    return (node.number(SEEDS[node.kind.name]) + offset) % (MOST_SEED + 1)
