"""What a job asks for, read from its payload; and what of it cannot be done, told at submit. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heddle import air
from heddle.domain import JSON
from heddle.engines.mini import loras, samplers
from heddle.engines.mini.loras import Network
from heddle.engines.mini.samplers import Sampler, UnknownSampler
from heddle.engines.mini.weights import Unusable

#: Pixels per side: smallest, largest.
SIDES = (128, 2048)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One job."""

    operation: str
    prompt: str
    negative_prompt: str
    width: int
    height: int
    steps: int
    cfg: float
    seed: int
    sampler: Sampler
    #: The source picture, and how far the result may leave it.
    source: str | None
    strength: float | None
    kind: str
    model: str | None
    #: As they were named.
    networks: tuple[tuple[str, float], ...]
    #: Those that change something.
    stack: tuple[Network, ...]


def of(payload: JSON) -> Asked:
    """Raises UnknownSampler."""
    images: list[Any] = list(payload.get("images") or ())
    networks = list(_networks(payload))
    return Asked(
        operation=str(payload.get("operation") or "create"),
        prompt=str(payload.get("prompt") or ""),
        negative_prompt=str(payload.get("negativePrompt") or ""),
        width=int(payload["width"]),
        height=int(payload["height"]),
        steps=int(payload["steps"]),
        cfg=float(payload["cfgScale"]),
        seed=int(payload["seed"]),
        sampler=samplers.choose(str(payload.get("sampler") or "")),
        source=str(images[0]) if images else None,
        strength=float(payload.get("strength", 0.7)) if images else None,
        kind=str(payload.get("outputFormat") or "png"),
        model=payload.get("model"),
        networks=tuple((network.air, network.strength) for network in networks),
        stack=tuple(_summed(networks)),
    )


def problems(payload: JSON) -> dict[str, str]:
    """By the field of the step's input."""
    return dict(_problems(payload))


def _problems(payload: JSON) -> Iterator[tuple[str, str]]:
    try:
        samplers.choose(str(payload.get("sampler") or ""))
    except UnknownSampler as error:
        yield "sampler", str(error)
    if (payload.get("clipSkip") or 1) > 1:
        yield "clipSkip", f"{payload['clipSkip']}: mini has no layers of a text encoder to leave out; 1 leaves out none"
    if payload.get("vae"):
        yield "vae", f"{payload['vae']!r} cannot be put in: mini has a decoder of its own"
    if payload.get("controlNets"):
        yield "controlNets", "mini takes none; a source picture in `images` says where things are"
    for network in _networks(payload):
        if wrong := _of_network(network):
            yield f"additionalNetworks[{network.at}].air", wrong


def _of_network(network: Network) -> str:
    kind = air.parse(network.air).type
    if kind != "lora":
        return f"{network.air!r} is a {kind}; mini takes LoRAs"
    try:
        loras.check(network.path)
    except Unusable as error:
        return str(error)
    return ""


def _networks(payload: JSON) -> Iterator[Network]:
    for at, given in enumerate(payload.get("networks") or ()):
        path = Path(payload["weights"][given["air"]]["path"])
        yield Network(air=given["air"], at=at, strength=float(given.get("strength", 1.0)), path=path)


def _summed(networks: Iterable[Network]) -> list[Network]:
    """One that is named twice is as strong as both together; one without strength is as if it had not been named."""
    found: dict[str, Network] = {}
    for network in networks:
        before = found[network.air].strength if network.air in found else 0.0
        found[network.air] = replace(network, strength=network.strength + before)
    return [network for network in found.values() if network.strength]
