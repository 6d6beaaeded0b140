"""`heddle backup` and `heddle restore`: a data folder as one file, taken beside a running server.

A backup is a tar archive: a manifest, a copy of the database as it was at one moment, the bytes of every blob that this
copy names, and a last word by which a file that was cut off is known. The manifest holds the hash of the database, and
the database those of the blobs. A restore unpacks beside, checks everything, and only then moves it into place.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TypeVar

import click
import msgspec

import heddle
from heddle import blobs, outbox, settings
from heddle.blobs import Blob
from heddle.cli.home import usable
from heddle.db import Database, Dialect, dialects, migrate
from heddle.db.sqlite import SQLite
from heddle.domain import now
from heddle.errors import UsageError
from heddle.server import HomeLock
from heddle.settings import Settings
from heddle.storage.disk import DiskStorage

T = TypeVar("T")

#: What this version writes, and the newest that it reads.
FORMAT = 1

MANIFEST, END, BYTES = "manifest.json", "end.json", "blobs/"

#: What a data folder may hold and still be empty.
_LOCKS = frozenset({"server.lock", "clients.lock", "starting.lock", "embedded.log"})
_STAGING = ".restore-"

_PIECE = 1 << 20
_SMALL = 1 << 26
_PAGE = 1000


class Manifest(msgspec.Struct, kw_only=True):
    """The first member: what this is, and the database's hash."""

    format: int
    heddle: str
    created: str
    migrations: list[str]
    size: int
    sha256: str


class End(msgspec.Struct, kw_only=True):
    """The last member. `damaged` are blobs whose bytes were gone or changed when it was made."""

    blobs: int
    bytes: int
    damaged: list[str]


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
def backup(file: Path, force: bool) -> None:
    """Write the data folder to FILE: database, keys, and every picture. The server may go on.

    The file holds whatever the folder holds, keys included: keep it as safe as that.

    \b
    Examples:
      heddle backup heddle.tar
      HEDDLE_HOME=./data heddle backup --force /mnt/backups/heddle.tar
    """
    chosen = _embedded(settings.read())
    if file.exists() and not force:
        raise UsageError(f"{file} exists already", "give another name, or --force to replace it")
    if not (chosen.folder / dialects.FILE).is_file():
        raise UsageError(f"there is no database in {chosen.folder}", "set HEDDLE_HOME to the folder of your server")
    with _private(), usable(chosen.folder):
        end = _write(chosen.folder, file)
    for blob_id in end.damaged:
        click.echo(f"heddle: the bytes of {blob_id} are gone or changed, and not in this backup", err=True)
    click.echo(f"{file}: the database and {end.blobs} blobs, {file.stat().st_size / 2**20:.1f} MiB")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--home", type=click.Path(file_okay=False), help="Data folder to fill (default HEDDLE_HOME).")
def restore(file: Path, home: str | None) -> None:
    """Fill an empty data folder from a backup. Nothing is left there when anything in FILE is wrong.

    \b
    Examples:
      heddle restore heddle.tar --home ./restored
      HEDDLE_HOME=./restored heddle serve
    """
    chosen = _embedded(settings.read(home=home))
    with _private(), usable(chosen.folder):
        lock = HomeLock(chosen.folder)
        lock.take()
        try:
            _refuse_full(chosen.folder)
            manifest, end = _read(file, chosen.folder)
        finally:
            lock.release()
    click.echo(f"{chosen.folder}: as it was at {manifest.created}, with {end.blobs} blobs")
    if end.damaged:
        click.echo(
            f"heddle: {len(end.damaged)} blobs had no bytes at that time: {', '.join(end.damaged[:10])}", err=True
        )


def _embedded(chosen: Settings) -> Settings:
    """A database server and a bucket have backups of their own."""
    if chosen.database:
        raise UsageError("HEDDLE_DATABASE names a PostgreSQL, which this does not copy", "use pg_dump and pg_restore")
    if chosen.storage != "disk":
        raise UsageError(
            f"HEDDLE_STORAGE is {chosen.storage!r}, and only what lies in the data folder is copied",
            "use the backups or the versions of your bucket",
        )
    return chosen


