"""What trainings make goes into the catalog, where the next step finds it by its AIR.

Bytes first, in a thread and before the job's end is written: each model file is copied out of the storage to where
workers read weights, looked at and hashed. Then, in the transaction that ends the job, its entry. An attempt that was
fenced adds nothing, one that is recorded adds all, and what a crash leaves between the two is a copy that no entry
names, which the sweep takes.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from heddle import accounts, air
from heddle.catalog import builtin, entries, files, hashes, intake, models, versions, weights
from heddle.catalog.entries import NewEntry
from heddle.catalog.files import NewFile
from heddle.db import Database, Tx
from heddle.domain import JSON, Artifact
from heddle.errors import UsageError
from heddle.storage import Storage

log = logging.getLogger(__name__)

#: The type of files that are models.
MIME = "application/x-safetensors"

_CHUNK = 4 * 1024 * 1024

#: A copy may be younger than its entry for so long.
GRACE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model that was copied to where it stays, and the entry that it will be. The creator is found with its job."""

    blob_id: str
    new: NewEntry

    @property
    def file(self) -> NewFile:
        """Where it is."""
        return self.new.files[0]


def of(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """Those that are models, by epoch."""
    found = [a for a in artifacts if a.mime == MIME and not a.role]
    return sorted(found, key=lambda a: _epoch(a) or 0)


def fetch(storage: Storage, folder: Path, payload: JSON, artifacts: Sequence[Artifact]) -> list[Trained]:
    """Copy models out of the storage. Blocks. Whole or not at all: raises OSError or Unavailable, or KeyError.

    What turns out to be no model is left out, and the log says so.
    """
    made: list[Trained] = []
    try:
        for artifact in of(artifacts):
            if (file := _copied(storage, folder, payload, artifact)) is not None:
                made += [Trained(blob_id=artifact.blob_id, new=_entry(payload, artifact, file))]
    except BaseException:
        drop(made)
        raise
    return made


def drop(trained: Sequence[Trained]) -> None:
    """Remove copies that no entry names."""
    for one in trained:
        shutil.rmtree(one.file.path.parent, ignore_errors=True)


def add(
    tx: Tx, trained: Sequence[Trained], artifacts: Sequence[Artifact], account_id: int, at: datetime
) -> list[Artifact]:
    """Put models into the catalog, as versions of one; the artifacts, which say their AIR now."""
    if not trained:
        return list(artifacts)
    builtin.ensure(tx, at)
    models.lock(tx)
    account = accounts.of_id(tx, account_id)
    creator = account.username if account else "owner"
    airs: dict[str, str] = {}
    model_id: int | None = None
    for one in trained:
        known = _known(tx, one.file)
        if known is None:
            entry = entries.add(tx, replace(one.new, creator=creator, model_id=model_id), at)
            known, model_id = entry.version.air, entry.model.id
        airs[one.blob_id] = known
    return [replace(a, output={**a.output, "air": airs[a.blob_id]}) if a.blob_id in airs else a for a in artifacts]


def sweep(db: Database, folder: Path, at: datetime) -> int:
    """Remove copies that no entry names; how many."""
    found = [p for p in folder.iterdir() if intake.is_copy(p) and _age(p, at) > GRACE] if folder.is_dir() else []
    used = {path.parent for path in db.look(files.paths)} if found else set[Path]()
    gone = [place for place in found if not any(path == place or place in path.parents for path in used)]
    for place in gone:
        shutil.rmtree(place, ignore_errors=True)
    return len(gone)


def _known(tx: Tx, file: NewFile) -> str | None:
    """The AIR of the same content: the same training a second time makes the same file."""
    known = files.of_sha256(tx, file.hashes["SHA256"])
    version = None if known is None else versions.of_id(tx, known.version_id)
    return None if version is None else version.air


def _copied(storage: Storage, folder: Path, payload: JSON, artifact: Artifact) -> NewFile | None:
    place = folder / f"{artifact.sha256[:16]}-{secrets.token_hex(4)}"
    place.mkdir(parents=True)
    try:
        path = place / f"{_file_name(payload, artifact)}.safetensors"
        with storage.open(artifact.key) as source, path.open("xb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
            target.flush()
            os.fsync(target.fileno())
        seen = weights.inspect(path)
        found = hashes.of_file(path, data_offset=seen.data_offset)
    except UsageError as error:
        log.warning("the model %s is not added to the catalog: %s", artifact.blob_id, error.message)
        shutil.rmtree(place, ignore_errors=True)
        return None
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return NewFile(
        name=path.name, type="Model", format=seen.format, size=seen.size, path=path, hashes=found, primary=True
    )


def _entry(payload: JSON, artifact: Artifact, file: NewFile) -> NewEntry:
    epoch, word = _epoch(artifact), str(payload.get("triggerWord") or "").strip()
    return NewEntry(
        name=_name(payload),
        type="LORA",
        base_model=_base_model(payload),
        creator="",
        version_name="v1" if epoch is None else f"epoch {epoch}",
        trained_words=(word,) if word else (),
        description=f"Trained here on {payload.get('model') or payload.get('family')}.",
        tags=("trained here",),
        files=[file],
    )


def _name(payload: JSON) -> str:
    said = (str(payload.get(field) or "").strip() for field in ("name", "triggerWord"))
    return next(filter(None, said), f"{payload.get('family', 'trained')} LoRA")


def _file_name(payload: JSON, artifact: Artifact) -> str:
    """Of letters and digits, whatever the caller's words are."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in _name(payload))[:60].strip("-")
    epoch = _epoch(artifact)
    return f"{plain or 'lora'}{'' if epoch is None else f'-{epoch:04}'}"


def _base_model(payload: JSON) -> str:
    known: Mapping[str, Any] = payload.get("weights", {}).get(payload.get("model"), {})
    family = payload.get("family")
    # The embedded model is in no file, so that nothing but the family tells of it.
    own = builtin.MINI.base_model
    return known.get("baseModel") or (own if family == air.ecosystem_of(own) else family) or "Other"


def _epoch(artifact: Artifact) -> int | None:
    found = artifact.output.get("epoch")
    return found if isinstance(found, int) else None


def _age(place: Path, at: datetime) -> timedelta:
    return timedelta(seconds=at.timestamp() - place.stat().st_mtime)
