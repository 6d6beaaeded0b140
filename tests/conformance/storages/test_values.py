"""What every storage promises of a value: whole or not there, found again, read from anywhere."""

from __future__ import annotations

import hashlib
import io
import random
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from PIL import Image

from heddle import registry
from heddle.domain import now
from heddle.errors import Unavailable
from heddle.storage import Storage

MIB = 1 << 20
KEY = "uploads/aa/value"

#: More than one part of any storage that writes in parts, and no whole number of them.
LARGE = random.Random(1).randbytes(30_000_001)


class Broken(Exception):
    """What feeds a write failed."""


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def breaking(data: bytes) -> Iterator[bytes]:
    yield from in_pieces(data, MIB)
    raise Broken


def read(storage: Storage, key: str) -> bytes:
    with storage.open(key) as file:
        return file.read()


def unfinished(storage: Storage) -> int:
    return len(list(storage.partials(now() + timedelta(days=1))))


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 70_000, LARGE], ids=["empty", "byte", "small", "large"])
def test_what_was_written_is_found_again(storage: Storage, data: bytes) -> None:
    assert storage.write(KEY, in_pieces(data, 333_333)) == len(data)
    assert (storage.size(KEY), list(storage.keys(""))) == (len(data), [KEY])
    assert hashlib.sha256(read(storage, KEY)).digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize("size", [8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB])
def test_sizes_around_a_part(storage: Storage, size: int) -> None:
    data = LARGE[:size]
    assert storage.write(KEY, [data]) == size
    assert (storage.size(KEY), read(storage, KEY) == data, unfinished(storage)) == (size, True, 0)


def test_empty_chunks_are_nothing(storage: Storage) -> None:
    assert storage.write(KEY, [b"", b"a", b"", b"b", b""]) == 2
    assert storage.write("uploads/aa/empty", [b"", b""]) == 0
    assert (read(storage, KEY), read(storage, "uploads/aa/empty")) == (b"ab", b"")


@pytest.mark.parametrize("length", [0, 1, MIB, 20 * MIB])
def test_a_write_that_breaks_leaves_nothing(storage: Storage, length: int) -> None:
    with pytest.raises(Broken):
        storage.write(KEY, breaking(LARGE[:length]))
    assert (storage.size(KEY), list(storage.keys("")), unfinished(storage)) == (None, [], 0)


@pytest.mark.parametrize("length", [0, 20 * MIB])
def test_a_write_that_breaks_leaves_what_was_there(storage: Storage, length: int) -> None:
    storage.write(KEY, [b"before"])
    with pytest.raises(Broken):
        storage.write(KEY, breaking(LARGE[:length]))
    assert (read(storage, KEY), unfinished(storage)) == (b"before", 0)


def test_a_key_can_be_written_again(storage: Storage) -> None:
    for data in (b"first", LARGE, b"", b"last"):
        storage.write(KEY, [data])
        assert (storage.size(KEY), read(storage, KEY) == data) == (len(data), True)


def test_what_is_missing(storage: Storage) -> None:
    for key in (KEY, "nowhere"):
        assert storage.size(key) is None
        with pytest.raises(KeyError):
            storage.open(key)
        storage.delete(key)
    storage.write(KEY, [b"x"])
    storage.delete(KEY, "uploads/aa/other", "nowhere")
    assert storage.size(KEY) is None


