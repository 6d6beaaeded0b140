"""Head and shoulders: what a close-up of a person shows."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.objects.people import hair_of, skin_of
from heddle.engines.sketch.pen import Pen

IRISES = ("#5a7d4a", "#4a78a8", "#6b4a32", "#7a9ab0", "#8a6a3a")


def _eye(pen: Pen, side: int, iris: str, skin: str, lashes: bool) -> None:
    x, y = side * 9.6, -63
    white = f"M{x - 5.4} {y + 0.6}C{x - 3} {y - 4} {x + 3} {y - 4} {x + 5.4} {y + 0.2}C{x + 3} {y + 3.4} {x - 3} {y + 3.4} {x - 5.4} {y + 0.6}Z"
    pen.halo(x, y, 9, tone(skin, -0.2), 0.35)
    pen.path(white, "#fffaf4", "flat")
    with pen.at(0, 0, clip=white):
        pen.circle(x, y, 3.5, iris)
        pen.mark(x, y, 1.7, 1.7, "#1d1a1e")
        pen.circle(x - 1.1, y - 1.3, 0.95, "#ffffff", "glow")
    pen.line(
        f"M{x - 5.6} {y + 0.4}C{x - 3} {y - 4.3} {x + 3} {y - 4.3} {x + 5.6} {y}", "#3a2a28", 1.3 if lashes else 0.9
    )
    if lashes:
        pen.line(
            f"M{x + side * 5.2} {y - 0.2}L{x + side * 6.6} {y - 2}M{x + side * 4.2} {y - 1.8}L{x + side * 5.2} {y - 3.6}",
            "#3a2a28",
            0.7,
        )


def _face(pen: Pen, look: Look, skin: str, hair: str, lips: str, lashes: bool) -> None:
    deep = tone(skin, -0.1)
    pen.path("M-8 -42L8 -42L9.6 -24C4 -18 -4 -18 -9.6 -24Z", deep, "flat")
    pen.blob(
        [
            (0, -89),
            (15, -84),
            (19.6, -66),
            (17, -52),
            (9, -41),
            (0, -37.6),
            (-9, -41),
            (-17, -52),
            (-19.6, -66),
            (-15, -84),
        ],
        skin,
    )
    for side in (-1, 1):
        pen.ellipse(side * 19.6, -61, 2.8, 4.6, deep)
        pen.halo(side * 12, -54, 7, "#ea8078", 0.5)
        pen.line(
            f"M{side * 4.6} -69.4C{side * 8} -72.4 {side * 12} -72 {side * 15} -69.6",
            tone(hair, -0.06),
            1.7 if lashes else 2.4,
        )
    iris = look.traits.get("eyes") or look.pick(*IRISES)
    for side in (-1, 1):
        _eye(pen, side, iris, skin, lashes)
    pen.line("M1 -60C2.4 -56 3.4 -53.6 2 -52.4C1 -51.6 -1 -51.8 -2 -52.4", tone(skin, -0.2), 1)
    pen.path("M-6 -46.6C-3 -48.4 -1.4 -48 0 -47.6C1.4 -48 3 -48.4 6 -46.6C3 -42.8 -3 -42.8 -6 -46.6Z", lips)
    pen.line("M-6 -46.6C-2 -45.6 2 -45.6 6 -46.6", tone(lips, -0.18), 0.7)


def _shoulders(pen: Pen, cloth: str, skin: str, neckline: float) -> None:
    pen.blob([(-14, -26), (-34, -18), (-44, 4), (-48, 60), (48, 60), (44, 4), (34, -18), (14, -26)], cloth)
    pen.path(f"M-11 -27C-8 {neckline} 8 {neckline} 11 -27L8 -32L-8 -32Z", tone(skin, -0.03), "soft")
    pen.line(f"M-11.4 -27C-8 {neckline + 1} 8 {neckline + 1} 11.4 -27", tone(cloth, -0.1), 1.4)


@thing(
    "portrait of a woman",
    "",
    colors="#b8506a #3f7f8a #d39a3e #6a5aa8 #4a6a52",
    wide=0.94,
    tall=1.7,
    person=True,
    shadow=False,
)
def portrait_of_a_woman(pen: Pen, look: Look) -> None:
    """Long hair, earrings."""
    skin, hair = skin_of(look), hair_of(look)
    fall = look.rng.uniform(-3, 3)
    pen.blob(
        [
            (0, -101),
            (20, -94),
            (28, -70),
            (31 + fall, -36),
            (27, -4),
            (16, 0),
            (-16, 0),
            (-27, -4),
            (-31 + fall, -36),
            (-28, -70),
            (-20, -94),
        ],
        tone(hair, -0.05),
    )
    _shoulders(pen, look.main, skin, -14)
    _face(pen, look, skin, hair, "#c9525c", True)
    pen.path(
        "M-1 -93C12 -92 20 -82 21 -62C24 -50 26 -40 24 -24C32 -44 32 -78 20 -93C8 -104 -12 -103 -21 -92C-32 -78 -32 -44 -24 -24C-26 -40 -24 -50 -21 -62C-20 -76 -10 -86 -1 -93Z",
        hair,
    )
    pen.line(
        "M4 -96C16 -92 24 -80 26 -60M-4 -97C-16 -93 -25 -80 -27 -58M8 -98C20 -92 28 -76 28 -54",
        tone(hair, 0.1),
        0.9,
        0.7,
    )
    for side in (-1, 1):
        pen.circle(side * 20, -53.6, 1.7, "#f2cf6a")


@thing(
    "portrait of a man", "", colors="#3f5f8a #6a5244 #3f6f5a #7a3f48", wide=0.94, tall=1.8, person=True, shadow=False
)
def portrait_of_a_man(pen: Pen, look: Look) -> None:
    """Short hair, a collar, sometimes a beard."""
    skin, hair = skin_of(look), hair_of(look)
    _shoulders(pen, look.main, skin, -16)
    for side in (-1, 1):
        pen.path(f"M{side * 10} -30L{side * 16} -25L{side * 7} -12L{side * 1} -18Z", tone(look.main, 0.08))
    _face(pen, look, skin, hair, mix(skin, "#a8504a", 0.5), False)
    if look.rng.random() < 0.4:
        beard = "M-19.4 -62C-19 -44 -12 -34 0 -33C12 -34 19 -44 19.4 -62C16 -54 12 -50.4 6 -50.6C2 -49.6 -2 -49.6 -6 -50.6C-12 -50.4 -16 -54 -19.4 -62Z"
        pen.path(beard, hair)
        pen.path("M-5 -46C-2 -47 2 -47 5 -46C2 -43.6 -2 -43.6 -5 -46Z", mix(skin, "#a8504a", 0.5), "flat")
    pen.path(
        "M-20.4 -64C-25 -92 -12 -101 2 -100C18 -101 25 -88 20.4 -64C19 -72 18 -80 13 -84C4 -81 -8 -82 -14 -86C-18 -80 -19 -72 -20.4 -64Z",
        hair,
    )
    pen.line("M-12 -93C-2 -98 10 -96 16 -88M-8 -90C2 -94 10 -92 14 -86", tone(hair, 0.1), 0.9, 0.7)


@thing(
    "portrait of a child", "", colors="#e8843f #4f9ad0 #e0b93a #7ab05a", wide=0.9, tall=1.1, person=True, shadow=False
)
def portrait_of_a_child(pen: Pen, look: Look) -> None:
    """Round cheeks."""
    skin, hair = skin_of(look), hair_of(look)
    _shoulders(pen, look.main, skin, -18)
    _face(pen, look, skin, hair, "#d8707a", False)
    for side in (-1, 1):
        pen.halo(side * 12, -53, 8, "#f07a70", 0.6)
    pen.path(
        "M-20.6 -58C-27 -90 -14 -102 1 -101C18 -102 26 -88 20.6 -58C20 -70 16 -76 12 -78C4 -76 0 -80 -3 -83C-6 -78 -14 -78 -16 -76C-19 -70 -20 -66 -20.6 -58Z",
        hair,
    )
    pen.line("M2 -101C4 -107 9 -107 11 -104", hair, 1.8)
