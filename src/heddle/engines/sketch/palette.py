"""The palette: from time of day, weather, season and mood to the colours of a scene."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from heddle.engines.sketch.chance import share, source
from heddle.engines.sketch.color import RGB, from_oklch, mix, oklch, rotate, strengthen, tone
from heddle.engines.sketch.scene import Palette


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """What leans on a palette beside its seed: a network of the model, by its AIR and strength."""

    air: str
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What a time of day brings: sky from top to horizon, the sun's colour, light and haze."""

    sky: tuple[str, str, str]
    sun: str
    haze: str
    tint: RGB
    night: bool = False


HOURS: dict[str, tuple[Hour, ...]] = {
    "dawn": (
        Hour(sky=("#7f9fd0", "#e3b7c8", "#ffdcb0"), sun="#ffe3a8", haze="#f6d5c6", tint=(1.0, 0.95, 0.94)),
        Hour(sky=("#8aa8d8", "#d8c2dc", "#ffd9c0"), sun="#fff0c0", haze="#f0d8d8", tint=(0.99, 0.95, 0.97)),
    ),
    "day": (
        Hour(sky=("#4f9ddb", "#94c9ec", "#dff1f7"), sun="#fff3b8", haze="#d8ebf2", tint=(1.0, 1.0, 1.0)),
        Hour(sky=("#3f8fd6", "#86c4ee", "#eaf5f3"), sun="#fff0a8", haze="#dcedf0", tint=(1.0, 1.0, 0.99)),
        Hour(sky=("#62aede", "#a5d6ea", "#f3f3df"), sun="#fff2b0", haze="#e3eee6", tint=(1.0, 1.0, 0.98)),
    ),
    "sunset": (
        Hour(sky=("#41477f", "#d9697a", "#ffc070"), sun="#ffe08a", haze="#f0a587", tint=(1.0, 0.84, 0.78)),
        Hour(sky=("#5a4a92", "#ee8068", "#ffd27a"), sun="#fff0a0", haze="#f3b086", tint=(1.0, 0.86, 0.77)),
        Hour(sky=("#2f5590", "#c9789a", "#ffb98a"), sun="#ffe6a0", haze="#e8a8a0", tint=(0.98, 0.84, 0.83)),
    ),
    "dusk": (
        Hour(sky=("#272b58", "#6a5590", "#e39a8c"), sun="#ffcf9a", haze="#8a78a0", tint=(0.72, 0.68, 0.84), night=True),
        Hour(sky=("#1f3060", "#4f6aa0", "#d8a8a0"), sun="#ffd0a0", haze="#7a84a8", tint=(0.7, 0.71, 0.85), night=True),
    ),
    "night": (
        Hour(sky=("#0d1433", "#1c2b5a", "#3c4f86"), sun="#fdf3d0", haze="#33447a", tint=(0.6, 0.65, 0.86), night=True),
        Hour(sky=("#120f35", "#2b2560", "#55478a"), sun="#fbeed0", haze="#40407a", tint=(0.63, 0.62, 0.86), night=True),
        Hour(sky=("#071a30", "#123a58", "#2f6a80"), sun="#f6f3dc", haze="#2a5a72", tint=(0.57, 0.69, 0.82), night=True),
    ),
}

GROUNDS = {"spring": "#86c05a", "summer": "#74b04a", "autumn": "#c2a04c", "winter": "#eef4f8"}
FOLIAGE = {"spring": "#7ab84e", "summer": "#4f9148", "autumn": "#cf7a34", "winter": "#6f8f80"}
#: Ground of backdrops that is not grass.
OWN_GROUND = {
    "beach": "#efd9a4", "coast": "#8fae62", "desert": "#e5b871", "snowfield": "#f1f6fa", "savanna": "#d6b35c",
    "street": "#8e8f98", "city": "#7f8794", "moon": "#a7a6ad", "farm": "#c3ae55", "cave": "#5a5268",
    "underwater": "#d8c48e", "volcano": "#5a4a4c", "swamp": "#6f8a52", "village": "#93b55c",
}  # fmt: skip


def palette(
    *, time: str, weather: frozenset[str], season: str, mood: frozenset[str], backdrop: str, seed: int,
    sky_color: str | None = None, ground_color: str | None = None, influences: tuple[Influence, ...] = (),
) -> Palette:  # fmt: skip
    """The colours of a scene. The seed chooses among what fits."""
    rng = source(seed, "palette")
    hour = rng.choice(HOURS[time])
    turn = rng.uniform(-9, 9)
    ground = OWN_GROUND.get(backdrop, GROUNDS[season])
    if season == "winter" and backdrop in ("village", "farm", "savanna", "coast"):
        ground = GROUNDS["winter"]
    made = Palette(
        sky=(rotate(hour.sky[0], turn), rotate(hour.sky[1], turn), rotate(hour.sky[2], turn * 0.6)),
        sun=hour.sun,
        ground=rotate(ground, rng.uniform(-8, 8)),
        far=mix(rotate(ground, 18), hour.haze, 0.45),
        foliage=rotate(FOLIAGE[season], rng.uniform(-12, 10)),
        water=rotate("#3f93b8" if backdrop != "beach" else "#3fb0bf", rng.uniform(-16, 14)),
        haze=hour.haze,
        accents=_accents(rng.uniform(0, 360)),
        tint=hour.tint,
        night=hour.night,
    )
    if backdrop in ("moon", "space"):
        # No air: the sun shines at night too.
        made = replace(made, tint=(0.96, 0.97, 1.0))
    for step in (*sorted(weather), *sorted(mood)):
        made = _weathered(made, step)
    if sky_color is not None:
        made = _with_sky(made, sky_color)
    if ground_color is not None:
        made = replace(
            made, ground=ground_color, far=mix(ground_color, made.haze, 0.45), foliage=tone(ground_color, -0.08)
        )
    for influence in influences:
        made = _influenced(made, influence)
    return made


