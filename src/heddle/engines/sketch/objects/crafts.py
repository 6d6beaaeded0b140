"""What sails and what flies: boats, ships, aeroplanes, balloons, rockets."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen

GLASS = "#bfe0ee"


@thing(
    "sailboat",
    "sailing boat, yacht, sailing ship, catamaran, dhow, sail",
    colors="#fdf8ee #e8604a #f0b43a #6fb0d0",
    wide=0.9,
    tall=7.0,
    place="water",
    home="sea",
)
def sailboat(pen: Pen, look: Look) -> None:
    """Two sails full of wind; the colour asked for is the sails'."""
    sail = look.main
    pen.line("M-2 -12V-99", "#7a5538", 1.8)
    pen.path("M1 -96C28 -72 38 -46 40 -24C26 -20 12 -20 1 -22Z", sail)
    pen.path("M-5 -90C-22 -66 -34 -44 -38 -26C-26 -22 -14 -22 -5 -23Z", tone(sail, -0.05))
    pen.line("M8 -80C22 -62 28 -44 30 -24M-10 -72C-20 -56 -25 -42 -28 -25", tone(sail, -0.09), 0.9)
    pen.path("M-2 -99L12 -96L-2 -92Z", "#d8433c", "flat")
    hull = look.other(look.pick("#8a5236", "#2f5a80", "#b5423a"))
    pen.path("M-44 -17C-20 -14 20 -14 46 -19C42 -6 34 0 26 0H-26C-34 0 -40 -6 -44 -17Z", hull, "down")
    pen.path("M-44 -17C-20 -14 20 -14 46 -19L45 -15C20 -10.4 -20 -10.4 -43 -13.6Z", "#fdf6e8", "flat")


@thing(
    "boat",
    "rowboat, rowing boat, canoe, kayak, dinghy, gondola, fishing boat, raft, paper boat",
    colors="#b5603a #3f7a9a #c9433c #5a8a5a",
    wide=2.4,
    tall=1.6,
    place="water",
    home="lake",
    top=0.52,
)
def boat(pen: Pen, look: Look) -> None:
    """A small open boat with oars."""
    hull = look.main
    pen.path(
        "M-110 -74C-60 -48 60 -48 110 -78C106 -60 90 -50 60 -46H-60C-90 -50 -104 -58 -110 -74Z",
        tone(hull, -0.2),
        "flat",
    )
    pen.path("M-110 -74C-60 -46 60 -46 110 -78C108 -36 84 0 56 0H-60C-86 0 -106 -36 -110 -74Z", hull, "down")
    pen.line("M-106 -58C-60 -32 60 -32 106 -61M-98 -40C-60 -18 60 -18 98 -42", tone(hull, -0.1), 2.6)
    pen.line("M-110 -74C-60 -46 60 -46 110 -78", look.other(tone(hull, 0.16)), 6)
    pen.line("M20 -66L84 -4", "#d9b07a", 5)
    pen.path("M78 -14L104 8L92 14L74 -6Z", "#d9b07a")


