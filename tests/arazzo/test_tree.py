"""Reading YAML 1.2 and JSON, and knowing where everything stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.arazzo.tree import DocumentError, Tree, read_tree
from heddle.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2024-01-02", "2024-01-02"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.0.1", "1.0.1"),
        (".inf", ".inf"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = Tree("t", f"x: {text}").value["x"]
    assert found == value
    assert type(found) is type(value)


def test_a_key_is_always_text() -> None:
    assert Tree("t", "200: a\ntrue: b\n<<: c\n").value == {"200": "a", "true": "b", "<<": "c"}


def test_places_count_from_one() -> None:
    tree = Tree("doc.yaml", "a:\n- b: 1\n  c:   x\n")
    assert str(tree.place(("a", 0, "c"))) == "doc.yaml:3:8"
    assert str(tree.place(())) == "doc.yaml:1:1"
    assert str(tree.place(("a", 0, "nothing", 3))) == "doc.yaml:2:3"


def test_json_has_places_too() -> None:
    tree = Tree("d.json", '{"a": 1,\n\t"b": ["x", "\\ud83e\\udd8a"]}')
    assert tree.value["b"][1] == "🦊"
    assert str(tree.place(("b", 1))) == "d.json:2:13"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "t:2:1: the key 'a' appears twice"),
        ("a: [1, 2\nb: 3", "t:2:2"),
        ("? [x]\n: 1", "t:1:3: a key must be text"),
        ("a: !!int x", "t:1:4: 'x' is not of the type int"),
        ("", "the file is empty"),
        ("a: &x [*x]", "too large or too deeply nested"),
    ],
)
def test_problems_name_their_place(text: str, said: str) -> None:
    with pytest.raises(DocumentError) as raised:
        Tree("t", text)
    assert said in str(raised.value)


def test_aliases_cannot_unfold_into_a_flood() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(DocumentError, match="too large"):
        Tree("t", "\n".join(lines))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_tree(tmp_path / "nothing.yaml")
    with pytest.raises(UsageError, match="is a folder"):
        read_tree(tmp_path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON)
def test_json_reads_as_json(value: Any) -> None:
    assert Tree("t", json.dumps({"x": value})).value == {"x": value}
