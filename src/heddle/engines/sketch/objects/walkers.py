"""Animals seen from the side: horse, cow, elephant, giraffe and others that walk or crawl."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen, Point

HOOF = "#4a3a34"


def _leg(pen: Pen, x: float, top: float, width: float, color: str, lean: float = 0.0, hoof: str = HOOF) -> None:
    """A leg from the body down to the ground, thinner at the knee."""
    half = width / 2
    pen.path(
        f"M{x - half * 1.25} {top}C{x - half * 1.2} {top * 0.6} {x - half * 0.7 + lean} {top * 0.5} {x - half * 0.75 + lean} -3"
        f"L{x + half * 0.85 + lean} -3C{x + half * 0.7 + lean} {top * 0.5} {x + half * 1.2} {top * 0.6} {x + half * 1.3} {top}Z",
        color, "side",
    )  # fmt: skip
    pen.path(
        f"M{x - half * 0.9 + lean} -4.5L{x + half * 0.95 + lean} -4.5L{x + half * 1.15 + lean} 0L{x - half * 1.05 + lean} 0Z",
        hoof,
    )


def _legs(pen: Pen, back: float, front: float, top: float, width: float, color: str, hoof: str = HOOF) -> None:
    """All four; those on the far side darker."""
    far = tone(color, -0.12)
    _leg(pen, back + width * 1.1, top, width, far, -2, hoof)
    _leg(pen, front - width * 1.1, top, width, far, 2, hoof)
    _leg(pen, back, top, width, color, 1, hoof)
    _leg(pen, front, top, width, color, -1, hoof)


def _trunk(pen: Pen, pairs: list[Point], color: str) -> None:
    pen.blob(pairs, color)


def _equine(pen: Pen, coat: str, hair: str) -> None:
    pen.path("M-36 -58C-48 -56 -50 -36 -46 -20C-42 -26 -40 -40 -33 -50Z", hair)
    _legs(pen, -27, 20, -42, 7.5, coat)
    _trunk(
        pen,
        [(-38, -56), (-30, -64), (-8, -61), (14, -65), (24, -80), (32, -92), (38, -88), (36, -70), (31, -52), (24, -40),
         (6, -37), (-18, -37), (-34, -42)],
        coat,
    )  # fmt: skip
    pen.path("M31 -94L34 -102L37 -93Z", coat)
    pen.blob([(31, -92), (37, -95), (43, -89), (52, -78), (53, -71), (47, -69), (39, -75), (33, -80)], coat)
    pen.ellipse(50, -73.5, 4.4, 4.6, tone(coat, -0.06))
    pen.path("M35 -98C28 -97 20 -88 13 -66C18 -66 22 -68 24 -73C28 -82 32 -88 37 -91Z", hair)
    pen.path("M34 -98C38 -97 41 -92 40 -87C37 -89 34 -92 34 -98Z", hair)
    pen.eye(41, -86, 1.7)
    pen.mark(51.5, -74, 0.8, 1.1)
    pen.line("M47 -70.5C49 -70 51 -70.2 52.4 -70.8", tone(coat, -0.25), 0.8)


@thing(
    "horse",
    "pony, stallion, mare, foal, steed",
    colors="#9a5b34 #6e4430 #c08a54 #e9e2d8 #3e3431",
    wide=1.1,
    tall=2.0,
    home="meadow",
    top=0.64,
)
def horse(pen: Pen, look: Look) -> None:
    """Stands in profile."""
    _equine(pen, look.main, look.other(tone(look.main, -0.2)))


@thing("unicorn", "", colors="#fbf6ff", wide=1.1, tall=2.0, home="meadow", top=0.64)
def unicorn(pen: Pen, look: Look) -> None:
    """A horse with a horn and a pastel mane."""
    pen.path("M39 -94L49 -112L43 -91Z", "#f2c65a")
    pen.line("M40.5 -97l4 2M43 -102l3 2", "#c7923a", 1)
    _equine(pen, look.main, look.other(look.pick("#f29ac0", "#9d8bea", "#7cc8e8")))


@thing("zebra", "", colors="#f5f3ee", wide=1.1, tall=1.8, home="savanna", top=0.64)
def zebra(pen: Pen, look: Look) -> None:
    """A striped horse."""
    _equine(pen, look.main, "#34323a")
    for x in range(-32, 24, 7):
        pen.line(f"M{x} -61C{x + 3} -54 {x + 1} -48 {x - 1} -41", "#34323a", 2.6)
    pen.line("M26 -78l8 5M28 -70l6 5M29 -84l8 4M42 -84l-2 6M45 -82l-2 6", "#34323a", 2)


@thing("cow", "bull, ox, cattle, calf", colors="#f6f1ea #a0643c #d9b08a", wide=1.3, tall=1.6, home="farm", top=0.72)
def cow(pen: Pen, look: Look) -> None:
    """Patches, an udder and a calm face."""
    coat = look.main
    patch = look.other("#4a3f3d" if coat == "#f6f1ea" else tone(coat, -0.16))
    pen.line("M-49 -66C-58 -56 -56 -40 -55 -30", coat, 2.6)
    pen.ellipse(-55, -27, 3, 6, patch)
    pen.ellipse(-18, -34, 9, 6, "#f0b3ac")
    _legs(pen, -38, 28, -40, 10, coat)
    _trunk(
        pen,
        [(-50, -66), (-40, -74), (0, -72), (34, -76), (44, -66), (42, -46), (30, -35), (-20, -34), (-46, -40)],
        coat,
    )
    for x, y, w, h in ((-30, -60, 14, 11), (6, -50, 11, 10), (28, -66, 9, 8)):
        turned = look.rng.randint(-30, 30)
        pen.ellipse(x + look.rng.uniform(-4, 4), y, w, h, patch, "soft", turned)
    pen.path("M41 -84C36 -92 40 -97 44 -98C42 -93 44 -90 47 -87Z", "#e9dcc4")
    pen.path("M57 -85C62 -92 60 -96 57 -98C58 -93 55 -90 52 -87Z", "#e9dcc4")
    pen.ellipse(36, -79, 8, 4, patch, "soft", 14)
    pen.blob([(40, -84), (50, -88), (59, -82), (61, -66), (58, -56), (48, -55), (43, -66)], coat)
    pen.blob([(40, -84), (46, -87), (48, -74), (44, -66)], patch)
    pen.ellipse(53, -59.5, 9.5, 6.6, "#f0b9ae")
    pen.mark(50, -61, 1.3, 1.1, "#a0605c")
    pen.mark(57, -61, 1.3, 1.1, "#a0605c")
    pen.eye(52, -76, 2.2)


@thing("sheep", "lamb, ram, ewe", colors="#f7f2e8 #ece6dc #54504f", wide=1.2, tall=0.9, home="meadow", top=0.86)
def sheep(pen: Pen, look: Look) -> None:
    """A cloud on legs."""
    wool = look.main
    dark = look.other("#4b4348")
    _legs(pen, -26, 16, -34, 8, dark, "#2d282b")
    rng = look.rng
    for step in range(11):
        x = -42 + step * 7.2
        pen.circle(x, -44 + rng.uniform(-3, 3) + abs(step - 5) * 0.8, 13, tone(wool, -0.04))
    for step in range(9):
        pen.circle(-36 + step * 8, -62 + abs(step - 4) * 2.2 + rng.uniform(-2, 2), 14, wool)
    pen.ellipse(-4, -54, 34, 20, wool, "flat")
    pen.ellipse(31, -72, 7, 3.6, dark, "soft", -18)
    pen.blob([(34, -84), (46, -86), (54, -76), (56, -62), (49, -54), (41, -58), (35, -70)], dark)
    for x, y in ((36, -84), (43, -88), (49, -85)):
        pen.circle(x, y, 6.5, wool)
    pen.circle(46, -71, 3, "#ffffff", "flat")
    pen.mark(46.8, -70.6, 1.5, 1.7)


@thing("pig", "piglet, boar", colors="#f2a9ab #e89a9a", wide=1.3, tall=0.8, home="farm", top=0.8)
def pig(pen: Pen, look: Look) -> None:
    """Pink and pleased."""
    skin = look.main
    pen.line("M-50 -56C-60 -60 -60 -48 -54 -50C-50 -52 -54 -62 -60 -62", tone(skin, -0.06), 2.6)
    _legs(pen, -34, 20, -30, 12, skin, tone(skin, -0.3))
    pen.blob([(-52, -54), (-40, -76), (-4, -82), (30, -78), (40, -56), (30, -30), (-8, -24), (-40, -30)], skin)
    pen.blob([(20, -80), (38, -86), (54, -74), (54, -52), (40, -42), (24, -50)], skin)
    pen.path("M24 -80C22 -92 30 -96 40 -90C38 -84 34 -80 30 -76Z", tone(skin, -0.08))
    pen.ellipse(55, -60, 7.5, 9, tone(skin, -0.03))
    pen.mark(53.4, -60, 1.4, 2.4, "#a55a60")
    pen.mark(58, -60, 1.4, 2.4, "#a55a60")
    pen.eye(42, -70, 2.4)
    pen.line("M42 -50C46 -47 50 -47 53 -49", tone(skin, -0.28), 1.3)


@thing(
    "deer",
    "stag, doe, reindeer, elk, moose, fawn, caribou",
    colors="#b0713f #9a6238",
    wide=0.95,
    tall=1.7,
    home="forest",
    top=0.5,
)
def deer(pen: Pen, look: Look) -> None:
    """Antlers and a spotted back."""
    coat = look.main
    horn = "#7a5a40"
    _legs(pen, -24, 14, -32, 5.4, coat)
    pen.path("M-33 -46C-40 -50 -40 -42 -36 -38Z", "#fdf3e4")
    _trunk(
        pen,
        [
            (-35, -44),
            (-28, -50),
            (-6, -48),
            (14, -51),
            (21, -62),
            (26, -72),
            (33, -70),
            (31, -54),
            (26, -40),
            (16, -31),
            (-16, -30),
            (-32, -34),
        ],
        coat,
    )
    pen.blob([(22, -36), (28, -46), (31, -58), (25, -54), (18, -42)], mix(coat, "#fff3dd", 0.7), "flat")
    for x, y in ((-24, -44), (-15, -43), (-6, -43), (3, -44), (-19, -39), (-9, -38)):
        pen.circle(x, y, 1.3, "#fbe8cc", "flat")
    pen.line(
        "M28 -76C22 -82 20 -90 24 -98M22.5 -86C17 -88 15 -92 15 -96M32 -76C34 -84 38 -90 37 -99M35.5 -86C41 -88 43 -92 43 -96M23 -92L29 -97M36.6 -93L31 -98",
        horn,
        2.1,
    )
    pen.ellipse(21, -74, 6, 2.8, coat, "soft", 16)
    pen.blob([(24, -76), (32, -79), (39, -72), (46, -66), (46, -62), (39, -61), (30, -64), (25, -69)], coat)
    pen.ellipse(45.4, -64.5, 2.6, 2.2, "#2f2528")
    pen.eye(34, -72, 1.8)


@thing("elephant", "mammoth", colors="#8e949f #a3a0a0", wide=1.25, tall=3.0, home="savanna", top=0.9)
def elephant(pen: Pen, look: Look) -> None:
    """Trunk down, ear wide."""
    skin = look.main
    nail = mix(skin, "#fff3e0", 0.6)
    pen.line("M-50 -66C-58 -56 -56 -44 -55 -36", skin, 3)
    _legs(pen, -34, 14, -42, 17, skin, nail)
    pen.blob([(-52, -62), (-44, -84), (-14, -95), (16, -90), (28, -66), (22, -40), (-14, -34), (-46, -38)], skin)
    pen.path("M34 -56C40 -50 50 -48 56 -52C52 -44 40 -44 32 -50Z", "#fbf2df")
    pen.path(
        "M24 -92C44 -100 58 -84 56 -62C55 -46 52 -32 54 -20C56 -12 64 -12 64 -18C66 -18 66 -6 56 -6C46 -6 44 -18 44 -30C44 -44 42 -50 34 -52C20 -54 14 -76 24 -92Z",
        skin,
    )
    pen.line(
        "M47 -40C50 -40 53 -41 54 -42M46 -32C49 -32 52 -32.6 53 -33M46 -24C49 -24 52 -25 53.4 -25.4",
        tone(skin, -0.12),
        1.1,
    )
    pen.blob([(24, -92), (8, -96), (-6, -82), (-4, -60), (8, -48), (20, -54), (26, -70)], tone(skin, -0.03))
    pen.blob([(18, -86), (8, -88), (0, -78), (1, -64), (9, -56), (16, -60), (20, -72)], mix(skin, "#e8a9a5", 0.4))
    pen.eye(40, -74, 2.3)


@thing("giraffe", "", colors="#eebf62", wide=0.62, tall=4.5, home="savanna", top=0.5)
def giraffe(pen: Pen, look: Look) -> None:
    """A long neck with spots."""
    coat = look.main
    spot = look.other("#a8662f")
    pen.line("M-23 -42C-27 -36 -27 -30 -26 -24", coat, 1.4)
    pen.ellipse(-26, -23, 1.6, 3, spot)
    _legs(pen, -16, 10, -32, 4.6, coat)
    pen.blob(
        [
            (-24, -42),
            (-16, -48),
            (0, -50),
            (9, -66),
            (15, -86),
            (21, -87),
            (20, -66),
            (16, -44),
            (12, -32),
            (-12, -30),
            (-22, -34),
        ],
        coat,
    )
    for x, y, r in ((-17, -42, 3.4), (-9, -44, 3.4), (-2, -45, 3.2), (-13, -36, 3), (-4, -37, 3.4), (5, -42, 3.2), (9, -36, 2.8),
                    (9.5, -52, 2.8), (14, -48, 2.2), (12, -60, 2.5), (16.5, -57, 2), (14.5, -68, 2.2), (18, -66, 1.8), (17, -76, 2)):  # fmt: skip
        pen.ellipse(x, y, r, r * 0.85, spot, "flat", look.rng.randint(0, 90))
    pen.line("M17 -90V-97M20 -90L21 -97", coat, 1.3)
    pen.circle(17, -97.6, 1.5, spot)
    pen.circle(21, -97.6, 1.5, spot)
    pen.ellipse(12.5, -89, 3.6, 1.7, coat, "soft", 20)
    pen.blob([(14, -90), (19, -93), (24, -89), (30, -84), (30, -80), (25, -80), (18, -83)], coat)
    pen.ellipse(28.6, -82, 2.4, 2, mix(coat, "#ffffff", 0.4))
    pen.eye(21, -88, 1.1)


@thing("camel", "dromedary", colors="#c99a5e", wide=1.1, tall=2.1, home="desert", top=0.82)
def camel(pen: Pen, look: Look) -> None:
    """Two humps."""
    coat = look.main
    pen.line("M-44 -52C-49 -44 -48 -36 -47 -30", coat, 2.4)
    _legs(pen, -32, 16, -36, 7, coat)
    pen.blob([(-45, -52), (-36, -62), (-28, -82), (-19, -80), (-11, -64), (-3, -64), (4, -82), (13, -80), (18, -62), (28, -52),
              (34, -58), (36, -78), (42, -84), (45, -76), (44, -52), (34, -36), (16, -34), (-20, -32), (-40, -38)], coat)  # fmt: skip
    pen.blob([(37, -86), (43, -91), (51, -87), (58, -80), (57, -75), (49, -74), (40, -77)], coat)
    pen.path("M39 -88L38 -95L43 -90Z", coat)
    pen.eye(46, -84, 1.7)
    pen.path("M-10 -66L4 -66L8 -50L-14 -50Z", look.other("#b8433b"))
    pen.line("M-13.4 -53H7.4M-11.6 -59H5.6", "#f0c24b", 1.5)


@thing("turtle", "tortoise", colors="#5f9a55 #4f8f6b", wide=1.6, tall=0.35, home="beach", top=0.9)
def turtle(pen: Pen, look: Look) -> None:
    """A domed shell."""
    shell = look.main
    skin = look.other(mix(shell, "#d9d789", 0.55))
    pen.path("M-60 -20L-76 -10L-58 -10Z", skin)
    for x in (-40, 36):
        pen.path(f"M{x - 14} -26L{x + 14} -26L{x + 12} 0L{x - 12} 0C{x - 15} -8 {x - 15} -18 {x - 14} -26Z", skin)
    pen.blob([(48, -28), (58, -50), (68, -62), (80, -58), (82, -44), (72, -36), (62, -18)], skin)
    pen.path("M-66 -20C-64 -74 -34 -98 0 -98C34 -98 62 -74 64 -20Z", shell)
    pen.path("M-68 -24C-30 -14 30 -14 66 -24L64 -12C30 -4 -30 -4 -66 -12Z", mix(shell, "#f0e0a0", 0.5))
    pen.line(
        "M-22 -90L-30 -54L-54 -46M22 -90L30 -54L52 -46M-30 -54L30 -54M-30 -54L-36 -22M30 -54L36 -22M0 -54V-20",
        tone(shell, -0.12),
        3,
    )
    pen.eye(74, -52, 3.6)
    pen.line("M72 -42C76 -40 79 -41 81 -43", tone(skin, -0.3), 2)


@thing("frog", "toad", colors="#62b04a #7cc06a", wide=1.25, tall=0.25, home="lake", top=0.86)
def frog(pen: Pen, look: Look) -> None:
    """Sits with a wide smile."""
    skin = look.main
    pale = look.other(mix(skin, "#fbf7cf", 0.65))
    for side in (-1, 1):
        pen.blob(
            [(side * 22, -50), (side * 52, -44), (side * 60, -20), (side * 54, -2), (side * 30, -2), (side * 24, -20)],
            tone(skin, -0.04),
        )
        pen.ellipse(side * 48, -4, 15, 5, skin)
    pen.blob([(-28, -60), (-36, -30), (-28, -4), (0, -1), (28, -4), (36, -30), (28, -60)], skin)
    pen.ellipse(0, -24, 21, 21, pale)
    for side in (-1, 1):
        pen.line(f"M{side * 20} -34C{side * 22} -18 {side * 18} -10 {side * 20} -4", skin, 9)
        pen.ellipse(side * 20, -3.5, 11, 4.5, skin)
        pen.circle(side * 21, -86, 14, skin)
    pen.ellipse(0, -66, 40, 25, skin)
    for side in (-1, 1):
        pen.circle(side * 21, -87, 9.5, "#fffdf0", "flat")
        pen.eye(side * 21, -87, 6)
        pen.halo(side * 27, -60, 9, "#f2907e", 0.6)
    pen.line("M-26 -62C-14 -50 14 -50 26 -62", tone(skin, -0.3), 2.4)


@thing("snail", "slug", colors="#c9814a #b06a86", wide=1.5, tall=0.15, home="garden", top=0.9)
def snail(pen: Pen, look: Look) -> None:
    """A spiral on a foot."""
    body = "#d9bd92"
    pen.path("M-72 0C-50 -14 -30 -16 10 -16C34 -16 40 -30 44 -52C46 -66 66 -66 66 -50C66 -30 60 0 34 0Z", body)
    pen.line("M52 -60L48 -84M60 -60L66 -82", body, 4.5)
    pen.mark(48, -86, 4.2, 4.2)
    pen.mark(66, -84, 4.2, 4.2)
    pen.circle(-10, -50, 44, look.main)
    pen.line(
        "M30 -40C26 -84 -40 -90 -42 -50C-42 -22 4 -20 6 -48C6 -66 -22 -68 -22 -50C-22 -40 -8 -40 -8 -49",
        tone(look.main, -0.18),
        5,
    )
    pen.line("M52 -32C56 -30 60 -31 62 -34", tone(body, -0.3), 2)


@thing("hedgehog", "porcupine", colors="#7d5c46", wide=1.4, tall=0.25, home="forest", top=0.9)
def hedgehog(pen: Pen, look: Look) -> None:
    """Spikes and a small nose."""
    quill = look.main
    spikes = [(-62.0, -8.0)]
    for step in range(17):
        share = step / 16
        x = -62 + 92 * share
        y = -20 - 78 * (1 - (2 * share - 1) ** 2) ** 0.6
        spikes += [(x, y + 14), (x - 4 + 6 * share, y)]
    pen.poly([*spikes, (36, -40), (40, -6)], quill)
    pen.blob([(20, -8), (28, -50), (44, -58), (62, -38), (74, -26), (66, -12), (44, -4)], "#eccfa4")
    pen.ellipse(73, -27, 5.5, 5, "#33282b")
    pen.eye(50, -38, 4)
    pen.circle(30, -54, 7, "#e0b98a")
    pen.ellipse(-30, -3, 13, 5, "#d9b48a")
    pen.ellipse(30, -3, 13, 5, "#d9b48a")


@thing("dragon", "wyvern, drake", colors="#3f9a5f #b5403c #6a58b0", wide=1.3, tall=3.5, home="mountains", top=0.5)
def dragon(pen: Pen, look: Look) -> None:
    """Wings up, tail out."""
    skin = look.main
    belly = look.other(mix(skin, "#f8e2a0", 0.7))
    wing = tone(skin, -0.1)
    pen.path(
        "M-6 -56C-16 -84 -34 -98 -58 -98C-50 -88 -52 -80 -62 -72C-50 -74 -46 -66 -50 -56C-42 -62 -34 -58 -32 -48C-26 -56 -14 -54 -4 -46Z",
        wing,
    )
    pen.line(
        "M-6 -54C-16 -82 -34 -96 -58 -98M-8 -54C-22 -72 -40 -76 -61 -72M-8 -52C-24 -62 -38 -62 -50 -56",
        tone(wing, -0.12),
        1.6,
    )
    pen.path("M-20 -22C-40 -6 -54 -10 -62 -24L-68 -18L-66 -34L-54 -30L-58 -24C-50 -16 -40 -18 -26 -36Z", skin)
    pen.blob(
        [
            (-26, -36),
            (-14, -52),
            (6, -56),
            (16, -66),
            (20, -82),
            (32, -84),
            (32, -68),
            (28, -48),
            (20, -28),
            (4, -14),
            (-18, -14),
        ],
        skin,
    )
    pen.blob([(30, -66), (27, -48), (18, -28), (4, -15), (0, -22), (12, -36), (20, -52), (24, -66)], belly)
    pen.blob([(-24, -30), (-8, -34), (-2, -16), (-4, -2), (-26, -2), (-26, -8), (-16, -10)], tone(skin, 0.02))
    pen.path("M12 -28C18 -20 18 -10 16 -4L26 -2L26 0L10 0C6 -8 6 -18 4 -24Z", skin)
    pen.path("M20 -92L12 -102L27 -96Z", belly)
    pen.blob([(18, -84), (24, -94), (36, -95), (46, -88), (57, -85), (58, -78), (46, -75), (32, -73), (22, -75)], skin)
    pen.line("M40 -78C46 -79 52 -79 57 -80", tone(skin, -0.25), 1.2)
    for x, y in ((-20, -46), (-8, -55), (6, -61), (14, -74)):
        pen.poly([(x - 4, y + 3), (x - 2, y - 7), (x + 4, y)], belly)
    pen.circle(37, -88, 3.4, "#ffe28a", "flat")
    pen.mark(37.6, -88, 1.2, 2.8)
    pen.mark(54.5, -83, 1, 0.9)


@thing(
    "dinosaur",
    "dino, t-rex, trex, brontosaurus, sauropod",
    colors="#6aa36a #5a8fa8 #c08a4e",
    wide=1.5,
    tall=4.0,
    home="jungle",
    top=0.58,
)
def dinosaur(pen: Pen, look: Look) -> None:
    """The long-necked kind."""
    skin = look.main
    _legs(pen, -24, 12, -30, 13, skin, tone(skin, -0.2))
    pen.blob([(-76, -14), (-56, -22), (-42, -40), (-18, -58), (8, -56), (24, -62), (36, -84), (44, -94), (50, -84), (44, -66), (36, -44),
              (20, -26), (-12, -22), (-36, -24), (-56, -14)], skin)  # fmt: skip
    pen.blob([(40, -96), (50, -100), (62, -96), (70, -89), (66, -84), (52, -83), (42, -87)], skin)
    for x, y in ((-30, -46), (-16, -52), (0, -52), (14, -50)):
        pen.ellipse(x, y, 4.4, 3, tone(skin, -0.1), "flat", look.rng.randint(-30, 30))
    pen.eye(54, -93, 2.2)
    pen.line("M58 -86.4C62 -86 65 -86.6 67 -88", tone(skin, -0.28), 1.2)
