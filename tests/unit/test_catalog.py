"""The catalog: weights come in safely, versions are found by every name, and are shown as the Site API says."""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from heddle import accounts, air
from heddle.catalog import builtin, entries, hashes, intake, models, versions, weights
from heddle.catalog.entries import Entry, NewEntry
from heddle.contract import site
from heddle.db import Database, Dialect, Tx
from heddle.errors import Conflict, InvalidRequest, UsageError

T = TypeVar("T")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = datetime(2026, 1, 3, tzinfo=UTC)
FOX = NewEntry(name="Fox", type="LORA", base_model="SDXL 1.0", creator="alice", trained_words=("fox", "tail"))
MIB = 1024 * 1024


@pytest.fixture
def db(dialect: Dialect) -> Iterator[Database]:
    database = Database(dialect)
    yield database
    database.close()


def do(db: Database, change: Callable[[Tx], T]) -> T:
    def verb(tx: Tx, items: Sequence[None]) -> list[T]:
        return [change(tx) for _ in items]

    return db.apply(verb, None)


def add(db: Database, new: NewEntry, at: datetime = NOW) -> Entry:
    return do(db, lambda tx: entries.add(tx, new, at))


def safetensors(path: Path, data: bytes = b"weights", header: Any = None) -> Path:
    entry = {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}
    text = json.dumps({"__metadata__": {"by": "test"}, "w": entry} if header is None else header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


# ── hashes ────────────────────────────────────────────────────────────────────


def test_hashes_are_what_their_definitions_say(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096 * 9  # 9 MiB: more than one chunk
    path = safetensors(tmp_path / "a.safetensors", data)
    whole = path.read_bytes()
    found = hashes.of_file(path, data_offset=len(whole) - len(data))
    sha256 = hashlib.sha256(whole).hexdigest().upper()
    assert found["SHA256"] == sha256
    assert found["AutoV2"] == sha256[:10]
    assert found["AutoV1"] == hashlib.sha256(whole[MIB : MIB + 65536]).hexdigest().upper()[:8]
    assert found["AutoV3"] == hashlib.sha256(data).hexdigest().upper()[:12]
    assert found["CRC32"] == f"{zlib.crc32(whole):08X}"
    assert ("BLAKE3" in found) == (find_spec("blake3") is not None)


def test_known_values(tmp_path: Path) -> None:
    path = tmp_path / "nine"
    path.write_bytes(b"123456789")
    found = hashes.of_file(path)
    assert found["CRC32"] == "CBF43926"
    assert found["AutoV2"] == "15E2B0D3C3"
    assert {"AutoV1", "AutoV3"}.isdisjoint(found)


@given(size=st.integers(MIB - 3, MIB + 70_000), chunk=st.integers(1000, 300_000), offset=st.integers(0, 5000))
def test_hashes_do_not_depend_on_chunks(tmp_path_factory: Any, size: int, chunk: int, offset: int) -> None:
    path = tmp_path_factory.getbasetemp() / "chunks"
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    path.write_bytes(data)
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "_CHUNK", chunk)
        found = hashes.of_file(path, data_offset=offset, on_bytes=seen.append)
    assert found == hashes.of_file(path, data_offset=offset)
    assert found["AutoV3"] == hashlib.sha256(data[offset:]).hexdigest().upper()[:12]
    assert sum(seen) == size


# ── weights ───────────────────────────────────────────────────────────────────


def test_safetensors_and_gguf_are_recognized(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "a.safetensors")
    seen = weights.inspect(path)
    assert seen.format == "SafeTensor"
    assert path.read_bytes()[seen.data_offset :] == b"weights"
    (tmp_path / "b.gguf").write_bytes(b"GGUF\x03\x00\x00\x00rest")
    assert weights.inspect(tmp_path / "b.gguf").format == "GGUF"


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580])
def test_a_header_whose_length_looks_like_a_pickle_is_no_pickle(tmp_path: Path, length: int) -> None:
    entry = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    text = json.dumps({"w": entry}).encode().ljust(length)
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", length) + text + b"x")
    assert path.read_bytes()[0] == 0x80
    assert weights.inspect(path).data_offset == 8 + length


