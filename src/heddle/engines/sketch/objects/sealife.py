"""What swims: fish, whale, dolphin, octopus and others of the sea."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen


@thing(
    "fish",
    "goldfish, koi, clownfish, trout, salmon, carp, tuna",
    colors="#f0803a #4a9ad8 #f2c244 #e0577a #5bc0a8",
    wide=1.45,
    tall=0.3,
    place="deep",
    home="underwater",
    shadow=False,
)
def fish(pen: Pen, look: Look) -> None:
    """Striped, with a fanned tail."""
    coat = look.main
    fin = look.other(tone(coat, -0.09))
    pen.path("M-36 -50C-54 -62 -66 -84 -74 -84C-70 -66 -70 -36 -74 -16C-64 -18 -52 -40 -36 -50Z", fin)
    pen.path("M-22 -74C-14 -98 14 -100 26 -92C22 -84 20 -78 20 -70Z", fin)
    pen.path("M-6 -24C-8 -10 -18 -2 -26 -2C-26 -12 -22 -22 -18 -28Z", fin)
    body = "M62 -46C50 -76 14 -88 -16 -74C-30 -68 -38 -58 -44 -50C-36 -40 -28 -30 -14 -25C16 -14 52 -22 62 -46Z"
    pen.path(body, coat)
    with pen.at(0, 0, clip=body):
        pen.path("M24 -90C14 -66 14 -36 26 -12L36 -12C26 -36 26 -66 36 -90Z", mix(coat, "#ffffff", 0.75), "flat")
        pen.path("M-16 -90C-24 -66 -24 -36 -14 -12L-6 -12C-14 -36 -14 -66 -4 -90Z", mix(coat, "#ffffff", 0.75), "flat")
        pen.ellipse(0, -18, 60, 14, mix(coat, "#fff6e0", 0.5), "flat", 0, 0.6)
    pen.path("M10 -46C0 -52 -12 -48 -16 -38C-6 -32 4 -34 10 -42Z", fin)
    pen.circle(45, -54, 7.4, "#ffffff", "flat")
    pen.eye(46.4, -54, 4.6)
    pen.line("M60 -40C56 -38 52 -39 50 -42", tone(coat, -0.25), 1.8)


@thing(
    "whale",
    "orca, humpback, blue whale",
    colors="#4f7fae #5c8ab8 #4a6f92",
    wide=1.9,
    tall=3.0,
    place="water",
    home="sea",
    top=0.72,
)
def whale(pen: Pen, look: Look) -> None:
    """A round back above the water, spouting."""
    skin = look.main
    pale = look.other("#e6f0f4")
    pen.path(
        "M-62 -28C-78 -40 -82 -60 -92 -62C-96 -74 -84 -82 -76 -74C-70 -82 -56 -80 -58 -70C-66 -62 -62 -46 -48 -38Z",
        skin,
    )
    body = "M-68 -30C-48 -40 -30 -74 14 -76C58 -78 90 -54 88 -24C87 -4 70 0 40 0L-14 0C-42 0 -60 -12 -68 -30Z"
    pen.path(body, skin)
    with pen.at(0, 0, clip=body):
        pen.path("M96 -26C60 -20 20 -22 -10 -10C-20 -6 -20 10 -10 10L96 10Z", pale, "flat")
        pen.line("M88 -17C60 -12 30 -12 4 -4M80 -9C60 -6 40 -6 24 0", tone(pale, -0.12), 1.6)
    pen.path("M14 -20C10 -6 -6 2 -18 2C-14 -10 -10 -18 0 -24Z", tone(skin, -0.08))
    pen.eye(58, -34, 3.2)
    pen.line("M88 -26C78 -21 70 -22 64 -26", tone(skin, -0.2), 1.8)
    pen.line("M30 -77C30 -90 22 -98 12 -96M30 -77C31 -90 38 -99 48 -95M30 -78V-92", "#d7eef8", 3.6, 0.9)


@thing("dolphin", "porpoise", colors="#6f97b8 #7fa6c4", wide=1.5, tall=1.6, place="water", home="sea", shadow=False)
def dolphin(pen: Pen, look: Look) -> None:
    """Leaps in an arc."""
    skin = look.main
    pen.path("M-58 -22C-72 -22 -78 -12 -76 -2C-70 -8 -62 -10 -58 -10C-58 -4 -54 2 -48 4C-48 -8 -50 -14 -52 -20Z", skin)
    pen.path("M-4 -84C-10 -98 -22 -102 -28 -100C-24 -92 -22 -84 -22 -74Z", tone(skin, -0.08))
    body = "M-58 -14C-56 -56 -26 -88 14 -86C34 -84 44 -74 52 -62C58 -58 70 -54 74 -48C70 -42 58 -44 50 -46C36 -40 16 -50 -2 -48C-26 -46 -46 -32 -58 -14Z"
    pen.path(body, skin)
    with pen.at(0, 0, clip=body):
        pen.path("M76 -46C40 -52 8 -60 -16 -50C-36 -42 -50 -28 -58 -10L0 -10L76 -30Z", look.other("#edf4f6"), "flat")
    pen.path("M16 -56C16 -42 6 -32 -4 -28C-4 -40 0 -50 4 -58Z", tone(skin, -0.1))
    pen.eye(40, -62, 2.6)


@thing("shark", "great white", colors="#71828f", wide=2.0, tall=1.6, place="deep", home="underwater", shadow=False)
def shark(pen: Pen, look: Look) -> None:
    """Sharp fins, a row of teeth."""
    skin = look.main
    pen.path(
        "M-62 -44C-80 -58 -86 -80 -98 -86C-94 -66 -92 -48 -84 -40C-90 -30 -92 -22 -92 -14C-80 -18 -70 -32 -60 -38Z",
        skin,
    )
    pen.path("M-4 -66C-4 -84 -14 -98 -26 -100C-28 -88 -32 -74 -36 -62Z", tone(skin, -0.06))
    body = "M98 -48C70 -72 20 -78 -30 -62C-46 -56 -60 -48 -70 -42C-50 -32 -20 -22 20 -22C60 -22 84 -32 98 -48Z"
    pen.path(body, skin)
    with pen.at(0, 0, clip=body):
        pen.path("M100 -44C60 -40 0 -40 -70 -40L-70 -10L100 -10Z", "#eef1f0", "flat")
    pen.path("M22 -34C16 -16 0 -4 -14 -2C-10 -14 -6 -26 0 -36Z", tone(skin, -0.1))
    pen.poly(
        [(84, -38), (80, -34), (77, -37), (73, -32), (70, -35), (65, -31), (62, -33), (60, -38)], "#ffffff", "flat"
    )
    pen.line("M90 -42C82 -37 70 -36 60 -38", tone(skin, -0.3), 1.6)
    pen.line(
        "M38 -54C34 -48 34 -44 36 -38M32 -55C28 -49 28 -45 30 -39M26 -56C22 -50 22 -46 24 -40", tone(skin, -0.2), 1.6
    )
    pen.eye(70, -51, 3)


@thing(
    "octopus",
    "squid, kraken",
    colors="#c9566a #8a5ac0 #e0803a",
    wide=1.15,
    tall=0.9,
    place="deep",
    home="underwater",
    shadow=False,
)
def octopus(pen: Pen, look: Look) -> None:
    """Eight curling arms."""
    skin = look.main
    for x, end, curl in ((-14, -52, -30), (14, 52, -30), (-10, -38, -8), (10, 38, -8), (-6, -20, -2), (6, 20, -2)):
        hook = 8 if end > 0 else -8
        pen.line(
            f"M{x} -46C{x * 1.4:.0f} -22 {end * 0.6:.0f} {curl + 10} {end} {curl}C{end + hook} {curl - 5} {end + hook} {curl - 15} {end} {curl - 13}",
            tone(skin, -0.05),
            9,
            1,
            "flat",
        )
    pen.blob([(0, -100), (26, -92), (34, -68), (26, -44), (0, -34), (-26, -44), (-34, -68), (-26, -92)], skin)
    for x, y, r in ((-16, -86, 3), (-5, -92, 2.2), (14, -88, 3.4), (22, -78, 2.2)):
        pen.circle(x, y, r, tone(skin, -0.08), "flat")
    for side in (-1, 1):
        pen.circle(side * 12, -62, 8, "#ffffff", "flat")
        pen.eye(side * 11, -61, 4.6)
        pen.halo(side * 21, -52, 7, "#ffb0a0", 0.6)
    pen.line("M-6 -48C-3 -45 3 -45 6 -48", tone(skin, -0.3), 1.8)


@thing(
    "jellyfish",
    "medusa",
    colors="#d99be0 #8ac8f0 #f0a6b8",
    wide=0.75,
    tall=0.6,
    place="deep",
    home="underwater",
    shadow=False,
)
def jellyfish(pen: Pen, look: Look) -> None:
    """A glowing bell with trailing arms."""
    skin = look.main
    pen.halo(0, -70, 60, skin, 0.5)
    for x in (-26, -14, -2, 10, 22):
        sway = look.rng.uniform(-7, 7)
        pen.line(
            f"M{x} -52C{x + sway} -36 {x - sway} -22 {x + sway * 0.6:.1f} {-4 - look.rng.uniform(0, 12):.1f}",
            mix(skin, "#ffffff", 0.35),
            2.6,
            0.75,
        )
    pen.path(
        "M-36 -52C-40 -84 -20 -100 0 -100C20 -100 40 -84 36 -52C30 -58 24 -46 18 -52C12 -58 6 -46 0 -52C-6 -58 -12 -46 -18 -52C-24 -58 -30 -46 -36 -52Z",
        skin,
        "soft",
        0.88,
    )
    pen.path("M-24 -64C-24 -84 -12 -90 -4 -92C-12 -84 -16 -76 -16 -64Z", "#ffffff", "flat", 0.4)


@thing("crab", "lobster", colors="#e0533a", wide=1.6, tall=0.25, home="beach", top=0.7)
def crab(pen: Pen, look: Look) -> None:
    """Claws up."""
    shell = look.main
    for side in (-1, 1):
        pen.line(
            f"M{side * 30} -22L{side * 56} -26L{side * 66} 0M{side * 28} -16L{side * 46} -14L{side * 52} 0M{side * 20} -12L{side * 34} -6L{side * 36} 0",
            tone(shell, -0.08),
            5,
        )
        pen.line(f"M{side * 36} -40C{side * 56} -42 {side * 60} -54 {side * 58} -62", shell, 8)
        pen.path(
            f"M{side * 50} -62C{side * 38} -84 {side * 50} -100 {side * 66} -98L{side * 58} -82L{side * 76} -90C{side * 80} -74 {side * 70} -60 {side * 58} -58Z",
            shell,
        )
        pen.line(f"M{side * 12} -52V-70", shell, 4)
        pen.circle(side * 12, -73, 7, "#ffffff", "flat")
        pen.eye(side * 12, -73, 4.2)
    pen.blob([(-44, -36), (-26, -56), (26, -56), (44, -36), (26, -10), (-26, -10)], shell)
    pen.line("M-12 -26C-6 -20 6 -20 12 -26", tone(shell, -0.25), 2.6)


@thing("starfish", "sea star", colors="#f0934a #e56a6a", wide=1.05, tall=0.15, home="beach", top=None)
def starfish(pen: Pen, look: Look) -> None:
    """Five soft arms."""
    arms = [
        (0, -100),
        (13, -64),
        (50, -62),
        (22, -40),
        (32, -4),
        (0, -24),
        (-32, -4),
        (-22, -40),
        (-50, -62),
        (-13, -64),
    ]
    pen.blob([(float(x), float(y)) for x, y in arms], look.main)
    for x, y in ((0, -78), (0, -50), (-30, -56), (30, -56), (-20, -20), (20, -20), (0, -64), (-14, -50), (14, -50)):
        pen.circle(x, y, 3, tone(look.main, 0.14), "flat")


@thing("seahorse", "", colors="#e9b04a #d8709a", wide=0.55, tall=0.3, place="deep", home="underwater", shadow=False)
def seahorse(pen: Pen, look: Look) -> None:
    """Upright, with a curled tail."""
    skin = look.main
    pen.line("M4 -40C8 -16 -8 0 -16 -8C-20 -16 -8 -22 -6 -13", skin, 6)
    pen.path("M-12 -58C-28 -66 -28 -46 -14 -44Z", tone(skin, -0.1))
    pen.blob([(-6, -84), (8, -78), (16, -60), (14, -42), (4, -30), (-6, -36), (-12, -52), (-4, -66)], skin)
    pen.line("M-6 -54L12 -54M-4 -46L13 -46M0 -38L9 -38", tone(skin, -0.12), 1.8)
    pen.blob([(-8, -92), (4, -100), (13, -94), (16, -87), (27, -84), (27, -79), (14, -79), (2, -76), (-7, -82)], skin)
    pen.poly([(-6, -94), (-2, -104), (2, -97), (7, -103), (9, -96)], tone(skin, -0.1))
    pen.eye(7, -90, 2.6)
