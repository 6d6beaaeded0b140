"""An answer in the shape of a chat completion, with its first text beside it."""

from __future__ import annotations

import hashlib
import json
import random
import re
from dataclasses import replace
from typing import Any, Literal

import msgspec

from heddle.domain import JSON
from heddle.engines import MOST_OUTPUT
from heddle.engines.scribe import shapes, tasks, writing
from heddle.engines.scribe.tasks import Task
from heddle.errors import EngineFailed

Finish = Literal["stop", "length"]

#: Bytes of an answer. The same text stands in it up to seven times.
_MOST = MOST_OUTPUT - 1024

#: What is asked about is never cut shorter than this.
_SHORTEST = 100


def answer(payload: JSON) -> dict[str, Any]:
    """All choices. `task` says what was understood, `cut` how much of it was left out; the caller takes both out.

    Where all of it would be more than an engine may give, the end of what was asked about is left out. Raises
    EngineFailed when that is not enough.
    """
    asked = next(m["text"] for m in reversed(payload["messages"]) if m["role"] == "user")
    task = tasks.find(asked, enhance=payload["enhance"], instruction=payload.get("instruction", ""))
    whole = len(task.subject)
    if task.kind in {"enhance", "variations"}:  # it surely stands in them so often, and writing takes its time
        task = replace(task, subject=_beginning(task.subject, _MOST / (whole * task.count * (payload["n"] + 1) + 1)))
    while True:
        shown = _shown(payload, task, cut=len(task.subject) < whole)
        if (size := len(msgspec.json.encode(shown))) <= _MOST:
            return shown | {"cut": whole - len(task.subject)}
        if len(task.subject) < _SHORTEST:
            raise EngineFailed(
                f"{payload['n']} answers like this have {size} bytes together, and at most {_MOST} can be given; "
                "ask for fewer (`n`), or for less (`responseFormat`)"
            )
        task = replace(task, subject=_beginning(task.subject, min(0.5, 0.9 * _MOST / size)))


def _beginning(text: str, share: float) -> str:
    """A share of a text, in whole words if it has any."""
    if share >= 1:
        return text
    kept = text[: int(share * len(text))]
    return kept.rpartition(" ")[0] or kept


def _shown(payload: JSON, task: Task, *, cut: bool) -> dict[str, Any]:
    made = [_choice(payload, task, i) for i in range(payload["n"])]
    words = [_words(m["text"]) for m in payload["messages"]]
    said = [_words(text) for text, _ in made]
    shown: dict[str, Any] = {
        "id": f"chatcmpl-{hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()[:24]}",
        "object": "chat.completion",
        "created": 0,  # the same payload gives the same answer, so there is no time in it
        "model": "scribe",
        "choices": [
            {
                "index": i,
                "message": {"role": "assistant", "content": text},
                "finishReason": "length" if cut and not payload["json"] else finish,
            }
            for i, (text, finish) in enumerate(made)
        ],
        "usage": {
            "promptTokens": sum(words),
            "completionTokens": sum(said),
            "totalTokens": sum(words) + sum(said),
        },
        "text": made[0][0],
        "task": task.kind,
    }
    if payload["json"] and made[0][1] == "stop":
        shown["parsed"] = json.loads(made[0][0])
    if task.kind == "enhance":
        negative = writing.write(Task("negative", task.subject), random.Random(0), 0)  # noqa: S311
        shown["enhancedPrompt"] = made[0][0]
        shown["enhancedNegativePrompt"] = payload.get("negativePrompt") or negative
    return shown


def _choice(payload: JSON, task: Task, index: int) -> tuple[str, Finish]:
    chance = random.Random(f"{payload['seed']} {index}")  # noqa: S311 - repeatable, not secret
    text = writing.write(task, chance, payload["temperature"])
    if payload["json"]:
        return json.dumps(shapes.shape(text, task, payload.get("schema")), ensure_ascii=False), "stop"
    return _cut(text, payload)


def _cut(text: str, payload: JSON) -> tuple[str, Finish]:
    """Before the first stop word, and no longer than asked for."""
    ends = [at for word in payload["stop"] if (at := text.find(word)) >= 0]
    text = text[: min(ends)] if ends else text
    most = payload.get("maxWords")
    ends = [word.end() for word in re.finditer(r"\S+", text)]
    if most is not None and len(ends) > most:
        return text[: ends[most - 1]], "length"
    return text, "stop"


def _words(text: str) -> int:
    return len(text.split())
