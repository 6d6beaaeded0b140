"""Form: which sections a piece has, and how long they are, from its length and what was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from heddle.engines.composer.score import Section

ENERGY = {"intro": 0.4, "verse": 0.65, "chorus": 1.0, "bridge": 0.5, "outro": 0.45}
#: How long sections are beside each other.
_WEIGHTS = {"intro": 1, "verse": 2, "chorus": 2, "bridge": 1, "outro": 1}
#: From how many bars on a plan is used.
_PLANS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (44, ("intro", "verse", "chorus", "verse", "chorus", "bridge", "chorus", "outro")),
    (22, ("intro", "verse", "chorus", "verse", "chorus", "outro")),
    (12, ("intro", "verse", "chorus", "outro")),
    (6, ("verse", "chorus")),
    (0, ("verse",)),
)


def sections(bars: int, wanted: Sequence[str], energy: float) -> tuple[Section, ...]:
    """The plan of a piece of so many bars."""
    names = tuple(wanted[: max(1, bars)]) or next(plan for least, plan in _PLANS if bars >= least)
    unit = 4 if bars >= 8 * len(names) else 2 if bars >= 3 * len(names) else 1
    total = sum(_WEIGHTS[name] for name in names)
    made: list[Section] = []
    first, weight = 0, 0
    for index, name in enumerate(names):
        weight += _WEIGHTS[name]
        left = len(names) - index - 1
        end = bars if not left else min(bars - left, max(first + 1, round(bars * weight / total / unit) * unit))
        level = min(1.0, max(0.2, ENERGY[name] + energy))
        made.append(Section(name=name, first_bar=first, bars=end - first, energy=level))
        first = end
    return tuple(made)
