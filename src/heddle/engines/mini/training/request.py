"""What a training of `mini` is asked for. Imports nothing heavy."""

from __future__ import annotations

import re

from heddle.domain import JSON
from heddle.learning import request
from heddle.learning.request import Wanted

FAMILY = "mini"

#: Pixels per side, of which there is no choice: the networks know one size.
SIDE = 256
#: How strongly samples follow their prompts, and in how many steps they are made: as the engine does unasked.
CFG = 2.0
SAMPLE_STEPS = 20
#: So many views has every step: pictures of the batch, each at several noise levels where they are fewer.
VIEWS = 8

#: Layers that learn: those of attention, the two that follow it, and what makes the finest of a picture.
LEARNS = re.compile(
    r"painter\.trunk\.blocks\.\d+\.((itself|text)\.(query|keys|out)|feed\.(inner|out))"
    r"|painter\.up\.\d+\.(first|second)"
)

OPTIMIZERS = ("adamw", "adamw8bit", "adam8bit")


def wanted(payload: JSON) -> Wanted:
    """As the step type wrote it."""
    return Wanted.of(payload, resolution=SIDE, cfg=CFG)


def problems(payload: JSON) -> dict[str, str]:
    """What of a payload cannot be done here: field -> sentence."""
    found = request.problems(payload, OPTIMIZERS)
    if (side := payload.get("resolution") or SIDE) != SIDE:
        found["resolution"] = f"'mini' learns at {SIDE}, and not at {side}; leave it out"
    for field in ("noiseOffset", "minSnrGamma"):
        if payload.get(field):
            found[field] = "is for models of diffusion; 'mini' is trained on flow, without it"
    return found
