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

#: The name of the tokens that a command makes for itself and takes back at its end.
EMBEDDED = "embedded run"


def first_account(db: Database, settings: Settings, now: datetime, *, token: bool = True) -> str | None:
    """Make the owner account unless some account exists.

    Returns the clear text of a token for the oldest account when nobody has a usable one; it is shown once. Not when
    `token` is false: then there is nobody to show it to. Also brings the built-in catalog up to date, so call it at
    every start.
    """

    def begin(tx: Tx, items: Sequence[datetime]) -> list[str | None]:
        return [_begin(tx, settings.starting_buzz, at, token=token) for at in items]

    return db.apply(begin, now)


def new_account(
    tx: Tx, username: str, at: datetime, *, buzz: int, email: str | None = None, tier: str = "Free"
) -> Account:
    """An account with its pockets and what it starts with. Raises Conflict when the name is taken."""
    made = accounts.create(tx, username, at, email=email, tier=tier)
    ledger.open_accounts(tx, [made.id])
    ledger.grant(tx, made.id, buzz, "starting Buzz", at)
    return made


def _begin(tx: Tx, starting_buzz: int, at: datetime, *, token: bool) -> str | None:
    builtin.ensure(tx, at)
    known = accounts.every(tx)
    owner = known[0] if known else new_account(tx, OWNER, at, buzz=starting_buzz, tier="Founder")
    if not token or any(one.usable(at) and one.name != EMBEDDED for one in accounts.list_tokens(tx)):
        return None
    _, clear = accounts.create_token(tx, owner.id, "first start" if not known else "start without a token", at)
    return clear
