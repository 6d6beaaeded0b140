"""Birds, and insects that fly: on the wing, on the water or on their feet."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen


@thing(
    "bird",
    "sparrow, robin, bluebird, seagull, gull, swallow, dove, pigeon, raven, crow, songbird, finch, hummingbird",
    colors="#4f86c6 #e0694f #e9b44c #54545e #f3f0ea",
    wide=1.5,
    tall=0.3,
    place="sky",
)
def bird(pen: Pen, look: Look) -> None:
    """On the wing, seen from the side."""
    coat = look.main
    belly = look.other(mix(coat, "#fff3df", 0.65))
    pen.path("M-6 -50C-26 -66 -50 -88 -66 -84C-56 -70 -44 -52 -18 -36Z", tone(coat, -0.14))
    pen.blob(
        [
            (-76, -34),
            (-60, -46),
            (-34, -48),
            (-4, -58),
            (26, -60),
            (42, -52),
            (40, -40),
            (18, -28),
            (-18, -26),
            (-46, -36),
            (-72, -26),
        ],
        coat,
    )
    pen.path("M44 -42C30 -26 0 -22 -28 -30C-10 -38 20 -40 44 -46Z", belly)
    pen.path("M54 -50L70 -46L54 -42Z", "#f0a63a")
    pen.circle(44, -50, 13, coat)
    pen.path("M55 -44C50 -36 40 -36 34 -42Z", belly)
    pen.eye(47, -53, 2.8)
    pen.path("M12 -46C10 -70 -6 -96 -28 -100C-30 -84 -28 -60 -18 -42C-8 -36 4 -38 12 -46Z", tone(coat, 0.03))
    pen.line("M-24 -92C-18 -74 -14 -60 -8 -46M-17 -92C-10 -78 -4 -64 0 -50", tone(coat, -0.12), 2)


@thing("distant bird", "", colors="#3d4552", wide=2.2, tall=0.3, place="sky")
def distant_bird(pen: Pen, look: Look) -> None:
    """Two strokes far away."""
    pen.line("M-100 -70C-70 -100 -30 -80 0 -30C30 -80 70 -100 100 -70", look.main, 17)


@thing(
    "eagle",
    "hawk, falcon, vulture, condor, phoenix",
    colors="#6b4630",
    wide=2.1,
    tall=0.9,
    place="sky",
    home="mountains",
)
def eagle(pen: Pen, look: Look) -> None:
    """Soars with spread wings."""
    coat = look.main
    for side in (-1, 1):
        pen.path(
            f"M{side * 6} -56C{side * 30} -86 {side * 64} -92 {side * 104} -80L{side * 92} -72L{side * 100} -66L{side * 84} -62L{side * 88} -54L{side * 70} -54L{side * 68} -46C{side * 44} -46 {side * 26} -40 {side * 8} -34Z",
            coat,
        )
        pen.line(f"M{side * 12} -52C{side * 34} -72 {side * 60} -80 {side * 92} -78", tone(coat, 0.1), 3)
    pen.path("M-10 -30L-18 -2L0 -8L18 -2L10 -30Z", look.other("#f6f1e4"))
    pen.ellipse(0, -44, 13, 26, tone(coat, -0.03))
    pen.circle(0, -74, 11, "#f6f1e4")
    pen.path("M-4 -72C-2 -76 2 -76 4 -72L1 -62Z", "#f0b13a")
    pen.mark(-5, -77, 1.5, 1.5)
    pen.mark(5, -77, 1.5, 1.5)


@thing("owl", "owlet", colors="#8f6a48 #a48a70 #d9cdbd #6f6a78", wide=0.72, tall=0.45, home="forest", top=0.88)
def owl(pen: Pen, look: Look) -> None:
    """Large eyes, feathered chest."""
    coat = look.main
    pale = look.other(mix(coat, "#fff0d8", 0.6))
    pen.blob([(0, -92), (26, -86), (34, -50), (28, -12), (0, -2), (-28, -12), (-34, -50), (-26, -86)], coat)
    pen.ellipse(0, -30, 20, 26, pale)
    for row in range(4):
        for place in range(-2 + row % 2, 3):
            x = place * 8 - (row % 2) * 4
            pen.line(f"M{x - 3} {-44 + row * 9}q3 4 6 0", tone(pale, -0.18), 1.4)
    for side in (-1, 1):
        pen.path(
            f"M{side * 27} -80C{side * 34} -92 {side * 33} -98 {side * 31} -100C{side * 24} -97 {side * 12} -92 {side * 8} -88Z",
            coat,
        )
        pen.path(
            f"M{side * 27} -66C{side * 42} -44 {side * 38} -16 {side * 24} -6C{side * 22} -26 {side * 24} -50 {side * 27} -66Z",
            tone(coat, -0.1),
        )
        pen.circle(side * 12.6, -71, 14.5, pale)
        pen.circle(side * 12.6, -71, 9.2, "#f5b93c", "flat")
        pen.eye(side * 12.6, -71, 6)
        pen.line(f"M{side * 8} -3v3M{side * 13} -3v3", "#e0983a", 3)
    pen.path("M-4.5 -66C-2 -70 2 -70 4.5 -66L0 -55Z", "#e0983a")


@thing(
    "parrot",
    "macaw, toucan, cockatoo",
    colors="#d9403a #3fa65a #3a86d0",
    wide=0.62,
    tall=0.6,
    place="land",
    home="jungle",
)
def parrot(pen: Pen, look: Look) -> None:
    """Perched on a branch."""
    coat = look.main
    pen.path("M-8 -30L-18 0L-8 -4L-2 0L4 -30Z", look.other("#3a78c8"))
    pen.blob([(0, -94), (14, -88), (18, -66), (14, -38), (2, -20), (-10, -28), (-14, -60), (-12, -86)], coat)
    pen.path("M-12 -66C-20 -48 -14 -28 -4 -16C6 -28 6 -50 -2 -66Z", look.other("#f0b93a"))
    pen.path("M-12 -52C-16 -40 -12 -26 -5 -17C2 -26 3 -38 0 -48Z", "#3a78c8")
    pen.ellipse(8, -80, 9, 8, "#fff6ea")
    pen.path("M14 -86C26 -86 27 -74 20 -66C19 -72 14 -74 11 -74Z", "#3a3236")
    pen.eye(7, -82, 2.8)
    pen.line("M-30 -19L30 -23", "#7a5538", 5)
    pen.line("M0 -24v5M6 -25v5", "#8b8079", 3)


@thing("penguin", "", colors="#333a4c", wide=0.68, tall=0.9, home="snowfield", top=0.94)
def penguin(pen: Pen, look: Look) -> None:
    """Black coat, white front."""
    coat = look.main
    for side in (-1, 1):
        pen.ellipse(side * 11, -4, 11, 4.6, "#f0a63a")
        pen.path(
            f"M{side * 24} -66C{side * 40} -50 {side * 38} -28 {side * 30} -22C{side * 24} -32 {side * 22} -50 {side * 24} -66Z",
            tone(coat, -0.05),
        )
    pen.blob([(0, -98), (19, -90), (25, -62), (28, -28), (18, -4), (-18, -4), (-28, -28), (-25, -62), (-19, -90)], coat)
    pen.path(
        "M0 -78C8 -90 20 -84 19 -70C19 -62 21 -44 21 -28C20 -8 10 -4 0 -4C-10 -4 -20 -8 -21 -28C-21 -44 -19 -62 -19 -70C-20 -84 -8 -90 0 -78Z",
        look.other("#fdfaf3"),
    )
    for side in (-1, 1):
        pen.eye(side * 8.5, -77, 3.1)
        pen.halo(side * 13, -69, 6, "#f2a7a7", 0.6)
    pen.path("M-6 -71C-2 -74 2 -74 6 -71L0 -64Z", "#f0a63a")


@thing(
    "duck",
    "duckling, goose, mallard, rubber duck",
    colors="#f3c845 #f5f1e6 #8a6a4a",
    wide=1.2,
    tall=0.4,
    place="water",
    home="lake",
    top=0.7,
)
def duck(pen: Pen, look: Look) -> None:
    """Floats."""
    coat = look.main
    pen.blob(
        [(-58, -58), (-46, -46), (-16, -48), (10, -46), (34, -36), (36, -16), (18, -3), (-22, -3), (-46, -20)], coat
    )
    pen.blob([(6, -40), (10, -64), (18, -86), (32, -94), (44, -84), (44, -66), (36, -50), (34, -34)], coat)
    pen.path("M42 -80C52 -82 60 -76 62 -72C56 -68 46 -68 41 -70Z", "#ef8f35")
    pen.eye(35, -80, 3.2)
    pen.path("M-36 -40C-22 -48 6 -44 14 -32C6 -18 -18 -14 -32 -24Z", tone(coat, -0.07))
    pen.line("M-26 -28C-14 -22 -2 -22 8 -30", tone(coat, -0.16), 1.8)


@thing("swan", "", colors="#fdfcf8", wide=1.15, tall=0.9, place="water", home="lake", top=0.45)
def swan(pen: Pen, look: Look) -> None:
    """A long curved neck."""
    coat = look.main
    pen.line("M28 -24C48 -40 20 -60 22 -78C24 -92 38 -94 42 -86", coat, 8.5)
    pen.path("M42 -92C48 -90 56 -82 58 -78C52 -79 46 -80 42 -80Z", "#ee8a3c")
    pen.mark(41, -87, 1.5, 1.5)
    pen.blob([(-56, -50), (-40, -40), (-10, -44), (20, -36), (36, -22), (26, -4), (-20, -3), (-44, -16)], coat)
    pen.path("M-52 -52C-34 -60 -2 -56 20 -34C6 -16 -22 -14 -38 -26Z", tone(coat, -0.035))
    pen.line("M-44 -46C-26 -48 -4 -42 8 -32M-38 -36C-24 -34 -12 -30 -2 -26", tone(coat, -0.12), 1.6)


@thing(
    "chicken",
    "hen, rooster, cockerel, chick",
    colors="#f6efe2 #c9743c #e9c95a",
    wide=0.95,
    tall=0.45,
    home="farm",
    top=0.7,
)
def chicken(pen: Pen, look: Look) -> None:
    """A proud hen."""
    coat = look.main
    pen.line("M-6 -20V-2M8 -20V-2M-12 -1H2M2 -1H16", "#eaa23a", 2.6)
    pen.path("M-22 -46C-44 -56 -50 -78 -44 -88C-34 -86 -18 -74 -10 -56Z", tone(coat, -0.12))
    pen.blob(
        [
            (-36, -52),
            (-16, -54),
            (6, -62),
            (14, -84),
            (26, -86),
            (32, -72),
            (30, -46),
            (16, -22),
            (-14, -18),
            (-34, -34),
        ],
        coat,
    )
    pen.path("M12 -84C10 -94 17 -98 19 -92C21 -100 28 -98 28 -92C32 -96 35 -90 31 -84Z", "#d8423c")
    pen.path("M32 -78L44 -73L32 -69Z", "#eaa23a")
    pen.ellipse(33, -64, 3.4, 5.6, "#d8423c")
    pen.eye(26, -77, 2.2)
    pen.path("M-22 -46C-10 -52 6 -48 12 -38C4 -26 -14 -26 -20 -34Z", tone(coat, -0.08))


@thing(
    "butterfly",
    "moth, butterfly",
    colors="#e8833a #5a8ae0 #d06ab0 #f0c040 #7a5ac8",
    wide=1.15,
    tall=0.15,
    place="sky",
    home="garden",
    shadow=False,
)
def butterfly(pen: Pen, look: Look) -> None:
    """Open wings."""
    wing = look.main
    low = look.other(tone(wing, 0.08))
    rim = tone(wing, -0.28)
    for side in (-1, 1):
        pen.path(f"M0 -50C{side * 14} -92 {side * 50} -108 {side * 56} -88C{side * 58} -66 {side * 30} -50 0 -46Z", rim)
        pen.path(
            f"M{side * 4} -52C{side * 16} -86 {side * 46} -98 {side * 50} -85C{side * 51} -68 {side * 28} -54 {side * 4} -50Z",
            wing,
        )
        pen.path(f"M0 -48C{side * 26} -50 {side * 46} -38 {side * 40} -18C{side * 34} 0 {side * 10} -8 0 -40Z", rim)
        pen.path(
            f"M{side * 4} -46C{side * 24} -46 {side * 40} -36 {side * 35} -20C{side * 30} -6 {side * 12} -14 {side * 4} -40Z",
            low,
        )
        pen.circle(side * 42, -84, 4, "#fff6dc", "flat")
        pen.circle(side * 30, -76, 5, mix(wing, "#fff6dc", 0.5), "flat")
        pen.circle(side * 27, -25, 5, mix(low, "#fff6dc", 0.6), "flat")
        pen.line(f"M0 -70C{side * 4} -84 {side * 8} -90 {side * 14} -94", "#3a2f36", 1.6)
    pen.ellipse(0, -48, 4.2, 24, "#3a2f36")


@thing(
    "bee", "bumblebee, wasp, honeybee", colors="#f3bf3a", wide=1.3, tall=0.1, place="sky", home="garden", shadow=False
)
def bee(pen: Pen, look: Look) -> None:
    """Stripes and small wings."""
    pen.ellipse(-8, -76, 14, 24, "#dff1fb", "soft", -24, 0.85)
    pen.ellipse(14, -76, 13, 22, "#eef8fd", "soft", 14, 0.85)
    pen.ellipse(0, -38, 48, 32, look.main)
    for x, half in ((-22, 27), (-2, 31), (18, 28)):
        pen.path(
            f"M{x - 5} {-38 - half}Q{x + 3} -38 {x - 5} {-38 + half}L{x + 5} {-38 + half}Q{x + 13} -38 {x + 5} {-38 - half}Z",
            "#3a2f2a",
        )
    pen.circle(40, -42, 19, look.main)
    pen.eye(46, -46, 4.4)
    pen.line("M42 -60C44 -72 50 -76 54 -76M48 -58C52 -66 58 -70 62 -69", "#3a2f2a", 2.6)
    pen.path("M-47 -42L-60 -37L-47 -32Z", "#3a2f2a")


@thing("ladybug", "ladybird, beetle, bug", colors="#d8342e", wide=1.55, tall=0.06, home="garden", top=0.9)
def ladybug(pen: Pen, look: Look) -> None:
    """Red with spots."""
    pen.line("M-34 -10V0M-6 -10V0M24 -10V0", "#2f272a", 5)
    pen.circle(46, -34, 22, "#2f272a")
    pen.line("M52 -52C54 -66 60 -70 66 -70M60 -46C64 -56 70 -58 75 -57", "#2f272a", 3)
    pen.path("M-58 -8C-60 -70 -30 -98 4 -96C36 -94 52 -60 50 -8Z", look.main)
    pen.line("M4 -95V-10", "#2f272a", 3)
    for x, y, r in ((-34, -50, 9), (-18, -24, 8), (-14, -74, 7), (22, -70, 8), (32, -38, 8), (18, -22, 6)):
        pen.circle(x, y, r, "#2f272a")
    pen.circle(54, -40, 4, "#ffffff", "flat")
