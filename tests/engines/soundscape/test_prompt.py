"""Reading prompts."""

from __future__ import annotations

from typing import Any

import pytest

from heddle.engines.soundscape.prompt import Layer, read
from heddle.engines.soundscape.sources import MODULES, catalog
from heddle.engines.soundscape.words import COMPOSITES, PLACES


def layers(prompt: str) -> dict[str, Layer]:
    return {layer.source: layer for part in read(prompt).parts for layer in part}


def test_the_catalog() -> None:
    rows = catalog()
    assert len(rows) >= 80
    assert {row.group for row in rows.values()} == set(MODULES)
    words = [word for row in rows.values() for word in row.words]
    assert len(words) == len(set(words)), "a word that two sources claim"


def test_every_word_of_the_catalog_is_heard() -> None:
    for row in catalog().values():
        for word in row.words:
            assert read(f"the {word}").heard == [row.name], word


def test_tables_name_sources_that_there_are() -> None:
    named = [source for rows in COMPOSITES.values() for source, _, _ in rows]
    named += [source for _, rows in PLACES.values() for source, _, _ in rows]
    assert set(named) <= set(catalog())


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("heavy rain on a tin roof with distant thunder",
         {"rain": {"amount": 0.9, "surface": "tin"}, "thunder": {"distance": "far"}}),
        ("a dog on the left and a cat on the right", {"dog": {"side": -0.75}, "cat": {"side": 0.75}}),
        ("gentle waves, seagulls in the distance", {"waves": {"amount": 0.3}, "seagulls": {"distance": "far"}}),
        ("fast footsteps in snow", {"footsteps": {"pace": 1.5, "surface": "snow"}}),
        ("three knocks on the door", {"door knock": {"count": 3}}),
        ("church bells ringing twelve times", {"church bell": {"count": 12}}),
        ("6 dogs", {"dog": {"amount": 0.97, "count": None}}),
        ("thunderstorm", {"rain": {}, "wind": {}, "thunder": {}}),
        ("thunderstorm without thunder", {"rain": {}, "wind": {}}),
        ("light rain, no wind", {"rain": {"amount": 0.3}}),
        ("dog barking", {"dog": {}}),
        ("a slow heartbeat and a ticking clock", {"heartbeat": {"pace": 0.7}, "clock": {"pace": 1.0}}),
    ],
)  # fmt: skip
def test_what_is_said_of_a_source(prompt: str, wanted: dict[str, dict[str, Any]]) -> None:
    found = layers(prompt)
    assert set(found) == set(wanted)
    for source, members in wanted.items():
        for name, value in members.items():
            assert getattr(found[source], name) == (pytest.approx(value) if isinstance(value, float) else value)


def test_one_after_the_other() -> None:
    reading = read("footsteps on gravel, then a door creak, followed by thunder")
    assert [[layer.source for layer in part] for part in reading.parts] == [["footsteps"], ["door creak"], ["thunder"]]


def test_places() -> None:
    forest = read("an owl in the forest at night")
    assert forest.places == ("forest", "night")
    assert [(layer.source, layer.behind) for layer in forest.parts[0]] == [
        ("owl", False), ("birds", True), ("rustling leaves", True), ("crickets", True),
    ]  # fmt: skip
    cafe = read("a cafe")
    assert not any(layer.behind for layer in cafe.parts[0])


def test_unknown_words_are_said() -> None:
    reading = read("rain and zxqv, a blorf")
    assert reading.unknown == ("zxqv", "blorf")
    assert read("melancholy of gardens past").heard == ["birds", "bees"]
    nothing = read("zxqv")
    assert not nothing.parts
    assert not nothing.places


@pytest.mark.parametrize("prompt", ["", " ", "then then then", "no no without", "9" * 50, "\ufdd00\ufdd1", "🌧" * 400])
def test_nothing_is_an_error(prompt: str) -> None:
    read(prompt)


def test_there_is_an_end() -> None:
    reading = read("rain then wind then " * 5000)
    assert len(reading.parts) <= 6
    assert all(len(part) <= 10 for part in reading.parts)
