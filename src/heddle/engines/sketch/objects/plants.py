"""Trees, flowers and what grows beside them."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen

BARK = "#7a5538"
SNOW = "#fbfdff"


def leaf_color(look: Look) -> str:
    """The season's, when none was asked for."""
    if look.traits.get("asked"):
        return look.main
    if look.season == "autumn":
        return look.pick("#d9812e", "#c9502f", "#e0ab3a")
    if look.season == "spring":
        return look.pick("#f2b5c6", "#a5cf6a", "#f6cfd8")
    return look.main


@thing(
    "tree",
    "oak, maple, birch, willow, cherry tree, cherry blossom, sakura, apple tree, elm, ash tree, tree of life",
    colors="#5f9a45 #4f8a4a #7aa848",
    wide=0.86,
    tall=6.0,
    home="meadow",
    top=0.8,
)
def tree(pen: Pen, look: Look) -> None:
    """A trunk that forks and a crown of leaf clouds."""
    leaf = leaf_color(look)
    rng = look.rng
    pen.path("M-6 0C-4 -14 -4 -28 -5 -44L5 -44C4 -28 5 -14 8 0C4 -3 -3 -3 -6 0Z", BARK, "side")
    pen.line("M0 -36L-16 -54M1 -34L15 -52M0 -40L2 -60", BARK, 3.4)
    if look.season == "winter" and not look.traits.get("asked"):
        for end in ((-26, -70), (-14, -82), (4, -88), (20, -76), (28, -64)):
            pen.line(
                f"M0 -44C{end[0] * 0.3:.0f} -56 {end[0] * 0.7:.0f} {end[1] + 12} {end[0]} {end[1]}M{end[0] * 0.6:.0f} {end[1] + 14}l{6 if end[0] < 0 else -6} -12",
                BARK,
                2,
            )
        return
    jitter = [rng.uniform(-2.5, 2.5) for _ in range(16)]
    low = [(-26, -50, 16), (26, -50, 16), (0, -48, 18), (-13, -46, 14), (14, -46, 14)]
    middle = [(-28, -62, 15), (28, -62, 15), (-12, -60, 18), (13, -60, 18)]
    high = [(-16, -78, 15), (15, -79, 15), (0, -84, 15), (0, -70, 17)]
    for index, (x, y, r) in enumerate(low):
        pen.circle(x + jitter[index], y + jitter[-index - 1], r, tone(leaf, -0.09))
    for index, (x, y, r) in enumerate(middle):
        pen.circle(x + jitter[index + 4], y + jitter[index], r, tone(leaf, -0.03))
    for index, (x, y, r) in enumerate(high):
        pen.circle(x + jitter[index + 8], y + jitter[index + 3], r, leaf)
    for _ in range(15):
        x, y = rng.uniform(-30, 28), rng.uniform(-94, -52)
        pen.ellipse(
            x,
            y,
            rng.uniform(1.6, 3.2),
            rng.uniform(1.2, 2),
            tone(leaf, rng.choice((0.08, 0.1, -0.06))),
            "flat",
            rng.randint(0, 90),
            0.7,
        )


@thing(
    "pine tree",
    "pine, fir, spruce, conifer, evergreen, christmas tree, xmas tree, cedar",
    colors="#3f7a55 #35694a #4a8560",
    wide=0.56,
    tall=7.0,
    home="forest",
    top=None,
)
def pine_tree(pen: Pen, look: Look) -> None:
    """Four skirts of needles; snow on them in winter."""
    leaf = look.main
    pen.rect(-3.4, -14, 6.8, 14, BARK, "side")
    for index, (base, tip, half) in enumerate(((-10, -46, 27), (-28, -64, 22.5), (-46, -82, 17.5), (-64, -100, 12))):
        color = tone(leaf, -0.06 + index * 0.028)
        sway = look.rng.uniform(-1, 1)
        pen.path(
            f"M{sway:.1f} {tip}C{half * 0.25} {tip + 16} {half * 0.6} {base - 10} {half} {base}C{half * 0.7} {base + 1} {half * 0.6} {base - 2} {half * 0.45} {base + 2.5}"
            f"C{half * 0.2} {base} {-half * 0.1} {base + 4} {-half * 0.3} {base + 1.5}C{-half * 0.6} {base + 3} {-half * 0.7} {base} {-half} {base}C{-half * 0.6} {base - 10} {-half * 0.25} {tip + 16} {sway:.1f} {tip}Z",
            color, "side",
        )  # fmt: skip
        if look.season == "winter":
            pen.path(
                f"M0 {tip}C{half * 0.2} {tip + 13} {half * 0.4} {tip + 18} {half * 0.55} {base - 12}C{half * 0.2} {base - 17} {-half * 0.2} {base - 12} {-half * 0.5} {base - 13}C{-half * 0.35} {tip + 18} {-half * 0.2} {tip + 13} 0 {tip}Z",
                SNOW,
            )


