"""What a picture says of its making: the `parameters` text that image tools read and write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heddle.studio import parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How a picture was asked for."""

    prompt: str
    negative_prompt: str
    steps: int
    sampler: str
    cfg_scale: float
    seed: int
    width: int
    height: int
    model: str | None = None
    stand_in_for: str | None = None
    clip_skip: int | None = None
    strength: float | None = None
    networks: tuple[tuple[str, float], ...] = ()
    version: str = ""


def text(given: Parameters) -> str:
    """The text: prompt, negative prompt, then one line of `Name: value` pairs."""
    pairs: list[tuple[str, object]] = [
        ("Steps", given.steps),
        ("Sampler", given.sampler),
        ("CFG scale", f"{given.cfg_scale:g}"),
        ("Seed", given.seed),
        ("Size", f"{given.width}x{given.height}"),
        ("Model", "sketch"),
    ]
    if given.clip_skip is not None:
        pairs.append(("Clip skip", given.clip_skip))
    if given.strength is not None:
        pairs.append(("Denoising strength", f"{given.strength:g}"))
    pairs.append(("Engine", "sketch"))
    if given.stand_in_for:
        pairs.append(("Stand-in for", given.stand_in_for))
    if given.model:
        pairs.append(("Asked model", parameters.quoted(given.model)))
    if given.networks:
        pairs.append(
            ("Networks", parameters.quoted(", ".join(f"{air} ({strength:g})" for air, strength in given.networks)))
        )
    pairs.append(("Version", f"heddle {given.version}"))
    return parameters.text(given.prompt, given.negative_prompt, pairs)


def record(given: Parameters) -> dict[str, Any]:
    """The same for programs."""
    made: dict[str, Any] = {
        "engine": "sketch",
        "prompt": given.prompt,
        "negativePrompt": given.negative_prompt,
        "steps": given.steps,
        "sampler": given.sampler,
        "cfgScale": given.cfg_scale,
        "seed": given.seed,
        "parameters": text(given),
    }
    if given.stand_in_for:
        made["standInFor"] = given.stand_in_for
    if given.strength is not None:
        made["strength"] = given.strength
    return made