@pytest.mark.parametrize("name", ["m.ckpt", "m.pt", "m.pth", "m.bin", "m.safetensors"])
@pytest.mark.parametrize("data", [pickle.dumps({"w": [1] * 99}), b"PK\x03\x04" + b"\x00" * 99])
def test_pickles_are_refused_by_any_name(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match="is a pickle") as refused:
        weights.inspect(tmp_path / name)
    assert "safetensors" in refused.value.hint


_ENTRY = {"dtype": "U8", "shape": [7], "data_offsets": [0, 7]}


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"w": _ENTRY | {"data_offsets": [0, 8]}}, "cut off"),
        ({"w": _ENTRY | {"data_offsets": [0, 6]}}, "belong to no tensor"),
        ({"w": _ENTRY | {"data_offsets": [7, 0]}}, "tensor 'w'"),
        ({"w": _ENTRY | {"data_offsets": [-1, 7]}}, "tensor 'w'"),
        ({"w": _ENTRY | {"data_offsets": [0]}}, "tensor 'w'"),
        ({"w": {"dtype": "U8"}}, "tensor 'w'"),
        ({"w": 5}, "cannot be read"),
        ([1], "cannot be read"),
        ({"__metadata__": {}}, "no tensors"),
    ],
)
def test_a_bad_header_is_refused_with_its_reason(tmp_path: Path, header: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        weights.inspect(safetensors(tmp_path / "a.safetensors", header=header))


def test_a_deep_header_is_refused(tmp_path: Path) -> None:
    text = b'{"w":' * 100_000
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(UsageError, match="cannot be read"):
        weights.inspect(tmp_path / "a.safetensors")


@given(st.binary(max_size=64))
def test_any_bytes_are_taken_or_refused(tmp_path_factory: Any, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    path.write_bytes(data)
    try:
        weights.inspect(path)
    except UsageError:
        return
    assert data.startswith(b"GGUF") or b"data_offsets" in data


# ── intake ────────────────────────────────────────────────────────────────────


def folder(root: Path) -> Path:
    safetensors(root / "unet/model.safetensors", b"u" * 500)
    safetensors(root / "vae/model.safetensors", b"v" * 100)
    (root / "vae/config.json").write_text("{}")
    (root / "model_index.json").write_text('{"a": 1}')
    (root / "vae/old.bin").write_bytes(b"pickle")
    (root / ".cache").mkdir()
    (root / ".cache/junk.json").write_text("{}")
    return root


def test_a_folder_becomes_files_with_the_largest_weights_first(tmp_path: Path) -> None:
    chosen = intake.choose(folder(tmp_path / "m"))
    files = intake.read(chosen)
    assert {f.name: (f.type, f.primary) for f in files} == {
        "unet/model.safetensors": ("Model", True),
        "vae/model.safetensors": ("Model", False),
        "model_index.json": ("Config", False),
        "vae/config.json": ("Config", False),
    }
    assert [p.name for p in chosen.ignored] == ["old.bin"]
    assert chosen.size == sum(f.size for f in files)


def test_a_folder_without_usable_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a diffusers folder"):
        intake.choose(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="no weights"):
        intake.choose(tmp_path)
    (tmp_path / "w.bin").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"only pickles such as 'w\.bin'"):
        intake.choose(tmp_path)


def test_a_copy_is_whole_and_is_recognized_as_ours(tmp_path: Path) -> None:
    files = intake.read(intake.choose(folder(tmp_path / "m")))
    place, copied = intake.copy(files, tmp_path / "models")
    assert all(c.path.read_bytes() == f.path.read_bytes() for c, f in zip(copied, files, strict=True))
    assert intake.copies([c.path for c in copied], tmp_path / "models") == {place}
    assert intake.copies([f.path for f in files], tmp_path / "models") == set()
    assert intake.copies([tmp_path / "models/mine/x.safetensors"], tmp_path / "models") == set()


def test_a_failed_copy_leaves_nothing(tmp_path: Path) -> None:
    files = intake.read(intake.choose(folder(tmp_path / "m")))
    (tmp_path / "m/vae/config.json").unlink()
    with pytest.raises(FileNotFoundError):
        intake.copy(files, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


# ── entries ───────────────────────────────────────────────────────────────────


def test_our_own_entries_get_ids_that_no_civitai_model_has(db: Database) -> None:
    first, second = add(db, FOX), add(db, replace(FOX, name="Owl"))
    assert first.version.air == f"urn:air:sdxl:lora:heddle:{models.FIRST_OWN_ID}@{models.FIRST_OWN_ID}"
    assert (second.model.id, second.version.id) == (models.FIRST_OWN_ID + 1, models.FIRST_OWN_ID + 1)
    add(db, replace(FOX, source="civitai", model_id=5000, version_id=9000))
    third = add(db, replace(FOX, name="Bear"))
    assert third.version.id == models.FIRST_OWN_ID + 2


def test_a_version_is_found_by_every_form_of_its_air(db: Database) -> None:
    entry = add(db, replace(FOX, base_model="Pony", source="civitai", model_id=101, version_id=202))
    assert entry.version.air == "urn:air:sdxl:lora:civitai:101@202"
    for text in (
        "urn:air:sdxl:lora:civitai:101@202",
        "urn:air:pony:lora:civitai:101@202",
        "urn:air:sdxl:lora:civitai:101@202+5.safetensors",
        "civitai:101@202",
        "civitai:101",
        "CIVITAI:0101@0202",
    ):
        assert db.look(versions.of_air, text) == entry.version, text
        assert db.look(versions.of_air, air.parse(text)) == entry.version


@pytest.mark.parametrize(
    "text",
    [
        "heddle:101@202",
        "civitai:101@203",
        "civitai:100@202",
        "civitai:999",
        "https://x/101@202",
        "",
        "huggingface:a/b@1",
    ]
    + [f"civitai:{'9' * n}@{'9' * n}" for n in (16, 19, 30, 400)]
    + [f"civitai:{'9' * n}" for n in (16, 19, 30, 400)],
)
def test_other_airs_find_nothing(db: Database, text: str) -> None:
    add(db, replace(FOX, source="civitai", model_id=101, version_id=202))
    assert db.look(versions.of_air, text) is None


def test_without_a_version_the_newest_is_meant(db: Database) -> None:
    first = add(db, FOX)
    second = add(db, replace(FOX, model_id=first.model.id, version_name="v2"), LATER)
    assert second.model == first.model
    assert db.look(versions.of_air, f"heddle:{first.model.id}") == second.version


def test_what_is_there_already_is_refused_and_nothing_is_written(db: Database, tmp_path: Path) -> None:
    files = intake.read(intake.choose(safetensors(tmp_path / "a.safetensors")))
    first = add(db, replace(FOX, files=files))
    before = db.look(entries.every)
    for new, why in (
        (replace(FOX, name="Again", files=files), first.version.air),
        (replace(FOX, version_id=first.version.id), "a version"),
        (replace(FOX, model_id=first.model.id, type="Checkpoint"), "of type LORA"),
        (replace(FOX, model_id=first.model.id, source="civitai", version_id=7), "from heddle"),
    ):
        with pytest.raises(Conflict, match=why):
            add(db, new)
    assert db.look(entries.every) == before


def test_folders_may_share_a_part(db: Database, tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two")
    safetensors(two / "unet/model.safetensors", b"w" * 500)
    for path in (one, two):
        add(db, replace(FOX, type="Checkpoint", files=intake.read(intake.choose(path))))
    assert len(db.look(entries.every)) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"base_model": ""}, "baseModel"),
        ({"version_name": ""}, "versionName"),
        ({"type": "Lora"}, "type"),
        ({"model_id": 0}, "modelId"),
        ({"version_id": 2**53}, "versionId"),
    ],
)
def test_bad_fields_are_named(db: Database, change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        add(db, replace(FOX, **change))
    assert list(refused.value.fields) == [field]


def test_a_model_goes_with_its_last_version(db: Database, tmp_path: Path) -> None:
    files = intake.read(intake.choose(safetensors(tmp_path / "a.safetensors")))
    first = add(db, replace(FOX, files=files))
    second = add(db, replace(FOX, model_id=first.model.id, version_name="v2"))
    do(db, lambda tx: entries.remove(tx, first))
    assert db.look(entries.every) == [second]
    do(db, lambda tx: entries.remove(tx, second))
    assert db.look(models.every) == []
    add(db, replace(FOX, files=files))


def test_built_in_entries_are_added_once_and_by_their_numbers(db: Database) -> None:
    assert do(db, lambda tx: builtin.ensure(tx, NOW)) == len(builtin.here())
    before = db.look(entries.every)
    assert do(db, lambda tx: builtin.ensure(tx, LATER)) == 0
    assert db.look(entries.every) == before
    assert [e.version.air for e in before[: len(builtin.ENTRIES)]] == [
        "urn:air:sketch:checkpoint:heddle:1@1",
        *(f"urn:air:sketch:lora:heddle:{n}@{n}" for n in range(2, len(builtin.ENTRIES) + 1)),
    ]
    assert all(e.version.id == n for n, e in enumerate(before, 1))


# ── the wire ──────────────────────────────────────────────────────────────────


def seed_schema(name: str) -> Draft202012Validator:
    path = Path(__file__).parents[3] / "shared/seeds/openapi/civitai-site-api-openapi.yml"
    if not path.exists():
        pytest.skip("the seed documents are not beside the checkout")
    document = yaml.safe_load(path.read_text())
    schema = document | {"$ref": f"#/components/schemas/{name}"}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.fixture
def shown(db: Database, tmp_path: Path) -> dict[str, Any]:
    files = intake.read(intake.choose(folder(tmp_path / "m")))
    entry = add(db, replace(FOX, files=files, version_description="First."))
    return site.model_version(entry.version, entry.model, entry.files)


def test_a_version_is_shown_as_the_seed_describes_it(shown: dict[str, Any]) -> None:
    seed = seed_schema("ModelVersion")
    seed.validate(shown)
    described = seed.schema["components"]["schemas"]["ModelVersion"]["properties"]
    assert set(described) - set(shown) == {"downloadUrl"}


def test_a_version_is_shown_as_our_own_model_describes_it(shown: dict[str, Any]) -> None:
    parsed = site.ModelVersion.model_validate(shown)
    assert parsed.air == shown["air"]
    assert parsed.files[0].hashes.sha256 == shown["files"][0]["hashes"]["SHA256"]
    described = set(site.ModelVersion.model_json_schema()["properties"])
    assert set(shown) <= described


def test_a_user_is_shown_as_the_seed_describes_it(db: Database) -> None:
    account = do(db, lambda tx: accounts.create(tx, "alice", NOW, email="a@example.org", tier="Gold"))
    user = site.user(account)
    seed_schema("User").validate(user)
    site.User.model_validate(user)
    assert user == {
        "id": account.id,
        "username": "alice",
        "email": "a@example.org",
        "tier": "Gold",
        "createdAt": "2026-01-02T03:04:05.000Z",
    }


def test_absent_is_absent(db: Database) -> None:
    account = do(db, lambda tx: accounts.create(tx, "alice", NOW))
    assert "email" not in site.user(account)
    do(db, lambda tx: builtin.ensure(tx, NOW))
    entry = db.look(entries.of_version, 1)
    assert entry is not None
    rendered = site.model_version(entry.version, entry.model, entry.files)
    assert "description" not in rendered
    assert rendered["files"] == []
    assert None not in rendered.values()


def test_a_gguf_file_has_a_word_of_the_wire_and_its_own(db: Database, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF\x03\x00\x00\x00rest")
    entry = add(db, replace(FOX, files=intake.read(intake.choose(tmp_path / "a.gguf"))))
    file = site.model_version(entry.version, entry.model, entry.files)["files"][0]
    assert (file["format"], file["metadata"]["format"]) == ("Other", "GGUF")
