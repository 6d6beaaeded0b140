"""Things of play, of the street and of legend."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen

WOOD = "#a0703f"
GOLD = "#f0c040"


@thing(
    "ball",
    "beach ball, football, soccer ball, basketball, bouncy ball",
    colors="#e0483c #3f8fd0 #f0b83a #4fae6a",
    wide=1.0,
    tall=0.4,
    home="meadow",
    top=0.97,
)
def ball(pen: Pen, look: Look) -> None:
    """Round and shiny; panels when a second colour is asked for."""
    skin = look.main
    disc = "M-50 -50A50 50 0 1 1 50 -50A50 50 0 1 1 -50 -50Z"
    pen.path(disc, skin)
    if look.second:
        with pen.at(0, 0, clip=disc):
            pen.path("M-12 -104C-50 -70 -50 -30 -14 4L14 4C-14 -30 -14 -70 6 -104Z", look.second, "flat")
            pen.path("M30 -104C60 -70 60 -30 30 4L70 4V-104Z", look.second, "flat")
    pen.halo(0, -4, 44, tone(skin, 0.14), 0.35, 14)
    pen.ellipse(-18, -76, 15, 9, "#ffffff", "flat", -34, 0.72)


@thing(
    "balloon",
    "party balloon",
    colors="#e0483c #3f8fd0 #f0b83a #b86ac8 #4fae8a #f07a9a",
    wide=0.5,
    tall=1.2,
    place="sky",
    shadow=False,
)
def balloon(pen: Pen, look: Look) -> None:
    """On a string."""
    skin = look.main
    sway = look.rng.uniform(-9, 9)
    pen.line(f"M0 -45C{sway:.0f} -32 {-sway:.0f} -16 {sway * 0.4:.0f} 0", "#8a8088", 0.9)
    pen.path("M-3.6 -42L0 -47L3.6 -42Z", tone(skin, -0.1))
    pen.path(
        "M0 -100C16 -100 25 -88 25 -74C25 -60 10 -50 0 -46C-10 -50 -25 -60 -25 -74C-25 -88 -16 -100 0 -100Z",
        skin,
        "soft",
        0.96,
    )
    pen.ellipse(-9, -85, 5, 8.4, "#ffffff", "flat", 24, 0.6)


@thing(
    "guitar",
    "ukulele, violin, cello, banjo, lute, music, instrument",
    colors="#c9813a #a8433c #3a3236",
    wide=0.44,
    tall=1.0,
    home="room",
    top=None,
)
def guitar(pen: Pen, look: Look) -> None:
    """Upright, with six pegs."""
    wood = look.main
    pen.rect(-2.8, -90, 5.6, 50, "#5a3a2a", "side")
    for y in range(-84, -50, 6):
        pen.line(f"M-2.8 {y}H2.8", "#d9c9a8", 0.6)
    pen.path("M-4 -88L-5.4 -100H5.4L4 -88Z", "#4a2f24")
    for side in (-1, 1):
        for y in (-97, -94, -91):
            pen.circle(side * 7, y, 1.3, GOLD, "flat")
    pen.blob(
        [
            (0, -56),
            (10, -55),
            (14, -47),
            (11.5, -37),
            (15, -28),
            (20, -16),
            (14, -4),
            (0, -1),
            (-14, -4),
            (-20, -16),
            (-15, -28),
            (-11.5, -37),
            (-14, -47),
            (-10, -55),
        ],
        wood,
    )
    pen.circle(0, -34, 6, "#3a2620")
    pen.rect(-8, -16, 16, 3, "#4a2f24", "flat", 1)
    pen.line("M-1.6 -90L-2.4 -15M-0.5 -90L-0.8 -15M0.5 -90L0.8 -15M1.6 -90L2.4 -15", "#f3ead2", 0.35)


@thing(
    "sword", "blade, katana, excalibur, dagger", colors="#dfe6ee #9ac0e0", wide=0.36, tall=1.2, home="hills", top=None
)
def sword(pen: Pen, look: Look) -> None:
    """Point down, in a stone."""
    pen.path("M-5 -66H5L4 -10H-4Z", look.main, "side")
    pen.line("M0 -64V-12", tone(look.main, -0.16), 1)
    pen.blob([(-18, 0), (-14, -12), (-4, -16), (8, -15), (16, -8), (18, 0)], "#8a8690")
    pen.path("M-17 -70C-8 -67 8 -67 17 -70L16 -64C8 -62 -8 -62 -16 -64Z", look.other(GOLD))
    pen.rect(-2.6, -90, 5.2, 22, "#6b3f2a", "side", 1)
    pen.circle(0, -94, 5, look.other(GOLD))
    pen.circle(0, -67, 2.4, "#d8433c")


@thing("crown", "tiara, diadem", colors="#f0c040", wide=1.3, tall=0.25, place="table", home="castle", top=None)
def crown(pen: Pen, look: Look) -> None:
    """Five points with jewels."""
    gold = look.main
    pen.ellipse(0, -28, 56, 10, tone(gold, -0.2))
    pen.path("M-58 -18L-64 -82L-34 -50L0 -98L34 -50L64 -82L58 -18C24 -6 -24 -6 -58 -18Z", gold)
    pen.path("M-60 -30C-24 -18 24 -18 60 -30L58 -14C24 -2 -24 -2 -58 -14Z", tone(gold, -0.1))
    for x, y, color in ((-64, -84, "#d8434a"), (0, -98, "#4a8ad8"), (64, -84, "#d8434a")):
        pen.circle(x, y + 2, 6, color)
    for x, color in ((-36, "#4a8ad8"), (-12, "#d8434a"), (12, "#4fae6a"), (36, "#4a8ad8")):
        pen.ellipse(x, -17 + abs(x) * -0.06, 5, 6, color)


@thing(
    "crystal",
    "gem, diamond, jewel, ruby, emerald, sapphire, amethyst, gemstone",
    colors="#8a7ae8 #5ac8d8 #e07ac0 #6ad0a0",
    wide=0.8,
    tall=0.8,
    home="cave",
    top=None,
)
def crystal(pen: Pen, look: Look) -> None:
    """A cluster of facets that glows."""
    glass = look.main
    pen.halo(0, -44, 70, glass, 0.55)
    for x, base, half, top, turn in (
        (-18, 0, 9, -58, -18),
        (19, 0, 9, -52, 20),
        (-8, 0, 8, -40, -34),
        (0, 0, 13, -97, 0),
    ):
        with pen.at(x * 0.6, base, 1, turn):
            pen.poly([(-half, -4), (-half, top + half * 1.6), (0, top), (0, 0)], tone(glass, 0.1), "down")
            pen.poly([(half, -4), (half, top + half * 1.6), (0, top), (0, 0)], tone(glass, -0.07), "down")
            pen.line(f"M{-half * 0.5:.1f} {top + half * 2:.1f}V-12", "#ffffff", 1.6, 0.6)


@thing("treasure chest", "chest, treasure, trunk of gold", colors="#8a5a34", wide=1.3, tall=0.6, home="beach", top=None)
def treasure_chest(pen: Pen, look: Look) -> None:
    """Open and full of gold."""
    wood = look.main
    pen.path("M-58 -52C-56 -102 56 -102 58 -52Z", tone(wood, -0.12))
    pen.path("M-50 -54C-48 -90 48 -90 50 -54Z", tone(wood, -0.28), "flat")
    pen.halo(0, -58, 60, "#ffe27a", 0.55)
    for x, y, r in (
        (-38, -54, 8),
        (-24, -60, 9),
        (-8, -63, 10),
        (9, -62, 10),
        (25, -59, 9),
        (38, -54, 8),
        (0, -54, 10),
        (-16, -52, 8),
        (17, -52, 8),
    ):
        pen.circle(x, y, r, GOLD)
    pen.circle(-20, -66, 5, "#d8434a")
    pen.circle(15, -69, 5, "#4a8ad8")
    pen.rect(-60, -52, 120, 52, wood, "down", 3)
    pen.line("M-58 -34H58M-58 -17H58", tone(wood, -0.1), 2)
    for x in (-48, 40):
        pen.rect(x, -52, 8, 52, "#d8a840", "side")
    pen.rect(-10, -52, 20, 22, "#d8a840", "down", 3)
    pen.mark(0, -42, 2.6, 3.4)


@thing(
    "campfire", "bonfire, fire, flame, fireplace", colors="#ff8a2e", wide=1.0, tall=1.0, home="night forest", top=None
)
def campfire(pen: Pen, look: Look) -> None:
    """Logs and three tongues of fire."""
    flame = look.main
    pen.halo(0, -40, 110, "#ffb04a", 0.7)
    for x in (-38, -20, 0, 20, 38):
        pen.ellipse(x, -3 + abs(x) * 0.03, 11, 7, "#7f7a80")
    pen.path(
        "M0 -99C8 -78 30 -66 28 -36C27 -18 14 -10 0 -10C-14 -10 -27 -18 -28 -36C-29 -56 -14 -62 -16 -80C-8 -76 -2 -84 0 -99Z",
        flame,
        "glow",
    )
    pen.path(
        "M2 -74C6 -60 18 -52 17 -34C16 -20 8 -13 0 -13C-8 -13 -17 -20 -17 -34C-17 -46 -6 -50 2 -74Z", "#ffc04a", "glow"
    )
    pen.path("M0 -50C4 -40 9 -36 8 -26C7 -18 4 -14 0 -14C-4 -14 -8 -18 -8 -26C-8 -34 -3 -38 0 -50Z", "#fff3b8", "glow")
    pen.line("M-36 -6L30 -18M36 -6L-30 -18", "#6b4632", 10)
    pen.circle(31, -18.4, 4, "#c99a6a", "flat")
    pen.circle(-31, -18.4, 4, "#c99a6a", "flat")


@thing(
    "lamp post",
    "street lamp, streetlight, lamppost, street light, streetlamp",
    colors="#3f4450",
    wide=0.3,
    tall=4.0,
    home="street",
    top=None,
)
def lamp_post(pen: Pen, look: Look) -> None:
    """An old street lamp."""
    iron = look.main
    pen.halo(0, -87, 44 if look.lamps else 16, "#ffd98a", 0.85)
    pen.rect(-1.6, -78, 3.2, 76, iron, "side")
    pen.path("M-7 0L-4 -9H4L7 0Z", iron)
    pen.rect(-3, -44, 6, 2.4, iron, "flat", 1)
    pen.path("M-5 -79L-8 -93H8L5 -79Z", "#fff0b8", "glow")
    pen.path("M-10 -92.4L0 -100L10 -92.4Z", iron)
    pen.line("M-5 -79H5M0 -79V-93", iron, 1.1)


@thing("bench", "park bench", colors="#a0703f #5a8a6a", wide=1.9, tall=0.9, home="park", top=0.5)
def bench(pen: Pen, look: Look) -> None:
    """Slats on iron."""
    for x in (-72, 66):
        pen.line(f"M{x} 0V-46H{x + 6}V-92", "#4a4a54", 5)
        pen.line(f"M{x + 14} 0V-40", "#4a4a54", 4)
    for y in (-92, -76, -60):
        pen.rect(-90, y, 180, 11, look.main, "down", 3)
    pen.rect(-92, -48, 184, 10, tone(look.main, -0.08), "down", 3)


@thing("sign", "signpost, billboard, road sign", colors="#c99a5e", wide=1.1, tall=1.4, top=0.97)
def sign(pen: Pen, look: Look) -> None:
    """Two boards on a post; nothing is written on them."""
    pen.rect(-5, -98, 10, 98, WOOD, "side", 2)
    pen.poly([(-46, -92), (36, -92), (52, -79), (36, -66), (-46, -66)], look.main, "down")
    pen.poly([(46, -58), (-34, -58), (-50, -46), (-34, -34), (46, -34)], tone(look.main, -0.05), "down")
    pen.line("M-34 -83H18M-34 -75H6M-22 -50H32M-22 -42H18", tone(look.main, -0.22), 2.4)


@thing("rock", "stone, boulder, pebble", colors="#8f8b92 #a39c94", wide=1.4, tall=0.7, top=0.85)
def rock(pen: Pen, look: Look) -> None:
    """Faceted, with moss by chance."""
    stone = look.main
    pen.poly([(-66, 0), (-70, -26), (-46, -66), (-14, -94), (24, -90), (56, -56), (70, -22), (64, 0)], stone, "down")
    pen.poly([(-14, -94), (24, -90), (8, -50), (-28, -54)], tone(stone, 0.08), "flat")
    pen.poly([(24, -90), (56, -56), (70, -22), (64, 0), (22, 0), (8, -50)], tone(stone, -0.1), "flat")
    pen.poly([(-46, -66), (-28, -54), (-36, 0), (-66, 0), (-70, -26)], tone(stone, -0.03), "flat")
