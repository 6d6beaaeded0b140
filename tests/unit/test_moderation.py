"""The step type `moderation`: one of a text and a medium, and what it answers."""

from __future__ import annotations

from typing import Any

import pytest

from heddle.errors import InvalidRequest
from heddle.steps import Facts, Plan, Result
from heddle.steps.moderation import LABELS, Moderation

BLOB = "blob_00000000000000000000000001"


def plan(**given: Any) -> Plan:
    return Moderation().plan(given, lambda _: Facts())


@pytest.mark.parametrize("field", ["text", "prompt", "positivePrompt"])
def test_a_text_by_each_of_its_names(field: str) -> None:
    made = plan(**{field: "a fox"})
    assert made.operation == "text"
    assert made.payloads == [{"text": "a fox", "labels": list(LABELS), "threshold": 0.5}]


@pytest.mark.parametrize(
    ("given", "path"),
    [({"image": BLOB}, "image"), ({"mediaUrl": BLOB}, "mediaUrl"), ({"images": [BLOB]}, "images[0]")],
)
def test_a_medium_by_each_of_its_names(given: dict[str, Any], path: str) -> None:
    made = plan(**given)
    assert (made.operation, [s.path for s in made.sources]) == ("media", [path])


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "body"),
        ({"text": "a", "image": BLOB}, "body"),
        ({"text": "a", "labels": ["rude"]}, "labels[0]"),
        ({"text": "a", "threshold": 2}, "threshold"),
        ({"text": ""}, "text"),
    ],
)
def test_bad_fields_are_named(given: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        plan(**given)
    assert path in caught.value.fields


def test_the_output_is_the_judgment() -> None:
    given = {"results": [], "blocked": False, "triggeredLabels": []}
    assert Moderation().output([Result(job=0, role="", blob={}, output=given)]) == given
