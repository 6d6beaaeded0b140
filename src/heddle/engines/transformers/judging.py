"""From a text or a picture to the labels that a model has learned, each with how sure it is."""

from __future__ import annotations

import json
from typing import Any, cast

import torch

from heddle import media
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.transformers import models
from heddle.engines.transformers.models import Loaded
from heddle.engines.transformers.options import LEVELS, JudgeOptions
from heddle.errors import EngineFailed
from heddle.studio import stills

#: Labels that are told, the surest first.
_TOLD = 200

#: Tokens that are read at a time where the model does not say, and how many such parts a text may have.
_TOKENS, _PARTS = 512, 100


def make(loaded: Loaded, payload: JSON, context: JobContext, options: JudgeOptions) -> Made:
    """One judgment, as JSON."""
    context.progress(0.0)
    with models.failing("the model could not judge"), torch.inference_mode():
        if "text" in payload:
            found = _text(_read(loaded, payload["text"], context), payload, options)
        else:
            data = context.read(payload["media"])
            picture = media.shows_picture(data[:4096])
            looks = stills.of(data, lambda share: context.progress(0.1 * share), picture=picture)
            found = _media([_look(loaded, one, context) for one in looks], options)
    context.progress(1.0)
    return Made(
        data=json.dumps(found, indent=1).encode(),
        mime="application/json",
        metadata={"engine": "classifier", "model": payload["model"]},
        output=found,
    )


# ── a text ────────────────────────────────────────────────────────────────────


def _read(loaded: Loaded, text: str, context: JobContext) -> dict[str, float]:
    """In parts where it is longer than the model reads; a label is as sure as in the part where it is surest."""
    tokenizer = loaded.reads
    room = getattr(loaded.model.config.get_text_config(), "max_position_embeddings", None) or _TOKENS
    # RoBERTa's positions begin after the one of its padding.
    most = min(tokenizer.model_max_length, room - 2)
    read = tokenizer(
        text, truncation=True, max_length=most, return_overflowing_tokens=True, stride=0, return_tensors=None
    )
    parts = read["input_ids"]
    if len(parts) > _PARTS:
        raise EngineFailed(f"text has more than {_PARTS * most} tokens; judge it in parts")
    surest: dict[str, float] = {}
    for i, tokens in enumerate(parts):
        context.progress(i / len(parts), f"part {i + 1} of {len(parts)}")
        inputs = torch.tensor([tokens], device=loaded.device)
        scores = _scores(loaded, loaded.model(input_ids=inputs, attention_mask=torch.ones_like(inputs)).logits[0])
        surest = {label: max(score, surest.get(label, 0.0)) for label, score in scores.items()}
    return surest


def _text(scores: dict[str, float], payload: JSON, options: JudgeOptions) -> dict[str, Any]:
    threshold = float(payload["threshold"])
    triggered = [label for label, score in _told(scores) if score >= threshold and label.lower() not in options.safe]
    results: list[dict[str, Any]] = [
        {"label": label, "score": score, "threshold": threshold, "triggered": label in triggered, "matched": []}
        for label, score in _told(scores)
    ]
    return {"results": results, "blocked": bool(triggered), "triggeredLabels": triggered, "engine": "classifier"}


# ── a picture, or some of a video ─────────────────────────────────────────────


def _look(loaded: Loaded, picture: Any, context: JobContext) -> dict[str, float]:
    context.progress(0.1, "looking")
    inputs = loaded.reads(images=picture, return_tensors="pt").to(loaded.device, loaded.model.dtype)
    return _scores(loaded, loaded.model(**inputs).logits[0])


def _media(looks: list[dict[str, float]], options: JudgeOptions) -> dict[str, Any]:
    """The rating is that of the surest label, of a video that of its worst picture."""
    surest = [max(scores, key=lambda label: scores[label]) for scores in looks]
    rated = {options.levels[label.lower()]: label for label in surest if label.lower() in options.levels}
    level = max(rated, key=LEVELS.index) if rated else None
    scores = {label: max(one[label] for one in looks) for label in looks[0]}
    blocked = level in options.blocks
    found: dict[str, Any] = {
        "nsfwLevel": level or "na",
        "isBlocked": blocked,
        "blockedReason": f"rated {level}: {rated[level]}" if level is not None and blocked else None,
        "labels": [{"label": label, "score": score} for label, score in _told(scores)],
        "engine": "classifier",
    }
    if level is None:
        found["unratedReason"] = f"no rating is set for {surest[0]!r}: levels under [classifier] in engines.toml"
    return found


# ── both ──────────────────────────────────────────────────────────────────────


def _scores(loaded: Loaded, logits: torch.Tensor) -> dict[str, float]:
    """By label. Labels exclude each other, unless the model was trained otherwise or has one alone."""
    config = loaded.model.config
    apart = config.problem_type == "multi_label_classification" or logits.shape[0] == 1
    shares = torch.sigmoid(logits.float()) if apart else torch.softmax(logits.float(), dim=-1)
    listed = cast("list[float]", shares.tolist())  # pyright: ignore[reportUnknownMemberType] - it may be of any depth
    return {str(config.id2label[i]): round(share, 4) for i, share in enumerate(listed)}


def _told(scores: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(scores.items(), key=lambda pair: -pair[1])[:_TOLD]
