"""From noise to things, from things to a plan, and from noise to latents: the loop that engine and evaluation share.

A network is a callable on arrays whose first axis is the picture: `Layout(x, level, told)` and `Painter(x, level, plan,
told)` give what is clean (x0) in x, where x = (1 - level) * clean + level * noise. Who calls them with PyTorch wraps
them in a line; nothing here knows how they compute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from heddle.engines.mini import codec, plan, things, windows
from heddle.engines.mini.things import Thing

Floats = npt.NDArray[np.float32]


class Told(NamedTuple):
    """What the text encoder makes of prompts: features (N, 40, 144), their means (N, 144), what hides padding."""

    features: Floats
    pooled: Floats
    bias: Floats


#: x (N, 4, 22), noise levels (N), the texts: the things.
Layout = Callable[[Floats, Floats, Told], Floats]
#: x (N, 24, 16, 16), noise levels (N), plans, the texts: the latents.
Painter = Callable[[Floats, Floats, Floats, Told], Floats]
#: x, noise levels (N), the texts: what is clean in it.
Network = Callable[[Floats, Floats, Told], Floats]
#: x, its noise level: what is clean in it.
Predict = Callable[[Floats, float], Floats]
#: Steps done, of how many, and what the last one took to be clean.
Watch = Callable[[int, int, Floats], None]

#: How far each stage's noise levels are moved up: the large decisions fall where there is most noise.
LAYOUT_SHIFT, PAINTER_SHIFT = 3.0, 2.0
#: What guidance beyond 1 is multiplied with.
PAINTER_GUIDANCE = 0.5

#: How often things are placed for a picture: the network sees to what is said, and now and then lays one thing over
#: another, so the least crowded of some is taken. A try costs a thirtieth of what painting does.
TRIES = 4
#: Up to this strength the plan of a source stays as it is; beyond, so little of its latents is left that another fits.
_STAYS = 0.75
#: How often, and in how many steps, the layout is asked what a negative prompt names.
_LOOKS, _LOOK_STEPS = 4, 8
_LEAST_LEVEL = 1e-3

#: The streams of chance of one seed.
LAYOUT, PAINTER, _FRESH = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """How both stages are run."""

    steps: int = 20
    cfg: float = 2.0
    sampler: str = "euler"
    layout_shift: float = LAYOUT_SHIFT
    painter_shift: float = PAINTER_SHIFT


# ── plans ─────────────────────────────────────────────────────────────────────


def laid_out(
    network: Layout, told: Told, seeds: Sequence[int], knobs: Knobs, *, against: Told | None = None,
    watch: Watch | None = None,
) -> list[list[Thing]]:  # fmt: skip
    """What is where, for each seed, out of noise, less what the texts `against` name where guidance leads away."""
    schedule = levels(knobs.steps, knobs.layout_shift)
    predict = placing(network, tries(told))

    def fresh(step: int) -> Floats:
        return begin(seeds, _FRESH + LAYOUT + 2 * step)

    rows = sample(predict, begin(seeds), schedule, knobs.sampler, fresh, watch)
    return kept(network, rows, against if knobs.cfg > 1 else None)


def tries(told: Told) -> Told:
    """Texts, each as often as things are placed for it."""
    return Told(*(np.repeat(part, TRIES, axis=0) for part in told))


def begin(seeds: Sequence[int], stream: int = LAYOUT) -> Floats:
    """Noise (N * TRIES, 4, 22) for the things of each seed."""
    return noise(seeds, stream, (TRIES, *things.SHAPE)).reshape(-1, *things.SHAPE)


def kept(network: Layout, rows: Floats, against: Told | None) -> list[list[Thing]]:
    """The things of rows (N * TRIES, 4, 22): of each seed's tries the least crowded, less what texts name, which is
    what the layout places for them whatever the noise."""
    found = [things.read(row) for row in rows]
    best = [min(found[at : at + TRIES], key=things.crowding) for at in range(0, len(found), TRIES)]
    if against is None:
        return best
    return [things.without(row, _unwanted(network, against, at)) for at, row in enumerate(best)]


def _unwanted(network: Layout, against: Told, at: int) -> list[Thing]:
    text = Told(*(np.repeat(part[at : at + 1], _LOOKS, axis=0) for part in against))
    rows = sample(
        placing(network, text), noise(range(_LOOKS), LAYOUT, things.SHAPE), levels(_LOOK_STEPS, LAYOUT_SHIFT), "euler",
        lambda _: np.zeros(0, dtype=np.float32), None,
    )  # fmt: skip
    return things.certain([things.read(row) for row in rows])


def placing(network: Layout, told: Told) -> Predict:
    """What the layout predicts. It has no guidance: beyond what the text says, boxes would only leave their places."""
    return lambda x, level: network(x, np.full(len(x), level, dtype=np.float32), told)


def plans(made: Sequence[Sequence[Thing]], cells: tuple[int, int]) -> Floats:
    """Plans (N, 22, down, across) of things."""
    return np.stack([things.planned(row, cells) for row in made])


def cleared(read: Floats) -> Floats:
    """Plans (N, 22, down, across) that were read from pictures, as the things that they show."""
    return plans([things.found(row) for row in read], (read.shape[2], read.shape[3]))


def stays(strength: float) -> bool:
    """Whether things stay where a source has them, or are placed anew: nothing between the two is a picture."""
    return strength <= _STAYS


# ── latents ───────────────────────────────────────────────────────────────────


def latents(
    network: Painter, plan_of: Floats, told: Told, untold: Told, seeds: Sequence[int], knobs: Knobs, *,
    start: Floats | None = None, level: float = 1.0, watch: Watch | None = None,
) -> Floats:  # fmt: skip
    """Latents (N, 24, H, W) under plans (N, 22, H, W); more than 16 x 16 is painted in windows that overlap."""
    shape = (codec.CHANNELS, *plan_of.shape[2:])
    x = begun(noise(seeds, PAINTER, shape), start, level)
    schedule = levels(knobs.steps, knobs.painter_shift, level)
    predict = painting(network, plan_of, told, untold, knobs.cfg)
    return sample(predict, x, schedule, knobs.sampler, _fresh(seeds, PAINTER, shape), watch)


def painting(network: Painter, plan_of: Floats, told: Told, untold: Told, cfg: float) -> Predict:
    """What the painter predicts under plans, with guidance, in windows where they are larger than one."""
    scale = 1 + (cfg - 1) * PAINTER_GUIDANCE

    def window(x: Floats, level: float, y: int, left: int) -> Floats:
        part = np.s_[:, :, y : y + plan.CELLS, left : left + plan.CELLS]
        under = plan_of[part]

        def network_under(x: Floats, levels: Floats, texts: Told) -> Floats:
            return network(x, levels, under if len(x) == len(under) else np.concatenate([under, under]), texts)

        return guided(network_under, told, untold, scale)(x[part], level)

    return joined(window, *plan_of.shape[2:])


def _sum(a: float, x: Floats, b: float, y: Floats) -> Floats:
    first: Floats = x * a
    second: Floats = y * b
    return first + second


# ── noise ─────────────────────────────────────────────────────────────────────


def noise(seeds: Sequence[int], stream: int, shape: tuple[int, ...]) -> Floats:
    """Noise (N, ...): of each seed the same, whatever is drawn beside it."""
    rows = [np.random.Generator(np.random.Philox(key=(seed % 2**64, stream))) for seed in seeds]
    return np.stack([row.standard_normal(shape, dtype=np.float32) for row in rows])


def begun(drawn: Floats, start: Floats | None, level: float) -> Floats:
    """Where the way begins: noise, or what is there already, noised to a level."""
    return drawn if start is None or level >= 1 else _sum(1 - level, start, level, drawn)


def _fresh(seeds: Sequence[int], stage: int, shape: tuple[int, ...]) -> Callable[[int], Floats]:
    """Noise for a step, for samplers that add some."""
    return lambda step: noise(seeds, _FRESH + stage + 2 * step, shape)


def levels(steps: int, shift: float, start: float = 1.0) -> list[float]:
    """Noise levels from `start` to 0, one more than steps, moved up by `shift`."""
    # Nearer to 0 the quotients of levels leave the range of 32 bits, and nothing could be seen of it.
    start = max(start, _LEAST_LEVEL)
    first = start / (shift - (shift - 1) * start)
    rows = [first * (steps - at) / steps for at in range(steps)]
    return [shift * u / (1 + (shift - 1) * u) for u in rows] + [0.0]


# ── guidance and windows ──────────────────────────────────────────────────────


def guided(network: Network, told: Told, untold: Told, scale: float) -> Predict:
    """What the text says, led away from what it is not to be; both in one call. At scale 1 the text alone."""
    both = Told(*(np.concatenate(pair) for pair in zip(told, untold, strict=True)))

    def predict(x: Floats, level: float) -> Floats:
        if scale == 1:
            return network(x, np.full(len(x), level, dtype=np.float32), told)
        made = network(np.concatenate([x, x]), np.full(2 * len(x), level, dtype=np.float32), both)
        said, unsaid = made[: len(x)], made[len(x) :]
        return _sum(1 - scale, unsaid, scale, said)

    return predict


def joined(window: Callable[[Floats, float, int, int], Floats], high: int, wide: int) -> Predict:
    """A canvas by windows of 16 x 16 that overlap: each predicts, and where several do, their mean is taken."""
    places = [(y, x) for y in windows.starts(high) for x in windows.starts(wide)]

    def predict(x: Floats, level: float) -> Floats:
        if len(places) == 1:
            return window(x, level, 0, 0)
        total, weight = np.zeros_like(x), np.zeros(x.shape[2:], dtype=np.float32)
        for y, left in places:
            part = np.s_[y : y + plan.CELLS, left : left + plan.CELLS]
            total[(..., *part)] += window(x, level, y, left) * _RAMP
            weight[part] += _RAMP
        return total / weight

    return predict


def _ramp() -> Floats:
    """What a window counts in a cell: less toward its edges, so that none of them shows."""
    rise = np.minimum(np.arange(1, plan.CELLS + 1), np.arange(plan.CELLS, 0, -1)).astype(np.float32)
    return np.outer(rise, rise)


_RAMP = _ramp()


# ── samplers ──────────────────────────────────────────────────────────────────


def sample(
    predict: Predict,
    x: Floats,
    schedule: Sequence[float],
    sampler: str,
    fresh: Callable[[int], Floats],
    watch: Watch | None,
) -> Floats:
    """Down the schedule. Raises KeyError for a sampler that is not in `SAMPLERS`."""
    step = SAMPLERS[sampler](predict, fresh)
    count = len(schedule) - 1
    for at in range(count):
        x, clean = step(x, schedule[at], schedule[at + 1], at)
        if watch is not None:
            watch(at + 1, count, clean)
    return x


#: x, its level, the next level, the step's number: the next x, and what was taken to be clean.
Step = Callable[[Floats, float, float, int], tuple[Floats, Floats]]


def _euler(predict: Predict, fresh: Callable[[int], Floats]) -> Step:  # noqa: ARG001 - as every sampler
    def step(x: Floats, level: float, then: float, _at: int) -> tuple[Floats, Floats]:
        clean = predict(x, level)
        return _sum(then / level, x, 1 - then / level, clean), clean

    return step


def _heun(predict: Predict, fresh: Callable[[int], Floats]) -> Step:  # noqa: ARG001 - as every sampler
    def step(x: Floats, level: float, then: float, _at: int) -> tuple[Floats, Floats]:
        clean = predict(x, level)
        first: Floats = (x - clean) / level
        ahead = _sum(1, x, then - level, first)
        if then == 0:
            return ahead, clean
        clean = predict(ahead, then)
        second: Floats = (ahead - clean) / then
        return _sum(1, x, (then - level) / 2, first + second), clean

    return step


def _dpmpp_2m(predict: Predict, fresh: Callable[[int], Floats]) -> Step:  # noqa: ARG001 - as every sampler
    """DPM-Solver++ of the second order: the last prediction but one tells how the next will differ."""
    last: list[tuple[float, Floats]] = []

    def step(x: Floats, level: float, then: float, _at: int) -> tuple[Floats, Floats]:
        clean = predict(x, level)
        led = clean
        if last and then > 0 and last[0][0] < 1:
            before, was = last[0]
            share = (_snr(then) - _snr(level)) / (2 * (_snr(level) - _snr(before)))
            led = _sum(1 + share, clean, -share, was)
        last[:] = [(level, clean)]
        return _sum(then / level, x, (1 - then) - (1 - level) * then / level, led), clean

    return step


def _snr(level: float) -> float:
    """Half the logarithm of signal to noise."""
    return math.log((1 - level) / level)


def _euler_a(predict: Predict, fresh: Callable[[int], Floats]) -> Step:
    """Euler, a little too far down, and up again with fresh noise: as ancestral sampling is done on flow models."""

    def step(x: Floats, level: float, then: float, at: int) -> tuple[Floats, Floats]:
        clean = predict(x, level)
        if then == 0:
            return clean, clean
        down = then * then / level
        kept = (1 - then) / (1 - down)
        renoise = math.sqrt(max(0.0, then * then - (down * kept) ** 2))
        lower = _sum(down / level, x, 1 - down / level, clean)
        return _sum(kept, lower, renoise, fresh(at)), clean

    return step


SAMPLERS: dict[str, Callable[[Predict, Callable[[int], Floats]], Step]] = {
    "euler": _euler,
    "heun": _heun,
    "dpmpp_2m": _dpmpp_2m,
    "euler_a": _euler_a,
}
