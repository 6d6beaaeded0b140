"""Catalog models: what a creator published under one name. Owns the table models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from heddle.db import Row, Tx
from heddle.domain import from_ms, to_ms
from heddle.errors import Conflict

#: The types of the wire.
TYPES = (
    *("Checkpoint", "TextualInversion", "Hypernetwork", "AestheticGradient", "LORA", "LoCon", "DoRA", "Controlnet"),
    *("Upscaler", "MotionModule", "VAE", "TextEncoder", "UNet", "CLIPVision", "CLIP", "VisionLanguage", "LLM"),
    *("Poses", "Wildcards", "Workflows", "Detection", "Other"),
)

#: Ids from here on are given by this Heddle; smaller ones are the built-in entries' or come from elsewhere.
FIRST_OWN_ID = 1_000_000_000

#: The largest id that every database and every client can hold.
LARGEST_ID = 2**53 - 1

_COLUMNS = "id, name, type, creator, nsfw_level, details, created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of the catalog."""

    id: int
    name: str
    type: str
    creator: str
    created_at: datetime
    nsfw_level: int = 0
    description: str = ""
    tags: tuple[str, ...] = ()


def insert(tx: Tx, model: Model) -> None:
    """Add a model. Raises Conflict when its id is taken."""
    if of_id(tx, model.id) is not None:
        raise Conflict(f"the catalog has a model {model.id} already")
    details = {"description": model.description, "tags": model.tags}
    tx.run(
        f"INSERT INTO models ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant list of columns
        (
            *(model.id, model.name, model.type, model.creator, model.nsfw_level),
            *(msgspec.json.encode(details).decode(), to_ms(model.created_at)),
        ),
    )


def of_id(tx: Tx, model_id: int) -> Model | None:
    """The model with this id."""
    if not 0 <= model_id <= LARGEST_ID:
        return None
    row = tx.one(f"SELECT {_COLUMNS} FROM models WHERE id = ?", (model_id,))  # noqa: S608
    return None if row is None else _model(row)


def every(tx: Tx) -> list[Model]:
    """All models by id."""
    return [_model(row) for row in tx.all(f"SELECT {_COLUMNS} FROM models ORDER BY id")]  # noqa: S608


def remove(tx: Tx, model_id: int) -> None:
    """Delete a model that has no versions any more."""
    tx.run("DELETE FROM models WHERE id = ?", (model_id,))


def lock(tx: Tx) -> None:
    """Until the commit nobody else adds anything who asks for this first, so that two do not take one id."""
    if tx.for_update:
        tx.all(f"SELECT id FROM models ORDER BY id LIMIT 1{tx.for_update}")  # noqa: S608 - a constant


def next_id(tx: Tx) -> int:
    """The next id of our own."""
    row = tx.one("SELECT MAX(id) AS last FROM models WHERE id >= ?", (FIRST_OWN_ID,))
    return FIRST_OWN_ID if row is None or row["last"] is None else row["last"] + 1


def _model(row: Row) -> Model:
    details: dict[str, Any] = msgspec.json.decode(row["details"])
    created_at = from_ms(row["created_at"])
    assert created_at is not None
    return Model(
        id=row["id"],
        name=row["name"],
        type=row["type"],
        creator=row["creator"],
        nsfw_level=row["nsfw_level"],
        description=details.get("description", ""),
        tags=tuple(details.get("tags", ())),
        created_at=created_at,
    )