def _accents(hue: float) -> tuple[str, ...]:
    return tuple(from_oklch(0.72 - 0.04 * (step % 2), 0.13, (hue + step * 137.5) % 360) for step in range(5))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    sky: str | None = None
    share: float = 0.0
    tint: RGB = (1.0, 1.0, 1.0)
    vivid: float = 1.0
    lighter: float = 0.0
    keep: frozenset[str] = field(default_factory=frozenset[str])


_CHANGES = {
    "rain": _Change(sky="#8a97a5", share=0.6, tint=(0.86, 0.9, 0.95), vivid=0.8),
    "storm": _Change(sky="#4a5266", share=0.72, tint=(0.72, 0.76, 0.86), vivid=0.75),
    "overcast": _Change(sky="#b5c0ca", share=0.55, tint=(0.94, 0.96, 0.98), vivid=0.88),
    "fog": _Change(sky="#ccd4d8", share=0.5, tint=(0.95, 0.97, 0.98), vivid=0.72),
    "snow": _Change(sky="#c9d6e2", share=0.5, tint=(0.96, 0.98, 1.02), vivid=0.92),
    "dark": _Change(sky="#2a2838", share=0.4, tint=(0.74, 0.73, 0.8), vivid=0.85),
    "gloomy": _Change(sky="#5f6672", share=0.5, tint=(0.82, 0.84, 0.88), vivid=0.65),
    "pastel": _Change(sky="#f6e3ee", share=0.4, vivid=0.72, lighter=0.05),
    "warm": _Change(sky="#ffd9a0", share=0.22, tint=(1.0, 0.95, 0.87)),
    "cold": _Change(sky="#b5d6f0", share=0.28, tint=(0.91, 0.97, 1.03)),
    "vivid": _Change(vivid=1.25),
    "dreamy": _Change(sky="#d9b8f0", share=0.34, vivid=1.05, lighter=0.02),
    "sad": _Change(sky="#8a98b0", share=0.35, tint=(0.88, 0.91, 0.97), vivid=0.75),
    "happy": _Change(vivid=1.1, lighter=0.01),
    "mystic": _Change(sky="#5a3f8a", share=0.3, tint=(0.92, 0.88, 1.0), vivid=1.1),
    "vintage": _Change(sky="#e8d4ae", share=0.35, tint=(1.0, 0.95, 0.86), vivid=0.75),
}


def _weathered(made: Palette, step: str) -> Palette:
    change = _CHANGES.get(step)
    if change is None:
        return made
    sky = change.sky
    if sky is not None and made.night:
        sky = tone(sky, -0.42)

    def turned(color: str, part: float = 1.0) -> str:
        mixed = color if sky is None else mix(color, sky, change.share * part)
        return strengthen(tone(mixed, change.lighter), change.vivid)

    tint = made.tint
    return replace(
        made,
        sky=(turned(made.sky[0]), turned(made.sky[1]), turned(made.sky[2], 0.85)),
        haze=turned(made.haze, 0.8),
        ground=turned(made.ground, 0.12),
        far=turned(made.far, 0.4),
        foliage=turned(made.foliage, 0.1),
        water=turned(made.water, 0.35),
        tint=(tint[0] * change.tint[0], tint[1] * change.tint[1], tint[2] * change.tint[2]),
    )


def _with_sky(made: Palette, color: str) -> Palette:
    """The sky in the colour that was asked for, still lighter toward the horizon."""
    lightness = oklch(color)[0]
    low = mix(tone(color, 0.12 if lightness < 0.8 else 0.03), made.sky[2], 0.2)
    return replace(
        made, sky=(tone(color, -0.08), color, low), haze=mix(made.haze, color, 0.45), far=mix(made.far, color, 0.25)
    )


def _influenced(made: Palette, influence: Influence) -> Palette:
    """Turn every hue a little, by an angle that belongs to the network; at strength 0 nothing changes."""
    if influence.strength == 0:
        return made
    turn = (share(influence.air, "hue") * 2 - 1) * 42 * influence.strength
    vivid = 1 + (share(influence.air, "vivid") - 0.4) * 0.5 * influence.strength

    def turned(color: str) -> str:
        return strengthen(rotate(color, turn), max(0.2, min(2.0, vivid)))

    return replace(
        made,
        sky=(turned(made.sky[0]), turned(made.sky[1]), turned(made.sky[2])),
        ground=turned(made.ground),
        far=turned(made.far),
        foliage=turned(made.foliage),
        water=turned(made.water),
        haze=turned(made.haze),
        accents=tuple(turned(color) for color in made.accents),
    )
