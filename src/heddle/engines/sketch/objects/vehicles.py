"""What drives: cars, buses, trains, bicycles."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen

GLASS = "#bfe0ee"
TYRE = "#2f2d33"


def wheel(pen: Pen, x: float, r: float, hub: str = "#d3d7dd") -> None:
    """A tyre standing on the ground."""
    pen.circle(x, -r, r, TYRE)
    pen.circle(x, -r, r * 0.56, hub)
    pen.circle(x, -r, r * 0.2, "#6a6e78", "flat")


def _lamp(pen: Pen, look: Look, x: float, y: float, r: float, beam: float) -> None:
    if look.lamps:
        pen.path(
            f"M{x} {y - r}L{x + beam} {y - abs(beam) * 0.1}L{x + beam} {y + abs(beam) * 0.26}L{x} {y + r}Z",
            "#fff2b8",
            "flat",
            0.3,
        )
        pen.halo(x, y, r * 4, "#ffeeb0", 0.8)
    pen.ellipse(x, y, r * 0.7, r, "#fff3c4", "glow" if look.lamps else "flat")


@thing(
    "car",
    "automobile, sedan, coupe, taxi, cab, sports car, jeep, suv, vehicle, convertible, beetle car, police car",
    colors="#d8433c #3f7fc1 #f0b43a #4fa58a #8a5ab0",
    wide=2.2,
    tall=1.5,
    home="street",
    top=0.92,
)
def car(pen: Pen, look: Look) -> None:
    """A small rounded car."""
    paint = look.main
    pen.path("M-52 -56C-42 -88 -32 -96 -8 -96H16C38 -96 50 -80 60 -58Z", tone(paint, -0.05), "down")
    pen.path("M-43 -58C-36 -80 -30 -87 -10 -87H-3V-58Z", GLASS, "down")
    pen.path("M4 -87H15C32 -87 42 -74 50 -58H4Z", GLASS, "down")
    pen.path("M-30 -84L-40 -60L-33 -60L-22 -86ZM14 -86L4 -66V-60L22 -86Z", "#ffffff", "flat", 0.5)
    pen.path(
        "M-104 -30C-106 -50 -96 -58 -76 -60C-40 -64 30 -64 62 -60C92 -56 106 -48 106 -28C106 -20 102 -18 96 -18H-96C-102 -18 -104 -22 -104 -30Z",
        paint,
        "down",
    )
    pen.path("M-104 -28H106C106 -20 102 -18 96 -18H-96C-102 -18 -104 -22 -104 -28Z", tone(paint, -0.16), "flat")
    pen.line("M1 -58V-22M-50 -57C-54 -44 -54 -34 -50 -24M58 -57C60 -48 60 -42 58 -36", tone(paint, -0.13), 1.4)
    pen.line("M10 -48H20M-38 -48H-28", tone(paint, -0.2), 2.6)
    pen.line("M-90 -52C-50 -57 40 -57 80 -52", tone(paint, 0.14), 2, 0.7)
    for x in (-60, 64):
        pen.path(f"M{x - 25} -18C{x - 25} -50 {x + 25} -50 {x + 25} -18Z", tone(paint, -0.24), "flat")
        wheel(pen, x, 20)
    _lamp(pen, look, 101, -42, 6, 110)
    pen.rect(-105, -46, 5, 9, "#ff6a50", "glow" if look.lamps else "flat", 2)


@thing(
    "truck",
    "lorry, pickup, pickup truck, van, fire truck, fire engine, delivery van",
    colors="#4f8fc1 #d8543c #5aa06a #e0a53a",
    wide=2.0,
    tall=3.0,
    home="street",
    top=0.96,
)
def truck(pen: Pen, look: Look) -> None:
    """A cab and a box."""
    paint = look.main
    pen.rect(-96, -96, 122, 74, look.other("#f3eee4"), "down", 4)
    pen.line("M-66 -92V-26M-36 -92V-26M-6 -92V-26", tone(look.other("#f3eee4"), -0.08), 1.4)
    pen.path("M-96 -56H26V-44H-96Z", paint, "flat")
    pen.path("M30 -78H62C72 -78 82 -60 86 -46L97 -40V-20H30Z", paint, "down")
    pen.path("M42 -70H61C68 -70 74 -58 77 -47H42Z", GLASS, "down")
    pen.path("M52 -70L44 -50V-60L47 -70Z", "#ffffff", "flat", 0.55)
    pen.rect(-98, -24, 196, 8, "#4a4a54", "flat", 2)
    pen.line("M46 -36H55", tone(paint, -0.2), 2.4)
    _lamp(pen, look, 94, -32, 4.6, 90)
    for x in (-66, -34, 66):
        wheel(pen, x, 17)


@thing(
    "bus",
    "coach, school bus, double-decker, minibus, tram, trolley",
    colors="#f0b02e #d8433c #4f8fc1",
    wide=2.1,
    tall=3.2,
    home="street",
    top=0.97,
)
def bus(pen: Pen, look: Look) -> None:
    """A row of windows."""
    paint = look.main
    pen.path(
        "M-104 -26V-84C-104 -94 -98 -97 -88 -97H86C98 -97 102 -88 104 -70L106 -40V-26C106 -20 102 -18 98 -18H-98C-102 -18 -104 -22 -104 -26Z",
        paint,
        "down",
    )
    pen.path("M-104 -36H106V-26C106 -20 102 -18 98 -18H-98C-102 -18 -104 -22 -104 -26Z", tone(paint, -0.12), "flat")
    for x in range(-94, 62, 31):
        pen.rect(x, -82, 26, 26, "#ffe9a8" if look.lamps else GLASS, "glow" if look.lamps else "down", 3)
        pen.path(f"M{x + 4} -58L{x + 14} -80H{x + 19}L{x + 9} -58Z", "#ffffff", "flat", 0.4)
    pen.path("M67 -82H91C95 -82 97 -76 98 -66L99 -54H67Z", GLASS, "down")
    pen.rect(66, -50, 22, 31, tone(paint, -0.16), "flat", 2)
    pen.line("M77 -50V-20", tone(paint, 0.02), 1.2)
    pen.line("M-100 -46H62", tone(paint, -0.2), 2)
    _lamp(pen, look, 103, -32, 4.4, 90)
    for x in (-62, 54):
        pen.path(f"M{x - 20} -18C{x - 20} -44 {x + 20} -44 {x + 20} -18Z", tone(paint, -0.28), "flat")
        wheel(pen, x, 16)


@thing(
    "train",
    "locomotive, steam train, railway, steam engine",
    colors="#3f6a5a #a8403a #3f5a8a #3a3f4a",
    wide=2.4,
    tall=3.5,
    home="hills",
    top=0.6,
)
def train(pen: Pen, look: Look) -> None:
    """A steam engine and one carriage."""
    paint = look.main
    trim = look.other("#d8a840")
    for x, y, r in ((66, -100, 7), (54, -108, 10), (38, -114, 13), (16, -118, 15)):
        pen.circle(x, y, r, "#f3f1ee", "soft", 0.85)
    pen.line("M-122 -2H122", "#5a4a44", 3)
    for x in range(-116, 120, 15):
        pen.rect(x, -2, 8, 3, "#7a5a44", "flat")
    pen.rect(-118, -72, 78, 50, look.pick("#b5523f", "#c98a3a", "#5a7fa8"), "down", 5)
    pen.rect(-121, -77, 84, 8, "#4a4650", "flat", 4)
    for x in (-110, -86, -62):
        pen.rect(x, -62, 16, 18, "#ffe9a8" if look.lamps else GLASS, "glow" if look.lamps else "down", 2)
    pen.rect(-30, -80, 42, 58, paint, "down", 3)
    pen.rect(-35, -86, 52, 8, tone(paint, -0.12), "flat", 4)
    pen.rect(-22, -70, 26, 20, "#ffe9a8" if look.lamps else GLASS, "glow" if look.lamps else "down", 2)
    pen.rect(8, -62, 88, 36, paint, "down", 12)
    for x in (26, 50, 74):
        pen.line(f"M{x} -62V-26", trim, 2)
    pen.path("M60 -62L56 -90H76L72 -62Z", "#3a3a42", "side")
    pen.rect(54, -94, 24, 6, trim, "flat", 2)
    pen.path("M28 -62C28 -74 44 -74 44 -62Z", trim)
    pen.rect(-40, -28, 146, 8, "#3a3a42", "flat", 2)
    pen.path("M96 -22L118 -4H92Z", tone(paint, -0.15))
    _lamp(pen, look, 98, -48, 6, 80)
    for x, r in ((-104, 10), (-58, 10), (-20, 15), (14, 15), (50, 11), (78, 11)):
        pen.circle(x, -3 - r, r, "#b5423a")
        pen.circle(x, -3 - r, r * 0.72, "#3a3a42", "flat")
        pen.circle(x, -3 - r, r * 0.3, trim, "flat")
    pen.line("M-20 -18L50 -14", "#c9ced6", 3)
    pen.line("M-40 -22H-34", "#3a3a42", 5)


@thing(
    "bicycle",
    "bike, cycle, tricycle",
    colors="#d8433c #3f8a9a #4a6ac0 #4a4a54",
    wide=1.7,
    tall=1.1,
    home="park",
    top=0.8,
)
def bicycle(pen: Pen, look: Look) -> None:
    """Two wheels, a basket."""
    frame = look.main
    for x in (-48, 48):
        pen.line(f"M{x - 32} -34A32 32 0 1 0 {x + 32} -34A32 32 0 1 0 {x - 32} -34", TYRE, 4.4)
        for step in range(0, 180, 30):
            with pen.at(x, -34, 1, step):
                pen.line("M0 -29V29", "#b9bec8", 0.9)
        pen.circle(x, -34, 4, "#6a6e78")
    pen.line("M-48 -34L-22 -72H28L-2 -34H-48M-22 -72L-2 -34M28 -72L48 -34M28 -72L24 -88", frame, 5)
    pen.line("M-22 -72L-26 -84", frame, 4)
    pen.path("M-40 -88C-30 -92 -20 -90 -12 -86C-18 -82 -32 -82 -40 -88Z", "#4a3630")
    pen.line("M24 -88C32 -96 40 -94 44 -88", "#4a4a54", 4)
    pen.circle(-2, -34, 7, "#8a8f9a")
    pen.line("M-2 -34L6 -22M2 -22H12", "#4a4a54", 3.4)
    pen.path("M36 -86H66L62 -62H42Z", "#c9985a")
    pen.line("M40 -78H64M41 -70H63M48 -86V-62M56 -86V-62", "#a0733f", 1.4)


@thing(
    "motorcycle",
    "motorbike, scooter, vespa, moped",
    colors="#d8433c #3a8a8a #e8e2d6",
    wide=1.6,
    tall=1.2,
    home="street",
    top=0.74,
)
def motorcycle(pen: Pen, look: Look) -> None:
    """A scooter."""
    paint = look.main
    wheel(pen, -48, 21)
    wheel(pen, 52, 21)
    pen.path(
        "M-74 -40C-70 -62 -40 -66 -20 -58C-14 -48 -12 -38 -6 -26H30C36 -46 40 -66 40 -84L50 -82C50 -60 46 -34 36 -16H-16C-22 -40 -50 -50 -74 -40Z",
        paint,
    )
    pen.path("M-66 -62C-50 -74 -20 -74 -8 -62L-16 -56C-30 -60 -50 -60 -64 -56Z", "#5a3f34")
    pen.path("M34 -40C44 -46 66 -46 74 -28C62 -34 48 -34 38 -24Z", paint)
    pen.line("M45 -84L36 -98M36 -98L26 -96", "#4a4a54", 4)
    pen.circle(51, -86, 6.5, "#fff3c4", "glow" if look.lamps else "soft")


@thing("tractor", "harvester, combine", colors="#4f9a4a #d8433c #3f7fc1", wide=1.5, tall=2.6, home="farm", top=0.97)
def tractor(pen: Pen, look: Look) -> None:
    """A large wheel behind, a small one in front."""
    paint = look.main
    pen.rect(-44, -96, 56, 6, tone(paint, -0.1), "flat", 3)
    pen.line("M-38 -92V-50M6 -92L12 -52", "#4a4a54", 4)
    pen.rect(-34, -88, 38, 34, GLASS, "down", 2, 0.85)
    pen.path("M-40 -56H14L18 -64H62C68 -64 70 -58 70 -50V-26H-40Z", paint, "down")
    pen.line("M34 -56V-34M42 -56V-34M50 -56V-34", tone(paint, -0.16), 2)
    pen.line("M40 -64V-86", "#4a4a54", 4)
    wheel(pen, -28, 34, mix(paint, "#f6d24a", 0.9))
    wheel(pen, 52, 19, mix(paint, "#f6d24a", 0.9))
    pen.path("M-64 -40C-60 -76 -8 -78 2 -46L-6 -44C-14 -66 -50 -66 -56 -38Z", paint)


@thing(
    "carriage",
    "cart, wagon, coach and horses, caravan",
    colors="#b5523f #5a7fa8",
    wide=1.5,
    tall=2.4,
    home="village",
    top=0.97,
)
def carriage(pen: Pen, look: Look) -> None:
    """A round-topped wagon."""
    paint = look.main
    pen.path("M-56 -44C-60 -100 60 -100 56 -44Z", look.other("#f7efdc"))
    pen.line("M-26 -46C-28 -80 -20 -86 -16 -88M26 -46C28 -80 20 -86 16 -88M0 -46V-88", "#cbb898", 1.6)
    pen.path("M-60 -48H60L52 -20H-52Z", paint, "down")
    pen.line("M-57 -38H57", tone(paint, -0.12), 2)
    for x, r in ((-36, 20), (36, 20)):
        pen.line(f"M{x - r} {-r - 1}A{r} {r} 0 1 0 {x + r} {-r - 1}A{r} {r} 0 1 0 {x - r} {-r - 1}", "#6b4632", 4)
        for step in range(0, 180, 45):
            with pen.at(x, -r - 1, 1, step):
                pen.line("M0 -18V18", "#8a5a3a", 2)
        pen.circle(x, -r - 1, 4, "#6b4632")
