"""The engine `scribe`: writes by rules, and says so. It improves picture prompts and makes short texts from key words.

    messages -> task -> text -> stop, length and JSON -> an answer in the shape of a chat completion

`tasks.py` finds out what is asked, `writing.py` writes it, `shapes.py` brings it into JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer


class Scribe:
    """Word lists and rules; the same seed writes the same."""

    def offer(self) -> Offer:
        """Answers, of its own family."""
        return Offer(
            step_types=frozenset({"textGen"}),
            families=frozenset({"scribe"}),
            operations=frozenset({"chat"}),
            stand_in=True,
        )

    def missing(self) -> list[str]:
        """Nothing but Python is needed."""
        return []

    def price(self, payload: JSON) -> float:
        """A Buzz for each answer."""
        return float(payload.get("n", 1))

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """All choices in one answer; the first is the blob."""
        from heddle.engines.scribe import answers  # noqa: PLC0415 - tables; the server only plans

        context.progress(0.0)
        answer: dict[str, Any] = answers.answer(payload)
        note = "Written by rules and not by a language model; tokens are counted in words."
        if cut := answer.pop("cut"):
            note = f"{note} The last {cut} characters of the text were left out: the answers would have been too long."
            context.log(note)
        context.progress(1.0)
        yield Made(
            data=answer["text"].encode(),
            mime="application/json" if payload.get("json") else "text/plain",
            metadata={
                "engine": "scribe",
                "seed": payload["seed"],
                "task": answer.pop("task"),
                "note": note,
            }
            | ({"standInFor": payload["standInFor"]} if "standInFor" in payload else {}),
            output=answer,
        )
