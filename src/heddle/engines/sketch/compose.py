"""Composes: from a reading, a seed and a size to a scene."""

from __future__ import annotations

from dataclasses import replace

from heddle.engines.sketch.backdrops import Backdrop, backdrops
from heddle.engines.sketch.chance import number, source
from heddle.engines.sketch.color import mix, strengthen
from heddle.engines.sketch.heavens import heavens
from heddle.engines.sketch.layout import place_wants
from heddle.engines.sketch.objects import Thing, catalog
from heddle.engines.sketch.palette import Influence, palette
from heddle.engines.sketch.prompt import Reading, Want
from heddle.engines.sketch.scene import Scene, frame

#: Where a picture with nothing named may be.
SCENIC = (
    "hills",
    "mountains",
    "lake",
    "sea",
    "meadow",
    "beach",
    "forest",
    "desert",
    "night hills",
    "snowfield",
    "village",
    "coast",
)
#: What stands in such a place when nothing else was asked for.
FOCAL = {
    "hills": "tree", "mountains": "tent", "lake": "boat", "sea": "sailboat", "meadow": "tree", "beach": "umbrella",
    "desert": "camel", "night hills": "tree", "snowfield": "igloo", "coast": "lighthouse", "farm": "windmill",
    "garden": "bench", "park": "bench", "village": "well", "forest": "deer", "jungle": "parrot", "street": "bicycle",
    "savanna": "elephant", "room": "chair", "underwater": "fish", "space": "rocket", "moon": "astronaut",
    "night forest": "owl", "table": "vase", "sky": "hot air balloon", "cave": "crystal", "castle": "knight",
}  # fmt: skip
PORTRAITS = {
    "woman": "portrait of a woman",
    "man": "portrait of a man",
    "child": "portrait of a child",
    "angel": "portrait of a woman",
}


def compose(
    reading: Reading, *, width: int, height: int, seed: int, negative: Reading | None = None, cfg_scale: float = 7.0,
    steps: int = 30, influences: tuple[Influence, ...] = (), style: str | None = None, filled: bool = True,
) -> Scene:  # fmt: skip
    """A scene that follows the reading; the seed decides what the words leave open.

    `filled`: a picture in which nothing was named gets something to look at.
    """
    reading = _tabled(_without(reading, negative))
    across, down = frame(width, height)
    chance = number(seed, *reading.unknown)
    name = _backdrop(reading, chance)
    row = backdrops()[name]
    reading = _subjects(reading, name, chance, filled)
    time = reading.time or _time(reading, row)
    weather = _weather(reading)
    season = reading.season or ("winter" if name == "snowfield" or "snow" in weather else "summer")
    mood = reading.mood
    colors = palette(
        time=time, weather=weather, season=season, mood=mood, backdrop=name, seed=chance,
        sky_color=_followed(reading.sky_color, cfg_scale), ground_color=_followed(reading.ground_color, cfg_scale),
        influences=influences,
    )  # fmt: skip
    scene = Scene(
        width=across, height=down, backdrop=name, palette=colors, style=style or reading.style or "illustration",
        time=time, season=season, weather=weather, without=reading.without, seed=chance,
        detail=min(1.3, 0.45 + steps / 45),
        horizon=down * row.horizon, backdrop_color=_followed(reading.backdrop_color, cfg_scale),
        unknown=reading.unknown,
    )  # fmt: skip
    wants = tuple(
        replace(want, colors=tuple(_vivid(color, colors.accents[0], cfg_scale) for color in want.colors))
        for want in reading.wants
    )
    scene = replace(scene, things=place_wants(scene, row, wants, close=reading.close))
    return heavens(scene, row, wants)


def _without(reading: Reading, negative: Reading | None) -> Reading:
    """Take out what the negative prompt (or a "without") names."""
    if negative is None:
        gone = reading.without
    else:
        gone = (
            reading.without
            | negative.without
            | negative.weather
            | ({negative.backdrop} if negative.backdrop else set[str]())
        )
        reading = replace(
            reading,
            weather=reading.weather - negative.weather,
            mood=reading.mood - negative.mood,
            style=None if reading.style == negative.style else reading.style,
            backdrop=None
            if negative.backdrop is not None and reading.backdrop == negative.backdrop
            else reading.backdrop,
            time=None if negative.time is not None and reading.time == negative.time else reading.time,
        )
    kept = [index for index, want in enumerate(reading.wants) if want.kind not in gone]
    renumbered = {old: new for new, old in enumerate(kept)}
    wants: list[Want] = []
    for index in kept:
        want = reading.wants[index]
        relation = want.relation
        if relation is not None:
            relation = (relation[0], renumbered[relation[1]]) if relation[1] in renumbered else None
        wants.append(replace(want, relation=relation))
    return replace(reading, wants=tuple(wants), without=frozenset(gone))


