"""The words that say how a source sounds: how much, how far, where, on what. Data."""

from __future__ import annotations

from collections.abc import Mapping

#: 0 hardly any, 1 as much as there may be.
AMOUNTS: Mapping[str, float] = {
    **dict.fromkeys(
        ("light", "gentle", "soft", "slight", "faint", "quiet", "calm", "softly", "gently", "lightly"), 0.3
    ),
    **dict.fromkeys(("few", "little", "small", "sparse", "some", "occasional", "drizzling", "mild", "subtle"), 0.35),
    **dict.fromkeys(("heavy", "strong", "loud", "intense", "hard", "big", "huge", "many", "powerful", "heavily"), 0.9),
    **dict.fromkeys(
        ("violent", "torrential", "furious", "deafening", "massive", "raging", "roaring loud", "wild"), 1.0
    ),
    **dict.fromkeys(("busy", "dense", "crowded", "lots of", "a lot of", "flock of", "a flock of", "swarm of"), 0.9),
    **dict.fromkeys(("very loud", "extremely loud", "louder"), 1.0),
}

DISTANCES: Mapping[str, str] = {
    **dict.fromkeys(("distant", "far", "faraway", "far away", "in the distance", "remote", "afar", "from afar"), "far"),
    **dict.fromkeys(("far off", "background", "in the background", "muffled", "outside", "next door"), "far"),
    **dict.fromkeys(("near", "nearby", "close", "close up", "up close", "in the foreground", "foreground"), "near"),
}

SIDES: Mapping[str, float] = {
    **dict.fromkeys(("left", "on the left", "from the left", "to the left", "left side"), -0.75),
    **dict.fromkeys(("right", "on the right", "from the right", "to the right", "right side"), 0.75),
    **dict.fromkeys(("in the middle", "in the center", "center", "centre"), 0.0),
}

PACES: Mapping[str, float] = {
    **dict.fromkeys(("slow", "slowly", "lazy", "relaxed", "leisurely", "sleepy"), 0.7),
    **dict.fromkeys(("fast", "quick", "rapid", "quickly", "hurried", "racing", "hectic", "frantic", "speeding"), 1.5),
}

SURFACES: Mapping[str, str] = {
    **dict.fromkeys(
        ("tin roof", "metal roof", "tin", "metal floor", "metal stairs", "corrugated iron", "car roof"), "tin"
    ),
    **dict.fromkeys(("window", "windows", "window pane", "glass roof", "windshield", "skylight"), "glass"),
    **dict.fromkeys(("wood", "wooden", "wooden floor", "wood floor", "floorboards", "roof", "rooftop", "deck"), "wood"),
    **dict.fromkeys(("tent", "umbrella", "canvas", "tarp", "awning"), "tent"),
    **dict.fromkeys(("dry leaves", "fallen leaves", "on leaves", "grass"), "leaves"),
    **dict.fromkeys(("gravel", "pebbles", "sand", "dirt", "path"), "gravel"),
    **dict.fromkeys(("in snow", "in the snow", "on snow", "through snow", "through the snow", "fresh snow"), "snow"),
    **dict.fromkeys(("puddle", "puddles", "mud", "pond surface", "in water", "through water"), "water"),
    **dict.fromkeys(("concrete", "stone", "stones", "pavement", "asphalt", "tiles", "marble"), "stone"),
}

NUMBERS: Mapping[str, int] = {
    **{word: n for n, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine"), 1)},
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "single": 1,
    "a single": 1,
    "once": 1,
    "twice": 2,
    "a pair of": 2,
    "a couple of": 2,
    "double": 2,
    "three times": 3,
    "triple": 3,
    "a dozen": 12,
}

#: After a number: how often what was named happens.
TIMES = frozenset({"times", "strikes", "strokes"})

THEN = frozenset(
    {"then", "and then", "followed by", "after that", "afterwards", "next", "finally", "later", "ends with"}
)
WITHOUT = frozenset({"without", "no", "not", "minus", "except"})

#: Weathers and the like that are several sources at once: (source, amount, distance) each.
COMPOSITES: Mapping[str, tuple[tuple[str, float, str], ...]] = {
    "storm": (("rain", 0.85, "normal"), ("wind", 0.7, "normal"), ("thunder", 0.8, "normal")),
    "blizzard": (("wind", 1.0, "normal"), ("hail", 0.3, "far")),
    "hurricane": (("wind", 1.0, "near"), ("rain", 0.9, "normal"), ("waves", 0.8, "far")),
    "battle": (("explosion", 0.8, "far"), ("hammer", 0.7, "normal"), ("cheering", 0.6, "far")),
}
COMPOSITE_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("storm", "thunderstorm", "stormy", "tempest", "thunder storm", "rainstorm"), "storm"),
    **dict.fromkeys(("blizzard", "snowstorm", "snow storm", "ice storm"), "blizzard"),
    **dict.fromkeys(("hurricane", "typhoon", "tornado", "cyclone"), "hurricane"),
    **dict.fromkeys(("battle", "war", "battlefield", "fight"), "battle"),
}

