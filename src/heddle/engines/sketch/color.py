"""Colour: hex strings in, hex strings out, worked on in OKLCH so that equal steps look equal."""

from __future__ import annotations

import math
from functools import lru_cache

#: sRGB, 0..1 each.
RGB = tuple[float, float, float]


def rgb(color: str) -> RGB:
    """`#rrggbb` as three numbers 0..1."""
    return (int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255)


def to_hex(value: RGB) -> str:
    """The inverse of `rgb`; values outside 0..1 are clipped."""
    return "#" + "".join(f"{round(min(1.0, max(0.0, part)) * 255):02x}" for part in value)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _gamma(part: float) -> float:
    return part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


@lru_cache(8192)
def oklab(color: str) -> tuple[float, float, float]:
    """Lightness and the two opponent axes."""
    red, green, blue = (_linear(part) for part in rgb(color))
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def _from_oklab(lightness: float, a: float, b: float) -> RGB:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )


@lru_cache(8192)
def oklch(color: str) -> tuple[float, float, float]:
    """Lightness 0..1, chroma 0..about 0.32, hue in degrees."""
    lightness, a, b = oklab(color)
    return (lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360)


@lru_cache(8192)
def from_oklch(lightness: float, chroma: float, hue: float) -> str:
    """The nearest colour a screen can show: chroma gives way, hue and lightness stay."""
    lightness = min(1.0, max(0.0, lightness))
    turn = math.radians(hue)
    value = _from_oklab(lightness, chroma * math.cos(turn), chroma * math.sin(turn))
    for _ in range(12):
        if all(-0.002 <= part <= 1.002 for part in value):
            break
        chroma *= 0.88
        value = _from_oklab(lightness, chroma * math.cos(turn), chroma * math.sin(turn))
    return _shown(value)


def _shown(linear: RGB) -> str:
    return to_hex((_gamma(max(0.0, linear[0])), _gamma(max(0.0, linear[1])), _gamma(max(0.0, linear[2]))))


@lru_cache(8192)
def tone(color: str, lighter: float, vivid: float = 1.0) -> str:
    """The same colour, lighter (or darker, below 0) by a step of OKLCH lightness.

    Dark tones lean a little to violet and light ones to yellow, as in daylight: that keeps shadows from looking dirty.
    """
    lightness, chroma, hue = oklch(color)
    toward = 285.0 if lighter < 0 else 85.0
    lean = ((toward - hue + 180) % 360 - 180) * min(0.12, abs(lighter) * 0.5) if chroma > 0.02 else 0.0
    return from_oklch(lightness + lighter, chroma * vivid, (hue + lean) % 360)


@lru_cache(16384)
def mix(one: str, other: str, share: float) -> str:
    """`share` of the other colour in the one."""
    first, second = oklab(one), oklab(other)
    lightness, a, b = (part + (toward - part) * share for part, toward in zip(first, second, strict=True))
    return _shown(_from_oklab(lightness, a, b))


@lru_cache(8192)
def rotate(color: str, degrees: float) -> str:
    """Another hue, as light and as strong."""
    lightness, chroma, hue = oklch(color)
    return from_oklch(lightness, chroma, (hue + degrees) % 360)


@lru_cache(8192)
def strengthen(color: str, factor: float) -> str:
    """More (above 1) or less chroma."""
    lightness, chroma, hue = oklch(color)
    return from_oklch(lightness, min(0.34, chroma * factor), hue)


@lru_cache(16384)
def lit(color: str, tint: RGB, haze: str, amount: float) -> str:
    """A surface under light of `tint`, seen through `amount` of haze."""
    seen = rgb(color)
    under = to_hex((seen[0] * tint[0], seen[1] * tint[1], seen[2] * tint[2]))
    return mix(under, haze, amount) if amount > 0 else under


def light_of(color: str) -> float:
    """OKLCH lightness."""
    return oklab(color)[0]
