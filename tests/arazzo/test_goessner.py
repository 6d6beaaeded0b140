"""Gössner's JSONPath: the examples of his article, the ways of JavaScript, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from heddle.arazzo.goessner import Goessner, GoessnerError, TooMuchWork, parse_formula, truthy

BOOKS = [
    {"category": "reference", "author": "Nigel Rees", "title": "Sayings", "price": 8.95},
    {"category": "fiction", "author": "Evelyn Waugh", "title": "Sword", "price": 12.99},
    {"category": "fiction", "author": "Herman Melville", "title": "Moby Dick", "isbn": "0-553", "price": 8.99},
    {"category": "fiction", "author": "Tolkien", "title": "The Lord", "isbn": "", "price": 22.99, "n": "3"},
]
STORE = {"store": {"book": BOOKS, "bicycle": {"color": "red", "price": 19.95}}}


def selected(query: str, value: Any = STORE) -> list[Any]:
    return [found for _, found in Goessner(query).nodes(value)]


def titles(query: str) -> list[str]:
    return [book["title"].split()[0] for book in selected(query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("$.store.book[*]", ["Sayings", "Sword", "Moby", "The"]),
        ("$..book[2]", ["Moby"]),
        ("$..book[(@.length-1)]", ["The"]),
        ("$..book[-1:]", ["The"]),
        ("$..book[0,1]", ["Sayings", "Sword"]),
        ("$..book[:2]", ["Sayings", "Sword"]),
        ("$..book[::2]", ["Sayings", "Moby"]),
        ("$..book[?(@.isbn)]", ["Moby"]),
        ("$..book[?(!@.isbn)]", ["Sayings", "Sword", "The"]),
        ("$..book[?(@.price<10)]", ["Sayings", "Moby"]),
        ("$..book[?(@.n == 3)]", ["The"]),
        ("$..book[?(@.n === 3)]", []),
        ("$..book[?(@['category']=='fiction' && @.price > 5*2)]", ["Sword", "The"]),
        ("$..book[?(@.title.length == 5)]", ["Sword"]),
        ("$.store.book[?(@.price === $.store.book[0].price)]", ["Sayings"]),
        ("$.store.book[?(@.gone == null)]", ["Sayings", "Sword", "Moby", "The"]),
        ('$.store.book[?(@.title == "Sword" || -@.price < -20)]', ["Sword", "The"]),
    ],
)
def test_books(query: str, expected: list[str]) -> None:
    assert titles(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("$", [STORE]),
        ("$..price", [8.95, 12.99, 8.99, 22.99, 19.95]),
        ("$['store']['bicycle'].color", ["red"]),
        ("$.store.bicycle['color','price']", ["red", 19.95]),
        ("$.store[('bi' + 'cycle')].price", [19.95]),
        ("$.store.gone", []),
        ("$.store.bicycle[0]", []),
    ],
)
def test_values(query: str, expected: list[Any]) -> None:
    assert selected(query) == expected


def test_ways_lead_to_what_is_selected() -> None:
    (node,) = Goessner("$..book[(@.length-1)].title").nodes(STORE)
    assert node == (("store", "book", 3, "title"), "The Lord")


@pytest.mark.parametrize(
    ("query", "singular"),
    [("$.a['b'][0]", True), ("$[(@.length-1)]", True), ("$.*", False), ("$..a", False), ("$[0,1]", False)],
)
def test_queries_that_select_one_value_at_most(query: str, singular: bool) -> None:
    assert Goessner(query).singular is singular


@pytest.mark.parametrize(
    "query",
    [
        "a",
        "$.",
        "$[",
        "$[]",
        "$[abc]",
        "$ .a",
        "$[?(@.a",
        "$[?@.a]",
        "$[?(@..a)]",
        "$[?(@.*)]",
        "$[?(@.a ==)]",
        "$[(process.exit())]",
        "$[(@.constructor('x'))]",
        "$[?(@.a = 1)]",
        "$[1:2:0]",
        "$[" + "(" * 50,
        "$[?(" + "!" * 5000 + "@)]",
    ],
)
def test_what_is_refused(query: str) -> None:
    with pytest.raises(GoessnerError, match="at column"):
        Goessner(query)


def test_a_condition_alone() -> None:
    assert truthy(parse_formula("$.store.bicycle.color == 'red'")(STORE, STORE))
    with pytest.raises(GoessnerError, match="was not expected"):
        parse_formula("$.a == 1 2")


def test_work_is_bounded() -> None:
    flood = [[0] * 1000] * 1000
    with pytest.raises(TooMuchWork):
        Goessner("$..*..*").nodes(flood)
