"""Blobs: records of stored bytes, and the signed links to them. Owns the tables blobs and signing_keys.

A blob is *promised* when an upload URL is handed out, and *stored* once its bytes lie in storage. A promise is kept
at most once; whoever comes second gets a Conflict. What an engine made becomes a stored blob when its job is recorded.
The bytes themselves are in storage, under a key that no client ever chooses.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec
from ulid import ULID

from heddle.db import Database, Row, Tx, marks
from heddle.domain import JSON, Artifact, first_id, from_ms, to_ms
from heddle.errors import CallerError, Conflict, Forbidden, NotFound

#: Nobody has looked at it. Levels above are the content ratings: 1 PG, 2 PG-13, 4 R, 8 X, 16 XXX.
UNRATED = 0
#: Suitable for everybody; what the engines here make unless they say otherwise (`nsfwLevel` in an artifact's metadata).
PG = 1

State = Literal["promised", "stored"]
#: What a link allows: reading the bytes, or sending them.
Act = Literal["get", "put"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A stored thing with an address, or the promise of one (then `key` is empty and `size` is what was declared)."""

    id: str
    account_id: int
    state: State
    key: str
    mime: str
    size: int | None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    nsfw_level: int = UNRATED
    nsfw_reason: str | None = None
    job_id: str | None = None
    metadata: JSON = field(default_factory=dict[str, Any])
    created_at: datetime
    upload_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """An upload that somebody was told to make."""

    blob_id: str
    account_id: int
    mime: str
    size: int | None
    upload_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Bytes that arrived and lie in storage under `key`. Without `account_id` they keep the promise of this id."""

    blob_id: str
    account_id: int | None = None
    key: str
    mime: str
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    metadata: JSON = field(default_factory=dict[str, Any])


# ── records ───────────────────────────────────────────────────────────────────


def upload_key(blob_id: str) -> str:
    """A fresh storage key. Each try has its own, so that two uploads of one promise never overwrite each other."""
    return f"uploads/{blob_id[-2:]}/{blob_id}.{ULID()}"


def promise(tx: Tx, promises: Sequence[Promise], at: datetime) -> list[Blob]:
    """Write promised blobs."""
    made = [
        Blob(
            id=p.blob_id,
            account_id=p.account_id,
            state="promised",
            key="",
            mime=p.mime,
            size=p.size,
            created_at=at,
            upload_until=p.upload_until,
        )
        for p in promises
    ]
    _insert(tx, made)
    return made


def store(tx: Tx, items: Sequence[Stored], at: datetime) -> list[Blob | CallerError]:
    """Uploads arrived: keep their promises, or write new records. An outcome that is an error wrote nothing."""
    promised = get(tx, [i.blob_id for i in items if i.account_id is None], keep=tx.for_update)
    kept: list[Blob] = []
    fresh: list[Blob] = []
    outcomes: list[Blob | CallerError] = []
    for item in items:
        outcome = uploaded(item, at) if item.account_id is not None else _keep(promised.get(item.blob_id), item, at)
        outcomes.append(outcome)
        if isinstance(outcome, CallerError):
            continue
        (fresh if item.account_id is not None else kept).append(outcome)
        promised[item.blob_id] = outcome
    _insert(tx, fresh)
    _update(tx, kept)
    return outcomes


def record(tx: Tx, artifacts: Sequence[tuple[int, str, Artifact]], at: datetime) -> None:
    """What jobs made becomes visible; call it in the transaction that ends the jobs. (account id, job id, artifact)."""
    _insert(
        tx,
        [
            Blob(
                id=a.blob_id,
                account_id=account_id,
                state="stored",
                key=a.key,
                mime=a.mime,
                size=a.size,
                sha256=a.sha256,
                width=a.width,
                height=a.height,
                duration_ms=a.duration_ms,
                nsfw_level=int(a.metadata.get("nsfwLevel", PG)),
                job_id=job_id,
                metadata=a.metadata,
                created_at=at,
            )
            for account_id, job_id, artifact in artifacts
            for a in (artifact, artifact.preview)
            if a is not None
        ],
    )


def get(tx: Tx, ids: Sequence[str], *, keep: str = "") -> dict[str, Blob]:
    """Blobs by id; those that do not exist are left out. `keep`: `tx.for_update` or `tx.for_share`, in a verb."""
    if not ids:
        return {}
    found = tx.all(f"SELECT * FROM blobs WHERE id IN ({marks(ids)}) ORDER BY id{keep}", ids)  # noqa: S608
    return {row["id"]: _blob(row) for row in found}


def stored(tx: Tx, after: str, limit: int) -> list[Blob]:
    """Those whose bytes are there, by id, `limit` at a time."""
    found = tx.all("SELECT * FROM blobs WHERE id > ? AND state = 'stored' ORDER BY id LIMIT ?", (after, limit))
    return [_blob(row) for row in found]


def of_account(tx: Tx, account_id: int, blob_id: str) -> Blob:
    """One blob of an account. Raises NotFound, also when it is somebody else's."""
    blob = get(tx, [blob_id]).get(blob_id)
    if blob is None or blob.account_id != account_id:
        raise NotFound(f"there is no blob {blob_id!r}")
    return blob