#: Places: how they answer, and what is heard there behind what was asked for.
PLACES: Mapping[str, tuple[str, tuple[tuple[str, float, str], ...]]] = {
    "forest": ("woods", (("birds", 0.5, "normal"), ("rustling leaves", 0.5, "normal"))),
    "jungle": ("woods", (("cicadas", 0.5, "normal"), ("birds", 0.9, "normal"), ("frogs", 0.4, "far"))),
    "meadow": ("open", (("birds", 0.4, "normal"), ("bees", 0.2, "normal"), ("wind", 0.2, "far"))),
    "garden": ("open", (("birds", 0.5, "normal"), ("bees", 0.3, "far"))),
    "beach": ("open", (("waves", 0.6, "normal"), ("seagulls", 0.5, "far"))),
    "harbor": ("open", (("waves", 0.3, "normal"), ("seagulls", 0.6, "normal"), ("foghorn", 0.5, "far"))),
    "city": ("street", (("traffic", 0.7, "normal"), ("crowd", 0.4, "far"), ("car horn", 0.3, "far"))),
    "cafe": ("room", (("crowd", 0.6, "normal"), ("cups", 0.6, "normal"))),
    "office": ("room", (("keyboard", 0.6, "normal"), ("machine", 0.3, "far"))),
    "farm": ("open", (("rooster", 0.5, "normal"), ("cow", 0.5, "far"), ("chicken", 0.4, "normal"))),
    "night": ("open", (("crickets", 0.6, "normal"), ("owl", 0.5, "far"))),
    "swamp": ("woods", (("frogs", 0.8, "normal"), ("crickets", 0.6, "normal"))),
    "mountains": ("valley", (("wind", 0.5, "normal"),)),
    "desert": ("open", (("wind", 0.4, "normal"),)),
    "station": ("hall", (("crowd", 0.5, "normal"), ("train", 0.5, "far"))),
    "church": ("cathedral", ()),
    "cave": ("cave", (("dripping", 0.4, "normal"),)),
    "tunnel": ("tunnel", ()),
    "hall": ("hall", ()),
    "room": ("room", ()),
    "bathroom": ("bathroom", ()),
    "outdoors": ("open", ()),
    "canyon": ("valley", ()),
    "underwater": ("underwater", (("bubbles", 0.3, "normal"),)),
    "spaceship": ("room", (("machine", 0.6, "normal"), ("beeps", 0.4, "far"))),
    "market": ("street", (("crowd", 0.8, "normal"),)),
    "arena": ("hall", (("cheering", 0.8, "normal"), ("applause", 0.6, "normal"))),
    "reverb": ("hall", ()),
    "dry": ("dry", ()),
}
PLACE_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("forest", "woods", "woodland", "grove", "trees"), "forest"),
    **dict.fromkeys(("jungle", "rainforest", "rain forest", "tropical forest"), "jungle"),
    **dict.fromkeys(("meadow", "field", "fields", "countryside", "hills", "prairie", "nature"), "meadow"),
    **dict.fromkeys(("garden", "park", "backyard", "yard"), "garden"),
    **dict.fromkeys(("beach", "coast", "seaside", "shore", "seashore", "island"), "beach"),
    **dict.fromkeys(("harbor", "harbour", "port", "dock", "pier"), "harbor"),
    **dict.fromkeys(("city", "street", "town", "downtown", "urban", "city street", "alley"), "city"),
    **dict.fromkeys(
        ("cafe", "café", "coffee shop", "restaurant", "bar", "pub", "tavern", "diner", "cafeteria"), "cafe"
    ),
    **dict.fromkeys(("office", "workplace"), "office"),
    **dict.fromkeys(("farm", "barn", "farmyard"), "farm"),
    **dict.fromkeys(("night", "night time", "nighttime", "at night", "summer night", "midnight"), "night"),
    **dict.fromkeys(("swamp", "marsh", "bog", "pond", "lake"), "swamp"),
    **dict.fromkeys(("mountain", "mountains", "peak", "summit", "alps"), "mountains"),
    **dict.fromkeys(("desert", "dunes"), "desert"),
    **dict.fromkeys(("station", "train station", "subway station", "platform"), "station"),
    **dict.fromkeys(("church", "cathedral", "temple", "chapel"), "church"),
    **dict.fromkeys(("cave", "cavern", "dungeon", "grotto"), "cave"),
    **dict.fromkeys(("tunnel", "pipe", "sewer", "underpass"), "tunnel"),
    **dict.fromkeys(("hall", "hallway", "corridor", "large hall", "gym", "warehouse", "theater", "theatre"), "hall"),
    **dict.fromkeys(
        ("room", "living room", "bedroom", "indoors", "inside", "house", "kitchen", "library", "cabin"), "room"
    ),
    **dict.fromkeys(("bathroom", "stairwell", "staircase"), "bathroom"),
    **dict.fromkeys(("outdoors", "open air", "outdoor"), "outdoors"),
    **dict.fromkeys(("canyon", "valley", "gorge", "echo", "echoes", "echoing"), "canyon"),
    **dict.fromkeys(("underwater", "under water", "deep sea"), "underwater"),
    **dict.fromkeys(("space station", "starship", "sci-fi", "science fiction"), "spaceship"),
    **dict.fromkeys(("market", "marketplace", "bazaar", "square"), "market"),
    **dict.fromkeys(("arena", "concert", "football match"), "arena"),
    **dict.fromkeys(("reverb", "reverberant", "reverberation"), "reverb"),
    **dict.fromkeys(("dry", "anechoic", "no reverb"), "dry"),
}

#: Words that carry no sound: they are neither heard nor reported as unknown.
SKIPPED = frozenset(
    """
    a an and as at by for from in into is it its of off on onto or over out the this that to through under up with while
    sound sounds sfx effect effects audio recording high quality soundscape scene hear hearing heard coming being there
    are was be against during day morning evening old young very really somewhat quite me please make give create
    generate your my his her their our around across down along between behind beside stereo realistic cinematic
    relaxing peaceful steady constant continuous looping loop seamless long short warm cold dark bright deep late early
    continuously who which where when starting start someone person man woman passing crashing falling ringing door
    flying playing calling singing striking again hitting against all other each two-tone
    """.split()  # noqa: SIM905 - a paragraph reads better than a column of 130 lines
)
