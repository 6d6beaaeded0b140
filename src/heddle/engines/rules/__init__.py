"""The engine `rules`: judges a text by words and the company they keep. Of pictures it says that it cannot see.

It is a filter for what is plain, and no model: it misses what is hinted at and knows only English.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer


class Rules:
    """Word lists, and the company that words keep."""

    def offer(self) -> Offer:
        """Texts, and an honest answer for pictures."""
        return Offer(
            step_types=frozenset({"moderation"}),
            families=frozenset({"rules"}),
            operations=frozenset({"text", "media"}),
        )

    def missing(self) -> list[str]:
        """Nothing but Python is needed."""
        return []

    def price(self, payload: JSON) -> float:
        """A hundredth of a Buzz; a workflow costs one at least."""
        return 0.01

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One judgment, as JSON."""
        context.progress(0.0)
        found = _text(payload) if "text" in payload else _media(payload, context)
        context.progress(1.0)
        yield Made(
            data=json.dumps(found, indent=1).encode(),
            mime="application/json",
            metadata={"engine": "rules"},
            output=found,
        )


def _text(payload: JSON) -> dict[str, Any]:
    from heddle.engines.rules.judge import judge  # noqa: PLC0415 - tables; the server only plans

    threshold = float(payload["threshold"])
    judged = judge(payload["text"])
    results = [
        {
            "label": label,
            "score": judged.scores[label],
            "threshold": threshold,
            "triggered": judged.scores[label] >= threshold,
            "matched": judged.matched[label],
        }
        for label in payload["labels"]
    ]
    triggered = [r["label"] for r in results if r["triggered"]]
    # A child and anything sexual in one text is blocked whatever the caller looks for and however low each score is.
    if judged.forbidden:
        triggered += [label for label in ("minors", "sexual") if label not in triggered]
    return {
        "results": results,
        # That there is a child in a picture is worth knowing, and by itself nothing bad.
        "blocked": any(label != "minors" for label in triggered),
        "triggeredLabels": triggered,
        "engine": "rules",
    }


def _media(payload: JSON, context: JobContext) -> dict[str, Any]:
    context.read(payload["media"])  # what is gone must not be called harmless
    return {
        "nsfwLevel": "na",
        "isBlocked": False,
        "blockedReason": None,
        "labels": [],
        "unratedReason": "no classifier is installed: nobody has looked at this",
        "engine": "rules",
    }
