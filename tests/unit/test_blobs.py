"""Promises are kept once, links are good as they were given and in no other form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from heddle import accounts, blobs
from heddle.blobs import Blob, Promise, Signer, Stored
from heddle.chores import sweep
from heddle.db import Database, Dialect
from heddle.domain import Artifact, new_id
from heddle.errors import Conflict, Forbidden, NotFound
from heddle.storage.disk import DiskStorage

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = AT + timedelta(minutes=15)


@pytest.fixture
def db(dialect: Dialect) -> Iterator[Database]:
    database = Database(dialect)
    for name in ("ann", "bob"):
        database.apply(lambda tx, names: [accounts.create(tx, n, AT) for n in names], name)
    yield database
    database.close()


def promise(db: Database, blob_id: str, *, size: int | None = None, until: datetime = LATER) -> None:
    wanted = Promise(blob_id=blob_id, account_id=1, mime="image/png", size=size, upload_until=until)
    db.apply(lambda tx, items: blobs.promise(tx, items, AT), wanted)


def arrived(blob_id: str, key: str = "uploads/aa/x", account_id: int | None = None) -> Stored:
    return Stored(
        blob_id=blob_id, account_id=account_id, key=key, mime="image/png", size=3, sha256="ab", width=2, height=1
    )


def store(db: Database, *items: Stored, at: datetime = AT) -> list[Blob | Exception]:
    return db.apply(lambda tx, lists: [blobs.store(tx, lists[0], at)], list(items))


def test_a_promise_is_kept_and_keeps_its_owner_and_time(db: Database) -> None:
    blob_id = new_id("blob")
    promise(db, blob_id, size=3)
    waiting = db.look(blobs.get, [blob_id])[blob_id]
    assert (waiting.state, waiting.size, waiting.key, waiting.upload_until) == ("promised", 3, "", LATER)
    (outcome,) = store(db, arrived(blob_id))
    kept = db.look(blobs.of_account, 1, blob_id)
    assert kept == outcome
    assert (kept.state, kept.sha256, kept.width, kept.created_at, kept.upload_until) == ("stored", "ab", 2, AT, None)


def test_a_promise_is_kept_once_whoever_comes_in_one_batch_or_later(db: Database) -> None:
    blob_id = new_id("blob")
    promise(db, blob_id)
    first, second = store(db, arrived(blob_id, "uploads/aa/1"), arrived(blob_id, "uploads/aa/2"))
    (third,) = store(db, arrived(blob_id, "uploads/aa/3"))
    assert isinstance(first, Blob)
    assert isinstance(second, Conflict)
    assert isinstance(third, Conflict)
    assert db.look(blobs.get, [blob_id])[blob_id].key == "uploads/aa/1"


def test_neighbors_of_a_refused_upload_are_written(db: Database) -> None:
    good, fresh = new_id("blob"), new_id("blob")
    promise(db, good)
    outcomes = store(db, arrived(new_id("blob")), arrived(good), arrived(fresh, account_id=2))
    assert [type(o) for o in outcomes] == [NotFound, Blob, Blob]
    assert db.look(blobs.of_account, 2, fresh).state == "stored"


def test_an_upload_that_ends_after_its_time_is_refused(db: Database) -> None:
    blob_id = new_id("blob")
    promise(db, blob_id)
    (outcome,) = store(db, arrived(blob_id), at=LATER + timedelta(seconds=1))
    assert isinstance(outcome, Forbidden)
    assert db.look(blobs.get, [blob_id])[blob_id].state == "promised"


def test_the_blob_of_another_account_does_not_exist(db: Database) -> None:
    blob_id = new_id("blob")
    store(db, arrived(blob_id, account_id=1))
    with pytest.raises(NotFound):
        db.look(blobs.of_account, 2, blob_id)


def test_expired_promises_come_oldest_first_and_can_be_forgotten(db: Database) -> None:
    ids = [new_id("blob") for _ in range(3)]
    for minutes, blob_id in zip((3, 1, 2), ids, strict=True):
        promise(db, blob_id, until=AT + timedelta(minutes=minutes))
    store(db, arrived(ids[2]))
    found = db.look(blobs.expired_promises, AT + timedelta(minutes=10), 10)
    assert [b.id for b in found] == [ids[1], ids[0]]
    assert len(db.look(blobs.expired_promises, AT + timedelta(minutes=10), 1)) == 1
    db.apply(lambda tx, lists: [blobs.forget(tx, lists[0])], [ids[0], ids[1]])
    assert list(db.look(blobs.get, ids)) == [ids[2]]


def test_an_artifact_becomes_a_blob_of_its_account(db: Database) -> None:
    made = Artifact(
        blob_id=new_id("blob"), key="jobs/aa/x", mime="image/png", size=9, sha256="cd", metadata={"seed": 7}
    )
    db.apply(lambda tx, lists: [blobs.record(tx, lists[0], AT)], [(1, "job_1", made)])
    blob = db.look(blobs.of_account, 1, made.blob_id)
    assert (blob.state, blob.job_id, blob.metadata, blob.nsfw_level) == ("stored", "job_1", {"seed": 7}, blobs.PG)


# ── links ─────────────────────────────────────────────────────────────────────


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def test_a_link_allows_what_it_was_made_for() -> None:
    signer = Signer({"1": b"k" * 32})
    url = signer.url("http://h", "blob_X", LATER)
    assert urlsplit(url).path == "/v2/consumer/blobs/content/blob_X"
    assert signer.check("get", "blob_X", query_of(url), AT).expires_at == LATER
    up = signer.upload_url("http://h", "blob_X", "image/png", 12, LATER)
    assert urlsplit(up).path == "/v2/consumer/blobs/upload/blob_X"
    link = signer.check("put", "blob_X", query_of(up), AT)
    assert (link.mime, link.size) == ("image/png", 12)
    assert signer.check("put", "blob_X", query_of(signer.upload_url("", "blob_X", "a/b", None, LATER)), AT).size is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exp", "9999999999"),
        ("exp", ""),
        ("exp", "x"),
        ("type", "text/html"),
        ("type", ""),
        ("size", "13"),
        ("size", ""),
        ("size", "12 "),
        ("sig", ""),
        ("sig", "1."),
        ("sig", "2.abc"),
        ("sig", "é.é"),
    ],
)
def test_a_link_that_was_changed_anywhere_is_refused(name: str, value: str) -> None:
    signer = Signer({"1": b"k" * 32})
    query = query_of(signer.upload_url("", "blob_X", "image/png", 12, LATER))
    with pytest.raises(Forbidden, match="signature"):
        signer.check("put", "blob_X", query | {name: value}, AT)
    del query[name]
    with pytest.raises(Forbidden):
        signer.check("put", "blob_X", query, AT)


def test_every_character_of_a_signature_counts() -> None:
    signer = Signer({"1": b"k" * 32})
    query = query_of(signer.url("", "blob_X", LATER))
    for i, char in enumerate(query["sig"]):
        changed = query["sig"][:i] + ("A" if char != "A" else "B") + query["sig"][i + 1 :]
        with pytest.raises(Forbidden):
            signer.check("get", "blob_X", query | {"sig": changed}, AT)


def test_a_link_is_good_for_one_blob_and_one_act() -> None:
    signer = Signer({"1": b"k" * 32})
    down, up = query_of(signer.url("", "blob_X", LATER)), query_of(signer.upload_url("", "blob_X", "", None, LATER))
    for act, blob_id, query in (("get", "blob_Y", down), ("put", "blob_X", down), ("get", "blob_X", up)):
        with pytest.raises(Forbidden):
            signer.check(act, blob_id, query, AT)


def test_a_link_ends_at_its_second() -> None:
    signer = Signer({"1": b"k" * 32})
    query = query_of(signer.url("", "blob_X", LATER))
    signer.check("get", "blob_X", query, LATER - timedelta(milliseconds=1))
    with pytest.raises(Forbidden, match="expired"):
        signer.check("get", "blob_X", query, LATER)


def test_older_keys_are_accepted_and_the_newest_signs() -> None:
    old = Signer({"9": b"a" * 32})
    both = Signer({"9": b"a" * 32, "10": b"b" * 32})
    both.check("get", "blob_X", query_of(old.url("", "blob_X", LATER)), AT)
    assert query_of(both.url("", "blob_X", LATER))["sig"].startswith("10.")
    with pytest.raises(Forbidden):
        old.check("get", "blob_X", query_of(both.url("", "blob_X", LATER)), AT)


def test_the_key_is_made_once_and_survives_a_restart(db: Database) -> None:
    query = query_of(Signer.from_db(db).url("", "blob_X", LATER))
    Signer.from_db(db).check("get", "blob_X", query, AT)
    value = db.look(lambda tx: tx.all("SELECT value FROM signing_keys"))
    assert [len(bytes.fromhex(row["value"])) for row in value] == [32]


# ── the sweep ─────────────────────────────────────────────────────────────────


def test_the_sweep_takes_only_what_is_old_and_nobody_names(db: Database, tmp_path: Path) -> None:
    storage = DiskStorage({"root": str(tmp_path / "blobs")})
    kept, orphan = (blobs.upload_key(new_id("blob")) for _ in range(2))
    made = f"jobs/aa/job_1/1/{new_id('blob')}"
    stray = "uploads/README"
    for key in (kept, orphan, made, stray):
        storage.write(key, [b"x"])
    found = blobs.origin(kept)
    assert found is not None
    store(db, arrived(found[0], kept, account_id=1))
    now = datetime.now(UTC)
    promise(db, new_id("blob"), until=now)
    swept = sweep.sweep(db, storage, now + timedelta(hours=1))
    assert (swept.promises, swept.orphans) == (0, 0)
    swept = sweep.sweep(db, storage, now + timedelta(days=1, minutes=1))
    assert (swept.promises, swept.orphans) == (1, 2)
    assert set(storage.keys("")) == {kept, stray}


def test_a_loser_that_wrote_beside_the_winner_is_swept(db: Database, tmp_path: Path) -> None:
    storage = DiskStorage({"root": str(tmp_path / "blobs")})
    blob_id = new_id("blob")
    winner, loser = blobs.upload_key(blob_id), blobs.upload_key(blob_id)
    for key in (winner, loser):
        storage.write(key, [b"x"])
    store(db, arrived(blob_id, winner, account_id=1))
    sweep.sweep(db, storage, datetime.now(UTC) + timedelta(days=2))
    assert list(storage.keys("")) == [winner]


def test_unfinished_files_go_after_a_day(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    storage = DiskStorage({"root": str(folder)})
    storage.write("uploads/aa/whole", [b"x"])
    half = folder / "uploads" / "aa" / ".x.0011.part"
    half.write_bytes(b"half")
    now = datetime.now(UTC)
    assert sweep.sweep(db, storage, now).partials == 0
    assert sweep.sweep(db, storage, now + timedelta(days=1, minutes=1)).partials == 1
    assert [p.name for p in folder.rglob("*") if p.is_file()] == ["whole"]
