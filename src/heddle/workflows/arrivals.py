"""Arrivals: uploads that clients sent straight to the storage. Checked like any other, and only then a blob.

Nobody counts, looks at or refuses bytes while they go there, and the link may be used again until it ends. So they
come into a folder of their own, and what is right is copied from there to a key that no client can write to.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import BinaryIO

from heddle import blobs, media
from heddle.blobs import Blob, Stored
from heddle.db import Database, Tx
from heddle.errors import CallerError, Conflict, HeddleError, InvalidRequest, Unavailable
from heddle.settings import Settings
from heddle.storage import Direct, Storage
from heddle.workflows import advance

log = logging.getLogger(__name__)

#: Where they come in.
FOLDER = "incoming"

#: A promise that is kept there lives longer than its link: what came at the last moment is still to be looked at.
SLACK = timedelta(seconds=60)

_PIECE = 1 << 20


def key(blob_id: str) -> str:
    """Where the bytes of a promise come in."""
    return f"{FOLDER}/{blob_id[-2:]}/{blob_id}"


def wanted(settings: Settings, storage: Storage) -> Direct | None:
    """The storage that upload URLs may lead to, if any."""
    return storage if settings.s3_direct_uploads and isinstance(storage, Direct) else None


def collect(db: Database, storage: Storage, settings: Settings, blob: Blob) -> Blob | None:
    """Turn what came for a promise into its blob; None when nothing came, or somebody else does just that. Blocks.

    Raises a CallerError for bytes that are not what was promised; they are removed, and the link takes others.
    Unavailable and OSError leave them for another time.
    """
    place = key(blob.id)
    try:
        with storage.open(place) as file:
            stored = _check(file, storage, settings, blob)
        kept = _record(db, storage, stored)
    except (KeyError, Conflict):
        return None
    except CallerError:
        storage.delete(place)
        raise
    storage.delete(place)
    return kept


def collect_all(db: Database, storage: Storage, settings: Settings) -> int:
    """Look at everything that came in; the number of new blobs. Blocks."""
    made = 0
    for place in storage.keys(FOLDER):
        blob = db.look(_promised, place)
        if blob is None:
            continue  # late, or none of ours: the sweep takes it
        try:
            made += collect(db, storage, settings, blob) is not None
        except CallerError as error:
            log.info("the upload of %s was refused: %s", blob.id, error.message)
        except (Unavailable, OSError) as error:  # the others need not wait for it
            log.warning("the upload of %s is looked at later: %s", blob.id, error)
    return made


def _promised(tx: Tx, place: str) -> Blob | None:
    found = blobs.origin(place)
    blob = blobs.get(tx, [found[0]]).get(found[0]) if found else None
    return blob if blob is not None and blob.state == "promised" else None


def _record(db: Database, storage: Storage, stored: Stored) -> Blob:
    try:
        return db.apply(advance.arrive, stored)
    except HeddleError:
        with suppress(OSError, Unavailable):  # the sweep will try again
            storage.delete(stored.key)
        raise


def _check(file: BinaryIO, storage: Storage, settings: Settings, blob: Blob) -> Stored:
    """Through the same gate as an upload to the server, and to a key of its own."""
    size = file.seek(0, 2)
    if size != blob.size:
        raise InvalidRequest.of("body", f"the URL was made for {blob.size} bytes, not for {size}")
    found = media.examine(file, blob.mime, settings.max_pixels, exact=True)
    found = media.measure(file, found, max_pixels=settings.max_pixels, max_s=settings.max_media_s)
    digest = hashlib.sha256()
    place = blobs.upload_key(blob.id)

    def pieces() -> Iterator[bytes]:
        file.seek(0)
        while piece := file.read(_PIECE):
            digest.update(piece)
            yield piece

    storage.write(place, pieces())
    return Stored(
        blob_id=blob.id,
        key=place,
        mime=found.mime,
        size=size,
        sha256=digest.hexdigest(),
        width=found.width,
        height=found.height,
        duration_ms=found.duration_ms,
        metadata={} if found.fps is None else {"fps": found.fps},
    )
