"""The gate is tried with good files of every kind, and with files that lie."""

from __future__ import annotations

import base64
import io
import json
import struct
import wave
import zipfile
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from heddle import media
from heddle.errors import CallerError, InvalidRequest, TooLarge, UnsupportedMedia
from heddle.studio import video

MANY = 64_000_000


def picture(kind: str, size: tuple[int, int] = (7, 5)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(out, kind)
    return out.getvalue()


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\0\0" * 80)
    return out.getvalue()


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.txt", "a")
    return out.getvalue()


def box(brand: bytes, *compatible: bytes) -> bytes:
    body = brand + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", len(body) + 8) + b"ftyp" + body + b"\0" * 32


GOOD = {
    "image/png": picture("PNG"),
    "image/jpeg": picture("JPEG"),
    "image/webp": picture("WEBP"),
    "image/gif": picture("GIF"),
    "image/avif": picture("AVIF"),
    "video/mp4": box(b"isom", b"iso2", b"mp41"),
    "video/webm": b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm" + b"\0" * 40,
    "audio/mpeg": b"ID3\x04" + b"\0" * 40,
    "audio/wav": sound(),
    "audio/ogg": b"OggS" + b"\0" * 40,
    "audio/flac": b"fLaC" + b"\0" * 40,
    "audio/mp4": box(b"M4A ", b"mp42"),
    "application/zip": archive(),
    "application/json": json.dumps({"a": [1, 2.5, None]}).encode(),
    "text/plain": "grüß dich\n".encode(),
}


def examine(data: bytes, said: str = "", *, exact: bool = False, max_pixels: int = MANY) -> media.Media:
    return media.examine(io.BytesIO(data), said, max_pixels, exact=exact)


def test_every_type_that_is_taken_has_a_sample() -> None:
    assert GOOD.keys() == media.TYPES.keys()


@pytest.mark.parametrize("mime", GOOD)
def test_a_good_file_passes_under_its_own_type(mime: str) -> None:
    found = examine(GOOD[mime], mime, exact=True)
    assert found.mime == mime
    assert (found.width, found.height) == ((7, 5) if mime.startswith("image/") else (None, None))


@pytest.mark.parametrize("mime", [m for m in GOOD if m != "application/json"])
def test_a_good_file_is_known_without_a_word_about_it(mime: str) -> None:
    assert examine(GOOD[mime]).mime == mime


@pytest.mark.parametrize("said", GOOD)
@pytest.mark.parametrize("real", GOOD)
def test_a_promise_is_kept_only_with_bytes_of_its_type(said: str, real: str) -> None:
    possible = {"application/json": {"text/plain"}, "video/mp4": {"audio/mp4"}}.get(real, set()) | {real}
    if said in possible:
        assert examine(GOOD[real], said, exact=True).mime == said
    else:
        with pytest.raises(UnsupportedMedia, match=f"the bytes are not {said}"):
            examine(GOOD[real], said, exact=True)


def test_a_jpeg_called_png_is_a_jpeg_where_nothing_was_promised() -> None:
    assert examine(GOOD["image/jpeg"], "image/png").mime == "image/jpeg"


def test_a_page_called_picture_is_refused() -> None:
    with pytest.raises(UnsupportedMedia, match="not image/png: they are text/plain"):
        examine(b"<html><script>alert(1)</script></html>", "image/png")


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(UnsupportedMedia, match="nothing that this server knows"):
        examine(b"\x7fELF" + bytes(range(256)))


@pytest.mark.parametrize("text", [b"a\x00b", b"\xff\xfe", b"ok\xc3", b"\x1a", b"esc \x08"])
def test_text_is_utf8_without_control_characters(text: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        examine(text, "text/plain", exact=True)


def test_text_is_decoded_across_pieces() -> None:
    long = ("ä" * 200_000).encode()
    assert examine(b"x" + long, "text/plain", exact=True).mime == "text/plain"
    with pytest.raises(UnsupportedMedia):
        examine(long + b"\xc3", "text/plain", exact=True)


@pytest.mark.parametrize("text", [b"{", b'{"a":1} x', b"[" * 100_000, b"nul", b""])
def test_json_must_be_json(text: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        examine(text, "application/json", exact=True)


def test_a_zip_without_its_end_is_refused() -> None:
    with pytest.raises(UnsupportedMedia, match="cut off"):
        examine(archive()[:40])


# ── pictures that attack ──────────────────────────────────────────────────────


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunk(*c) for c in chunks) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 12_000, 30_000, 2**31 - 1])
def test_a_small_png_that_would_unpack_to_gigabytes_is_refused(side: int, recwarn: pytest.WarningsRecorder) -> None:
    data = png(side, side, (b"IDAT", zlib.compress(b"\0" * 100_000)))
    with pytest.raises(TooLarge, match="pixels"):
        examine(data)


def test_the_limit_is_the_last_size_that_passes() -> None:
    assert examine(picture("PNG", (20, 10)), max_pixels=200).width == 20
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "AVIF"):
        with pytest.raises(TooLarge, match="20x10"):
            examine(picture(kind, (20, 10)), max_pixels=199)


def test_a_compressed_text_that_unpacks_to_far_more_is_not_unpacked() -> None:
    bomb = zlib.compress(b"\0" * 30_000_000, 9)
    data = png(8, 8, (b"zTXt", b"k\0\0" + bomb), (b"IDAT", zlib.compress(b"\0" * 72)))
    with pytest.raises(UnsupportedMedia):
        examine(data)


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L"])
def test_a_huge_webp_canvas_is_refused_before_its_reader_sees_it(kind: bytes) -> None:
    body = (b"\0" * 4 if kind == b"VP8X" else b"\x2f") + b"\xff" * 9
    chunk = kind + struct.pack("<I", 10) + body[:10]
    data = b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk + b"\0" * 20
    with pytest.raises(TooLarge):
        examine(data)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 40}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}])
