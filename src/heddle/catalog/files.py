"""Files of model versions: where the weights lie and what they hash to. Owns the table model_files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from heddle.db import Row, Tx
from heddle.domain import from_ms, to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file before it has an id."""

    name: str
    #: Model, VAE, Config, Negative, Training Data, Archive or Other.
    type: str
    #: SafeTensor, GGUF or Other.
    format: str
    size: int
    path: Path
    hashes: Mapping[str, str]
    primary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a version."""

    id: int
    version_id: int
    name: str
    type: str
    format: str
    size: int
    path: Path | None
    hashes: Mapping[str, str]
    primary: bool
    created_at: datetime


def insert(tx: Tx, version_id: int, files: Sequence[NewFile], at: datetime) -> None:
    """Add the files of a version."""
    stamp = to_ms(at)
    tx.many(
        "INSERT INTO model_files (version_id, name, type, format, size, path, hashes, is_primary, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (version_id, f.name, f.type, f.format, f.size, str(f.path), _encode(f.hashes), int(f.primary), stamp)
            for f in files
        ],
    )


def of_version(tx: Tx, version_id: int) -> list[File]:
    """The files of a version, the primary one first."""
    rows = tx.all("SELECT * FROM model_files WHERE version_id = ? ORDER BY is_primary DESC, id", (version_id,))
    return [_file(row) for row in rows]


def of_sha256(tx: Tx, sha256: str) -> File | None:
    """The oldest primary file with this content (64 hex digits)."""
    mark = f'%"SHA256":"{sha256.upper()}"%'
    row = tx.one("SELECT * FROM model_files WHERE is_primary = 1 AND hashes LIKE ? ORDER BY id LIMIT 1", (mark,))
    return None if row is None else _file(row)


def paths(tx: Tx) -> list[Path]:
    """Where all files lie."""
    return [Path(row["path"]) for row in tx.all("SELECT path FROM model_files WHERE path IS NOT NULL")]


def remove(tx: Tx, version_id: int) -> None:
    """Forget the files of a version; the bytes are the caller's business."""
    tx.run("DELETE FROM model_files WHERE version_id = ?", (version_id,))


def _encode(hashes: Mapping[str, str]) -> str:
    return msgspec.json.encode(dict(hashes)).decode()


def _file(row: Row) -> File:
    created_at = from_ms(row["created_at"])
    assert created_at is not None
    return File(
        id=row["id"],
        version_id=row["version_id"],
        name=row["name"],
        type=row["type"],
        format=row["format"],
        size=row["size"],
        path=None if row["path"] is None else Path(row["path"]),
        hashes=msgspec.json.decode(row["hashes"], type=dict[str, str]),
        primary=bool(row["is_primary"]),
        created_at=created_at,
    )
