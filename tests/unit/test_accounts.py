"""Accounts and tokens: who gets in, and who does not any more."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from heddle import accounts, ledger, settings
from heddle.chores import first_run
from heddle.db import Database, Dialect, Tx
from heddle.errors import Conflict, InvalidRequest, NotFound

T = TypeVar("T")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def db(dialect: Dialect) -> Iterator[Database]:
    database = Database(dialect)
    yield database
    database.close()


def do(db: Database, change: Callable[[Tx], T]) -> T:
    def verb(tx: Tx, items: Sequence[None]) -> list[T]:
        return [change(tx) for _ in items]

    return db.apply(verb, None)


def test_a_token_opens_its_account_and_no_other(db: Database) -> None:
    alice, bob = (do(db, lambda tx, n=name: accounts.create(tx, n, NOW)) for name in ("alice", "bob"))
    _, first = do(db, lambda tx: accounts.create_token(tx, alice.id, "laptop", NOW))
    _, second = do(db, lambda tx: accounts.create_token(tx, bob.id, "laptop", NOW))
    assert db.look(accounts.of_token, first) == alice
    assert db.look(accounts.of_token, second) == bob


@pytest.mark.parametrize("token", ["", "hd_", "hd_wrong", "' OR 1=1 --", "\ud800", "x" * 100_000, "\x00"])
def test_an_unknown_token_opens_nothing(db: Database, token: str) -> None:
    account = do(db, lambda tx: accounts.create(tx, "alice", NOW))
    do(db, lambda tx: accounts.create_token(tx, account.id, "laptop", NOW))
    assert db.look(accounts.of_token, token) is None


@pytest.mark.parametrize("new_dialect", ["sqlite"], indirect=True)
def test_clear_texts_are_long_different_and_not_in_the_database(db: Database, tmp_path: Path) -> None:
    account = do(db, lambda tx: accounts.create(tx, "alice", NOW))
    texts = {do(db, lambda tx: accounts.create_token(tx, account.id, "t", NOW))[1] for _ in range(20)}
    assert len(texts) == 20
    assert all(text.startswith("hd_") and len(text) >= 46 for text in texts)
    db.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("heddle.db*"))
    assert b"alice" in stored
    assert not any(text.encode() in stored or text[3:].encode() in stored for text in texts)


def test_a_token_ends_when_it_expires(db: Database) -> None:
    account = do(db, lambda tx: accounts.create(tx, "alice", NOW))
    until = NOW + timedelta(days=1)
    _, clear = do(db, lambda tx: accounts.create_token(tx, account.id, "t", NOW, until))
    assert db.look(accounts.of_token, clear, until - timedelta(milliseconds=1)) == account
    assert db.look(accounts.of_token, clear, until) is None
    assert db.look(accounts.any_token, until - timedelta(milliseconds=1))
    assert not db.look(accounts.any_token, until)
    assert not db.look(accounts.list_tokens)[0].usable(until)


def test_a_token_ends_when_it_is_revoked(db: Database) -> None:
    account = do(db, lambda tx: accounts.create(tx, "alice", NOW))
    token_id, clear = do(db, lambda tx: accounts.create_token(tx, account.id, "t", NOW))
    assert do(db, lambda tx: accounts.revoke_token(tx, token_id, NOW)) is True
    assert db.look(accounts.of_token, clear) is None
    assert not db.look(accounts.any_token)
    later = NOW + timedelta(days=1)
    assert do(db, lambda tx: accounts.revoke_token(tx, token_id, later)) is True
    assert db.look(accounts.list_tokens, account.id)[0].revoked_at == NOW
    assert do(db, lambda tx: accounts.revoke_token(tx, "tok_none", NOW)) is False


def test_tokens_are_listed_by_account(db: Database) -> None:
    alice, bob = (do(db, lambda tx, n=name: accounts.create(tx, n, NOW)) for name in ("alice", "bob"))
    for account, name in ((alice, "a1"), (alice, "a2"), (bob, "b1")):
        do(db, lambda tx, a=account, n=name: accounts.create_token(tx, a.id, n, NOW))
    assert sorted(t.name for t in db.look(accounts.list_tokens, alice.id)) == ["a1", "a2"]
    assert len(db.look(accounts.list_tokens)) == 3


def test_names_are_unique_without_regard_to_case(db: Database) -> None:
    alice = do(db, lambda tx: accounts.create(tx, "Alice", NOW))
    assert db.look(accounts.of_username, "aLICE") == alice
    with pytest.raises(Conflict, match="'alice'"):
        do(db, lambda tx: accounts.create(tx, "alice", NOW))
    assert db.look(accounts.every) == [alice]


@pytest.mark.parametrize("name", ["", " ", "a b", "ü", "-a", "a" * 65, "a\n", "../x"])
def test_odd_names_are_refused(db: Database, name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        do(db, lambda tx: accounts.create(tx, name, NOW))
    assert list(refused.value.fields) == ["username"]


def test_an_unknown_tier_is_refused(db: Database) -> None:
    with pytest.raises(InvalidRequest, match="'Platinum' is not one of: Free"):
        do(db, lambda tx: accounts.create(tx, "alice", NOW, tier="Platinum"))


def test_every_account_has_a_webhook_secret_of_its_own(db: Database) -> None:
    alice, bob = (do(db, lambda tx, n=name: accounts.create(tx, n, NOW)) for name in ("alice", "bob"))
    secrets = [db.look(accounts.webhook_secret, account.id) for account in (alice, bob)]
    assert secrets[0] != secrets[1]
    assert all(len(base64.b64decode(s.removeprefix("whsec_"), validate=True)) >= 24 for s in secrets)
    with pytest.raises(NotFound):
        db.look(accounts.webhook_secret, 99)


def test_the_first_start_makes_one_owner_with_buzz_and_a_token(db: Database) -> None:
    current = settings.read({"HEDDLE_STARTING_BUZZ": "500"})
    clear = first_run.first_account(db, current, NOW)
    assert clear is not None
    owner = db.look(accounts.of_token, clear)
    assert owner is not None
    assert (owner.username, owner.tier) == ("owner", "Founder")
    assert db.look(ledger.balance, owner.id).available == 500
    assert db.look(ledger.check) == []
    assert first_run.first_account(db, current, NOW) is None
    assert len(db.look(accounts.list_tokens)) == 1


def test_a_new_account_is_all_or_nothing(db: Database) -> None:
    do(db, lambda tx: first_run.new_account(tx, "alice", NOW, buzz=7))
    with pytest.raises(Conflict):
        do(db, lambda tx: first_run.new_account(tx, "alice", NOW, buzz=7))
    assert [db.look(ledger.balance, a.id).available for a in db.look(accounts.every)] == [7]
    assert db.look(ledger.check) == []