def expired_promises(tx: Tx, at: datetime, limit: int) -> list[Blob]:
    """Promises whose time is over, the oldest first, without those that somebody just keeps or asks for."""
    found = tx.all(
        "SELECT * FROM blobs WHERE state = 'promised' AND upload_until < ?"  # noqa: S608
        f" ORDER BY upload_until LIMIT ?{tx.skip_locked}",
        (to_ms(at), limit),
    )
    return [_blob(row) for row in found]


def uploads_before(tx: Tx, moment: datetime, after: str, limit: int) -> list[str]:
    """The oldest uploads, after an id, that were stored and are older than a moment, without those that somebody just
    asks for. Ids begin with theirs."""
    found = tx.all(
        "SELECT id FROM blobs WHERE id > ? AND id < ? AND job_id IS NULL AND state = 'stored'"  # noqa: S608
        f" ORDER BY id LIMIT ?{tx.skip_locked}",
        (after, first_id("blob", moment), limit),
    )
    return [row["id"] for row in found]


def forget(tx: Tx, ids: Sequence[str]) -> None:
    """Remove records; bytes in storage are left to the sweep."""
    if ids:
        tx.run(f"DELETE FROM blobs WHERE id IN ({marks(ids)})", ids)  # noqa: S608


def origin(key: str) -> tuple[str, datetime] | None:
    """Which blob the bytes under a storage key were written for, and when the key was made; None: not one of ours."""
    found = _KEY.fullmatch(key)
    return (found[1], ULID.from_str(found[3] or found[2]).datetime) if found else None


#: A key of an upload, or of an artifact of a job: it ends in the id of its blob, an upload's in a ULID of its own.
_KEY = re.compile(r"(?:[^/]+/)+(blob_([0-7][0-9A-HJKMNP-TV-Z]{25}))(?:\.([0-7][0-9A-HJKMNP-TV-Z]{25}))?")

_COLUMNS = (
    "id, account_id, state, storage_key, mime, size, sha256, width, height, duration_ms, nsfw_level, nsfw_reason,"
    " job_id, metadata, created_at, upload_until"
)


def _insert(tx: Tx, made: Sequence[Blob]) -> None:
    tx.many(
        f"INSERT INTO blobs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        [_row(blob) for blob in made],
    )


def _update(tx: Tx, kept: Sequence[Blob]) -> None:
    tx.many(
        "UPDATE blobs SET state = 'stored', storage_key = ?, mime = ?, size = ?, sha256 = ?, width = ?, height = ?,"
        " duration_ms = ?, metadata = ?, upload_until = NULL WHERE id = ? AND state = 'promised'",
        [(b.key, b.mime, b.size, b.sha256, b.width, b.height, b.duration_ms, _text(b.metadata), b.id) for b in kept],
    )


def uploaded(item: Stored, at: datetime) -> Blob:
    """The record that bytes become for which there was no promise."""
    assert item.account_id is not None
    return Blob(
        id=item.blob_id,
        account_id=item.account_id,
        state="stored",
        key=item.key,
        mime=item.mime,
        size=item.size,
        sha256=item.sha256,
        width=item.width,
        height=item.height,
        duration_ms=item.duration_ms,
        metadata=item.metadata,
        created_at=at,
    )


def _keep(promised: Blob | None, item: Stored, at: datetime) -> Blob | CallerError:
    if promised is None:
        return NotFound(f"nobody waits for the blob {item.blob_id!r} any more; ask for a new upload URL")
    if promised.state == "stored":
        return Conflict(f"the blob {item.blob_id!r} has its bytes already")
    if promised.upload_until is not None and at > promised.upload_until:
        return Forbidden("the upload URL expired before the last byte arrived; ask for a new one")
    return replace(
        promised,
        state="stored",
        key=item.key,
        mime=item.mime,
        size=item.size,
        sha256=item.sha256,
        width=item.width,
        height=item.height,
        duration_ms=item.duration_ms,
        metadata=item.metadata,
        upload_until=None,
    )


def _row(b: Blob) -> tuple[Any, ...]:
    return (
        b.id,
        b.account_id,
        b.state,
        b.key,
        b.mime,
        b.size,
        b.sha256,
        b.width,
        b.height,
        b.duration_ms,
        b.nsfw_level,
        b.nsfw_reason,
        b.job_id,
        _text(b.metadata),
        to_ms(b.created_at),
        None if b.upload_until is None else to_ms(b.upload_until),
    )