@contextmanager
def _private() -> Generator[None]:
    """Whatever is written is for the owner's eyes."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


# ── writing ───────────────────────────────────────────────────────────────────


def _write(folder: Path, file: Path) -> End:
    partial = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        # Copied to where the archive goes: there must be room anyway.
        with tempfile.TemporaryDirectory(prefix=".heddle-backup-", dir=file.parent) as aside, partial.open("xb") as out:
            copy = Path(aside) / dialects.FILE
            _copy(folder / dialects.FILE, copy)
            with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
                end = _fill(tar, copy, DiskStorage({"root": str(folder / "blobs")}))
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}", "give another place") from error
    finally:
        partial.unlink(missing_ok=True)
    _sync(file.parent)
    return end


def _copy(source: Path, copy: Path) -> None:
    """The database at one moment, in one step: a copy in several would begin again with every write of the server."""
    with closing(sqlite3.connect(source, timeout=30)) as here, closing(sqlite3.connect(copy)) as there:
        here.backup(there)


def _fill(tar: tarfile.TarFile, copy: Path, storage: DiskStorage) -> End:
    """Blobs that are recorded later are not in the copy; one in it may be pruned while it is read."""
    with copy.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with closing(Database(_dialect(copy))) as db:
        manifest = Manifest(
            format=FORMAT,
            heddle=heddle.__version__,
            created=now().isoformat(timespec="seconds"),
            migrations=sorted(db.look(migrate.applied)),
            size=copy.stat().st_size,
            sha256=digest,
        )
        _add(tar, MANIFEST, msgspec.json.encode(manifest))
        with copy.open("rb") as file:
            tar.addfile(_member(dialects.FILE, manifest.size), file)
        end = End(blobs=0, bytes=0, damaged=[])
        for blob in _stored(db):
            if not _add_blob(tar, storage, blob):
                end.damaged.append(blob.id)
                continue
            end.blobs += 1
            end.bytes += blob.size or 0
    _add(tar, END, msgspec.json.encode(end))
    return end


def _stored(db: Database) -> Iterator[Blob]:
    after = ""
    while page := db.look(blobs.stored, after, _PAGE):
        yield from page
        after = page[-1].id


def _add_blob(tar: tarfile.TarFile, storage: DiskStorage, blob: Blob) -> bool:
    """False when the bytes are gone, or are not those that were recorded."""
    try:
        file = storage.open(blob.key)
    except KeyError:
        return False
    with file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size != blob.size:
            return False
        hashing = _Hashing(file)
        tar.addfile(_member(BYTES + blob.key, size), hashing)
    return hashing.hexdigest() == blob.sha256


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_member(name, len(data)), BytesIO(data))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    member.mtime = int(now().timestamp())
    return member


class _Hashing:
    """A file that knows the hash of what was read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def pieces(self) -> Iterator[bytes]:
        """All of it."""
        while piece := self.read(_PIECE):
            yield piece

    def hexdigest(self) -> str:
        """Of what was read."""
        return self._hash.hexdigest()


# ── reading ───────────────────────────────────────────────────────────────────


def _refuse_full(folder: Path) -> None:
    """A restore never mixes with what is there. What one that was killed left behind is removed."""
    for path in folder.iterdir():
        if path.name.startswith(_STAGING):
            shutil.rmtree(path)
        elif path.name not in _LOCKS:
            raise UsageError(
                f"the data folder {folder} is not empty: it holds {path.name}",
                "move it away, or give an empty folder with --home",
            )


