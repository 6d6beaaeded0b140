"""Blobs over HTTP: upload, upload URL, get, head, refresh; and the signed addresses behind them.

Bytes that come in are counted and hashed as they arrive, pass the media gate, are written to storage and only then
become a record; whoever is refused on the way leaves nothing behind. Who asks is checked before the first byte of a
body is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from heddle import blobs, media
from heddle.api import intake, outgoing
from heddle.api.auth import account
from heddle.api.deps import Deps, answer, base_url, deps, link_expiry
from heddle.api.incoming import Incoming, content_length, read_form, receive
from heddle.blobs import Blob, Link, Promise
from heddle.contract.base import validate
from heddle.contract.blobs import UploadQuery, render
from heddle.contract.orchestration import moment
from heddle.db import Tx
from heddle.domain import new_id, now
from heddle.errors import (
    CallerError,
    Conflict,
    InvalidRequest,
    NotFound,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
)
from heddle.workflows import arrivals

_ID = re.compile(r"blob_[0-9A-Z]{26}")


# ── records ───────────────────────────────────────────────────────────────────


async def get_blob(request: Request) -> Response:
    """Show a blob. One that is promised and not yet uploaded has no `url`."""
    return _shown(request, await _seen(request))


async def head_blob(request: Request) -> Response:
    """Ask whether a blob is there. `X-Nsfw-Level` says how it is rated."""
    shown = _shown(request, await _seen(request))
    return Response(status_code=200, headers=dict(shown.headers))


async def refresh_blob(request: Request) -> Response:
    """Make a link with a new life."""
    blob = await _collected(request, await _own(request))
    if blob.state != "stored":
        raise Conflict(f"the blob {blob.id!r} has no bytes yet; send them to its upload URL first")
    return _shown(request, blob)


async def get_blob_upload_url(request: Request) -> Response:
    """Promise a blob and say where its bytes go."""
    parts = deps(request)
    owner = await account(request)
    query = validate(UploadQuery, {k: v for k, v in request.query_params.items() if v not in {"", "null"}})
    mime, size = _declared_type(query.mime_type), query.size_bytes
    if size is not None and size > _limit(parts):
        raise TooLarge(f"sizeBytes: {size} is more than the {_limit(parts)} bytes that this server takes")
    # Whole seconds, so that the link, the record and the answer agree.
    expires_at = now().replace(microsecond=0) + timedelta(seconds=parts.settings.upload_ttl_s)
    blob_id = new_id("blob")
    # Without a size nothing would bound what is sent there.
    direct = arrivals.wanted(parts.settings, parts.storage) if size is not None else None
    until = expires_at + arrivals.SLACK if direct else expires_at
    promise = Promise(blob_id=blob_id, account_id=owner.id, mime=mime, size=size, upload_until=until)
    await parts.db.write(_promise, promise)
    if direct is not None and size is not None:
        seconds = max(1, int((expires_at - now()).total_seconds()))
        url = await intake.in_thread(direct.upload_url, arrivals.key(blob_id), seconds, mime, size)
    else:
        url = parts.signer.upload_url(base_url(request), blob_id, mime, size, expires_at)
    return answer(
        {"blobId": blob_id, "uploadUrl": url, "expiresAt": moment(expires_at), "headers": {"Content-Type": mime}}
    )


async def _own(request: Request) -> Blob:
    owner = await account(request)
    return await deps(request).db.read(blobs.of_account, owner.id, _blob_id(request))


async def _seen(request: Request) -> Blob:
    """A blob as it is shown: what was wrong with an upload is for whoever asks for a link."""
    blob = await _own(request)
    try:
        return await _collected(request, blob)
    except (CallerError, Unavailable):
        return blob


async def _collected(request: Request, blob: Blob) -> Blob:
    """After a look at what may have come straight to the storage. Raises what an upload would have been told."""
    parts = deps(request)
    if blob.state == "stored" or not arrivals.wanted(parts.settings, parts.storage):
        return blob
    run = intake.to_probe if media.lasts(blob.mime) else intake.in_thread
    await run(arrivals.collect, parts.db, parts.storage, parts.settings, blob)
    return await _own(request)


def _blob_id(request: Request) -> str:
    blob_id: str = request.path_params["blobId"]
    if not _ID.fullmatch(blob_id):
        raise NotFound(f"there is no blob {blob_id!r}")
    return blob_id


def _shown(request: Request, blob: Blob, status: int = 200) -> Response:
    headers = {"X-Nsfw-Level": str(blob.nsfw_level)}
    if blob.state != "stored":
        return answer(render(blob), status, headers)
    parts = deps(request)
    expires_at = link_expiry(parts.settings).replace(microsecond=0)
    return answer(render(blob, parts.signer.url(base_url(request), blob.id, expires_at), expires_at), status, headers)


def _declared_type(mime_type: str) -> str:
    try:
        if mime := media.named(mime_type):
            return mime
    except UnsupportedMedia as error:
        raise InvalidRequest.of("mimeType", error.message) from error
    raise InvalidRequest.of("mimeType", f"{mime_type!r} says nothing; name one of: {', '.join(media.TYPES)}")


def _limit(parts: Deps) -> int:
    return parts.settings.max_upload_mb * 1024 * 1024


def _promise(tx: Tx, promises: Sequence[Promise]) -> list[Blob]:
    return blobs.promise(tx, promises, now())


# ── bytes in ──────────────────────────────────────────────────────────────────


async def upload_blob(request: Request) -> Response:
    """Upload a blob. Send a form with a part `file`, or the bytes themselves under their media type."""
    parts = deps(request)
    owner = await account(request)
    limit = _limit(parts)
    incoming = Incoming(limit, _too_large(limit))
    try:
        said = media.named(await _read_upload(request, incoming, parts.settings.upload_ttl_s, limit))
        arrived = await intake.take(parts, incoming, new_id("blob"), said, owner.id)
    finally:
        incoming.close()
    return _shown(request, await intake.store(parts, arrived), 201)


async def put_blob(request: Request) -> Response:
    """Send the bytes of a promised blob. The link's signature is the permission."""
    parts = deps(request)
    blob_id = _blob_id(request)
    link = parts.signer.check("put", blob_id, request.query_params, now())
    await _check_waiting(parts, blob_id)
    _check_promised_type(request, link)
    incoming = _promised_size(request, link, _limit(parts))
    try:
        await receive(request, incoming.add, (link.expires_at - now()).total_seconds())
        if link.size is not None and incoming.size != link.size:
            raise _wrong_size(link.size, incoming.size)
        arrived = await intake.take(parts, incoming, blob_id, link.mime, None)
    finally:
        incoming.close()
    return _shown(request, await intake.store(parts, arrived), 201)


