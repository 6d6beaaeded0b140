"""Styles, as data: harmony, who plays, and the patterns that they play."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """One manner of music."""

    name: str
    words: tuple[str, ...]
    tempo: int
    mode: str
    #: Chords of a verse, of a chorus and of a bridge, a bar each, for both modes.
    major: tuple[str, str, str]
    minor: tuple[str, str, str]
    lead: str
    comp: str
    pad: str | None
    bass: str | None
    #: Names of patterns below; None: nobody plays that.
    comping: str
    bassline: str
    drums: str | None
    #: How late every second eighth is: 0.5 even, 0.667 triplets.
    swing: float = 0.5
    #: Notes of the melody per quarter.
    density: float = 1.0
    #: The room: seconds, and how much of it.
    room: tuple[float, float] = (1.6, 0.2)
    #: Above this many Hz it is dull.
    bright: float = 13_000
    signature: str = "4"
    #: Who stands out or back beside what is usual, dB.
    mix: tuple[tuple[str, float], ...] = ()


#: Where the drums carry the music.
_BEAT = (("drums", 4.0), ("bass", 1.0))

_POP = (
    ("I V vi IV", "IV I V vi", "ii IV V Vsus"),
    ("i VI III VII", "VI VII i i", "iv VI V V"),
)
_JAZZ = (
    ("Imaj7 vi7 ii7 V7", "ii7 V7 Imaj7 VI7", "IVmaj7 iv6 iii7 VI7"),
    ("i6 io7 ii7 V7", "iv7 VII7 IIImaj7 VImaj7", "iv7 i6 II7 V7"),
)
_TWELVE = "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7"
_TWELVE_MINOR = "i7 iv7 i7 i7 iv7 iv7 i7 i7 V7 iv7 i7 V7"


def _style(
    name: str, words: str, tempo: int, mode: str, harmony: tuple[tuple[str, str, str], ...], **more: Any
) -> Style:
    major, minor = harmony
    known = (name, *(word for word in words.split(", ") if word))
    # Rows pass what remains by name; a test plays every one of them.
    return Style(name=name, words=known, tempo=tempo, mode=mode, major=major, minor=minor, **more)


STYLES: tuple[Style, ...] = (
    _style(
        "pop", "catchy, upbeat, radio, commercial, corporate, summer", 112, "major", _POP,
        lead="synth lead", comp="piano", pad="strings", bass="electric bass",
        comping="blocks", bassline="eighths", drums="backbeat",
        mix=_BEAT,
    ),
    _style(
        "ambient", "meditation, drone, atmospheric, spa, sleep, floating, soundscape, new age, yoga", 66, "major",
        (("Iadd9 vi7 IVmaj7 Vsus", "IVmaj7 Iadd9 vi7 IVmaj7", "ii7 vi7 IVmaj7 Vsus"),
         ("i9 VImaj7 iv7 VII", "VImaj7 i9 IIImaj7 iv7", "iv7 VImaj7 i9 Vsus")),
        lead="bells", comp="electric piano", pad="synth pad", bass="sub bass",
        comping="rolling", bassline="hold", drums=None, density=0.35, room=(5.0, 0.45), bright=8000,
        mix=(("lead", -6.0), ("pad", 5.0), ("bass", -3.0)),
    ),
    _style(
        "jazz", "swing, bebop, big band, smoky, lounge, jazz club", 132, "major", _JAZZ,
        lead="saxophone", comp="piano", pad=None, bass="upright bass",
        comping="jazz", bassline="walking", drums="swing", swing=0.64, density=1.5, room=(1.0, 0.16), bright=10_000,
    ),
    _style(
        "rock", "punk, grunge, indie, metal, hard rock, heavy metal, garage", 132, "minor",
        (("I bVII IV I", "I V vi IV", "vi IV I V"), ("i VI VII i", "i III VII iv", "VI VII i i")),
        lead="electric guitar", comp="power guitar", pad=None, bass="electric bass",
        comping="driving", bassline="eighths", drums="rock", density=1.1, room=(0.9, 0.14), bright=9500,
        mix=_BEAT,
    ),
    _style(
        "lo-fi", "lofi, lo fi, chill, chillhop, study, study beats, chillout, downtempo, trip hop", 78, "minor",
        (("Imaj7 vi7 ii7 V9", "IVmaj7 iii7 vi7 vi7", "ii7 iii7 IVmaj7 V9"),
         ("i9 iv7 VII7 IIImaj7", "VImaj7 v7 i9 i9", "iv7 v7 VImaj7 v7")),
        lead="vibraphone", comp="electric piano", pad="synth pad", bass="sub bass",
        comping="lazy", bassline="syncopated", drums="boom bap", swing=0.58, density=0.7, room=(1.2, 0.2), bright=4800,
        mix=(("lead", -2.5), ("drums", 1.5)),
    ),
    _style(
        "classical", "baroque, orchestra, orchestral, symphony, chamber, string quartet, sonata, mozart", 104, "major",
        (("I V vi iii IV I IV V", "I IV V I ii V I V", "vi ii V I IV ii V V"),
         ("i V i iv VII III ii V", "i iv VII III VI iv V V", "VI III iv i ii i V V")),
        lead="violin", comp="piano", pad="strings", bass="cello",
        comping="alberti", bassline="roots", drums=None, density=1.5, room=(2.2, 0.26),
    ),
    _style(
        "waltz", "ballroom, vienna, viennese, carousel, merry-go-round", 150, "major",
        (("I I V7 V7 V7 V7 I I", "IV IV I I V7 V7 I I", "vi vi ii ii V7 V7 V7 V7"),
         ("i i V7 V7 V7 V7 i i", "iv iv i i V7 V7 i i", "VI VI iv iv V7 V7 V7 V7")),
        lead="violin", comp="accordion", pad="strings", bass="upright bass",
        comping="waltz", bassline="waltz", drums=None, density=1.0, room=(1.8, 0.22), signature="3",
    ),
    _style(
        "techno", "electronic, edm, house, trance, dance, club, rave, electro, deep house, electronica", 126, "minor",
        (("vi vi IV IV", "vi IV I V", "IV IV V V"), ("i i VI VII", "VI VII i i", "iv iv VI VII")),
        lead="synth lead", comp="pluck synth", pad="synth pad", bass="synth bass",
        comping="stabs", bassline="offbeat", drums="four on the floor", density=1.2, room=(1.4, 0.18),
        mix=_BEAT,
    ),
    _style(
        "folk", "country, acoustic, bluegrass, singer-songwriter, campfire, celtic, irish", 104, "major",
        (("I I IV I I V I V", "IV I V vi IV I V V", "vi IV I V"), ("i VII VI VII", "i III VII iv", "VI VII i i")),
        lead="flute", comp="guitar", pad=None, bass="upright bass",
        comping="picking", bassline="roots", drums="shaker", density=1.0, room=(1.0, 0.15),
    ),
    _style(
        "cinematic", "epic, trailer, film, film score, soundtrack, heroic, adventure, battle, movie, hero", 92, "minor",
        (("I V vi IV", "vi IV I V", "IV V vi vi"), ("i VI III VII", "i VI iv V", "VI VII i i")),
        lead="brass", comp="strings", pad="strings", bass="cello",
        comping="ostinato", bassline="hold", drums="taiko", density=0.7, room=(3.2, 0.34),
        mix=(("comp", 1.0), ("pad", 3.0), ("drums", 3.0)),
    ),
    _style(
        "blues", "delta blues, shuffle, rhythm and blues", 96, "major",
        ((_TWELVE, _TWELVE, _TWELVE), (_TWELVE_MINOR, _TWELVE_MINOR, _TWELVE_MINOR)),
        lead="electric guitar", comp="organ", pad=None, bass="electric bass",
        comping="blocks", bassline="walking", drums="shuffle", swing=0.66, density=1.1, room=(0.9, 0.15), bright=9000,
    ),
    _style(
        "funk", "disco, soul, groove, groovy, motown, r&b, rnb", 108, "minor",
        (("I7 I7 IV7 IV7", "ii7 V7 Imaj7 IVmaj7", "IV7 iii7 vi7 V9"),
         ("i7 i7 iv7 iv7", "VImaj7 VII7 i7 i7", "iv7 v7 i7 i7")),
        lead="brass", comp="clean guitar", pad=None, bass="electric bass",
        comping="sixteenths", bassline="funk", drums="funk", density=0.9, room=(0.8, 0.12),
        mix=_BEAT,
    ),
    _style(
        "reggae", "ska, dub, jamaica, island, caribbean", 80, "major",
        (("I V vi IV", "I IV I V", "ii V ii V"), ("i VII VI VII", "i iv i v", "VI VII i i")),
        lead="saxophone", comp="clean guitar", pad="organ", bass="electric bass",
        comping="skank", bassline="reggae", drums="one drop", density=0.8, swing=0.56, room=(1.4, 0.2), bright=8500,
        mix=(("bass", 2.5), ("drums", 1.5)),
    ),
    _style(
        "bossa nova", "bossa, latin, samba, salsa, brazil, tango, tropical", 128, "major", _JAZZ,
        lead="flute", comp="guitar", pad=None, bass="upright bass",
        comping="bossa", bassline="bossa", drums="bossa", density=1.1, room=(1.0, 0.15), bright=10_000,
    ),
    _style(
        "hip hop", "hip-hop, trap, rap, beat, beats, boom bap, drill", 88, "minor",
        (("vi IV vi V", "IV vi V V", "ii vi IV V"), ("i VI i v", "i iv VI v", "VI VII i i")),
        lead="bells", comp="piano", pad="synth pad", bass="sub bass",
        comping="lazy", bassline="syncopated", drums="boom bap", density=0.7, swing=0.54, room=(1.2, 0.16), bright=9000,
        mix=_BEAT,
    ),
    _style(
        "synthwave", "retro, 80s, eighties, vaporwave, cyberpunk, outrun, retrowave", 100, "minor",
        (("vi IV I V", "IV V vi I", "ii IV vi V"), ("i VI III VII", "VI VII i v", "iv VI VII VII")),
        lead="synth lead", comp="pluck synth", pad="synth pad", bass="synth bass",
        comping="arpeggio", bassline="octaves", drums="backbeat", density=0.8, room=(2.2, 0.28),
        mix=_BEAT,
    ),
    _style(
        "chiptune", "8-bit, 8bit, video game, game, arcade, nintendo, retro game", 140, "major",
        (("I V vi IV", "IV V I vi", "ii V I IV"), ("i VI VII i", "VI VII i III", "iv VI V V")),
        lead="square", comp="square", pad=None, bass="chip bass",
        comping="arpeggio", bassline="octaves", drums="chip", density=1.6, room=(0.5, 0.05),
        mix=_BEAT,
    ),
    _style(
        "lullaby", "music box, nursery, baby, bedtime, christmas, toy", 76, "major",
        (("I IV I V", "vi IV I V", "IV I ii V"), ("i iv i V", "VI III iv V", "iv i VI V")),
        lead="music box", comp="harp", pad="strings", bass=None,
        comping="rolling", bassline="hold", drums=None, density=0.8, room=(2.4, 0.3), bright=9000,
    ),
    _style(
        "march", "military, parade, anthem, fanfare, marching band, national anthem", 112, "major",
        (("I I V V IV I V I", "IV I V I IV I V7 I", "vi ii V I"),
         ("i i V V iv i V i", "VI III iv i V V i i", "iv i V V")),
        lead="brass", comp="brass", pad=None, bass="tuba",
        comping="march", bassline="roots", drums="march", density=1.1, room=(1.6, 0.2),
        mix=(("drums", 2.0),),
    ),
)  # fmt: skip

#: What is played when the description names no style.
DEFAULT = "pop"

#: Rhythms on sixteenths: `X` strong, `x` normal, `o` soft, `-` held on, `.` nothing. A bar of four quarters; other
#: meters take what they need of it, unless they have a row of their own ("waltz/3").
RHYTHMS: Mapping[str, str] = {
    "blocks": "X-------x---x---",
    "rolling": "x-o-o-o-o-o-o-o-",
    "jazz": "..x-..x-....x-..",
    "driving": "X-x-x-x-X-x-x-x-",
    "lazy": "X-----x---x-----",
    "alberti": "x-o-x-o-x-o-x-o-",
    "waltz": "....x---x---....",
    "stabs": "..x...x...x...x-",
    "picking": "X-o-x-o-x-o-x-o-",
    "ostinato": "X-xox-xoX-xox-xo",
    "sixteenths": "X..xo.x..x.oX.xo",
    "skank": "....X.......X...",
    "bossa": "X--x--x---x--x--",
    "arpeggio": "XoxoxoxoXoxoxoxo",
    "march": "..x-..x-..x-..x-",
    "waltz/6": "..x-x-..x-x-",
}
#: Patterns whose notes come one after the other, and not as chords.
BROKEN = frozenset({"rolling", "alberti", "picking", "arpeggio", "ostinato"})

BASSLINES: Mapping[str, str] = {
    "roots": "X-------x-------",
    "eighths": "X-x-x-x-X-x-x-x-",
    "hold": "X---------------",
    "walking": "X---x---x---x---",
    "waltz": "X-------........",
    "offbeat": "..X-..X-..X-..X-",
    "octaves": "X-x-X-x-X-x-X-x-",
    "syncopated": "X-----x-..X---x-",
    "funk": "X-.x..x-.xX-.xx-",
    "reggae": "..X-x-..X-..x-x-",
    "bossa": "X-----x-X-----x-",
    "hold/6": "X-----x-----",
}

#: Drums by General MIDI number.
KICK, RIM, SNARE, CLAP, HAT, OPEN, RIDE, CRASH, SHAKER = 36, 37, 38, 39, 42, 46, 51, 49, 70
TOMS = (50, 47, 45)

DRUMS: Mapping[str, Mapping[int, str]] = {
    "backbeat": {KICK: "X.....x.X.......", SNARE: "....X.......X...", HAT: "x.o.x.o.x.o.x.o."},
    "rock": {KICK: "X...x.x.X.x...x.", SNARE: "....X.......X...", HAT: "X.x.X.x.X.x.X.x."},
    "swing": {RIDE: "X...x..xX...x..x", KICK: "o.......o.......", HAT: "....x.......x...", RIM: ".......o........"},
    "boom bap": {KICK: "X......x..X.....", SNARE: "....X.......X..o", HAT: "x.o.x.o.x.o.x.oo"},
    "four on the floor": {
        KICK: "X...X...X...X...", CLAP: "....x.......x...", HAT: "..X...X...X...X.", SHAKER: "o.oxo.oxo.oxo.ox",
    },
    "shaker": {SHAKER: "x.oox.oox.oox.oo", KICK: "x.......x.......", RIM: "....o.......o..."},
    "taiko": {45: "X.....x.X..x..x.", KICK: "X.......X.......", 50: "......o.....o.oo"},
    "shuffle": {KICK: "X.......X.....x.", SNARE: "....X.......X...", HAT: "x.x.x.x.x.x.x.x."},
    "funk": {KICK: "X.x.......x..x..", SNARE: "....X..o.o..X..o", HAT: "xoxoxoxoxoxoxoxo"},
    "one drop": {KICK: "........X.......", RIM: "........X.......", HAT: "x.x.x.x.x.x.x.x."},
    "bossa": {KICK: "X.....x.X.....x.", RIM: "X..x..x...x..x..", SHAKER: "xoxoxoxoxoxoxoxo"},
    "chip": {KICK: "X...x...X...x...", SNARE: "....x.......x...", HAT: "x.x.x.x.x.x.x.x."},
    "march": {SNARE: "X..xx.xxX..xx.xx", KICK: "X.......x.......", CRASH: "................"},
    "any/3": {KICK: "X...........", SNARE: "....o...x...", HAT: "x.o.x.o.x.o."},
    "any/6": {KICK: "X.......o...", SNARE: "......X.....", HAT: "x.o.o.x.o.o."},
}  # fmt: skip
