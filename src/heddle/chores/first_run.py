"""What every start makes sure of: the built-in catalog, and an owner account with its Buzz and its token."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from heddle import accounts, ledger
from heddle.accounts import Account
from heddle.catalog import builtin
from heddle.db import Database, Tx
from heddle.settings import Settings

#: The name of the account that the first start makes.
OWNER = "owner"


def first_account(db: Database, settings: Settings, now: datetime) -> str | None:
    """Make the owner account unless some account exists; the clear text of its token, which is shown once.

    Also brings the built-in catalog up to date, so call it at every start.
    """

    def begin(tx: Tx, items: Sequence[datetime]) -> list[str | None]:
        return [_begin(tx, settings.starting_buzz, at) for at in items]

    return db.apply(begin, now)


def new_account(
    tx: Tx, username: str, at: datetime, *, buzz: int, email: str | None = None, tier: str = "Free"
) -> Account:
    """An account with its pockets and what it starts with. Raises Conflict when the name is taken."""
    made = accounts.create(tx, username, at, email=email, tier=tier)
    ledger.open_accounts(tx, [made.id])
    ledger.grant(tx, made.id, buzz, "starting Buzz", at)
    return made


def _begin(tx: Tx, starting_buzz: int, at: datetime) -> str | None:
    builtin.ensure(tx, at)
    if accounts.every(tx):
        return None
    owner = new_account(tx, OWNER, at, buzz=starting_buzz, tier="Founder")
    _, clear = accounts.create_token(tx, owner.id, "first start", at)
    return clear
