"""`heddle blobs`: remove what nobody names, and prove that every record has its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

import click

from heddle import blobs, settings
from heddle.blobs import Blob
from heddle.chores import sweep
from heddle.chores.sweep import Swept
from heddle.cli.home import home
from heddle.db import Database
from heddle.domain import now
from heddle.errors import HeddleError
from heddle.storage import Storage

_PAGE = 500

#: Blobs that are read at the same time; a bucket answers many as fast as one.
_AT_ONCE = 8

_PIECE = 1 << 20


@click.group("blobs")
def blobs_() -> None:
    """Look after the bytes in storage.

    \b
    Examples:
      heddle blobs gc --dry-run
      heddle blobs verify
    """


@blobs_.command("gc")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def gc(dry_run: bool) -> None:
    """Remove what no record names: bytes of uploads and jobs that were cut off, unfinished writes, old promises.

    The server does so every hour. Nothing younger than a day is touched, so that this is safe beside a running server.

    \b
    Examples:
      heddle blobs gc --dry-run
      heddle blobs gc
    """
    with _opened() as (db, storage):
        found = sweep.left_over(db, storage, now()) if dry_run else sweep.sweep(db, storage, now())
    click.echo(f"{'would remove' if dry_run else 'removed'}: {_told(found)}")


@blobs_.command("verify")
@click.option("--sizes", is_flag=True, help="Compare sizes only, without reading the bytes.")
@click.pass_context
def verify(ctx: click.Context, sizes: bool) -> None:
    """Check that the bytes of every blob are there and are what was recorded. Exit status 1 and every complaint if not.

    \b
    Examples:
      heddle blobs verify
      heddle blobs verify --sizes
    """
    look = _size_problem if sizes else _problem
    right = wrong = size = 0
    with _opened() as (db, storage), ThreadPoolExecutor(_AT_ONCE) as threads:
        for page in _pages(db):
            for blob, problem in zip(page, threads.map(partial(look, storage), page), strict=True):
                if problem and blob.id not in db.look(blobs.get, [blob.id]):
                    continue  # pruned meanwhile
                if problem:
                    click.echo(f"{blob.id} ({blob.key}): {problem}", err=True)
                wrong, right, size = wrong + bool(problem), right + (not problem), size + (blob.size or 0)
    if wrong:
        click.echo(f"{wrong} of {wrong + right} blobs are not what was recorded", err=True)
        ctx.exit(1)
    click.echo(f"{_counted(right, 'blob')}, {_bytes(size)}: all there, {'in size' if sizes else 'byte by byte'}")


@contextmanager
def _opened() -> Generator[tuple[Database, Storage]]:
    """The database and the storage that the environment names."""
    from heddle.server import open_storage  # noqa: PLC0415 - heavy

    with home() as db:
        yield db, open_storage(settings.read())


def _pages(db: Database) -> Iterator[list[Blob]]:
    after = ""
    while page := db.look(blobs.stored, after, _PAGE):
        yield page
        after = page[-1].id


def _size_problem(storage: Storage, blob: Blob) -> str:
    """What is wrong with the bytes of a blob, as far as their size tells."""
    try:
        size = storage.size(blob.key)
    except (OSError, HeddleError) as error:
        return f"cannot be read: {error}"
    if size is None:
        return "its bytes are missing"
    return "" if size == blob.size else f"it has {size} bytes and should have {blob.size}"


def _problem(storage: Storage, blob: Blob) -> str:
    """What is wrong with the bytes of a blob."""
    if problem := _size_problem(storage, blob):
        return problem
    try:
        with storage.open(blob.key) as file:
            digest = _digest(file)
    except KeyError:
        return "its bytes are missing"
    except (OSError, HeddleError) as error:
        return f"cannot be read: {error}"
    return "" if digest == blob.sha256 else f"its SHA-256 is {digest} and should be {blob.sha256}"


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _told(found: Swept) -> str:
    return (
        f"{_counted(found.orphans, 'value')} that no record names, {_counted(found.partials, 'unfinished write')}"
        f" ({_bytes(found.size)}), {_counted(found.promises, 'promise')} that nobody kept"
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _bytes(size: int) -> str:
    return f"{size} bytes" if size < 1 << 20 else f"{size / (1 << 20):.1f} MiB"
