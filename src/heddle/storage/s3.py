"""Bytes as objects of an S3 bucket: AWS, MinIO, Ceph, R2 and other services of that interface.

Only what all of them know is used: no default checksums of newer clients (Content-MD5 instead), parts of one size,
and the bucket in the path where the service is not AWS. boto3 comes with the extra `s3` and is imported here alone.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from heddle.errors import Unavailable, UsageError
from heddle.storage import Partial

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, ObjectIdentifierTypeDef

#: A value of this size or more goes up in parts, a few of which are in memory at a time. There may be 10,000 of them,
#: so that a value may have 78 GiB.
PART = 8 << 20

#: What one request brings of a value that is being read, from the first to one that is read to the end.
_LEAST, _MOST = 256 << 10, 4 << 20

#: How long a service may stay silent, and how often something is asked for at all (with growing pauses).
_CONNECT_S, _READ_S, _TRIES = 5, 20, 4

#: Keys that one request removes at most.
_BATCH = 1000

#: There is nothing there: of an object, of a bucket, and of both in answers that have no body.
_NO_KEY, _NO_BUCKET, _NEITHER = "NoSuchKey", "NoSuchBucket", ("404", "NotFound")

#: What would write secrets and signed links into a log that is set to `debug`.
_CHATTY = ("boto3", "botocore", "urllib3", "s3transfer")


class S3Storage:
    """`options` name the bucket and the service, after the settings that begin with `s3_`."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options
        self._bucket = options["bucket"]
        prefix = options.get("prefix", "").strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        _check_library()

    # ── the protocol ──────────────────────────────────────────────────────────

    def check(self) -> None:
        _check_options(self._options)
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except _errors() as error:
            raise UsageError(*_unusable(error, self._options)) from error

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        parts = _parts(chunks)
        first = next(parts, b"")
        with self._trouble():
            if len(first) == PART:
                return self._write_parts(key, chain((first,), parts))
            self._client.put_object(Bucket=self._bucket, Key=self._name(key), Body=first, ContentMD5=_md5(first))
        return len(first)

    def open(self, key: str) -> BinaryIO:
        found = self._head(key)
        if found is None:
            raise KeyError(key)
        size, etag = found

        def fetch(start: int, stop: int) -> bytes:
            with self._trouble(key):
                return self._read(self._name(key), f"bytes={start}-{stop - 1}", etag)

        return cast("BinaryIO", io.BufferedReader(_Ranges(fetch, size)))  # it is one in all but name

    def size(self, key: str) -> int | None:
        found = self._head(key)
        return None if found is None else found[0]

    def delete(self, *keys: str) -> None:
        with self._trouble():
            if len(keys) == 1:
                # Some services know only this one.
                self._client.delete_object(Bucket=self._bucket, Key=self._name(keys[0]))
                return
            for start in range(0, len(keys), _BATCH):
                objects: list[ObjectIdentifierTypeDef] = [
                    {"Key": self._name(key)} for key in keys[start : start + _BATCH]
                ]
                done = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
                for refused in done.get("Errors", ()):
                    raise Unavailable(f"the bucket {self._bucket!r} did not delete: {refused.get('Message')}")

    def keys(self, prefix: str) -> Iterator[str]:
        below = self._name(f"{prefix.strip('/')}/" if prefix else "")
        for page in self._pages("list_objects_v2", Prefix=below):
            for found in page.get("Contents", ()):
                yield found["Key"].removeprefix(self._prefix)

    def partials(self, before: datetime) -> Iterator[Partial]:
        for page in self._pages("list_multipart_uploads", Prefix=self._prefix):
            for found in page.get("Uploads", ()):
                if found["Initiated"] < before:
                    name, mark = found["Key"], found["UploadId"]
                    yield Partial(key=name.removeprefix(self._prefix), mark=mark, size=self._parts_size(name, mark))

    def discard(self, partial: Partial) -> None:
        with self._trouble(), _unless("NoSuchUpload"):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._name(partial.key), UploadId=partial.mark)

    # ── links for clients ─────────────────────────────────────────────────────

    def download_url(self, key: str, seconds: int, headers: Mapping[str, str]) -> str:
        wanted = {f"Response{name.replace('-', '')}": value for name, value in headers.items()}
        return self._sign("get_object", key, seconds, wanted)

    def upload_url(self, key: str, seconds: int, mime: str, size: int) -> str:
        # Both are signed: the service refuses another type or length, as far as it looks.
        return self._sign("put_object", key, seconds, {"ContentType": mime, "ContentLength": size})

    def _sign(self, act: str, key: str, seconds: int, more: Mapping[str, Any]) -> str:
        named = {"Bucket": self._bucket, "Key": self._name(key), **more}
        with self._trouble(key):
            return self._public.generate_presigned_url(act, Params=named, ExpiresIn=seconds)

    # ── requests ──────────────────────────────────────────────────────────────

    def _name(self, key: str) -> str:
        return self._prefix + key

    def _head(self, key: str) -> tuple[int, str] | None:
        """Size and version; None when there is nothing."""
        try:
            with self._trouble(key):
                found = self._client.head_object(Bucket=self._bucket, Key=self._name(key))
        except KeyError:
            return None
        return found["ContentLength"], found["ETag"]

    def _read(self, name: str, part: str, etag: str) -> bytes:
        """Of the same version throughout, should somebody write under this key meanwhile."""
        for left in reversed(range(_TRIES)):
            got = self._client.get_object(Bucket=self._bucket, Key=name, Range=part, IfMatch=etag)
            try:
                return got["Body"].read()
            except _errors():  # the connection broke; boto3 repeats a request, not the reading of its answer
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _write_parts(self, key: str, parts: Iterable[bytes]) -> int:
        bucket, name = self._bucket, self._name(key)
        upload = self._client.create_multipart_upload(Bucket=bucket, Key=name)["UploadId"]
        done: list[CompletedPartTypeDef] = []
        size = 0
        try:
            for number, part in enumerate(parts, 1):
                sent = self._client.upload_part(
                    Bucket=bucket, Key=name, UploadId=upload, PartNumber=number, Body=part, ContentMD5=_md5(part)
                )
                done.append({"PartNumber": number, "ETag": sent["ETag"]})
                size += len(part)
            self._complete(key, upload, done, size)
        except BaseException:
            with suppress(*_errors()):  # what cannot be taken back now is left to the sweep
                self._client.abort_multipart_upload(Bucket=bucket, Key=name, UploadId=upload)
            raise
        return size

    def _complete(self, key: str, upload: str, parts: list[CompletedPartTypeDef], size: int) -> None:
        try:
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=self._name(key), UploadId=upload, MultipartUpload={"Parts": parts}
            )
        except _errors() as error:
            # Done by a first try whose answer was lost: then the upload is no more, and the value is there.
            if _code(error) != "NoSuchUpload" or self.size(key) != size:
                raise

    def _parts_size(self, name: str, upload: str) -> int:
        with _unless("NoSuchUpload"):
            pages = self._pages("list_parts", Key=name, UploadId=upload)
            return sum(part.get("Size", 0) for page in pages for part in page.get("Parts", ()))
        return 0

    def _pages(self, operation: Any, **given: Any) -> Iterator[Any]:
        with self._trouble():
            # It has an overload for every list there is.
            paginator = cast("Any", self._client).get_paginator(operation)
            yield from paginator.paginate(Bucket=self._bucket, **given)

    @contextmanager
    def _trouble(self, key: str = "") -> Generator[None]:
        """A missing object is a KeyError; whatever else the service or the way to it says is Unavailable."""
        try:
            yield
        except _errors() as error:
            code = _code(error)
            if key and (code == _NO_KEY or (code in _NEITHER and self._has_bucket())):
                raise KeyError(key) from error
            raise Unavailable(_sentence(error)) from error

    def _has_bucket(self) -> bool:
        """Whether a plain 404 was about the object. Raises Unavailable when that cannot be told."""
        with self._trouble(), _unless(*_NEITHER, _NO_BUCKET):
            self._client.head_bucket(Bucket=self._bucket)
            return True
        return False

    @cached_property
    def _client(self) -> S3Client:
        return _client(self._options, self._options.get("endpoint", ""))

    @cached_property
    def _public(self) -> S3Client:
        """For links: they are signed for the address at which clients reach the service."""
        address = self._options.get("public_endpoint", "")
        return _client(self._options, address) if address else self._client


