"""The dataset: pictures and captions from a zip, as much of it as can be trusted.

Nothing is unpacked to the disk, so names are only names. Every limit is looked at before the bytes that it limits are
unpacked, and again while they are, because a zip may lie about itself. Pictures that cannot be used are left out and
named; a dataset that as a whole is not what it should be ends the job.
"""

from __future__ import annotations

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from PIL import Image, ImageOps

from heddle import media
from heddle.errors import CallerError, EngineFailed

#: What a dataset may have at most: pictures, entries of any kind, and pixels of one picture.
MOST_PICTURES = 10_000
MOST_ENTRIES = 50_000
MOST_PIXELS = 64_000_000
#: And bytes: of one picture, of one caption, and of all that is used.
PICTURE_BYTES = 128 * 1024 * 1024
CAPTION_BYTES = 64 * 1024
TOTAL_BYTES = 64 * 1024 * 1024 * 1024
#: Pictures hardly shrink in a zip. One that is this much larger inside than outside is made to fill somebody's memory.
SWELLS = 100
_SMALL = 256 * 1024 * 1024
#: Times that a picture may be seen in one round.
MOST_REPEATS = 5000

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp"})
_CAPTIONS = (".txt", ".caption")
_FOLDER = re.compile(r"([0-9]{1,4})_(.*)")
_FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "AVIF"]
_ENTRY = b"PK\x01\x02"

#: Told of how many pictures were looked at, of all; lets a cancel through.
Watch = Callable[[int, int], None]

#: What goes wrong with a damaged entry of a zip, by whatever it is packed.
_UNPACKING = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError, RuntimeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One picture to learn from."""

    name: str
    size: tuple[int, int]
    caption: str
    #: How often it is seen in one round through the dataset.
    repeats: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A picture that is left out."""

    name: str
    why: str


class Dataset:
    """A zip, looked through; pictures are decoded one by one as they are asked for."""

    def __init__(self, data: bytes, *, trigger: str | None, repeats: int, watch: Watch) -> None:
        """Raises EngineFailed for what is no dataset."""
        self._zip = _open(data)
        entries = _entries(self._zip)
        _check_sizes(entries.values(), len(data))
        self.examples: list[Example] = []
        self.skipped: list[Skipped] = []
        names = [name for name in entries if _is_picture(name)]
        if not names:
            raise EngineFailed(f"the zip holds no pictures: {_what_it_has(list(entries))}")
        if len(names) > MOST_PICTURES:
            raise EngineFailed(f"the zip holds {len(names):,} pictures; {MOST_PICTURES:,} may be in a dataset")
        self._entries = entries
        captions = _captions_of(entries)
        for done, name in enumerate(names):
            watch(done, len(names))
            try:
                size = self._decode(name).size
                caption, times = self._caption(name, captions, trigger), _repeats(name) or repeats
                self.examples.append(Example(name=name, size=size, caption=caption, repeats=times))
            except _Unusable as error:
                self.skipped.append(Skipped(name=name, why=str(error)))
        if not self.examples:
            raise EngineFailed(f"no picture of the zip can be used: {told(self.skipped)}")

    def picture(self, example: Example) -> Image.Image:
        """RGB, upright, on white where it is see-through."""
        try:
            return self._decode(example.name)
        except _Unusable as error:  # it was decoded before: memory, if anything
            raise EngineFailed(f"{example.name!r} {error}") from error

    def _decode(self, name: str) -> Image.Image:
        return _decoded(_read(self._zip, self._entries[name], PICTURE_BYTES))

    def _caption(self, name: str, captions: dict[str, str], trigger: str | None) -> str:
        """The text beside the picture, else the name of a folder such as `10_red fox`; with the trigger word in it."""
        beside = captions.get(_stem(name))
        if beside is None:
            text = trigger or _folder(name)
        else:
            text = " ".join(_text(_read(self._zip, self._entries[beside], CAPTION_BYTES)).split())
        if trigger and trigger.lower() not in text.lower():
            return f"{trigger}, {text}" if text else trigger
        return text


def told(skipped: Sequence[Skipped], most: int = 5) -> str:
    """Pictures that are left out, as a sentence has them."""
    first = "; ".join(f"{one.name!r} {one.why}" for one in skipped[:most])
    return first + (f"; and {len(skipped) - most:,} more" if len(skipped) > most else "")


