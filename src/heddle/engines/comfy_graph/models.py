"""Nodes that name models, and nodes that work on prompts. Nothing is loaded: the picture engine gets the names."""

from __future__ import annotations

from dataclasses import replace

from heddle.engines.comfy_graph.values import Clip, Conditioning, Given, Inputs, Model, Upscaler, Vae
from heddle.graph import weights
from heddle.graph.sizes import factor_of
from heddle.graph.table import MOST_TEXT


def checkpoint(inputs: Inputs) -> Given:
    name = inputs.text("ckpt_name")
    return Model(checkpoint=name), Clip(), Vae(name)


def model_alone(inputs: Inputs) -> Given:
    return (Model(checkpoint=inputs.text("unet_name")),)


def text_encoder(_: Inputs) -> Given:
    return (Clip(),)


def decoder(inputs: Inputs) -> Given:
    return (Vae(inputs.text("vae_name")),)


def upscaler(inputs: Inputs) -> Given:
    return (Upscaler(factor_of(inputs.text("model_name"))),)


def with_lora(inputs: Inputs) -> Given:
    return *model_with_lora(inputs), inputs.of("clip", Clip)


def model_with_lora(inputs: Inputs) -> Given:
    model = inputs.of("model", Model)
    added = (weights.network(inputs.text("lora_name")), inputs.fraction("strength_model"))
    return (replace(model, networks=(*model.networks, added)),)


def skipping(inputs: Inputs) -> Given:
    """Layer -1 is the last one, with which nothing is skipped."""
    return (Clip(skip=-inputs.number("stop_at_clip_layer")),)


def prompt(inputs: Inputs) -> Given:
    return (Conditioning(text=inputs.text("text"), skip=inputs.of("clip", Clip).skip),)


def combined(inputs: Inputs) -> Given:
    return (_joined(inputs, inputs.of("conditioning_1", Conditioning), inputs.of("conditioning_2", Conditioning)),)


def appended(inputs: Inputs) -> Given:
    return (_joined(inputs, inputs.of("conditioning_to", Conditioning), inputs.of("conditioning_from", Conditioning)),)


def averaged(inputs: Inputs) -> Given:
    """Prompts cannot be mixed as numbers can: the stronger is said first, and each has its weight."""
    share = inputs.fraction("conditioning_to_strength")
    both = [
        (share, inputs.of("conditioning_to", Conditioning)),
        (1 - share, inputs.of("conditioning_from", Conditioning)),
    ]
    both.sort(key=lambda pair: -pair[0])
    (most, first), (least, second) = both
    if least == 0 or not second.text.strip():
        return (first,)
    weighted = (replace(c, text=f"({c.text}:{w:g})") for c, w in ((first, most), (second, least)))
    return (_joined(inputs, *weighted),)


def emptied(inputs: Inputs) -> Given:
    return (replace(inputs.of("conditioning", Conditioning), text=""),)


def _joined(inputs: Inputs, first: Conditioning, second: Conditioning) -> Conditioning:
    """Bounded, because a prompt that is joined to itself again and again doubles each time."""
    text = ", ".join(c.text for c in (first, second) if c.text.strip())
    if len(text) > MOST_TEXT:
        raise inputs.failed(f"the prompts have {len(text)} characters together; at most {MOST_TEXT} are taken")
    return replace(first, text=text)