class _Ranges(io.RawIOBase):
    """Reads by ranged requests. Whoever reads on gets larger pieces, whoever jumps small ones."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._at = 0
        self._start, self._held = 0, b""
        self._next = _LEAST

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        if at < 0:
            raise ValueError(f"cannot seek to {at}")
        self._at = at
        return at

    def readinto(self, into: Any, /) -> int:
        want = min(len(into), self._size - self._at)
        if want <= 0:
            return 0
        if not self._start <= self._at < self._start + len(self._held):
            self._load(want)
        begin = self._at - self._start
        piece = self._held[begin : begin + want]
        into[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def readall(self) -> bytes:
        """The rest, in one request."""
        start, self._at = self._at, max(self._at, self._size)
        return self._fetch(start, self._size) if start < self._size else b""

    def _load(self, want: int) -> None:
        follows = self._at == self._start + len(self._held)
        self._next = min(_MOST, 2 * self._next) if follows and self._held else _LEAST
        stop = min(self._size, self._at + max(want, self._next))
        self._start, self._held = self._at, self._fetch(self._at, min(stop, self._at + _MOST))


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of PART, the last one shorter."""
    held = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            piece = view[: PART - len(held)]
            held += piece
            view = view[len(piece) :]
            if len(held) == PART:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)


def _md5(data: bytes) -> str:
    """Against damage on the way, which every such service checks; not a matter of secrecy."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


# ── the library ───────────────────────────────────────────────────────────────


def _check_library() -> None:
    try:
        import_module("boto3")
    except ImportError as error:
        raise UsageError(
            f"HEDDLE_STORAGE is 's3', and {error.name} is not installed",
            "run `pip install 'heddle-cloud[s3]'`, or set HEDDLE_STORAGE to disk",
        ) from error


def _client(options: Mapping[str, str], endpoint: str) -> S3Client:
    from boto3.session import Session  # noqa: PLC0415 - of an extra
    from botocore.config import Config  # noqa: PLC0415

    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its client has an overload for every service of AWS.
    session: Any = Session(
        aws_access_key_id=options.get("access_key") or None,
        aws_secret_access_key=options.get("secret_key") or None,
        region_name=options.get("region") or None,
    )
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint else "auto"},
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        max_pool_connections=64,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    region = session.region_name or "us-east-1"
    return session.client("s3", region_name=region, endpoint_url=endpoint or None, config=config)


def _errors() -> tuple[type[Exception], ...]:
    """All that a request may raise; evaluated only where something was raised."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    return BotoCoreError, ClientError


