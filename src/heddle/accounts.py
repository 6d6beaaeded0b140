"""Accounts and their tokens. Owns the tables accounts and tokens.

A token is shown once, when it is made; the table keeps its SHA-256. That is enough for 32 random bytes: there is
nothing to guess, so a slow hash would only make every request slower.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from heddle.db import Row, Tx, marks
from heddle.domain import from_ms, new_id, now, to_ms
from heddle.errors import Conflict, InvalidRequest, NotFound

#: The tiers of the wire.
TIERS = ("Free", "Founder", "Bronze", "Silver", "Gold")

_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who owns workflows, blobs and Buzz."""

    id: int
    username: str
    email: str | None
    tier: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A key to an account, without its clear text."""

    id: str
    account_id: int
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def usable(self, at: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)


def create(tx: Tx, username: str, at: datetime, *, email: str | None = None, tier: str = "Free") -> Account:
    """A new account with a webhook secret of its own. Raises Conflict when the name is taken."""
    if not _USERNAME.fullmatch(username):
        raise InvalidRequest.of("username", f"{username!r} is not 1 to 64 letters, digits, '_', '.' or '-'")
    if tier not in TIERS:
        raise InvalidRequest.of("tier", f"{tier!r} is not one of: {', '.join(TIERS)}")
    if of_username(tx, username) is not None:
        raise Conflict(f"an account named {username!r} exists already")
    row = tx.one(
        "INSERT INTO accounts (username, email, tier, webhook_secret, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (username, email, tier, _new_secret(), to_ms(at)),
    )
    assert row is not None
    return Account(id=row["id"], username=username, email=email, tier=tier, created_at=at)


def of_tokens(tx: Tx, tokens: Sequence[str], at: datetime | None = None) -> list[Account | None]:
    """The accounts that these clear texts open now; None for what is unknown, expired or revoked."""
    hashes = [_hash(token) for token in tokens]
    found = tx.all(
        "SELECT t.hash, a.id, a.username, a.email, a.tier, a.created_at FROM tokens t"  # noqa: S608
        f" JOIN accounts a ON a.id = t.account_id WHERE t.hash IN ({marks(hashes)})"
        " AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ?)",
        (*hashes, to_ms(at or now())),
    )
    opened = {row["hash"]: _account(row) for row in found}
    return [opened.get(one) for one in hashes]


def of_token(tx: Tx, token: str, at: datetime | None = None) -> Account | None:
    """The same for one."""
    return of_tokens(tx, [token], at)[0]


def of_id(tx: Tx, account_id: int) -> Account | None:
    """The account with this id."""
    row = tx.one("SELECT id, username, email, tier, created_at FROM accounts WHERE id = ?", (account_id,))
    return None if row is None else _account(row)


def of_username(tx: Tx, username: str) -> Account | None:
    """The account with this name; names that differ only in case are one name."""
    row = tx.one(
        "SELECT id, username, email, tier, created_at FROM accounts WHERE lower(username) = lower(?)", (username,)
    )
    return None if row is None else _account(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an account may have at once, 0 for as much as it likes, and what it weighs against others."""

    weight: float = 1.0
    max_running: int = 0
    max_open: int = 0


def limits(tx: Tx, account_ids: Sequence[int], *, keep: str = "") -> dict[int, Limits]:
    """Per account. `keep`: `tx.for_update`, in a verb that decides by them."""
    if not account_ids:
        return {}
    ids = sorted(set(account_ids))
    found = tx.all(
        f"SELECT id, weight, max_running, max_open FROM accounts WHERE id IN ({marks(ids)}) ORDER BY id{keep}",  # noqa: S608
        ids,
    )
    return {
        row["id"]: Limits(weight=row["weight"], max_running=row["max_running"], max_open=row["max_open"])
        for row in found
    }


def set_limits(tx: Tx, account_id: int, limits: Limits) -> None:
    """Give an account other limits; they count from the next submit and the next claim on."""
    tx.run(
        "UPDATE accounts SET weight = ?, max_running = ?, max_open = ? WHERE id = ?",
        (limits.weight, limits.max_running, limits.max_open, account_id),
    )


def every(tx: Tx) -> list[Account]:
    """All accounts, oldest first; the first one is the owner's."""
    return [_account(row) for row in tx.all("SELECT id, username, email, tier, created_at FROM accounts ORDER BY id")]


def webhook_secret(tx: Tx, account_id: int) -> str:
    """The `whsec_…` that signs this account's webhooks. Raises NotFound."""
    row = tx.one("SELECT webhook_secret FROM accounts WHERE id = ?", (account_id,))
    if row is None:
        raise NotFound(f"there is no account {account_id}")
    return row["webhook_secret"]


def create_token(
    tx: Tx, account_id: int, name: str, at: datetime, expires_at: datetime | None = None
) -> tuple[str, str]:
    """A new token: its id, and the clear text that nobody can ask for again."""
    token_id, clear = new_id("tok"), f"hd_{secrets.token_urlsafe(32)}"
    tx.run(
        "INSERT INTO tokens (id, account_id, name, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
        (token_id, account_id, name, _hash(clear), to_ms(at), None if expires_at is None else to_ms(expires_at)),
    )
    return token_id, clear


def list_tokens(tx: Tx, account_id: int | None = None) -> list[Token]:
    """The tokens of one account, or of all, oldest first."""
    columns = "id, account_id, name, created_at, expires_at, revoked_at"
    if account_id is None:
        found = tx.all(f"SELECT {columns} FROM tokens ORDER BY id")  # noqa: S608 - a constant list of columns
    else:
        found = tx.all(f"SELECT {columns} FROM tokens WHERE account_id = ? ORDER BY id", (account_id,))  # noqa: S608
    return [_token(row) for row in found]


def revoke_token(tx: Tx, token_id: str, at: datetime) -> bool:
    """End a token. False when there is no such token; a second time is no error and changes nothing."""
    stamp = to_ms(at)
    return tx.run("UPDATE tokens SET revoked_at = COALESCE(revoked_at, ?) WHERE id = ?", (stamp, token_id)) == 1


def any_token(tx: Tx, at: datetime | None = None) -> bool:
    """Whether any token is usable now; without one, nobody could use a server that others can reach."""
    row = tx.one(
        "SELECT 1 AS found FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?) LIMIT 1",
        (to_ms(at or now()),),
    )
    return row is not None


def _hash(token: str) -> str:
    # surrogatepass: a header may hold any bytes, and an odd token is unknown, not an error.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _account(row: Row) -> Account:
    return Account(
        id=row["id"],
        username=row["username"],
        email=row["email"],
        tier=row["tier"],
        created_at=_time(row["created_at"]),
    )


def _token(row: Row) -> Token:
    return Token(
        id=row["id"],
        account_id=row["account_id"],
        name=row["name"],
        created_at=_time(row["created_at"]),
        expires_at=from_ms(row["expires_at"]),
        revoked_at=from_ms(row["revoked_at"]),
    )


def _time(ms: int) -> datetime:
    moment = from_ms(ms)
    assert moment is not None
    return moment