@thing("palm tree", "palm, coconut tree", colors="#4f9a4a #5fa83f", wide=0.9, tall=6.0, home="beach", top=None)
def palm_tree(pen: Pen, look: Look) -> None:
    """A leaning trunk and drooping fronds."""
    leaf = look.main
    pen.path("M-14 0C-8 -26 0 -52 12 -76L18 -74C8 -50 0 -26 -4 0Z", "#a07a4e", "side")
    for y in range(-8, -72, -8):
        x = -9 + (-y) * 0.3
        pen.line(f"M{x - 4:.1f} {y}q4 3 8 0", "#7d5c38", 1.1)
    for reach, drop, rise in (
        (-42, -52, -92),
        (-36, -76, -100),
        (-20, -40, -84),
        (40, -50, -92),
        (34, -76, -100),
        (46, -66, -98),
        (26, -38, -84),
    ):
        x, y = 15 + reach, drop
        pen.path(
            f"M15 -76C{15 + reach * 0.35:.0f} {rise} {15 + reach * 0.8:.0f} {rise + 6} {x} {y}C{15 + reach * 0.7:.0f} {rise + 17} {15 + reach * 0.4:.0f} {rise + 14} 15 -76Z",
            tone(leaf, look.rng.uniform(-0.07, 0.04)),
        )
    for x, y in ((11, -72), (18, -71), (15, -68)):
        pen.circle(x, y, 3.6, "#8a5a34")


@thing("bush", "shrub, hedge", colors="#5a9a4a #6aa352", wide=1.5, tall=1.0, top=0.8)
def bush(pen: Pen, look: Look) -> None:
    """A low round mass of leaves, berries by chance."""
    leaf = leaf_color(look)
    for x, y, r, step in (
        (-44, -28, 28, -0.07),
        (44, -28, 28, -0.07),
        (0, -34, 36, -0.05),
        (-22, -50, 32, 0.0),
        (24, -52, 32, 0.0),
        (0, -66, 30, 0.03),
    ):
        pen.circle(x, y, r, tone(leaf, step))
    for _ in range(12):
        x, y = look.rng.uniform(-50, 46), look.rng.uniform(-82, -20)
        pen.ellipse(x, y, 4, 2.6, tone(leaf, look.rng.choice((0.08, -0.06))), "flat", look.rng.randint(0, 90), 0.7)


@thing(
    "flower",
    "tulip, poppy, lily, daffodil, orchid, wildflower, blossom, carnation, iris",
    colors="#e8506a #f0b83a #9a6ad0 #f08ab0 #e8703a",
    wide=0.42,
    tall=0.5,
    home="garden",
    top=None,
)
def flower(pen: Pen, look: Look) -> None:
    """A tulip or an open bloom, by chance."""
    petal = look.main
    stem = "#4f9048"
    pen.line("M0 0C-1 -22 1 -44 0 -62", stem, 3)
    pen.path("M0 -6C-20 -14 -22 -34 -17 -46C-8 -36 -2 -22 0 -6Z", stem)
    pen.path("M0 -2C16 -10 20 -26 17 -36C8 -30 2 -16 0 -2Z", tone(stem, 0.04))
    if look.rng.random() < 0.5:
        pen.path("M-15 -96C-8 -90 8 -90 15 -96C20 -80 18 -62 0 -59C-18 -62 -20 -80 -15 -96Z", tone(petal, -0.08))
        pen.path("M-16 -94C-4 -88 2 -74 0 -59C-18 -61 -20 -80 -16 -94Z", petal)
        pen.path("M16 -94C4 -88 -2 -74 0 -59C18 -61 20 -80 16 -94Z", petal)
        pen.path("M0 -99C9 -88 9 -70 0 -59C-9 -70 -9 -88 0 -99Z", tone(petal, 0.05))
        return
    for step in range(6):
        with pen.at(0, -78, 1, step * 60 + 12):
            pen.ellipse(0, -12, 8.6, 12.5, petal if step % 2 else tone(petal, -0.04))
    pen.circle(0, -78, 6.6, look.other("#f6c945"))


