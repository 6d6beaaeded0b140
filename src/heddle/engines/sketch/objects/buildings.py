"""Houses, towers and other buildings."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen

LAMP = "#ffd676"
GLASS = "#6f94b0"
STONE = "#b3ada6"


def window(pen: Pen, look: Look, x: float, y: float, w: float, h: float, frame: str = "#fbf4e6") -> None:
    """Lit at night."""
    pen.rect(x - 1, y - 1, w + 2, h + 2, frame, "flat", 0.6)
    if look.lamps:
        pen.halo(x + w / 2, y + h / 2, w * 1.5, LAMP, 0.5)
        pen.rect(x, y, w, h, LAMP, "glow")
    else:
        pen.rect(x, y, w, h, GLASS, "down")
    pen.line(f"M{x + w / 2} {y}V{y + h}M{x} {y + h / 2}H{x + w}", frame, 0.9)


def _slit(pen: Pen, look: Look, x: float, y: float, w: float = 3.4, h: float = 8.0) -> None:
    shape = f"M{x - w / 2} {y}V{y - h * 0.65}C{x - w / 2} {y - h} {x + w / 2} {y - h} {x + w / 2} {y - h * 0.65}V{y}Z"
    pen.path(shape, LAMP if look.lamps else "#4b4a5a", "glow" if look.lamps else "flat")


@thing(
    "house",
    "cottage, home, hut, cabin, villa, mansion, bungalow, shack, building, inn, shop, school, farmhouse",
    colors="#f0dcb8 #e8b8a0 #d8e0e4 #f3e6c8 #c9dcc0",
    wide=1.1,
    tall=5.0,
    home="meadow",
    top=0.98,
)
def house(pen: Pen, look: Look) -> None:
    """A gable, a chimney and a door."""
    wall = look.main
    roof = look.other(look.pick("#b8533f", "#8a4a44", "#5a6a80", "#a8683a"))
    door = look.pick("#7a4a32", "#3f6a7a", "#a8443a")
    pen.rect(20, -96, 10, 30, tone("#b5715a", -0.02), "side")
    pen.rect(18.6, -98, 12.8, 4, "#8a5648", "flat")
    pen.poly([(-40, -52), (0, -88), (40, -52), (40, 0), (-40, 0)], wall, "down")
    pen.poly([(-40, 0), (-40, -5), (40, -5), (40, 0)], tone(wall, -0.18), "flat")
    pen.path("M0 -96L54 -48L47 -42L0 -83L-47 -42L-54 -48Z", roof)
    pen.path("M0 -83L40 -48L40 -42L0 -77L-40 -42L-40 -48Z", tone(wall, -0.14), "flat")
    window(pen, look, -32, -40, 14, 16)
    window(pen, look, 18, -40, 14, 16)
    window(pen, look, -5, -68, 10, 11)
    pen.path("M-9 0V-28C-9 -37 9 -37 9 -28V0Z", tone(door, -0.15), "flat")
    pen.path("M-7 0V-27C-7 -34 7 -34 7 -27V0Z", door)
    pen.circle(4.4, -14, 1.2, "#f0c24b", "flat")
    for x in (-25, 25):
        pen.rect(x - 9, -22, 18, 3.4, "#8a5a3a", "flat")
        for step in range(4):
            pen.circle(x - 6.6 + step * 4.4, -23.6, 2.5, "#5a9a4a", "flat")
            pen.circle(x - 6.6 + step * 4.4, -25, 1.3, look.pick("#e8506a", "#f6c945", "#ffffff"), "flat")


@thing(
    "castle",
    "fortress, palace, citadel, chateau",
    colors="#c9c2b8 #b8b4c0 #d9c8b0",
    wide=1.15,
    tall=14.0,
    home="hills",
    top=None,
)
def castle(pen: Pen, look: Look) -> None:
    """Towers, battlements, pennants."""
    wall = look.main
    roof = look.other(look.pick("#4a6a9a", "#9a4a4a", "#5a5a8a"))

    def tower(x: float, half: float, top: float, tip: float) -> None:
        pen.rect(x - half, top, half * 2, -top, wall, "side")
        pen.rect(x - half - 1.4, top - 3, half * 2 + 2.8, 4.4, tone(wall, -0.06), "side")
        pen.path(
            f"M{x} {tip}L{x + half + 3} {top - 2}C{x + half} {top} {x - half} {top} {x - half - 3} {top - 2}Z",
            roof,
            "side",
        )
        pen.line(f"M{x} {tip}V{tip - 7}", "#6b5a4a", 0.9)
        pen.path(f"M{x} {tip - 7}L{x + 7} {tip - 5}L{x} {tip - 2.6}Z", "#d8433c", "flat")
        _slit(pen, look, x, top + 15)
        _slit(pen, look, x, top + 34)

    tower(0, 10, -68, -93)
    tower(-22, 7.4, -56, -78)
    tower(23, 7.4, -60, -82)
    battlements = [(-46.0, -38.0)]
    for step in range(12):
        x = -46 + step * 8
        battlements += [(x, -42), (x + 4, -42), (x + 4, -38), (x + 8, -38)]
    pen.poly([(-46, 0), *battlements, (50, 0)], tone(wall, 0.02), "down")
    for x, y in ((-34, -26), (-26, -14), (24, -28), (34, -12), (-38, -8), (18, -10), (30, -22)):
        pen.rect(x, y, 6, 2.6, tone(wall, -0.07), "flat", 0.6)
    tower(-48, 8.4, -46, -68)
    tower(48, 8.4, -46, -68)
    pen.path("M-12 0V-18C-12 -32 12 -32 12 -18V0Z", tone(wall, -0.14), "flat")
    pen.path("M-9.6 0V-18C-9.6 -28.6 9.6 -28.6 9.6 -18V0Z", "#5a4034")
    pen.line("M-5 0V-24M0 0V-26M5 0V-24M-9 -8H9M-9 -16H9", "#3a2a26", 0.9)
    if look.lamps:
        pen.halo(0, -14, 26, LAMP, 0.5)


@thing("lighthouse", "beacon", colors="#f7f2ea", wide=0.5, tall=12.0, home="coast", top=None)
def lighthouse(pen: Pen, look: Look) -> None:
    """Striped, its lamp on."""
    wall = look.main
    stripe = look.other("#d8463c") if look.traits.get("asked") is None else look.other("#f7f2ea")
    rock = "#7f7a78"
    pen.blob([(-25, 0), (-20, -8), (-8, -10), (8, -9), (20, -7), (25, 0)], rock)
    body = "M-13 -6L-8 -72L8 -72L13 -6C6 -3 -6 -3 -13 -6Z"
    pen.path(body, wall, "side")
    with pen.at(0, 0, clip=body):
        for y in (-66, -42, -18):
            pen.path(
                f"M-15 {y}C-6 {y + 2.6} 6 {y + 2.6} 15 {y}V{y + 12}C6 {y + 14.6} -6 {y + 14.6} -15 {y + 12}Z",
                stripe,
                "side",
            )
    _slit(pen, look, 0, -46)
    pen.path("M-4 -4.4V-11C-4 -16 4 -16 4 -11V-4.4Z", "#5a4034")
    pen.rect(-11, -75, 22, 3.6, "#3f4450", "flat", 1)
    pen.line("M-10 -75V-80M-5 -75V-80M5 -75V-80M10 -75V-80M-10.4 -80H10.4", "#3f4450", 0.9)
    if look.lamps:
        pen.path("M0 -82L90 -104L90 -68Z", "#fff2b8", "flat", 0.24)
        pen.path("M0 -82L-90 -100L-90 -74Z", "#fff2b8", "flat", 0.16)
    pen.halo(0, -83, 26 if look.lamps else 14, "#ffe69a", 0.85)
    pen.rect(-6, -88, 12, 13, "#fff0b0", "glow", 1)
    pen.line("M-2 -88V-75M2 -88V-75", "#c9a24a", 0.7)
    pen.path("M-9 -87.4C-6 -97 6 -97 9 -87.4Z", stripe)
    pen.line("M0 -94V-99", "#3f4450", 1.2)


@thing("windmill", "mill", colors="#f2e6cf #c9a67a", wide=0.94, tall=9.0, home="farm", top=None)
def windmill(pen: Pen, look: Look) -> None:
    """Four sails at an angle that chance decides."""
    wall = look.main
    pen.path("M-19 0L-12 -58L12 -58L19 0C8 3 -8 3 -19 0Z", wall, "side")
    pen.path("M-13.4 -56C-12 -72 12 -72 13.4 -56C6 -53 -6 -53 -13.4 -56Z", look.other("#a8503f"))
    pen.path("M-5 0V-12C-5 -18 5 -18 5 -12V0Z", "#6b4a34")
    window(pen, look, -3.4, -42, 6.8, 8)
    window(pen, look, -3.4, -27, 6.8, 7)
    start = look.rng.randint(12, 70)
    for step in range(4):
        with pen.at(0, -59, 1, start + step * 90):
            pen.line("M0 0V-40", "#6b4a34", 1.8)
            pen.rect(1, -39, 8.4, 30, "#fdf6e6", "flat")
            pen.line("M5.2 -39V-9M1 -31.5H9.4M1 -24H9.4M1 -16.5H9.4", "#b59a78", 0.7)
    pen.circle(0, -59, 2.8, "#6b4a34")


@thing(
    "tower",
    "clock tower, watchtower, big ben, spire, minaret, belfry",
    colors="#c9b08a #b3a8a0",
    wide=0.36,
    tall=16.0,
    home="hills",
    top=None,
)
def tower(pen: Pen, look: Look) -> None:
    """A clock under a steep roof."""
    wall = look.main
    pen.path("M-13 0L-11 -62L11 -62L13 0Z", wall, "side")
    pen.rect(-14, -78, 28, 17, tone(wall, 0.02), "side", 1)
    pen.rect(-15, -63, 30, 3.4, tone(wall, -0.1), "flat")
    pen.path("M0 -100L16 -77L-16 -77Z", look.other("#5a6a86"), "side")
    pen.circle(0, -70, 6.4, "#fdf6e0")
    pen.line("M0 -70V-74.4M0 -70L3 -68.6", "#3a3236", 1)
    for y in (-46, -30):
        _slit(pen, look, -4.6, y)
        _slit(pen, look, 4.6, y)
    pen.path("M-4.6 0V-10C-4.6 -16 4.6 -16 4.6 -10V0Z", "#5a4034")


@thing(
    "skyscraper",
    "office building, high-rise, highrise, apartment building",
    colors="#7f9ab5 #8a8fa8 #6f8a9a",
    wide=0.36,
    tall=60.0,
    home="city",
    top=0.99,
)
def skyscraper(pen: Pen, look: Look) -> None:
    """Rows of windows."""
    wall = look.main
    pen.rect(-15, -90, 30, 90, wall, "side")
    pen.rect(-10, -96, 20, 6, tone(wall, -0.08), "side")
    pen.line("M0 -96V-104", "#5a6070", 1)
    for row in range(14):
        for column in range(4):
            on = look.rng.random() < (0.55 if look.lamps else 0.0)
            color = LAMP if on else mix(wall, "#dff0ff", 0.35 if not look.lamps else 0.05)
            pen.rect(-12.4 + column * 6.5, -86 + row * 6, 5, 3.8, color, "glow" if on else "flat")


@thing(
    "church",
    "cathedral, chapel, temple church, monastery",
    colors="#f0e8da #c9b8a0",
    wide=0.86,
    tall=12.0,
    home="village",
    top=None,
)
def church(pen: Pen, look: Look) -> None:
    """A nave and a steeple."""
    wall = look.main
    roof = look.other(look.pick("#7a5a54", "#5a6a80", "#8a4f42"))
    pen.poly([(-6, -30), (16, -48), (40, -30), (40, 0), (-6, 0)], wall, "down")
    pen.poly([(16, -53), (44, -30), (38, -27), (16, -46), (-8, -28), (-12, -31)], roof, "flat")
    for x in (10, 20, 30):
        _slit(pen, look, x, -8, 4.6, 14)
    pen.rect(-34, -58, 24, 58, tone(wall, 0.02), "side")
    pen.path("M-22 -93L-8 -57L-36 -57Z", roof, "side")
    pen.line("M-22 -93V-100M-25 -97H-19", "#d9b04a", 1.4)
    pen.circle(-22, -47, 4.6, "#6f94b0" if not look.lamps else LAMP, "flat" if not look.lamps else "glow")
    _slit(pen, look, -22, -26, 5, 10)
    pen.path("M-28 0V-10C-28 -19 -16 -19 -16 -10V0Z", "#6b4632")


@thing("barn", "stable, shed, farm building", colors="#b5423a #8a5a40", wide=1.2, tall=6.0, home="farm", top=0.98)
def barn(pen: Pen, look: Look) -> None:
    """Red boards and white trim."""
    wall = look.main
    trim = look.other("#f7f0e4")
    pen.poly([(-48, -44), (-30, -74), (0, -90), (30, -74), (48, -44), (48, 0), (-48, 0)], wall, "down")
    pen.line("M-36 -62V0M-24 -76V0M-12 -82V0M12 -82V0M24 -76V0M36 -62V0", tone(wall, -0.08), 1)
    pen.line("M-53 -40L-33 -78L0 -96L33 -78L53 -40", "#5a4a4a", 5)
    pen.rect(-19, -38, 38, 38, trim, "flat")
    pen.rect(-16.6, -35.6, 15.6, 35.6, tone(wall, -0.06), "flat")
    pen.rect(1, -35.6, 15.6, 35.6, tone(wall, -0.06), "flat")
    pen.line("M-16.6 -35.6L-1 0M-1 -35.6L-16.6 0M1 -35.6L16.6 0M16.6 -35.6L1 0", trim, 2)
    pen.rect(-9, -66, 18, 16, trim, "flat")
    pen.rect(-7, -64, 14, 12, LAMP if look.lamps else "#4a3434", "glow" if look.lamps else "flat")


@thing("bridge", "viaduct, aqueduct", colors="#b8aa98 #a8a0a0", wide=2.2, tall=5.0, home="lake", top=0.92)
def bridge(pen: Pen, look: Look) -> None:
    """Stone arches."""
    stone = look.main
    pen.path(
        "M-110 0V-62C-60 -92 60 -92 110 -62V0H84C84 -52 38 -56 34 0H-34C-38 -56 -84 -52 -84 0Z",
        stone,
        "down",
    )
    pen.line("M-84 0C-84 -52 -38 -56 -34 0M34 0C38 -56 84 -52 84 0", tone(stone, -0.12), 4)
    pen.line("M-110 -68C-60 -98 60 -98 110 -68", tone(stone, 0.05), 6)
    for x, y in ((-70, -58), (-20, -66), (14, -60), (62, -62), (-98, -40), (96, -36), (0, -40), (4, -18), (-8, -28)):
        pen.rect(x, y, 11, 4.4, tone(stone, -0.07), "flat", 1)


@thing(
    "tent", "teepee, tipi, marquee, camp", colors="#e08a3a #5a9a8a #d8b85a", wide=1.4, tall=2.0, home="forest", top=None
)
def tent(pen: Pen, look: Look) -> None:
    """A ridge tent, open."""
    cloth = look.main
    pen.poly([(0, -94), (66, 0), (-66, 0)], cloth, "down")
    pen.poly([(0, -94), (66, 0), (30, 0)], tone(cloth, -0.1), "down")
    inside = "#ffcf7a" if look.lamps else "#5a3f34"
    pen.path("M0 -80C-4 -50 -14 -20 -20 0L20 0C14 -20 4 -50 0 -80Z", inside, "glow" if look.lamps else "down")
    pen.path("M0 -84C-6 -52 -18 -22 -32 0L-20 0C-14 -20 -4 -50 0 -84Z", tone(cloth, 0.08))
    pen.path("M0 -84C6 -52 18 -22 32 0L20 0C14 -20 4 -50 0 -84Z", tone(cloth, 0.05))
    pen.line("M0 -94L-5 -102M0 -94L5 -102", "#6b4a34", 2.4)


@thing("pyramid", "ziggurat", colors="#e0b86a", wide=1.6, tall=40.0, home="desert", top=0.98)
def pyramid(pen: Pen, look: Look) -> None:
    """A lit side and a shaded one."""
    stone = look.main
    pen.poly([(0, -98), (20, 0), (-80, 0)], tone(stone, 0.03), "down")
    pen.poly([(0, -98), (80, 0), (20, 0)], tone(stone, -0.13), "down")
    for y in range(-12, -90, -13):
        share = (y + 98) / 98
        pen.line(f"M{-80 * share:.1f} {y}L{20 * share:.1f} {y}", tone(stone, -0.06), 0.9)


@thing(
    "pagoda",
    "temple, shrine, torii, japanese temple, dojo",
    colors="#b8443c #f0e2c8",
    wide=0.9,
    tall=14.0,
    home="hills",
    top=None,
)
def pagoda(pen: Pen, look: Look) -> None:
    """Three upturned roofs."""
    wall = look.main
    roof = look.other("#3f5a66")
    pen.rect(-36, -5, 72, 5, STONE, "down")
    for base, half in ((-5, 25), (-34, 19), (-60, 13)):
        pen.rect(-half, base - 20, half * 2, 20, wall, "side")
        for x in range(int(-half) + 4, int(half) - 3, 9):
            pen.rect(x, base - 15, 5, 11, LAMP if look.lamps else "#fbf0d6", "glow" if look.lamps else "flat")
        pen.path(
            f"M{-half - 17} {base - 20}C{-half - 8} {base - 22} {-half} {base - 26} {-half * 0.55} {base - 31}L{half * 0.55} {base - 31}"
            f"C{half} {base - 26} {half + 8} {base - 22} {half + 17} {base - 20}C{half + 12} {base - 16} {half} {base - 17} 0 {base - 17}C{-half} {base - 17} {-half - 12} {base - 16} {-half - 17} {base - 20}Z",
            roof, "down",
        )  # fmt: skip
    pen.line("M0 -90V-100", "#d9b04a", 2.2)


@thing("igloo", "", colors="#eef6fb", wide=1.5, tall=2.0, home="snowfield", top=0.96)
def igloo(pen: Pen, look: Look) -> None:
    """Blocks of snow."""
    snow = look.main
    pen.path("M-60 0C-62 -62 -30 -96 0 -96C30 -96 62 -62 60 0Z", snow)
    pen.line(
        "M-58 -26C-30 -20 0 -20 20 -24M-52 -54C-24 -46 24 -46 52 -54M-34 -80C-12 -74 12 -74 34 -80M-34 -50V-24M0 -47V-22M-16 -76V-49M16 -76V-49M38 -52L44 -36M-20 -24V0",
        tone(snow, -0.1),
        1.6,
    )
    pen.path("M18 0V-26C18 -50 66 -50 66 -26V0Z", tone(snow, -0.04))
    pen.path(
        "M28 0V-22C28 -38 56 -38 56 -22V0Z", "#ffcf7a" if look.lamps else "#3f566a", "glow" if look.lamps else "flat"
    )


@thing("fence", "gate, picket fence", colors="#f7f2ea #a87f56", wide=2.4, tall=1.0, top=0.9, shadow=False)
def fence(pen: Pen, look: Look) -> None:
    """Pickets."""
    pen.line("M-118 -66H118M-118 -28H118", tone(look.main, -0.08), 7)
    for x in range(-110, 111, 27):
        pen.poly([(x - 8, 0), (x - 8, -84), (x, -99), (x + 8, -84), (x + 8, 0)], look.main, "side")


@thing("well", "fountain, wishing well", colors="#b3ada6", wide=0.8, tall=2.2, home="village", top=None)
def well(pen: Pen, look: Look) -> None:
    """Stone ring, small roof, bucket."""
    pen.line("M-24 -34V-78M24 -34V-78", "#7a5538", 4.6)
    pen.line("M0 -72V-46", "#c9a878", 1.4)
    pen.path("M-6 -46H6L5 -36H-5Z", "#8a6242")
    pen.path("M0 -99L38 -72L-38 -72Z", look.other("#a8553f"))
    pen.path("M-32 -34H32V-2C16 3 -16 3 -32 -2Z", look.main, "side")
    pen.ellipse(0, -34, 32, 7, tone(look.main, 0.08))
    pen.ellipse(0, -34, 25, 4.6, "#3f5666")
    for x, y in ((-24, -22), (-6, -20), (12, -22), (-15, -11), (4, -10), (20, -12)):
        pen.rect(x, y, 11, 6, tone(look.main, -0.08), "flat", 1.4)
