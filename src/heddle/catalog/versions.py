"""Versions of catalog models, each with its AIR. Owns the table model_versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from heddle import air as airs
from heddle.air import Air
from heddle.catalog.models import FIRST_OWN_ID, LARGEST_ID
from heddle.db import Row, Tx
from heddle.domain import from_ms, to_ms
from heddle.errors import Conflict

_COLUMNS = "id, model_id, name, base_model, air, details, created_at, published_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a model: what a workflow names."""

    id: int
    model_id: int
    name: str
    base_model: str
    air: str
    created_at: datetime
    published_at: datetime | None
    trained_words: tuple[str, ...] = ()
    description: str = ""
    base_model_type: str = "Standard"


def insert(tx: Tx, version: Version) -> None:
    """Add a version to a model that exists. Raises Conflict when its id or its AIR is taken."""
    if (taken := of_id(tx, version.id)) is not None:
        raise Conflict(f"the catalog has a version {version.id} already: {taken.air}")
    if tx.one("SELECT 1 AS found FROM model_versions WHERE air = ?", (version.air,)) is not None:
        raise Conflict(f"the catalog has {version.air} already")
    published = None if version.published_at is None else to_ms(version.published_at)
    tx.run(
        f"INSERT INTO model_versions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant columns
        (
            *(version.id, version.model_id, version.name, version.base_model, version.air),
            *(_details(version), to_ms(version.created_at), published),
        ),
    )


def of_id(tx: Tx, version_id: int) -> Version | None:
    """The version with this id."""
    if not 0 <= version_id <= LARGEST_ID:
        return None
    row = tx.one(f"SELECT {_COLUMNS} FROM model_versions WHERE id = ?", (version_id,))  # noqa: S608
    return None if row is None else _version(row)


def of_air(tx: Tx, air: str | Air) -> Version | None:
    """The version that an AIR names; None when the catalog does not have it, or when it is no AIR.

    Source, model and version decide. Ecosystem and type may be missing or be another tool's words for the same
    thing, so they are not compared; the `air` of what is found is in our words. Without a version the model's
    newest one is meant.
    """
    try:
        wanted = airs.parse(air) if isinstance(air, str) else air
    except airs.NotAnAir:
        return None
    if wanted.source not in airs.NUMBERED:
        row = tx.one(f"SELECT {_COLUMNS} FROM model_versions WHERE air = ?", (str(wanted),))  # noqa: S608
        return None if row is None else _version(row)
    candidates = [of_id(tx, int(wanted.version))] if wanted.version else reversed(of_model(tx, int(wanted.id)))
    return next((v for v in candidates if v is not None and _is(v, wanted)), None)


def of_model(tx: Tx, model_id: int) -> list[Version]:
    """The versions of a model, oldest first."""
    if model_id > LARGEST_ID:
        return []
    found = tx.all(f"SELECT {_COLUMNS} FROM model_versions WHERE model_id = ? ORDER BY id", (model_id,))  # noqa: S608
    return [_version(row) for row in found]


def of_kind(tx: Tx, ecosystems: Sequence[str], types: Sequence[str]) -> list[int]:
    """The ids of all versions of these ecosystems and types, as AIRs name both, in the order they were added.

    A `*` in an ecosystem stands for any letters.
    """
    # An underscore stands for any letter, and names have some.
    names = [
        f"urn:air:{ecosystem}:{kind}:".replace("_", "!_").replace("*", "%") + "%"
        for ecosystem in ecosystems
        for kind in types
    ]
    if not names:
        return []
    either = " OR ".join("air LIKE ? ESCAPE '!'" for _ in names)
    found = tx.all(f"SELECT id FROM model_versions WHERE {either} ORDER BY created_at, id", names)  # noqa: S608
    return [row["id"] for row in found]


def remove(tx: Tx, version_id: int) -> None:
    """Delete a version whose files are gone."""
    tx.run("DELETE FROM model_versions WHERE id = ?", (version_id,))


def next_id(tx: Tx) -> int:
    """The next id of our own."""
    row = tx.one("SELECT MAX(id) AS last FROM model_versions WHERE id >= ?", (FIRST_OWN_ID,))
    return FIRST_OWN_ID if row is None or row["last"] is None else row["last"] + 1


def _is(version: Version, wanted: Air) -> bool:
    found = airs.parse(version.air)
    return (found.source, int(found.id)) == (wanted.source, int(wanted.id))


def _details(version: Version) -> str:
    details = {
        "trainedWords": version.trained_words,
        "description": version.description,
        "baseModelType": version.base_model_type,
    }
    return msgspec.json.encode(details).decode()


def _version(row: Row) -> Version:
    details: dict[str, Any] = msgspec.json.decode(row["details"])
    created_at = from_ms(row["created_at"])
    assert created_at is not None
    return Version(
        id=row["id"],
        model_id=row["model_id"],
        name=row["name"],
        base_model=row["base_model"],
        air=row["air"],
        trained_words=tuple(details.get("trainedWords", ())),
        description=details.get("description", ""),
        base_model_type=details.get("baseModelType", "Standard"),
        created_at=created_at,
        published_at=from_ms(row["published_at"]),
    )