def _read(file: Path, folder: Path) -> tuple[Manifest, End]:
    """Unpack beside, check, and move into place: the database last, because without it nothing counts."""
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder))
    try:
        with file.open("rb") as source, tarfile.open(fileobj=source, mode="r|") as tar:
            manifest, end = _unpack(tar, staging)
        (staging / BYTES).mkdir(exist_ok=True)
        (staging / BYTES).replace(folder / BYTES)
        _sync(folder)
        (staging / dialects.FILE).replace(folder / dialects.FILE)
        _sync(folder)
    except (tarfile.TarError, msgspec.MsgspecError, sqlite3.DatabaseError, EOFError, ValueError) as error:
        raise _broken(file, str(error)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest, end


def _unpack(tar: tarfile.TarFile, staging: Path) -> tuple[Manifest, End]:
    manifest = _said(tar, MANIFEST, Manifest)
    _refuse_newer(manifest)
    copy = staging / dialects.FILE
    _unpack_database(tar, manifest, copy)
    with closing(Database(_dialect(copy))) as db:
        if sorted(db.look(migrate.applied)) != manifest.migrations:
            raise tarfile.TarError("the manifest and the database do not agree on the schema")
        end = _unpack_blobs(tar, db, staging / BYTES)
        db.apply(outbox.skip_ids, None)
    os.sync()  # once for all, and before anything counts: a flush for every blob would take most of the time
    return manifest, end


def _refuse_newer(manifest: Manifest) -> None:
    unknown = sorted(set(manifest.migrations) - set(migrate.scripts()))
    if manifest.format > FORMAT or unknown:
        what = f"it has {unknown[-1]}" if unknown else f"format {manifest.format}"
        raise UsageError(f"the backup was made by a newer Heddle, {manifest.heddle} ({what})", "upgrade first")


def _unpack_database(tar: tarfile.TarFile, manifest: Manifest, copy: Path) -> None:
    hashing = _Hashing(_open(tar, _next(tar), dialects.FILE))
    with copy.open("xb") as out:
        for piece in hashing.pieces():
            out.write(piece)
    if hashing.hexdigest() != manifest.sha256:
        raise tarfile.TarError("the database is not the one that was backed up: its hash differs")
    with closing(sqlite3.connect(copy)) as connection:
        found = connection.execute("PRAGMA quick_check").fetchone()[0]
    if found != "ok":
        raise tarfile.TarError(f"the database is damaged: {found}")


def _unpack_blobs(tar: tarfile.TarFile, db: Database, root: Path) -> End:
    """Every blob that the database names, and nothing else: no name in the archive becomes a path by itself."""
    wrong: set[str] = set()
    found, last = 0, ""
    while (member := _next(tar)).name != END:
        blob = _named(db, member.name)
        if blob.id <= last:
            raise tarfile.TarError(f"it holds {member.name!r} twice, or in the wrong place")
        hashing = _Hashing(_open(tar, member, member.name))
        size = _write_blob(root, blob.key, hashing)
        if (size, hashing.hexdigest()) != (blob.size, blob.sha256):
            wrong.add(blob.id)
        found, last = found + 1, blob.id
    end = msgspec.json.decode(_open(tar, member, END).read(_SMALL), type=End)
    if wrong - set(end.damaged):
        raise tarfile.TarError(f"the bytes of {min(wrong - set(end.damaged))} are not those that were backed up")
    missing = sum(1 for _ in _stored(db)) - found - (len(end.damaged) - len(wrong))
    if missing:
        raise tarfile.TarError(f"{missing} blobs are missing")
    return end


def _write_blob(root: Path, key: str, hashing: _Hashing) -> int:
    path = (root / key).resolve()
    if not path.is_relative_to(root.resolve()):
        raise tarfile.TarError(f"its database names {key!r}, which leaves the folder of blobs")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as out:
        for piece in hashing.pieces():
            out.write(piece)
        return out.tell()


def _named(db: Database, name: str) -> Blob:
    key = name.removeprefix(BYTES)
    origin = blobs.origin(key)
    blob = db.look(blobs.get, [origin[0]]).get(origin[0]) if origin else None
    if blob is None or blob.key != key or not name.startswith(BYTES):
        raise tarfile.TarError(f"it holds {name!r}, which its database does not name")
    return blob


def _said(tar: tarfile.TarFile, name: str, kind: type[T]) -> T:
    return msgspec.json.decode(_open(tar, _next(tar), name).read(_SMALL), type=kind)


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo:
    member = tar.next()
    if member is None:
        raise tarfile.TarError("it ends too early")
    return member


def _open(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> IO[bytes]:
    """The bytes of a plain file of this name."""
    if member.name != name or not member.isreg():
        raise tarfile.TarError(f"it holds {member.name!r} where {name} should be")
    file = tar.extractfile(member)
    assert file is not None
    return file


def _broken(file: Path, why: str) -> UsageError:
    return UsageError(f"{file} is not a whole backup: {why}", "take another backup; the data folder was left empty")


def _dialect(copy: Path) -> Dialect:
    return SQLite(copy)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
