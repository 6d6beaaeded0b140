"""The Site API on the wire: how a model version and a user are shown.

The functions take what the owners keep, described by protocols, because the contract knows no owner. The models
describe the answers for the OpenAPI document; nothing is checked against them at run time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import Field

from heddle.contract.base import Wire
from heddle.contract.orchestration import moment, present

#: Formats that the wire has a word for; others are shown as `Other`, with their own name in the metadata.
_FORMATS = ("SafeTensor", "PickleTensor", "Other")


class Account(Protocol):
    """What is shown of an account."""

    @property
    def id(self) -> int: ...
    @property
    def username(self) -> str: ...
    @property
    def email(self) -> str | None: ...
    @property
    def tier(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...


class CatalogModel(Protocol):
    """What a version shows of its model."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...


class CatalogVersion(Protocol):
    """What is shown of a version."""

    @property
    def id(self) -> int: ...
    @property
    def model_id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def base_model(self) -> str: ...
    @property
    def base_model_type(self) -> str: ...
    @property
    def air(self) -> str: ...
    @property
    def trained_words(self) -> Sequence[str]: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def published_at(self) -> datetime | None: ...


class CatalogFile(Protocol):
    """What is shown of a file."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def hashes(self) -> Mapping[str, str]: ...
    @property
    def primary(self) -> bool: ...


def user(value: Account) -> dict[str, Any]:
    """The account that asks, as `getCurrentUser` shows it."""
    return present(
        {
            "id": value.id,
            "username": value.username,
            "email": value.email,
            "tier": value.tier,
            "createdAt": moment(value.created_at),
        }
    )


def model_version(value: CatalogVersion, model: CatalogModel, files: Sequence[CatalogFile]) -> dict[str, Any]:
    """A version with its files. The counts are zero because nobody can download, rate or comment here."""
    return present(
        {
            "id": value.id,
            "modelId": value.model_id,
            "name": value.name,
            "description": value.description or None,
            "baseModel": value.base_model,
            "baseModelType": value.base_model_type,
            "createdAt": moment(value.created_at),
            "updatedAt": moment(value.created_at),
            "publishedAt": moment(value.published_at),
            "trainedWords": list(value.trained_words),
            "air": value.air,
            "model": {"name": model.name, "type": model.type},
            "files": [model_file(file) for file in files],
            "images": [],
            "stats": {"downloadCount": 0, "favoriteCount": 0, "commentCount": 0, "ratingCount": 0, "thumbsUpCount": 0},
        }
    )


def model_file(value: CatalogFile) -> dict[str, Any]:
    """A file. `Success` says that it is of a format that cannot carry code, which is checked when it is added."""
    hashes = dict(value.hashes)
    if "BLAKE3" in hashes:  # written both ways by the API's own clients
        hashes["Blake3"] = hashes["BLAKE3"]
    return {
        "id": value.id,
        "name": value.name,
        "sizeKB": value.size / 1024,
        "type": value.type,
        "format": value.format if value.format in _FORMATS else "Other",
        "metadata": {"format": value.format},
        "pickleScanResult": "Success",
        "hashes": hashes,
        "primary": value.primary,
    }


class User(Wire):
    """The account that a token belongs to."""

    id: int
    username: str
    email: str | None = None
    tier: Literal["Free", "Founder", "Bronze", "Silver", "Gold"]
    created_at: datetime


class Stats(Wire):
    """Counts."""

    download_count: int
    favorite_count: int
    comment_count: int
    rating_count: int
    thumbs_up_count: int


class Hashes(Wire):
    """Upper-case hexadecimal digits; what a file does not have is absent."""

    sha256: str = Field(alias="SHA256")
    auto_v1: str | None = Field(None, alias="AutoV1")
    auto_v2: str = Field(alias="AutoV2")
    auto_v3: str | None = Field(None, alias="AutoV3")
    crc32: str = Field(alias="CRC32")
    blake3: str | None = Field(None, alias="Blake3")


class FileMetadata(Wire):
    """More of a file."""

    format: str


class ModelFile(Wire):
    """A file of a version."""

    id: int
    name: str
    size_kb: float = Field(alias="sizeKB")
    type: Literal["Model", "VAE", "Config", "Negative", "Training Data", "Archive", "Other"]
    format: Literal["SafeTensor", "PickleTensor", "Other"]
    metadata: FileMetadata
    pickle_scan_result: str
    hashes: Hashes
    primary: bool


class ModelSummary(Wire):
    """The model of a version, in short."""

    name: str
    type: str


class ModelVersion(Wire):
    """A version of a catalog model; `air` is what a workflow names."""

    id: int
    model_id: int
    name: str
    description: str | None = None
    base_model: str
    base_model_type: str
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None = None
    trained_words: list[str]
    air: str
    model: ModelSummary
    files: list[ModelFile]
    images: list[dict[str, Any]]
    stats: Stats