@thing("rose", "", colors="#d0304a #f08aa8 #f4e6d8 #e8a040", wide=0.5, tall=0.5, home="garden", top=None)
def rose(pen: Pen, look: Look) -> None:
    """Petals in a spiral."""
    petal = look.main
    stem = "#3f7f45"
    pen.line("M0 0C2 -20 -2 -40 0 -60", stem, 3)
    for side in (-1, 1):
        pen.path(
            f"M0 {-24 - side * 6}C{side * 10} {-44 - side * 6} {side * 24} {-42 - side * 6} {side * 25} {-32 - side * 6}C{side * 18} {-22 - side * 6} {side * 8} {-20 - side * 6} 0 {-24 - side * 6}Z",
            stem,
        )
    pen.path("M-8 -60L-14 -52M8 -60L14 -52", stem)
    pen.blob(
        [(-23, -80), (-16, -94), (0, -98), (16, -94), (23, -80), (17, -64), (0, -56), (-17, -64)], tone(petal, -0.1)
    )
    pen.path("M-22 -82C-24 -66 -12 -57 0 -57C-4 -68 -10 -78 -22 -82Z", petal)
    pen.path("M22 -82C24 -66 12 -57 0 -57C4 -68 10 -78 22 -82Z", petal)
    pen.blob([(-15, -84), (-8, -94), (7, -95), (15, -86), (13, -72), (0, -64), (-13, -72)], tone(petal, 0.02))
    pen.blob([(-9, -84), (-3, -91), (7, -89), (9, -81), (2, -74), (-7, -76)], tone(petal, -0.08))
    pen.line("M-5 -82C-4 -88 5 -89 6 -83C6 -79 0 -78 -1 -82", tone(petal, 0.08), 1.6)
    pen.line("M-14 -82C-8 -68 8 -68 14 -83", tone(petal, -0.14), 1.3)


@thing("sunflower", "daisy, chamomile", colors="#f5b92e", wide=0.58, tall=1.5, home="farm", top=None)
def sunflower(pen: Pen, look: Look) -> None:
    """A large head turned to you."""
    petal = look.main
    stem = "#5a9440"
    pen.line("M0 0C-2 -20 2 -40 0 -66", stem, 3.6)
    for side, y in ((-1, -18), (1, -30)):
        pen.path(
            f"M0 {y}C{side * 10} {y - 16} {side * 26} {y - 14} {side * 27} {y - 6}C{side * 20} {y + 4} {side * 8} {y + 4} 0 {y}Z",
            stem,
        )
    for ring, (count, reach, color) in enumerate(((14, 19, tone(petal, -0.07)), (14, 17, petal))):
        for step in range(count):
            with pen.at(0, -73, 1, step * 360 / count + ring * 13):
                pen.path(
                    f"M0 -6C5 {-reach + 2} 3 {-reach - 5} 0 {-reach - 8}C-3 {-reach - 5} -5 {-reach + 2} 0 -6Z", color
                )
    pen.circle(0, -73, 12.6, "#6b4226")
    pen.circle(0, -73, 7.6, "#4d2e1e", "soft")
    for step in range(12):
        with pen.at(0, -73, 1, step * 30):
            pen.circle(0, -10, 1, "#a8703a", "flat")


@thing("cactus", "cacti, saguaro", colors="#4f9a5a #5fa06a", wide=0.66, tall=2.5, home="desert", top=None)
def cactus(pen: Pen, look: Look) -> None:
    """Two arms and a flower."""
    skin = look.main
    pen.line("M-11 -40C-26 -38 -27 -46 -27 -62", skin, 11, 1)
    pen.line("M11 -28C26 -27 27 -36 27 -52", skin, 11, 1)
    pen.path("M-12 0L-12 -86C-12 -104 12 -104 12 -86L12 0C6 2 -6 2 -12 0Z", skin, "side")
    pen.line("M-5 -4V-88M2 -4V-92M8 -4V-86M-27 -60V-50M27 -50V-40", tone(skin, -0.1), 1.2)
    for x, y in ((-8, -70), (5, -58), (-2, -38), (6, -22), (-8, -18), (-29, -54), (28, -44), (3, -80)):
        pen.line(f"M{x} {y}l-2 -2M{x} {y}l2.4 -1.6", "#f3f0d0", 0.8)
    for turn in (-50, 0, 50):
        with pen.at(0, -97, 1, turn):
            pen.ellipse(0, -3.5, 3.2, 5, look.other("#f0709a"))