@thing(
    "ship",
    "pirate ship, galleon, vessel, ferry, steamship, cruise ship, warship, steamer",
    colors="#7a4f34 #3f5a80 #a8433c",
    wide=1.2,
    tall=16.0,
    place="water",
    home="sea",
    top=0.3,
)
def ship(pen: Pen, look: Look) -> None:
    """A tall ship with square sails."""
    hull = look.main
    sail = look.other("#fbf3e2")
    for x, top in ((-30, -86), (0, -98), (30, -84)):
        pen.line(f"M{x} -20V{top}", "#5f4330", 2.2)
        pen.path(f"M{x} {top}L{x + 10} {top + 2.5}L{x} {top + 5}Z", "#c9403a", "flat")
    for x, y, half, high in (
        (-30, -80, 13, 22),
        (-30, -54, 16, 26),
        (0, -91, 14, 26),
        (0, -61, 18, 30),
        (30, -78, 12, 21),
        (30, -53, 15, 25),
    ):
        pen.path(
            f"M{x - half} {y}L{x + half} {y}C{x + half + 5} {y + high * 0.5} {x + half + 3} {y + high * 0.8} {x + half} {y + high}C{x} {y + high - 4} {x} {y + high - 4} {x - half} {y + high}C{x - half + 4} {y + high * 0.6} {x - half + 4} {y + high * 0.4} {x - half} {y}Z",
            sail,
            "side",
        )
        pen.line(f"M{x - half - 1} {y}H{x + half + 1}", "#5f4330", 1.5)
    pen.line("M44 -26L64 -38", "#5f4330", 2.2)
    pen.path("M-58 -36L-44 -34L-42 -24H40L52 -28L50 -18C46 -6 38 0 28 0H-34C-48 -4 -56 -20 -58 -36Z", hull, "down")
    pen.line("M-54 -24C-30 -16 20 -16 50 -21", look.other("#e0b060"), 2)
    for x in range(-34, 40, 12):
        pen.rect(x, -13, 5, 5, "#3a2a26", "flat", 1)


@thing(
    "airplane",
    "plane, aeroplane, jet, aircraft, airliner, biplane, jumbo jet",
    colors="#f4f5f8 #d8543c #4f8fc1",
    wide=2.3,
    tall=4.0,
    place="sky",
    shadow=False,
)
def airplane(pen: Pen, look: Look) -> None:
    """An airliner climbing a little."""
    paint = look.main
    trim = look.other("#3f7fc1" if paint == "#f4f5f8" else "#f6f2ea")
    with pen.at(0, -46, 1, -8):
        pen.path("M4 -8L-26 -44H-12L40 -10Z", tone(paint, -0.12))
        pen.path("M-108 -4L-118 -40H-100L-78 -8Z", trim)
        pen.path(
            "M-112 -2C-104 -18 -70 -22 60 -22C92 -22 112 -12 114 0C112 10 92 16 60 16H-60C-90 14 -110 8 -112 -2Z",
            paint,
            "down",
        )
        pen.path("M-112 -1C-60 8 60 8 114 1C110 10 92 16 60 16H-60C-90 14 -110 8 -112 -1Z", trim, "flat")
        pen.path("M86 -13C96 -13 104 -8 107 -4H86Z", "#3f566a")
        for x in range(-70, 76, 13):
            pen.circle(x, -8, 3.6, "#ffe9a8" if look.lamps else "#7fb0cc", "glow" if look.lamps else "flat")
        pen.path("M-104 0L-128 16H-112L-80 4Z", tone(paint, -0.08))
        pen.ellipse(6, 26, 15, 7.4, tone(paint, -0.16))
        pen.path("M26 4L-42 44H-22L44 10Z", tone(paint, -0.05))


@thing("helicopter", "chopper", colors="#d8543c #4f8fc1 #f0b43a", wide=1.7, tall=3.0, place="sky", shadow=False)
def helicopter(pen: Pen, look: Look) -> None:
    """A bubble and a boom."""
    paint = look.main
    pen.line("M-60 -92H88", "#4a4f5a", 3.4)
    pen.line("M14 -92V-78", "#4a4f5a", 5)
    pen.path("M-10 -60L-84 -66V-58L-10 -36Z", paint)
    pen.path("M-84 -58L-92 -84H-80L-70 -62Z", tone(paint, -0.1))
    pen.line("M-94 -76L-76 -54M-94 -54L-76 -76", "#6a6e78", 2.6)
    pen.blob([(-24, -52), (-10, -76), (18, -80), (48, -68), (58, -42), (44, -22), (6, -18), (-18, -30)], paint)
    pen.path("M22 -74C42 -70 54 -56 56 -42H24Z", GLASS)
    pen.rect(-8, -66, 20, 20, GLASS, "down", 4)
    pen.line("M-6 -20V-6M34 -22V-6M-26 -4H58C62 -4 64 -8 66 -11", "#4a4f5a", 3.6)


