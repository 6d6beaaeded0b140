"""Entries: a version with its model and its files, added, read and removed as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from heddle import air as airs
from heddle.air import Air
from heddle.catalog import files, models, versions
from heddle.catalog.files import File, NewFile
from heddle.catalog.models import LARGEST_ID, Model
from heddle.catalog.versions import Version
from heddle.db import Tx
from heddle.errors import Conflict, InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Everything that the catalog knows of one version."""

    model: Model
    version: Version
    files: Sequence[File]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What somebody adds. Without ids the entry gets our own; a `model_id` that exists gets another version."""

    name: str
    type: str
    base_model: str
    creator: str
    version_name: str = "v1"
    source: str = "heddle"
    model_id: int | None = None
    version_id: int | None = None
    trained_words: tuple[str, ...] = ()
    description: str = ""
    version_description: str = ""
    tags: tuple[str, ...] = ()
    files: Sequence[NewFile] = ()


def add(tx: Tx, new: NewEntry, at: datetime) -> Entry:
    """Put one entry into the catalog. Raises InvalidRequest for bad fields, Conflict for what is there already."""
    check(tx, new)
    model = _model_for(tx, new, at)
    version_id = versions.next_id(tx) if new.version_id is None else new.version_id
    version = Version(
        id=version_id,
        model_id=model.id,
        name=new.version_name,
        base_model=new.base_model,
        air=str(_air(new, model.id, version_id)),
        trained_words=new.trained_words,
        description=new.version_description,
        created_at=at,
        published_at=at,
    )
    versions.insert(tx, version)
    files.insert(tx, version.id, new.files, at)
    return Entry(model=model, version=version, files=files.of_version(tx, version.id))


def check(tx: Tx, new: NewEntry) -> None:
    """What can be said against an entry before it is written. Raises as `add` does."""
    _check_fields(new)
    _check_files(tx, new.files)


def of_version(tx: Tx, version_id: int) -> Entry | None:
    """The entry of a version id."""
    return _entry(tx, versions.of_id(tx, version_id))


def of_air(tx: Tx, air: str | Air) -> Entry | None:
    """The entry that an AIR names."""
    return _entry(tx, versions.of_air(tx, air))


def every(tx: Tx) -> list[Entry]:
    """The whole catalog, by model and version."""
    return [
        Entry(model=model, version=version, files=files.of_version(tx, version.id))
        for model in models.every(tx)
        for version in versions.of_model(tx, model.id)
    ]


def remove(tx: Tx, entry: Entry) -> None:
    """Take a version out, and its model with the last one. Bytes on the disk are the caller's business."""
    files.remove(tx, entry.version.id)
    versions.remove(tx, entry.version.id)
    if not versions.of_model(tx, entry.model.id):
        models.remove(tx, entry.model.id)


def _entry(tx: Tx, version: Version | None) -> Entry | None:
    if version is None:
        return None
    model = models.of_id(tx, version.model_id)
    assert model is not None, "a version has a model, by foreign key"
    return Entry(model=model, version=version, files=files.of_version(tx, version.id))


def _check_fields(new: NewEntry) -> None:
    problems: dict[str, list[str]] = {}
    for field, value in (("name", new.name), ("baseModel", new.base_model), ("versionName", new.version_name)):
        if not value.strip():
            problems[field] = ["must not be empty"]
    if new.type not in models.TYPES:
        problems["type"] = [f"{new.type!r} is not one of: {', '.join(models.TYPES)}"]
    for field, number in (("modelId", new.model_id), ("versionId", new.version_id)):
        if number is not None and not 1 <= number <= LARGEST_ID:
            problems[field] = [f"{number} is not between 1 and {LARGEST_ID}"]
    if problems:
        field, messages = next(iter(problems.items()))
        raise InvalidRequest(f"{field}: {messages[0]}", problems)


def _check_files(tx: Tx, new: Sequence[NewFile]) -> None:
    """The same weights twice would be two names for one thing. Parts, such as a VAE, may be shared."""
    for file in (f for f in new if f.primary):
        known = files.of_sha256(tx, file.hashes["SHA256"])
        version = None if known is None else versions.of_id(tx, known.version_id)
        if version is not None:
            raise Conflict(f"the catalog has the content of {file.name!r} already, as {version.air}")


def _model_for(tx: Tx, new: NewEntry, at: datetime) -> Model:
    """The model that gets the version: one that exists, or a new one."""
    model_id = models.next_id(tx) if new.model_id is None else new.model_id
    if (found := models.of_id(tx, model_id)) is not None:
        _check_same(tx, found, new)
        return found
    model = Model(
        id=model_id,
        name=new.name,
        type=new.type,
        creator=new.creator,
        description=new.description,
        tags=new.tags,
        created_at=at,
    )
    models.insert(tx, model)
    return model


def _check_same(tx: Tx, found: Model, new: NewEntry) -> None:
    if found.type != new.type:
        raise Conflict(f"model {found.id} is {found.name!r}, of type {found.type}; a version cannot be a {new.type}")
    sources = {airs.parse(v.air).source for v in versions.of_model(tx, found.id)}
    if sources - {new.source}:
        raise Conflict(f"model {found.id} is {found.name!r} from {min(sources)}, not from {new.source}")


def _air(new: NewEntry, model_id: int, version_id: int) -> Air:
    return Air(
        ecosystem=airs.ecosystem_of(new.base_model),
        type=airs.type_of(new.type),
        source=new.source,
        id=str(model_id),
        version=str(version_id),
    )