# ── reading ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(4))
def test_it_reads_like_a_file(storage: Storage, seed: int) -> None:
    chance = random.Random(seed)
    data = LARGE[: (0, 5000, 700_000, 9_000_000)[seed]]
    storage.write(KEY, [data])
    model = io.BytesIO(data)
    with storage.open(KEY) as file:
        assert file.seekable()
        for _ in range(60):
            if chance.random() < 0.5:
                whence = chance.choice([0, 1, 2])
                low = {0: 0, 1: -model.tell(), 2: -len(data)}[whence]
                step = chance.randint(low, max(low, len(data) // 3))
                assert file.seek(step, whence) == model.seek(step, whence)
            size = chance.choice([0, 1, 10, 5000, 300_000, 2_000_000])
            assert file.read(size) == model.read(size)
            assert file.tell() == model.tell()
        assert file.read() == model.read()
        file.seek(0)
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(data).digest()


def test_seeking_past_the_end_reads_nothing(storage: Storage) -> None:
    storage.write(KEY, [b"abc"])
    with storage.open(KEY) as file:
        file.seek(10)
        assert (file.read(), file.read(5)) == (b"", b"")
        file.seek(-2, 2)
        assert file.read(100) == b"bc"


def test_a_picture_opens_from_it(storage: Storage) -> None:
    out = io.BytesIO()
    Image.effect_noise((900, 700), 80).save(out, "PNG")
    storage.write(KEY, [out.getvalue()])
    with storage.open(KEY) as file, Image.open(file) as picture:
        picture.load()
        assert picture.size == (900, 700)


def test_another_process_would_find_it(storage: Storage, kind: str, options: dict[str, str]) -> None:
    storage.write(KEY, [b"shared"])
    assert read(registry.get("storages", kind)(options), KEY) == b"shared"


# ── keys ──────────────────────────────────────────────────────────────────────


ODD = [
    "plain", "a/b/c/d/e", "sp ace/x y", "ünïcode/ключ/鍵", "a+b%20c&d=e#f?g", "quote's\"/<x>&amp;", "dots../..a",
    "~@!$'()*,;:",
]  # fmt: skip


@pytest.mark.parametrize("key", ODD)
def test_odd_keys(storage: Storage, key: str) -> None:
    storage.write(key, [b"odd"])
    assert (read(storage, key), storage.size(key), list(storage.keys(""))) == (b"odd", 3, [key])
    storage.delete(key, "something else")
    assert list(storage.keys("")) == []


def test_keys_are_those_below_a_folder(storage: Storage) -> None:
    keys = {"uploads/aa/1", "uploads/bb/2", "uploads2/cc/3", "upload", "jobs/uploads/4"}
    for key in keys:
        storage.write(key, [b"x"])
    assert set(storage.keys("")) == keys
    assert set(storage.keys("uploads")) == {"uploads/aa/1", "uploads/bb/2"}
    assert set(storage.keys("uploads/aa")) == {"uploads/aa/1"}
    assert list(storage.keys("nothing")) == []


@pytest.mark.slow
def test_more_keys_than_one_page(storage: Storage) -> None:
    keys = [f"uploads/{number % 7}/{number}" for number in range(2100)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda key: storage.write(key, [b"x"]), keys))
    assert sorted(storage.keys("uploads")) == sorted(keys)
    storage.delete(*keys[1:])
    assert list(storage.keys("")) == [keys[0]]


# ── at the same time ──────────────────────────────────────────────────────────


def test_writers_of_one_key_never_mix(storage: Storage) -> None:
    values = [bytes([65 + n]) * (9 * MIB if n % 3 == 0 else 1000 + n) for n in range(8)]
    whole = {hashlib.sha256(value).digest() for value in values}

    def look(_: int) -> None:
        try:
            found = hashlib.sha256(read(storage, KEY)).digest()
        except (KeyError, Unavailable):  # not yet there; or changed between two requests, and refused for it
            return
        assert found in whole

    with ThreadPoolExecutor(12) as threads:
        done = [threads.submit(storage.write, KEY, in_pieces(value, MIB)) for value in values]
        looks = [threads.submit(look, n) for n in range(60)]
        assert [d.result() for d in done] == [len(value) for value in values]
        for each in looks:
            each.result()
    assert hashlib.sha256(read(storage, KEY)).digest() in whole
    assert unfinished(storage) == 0


def test_many_keys_at_once(storage: Storage) -> None:
    def there_and_back(number: int) -> bool:
        key, data = f"jobs/{number}", bytes([number]) * (number * 5000)
        storage.write(key, [data])
        return read(storage, key) == data

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(there_and_back, range(100)))


# ── memory ────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_large_value_is_never_in_memory(storage: Storage) -> None:
    piece = bytes(MIB)
    storage.write("warm", [piece])
    read(storage, "warm")
    tracemalloc.start()
    try:
        assert storage.write(KEY, (piece for _ in range(160))) == 160 * MIB
        with storage.open(KEY) as file:
            while len(file.read(MIB)) == MIB:
                pass
            assert file.tell() == 160 * MIB
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 48 * MIB