@thing(
    "rocket",
    "spaceship, spacecraft, space shuttle, missile, starship",
    colors="#f4f2ee #d8e0e8",
    wide=0.62,
    tall=20.0,
    place="any",
    home="space",
    shadow=False,
)
def rocket(pen: Pen, look: Look) -> None:
    """Fins, a porthole and fire."""
    paint = look.main
    trim = look.other("#d8433c" if look.traits.get("asked") is None else "#f4f2ee")
    pen.halo(0, -12, 30, "#ffb84a", 0.7)
    pen.path("M-9 -26C-12 -12 -4 -6 0 0C4 -6 12 -12 9 -26Z", "#ff8a2e", "glow")
    pen.path("M-5 -26C-6 -16 -2 -12 0 -8C2 -12 6 -16 5 -26Z", "#ffe27a", "glow")
    for side in (-1, 1):
        pen.path(
            f"M{side * 12} -50C{side * 24} -44 {side * 28} -32 {side * 28} -20C{side * 22} -28 {side * 16} -30 {side * 10} -30Z",
            trim,
        )
    pen.path("M0 -100C16 -84 20 -60 12 -27H-12C-20 -60 -16 -84 0 -100Z", paint, "side")
    pen.path("M0 -100C7 -93 11.6 -85.6 14 -78C6 -75 -6 -75 -14 -78C-11.6 -85.6 -7 -93 0 -100Z", trim, "side")
    pen.path("M-13 -32H13L12 -26H-12Z", trim, "side")
    pen.circle(0, -62, 8, tone(paint, -0.18))
    pen.circle(0, -62, 5.8, "#5fb0d8")
    pen.path("M-4 -64C-3 -66.6 0 -67.4 2 -66.6C0 -65.6 -2 -63.6 -3 -61Z", "#ffffff", "flat", 0.8)
    pen.path("M-1.8 -48H1.8V-28H-1.8Z", trim)


@thing(
    "hot air balloon",
    "hot-air balloon, airship, zeppelin, montgolfier",
    colors="#e0533f #f0a83a #4f8fc1 #b05aa0 #4fa58a",
    wide=0.74,
    tall=18.0,
    place="sky",
    home="hills",
    shadow=False,
)
def hot_air_balloon(pen: Pen, look: Look) -> None:
    """Gores in two colours and a basket."""
    cloth = look.main
    stripe = look.other(tone(cloth, 0.16))
    envelope = "M0 -100C22 -100 37 -86 37 -66C37 -48 20 -36 10 -25H-10C-20 -36 -37 -48 -37 -66C-37 -86 -22 -100 0 -100Z"
    pen.line("M-9 -26L-6.4 -12M9 -26L6.4 -12M-3 -25L-2 -12M3 -25L2 -12", "#6b4a34", 0.9)
    pen.path(envelope, cloth)
    with pen.at(0, 0, clip=envelope):
        for side in (-1, 1):
            pen.path(
                f"M0 -100C{side * 18} -94 {side * 22} -66 {side * 5} -24L{side * 1.5} -24C{side * 10} -60 {side * 8} -88 0 -100Z",
                stripe,
                "flat",
                0.95,
            )
            pen.path(
                f"M0 -100C{side * 34} -96 {side * 42} -62 {side * 9.5} -24L{side * 7.4} -24C{side * 33} -60 {side * 28} -90 0 -100Z",
                stripe,
                "flat",
                0.95,
            )
        pen.path("M-38 -70C-14 -64 14 -64 38 -70V-63C14 -57 -14 -57 -38 -63Z", tone(cloth, -0.12), "flat", 0.9)
        pen.halo(-14, -82, 26, "#ffffff", 0.35)
    pen.rect(-10.4, -27, 20.8, 3, tone(cloth, -0.14), "flat", 1)
    pen.rect(-7.4, -12, 14.8, 11.6, "#a8713f", "side", 2)
    pen.line("M-7 -8H7M-7 -4.6H7", "#7d5230", 0.9)
    pen.rect(-8.4, -13.4, 16.8, 2.8, "#7d5230", "flat", 1.4)


