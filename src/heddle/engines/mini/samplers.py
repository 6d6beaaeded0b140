"""Samplers by the names that four programs give them, as those of `sampling.py`. Imports nothing heavy.

`DPM++ 2M` (A1111, and what pictures say of themselves), `dpM2M` (the old API), `dpmpp_2m` (ComfyUI) and `dpm++2m`
(stable-diffusion.cpp) are one. A schedule that is named with it is the model's own, and that is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: What is run where nothing is asked for.
DEFAULT = "euler"

#: As `sampling.py` calls it: its title, as A1111 writes it, and other spellings, without case, blanks and signs.
_KNOWN: dict[str, tuple[str, tuple[str, ...]]] = {
    "euler": ("Euler", ("euler",)),
    "euler_a": ("Euler a", ("eulera", "eulerancestral")),
    "heun": ("Heun", ("heun",)),
    "dpmpp_2m": ("DPM++ 2M", ("dpmpp2m", "dpm2m")),
}
_SCHEDULES = ("normal", "discrete", "karras", "exponential", "beta", "sgmuniform", "trailing", "simple", "ddimuniform")
_UNSAID = frozenset({"undefined", "default", "automatic"})


class UnknownSampler(ValueError):
    """A name that means no sampler here; the text says what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """What a name means."""

    asked: str
    #: As `sampling.py` calls it.
    name: str
    #: As pictures say it.
    title: str
    #: A sentence where it is not quite what was asked for.
    approximation: str = ""


def choose(asked: str) -> Sampler:
    """Raises UnknownSampler with the names that may be used."""
    key = re.sub(r"[^a-z0-9]", "", asked.lower().replace("+", "p"))
    if not asked.strip() or key in _UNSAID:
        return Sampler(asked=asked, name=DEFAULT, title=_KNOWN[DEFAULT][0])
    for name, (title, spellings) in _KNOWN.items():
        for spelled in spellings:
            rest = key.removeprefix(spelled) if key.startswith(spelled) else None
            if rest == "":
                return Sampler(asked=asked, name=name, title=title)
            # Between the two, ComfyUI's pairs are written with a sign that may be a plus.
            if rest is not None and rest.removeprefix("p") in _SCHEDULES:
                said = f"{asked!r} is run as {title} with the model's own schedule, which is its only one"
                return Sampler(asked=asked, name=name, title=title, approximation=said)
    raise UnknownSampler(f"{asked!r} is not for this flow model, which takes: {', '.join(titles())}")


def titles() -> list[str]:
    """What may be asked for."""
    return [title for title, _ in _KNOWN.values()]
