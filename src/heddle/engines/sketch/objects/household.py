"""Things of the house: cups, lamps, furniture, books."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

import math

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen

WOOD = "#a0703f"
GOLD = "#f0c040"


@thing(
    "cup",
    "mug, coffee cup, teacup, coffee, tea, cup of coffee, cup of tea, hot chocolate, glass",
    colors="#e8604a #4f8fb0 #f3ead8 #5aa58a",
    wide=1.2,
    tall=0.12,
    place="table",
    home="table",
    top=None,
)
def cup(pen: Pen, look: Look) -> None:
    """Steaming, on a saucer."""
    glaze = look.main
    pen.line("M-14 -76C-22 -84 -6 -90 -14 -100M8 -76C0 -84 16 -90 8 -100", "#ffffff", 3.4, 0.65)
    pen.ellipse(0, -6, 52, 7, tone(glaze, 0.06))
    pen.ellipse(0, -8, 34, 4, tone(glaze, -0.08))
    pen.line("M32 -54C58 -58 56 -24 26 -24", tone(glaze, -0.05), 7)
    pen.path("M-37 -66C-36 -34 -28 -14 -18 -8C-8 -4 8 -4 18 -8C28 -14 36 -34 37 -66Z", glaze, "side")
    pen.ellipse(0, -66, 37, 9.4, tone(glaze, 0.12))
    pen.ellipse(0, -65, 32.4, 7.2, look.other("#6b3f26"))
    pen.ellipse(-6, -66, 12, 2.2, "#a8703f", "flat")


@thing(
    "teapot",
    "kettle, coffee pot, pot",
    colors="#4f8fb0 #e8604a #7aa06a",
    wide=1.5,
    tall=0.22,
    place="table",
    home="table",
    top=None,
)
def teapot(pen: Pen, look: Look) -> None:
    """Round, with a spout."""
    glaze = look.main
    pen.path("M38 -30C58 -34 58 -64 76 -76L66 -80C48 -72 46 -56 34 -54Z", glaze)
    pen.line("M-40 -66C-74 -70 -72 -22 -38 -22", tone(glaze, -0.06), 8)
    pen.blob([(-46, -44), (-30, -74), (0, -80), (30, -74), (46, -44), (32, -10), (0, -2), (-32, -10)], glaze)
    pen.path("M-22 -77C-16 -90 16 -90 22 -77C10 -73 -10 -73 -22 -77Z", tone(glaze, 0.05))
    pen.circle(0, -93, 6.5, look.other(GOLD))
    for step in range(5):
        with pen.at(0, -38, 1, step * 72):
            pen.ellipse(0, -9, 5, 8, mix(glaze, "#ffffff", 0.72), "flat")
    pen.circle(0, -38, 4, look.other(GOLD), "flat")


@thing(
    "lamp",
    "desk lamp, table lamp, floor lamp",
    colors="#f0c86a #e8846a #8ab0c0",
    wide=0.66,
    tall=0.6,
    place="table",
    home="room",
    top=None,
)
def lamp(pen: Pen, look: Look) -> None:
    """A shade that glows."""
    pen.halo(0, -70, 80, "#ffe9a8", 0.55)
    pen.ellipse(0, -4, 22, 5, "#7a5a44")
    pen.line("M0 -6V-52", "#a07a54", 4.6)
    pen.blob([(0, -34), (8, -26), (10, -16), (0, -8), (-10, -16), (-8, -26)], look.other("#5a8a90"))
    pen.path("M-18 -98H18L33 -50C14 -44 -14 -44 -33 -50Z", mix(look.main, "#fff3c8", 0.35), "soft")
    pen.line("M-18 -98H18M-33 -50C-14 -44 14 -44 33 -50", tone(look.main, -0.12), 1.8)


@thing(
    "lantern",
    "paper lantern, oil lamp",
    colors="#e0483c #f0a83a #4a4a54",
    wide=0.56,
    tall=0.5,
    place="table",
    home="night hills",
    top=None,
)
def lantern(pen: Pen, look: Look) -> None:
    """Iron and glass, a flame inside."""
    iron = look.main
    pen.halo(0, -44, 62, "#ffc860", 0.75)
    pen.line("M-13 -82C-13 -103 13 -103 13 -82", tone(iron, -0.15), 2.4)
    pen.path("M-20 -12H20L16 -72H-16Z", "#fff0b8", "glow")
    pen.path("M0 -58C9 -44 8 -32 0 -28C-8 -32 -9 -44 0 -58Z", "#ff9a3a", "glow")
    pen.path("M0 -46C4 -40 4 -34 0 -31C-4 -34 -4 -40 0 -46Z", "#fff3c4", "glow")
    pen.line("M-19 -14L-16 -70M19 -14L16 -70M0 -72V-60", iron, 2.6)
    pen.path("M-22 -70H22L10 -86H-10Z", iron)
    pen.path("M-24 -14H24L22 0H-22Z", iron, "down")


@thing("candle", "", colors="#f6ecd2 #d8483c", wide=0.4, tall=0.25, place="table", home="room", top=None)
def candle(pen: Pen, look: Look) -> None:
    """Wax and flame."""
    wax = look.main
    pen.halo(0, -80, 50, "#ffd070", 0.8)
    pen.ellipse(0, -4, 20, 4.6, "#c9973a")
    pen.rect(-10, -64, 20, 60, wax, "side", 2)
    pen.path(
        "M-10 -64C-10 -54 -7 -50 -6 -56C-5 -62 -2 -58 0 -60C3 -56 5 -46 7 -54C8 -58 9 -60 10 -64Z",
        tone(wax, 0.05),
        "flat",
    )
    pen.ellipse(0, -64, 10, 3, tone(wax, 0.06))
    pen.line("M0 -64V-70", "#3a2a26", 1.6)
    pen.path("M0 -98C10 -84 9 -72 0 -68C-9 -72 -10 -84 0 -98Z", "#ff9a3a", "glow")
    pen.path("M0 -86C5 -79 4 -72 0 -70C-4 -72 -5 -79 0 -86Z", "#fff3c4", "glow")


@thing(
    "book",
    "novel, spellbook, tome, diary, notebook",
    colors="#a8433c #3f6a9a #5a8a5a #8a5ab0",
    wide=1.7,
    tall=0.15,
    place="table",
    home="room",
    top=0.7,
)
def book(pen: Pen, look: Look) -> None:
    """Open, with lines of text."""
    cover = look.main
    pen.path("M0 -12L-82 -24L-70 -92L0 -78L70 -92L82 -24Z", cover)
    for side in (-1, 1):
        pen.path(
            f"M0 -18C{side * 24} -36 {side * 54} -36 {side * 76} -30L{side * 65} -94C{side * 44} -98 {side * 18} -96 0 -82Z",
            "#fdf6e4",
        )
        for step in range(5):
            y = -84 + step * 11
            lean = step * 2.3
            pen.line(
                f"M{side * (9 + lean * 0.2)} {y + 2}C{side * (24 + lean)} {y - 5} {side * (40 + lean)} {y - 6} {side * (58 + lean)} {y - 3}",
                "#b8a88c",
                1.8,
            )
    pen.line("M0 -82V-18", "#cbb898", 2)
    pen.path("M6 -82L12 -20L12 2L7 -4L2 2V-20Z", look.other(GOLD), "flat")


@thing(
    "chair",
    "armchair, stool, seat, throne, sofa, couch",
    colors="#c9604a #4f8a8a #b08a4f #6a6ab0",
    wide=0.84,
    tall=1.0,
    home="room",
    top=0.5,
)
def chair(pen: Pen, look: Look) -> None:
    """An armchair."""
    cloth = look.main
    for side in (-1, 1):
        pen.path(f"M{side * 34} -10L{side * 28} -10L{side * 30} 0L{side * 34} 0Z", WOOD)
    pen.blob([(-26, -92), (0, -99), (26, -92), (31, -60), (28, -30), (-28, -30), (-31, -60)], tone(cloth, -0.04))
    pen.rect(-36, -46, 72, 38, tone(cloth, -0.1), "down", 8)
    pen.rect(-26, -50, 52, 18, tone(cloth, 0.05), "down", 7)
    for side in (-1, 1):
        pen.rect(side * 34 - 9, -58, 18, 50, cloth, "down", 9)
    for x, y in ((-10, -78), (10, -78), (0, -66)):
        pen.circle(x, y, 1.7, tone(cloth, -0.16), "flat")


@thing("table", "desk, counter", colors="#a8713f #8a5a3a #c9a06a", wide=1.7, tall=0.8, home="room", top=0.93)
def table(pen: Pen, look: Look) -> None:
    """A thick top and four legs."""
    wood = look.main
    for x in (-58, 52):
        pen.rect(x, -74, 8, 68, tone(wood, -0.16), "side")
    for x in (-74, 66):
        pen.rect(x, -80, 10, 80, tone(wood, -0.05), "side", 1)
    pen.rect(-72, -82, 144, 14, tone(wood, -0.12), "down")
    pen.poly([(-70, -99), (70, -99), (84, -86), (-84, -86)], tone(wood, 0.06), "down")
    pen.rect(-84, -86, 168, 7, wood, "down", 2)
    pen.line("M-50 -95H10M-20 -91H50", tone(wood, -0.04), 1.2)


@thing("bed", "", colors="#5a8ab0 #c9604a #7aa06a", wide=1.9, tall=1.1, home="room", top=0.6)
def bed(pen: Pen, look: Look) -> None:
    """A headboard, a pillow, a blanket."""
    pen.rect(-95, -98, 14, 98, WOOD, "side", 4)
    pen.rect(82, -66, 13, 66, WOOD, "side", 4)
    pen.rect(-84, -36, 170, 22, tone(WOOD, -0.08), "down", 3)
    pen.rect(-82, -58, 166, 28, "#fbf6ec", "down", 8)
    pen.blob([(-78, -62), (-66, -78), (-40, -76), (-32, -62), (-46, -52), (-70, -53)], "#ffffff")
    pen.path("M-28 -62C0 -72 50 -70 86 -60V-24H-34Z", look.main, "down")
    pen.path("M-28 -62L-34 -24H-22L-16 -65Z", tone(look.main, 0.14), "flat")


@thing(
    "clock",
    "watch, alarm clock, stopwatch, pocket watch",
    colors="#d8a840 #c94f44 #4f8a9a",
    wide=0.9,
    tall=0.3,
    place="table",
    home="room",
    top=None,
)
def clock(pen: Pen, look: Look) -> None:
    """An alarm clock; chance sets the time."""
    rim = look.main
    for side in (-1, 1):
        pen.line(f"M{side * 22} -12L{side * 30} -1", tone(rim, -0.15), 6)
        pen.path(f"M{side * 8} -88C{side * 12} -102 {side * 36} -98 {side * 36} -78Z", tone(rim, -0.06))
    pen.circle(0, -46, 43, rim)
    pen.circle(0, -46, 35, "#fdf8ea")
    for step in range(12):
        with pen.at(0, -46, 1, step * 30):
            pen.line(f"M0 -31V{-26 if step % 3 else -23}", "#4a3f3a", 2.4 if step % 3 == 0 else 1.3)
    hour, minute = look.rng.randint(0, 11), look.rng.randint(0, 11) * 5
    for turn, length, width in ((hour * 30 + minute / 2, 17, 4), (minute * 6, 26, 2.6)):
        radians = math.radians(turn)
        pen.line(f"M0 -46L{math.sin(radians) * length:.1f} {-46 - math.cos(radians) * length:.1f}", "#33282b", width)
    pen.circle(0, -46, 3, "#c94f44", "flat")


@thing(
    "umbrella",
    "parasol, beach umbrella",
    colors="#d8433c #f0b43a #3f8fb0 #b05aa0",
    wide=1.1,
    tall=1.0,
    home="street",
    top=None,
)
def umbrella(pen: Pen, look: Look) -> None:
    """Open."""
    cloth = look.main
    other = look.other(tone(cloth, 0.1))
    pen.line("M0 -92V-10C0 2 14 2 14 -8", WOOD, 3)
    pen.path(
        "M-54 -52C-50 -80 -26 -94 0 -94C26 -94 50 -80 54 -52C46 -60 38 -60 33 -52C26 -60 18 -60 11 -52C4 -58 -4 -58 -11 -52C-18 -60 -26 -60 -33 -52C-38 -60 -46 -60 -54 -52Z",
        cloth,
    )
    pen.path("M0 -94C-8 -82 -11 -66 -11 -52C-4 -58 4 -58 11 -52C11 -66 8 -82 0 -94Z", other)
    pen.path("M0 -94C-24 -86 -32 -68 -33 -52C-38 -60 -46 -60 -54 -52C-50 -80 -26 -94 0 -94Z", other)
    pen.path("M0 -94C24 -86 32 -68 33 -52C38 -60 46 -60 54 -52C50 -80 26 -94 0 -94Z", other)
    pen.line("M0 -94V-100", WOOD, 2.6)


@thing(
    "gift",
    "present, parcel, box, package",
    colors="#d8433c #4f8fb0 #5aa06a #b06ab8",
    wide=1.0,
    tall=0.35,
    place="table",
    home="room",
    top=0.8,
)
def gift(pen: Pen, look: Look) -> None:
    """Wrapped, with a bow."""
    paper = look.main
    ribbon = look.other("#f6d24a" if paper != "#f6d24a" else "#d8433c")
    pen.rect(-42, -62, 84, 62, paper, "down", 3)
    pen.rect(-47, -76, 94, 20, tone(paper, 0.06), "down", 4)
    pen.rect(-8, -76, 16, 76, ribbon, "side")
    for side in (-1, 1):
        pen.path(
            f"M0 -76C{side * 12} -104 {side * 44} -102 {side * 36} -86C{side * 30} -76 {side * 14} -75 0 -76Z", ribbon
        )
        pen.path(
            f"M{side * 8} -80C{side * 16} -94 {side * 30} -94 {side * 28} -87C{side * 24} -82 {side * 16} -80 {side * 8} -80Z",
            tone(ribbon, -0.16),
            "flat",
        )
    pen.ellipse(0, -77, 8, 6.6, tone(ribbon, -0.05))


@thing(
    "vase",
    "pot of flowers, flower pot, bouquet, potted plant, flowers in a vase, houseplant",
    colors="#5a8ab0 #c9704a #e8e0d0",
    wide=0.62,
    tall=0.5,
    place="table",
    home="table",
    top=None,
)
def vase(pen: Pen, look: Look) -> None:
    """A bunch of flowers in it."""
    glaze = look.main
    rng = look.rng
    heads = [(-18, -70), (18, -72), (0, -88), (-9, -78), (11, -82), (-24, -58), (25, -59), (2, -68)]
    for x, y in heads:
        pen.line(f"M{x * 0.12:.1f} -40C{x * 0.3:.1f} -54 {x * 0.8:.1f} {y + 14} {x} {y}", "#4f9048", 1.6)
    for x, y in ((-14, -52), (14, -53), (0, -58)):
        pen.ellipse(x, y, 4.6, 10, "#5a9a4a", "soft", x * 3)
    for x, y in heads:
        petal = look.other(rng.choice(("#e8506a", "#f6c945", "#f08ab0", "#ffffff", "#b07ad8", "#f0853a")))
        for step in range(5):
            with pen.at(x, y, 1, step * 72):
                pen.ellipse(0, -4.6, 3.6, 5, petal)
        pen.circle(x, y, 2.8, "#f6c945" if petal != "#f6c945" else "#a8602a")
    pen.path("M-9 -44H9C8 -36 20 -28 19 -14C18 -4 10 0 0 0C-10 0 -18 -4 -19 -14C-20 -28 -8 -36 -9 -44Z", glaze)
    pen.line("M-18 -18C-8 -13 8 -13 18 -18", mix(glaze, "#ffffff", 0.6), 2.4)
    pen.ellipse(0, -44, 9, 2.4, tone(glaze, -0.1))


@thing(
    "hat",
    "top hat, straw hat, cap, helmet",
    colors="#33343e #d9b06a",
    wide=1.4,
    tall=0.3,
    place="table",
    home="room",
    top=None,
)
def hat(pen: Pen, look: Look) -> None:
    """A top hat."""
    pen.ellipse(0, -10, 68, 11, look.main)
    pen.path("M-40 -12L-44 -92C-20 -100 20 -100 44 -92L40 -12C20 -4 -20 -4 -40 -12Z", tone(look.main, 0.03), "side")
    pen.ellipse(0, -93, 44, 6, tone(look.main, 0.08))
    pen.path(
        "M-40.5 -14L-41.6 -32C-18 -24 18 -24 41.6 -32L40.5 -14C18 -6 -18 -6 -40.5 -14Z", look.other("#c9433c"), "side"
    )


@thing("key", "", colors="#f0c040", wide=0.5, tall=0.3, home="studio", place="table", top=None)
def key(pen: Pen, look: Look) -> None:
    """An old key, upright."""
    pen.line("M0 -60V-4M0 -8H16M0 -22H12M16 -8V-2M12 -22V-16", look.main, 8)
    pen.line("M-18 -80A18 18 0 1 0 18 -80A18 18 0 1 0 -18 -80", tone(look.main, 0.02), 8)


@thing(
    "computer",
    "laptop, television, tv, monitor, screen, phone, camera",
    colors="#5a6270",
    wide=1.3,
    tall=0.4,
    place="table",
    home="table",
    top=0.96,
)
def computer(pen: Pen, look: Look) -> None:
    """A screen on a foot."""
    pen.path("M-12 -22H12L18 -4H-18Z", tone(look.main, -0.06))
    pen.rect(-34, -6, 68, 6, look.main, "down", 3)
    pen.rect(-64, -98, 128, 78, look.main, "down", 6)
    pen.rect(-57, -91, 114, 64, "#2f4a6a", "down", 2)
    pen.circle(26, -70, 9, "#ffe08a", "glow")
    pen.path("M-57 -27V-48L-30 -68L-4 -42L12 -54L57 -27Z", "#5fae8a", "flat")
