"""People, and those who stand like people: one figure, many costumes."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen

SKINS = ("#f3cfb3", "#eabf9b", "#d29a70", "#a86f47", "#7a4c32")
HAIRS = ("#3b2a26", "#6a4330", "#a8693c", "#e0b766", "#8c8c94", "#b5492f")


def skin_of(look: Look) -> str:
    """Asked for, or by chance."""
    return look.traits.get("skin") or look.pick(*SKINS)


def hair_of(look: Look) -> str:
    """Asked for, or by chance."""
    return look.traits.get("hair") or look.pick(*HAIRS)


def _features(pen: Pen, skin: str, y: float = -84.5) -> None:
    for side in (-1, 1):
        pen.eye(side * 3.4, y, 1.25)
        pen.halo(side * 5.4, y + 3.6, 2.6, "#ee8f86", 0.6)
    pen.line(f"M-2.4 {y + 4.4}C-1 {y + 5.8} 1 {y + 5.8} 2.4 {y + 4.4}", tone(skin, -0.3), 0.8)


def _legs(pen: Pen, color: str, shoe: str, top: float = -36) -> None:
    for side in (-1, 1):
        pen.path(f"M{side * 0.4} {top}L{side * 9.2} {top}L{side * 8} -3L{side * 2.2} -3Z", color, "side")
        pen.path(
            f"M{side * 1.8} -4.6L{side * 8.4} -4.6C{side * 11} -3 {side * 11.4} -1 {side * 11} 0L{side * 1.8} 0Z", shoe
        )


def _arm(pen: Pen, side: int, sleeve: str, skin: str, raised: bool = False) -> None:
    if raised:
        pen.line(f"M{side * 10} -64C{side * 16} -68 {side * 19} -74 {side * 20} -84", sleeve, 5.6)
        pen.circle(side * 20.4, -87, 3.1, skin)
        return
    pen.line(f"M{side * 10} -63C{side * 14} -56 {side * 15} -50 {side * 15} -43", sleeve, 5.6)
    pen.circle(side * 15, -39.6, 3.1, skin)


def _head(pen: Pen, skin: str) -> None:
    pen.rect(-2.8, -76, 5.6, 9, tone(skin, -0.07), "flat", 2)
    pen.ellipse(0, -84.5, 9.4, 10.6, skin)
    for side in (-1, 1):
        pen.circle(side * 9.3, -83.6, 1.9, tone(skin, -0.03))


@thing(
    "man",
    "guy, gentleman, boy, male, father, dad, farmer, worker, sailor, fisherman, soldier, hiker, person, human, people, figure, traveler, traveller, wanderer, hero, samurai, warrior, men, grandfather, musician, painter, dancer, runner, cyclist, detective, doctor, scientist, teacher, chef, cook, monk, cowboy, ninja, pirate, viking, gnome, dwarf",
    colors="#3f78b5 #4f9a72 #b54a45 #d99a3e #6d5b9a #4a5568",
    wide=0.44,
    tall=1.8,
    person=True,
    top=0.97,
)
def man(pen: Pen, look: Look) -> None:
    """A shirt, trousers and a parting."""
    skin, hair, shirt = skin_of(look), hair_of(look), look.main
    trousers = look.other(look.pick("#3c4660", "#5a4a42", "#4a4a50"))
    _legs(pen, trousers, "#4a362c")
    _arm(pen, -1, tone(shirt, -0.04), skin)
    _arm(pen, 1, tone(shirt, -0.04), skin, look.rng.random() < 0.3)
    pen.blob(
        [(-5, -70), (-11, -66), (-11.5, -52), (-10, -35), (0, -33.5), (10, -35), (11.5, -52), (11, -66), (5, -70)],
        shirt,
    )
    pen.path("M-4 -70L0 -63L4 -70Z", skin)
    _head(pen, skin)
    pen.path(
        "M-10 -84C-11 -96 -4 -99 1 -98.6C8 -99 11 -94 10 -84C8.6 -87 8 -90 4 -91C0 -90 -6 -90 -8 -88C-9 -87 -9.4 -86 -10 -84Z",
        hair,
    )
    _features(pen, skin)


@thing(
    "woman",
    "girl, lady, female, mother, mom, princess, dancer girl, ballerina, women, grandmother, maid, nurse, actress, goddess, mermaid, elf, heroine, waitress, bride",
    colors="#c94f6d #d98a3a #4f8ab0 #8a5aa8 #3f9a86 #e0b040",
    wide=0.46,
    tall=1.7,
    person=True,
    top=0.97,
)
def woman(pen: Pen, look: Look) -> None:
    """A dress and long hair."""
    skin, hair, dress = skin_of(look), hair_of(look), look.main
    pen.blob(
        [(-8, -94), (8, -94), (12.4, -80), (12, -64), (6, -58), (-6, -58), (-12, -64), (-12.4, -80)], tone(hair, -0.04)
    )
    for side in (-1, 1):
        pen.path(f"M{side * 1.5} -20L{side * 5.6} -20L{side * 5} -3L{side * 2} -3Z", skin, "side")
        pen.path(
            f"M{side * 1.4} -4L{side * 5.6} -4C{side * 8} -2.6 {side * 8.4} -1 {side * 8} 0L{side * 1.4} 0Z",
            look.other(tone(dress, -0.2)),
        )
    _arm(pen, -1, skin, skin)
    _arm(pen, 1, skin, skin, look.rng.random() < 0.25)
    pen.path(
        "M-8.5 -68C-9 -60 -7 -54 -6.4 -50C-9 -38 -15 -24 -17.5 -15C-8 -11.4 8 -11.4 17.5 -15C15 -24 9 -38 6.4 -50C7 -54 9 -60 8.5 -68C4 -65 -4 -65 -8.5 -68Z",
        dress,
    )
    pen.path("M-6.6 -52.5L6.6 -52.5L6.4 -48.5L-6.4 -48.5Z", tone(dress, -0.13), "flat")
    pen.line("M-4 -44C-7 -34 -9 -24 -10 -15M4 -44C7 -34 9 -24 10 -15M0 -44V-14", tone(dress, -0.08), 1)
    for side in (-1, 1):
        pen.path(f"M{side * 4} -69L{side * 8.6} -68.4L{side * 10.6} -62L{side * 7} -60Z", dress)
    _head(pen, skin)
    pen.path(
        "M-10.6 -76C-13 -92 -8 -99 0 -99C8 -99 13 -92 10.6 -76C9.8 -82 9.6 -87 5 -92C1 -88 -6 -86 -9 -85C-10 -82 -10.4 -79 -10.6 -76Z",
        hair,
    )
    _features(pen, skin)
    pen.path("M-2.2 -80.4C-1 -79 1 -79 2.2 -80.4C1 -80.9 -1 -80.9 -2.2 -80.4Z", "#cf5560", "flat")


@thing(
    "child",
    "kid, toddler, baby, children, student, schoolboy, schoolgirl, little girl, little boy",
    colors="#e8543f #3f8fd0 #f0b93a #5aab5a",
    wide=0.56,
    tall=1.1,
    person=True,
    top=0.97,
)
def child(pen: Pen, look: Look) -> None:
    """A large head, dungarees, both arms ready."""
    skin, shirt = skin_of(look), look.main
    hair = look.traits.get("hair") or look.pick(*HAIRS[:4])
    with pen.at(0, 0, 1):
        _legs(pen, look.other("#45598a"), "#e05a4a", -26)
        for side in (-1, 1):
            pen.line(f"M{side * 10} -46C{side * 16} -42 {side * 19} -38 {side * 20} -30", shirt, 6.4)
            pen.circle(side * 20, -27, 3.6, skin)
        pen.blob(
            [(-6, -54), (-11.5, -50), (-11, -34), (-10.5, -23), (10.5, -23), (11, -34), (11.5, -50), (6, -54)], shirt
        )
        pen.path("M-7 -42L7 -42L10.4 -22L-10.4 -22Z", look.other("#45598a"))
        pen.line("M-6 -42L-7 -53M6 -42L7 -53", look.other("#45598a"), 2.6)
        pen.ellipse(0, -73, 18.5, 18.5, skin)
        pen.path(
            "M-19 -70C-23 -94 -8 -100 2 -99C18 -98 22 -86 19 -70C16 -80 10 -86 2 -87C-6 -86 -15 -82 -19 -70Z", hair
        )
        for side in (-1, 1):
            pen.eye(side * 6.6, -70, 2.5)
            pen.halo(side * 11, -63.5, 5, "#ee8f86", 0.65)
        pen.line("M-4.4 -63C-2 -60 2 -60 4.4 -63", tone(skin, -0.32), 1.3)


@thing(
    "astronaut",
    "cosmonaut, spaceman, space explorer",
    colors="#f3f4f7",
    wide=0.56,
    tall=1.9,
    home="moon",
    person=True,
    top=0.97,
)
def astronaut(pen: Pen, look: Look) -> None:
    """A white suit and a golden visor."""
    suit = look.main
    trim = look.other(look.pick("#e8663c", "#3f7fd0"))
    pen.rect(-16, -70, 32, 34, tone(suit, -0.12), "down", 5)
    for side in (-1, 1):
        pen.path(f"M{side * 0.6} -36L{side * 12} -38L{side * 11} -6L{side * 2} -6Z", suit, "side")
        pen.path(
            f"M{side * 1.4} -9L{side * 11.6} -9C{side * 14.6} -6 {side * 15} -2 {side * 14.6} 0L{side * 1.4} 0Z",
            "#8e96a6",
        )
        pen.line(f"M{side * 3} -20L{side * 11} -20", trim, 2.2)
    pen.line("M-12 -63C-20 -58 -23 -50 -22 -42", suit, 9)
    pen.line("M12 -63C21 -64 25 -70 26 -80", suit, 9)
    pen.circle(-22, -38, 4.6, "#8e96a6")
    pen.circle(26.4, -84, 4.6, "#8e96a6")
    pen.blob([(-8, -70), (-14, -66), (-14, -50), (-12, -36), (0, -34), (12, -36), (14, -50), (14, -66), (8, -70)], suit)
    pen.rect(-7, -58, 14, 10, "#c9ced8", "down", 2)
    for x, color in ((-3.6, "#e5533f"), (0, "#f0b93a"), (3.6, "#4fae6a")):
        pen.circle(x, -55, 1.3, color, "flat")
    pen.circle(0, -83, 16.4, suit)
    pen.blob([(-11, -88), (0, -93), (11, -88), (12, -80), (7, -72), (-7, -72), (-12, -80)], "#3b4668")
    pen.blob([(-10, -87), (0, -91.4), (10, -87), (10.6, -80), (6, -74), (-6, -74), (-10.6, -80)], "#e8a640")
    pen.path("M-8 -86C-4 -90 0 -90 3 -89C-2 -86 -6 -82 -8 -78C-9 -81 -9 -84 -8 -86Z", "#fff3d0", "flat", 0.8)


@thing(
    "wizard",
    "mage, sorcerer, witch, magician, druid, warlock",
    colors="#4b4fa8 #6a3f98 #2f6f8a",
    wide=0.62,
    tall=2.0,
    home="forest",
    person=True,
    top=None,
)
def wizard(pen: Pen, look: Look) -> None:
    """A pointed hat, a beard and a glowing staff."""
    robe = look.main
    trim = look.other("#f0c850")
    pen.line("M23 -2L21 -66", "#7a5538", 2.6)
    pen.halo(21, -71, 16, "#8fe6ff", 0.9)
    pen.circle(21, -71, 4.6, "#b8f2ff", "glow")
    pen.path("M-9 -62C-14 -40 -19 -16 -20 -2C-8 1 8 1 20 -2C19 -16 14 -40 9 -62Z", robe)
    pen.path("M-20 -6C-8 -2.6 8 -2.6 20 -6L20 -2C8 1 -8 1 -20 -2Z", trim)
    pen.path("M-9 -60C-16 -54 -18 -44 -18 -36L-9 -36C-8 -42 -6 -48 -4 -54Z", tone(robe, -0.06))
    pen.path("M9 -60C18 -56 22 -50 22 -44L14 -40C10 -44 6 -50 4 -56Z", tone(robe, -0.06))
    pen.circle(20.6, -44, 3, "#f0caa8")
    pen.ellipse(0, -67, 8.6, 9.4, "#f0caa8")
    pen.path("M-8.6 -66C-10 -50 -5 -40 0 -34C5 -40 10 -50 8.6 -66C5 -62 -5 -62 -8.6 -66Z", "#f3f1ee")
    pen.path("M-18 -72C-8 -78 8 -78 18 -72C10 -70 -10 -70 -18 -72Z", tone(robe, -0.08))
    pen.path("M-11 -74C-8 -86 -2 -96 8 -100C6 -92 9 -84 11 -74C4 -77 -4 -77 -11 -74Z", robe)
    pen.path("M-11 -74C-4 -77 4 -77 11 -74L10.4 -77.4C4 -80 -4 -80 -10.2 -77.4Z", trim)
    for side in (-1, 1):
        pen.eye(side * 3.2, -67.4, 1.2)
    pen.ellipse(0, -64.4, 1.8, 1.5, "#e0a488")


@thing("knight", "paladin, crusader", colors="#a8b0bf", wide=0.6, tall=1.9, home="castle", person=True, top=None)
def knight(pen: Pen, look: Look) -> None:
    """Armour, plume, shield and sword."""
    steel = look.main
    cloth = look.other(look.pick("#b83a3a", "#2f5fa8", "#3f8a55"))
    for side in (-1, 1):
        pen.path(f"M{side * 0.6} -36L{side * 9.6} -36L{side * 8.6} -3L{side * 2} -3Z", tone(steel, -0.05), "side")
        pen.path(f"M{side * 1.6} -5L{side * 8.6} -5L{side * 12.4} 0L{side * 1.6} 0Z", tone(steel, -0.14))
        pen.ellipse(side * 5.4, -20, 4.4, 3.6, tone(steel, 0.06))
    pen.path("M-3 -92C-14 -104 -22 -94 -20 -84C-16 -90 -10 -92 -3 -90Z", cloth)
    pen.line("M11 -63C17 -56 20 -52 22 -46", steel, 6)
    pen.path("M21 -44L24 -44L24.6 -88L22.5 -94L20.4 -88Z", "#e6ebf2")
    pen.line("M17 -45H28", "#c9973a", 2.6)
    pen.blob([(-6, -71), (-12, -66), (-11, -50), (-9, -40), (9, -40), (11, -50), (12, -66), (6, -71)], steel)
    pen.path("M-9.6 -44L9.6 -44L11.4 -28C4 -25 -4 -25 -11.4 -28Z", cloth)
    pen.rect(-10, -46.5, 20, 3.4, "#7a5538")
    for side in (-1, 1):
        pen.ellipse(side * 12, -65, 5, 4.6, tone(steel, 0.05))
    pen.path("M-9 -76C-10 -92 -6 -97 0 -97C6 -97 10 -92 9 -76C4 -71 -4 -71 -9 -76Z", steel)
    pen.path("M-8 -87L8 -87L7.6 -83.4L-7.6 -83.4Z", "#2f3440", "flat")
    pen.line("M0 -83V-74M-4 -80V-76M4 -80V-76", "#4a5262", 1.2)
    pen.path("M-27 -62L-7 -62C-6 -46 -10 -36 -17 -30C-24 -36 -28 -46 -27 -62Z", cloth)
    pen.path("M-18.6 -61.6H-15.4V-52H-8V-48.6H-15.4V-32L-17 -31L-18.6 -32V-48.6H-26V-52H-18.6Z", "#f3e2b0", "flat")


@thing(
    "robot",
    "android, droid, mech, cyborg",
    colors="#8fa6b8 #e0a040 #6fb0a0 #d0605a",
    wide=0.62,
    tall=1.6,
    person=True,
    home="city",
    top=0.9,
)
def robot(pen: Pen, look: Look) -> None:
    """Rounded boxes, glowing eyes."""
    shell = look.main
    dark = tone(shell, -0.24)
    glow = look.other("#7ff0ff")
    for side in (-1, 1):
        pen.rect(side * 8 - 3.6, -30, 7.2, 26, dark, "side", 2)
        pen.path(f"M{side * 8 - 8} 0C{side * 8 - 8} -8 {side * 8 + 8} -8 {side * 8 + 8} 0Z", shell)
        pen.line(f"M{side * 18} -56C{side * 26} -52 {side * 27} -44 {side * 25} -36", dark, 4.6)
        pen.line(f"M{side * 22} -30C{side * 21} -36 {side * 29} -36 {side * 28} -30", shell, 3.4)
        pen.circle(side * 18, -56, 4.6, shell)
    pen.rect(-17, -62, 34, 34, shell, "down", 7)
    pen.rect(-10, -54, 20, 14, mix(shell, "#ffffff", 0.5), "down", 3)
    pen.line("M-7 -47L-3 -47L-1 -51L2 -43L4 -47L7 -47", "#d8544a", 1.3)
    pen.rect(-4, -68, 8, 8, dark, "side")
    pen.line("M0 -93V-97", dark, 2)
    pen.circle(0, -98, 2.6, glow, "glow")
    pen.rect(-18, -93, 36, 27, shell, "down", 9)
    pen.rect(-14, -88, 28, 16, "#26313f", "flat", 6)
    for side in (-1, 1):
        pen.halo(side * 6.4, -80.4, 7, glow, 0.8)
        pen.circle(side * 6.4, -80.4, 3.4, glow, "glow")
        pen.rect(side * 19.4 - 1.8, -84, 3.6, 9, dark, "down", 1.5)
    pen.line("M-4 -75C-2 -73.6 2 -73.6 4 -75", glow, 1.2, 1, "glow")


@thing(
    "king",
    "queen, emperor, prince, royal",
    colors="#a8324a #4a3f98",
    wide=0.56,
    tall=1.8,
    person=True,
    home="castle",
    top=None,
)
def king(pen: Pen, look: Look) -> None:
    """A cloak with ermine and a crown."""
    robe = look.main
    skin, hair = skin_of(look), hair_of(look)
    pen.path("M-10 -66C-18 -44 -24 -16 -25 -1C-8 2 8 2 25 -1C24 -16 18 -44 10 -66Z", robe)
    pen.path("M-25 -6C-8 -3 8 -3 25 -6L25.4 -1C8 2 -8 2 -25.4 -1Z", "#fbf7ee")
    pen.path("M-5 -66L5 -66L8 -1C3 0 -3 0 -8 -1Z", look.other("#f0d9a0"))
    pen.line("M-6 -64L-9 -2M6 -64L9 -2", "#fbf7ee", 3.4)
    pen.path("M-11 -68C-5 -62 5 -62 11 -68L13 -60C5 -54 -5 -54 -13 -60Z", "#fbf7ee")
    pen.ellipse(0, -78, 9, 10, skin)
    pen.path("M-9 -78C-10 -66 -4 -62 0 -61C4 -62 10 -66 9 -78C6 -72 -6 -72 -9 -78Z", hair)
    pen.path("M-9.6 -76C-11 -88 -6 -90 0 -90C6 -90 11 -88 9.6 -76C8 -82 6 -84 0 -84C-6 -84 -8 -82 -9.6 -76Z", hair)
    for side in (-1, 1):
        pen.eye(side * 3.2, -78.5, 1.3)
    pen.path("M-9.4 -86L-11 -98L-5 -92L0 -100L5 -92L11 -98L9.4 -86Z", "#f2c040")
    for x in (-5, 0, 5):
        pen.circle(x, -88.4, 1.4, "#d8434a", "flat")


@thing("snowman", "", colors="#fbfdff", wide=0.72, tall=1.6, home="snowfield", top=None)
def snowman(pen: Pen, look: Look) -> None:
    """Three balls, a carrot, a hat and a scarf."""
    snow = look.main
    pen.line("M-18 -52L-36 -66M-30 -61L-36 -58M18 -52L36 -64M30 -60L36 -56", "#6b4a34", 2)
    pen.circle(0, -21, 22, snow)
    pen.circle(0, -52, 17, snow)
    pen.circle(0, -76, 12.6, snow)
    scarf = look.other(look.pick("#d8423c", "#2f8a5a", "#2f6fc0"))
    pen.path("M5 -66L13 -66L14 -48L7 -48Z", tone(scarf, -0.05))
    pen.path("M-12 -70C-6 -64 6 -64 12 -70L13 -65C6 -59 -6 -59 -13 -65Z", scarf)
    pen.path("M0 -77L15 -74.4L0 -73Z", "#ee8a35")
    for x, y in ((-4.5, -80), (4.5, -80)):
        pen.mark(x, y, 1.7, 1.8)
    for y in (-57, -49, -41):
        pen.mark(0, y, 1.7, 1.7)
    pen.rect(-14, -88.5, 28, 3.4, "#33343e", "flat", 1.5)
    pen.rect(-9, -100, 18, 12, "#33343e", "side", 1.5)
    pen.rect(-9, -91.4, 18, 3, scarf, "flat")


@thing("ghost", "spirit, phantom, specter", colors="#f4f6fb", wide=0.74, tall=1.5, place="land", shadow=False, top=None)
def ghost(pen: Pen, look: Look) -> None:
    """A friendly sheet."""
    pen.halo(0, -52, 66, look.main, 0.4)
    pen.path(
        "M-32 -6C-34 -30 -34 -98 0 -98C34 -98 34 -30 32 -6C26 -14 22 -14 17 -5C12 -13 6 -13 0 -5C-6 -13 -12 -13 -17 -5C-22 -14 -26 -14 -32 -6Z",
        look.main,
        "soft",
        0.94,
    )
    for side in (-1, 1):
        pen.eye(side * 9, -70, 4.6)
        pen.halo(side * 17, -61, 7, "#f2a7b7", 0.6)
    pen.ellipse(0, -58, 4, 5, "#4a4a5c")


@thing(
    "angel",
    "fairy, pixie, cherub",
    colors="#fbf4e6 #bfe0f0 #f6c9d8",
    wide=0.9,
    tall=1.6,
    place="land",
    person=True,
    top=None,
)
def angel(pen: Pen, look: Look) -> None:
    """Wings and a ring of light."""
    for side in (-1, 1):
        pen.path(
            f"M{side * 5} -60C{side * 22} -92 {side * 42} -92 {side * 44} -82C{side * 44} -72 {side * 38} -68 {side * 40} -60C{side * 34} -50 {side * 24} -46 {side * 5} -50Z",
            "#fffdf6",
        )
        pen.line(
            f"M{side * 10} -58C{side * 22} -76 {side * 32} -80 {side * 42} -80M{side * 12} -54C{side * 22} -64 {side * 30} -66 {side * 38} -64",
            "#d9d4c8",
            1.2,
        )
    woman(pen, look)
    pen.line("M-9 -101C-9 -105 9 -105 9 -101C9 -97.6 -9 -97.6 -9 -101Z", "#ffe27a", 2, 1, "glow")
