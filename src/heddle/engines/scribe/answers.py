"""An answer in the shape of a chat completion, with its first text beside it."""

from __future__ import annotations

import hashlib
import json
import random
import re
from typing import Any, Literal

from heddle.domain import JSON
from heddle.engines.scribe import shapes, tasks, writing
from heddle.engines.scribe.tasks import Task

Finish = Literal["stop", "length"]


def answer(payload: JSON) -> dict[str, Any]:
    """All choices. `task` says what was understood; the caller takes it out."""
    asked = next(m["text"] for m in reversed(payload["messages"]) if m["role"] == "user")
    task = tasks.find(asked, enhance=payload["enhance"], instruction=payload.get("instruction", ""))
    made = [_choice(payload, task, i) for i in range(payload["n"])]
    words = [_words(m["text"]) for m in payload["messages"]]
    said = [_words(text) for text, _ in made]
    shown: dict[str, Any] = {
        "id": f"chatcmpl-{hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()[:24]}",
        "object": "chat.completion",
        "created": 0,  # the same payload gives the same answer, so there is no time in it
        "model": "scribe",
        "choices": [
            {"index": i, "message": {"role": "assistant", "content": text}, "finishReason": finish}
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