class _Unusable(Exception):
    """Why one picture cannot be used, to be read behind its name."""


# ── the archive ───────────────────────────────────────────────────────────────


def _open(data: bytes) -> zipfile.ZipFile:
    # The directory is read as a whole, so its length is looked at first: each of its entries begins like this.
    if (count := data.count(_ENTRY)) > MOST_ENTRIES:
        raise EngineFailed(f"the zip holds about {count:,} entries; {MOST_ENTRIES:,} may be in a dataset")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise EngineFailed(f"the dataset is not a zip that can be read: {error}") from error


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Files by name, in the order of their names; of two with one name the latter, as programs unpack them."""
    found = {info.filename: info for info in archive.infolist() if not info.is_dir() and not _hidden(info.filename)}
    if locked := [name for name, info in found.items() if info.flag_bits & 1 and _is_picture(name)]:
        raise EngineFailed(f"the zip is encrypted ({locked[0]!r}); make one without a password")
    return dict(sorted(found.items()))


def _hidden(name: str) -> bool:
    """What file managers leave in archives."""
    parts = PurePosixPath(name).parts
    return not parts or parts[-1].startswith(".") or "__MACOSX" in parts


def _check_sizes(entries: Iterable[zipfile.ZipInfo], outside: int) -> None:
    used = [info for info in entries if _is_picture(info.filename) or _is_caption(info.filename)]
    inside = sum(info.file_size for info in used)
    if inside > TOTAL_BYTES:
        raise EngineFailed(f"the zip unpacks to {_gib(inside)}; {_gib(TOTAL_BYTES)} may be in a dataset")
    if inside > _SMALL and inside > SWELLS * outside:
        raise EngineFailed(
            f"the zip unpacks to {_gib(inside)}, {inside // max(1, outside):,} times its size: no pictures do that"
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    """The bytes of an entry. Raises _Unusable."""
    if info.file_size > most:
        raise _Unusable(f"has {info.file_size:,} bytes; {most:,} may be")
    try:
        with archive.open(info) as file:
            data = file.read(most + 1)
    except _UNPACKING as error:
        raise _Unusable(f"cannot be unpacked: {error}") from error
    if len(data) > most:
        raise _Unusable(f"has more than the {info.file_size:,} bytes that the zip speaks of")
    return data


# ── names ─────────────────────────────────────────────────────────────────────


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _PICTURES


def _is_caption(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _CAPTIONS


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix("")).lower()


def _captions_of(entries: Iterable[str]) -> dict[str, str]:
    """Which file is the caption of which stem; `.txt` before `.caption`."""
    found = [name for name in entries if _is_caption(name)]
    found.sort(key=lambda name: PurePosixPath(name).suffix.lower() != _CAPTIONS[0], reverse=True)
    return {_stem(name): name for name in found}


def _parent(name: str) -> re.Match[str] | None:
    return _FOLDER.fullmatch(PurePosixPath(name).parent.name)


def _repeats(name: str) -> int:
    """What a folder such as `10_red fox` says; 0: nothing."""
    found = _parent(name)
    return min(MOST_REPEATS, int(found[1])) if found else 0


def _folder(name: str) -> str:
    found = _parent(name)
    return found[2].strip() if found else ""


def _what_it_has(names: Sequence[str]) -> str:
    if not names:
        return "it is empty"
    return f"it has {', '.join(repr(name) for name in names[:3])}{' and more' if len(names) > 3 else ''}"


# ── pictures and texts ────────────────────────────────────────────────────────


def _decoded(data: bytes) -> Image.Image:
    """Raises _Unusable."""
    try:
        found = media.examine(io.BytesIO(data), "", MOST_PIXELS, exact=False)
    except CallerError as error:
        raise _Unusable(f"is no picture that can be used: {error.message}") from error
    if not found.mime.startswith("image/"):
        raise _Unusable(f"is no picture: it is {found.mime}")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            return _flat(ImageOps.exif_transpose(opened))
    except Exception as error:  # a decoder of hostile bytes may fail in any way, and each means the same
        raise _Unusable(f"cannot be decoded: {error}") from error


def _flat(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    seen = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")


def _text(data: bytes) -> str:
    """UTF-8, or what old Windows programs write."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def flipped(picture: Image.Image) -> Image.Image:
    """As in a mirror."""
    return ImageOps.mirror(picture)
