"""Fruit, cake and other good things."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen

LEAF = "#5a9a45"


def _stalk(pen: Pen, x: float = 0.0, y: float = -82.0) -> None:
    pen.line(f"M{x} {y}C{x + 1} {y - 8} {x + 4} {y - 12} {x + 8} {y - 15}", "#6b4a2f", 4)
    pen.path(
        f"M{x + 4} {y - 8}C{x + 12} {y - 22} {x + 30} {y - 20} {x + 36} {y - 12}C{x + 28} {y - 2} {x + 12} {y - 2} {x + 4} {y - 8}Z",
        LEAF,
    )


@thing("apple", "", colors="#d8392f #7fb83a #e8b83a", wide=0.94, tall=0.1, place="table", home="table", top=None)
def apple(pen: Pen, look: Look) -> None:
    """Shiny."""
    skin = look.main
    pen.path(
        "M0 -78C14 -90 46 -86 46 -52C46 -22 26 0 12 0C6 0 4 -3 0 -3C-4 -3 -6 0 -12 0C-26 0 -46 -22 -46 -52C-46 -86 -14 -90 0 -78Z",
        skin,
    )
    pen.path("M-10 -78C-4 -72 4 -72 10 -78C4 -76 -4 -76 -10 -78Z", tone(skin, -0.2), "flat")
    pen.ellipse(-24, -60, 7.4, 13, "#ffffff", "flat", 22, 0.55)
    _stalk(pen)


@thing(
    "orange",
    "tangerine, mandarin, lemon, lime, peach, plum",
    colors="#f0902e",
    wide=1.0,
    tall=0.1,
    place="table",
    home="table",
    top=None,
)
def orange(pen: Pen, look: Look) -> None:
    """Dimpled."""
    pen.circle(0, -44, 44, look.main)
    for x, y in ((-20, -30), (-4, -22), (14, -30), (24, -46), (-30, -48), (8, -60), (-8, -44), (20, -16), (-16, -12)):
        pen.circle(x, y, 1.5, tone(look.main, -0.08), "flat")
    pen.ellipse(-16, -66, 11, 7, "#ffffff", "flat", -30, 0.5)
    pen.ellipse(0, -86, 5, 3, "#5a7a3a")
    pen.path("M2 -86C8 -100 28 -100 34 -92C26 -82 10 -82 2 -86Z", LEAF)


@thing("banana", "", colors="#f5cf3f", wide=1.4, tall=0.1, place="table", home="table", top=None)
def banana(pen: Pen, look: Look) -> None:
    """Two in a bunch."""
    skin = look.main
    pen.path("M46 -96C52 -60 30 -14 -20 -6C-44 -2 -62 -12 -66 -22C-30 -14 14 -36 34 -92Z", tone(skin, -0.06))
    pen.path("M44 -97C40 -56 12 -22 -34 -26C-52 -28 -64 -38 -66 -46C-34 -34 4 -44 32 -94Z", skin)
    pen.line("M36 -84C18 -50 -14 -34 -52 -40", tone(skin, -0.1), 2)
    pen.path("M30 -94L34 -104L46 -104L47 -94Z", "#7d6a34")
    pen.circle(-65, -45, 3.4, "#5a4a2a")
    pen.circle(-65, -22, 3.4, "#5a4a2a")


@thing("pear", "avocado", colors="#b8c84a", wide=0.76, tall=0.12, place="table", home="table", top=None)
def pear(pen: Pen, look: Look) -> None:
    """Narrow above, round below."""
    pen.path(
        "M0 -86C12 -86 16 -74 18 -62C22 -46 38 -42 38 -24C38 -8 22 0 0 0C-22 0 -38 -8 -38 -24C-38 -42 -22 -46 -18 -62C-16 -74 -12 -86 0 -86Z",
        look.main,
    )
    pen.ellipse(-16, -34, 6, 13, "#ffffff", "flat", 20, 0.5)
    _stalk(pen, 0, -84)


@thing(
    "strawberry",
    "raspberry, berry",
    colors="#e03a46",
    wide=0.84,
    tall=0.06,
    place="table",
    home="table",
    top=None,
)
def strawberry(pen: Pen, look: Look) -> None:
    """Seeds and a green collar."""
    pen.path("M0 -80C24 -92 44 -74 38 -50C32 -26 14 -4 0 0C-14 -4 -32 -26 -38 -50C-44 -74 -24 -92 0 -80Z", look.main)
    for x, y in (
        (-22, -60),
        (-6, -62),
        (10, -60),
        (25, -60),
        (-14, -44),
        (2, -44),
        (18, -44),
        (-6, -28),
        (9, -28),
        (0, -14),
    ):
        pen.ellipse(x, y, 1.6, 2.6, "#ffe08a", "flat")
    for turn in (-60, -30, 0, 30, 60):
        with pen.at(0, -80, 1, turn):
            pen.path("M-5 4C-7 -8 -2 -16 0 -20C2 -16 7 -8 5 4Z", LEAF)


@thing("cherry", "", colors="#c92a3c", wide=0.9, tall=0.07, place="table", home="table", top=None)
def cherry(pen: Pen, look: Look) -> None:
    """A pair."""
    pen.line("M-22 -40C-16 -66 0 -84 14 -94M22 -34C22 -58 18 -80 14 -94", "#5a7a3a", 3)
    pen.path("M14 -94C-4 -104 -24 -98 -32 -84C-16 -76 4 -80 14 -94Z", LEAF)
    for x, y in ((-22, -22), (23, -18)):
        pen.circle(x, y, 20, look.main)
        pen.ellipse(x - 7, y - 8, 5, 3.6, "#ffffff", "flat", -30, 0.7)


@thing("grapes", "grape", colors="#7a4a9a #8fb84a", wide=0.72, tall=0.15, place="table", home="table", top=None)
def grapes(pen: Pen, look: Look) -> None:
    """A bunch."""
    pen.path("M2 -84C10 -102 30 -98 34 -88C26 -78 10 -78 2 -84Z", LEAF)
    pen.line("M0 -76C0 -88 -4 -94 -8 -98", "#6b4a2f", 4)
    for row, count in enumerate((4, 5, 4, 3, 2, 1)):
        for place in range(count):
            pen.circle(
                (place - (count - 1) / 2) * 15, -70 + row * 12, 9.4, tone(look.main, look.rng.uniform(-0.05, 0.05))
            )


@thing(
    "pumpkin",
    "jack-o-lantern, jack o lantern, squash, gourd",
    colors="#e8802e",
    wide=1.2,
    tall=0.4,
    home="farm",
    top=0.82,
)
def pumpkin(pen: Pen, look: Look) -> None:
    """Ribs; a face that glows when it is dark."""
    skin = look.main
    pen.path("M-4 -76C-4 -88 2 -96 12 -98L15 -91C8 -88 7 -82 7 -76Z", "#5a7a3a")
    for x, rx in ((-38, 20), (38, 20), (-21, 22), (21, 22), (0, 20)):
        pen.ellipse(x, -39, rx, 39 - abs(x) * 0.12, skin)
    if look.lamps:
        pen.halo(0, -38, 60, "#ffd060", 0.5)
        for points in ([(-28, -46), (-19, -62), (-10, -46)], [(28, -46), (19, -62), (10, -46)], [(-4, -38), (0, -45), (4, -38)],
                       [(-32, -30), (-20, -26), (-12, -31), (-4, -25), (4, -31), (12, -25), (20, -30), (32, -30), (18, -12), (-18, -12)]):  # fmt: skip
            pen.poly([(float(x), float(y)) for x, y in points], "#ffe27a", "glow")


@thing(
    "cake",
    "birthday cake, cupcake, pie, dessert, muffin",
    colors="#f6b8c8 #8a5236 #fbf0dc",
    wide=1.1,
    tall=0.3,
    place="table",
    home="table",
    top=None,
)
def cake(pen: Pen, look: Look) -> None:
    """Two tiers, icing, candles."""
    icing = look.main
    sponge = look.other("#fdf3e2" if icing != "#fbf0dc" else "#f6b8c8")
    pen.ellipse(0, -4, 54, 6, "#e3e6ec")
    for half, top, base in ((42, -40, -4), (28, -66, -38)):
        pen.path(
            f"M{-half} {top}V{base}C{-half * 0.5} {base + 6} {half * 0.5} {base + 6} {half} {base}V{top}Z",
            sponge,
            "side",
        )
        drip = f"M{-half} {top}"
        for step in range(6):
            x = -half + half * 2 * step / 6
            drip += f"C{x:.1f} {top + 16 + (step % 2) * 6} {x + half / 3:.1f} {top + 16 + (step % 2) * 6} {x + half / 3:.1f} {top + 5}"
        pen.path(f"{drip}L{half} {top}Z", icing, "flat")
        pen.ellipse(0, top, half, half * 0.17, tone(icing, 0.05))
    for x in (-16, 0, 16):
        pen.rect(x - 1.8, -84, 3.6, 18, "#6fb0d8" if x else "#f6c945", "side")
        pen.halo(x, -90, 9, "#ffd060", 0.8)
        pen.path(f"M{x} -98C{x + 4} -91 {x + 3} -87 {x} -85C{x - 3} -87 {x - 4} -91 {x} -98Z", "#ffa83a", "glow")
    for x in (-34, -17, 0, 17, 34):
        pen.circle(x, -9 + 3 - abs(x) * 0.05, 4, "#d8344a")


@thing(
    "ice cream",
    "ice cream cone, icecream, gelato, sundae",
    colors="#f6a8c0 #fbf0d8 #8ad0b8",
    wide=0.5,
    tall=0.25,
    place="table",
    home="beach",
    top=None,
)
def ice_cream(pen: Pen, look: Look) -> None:
    """Three scoops in a cone."""
    pen.path("M-19 -50H19L0 0Z", "#d9a055", "side")
    pen.line("M-14 -44L6 -14M-4 -48L10 -26M14 -44L-6 -14M4 -48L-10 -26", "#b57f3a", 1.2)
    pen.circle(-11, -60, 14, look.main)
    pen.circle(11, -60, 14, look.other("#8a5a3a"))
    pen.circle(0, -76, 15, look.other("#fbf0d8") if look.main != "#fbf0d8" else "#f6a8c0")
    pen.circle(2, -94, 5, "#d8344a")
    pen.path("M-22 -52C-16 -46 -10 -54 -4 -48C2 -54 10 -46 22 -52L19 -47H-19Z", tone(look.main, -0.03), "flat")


@thing("pizza", "slice of pizza", colors="#f2c04a", wide=1.1, tall=0.1, place="table", home="table", top=None)
def pizza(pen: Pen, look: Look) -> None:
    """A slice."""
    pen.path("M-50 -84L2 0L52 -80Z", look.main)
    pen.path(
        "M-56 -84C-30 -104 30 -104 57 -80C58 -70 52 -68 48 -72C20 -88 -20 -88 -46 -74C-54 -72 -58 -76 -56 -84Z",
        "#c98a42",
    )
    for x, y, r in ((-20, -66, 9), (16, -66, 10), (0, -40, 9)):
        pen.circle(x, y, r, "#c9433a")
    pen.path("M-6 -62C0 -68 6 -62 4 -56ZM10 -46C16 -50 20 -46 18 -40Z", LEAF)


@thing(
    "bread",
    "loaf, baguette, sandwich, toast, burger, donut, doughnut, cookie, croissant",
    colors="#c98a42",
    wide=1.5,
    tall=0.15,
    place="table",
    home="table",
    top=None,
)
def bread(pen: Pen, look: Look) -> None:
    """A scored loaf."""
    pen.blob([(-72, -30), (-56, -74), (-20, -94), (24, -94), (58, -74), (72, -30), (50, -4), (-50, -4)], look.main)
    for x in (-34, 0, 34):
        pen.path(
            f"M{x - 10} -46C{x - 8} -68 {x + 2} -80 {x + 14} -84C{x + 12} -70 {x + 4} -54 {x - 10} -46Z",
            mix(look.main, "#fff0d0", 0.6),
        )


@thing(
    "bottle",
    "wine, wine bottle, potion, glass bottle, flask, jar",
    colors="#4f8a5a #8a3f5a #4a7ab0",
    wide=0.36,
    tall=0.3,
    place="table",
    home="table",
    top=None,
)
def bottle(pen: Pen, look: Look) -> None:
    """Glass with a label."""
    pen.path(
        "M-5.4 -96H5.4V-70C5.4 -62 16 -58 16 -46V-4C8 2 -8 2 -16 -4V-46C-16 -58 -5.4 -62 -5.4 -70Z",
        look.main,
        "side",
        0.94,
    )
    pen.rect(-6.4, -100, 12.8, 9, "#a8804f", "side", 1.6)
    pen.rect(-15.4, -38, 30.8, 22, look.other("#fbf0d8"), "side")
    pen.line("M-8 -30H8M-5 -24H5", "#b09a70", 1.6)
    pen.line("M-10.6 -8V-46C-10 -54 -3 -58 -2.6 -66", "#ffffff", 1.8, 0.6)


@thing(
    "carrot",
    "vegetable, corn, tomato, potato",
    colors="#ee8030",
    wide=0.5,
    tall=0.15,
    place="table",
    home="table",
    top=None,
)
def carrot(pen: Pen, look: Look) -> None:
    """Leaves above, a point below."""
    for turn in (-26, 0, 26):
        with pen.at(0, -64, 1, turn):
            pen.path("M-4 2C-10 -16 -4 -30 0 -36C4 -30 10 -16 4 2Z", LEAF)
    pen.path("M-15 -62C-8 -70 8 -70 15 -62C17 -40 8 -12 0 0C-8 -12 -17 -40 -15 -62Z", look.main, "side")
    pen.line("M-13 -50H-4M14 -42H4M-10 -30H-2M9 -22H2", tone(look.main, -0.1), 1.8)