@thing(
    "ufo",
    "flying saucer, alien ship, alien spaceship, saucer, alien",
    colors="#9aa8b8 #8a9ac0",
    wide=1.9,
    tall=5.0,
    place="sky",
    home="night hills",
    shadow=False,
)
def ufo(pen: Pen, look: Look) -> None:
    """A dome, lights and a beam."""
    metal = look.main
    pen.path("M-26 -44L-58 20H58L26 -44Z", "#b8ffd0", "flat", 0.22)
    pen.path("M-12 -44L-30 20H30L12 -44Z", "#d8ffe0", "flat", 0.22)
    pen.path("M-38 -68C-36 -104 36 -104 38 -68Z", "#a8f0e8", "soft", 0.9)
    pen.ellipse(0, -76, 10, 12, "#6fc06a")
    for side in (-1, 1):
        pen.ellipse(side * 4, -78, 2.8, 4, "#22302a", "flat", side * 16)
    pen.path("M-30 -74C-26 -92 -14 -96 -6 -96C-16 -90 -22 -82 -24 -72Z", "#ffffff", "flat", 0.6)
    pen.ellipse(0, -56, 92, 20, metal)
    pen.ellipse(0, -62, 62, 11, tone(metal, 0.1))
    pen.ellipse(0, -46, 46, 9, tone(metal, -0.2))
    for step in range(7):
        x = -72 + step * 24
        color = ("#ff6a6a", "#ffd84a", "#6affa0")[step % 3]
        pen.halo(x, -54 + abs(step - 3) * -0.8, 11, color, 0.8)
        pen.circle(x, -54 + abs(step - 3) * -0.8, 4.4, color, "glow")


@thing(
    "submarine",
    "sub",
    colors="#f0b83a #d8543c #5a8aa8",
    wide=1.9,
    tall=4.0,
    place="deep",
    home="underwater",
    shadow=False,
)
def submarine(pen: Pen, look: Look) -> None:
    """Portholes and a periscope."""
    paint = look.main
    pen.line("M4 -80V-96H18", tone(paint, -0.15), 5)
    pen.path("M-20 -66L-14 -86H22L28 -66Z", paint, "down")
    pen.path("M-78 -38L-98 -62V-10L-78 -28Z", tone(paint, -0.14))
    pen.blob([(-84, -34), (-60, -60), (0, -70), (58, -62), (90, -36), (62, -10), (0, -3), (-58, -10)], paint)
    pen.line("M-66 -14C-20 -4 30 -4 68 -14", tone(paint, -0.14), 3)
    for x in (-34, 4, 42):
        pen.circle(x, -40, 13, tone(paint, -0.2))
        pen.circle(x, -40, 9.4, "#9fe0f0")
        pen.path(
            f"M{x - 6} -42C{x - 4} -47 {x} -48 {x + 3} -47C{x} -45 {x - 3} -42 {x - 4} -38Z", "#ffffff", "flat", 0.8
        )


@thing("kite", "", colors="#e0533f #4f8fc1 #f0b43a", wide=0.7, tall=1.2, place="sky", shadow=False)
def kite(pen: Pen, look: Look) -> None:
    """A diamond with a tail of bows."""
    cloth = look.main
    other = look.other(tone(cloth, 0.14))
    pen.line("M0 -40C10 -28 -12 -18 4 -2", "#8a7a70", 1.2)
    for x, y in ((3, -29), (-5, -18), (-2, -9)):
        pen.path(f"M{x} {y}L{x - 6} {y - 3}V{y + 3}ZM{x} {y}L{x + 6} {y - 3}V{y + 3}Z", other)
    pen.poly([(0, -100), (0, -72), (-32, -72)], cloth)
    pen.poly([(0, -100), (32, -72), (0, -72)], other)
    pen.poly([(-32, -72), (0, -72), (0, -38)], other)
    pen.poly([(32, -72), (0, -38), (0, -72)], cloth)
