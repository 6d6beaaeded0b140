"""`heddle buzz`: what accounts have."""

from __future__ import annotations

import click
import msgspec

from heddle import accounts, ledger
from heddle.accounts import Account
from heddle.cli.home import account_of, commit, home
from heddle.db import Tx
from heddle.domain import now
from heddle.ledger import Balance

#: The largest grant; far below what the database can add up.
MOST_BUZZ = 10**12


@click.group()
def buzz() -> None:
    """Grant Buzz and show balances.

    \b
    Examples:
      heddle buzz grant alice 10000
      heddle buzz balance
    """


@buzz.command("grant")
@click.argument("user")
@click.argument("amount", type=click.IntRange(1, MOST_BUZZ))
@click.option("--memo", default="granted by the administrator", show_default=True, help="Why; kept in the ledger.")
def grant(user: str, amount: int, memo: str) -> None:
    """Put Buzz into an account.

    \b
    Example:
      heddle buzz grant alice 10000 --memo "March"
    """

    def change(tx: Tx) -> tuple[Account, Balance]:
        account = account_of(tx, user)
        ledger.grant(tx, account.id, amount, memo, now())
        return account, ledger.balance(tx, account.id)

    with home() as db:
        account, has = commit(db, change)
    click.echo(f"{account.username} has {has.available} Buzz")


@buzz.command("balance")
@click.argument("user", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def balance(user: str | None, as_json: bool) -> None:
    """Show what an account has, or all accounts: available, held for unfinished workflows, spent.

    \b
    Example:
      heddle buzz balance alice
    """
    with home() as db:
        shown = db.look(_balances, user)
    if as_json:
        click.echo(msgspec.json.encode(shown))
        return
    click.echo(f"{'account':<20}  {'available':>12}  {'held':>12}  {'spent':>12}")
    for row in shown:
        click.echo(f"{row['user']:<20}  {row['available']:>12}  {row['held']:>12}  {row['spent']:>12}")


def _balances(tx: Tx, user: str | None) -> list[dict[str, str | int]]:
    chosen = accounts.every(tx) if user is None else [account_of(tx, user)]
    return [_row(account, ledger.balance(tx, account.id)) for account in chosen]


def _row(account: Account, has: Balance) -> dict[str, str | int]:
    return {"user": account.username, "available": has.available, "held": has.held, "spent": has.spent}