@thing(
    "mushroom",
    "toadstool, fungus, fungi",
    colors="#d8402f #c98a4a #8a6ac0",
    wide=0.9,
    tall=0.3,
    home="forest",
    top=0.96,
)
def mushroom(pen: Pen, look: Look) -> None:
    """A spotted cap."""
    cap = look.main
    spot = look.other("#fff8ec")
    pen.path("M-12 -54C-10 -30 -14 -12 -17 -2C-8 2 8 2 17 -2C14 -12 10 -30 12 -54Z", "#f4e8d2", "side")
    pen.path("M-40 -50C-20 -40 20 -40 40 -50C24 -36 -24 -36 -40 -50Z", "#dcc9a8")
    pen.path(
        "M-14 -44C-16 -34 16 -34 14 -44C18 -32 14 -30 12 -32C6 -29 -6 -29 -12 -32C-14 -30 -18 -32 -14 -44Z", "#fff8ec"
    )
    pen.path("M-44 -50C-44 -82 -22 -99 0 -99C22 -99 44 -82 44 -50C24 -43 -24 -43 -44 -50Z", cap)
    for x, y, rx, ry in (
        (-6, -84, 8, 6.5),
        (-26, -66, 6, 6.4),
        (12, -64, 8.4, 7),
        (31, -66, 4, 6),
        (20, -85, 5, 4),
        (-12, -55, 4.6, 3.4),
        (33, -52, 3.4, 2.4),
    ):
        pen.ellipse(x, y, rx, ry, spot)


@thing("tuft of grass", "reed, fern, herb", colors="#6aa544", wide=1.0, tall=0.4, top=None, shadow=False)
def grass(pen: Pen, look: Look) -> None:
    """A tuft."""
    for step in range(9):
        x = -30 + step * 7.5
        lean = (x * 0.7) + look.rng.uniform(-10, 10)
        high = look.rng.uniform(60, 98)
        pen.path(
            f"M{x - 4:.1f} 0C{x:.1f} {-high * 0.5:.1f} {x + lean * 0.5:.1f} {-high * 0.8:.1f} {x + lean:.1f} {-high:.1f}C{x + lean * 0.4 + 5:.1f} {-high * 0.6:.1f} {x + 4:.1f} {-high * 0.3:.1f} {x + 4:.1f} 0Z",
            tone(look.main, look.rng.uniform(-0.08, 0.06)),
            "flat",
        )


@thing("bamboo", "", colors="#6fae4a", wide=0.5, tall=5.0, home="jungle", top=None)
def bamboo(pen: Pen, look: Look) -> None:
    """Three jointed canes."""
    for x, high in ((-14, -88), (0, -99), (13, -80)):
        pen.rect(x - 2.6, high, 5.2, -high, look.main, "side")
        for y in range(-14, high, -16):
            pen.line(f"M{x - 3} {y}H{x + 3}", tone(look.main, -0.14), 1.3)
        for side, y in ((1, high + 12), (-1, high + 26), (1, high + 40)):
            pen.path(
                f"M{x + side * 2} {y}C{x + side * 8} {y - 8} {x + side * 14} {y - 4} {x + side * 17} {y + 3}C{x + side * 10} {y + 3} {x + side * 6} {y + 3} {x + side * 2} {y}Z",
                tone(look.main, -0.05),
            )


@thing("leaf", "leaves", colors="#6aa84a #d9812e", wide=0.8, tall=0.2, place="land", top=None)
def leaf(pen: Pen, look: Look) -> None:
    """One leaf with its veins."""
    color = leaf_color(look)
    pen.path("M-30 -4C-44 -50 -10 -96 34 -98C42 -50 10 -4 -30 -4Z", color)
    pen.line(
        "M-36 0C-16 -34 6 -66 32 -96M-12 -32L-18 -58M-12 -32L14 -30M4 -54L2 -78M4 -54L26 -58",
        mix(color, "#f6f0c0", 0.4),
        2,
    )


@thing("log", "stump, tree stump, wood, trunk", colors="#8a6242", wide=1.2, tall=0.5, home="forest", top=0.86)
def log(pen: Pen, look: Look) -> None:
    """A stump with rings."""
    pen.path("M-46 -76C-44 -40 -50 -14 -60 0C-30 5 30 5 60 0C50 -14 44 -40 46 -76Z", look.main, "side")
    pen.line(
        "M-28 -52C-27 -32 -29 -18 -32 -6M-6 -50V-8M18 -52C19 -30 22 -16 24 -6M36 -56C36 -40 38 -26 42 -12",
        tone(look.main, -0.12),
        2,
    )
    pen.ellipse(0, -78, 46, 18, tone(look.main, 0.2))
    for size in (0.74, 0.48, 0.22):
        x, y = 46 * size, 18 * size
        pen.line(
            f"M{-x:.1f} -78A{x:.1f} {y:.1f} 0 1 0 {x:.1f} -78A{x:.1f} {y:.1f} 0 1 0 {-x:.1f} -78",
            tone(look.main, 0.06),
            1.6,
        )
