"""Animals that sit and look at you: cat, dog, rabbit, fox, bear and their kin."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import light_of, mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen

PINK = "#f2a7a7"


def _body(pen: Pen, fur: str, belly: str, plump: float = 1.0) -> None:
    wide = 26 * plump
    pen.ellipse(-wide * 0.78, -6, 10, 6.5, tone(fur, -0.04))
    pen.ellipse(wide * 0.78, -6, 10, 6.5, tone(fur, -0.04))
    pen.blob(
        [
            (-15 * plump, -52),
            (-wide * 0.9, -28),
            (-wide, -10),
            (-14, -1),
            (14, -1),
            (wide, -10),
            (wide * 0.9, -28),
            (15 * plump, -52),
        ],
        fur,
    )
    pen.ellipse(0, -30, 12.5 * plump, 20, belly, "soft")
    for side in (-1, 1):
        pen.path(
            f"M{side * 3} -30C{side * 3} -18 {side * 2} -10 {side * 2.5} -4L{side * 13} -4C{side * 14} -14 {side * 14} -24 {side * 13} -32Z",
            fur,
            "side",
        )
        pen.ellipse(side * 8, -3.6, 7.5, 4.6, mix(fur, belly, 0.55))
        pen.line(f"M{side * 6} -3.4v2.6M{side * 10} -3.4v2.6", tone(fur, -0.22), 0.8)


def _face(pen: Pen, fur: str, muzzle: str, nose: str = "#4a3336", eye: float = 4.0, apart: float = 10.5) -> None:
    pen.ellipse(-5.5, -57.5, 7.6, 6.2, muzzle)
    pen.ellipse(5.5, -57.5, 7.6, 6.2, muzzle)
    pen.halo(-17, -59, 7, PINK, 0.55)
    pen.halo(17, -59, 7, PINK, 0.55)
    dark = light_of(fur) < 0.36
    for side in (-1, 1):
        if dark:
            pen.ellipse(side * apart, -69, eye + 1.2, eye + 1.5, "#f6e7a8", "flat")
        pen.eye(side * apart, -69, eye)
    pen.path("M-4 -62.5C-3 -64.5 3 -64.5 4 -62.5C3 -59.5 1 -58.5 0 -58.4C-1 -58.5 -3 -59.5 -4 -62.5Z", nose)
    pen.line("M0 -58.4C0 -54 -5 -53.2 -7 -55.4M0 -58.4C0 -54 5 -53.2 7 -55.4", "#4a3336", 1.1)


def _whiskers(pen: Pen, fur: str) -> None:
    color = "#ffffff" if light_of(fur) < 0.6 else "#8a7a74"
    pen.line("M-11 -58L-29 -61M-11 -56.5L-29 -54M11 -58L29 -61M11 -56.5L29 -54", color, 0.7, 0.85)


def _pointed_ears(pen: Pen, fur: str, inner: str, tall: float = 1.0) -> None:
    for side in (-1, 1):
        tip = -86 - 12 * tall
        pen.path(
            f"M{side * 25} -70C{side * 28} -82 {side * 27} {tip + 4} {side * 25} {tip}C{side * 17} {tip + 3} {side * 9} -88 {side * 6} -86Z",
            fur,
        )
        pen.path(
            f"M{side * 22} -76C{side * 24} -84 {side * 23.5} {tip + 9} {side * 22.5} {tip + 6}C{side * 17} {tip + 8} {side * 13} -87 {side * 11} -84Z",
            inner,
        )


def _round_ears(pen: Pen, fur: str, inner: str, size: float = 9.5) -> None:
    for side in (-1, 1):
        pen.circle(side * 20, -84, size, fur)
        pen.circle(side * 20, -83.4, size * 0.58, inner)


def _head(pen: Pen, fur: str, wide: float = 28, tall: float = 23.5) -> None:
    pen.blob(
        [(0, -66 - tall), (wide * 0.72, -66 - tall * 0.72), (wide, -62), (wide * 0.62, -66 + tall * 0.82), (0, -66 + tall),
         (-wide * 0.62, -66 + tall * 0.82), (-wide, -62), (-wide * 0.72, -66 - tall * 0.72)],
        fur,
    )  # fmt: skip


@thing(
    "cat",
    "kitty, kitten, feline, tomcat, pussycat, tabby",
    colors="#e39a4b #8d8f98 #3d3a42 #d9b48a #f0e6d8",
    wide=0.78,
    tall=0.5,
    home="room",
    top=0.9,
)
def cat(pen: Pen, look: Look) -> None:
    """Sits, tail curled to one side; tabby stripes by chance."""
    fur = look.main
    belly = look.other(mix(fur, "#fff6e8", 0.62))
    pen.line("M22 -8C40 -6 44 -24 36 -34C33 -38 37 -42 40 -40", tone(fur, -0.05), 8)
    _body(pen, fur, belly)
    _pointed_ears(pen, fur, PINK)
    _head(pen, fur)
    if look.rng.random() < 0.6:
        stripe = tone(fur, -0.16)
        pen.line("M0 -88v7M-6 -87l1 6M6 -87l-1 6M-27 -64l6 1M27 -64l-6 1M-25 -58l5 0M25 -58l-5 0", stripe, 2.2, 0.7)
        pen.line("M-24 -24l7 2M-25 -16l7 1M24 -24l-7 2M25 -16l-7 1", stripe, 2.4, 0.6)
    _face(pen, fur, belly, "#e58a8a", 4.6)
    _whiskers(pen, fur)


@thing(
    "dog",
    "puppy, doggy, doggo, hound, canine, labrador, corgi, retriever, pup",
    colors="#c98a4e #8a5a3a #e8c890 #f1e9dd #5a4638",
    wide=0.8,
    tall=0.7,
    home="meadow",
    top=0.9,
)
def dog(pen: Pen, look: Look) -> None:
    """Floppy ears, tongue out, a collar."""
    fur = look.main
    belly = look.other(mix(fur, "#fff6e8", 0.7))
    pen.line("M20 -14C34 -20 36 -32 33 -40", tone(fur, -0.05), 7.5)
    _body(pen, fur, belly, 1.02)
    pen.path("M-15 -45C-8 -40 8 -40 15 -45L15 -41C8 -36 -8 -36 -15 -41Z", look.pick("#d0433f", "#2f7fc1", "#3b9a6a"))
    pen.circle(0, -36.6, 3, "#f0c24b")
    _head(pen, fur, 25, 23)
    pen.blob([(-4, -89), (4, -89), (6, -70), (8, -50), (0, -45), (-8, -50), (-6, -70)], belly, "soft")
    pen.path("M-3.5 -53C-3.5 -44 3.5 -44 3.5 -53Z", "#ee7f86")
    for side in (-1, 1):
        ear = tone(fur, -0.12)
        pen.path(
            f"M{side * 17} -85C{side * 28} -88 {side * 36} -76 {side * 34} -60C{side * 33} -52 {side * 26} -50 {side * 24} -58C{side * 23} -66 {side * 22} -74 {side * 17} -85Z",
            ear,
        )
    _face(pen, fur, belly, "#33282b", 3.9, 10)


@thing("rabbit", "bunny, hare", colors="#d8c3ae #f4efe8 #a98c74 #b9b4b8", wide=0.66, tall=0.35, home="meadow", top=0.7)
def rabbit(pen: Pen, look: Look) -> None:
    """Long ears, one of them tipped by chance."""
    fur = look.main
    belly = look.other(mix(fur, "#ffffff", 0.65))
    with pen.at(0, 0, 0.8):
        pen.circle(24, -12, 8, "#ffffff")
        _body(pen, fur, belly, 0.98)
        for side in (-1, 1):
            bent = side * (14 if look.rng.random() < 0.75 else 26)
            pen.blob(
                [
                    (side * 6, -84),
                    (side * 5, -106),
                    (bent - side * 3, -123),
                    (bent + side * 4, -120),
                    (side * 17, -102),
                    (side * 15, -84),
                ],
                fur,
            )
            pen.blob(
                [
                    (side * 9, -88),
                    (side * 8.5, -104),
                    (bent - side * 1, -116),
                    (bent + side * 1, -115),
                    (side * 13.5, -102),
                    (side * 12.5, -88),
                ],
                PINK,
            )
        _head(pen, fur, 25, 22)
        _face(pen, fur, belly, "#e58a8a", 4.4)
        pen.rect(-2.6, -54.5, 5.2, 4.6, "#ffffff", "flat", 1)


@thing("fox", "vixen", colors="#dd6f2c #c9602a #e08a3c", wide=0.86, tall=0.5, home="forest", top=0.88)
def fox(pen: Pen, look: Look) -> None:
    """A white bib and a brush of a tail."""
    fur = look.main
    white = look.other("#fdf3e4")
    pen.blob([(16, -6), (34, -4), (44, -20), (42, -42), (35, -52), (30, -40), (27, -24)], fur)
    pen.blob([(42, -38), (39, -52), (35, -58), (31, -46), (35, -41)], white)
    _body(pen, fur, white)
    _pointed_ears(pen, fur, "#4a2f2a", 1.15)
    pen.blob(
        [(0, -89), (19, -84), (29, -66), (22, -56), (9, -47), (0, -43), (-9, -47), (-22, -56), (-29, -66), (-19, -84)],
        fur,
    )
    for side in (-1, 1):
        pen.blob(
            [(side * 28, -65), (side * 21, -55), (side * 9, -47), (0, -43.6), (side * 3, -54), (side * 9, -62)],
            white,
            "flat",
        )
        pen.eye(side * 10.5, -68, 3.9)
    pen.ellipse(0, -48, 4.2, 3.4, "#2c2226")


@thing(
    "bear",
    "teddy, teddy bear, grizzly, brown bear, polar bear",
    colors="#8a5a36 #6b4630 #a9713f",
    wide=0.76,
    tall=1.5,
    home="forest",
    top=0.9,
)
def bear(pen: Pen, look: Look) -> None:
    """Round and heavy."""
    fur = look.main
    belly = look.other(mix(fur, "#f3d9ad", 0.5))
    _body(pen, fur, belly, 1.22)
    for side in (-1, 1):
        pen.blob([(side * 18, -50), (side * 33, -34), (side * 33, -20), (side * 24, -18), (side * 20, -30)], fur)
    _round_ears(pen, fur, belly)
    _head(pen, fur, 27, 23)
    pen.ellipse(0, -57.5, 12, 9.5, belly)
    _face(pen, fur, belly, "#33262a", 3.5, 10.5)


@thing("panda", "panda bear", colors="#f7f5f0", wide=0.78, tall=1.3, home="jungle", top=0.9)
def panda(pen: Pen, look: Look) -> None:
    """Black on white."""
    black = look.other("#34323a")
    _body(pen, look.main, look.main, 1.2)
    for side in (-1, 1):
        pen.blob([(side * 16, -50), (side * 33, -36), (side * 33, -20), (side * 24, -16), (side * 17, -32)], black)
        pen.ellipse(side * 19, -7, 12, 8, black)
    _round_ears(pen, black, black)
    _head(pen, look.main, 28, 23)
    for side in (-1, 1):
        pen.ellipse(side * 11, -67.5, 7, 8.4, black, "soft", side * 24)
        pen.circle(side * 10.5, -68.5, 3.1, "#ffffff", "flat")
        pen.mark(side * 10.2, -68.5, 2, 2.3)
    pen.ellipse(0, -58.5, 4.6, 3.2, "#2c2a30")
    pen.line("M0 -56C0 -52 -5 -51.5 -6.5 -53.5M0 -56C0 -52 5 -51.5 6.5 -53.5", "#34323a", 1.1)


@thing("lion", "lioness, king of beasts", colors="#e0a850 #d79a45", wide=0.92, tall=1.2, home="savanna", top=0.92)
def lion(pen: Pen, look: Look) -> None:
    """A mane of petals."""
    fur = look.main
    mane = look.other(tone(fur, -0.2))
    pen.line("M22 -8C40 -4 44 -20 41 -32", fur, 4.5)
    pen.circle(41, -35, 6, mane)
    _body(pen, fur, mix(fur, "#fff1d0", 0.5), 1.06)
    for step in range(16):
        with pen.at(0, -65, 1, step * 22.5 + 8):
            pen.ellipse(0, -27, 8.5, 13, mane if step % 2 else tone(mane, 0.05))
    _round_ears(pen, fur, PINK, 7.5)
    _head(pen, fur, 24, 21)
    _face(pen, fur, mix(fur, "#fff8ea", 0.75), "#6b3b34", 3.6, 9.5)


@thing("tiger", "tigress", colors="#e98c2e #f2f0ea", wide=0.84, tall=1.1, home="jungle", top=0.9)
def tiger(pen: Pen, look: Look) -> None:
    """Stripes all over."""
    fur, white = look.main, look.other("#fff3e0")
    pen.line("M22 -8C40 -6 44 -24 36 -36", fur, 7.5)
    pen.line("M36 -12l4 6M39 -22l6 2M35 -33l6 -1", "#33282b", 3)
    _body(pen, fur, white, 1.06)
    _round_ears(pen, fur, PINK)
    _head(pen, fur)
    for side in (-1, 1):
        pen.ellipse(side * 10.5, -74, 6, 4.5, white, "flat")
        pen.line(
            f"M{side * 27} -66l{-side * 8} 1M{side * 26} -60l{-side * 7} 0M{side * 23} -54l{-side * 6} -2M{side * 6} -88l{-side * 1} 6",
            "#33282b",
            2.4,
        )
        pen.line(
            f"M{side * 25} -30l{-side * 8} 2M{side * 26.5} -22l{-side * 8} 1M{side * 27} -14l{-side * 8} 0",
            "#33282b",
            2.6,
        )
    pen.line("M0 -89v8", "#33282b", 2.6)
    _face(pen, fur, white, "#d9827c", 3.9)


@thing("mouse", "mice, rat, hamster", colors="#a9a3a8 #cbb49c #f0ece6", wide=0.86, tall=0.2, home="room", top=0.85)
def mouse(pen: Pen, look: Look) -> None:
    """All ears."""
    fur = look.main
    pen.line("M18 -6C40 4 46 -18 36 -26", PINK, 2.6)
    _body(pen, fur, mix(fur, "#ffffff", 0.6), 0.95)
    _round_ears(pen, fur, PINK, 15)
    _head(pen, fur, 24, 21)
    _face(pen, fur, mix(fur, "#ffffff", 0.6), "#e58a8a", 3.9)
    _whiskers(pen, fur)


@thing("squirrel", "chipmunk", colors="#b5652f #8f5a3c", wide=0.9, tall=0.3, home="forest", top=0.88)
def squirrel(pen: Pen, look: Look) -> None:
    """A tail as large as the rest."""
    fur = look.main
    pen.blob(
        [(14, -4), (34, -8), (44, -34), (42, -66), (30, -84), (20, -74), (26, -62), (26, -36), (16, -22)],
        tone(fur, 0.03),
    )
    pen.blob([(22, -10), (32, -16), (38, -38), (37, -62), (31, -72), (32, -56), (31, -34)], tone(fur, 0.12))
    _body(pen, fur, "#f7e6cd", 0.9)
    _pointed_ears(pen, fur, PINK, 0.6)
    _head(pen, fur, 23, 21)
    _face(pen, fur, "#f7e6cd", "#4a3336", 4)
    pen.ellipse(0, -31, 6, 6.5, "#b98148")
    pen.path("M-7 -33C-6 -40 6 -40 7 -33Z", "#7d5433")


@thing("koala", "", colors="#9aa3ad", wide=0.9, tall=0.7, home="forest", top=0.86)
def koala(pen: Pen, look: Look) -> None:
    """Fluffy ears and a large nose."""
    fur = look.main
    _body(pen, fur, mix(fur, "#ffffff", 0.6), 1.1)
    for side in (-1, 1):
        pen.circle(side * 28, -76, 14, fur)
        pen.circle(side * 28, -75, 9, mix(fur, "#f7d8d8", 0.7))
    _head(pen, fur, 26, 22)
    for side in (-1, 1):
        pen.eye(side * 12, -68, 3.2)
    pen.ellipse(0, -62, 6, 8.5, "#3c3a42")
    pen.line("M-5 -51C-2 -49 2 -49 5 -51", "#3c3a42", 1.2)