def _blob(row: Row) -> Blob:
    created_at = from_ms(row["created_at"])
    assert created_at is not None
    return Blob(
        id=row["id"],
        account_id=row["account_id"],
        state=row["state"],
        key=row["storage_key"],
        mime=row["mime"],
        size=row["size"],
        sha256=row["sha256"],
        width=row["width"],
        height=row["height"],
        duration_ms=row["duration_ms"],
        nsfw_level=row["nsfw_level"],
        nsfw_reason=row["nsfw_reason"],
        job_id=row["job_id"],
        metadata={} if row["metadata"] == "{}" else msgspec.json.decode(row["metadata"]),
        created_at=created_at,
        upload_until=from_ms(row["upload_until"]),
    )


def _text(metadata: JSON) -> str:
    return msgspec.json.encode(metadata).decode()


# ── signed links ──────────────────────────────────────────────────────────────

_KEY_PREFIX = "links."


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link with a right signature allows."""

    act: Act
    blob_id: str
    expires_at: datetime
    mime: str = ""
    size: int | None = None


class Signer:
    """Signs links and checks them. The newest key signs, every known key is accepted, so keys can be rotated."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self._newest = max(self._keys, key=int)

    @classmethod
    def from_db(cls, db: Database) -> Signer:
        """With the keys of this database; the first caller makes one."""
        keys = db.look(_keys)
        if not keys:
            db.apply(_first_key, secrets.token_bytes(32))
            keys = db.look(_keys)
        return cls(keys)

    def url(self, base: str, blob_id: str, expires_at: datetime) -> str:
        """A link to the bytes of a blob."""
        exp = str(int(expires_at.timestamp()))
        # Everything in it is URL-safe by construction; this is called once per blob of every answer.
        return f"{base}/v2/consumer/blobs/content/{quote(blob_id)}?exp={exp}&sig={self._sign('get', blob_id, exp)}"

    def upload_url(self, base: str, blob_id: str, mime: str, size: int | None, expires_at: datetime) -> str:
        """A link to which the bytes of a promised blob can be sent once."""
        exp, declared = str(int(expires_at.timestamp())), "" if size is None else str(size)
        sig = self._sign("put", blob_id, exp, mime, declared)
        query = {"exp": exp, "type": mime} | ({"size": declared} if declared else {}) | {"sig": sig}
        return f"{base}/v2/consumer/blobs/upload/{quote(blob_id)}?{urlencode(query)}"

    def check(self, act: Act, blob_id: str, query: Mapping[str, str], at: datetime) -> Link:
        """What the query of a link allows. Raises Forbidden: signature first, so that a forger learns nothing."""
        exp, mime, size = query.get("exp", ""), query.get("type", ""), query.get("size", "")
        if act == "get":
            mime = size = ""
        self._verify(query.get("sig", ""), (act, blob_id, exp, mime, size))
        expires_at = datetime.fromtimestamp(int(exp), UTC)
        if at >= expires_at:
            raise Forbidden("this link has expired; get the blob again for a new one")
        return Link(act=act, blob_id=blob_id, expires_at=expires_at, mime=mime, size=int(size) if size else None)

    def _verify(self, sig: str, parts: Sequence[str]) -> None:
        name, _, given = sig.partition(".")
        key = self._keys.get(name)
        # An unknown key costs as much time as a wrong signature.
        expected = _mac(key or b"?", parts)
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")) or key is None:
            raise Forbidden("the signature of this link is wrong; links must be used exactly as they were given")

    def _sign(self, act: Act, blob_id: str, exp: str, mime: str = "", size: str = "") -> str:
        return f"{self._newest}.{_mac(self._keys[self._newest], (act, blob_id, exp, mime, size))}"


def _mac(key: bytes, parts: Sequence[str]) -> str:
    """Always five parts, and what we sign holds no line break: two lists of parts never give one message."""
    digest = hmac.digest(key, "\n".join(parts).encode("utf-8", "replace"), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _keys(tx: Tx) -> dict[str, bytes]:
    rows = tx.all("SELECT name, value FROM signing_keys WHERE name LIKE ?", (f"{_KEY_PREFIX}%",))
    return {row["name"].removeprefix(_KEY_PREFIX): bytes.fromhex(row["value"]) for row in rows}


def _first_key(tx: Tx, keys: Sequence[bytes]) -> list[None]:
    """Two processes that start at once agree on whichever came first."""
    tx.many(
        "INSERT INTO signing_keys (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        [(f"{_KEY_PREFIX}1", key.hex()) for key in keys],
    )
    return [None] * len(keys)