async def _read_upload(request: Request, incoming: Incoming, seconds: float, limit: int) -> str:
    content_type = request.headers.get("content-type", "")
    bare = content_type.partition(";")[0].strip().lower()
    if bare == "multipart/form-data":
        return await read_form(request, incoming, seconds, limit)
    if bare in {"application/json", "application/x-www-form-urlencoded"}:
        raise UnsupportedMedia(
            f"an upload is multipart/form-data with a part `file`, or the bytes under their media type, not {bare}"
        )
    media.named(content_type)  # before the body is read
    if (content_length(request) or 0) > limit:
        raise _too_large(limit)
    await receive(request, incoming.add, seconds)
    return content_type


async def _check_waiting(parts: Deps, blob_id: str) -> None:
    """Spare everybody the transfer when the outcome is known; the transaction at the end decides."""
    blob = (await parts.db.read(blobs.get, [blob_id])).get(blob_id)
    if blob is None:
        raise NotFound(f"nobody waits for the blob {blob_id!r} any more; ask for a new upload URL")
    if blob.state == "stored":
        raise Conflict(f"the blob {blob_id!r} has its bytes already")


def _check_promised_type(request: Request, link: Link) -> None:
    """Some clients send no type with a PUT; the signed one stands then."""
    given = request.headers.get("content-type", link.mime)
    bare = given.partition(";")[0].strip().lower()
    try:
        right = media.named(given) == link.mime
    except UnsupportedMedia:
        right = False
    if not right:
        raise UnsupportedMedia(f"this URL was made for {link.mime}, and the Content-Type is {bare[:80]!r}")


def _promised_size(request: Request, link: Link, limit: int) -> Incoming:
    said = content_length(request)
    if link.size is not None and said is not None and said != link.size:
        raise _wrong_size(link.size, said)
    if said is not None and said > limit:
        raise _too_large(limit)
    if link.size is None:
        return Incoming(limit, _too_large(limit))
    return Incoming(link.size, _wrong_size(link.size, f"more than {link.size}"))


def _too_large(limit: int) -> CallerError:
    return TooLarge(f"the upload is larger than the {limit} bytes that this server takes")


def _wrong_size(promised: int, came: int | str) -> CallerError:
    return InvalidRequest.of("body", f"this URL was made for {promised} bytes, not for {came}")


# ── bytes out ─────────────────────────────────────────────────────────────────


async def open_blob(request: Request) -> Response:
    """Fetch the bytes of a blob. The link's signature is the permission; `HEAD` and one `Range` are answered, too.

    A server whose storage can be reached by clients answers with a redirect there.
    """
    parts = deps(request)
    blob_id, at = _blob_id(request), now()
    link = parts.signer.check("get", blob_id, request.query_params, at)
    blob = (await parts.db.read(blobs.get, [blob_id])).get(blob_id)
    if blob is None or blob.state != "stored":
        raise NotFound(f"there are no bytes for {blob_id!r}")
    direct = parts.settings.s3_direct
    return await outgoing.respond(request, parts.storage, blob, link.expires_at, at, direct=direct)