def _tabled(reading: Reading) -> Reading:
    """A cup on a table: the table becomes the backdrop, so that what is on it can be seen."""
    tables = [index for index, want in enumerate(reading.wants) if want.kind == "table"]
    others = [want for want in reading.wants if want.kind != "table"]
    small = all(catalog()[want.kind].place == "table" for want in others)
    if len(tables) != 1 or not others or not small or reading.backdrop not in (None, "table", "room"):
        return reading
    if not any(want.relation == ("on", tables[0]) for want in others):
        return reading
    wants = tuple(replace(want, relation=None) for want in others)
    return replace(reading, wants=wants, backdrop="table")


def _backdrop(reading: Reading, chance: int) -> str:
    """Named, or suggested by what is in it, or chosen by the seed."""
    if reading.backdrop is not None and reading.backdrop not in reading.without:
        return reading.backdrop
    if reading.backdrop_color is not None:
        return "studio"
    rows = [catalog()[want.kind] for want in reading.wants]
    if reading.close and len(rows) == 1:
        return "studio"
    if reading.water:
        return "lake" if any(row.name in ("duck", "swan", "boat", "frog") for row in rows) else "sea"
    return _home(reading, rows) or _chosen(reading, rows, chance)


def _home(reading: Reading, rows: list[Thing]) -> str | None:
    """Where the things in it live. Who lives in the water needs it; of the rest the largest decides."""
    for row in rows:
        if row.place in ("water", "deep") and row.home is not None and row.home not in reading.without:
            ashore = row.place == "deep" and any(other.place in ("land", "table") for other in rows)
            return "lake" if ashore else row.home
    large = any(row.place == "land" and row.tall > 0.5 for row in rows)
    for row in sorted(rows, key=lambda row: -row.tall if row.tall >= 3 else 0):
        if row.home is not None and row.home not in reading.without and not (large and row.home in ("table", "studio")):
            return row.home
    return None


def _chosen(reading: Reading, rows: list[Thing], chance: int) -> str:
    """By the seed, among what suits."""
    if not rows and reading.time == "night":
        return "night hills"
    if reading.season == "winter":
        return "snowfield"
    choices = [name for name in (("meadow", "hills", "park") if rows else SCENIC) if name not in reading.without]
    return source(chance, "backdrop").choice(choices or ["studio"])


def _subjects(reading: Reading, name: str, chance: int, filled: bool) -> Reading:
    """Close persons become portraits; an empty picture gets something to look at."""
    wants = reading.wants
    if reading.close and len(wants) == 1 and wants[0].count == 1 and wants[0].kind in PORTRAITS:
        wants = (replace(wants[0], kind=PORTRAITS[wants[0].kind], relation=None, position=None),)
    elif reading.close and len(wants) == 2 and wants[0].kind in PORTRAITS and wants[1].relation == ("worn", 0):
        wants = (replace(wants[0], kind=PORTRAITS[wants[0].kind], position=None), wants[1])
    if (
        filled
        and not wants
        and name in FOCAL
        and FOCAL[name] not in reading.without
        and source(chance, "focal").random() < 0.85
    ):
        wants = (Want(kind=FOCAL[name]),)
    return replace(reading, wants=wants)


def _time(reading: Reading, row: Backdrop) -> str:
    if reading.weather & {"storm"} and row.time == "day":
        return "day"
    if any(want.kind in ("moon", "star", "comet") for want in reading.wants) and row.time == "day":
        return "night"
    return row.time


def _weather(reading: Reading) -> frozenset[str]:
    weather = set(reading.weather)
    if "storm" in weather:
        weather.add("rain")
    if any(want.kind == "rainbow" for want in reading.wants):
        weather.discard("storm")
    return frozenset(weather)


def _followed(color: str | None, cfg_scale: float) -> str | None:
    return None if color is None else _vivid(color, "#b0aab0", cfg_scale)


def _vivid(color: str, other: str, cfg_scale: float) -> str:
    """How strictly an asked-for colour is kept: below 5 it drifts toward the palette, above 9 it grows stronger."""
    if cfg_scale < 5:
        return mix(color, other, 0.4 * (1 - cfg_scale / 5))
    return strengthen(color, 1 + min(0.3, (cfg_scale - 9) * 0.03)) if cfg_scale > 9 else color
