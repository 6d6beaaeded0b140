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

    id: int = Field(description="The account.")
    username: str = Field(description="Unique on this server.")
    email: str | None = Field(None, description="Where one is known.")
    tier: Literal["Free", "Founder", "Bronze", "Silver", "Gold"] = Field(
        description="Shown only; nothing depends on it."
    )
    created_at: datetime = Field(description="When the account was made.")


class Stats(Wire):
    """Counts; zero here, where nobody can download, rate or comment."""

    download_count: int = Field(description="Downloads.")
    favorite_count: int = Field(description="Favorites.")
    comment_count: int = Field(description="Comments.")
    rating_count: int = Field(description="Ratings.")
    thumbs_up_count: int = Field(description="Thumbs up.")


class Hashes(Wire):
    """Upper-case hexadecimal digits; what a file does not have is absent."""

    sha256: str = Field(alias="SHA256", description="Of the file.")
    auto_v1: str | None = Field(None, alias="AutoV1", description="8 digits over the 64 KiB that begin at 1 MiB.")
    auto_v2: str = Field(alias="AutoV2", description="The first 10 digits of SHA256.")
    auto_v3: str | None = Field(None, alias="AutoV3", description="12 digits over what follows a safetensors header.")
    crc32: str = Field(alias="CRC32", description="Of the file.")
    blake3: str | None = Field(None, alias="Blake3", description="Of the file, where the server can compute it.")


class FileMetadata(Wire):
    """More of a file."""

    format: str = Field(description="`SafeTensor`, `GGUF` or `Other`.")


class ModelFile(Wire):
    """A file of a version."""

    id: int = Field(description="The file.")
    name: str = Field(description="Its name; in a folder of files, its path there.")
    size_kb: float = Field(alias="sizeKB", description="In KiB.")
    type: Literal["Model", "VAE", "Config", "Negative", "Training Data", "Archive", "Other"] = Field(
        description="What is in it."
    )
    format: Literal["SafeTensor", "PickleTensor", "Other"] = Field(
        description="`metadata.format` says what `Other` is."
    )
    metadata: FileMetadata = Field(description="More of it.")
    pickle_scan_result: str = Field(description="`Success`: only formats that cannot carry code are taken in.")
    hashes: Hashes = Field(description="By which people find it.")
    primary: bool = Field(description="Whether it is the one that is meant when nobody says which.")


class ModelSummary(Wire):
    """The model of a version, in short."""

    name: str = Field(description="The model's name.")
    type: str = Field(description="For example `Checkpoint` or `LORA`.")


class ModelVersion(Wire):
    """A version of a catalog model; `air` is what a workflow names."""

    id: int = Field(description="The version.")
    model_id: int = Field(description="Its model.")
    name: str = Field(description="The version's name.")
    description: str | None = Field(None, description="What is new in it.")
    base_model: str = Field(description="For example `SD 1.5`, `SDXL 1.0`, `Sketch`.")
    base_model_type: str = Field(description="`Standard`, `Inpainting`, `Refiner` or `Pix2Pix`.")
    created_at: datetime = Field(description="When it was added.")
    updated_at: datetime = Field(description="When it was changed last.")
    published_at: datetime | None = Field(None, description="When it was published here.")
    trained_words: list[str] = Field(description="Words that call it.")
    air: str = Field(description="What a workflow names: `urn:air:{ecosystem}:{type}:{source}:{model}@{version}`.")
    model: ModelSummary = Field(description="Its model, in short.")
    files: list[ModelFile] = Field(description="The primary file first; none for what is built in.")
    images: list[dict[str, Any]] = Field(description="Example pictures.")
    stats: Stats = Field(description="Counts.")