def test_each_kind_of_webp_is_measured(options: dict[str, object]) -> None:
    out = io.BytesIO()
    Image.new("RGB", (300, 170)).save(out, "WEBP", **options)
    found = examine(out.getvalue())
    assert (found.width, found.height) == (300, 170)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF", "JPEG"])
def test_a_picture_cut_in_its_header_is_refused(kind: str) -> None:
    with pytest.raises(UnsupportedMedia):
        examine(picture(kind)[:18])


def test_a_png_whose_body_was_damaged_is_refused() -> None:
    data = bytearray(picture("PNG", (64, 64)))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(UnsupportedMedia, match="readable image/png"):
        examine(bytes(data))


@pytest.mark.parametrize("tail", [archive(), b"<script>alert(1)</script>", b"%PDF-1.7"])
def test_a_polyglot_is_what_it_begins_with(tail: bytes) -> None:
    assert examine(picture("PNG") + tail).mime == "image/png"
    with pytest.raises(UnsupportedMedia):
        examine(picture("PNG") + tail, "application/zip", exact=True)
    with pytest.raises(UnsupportedMedia):
        examine(picture("PNG") + tail, "text/plain", exact=True)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(sorted(GOOD)), st.booleans())
def test_no_bytes_make_the_gate_fail_in_another_way(tail: bytes, mime: str, exact: bool) -> None:
    for data in (tail, GOOD[mime][:12] + tail, GOOD[mime][:30] + tail):
        try:
            found = examine(data, mime, exact=exact)
        except CallerError:
            continue
        assert found.mime in media.TYPES


# ── names and values ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given_type", "mime"),
    [
        ("image/png", "image/png"),
        (" IMAGE/JPG ; q=1", "image/jpeg"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("audio/x-wav", "audio/wav"),
        ("application/octet-stream", ""),
        ("", ""),
    ],
)
def test_a_type_is_named_in_one_way(given_type: str, mime: str) -> None:
    assert media.named(given_type) == mime


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "image/heic", "x", "image/png\nx"])
def test_other_types_are_not_taken(content_type: str) -> None:
    with pytest.raises(UnsupportedMedia, match="is not one of: image/png"):
        media.named(content_type)


def test_only_media_are_shown_in_place() -> None:
    assert {m for m in media.TYPES if not media.inline(m)} == {"application/zip", "application/json", "text/plain"}


def test_a_value_may_be_bytes_text_base64_or_a_data_url() -> None:
    data = picture("PNG", (300, 300))
    text = base64.b64encode(data)
    assert media.unwrap(data) == (data, "")
    assert media.unwrap(b"only words") == (b"only words", "")
    assert media.unwrap(text) == (data, "")
    assert media.unwrap(b"\r\n".join(text[i : i + 76] for i in range(0, len(text), 76))) == (data, "")
    assert media.unwrap(b"data:image/png;base64," + text) == (data, "image/png")
    assert media.unwrap(b"DATA:text/plain;charset=utf-8,gr%C3%BC%C3%9F") == ("grüß".encode(), "text/plain")
    assert media.unwrap(b"data:,hi") == (b"hi", "")


def test_a_word_that_happens_to_be_base64_stays_a_word() -> None:
    assert media.unwrap(b"abcd") == (b"abcd", "")


@pytest.mark.parametrize("value", [b"http://127.0.0.1/a.png", b" HTTPS://example.org/a"])
def test_an_address_is_not_fetched(value: bytes) -> None:
    with pytest.raises(InvalidRequest, match="send the bytes"):
        media.unwrap(value)


@pytest.mark.parametrize("value", [b"data:image/png;base64,***", b"data:image/png;base64", b"data:" + b"x" * 300])
def test_a_broken_data_url_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidRequest, match="file"):
        media.unwrap(value)


def test_a_refusal_names_no_object_of_ours() -> None:
    """An empty picture: the library says `cannot identify image file <tempfile...>`."""
    head = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(8) + b"\x08\x02\x00\x00\x00"
    with pytest.raises(UnsupportedMedia) as refusal:
        examine(head + zlib.crc32(head[12:]).to_bytes(4, "big"), "image/png")
    assert "<" not in refusal.value.message


def test_endings_of_downloads() -> None:
    assert media.ending("audio/mpeg") == ".mp3"
    assert media.ending("audio/midi") == ".mid"
    assert media.ending("application/x-unknown") == ""


# ── cut off ───────────────────────────────────────────────────────────────────


def film(kind: video.Format) -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (12, 48, 64, 3), np.uint8)
    return video.write(list(noise), fps=Fraction(12), file_format=kind)


def measured(data: bytes, mime: str) -> media.Media:
    return media.measure(io.BytesIO(data), media.Media(mime=mime), max_pixels=10**6, max_s=10)


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_a_video_that_is_cut_off_is_refused(kind: video.Format) -> None:
    whole = film(kind)
    assert measured(whole, f"video/{kind}").duration_ms == 1000
    assert measured(whole + b"and more", f"video/{kind}").duration_ms == 1000
    for end in (len(whole) // 2, len(whole) - 1):
        with pytest.raises(UnsupportedMedia, match=f"cut off, {len(whole)} bytes belong to it and {end} are there"):
            measured(whole[:end], f"video/{kind}")


def test_a_recording_that_does_not_say_its_length_is_taken() -> None:
    whole = film("webm")
    at = whole.index(b"\x18\x53\x80\x67") + 4
    recorded = whole[:at] + b"\x01" + b"\xff" * 7 + whole[at + 8 :]
    assert measured(recorded, "video/webm").width == 64
