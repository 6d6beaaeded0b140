"""A file as the value of an input. Only the person who starts a run can name one; a document never can."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import Path

from heddle.errors import UsageError

# The types that generation APIs trade in; the operating system's own table may lack or rename them.
_KNOWN = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".flac": "audio/flac",
    ".json": "application/json",
    ".safetensors": "application/octet-stream",
}


@dataclass(frozen=True, slots=True)
class FileValue:
    """The content of a file, read when it is sent."""

    path: Path
    media_type: str

    @property
    def name(self) -> str:
        return self.path.name

    def read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror}") from error

    def text(self) -> str:
        """For places that hold text only: JSON, headers, queries."""
        try:
            return self.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(
                f"{self.path} is not text, and this place of the request holds text only",
                "send bytes as a multipart or binary body",
            ) from error

    def __str__(self) -> str:
        return f"@{self.path}"


def file_value(path: Path) -> FileValue:
    """The file at `path`, its media type guessed from the name."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "check the path after `@`")
    return FileValue(path, guess_type(path.name))


def guess_type(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return _KNOWN.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def extension(content_type: str) -> str:
    """`.png` for `image/png`; `.bin` for what is not known."""
    kind = content_type.partition(";")[0].strip().lower()
    known = next((suffix for suffix, media in _KNOWN.items() if media == kind and suffix != ".safetensors"), None)
    return known or mimetypes.guess_extension(kind) or ".bin"