def _code(error: Exception) -> str:
    """What the service calls it; empty where the service did not speak."""
    answer: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))


@contextmanager
def _unless(*codes: str) -> Generator[None]:
    """Let these refusals pass."""
    try:
        yield
    except _errors() as error:
        if _code(error) not in codes:
            raise


def _sentence(error: Exception) -> str:
    """For the callers of the API as well: it names no address, and what the library says may hold one."""
    from botocore import exceptions as its  # noqa: PLC0415

    if isinstance(error, its.ClientError):
        return f"the bucket refused {error.operation_name}: {_code(error)}"
    if isinstance(error, its.NoCredentialsError | its.PartialCredentialsError):
        return "there are no credentials for the bucket"
    if isinstance(error, its.ConnectTimeoutError | its.ReadTimeoutError):
        return "the bucket did not answer in time"
    if isinstance(error, its.HTTPClientError | its.ConnectionError):
        return "the bucket cannot be reached"
    return f"the bucket cannot be used: {type(error).__name__}"


def _check_options(options: Mapping[str, str]) -> None:
    if not options["bucket"]:
        raise UsageError(
            "HEDDLE_STORAGE is 's3', and HEDDLE_S3_BUCKET is empty", "set it to the name of a bucket that exists"
        )
    if bool(options.get("access_key")) != bool(options.get("secret_key")):
        missing = "HEDDLE_S3_SECRET_KEY" if options.get("access_key") else "HEDDLE_S3_ACCESS_KEY"
        raise UsageError(f"{missing} is empty, and the other half of the pair is not", "set both, or none of them")


def _unusable(error: Exception, options: Mapping[str, str]) -> tuple[str, str]:
    """Why the bucket cannot be used, and which setting to look at."""
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

    bucket, where = options["bucket"], options.get("endpoint") or "AWS"
    keys = "HEDDLE_S3_ACCESS_KEY and HEDDLE_S3_SECRET_KEY, or the usual ones of AWS"
    if _code(error) in {*_NEITHER, _NO_BUCKET}:
        return (
            f"HEDDLE_S3_BUCKET is {bucket!r}, and there is no such bucket at {where}",
            "make it first, or correct HEDDLE_S3_BUCKET or HEDDLE_S3_ENDPOINT",
        )
    if _code(error) in {"403", "AccessDenied", "Forbidden"}:
        return (
            f"{where} does not let these credentials list the bucket {bucket!r}",
            f"correct {keys}; they must be allowed to list, read, write and delete there",
        )
    if isinstance(error, NoCredentialsError):
        return f"there are no credentials for the bucket {bucket!r} at {where}", f"set {keys}"
    return (
        f"the bucket {bucket!r} at {where} cannot be used: {_sentence(error)} ({type(error).__name__})",
        "check HEDDLE_S3_BUCKET, HEDDLE_S3_ENDPOINT and HEDDLE_S3_REGION",
    )
