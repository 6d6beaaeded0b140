"""Blobs on the wire: the query of an upload URL, and a blob as the API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from pydantic import Field

from heddle.contract.base import Wire
from heddle.contract.orchestration import moment, present


class UploadQuery(Wire):
    """`?mimeType=image/png&sizeBytes=1234`."""

    mime_type: str
    size_bytes: int | None = Field(default=None, gt=0)


class Shown(Protocol):
    """What a blob must know to be shown."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def mime(self) -> str: ...
    @property
    def size(self) -> int | None: ...
    @property
    def sha256(self) -> str | None: ...
    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...
    @property
    def duration_ms(self) -> int | None: ...
    @property
    def nsfw_level(self) -> int: ...
    @property
    def nsfw_reason(self) -> str | None: ...
    @property
    def job_id(self) -> str | None: ...
    @property
    def created_at(self) -> datetime: ...


def render(blob: Shown, url: str | None = None, url_expires_at: datetime | None = None) -> dict[str, Any]:
    """A blob as the blob endpoints answer it. What is not known is absent, never null."""
    return present(
        {
            "id": blob.id,
            "mimeType": blob.mime,
            "sizeBytes": blob.size,
            "url": url,
            "urlExpiresAt": moment(url_expires_at),
            "sha256": blob.sha256,
            "nsfwLevel": blob.nsfw_level,
            "nsfwReason": blob.nsfw_reason,
            "createdAt": moment(blob.created_at),
            "available": blob.state == "stored",
            "width": blob.width,
            "height": blob.height,
            "durationMs": blob.duration_ms,
            "jobId": blob.job_id,
        }
    )


def moderate(text: str) -> bool:
    """The form field `moderate` in every spelling that clients send. Raises KeyError for any other."""
    return {"true": True, "1": True, "": True, "null": True, "none": True, "false": False, "0": False}[
        text.strip().lower()
    ]
