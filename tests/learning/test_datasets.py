"""Datasets as people make them, and as nobody should: each works, or says in one sentence what is wrong."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from PIL import Image

from heddle.errors import EngineFailed, JobCanceled
from heddle.learning import dataset as datasets
from heddle.learning.dataset import Dataset, told


def picture(kind: str = "PNG", size: tuple[int, int] = (12, 8), **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind, **more)
    return out.getvalue()


PNG = picture()


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def read(data: bytes, trigger: str | None = None, repeats: int = 1) -> Dataset:
    return Dataset(data, trigger=trigger, repeats=repeats, watch=lambda done, count: None)


def captions(data: bytes, trigger: str | None = None) -> dict[str, str]:
    return {example.name: example.caption for example in read(data, trigger).examples}


# ── what works ────────────────────────────────────────────────────────────────


def test_pictures_and_their_captions() -> None:
    files = {"a.png": PNG, "a.txt": b"a fox,\n  red \n", "b.JPG": picture("JPEG"), "b.caption": b"a dog", "c.webp":
             picture("WEBP"), "notes.md": b"-"}  # fmt: skip
    found = read(zipped(files))
    assert [e.name for e in found.examples] == ["a.png", "b.JPG", "c.webp"]
    assert [e.caption for e in found.examples] == ["a fox, red", "a dog", ""]
    assert (found.examples[0].size, found.skipped) == ((12, 8), [])
    assert found.picture(found.examples[0]).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("files", "trigger", "wanted"),
    [
        pytest.param({"a.png": PNG}, None, {"a.png": ""}, id="no captions"),
        pytest.param({"a.png": PNG}, "zlomp", {"a.png": "zlomp"}, id="no captions, a trigger word"),
        pytest.param({"a.png": PNG, "a.txt": b"a fox"}, "zlomp", {"a.png": "zlomp, a fox"}, id="word put in front"),
        pytest.param({"a.png": PNG, "a.txt": b"a Zlomp fox"}, "zlomp", {"a.png": "a Zlomp fox"}, id="word is there"),
        pytest.param({"a.png": PNG, "a.txt": b""}, None, {"a.png": ""}, id="empty caption"),
        pytest.param({"x/y/a.png": PNG, "x/y/a.TXT": b"deep"}, None, {"x/y/a.png": "deep"}, id="nested folders"),
        pytest.param({"x/a.png": PNG, "a.txt": b"other"}, None, {"x/a.png": ""}, id="a caption elsewhere"),
        pytest.param({"10_red fox/a.png": PNG}, None, {"10_red fox/a.png": "red fox"}, id="a folder that says it"),
        pytest.param({"a.b.png": PNG, "a.b.txt": b"dots"}, None, {"a.b.png": "dots"}, id="dots in the name"),
        pytest.param({"a.png": PNG, "a.txt": "größe".encode("cp1252")}, None, {"a.png": "größe"}, id="not UTF-8"),
        pytest.param({"a.png": PNG, "a.txt": "\ufeffmark".encode()}, None, {"a.png": "mark"}, id="with a mark"),
        pytest.param({"../../a.png": PNG, "/etc/b.png": PNG}, None, {"../../a.png": "", "/etc/b.png": ""}, id="paths"),
        pytest.param({"狐/ä b.png": PNG, "狐/ä b.txt": "狐".encode()}, None, {"狐/ä b.png": "狐"}, id="any letters"),
        pytest.param({"__MACOSX/._a.png": b"-", ".b.png": b"-", "a.png": PNG}, None, {"a.png": ""}, id="leftovers"),
    ],
)
def test_captions(files: dict[str, bytes], trigger: str | None, wanted: dict[str, str]) -> None:
    assert captions(zipped(files), trigger) == wanted


def test_folders_say_how_often_a_picture_is_seen() -> None:
    found = read(zipped({"3_fox/a.png": PNG, "b.png": PNG, "0_none/c.png": PNG, "9999_much/d.png": PNG}), repeats=2)
    assert {e.name: e.repeats for e in found.examples} == {
        "3_fox/a.png": 3, "b.png": 2, "0_none/c.png": 2, "9999_much/d.png": datasets.MOST_REPEATS,
    }  # fmt: skip


def test_names_that_are_not_utf_8() -> None:
    """Old programs write whatever their system wrote; the flag that says UTF-8 is not set then."""
    data = zipped({"xxxx.png": PNG}).replace(b"xxxx.png", b"\xff\xfe\x81z.png")
    [example] = read(data).examples
    assert example.name.endswith("z.png")


def test_the_latter_of_two_with_one_name(recwarn: pytest.WarningsRecorder) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.png", PNG)
        archive.writestr("a.png", picture(size=(20, 20)))
    assert [e.size for e in read(out.getvalue()).examples] == [(20, 20)]
    recwarn.clear()


def test_turned_and_see_through_pictures() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(clear, "PNG")
    found = read(zipped({"a.jpg": picture("JPEG", (12, 8), exif=turned), "b.png": clear.getvalue()}))
    assert found.examples[0].size == (8, 12)
    assert found.picture(found.examples[1]).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.slow
def test_ten_thousand_pictures() -> None:
    small = picture(size=(1, 1))
    found = read(zipped({f"{n}.png": small for n in range(datasets.MOST_PICTURES)}))
    assert len(found.examples) == datasets.MOST_PICTURES


def test_a_cancel_is_let_through() -> None:
    def stop(done: int, count: int) -> None:
        if done == 1:
            raise JobCanceled("the job was canceled")

    with pytest.raises(JobCanceled):
        Dataset(zipped({"a.png": PNG, "b.png": PNG}), trigger=None, repeats=1, watch=stop)


# ── single pictures that are left out ─────────────────────────────────────────


def noisy() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(out, "JPEG")
    return out.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is that large, in a hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("x.png", b"", "is no picture"),
        ("x.png", b"hello", "is no picture"),
        ("x.png", PNG[:50], "is no picture that can be used"),
        ("x.jpg", noisy()[:3000], "cannot be decoded"),
        ("x.png", bomb(30_000, 30_000), "more than 64000000 pixels"),
        ("x.png", bomb(0, 5), "is no picture that can be used"),
        ("x.bmp", picture("BMP"), "is no picture that can be used"),
        ("x.png", zipped({"a.png": PNG}), "it is application/zip"),
    ],
)
def test_broken_pictures_are_left_out_and_named(name: str, data: bytes, why: str) -> None:
    found = read(zipped({"a.png": PNG, name: data}))
    assert [e.name for e in found.examples] == ["a.png"]
    [skipped] = found.skipped
    assert skipped.name == name
    assert why in skipped.why
    assert told(found.skipped).startswith(f"'{name}' ")


def test_a_caption_that_is_too_long_leaves_its_picture_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "CAPTION_BYTES", 10)
    found = read(zipped({"a.png": PNG, "b.png": PNG, "b.txt": b"x" * 11}))
    assert [(s.name, s.why) for s in found.skipped] == [("b.png", "has 11 bytes; 10 may be")]


def test_bytes_that_do_not_match_the_directory() -> None:
    data = bytearray(zipped({"a.png": PNG, "b.png": PNG}))
    data[data.index(b"IHDR")] ^= 1
    found = read(bytes(data))
    assert [s.name for s in found.skipped] == ["a.png"]
    assert "cannot be unpacked" in found.skipped[0].why


def test_a_method_that_nobody_has() -> None:
    data = bytearray(zipped({"a.png": PNG, "b.png": PNG}))
    at = data.index(b"PK\x01\x02")
    data[at + 10 : at + 12] = struct.pack("<H", 99)
    assert "cannot be unpacked" in read(bytes(data)).skipped[0].why


# ── what is no dataset ────────────────────────────────────────────────────────


def declared(sizes: int) -> bytes:
    """A zip whose directory says that its picture unpacks to so many bytes."""
    data = bytearray(zipped({"a.png": PNG}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", sizes)
    return bytes(data)


def locked() -> bytes:
    data = bytearray(zipped({"a.png": PNG}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(lambda: b"", "is not a zip that can be read", id="nothing"),
        pytest.param(lambda: b"no zip at all", "is not a zip that can be read", id="not a zip"),
        pytest.param(lambda: zipped({"a.png": PNG})[:-30], "is not a zip that can be read", id="cut off"),
        pytest.param(lambda: zipped({}), "holds no pictures: it is empty", id="empty"),
        pytest.param(lambda: zipped({"a.txt": b"a"}), "holds no pictures: it has 'a.txt'", id="texts only"),
        pytest.param(lambda: zipped({"a.png": b"x", "b.png": b""}), "can be used: 'a.png'", id="all broken"),
        pytest.param(lambda: declared(3_000_000_000), "times its size", id="says it is huge"),
        pytest.param(lambda: declared(200_000_000), "can be used: 'a.png' has 200,000,000", id="large"),
        pytest.param(locked, "is encrypted ('a.png')", id="encrypted"),
    ],
)  # fmt: skip
def test_what_is_no_dataset_says_why(data: Callable[[], bytes], why: str) -> None:
    with pytest.raises(EngineFailed) as caught:
        read(data())
    assert why in caught.value.message


def test_a_zip_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_SMALL", 10_000_000)
    data = zipped({f"{n}.png": b"\0" * 1_000_000 for n in range(15)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(EngineFailed, match="times its size: no pictures do that"):
        read(data)


def test_too_many_pictures() -> None:
    with pytest.raises(EngineFailed, match="holds 10,001 pictures; 10,000 may be"):
        read(zipped({f"{n}.png": b"" for n in range(datasets.MOST_PICTURES + 1)}))


def test_too_many_entries_are_not_even_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("the directory was read")

    data = zipped({f"{n}": b"" for n in range(60)})
    monkeypatch.setattr(datasets, "MOST_ENTRIES", 50)
    monkeypatch.setattr(zipfile, "ZipFile", never)
    with pytest.raises(EngineFailed, match="about 60 entries; 50 may be"):
        read(data)


def test_more_bytes_than_were_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that says little of an entry that unpacks to much: no more is unpacked than was said."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"\0" * 5_000_000)
        archive.writestr("b.png", PNG)
    data = bytearray(out.getvalue())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 1000)
    found = read(bytes(data))
    assert [s.name for s in found.skipped] == ["a.png"]
