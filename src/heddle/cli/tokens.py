"""`heddle tokens` and `heddle accounts`: who may use this server."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import click
import msgspec

from heddle import accounts, settings
from heddle.accounts import TIERS, Account, Limits, Token
from heddle.chores import first_run
from heddle.cli.buzz import MOST_BUZZ
from heddle.cli.home import account_of, commit, home
from heddle.db import Tx
from heddle.domain import now
from heddle.errors import UsageError

_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON.")
_USER = click.option("--user", metavar="NAME", help="The account; default: the owner, the first one made.")


@click.group()
def tokens() -> None:
    """Create, list and revoke tokens.

    \b
    Examples:
      heddle tokens create laptop
      heddle tokens create ci --user alice --days 30
      heddle tokens revoke tok_01J...
    """


@tokens.command("create")
@click.argument("name")
@_USER
@click.option(
    "--days", type=click.FloatRange(min=0, max=36_500, min_open=True), help="When it expires; default: never."
)
def create_token(name: str, user: str | None, days: float | None) -> None:
    """Make a token for an account. Its text goes to standard output and cannot be shown again.

    \b
    Example:
      TOKEN=$(heddle tokens create laptop)
    """
    at = now()
    expires_at = None if days is None else at + timedelta(days=days)

    def change(tx: Tx) -> tuple[Account, str, str]:
        account = account_of(tx, user)
        return (account, *accounts.create_token(tx, account.id, name, at, expires_at))

    with home() as db:
        account, token_id, clear = commit(db, change)
    until = f" until {_moment(expires_at)}" if expires_at else ""
    click.echo(
        f"{token_id} opens the account {account.username}{until}; keep the text, it is shown only now:", err=True
    )
    click.echo(clear)


@tokens.command("list")
@_USER
@_JSON
def list_tokens(user: str | None, as_json: bool) -> None:
    """List tokens, never their text.

    \b
    Example:
      heddle tokens list --user alice
    """
    with home() as db:
        shown = db.look(_tokens, user)
    if as_json:
        click.echo(msgspec.json.encode(shown))
        return
    for row in shown:
        click.echo(f"{row['id']}  {row['user']:<12}  {row['name']:<20}  {row['state']:<8}  {row['createdAt']}")
    if not shown:
        click.echo("no tokens")


@tokens.command("revoke")
@click.argument("token_id", metavar="ID")
def revoke_token(token_id: str) -> None:
    """End a token at once.

    \b
    Example:
      heddle tokens revoke tok_01J...
    """
    with home() as db:
        revoked = commit(db, lambda tx: accounts.revoke_token(tx, token_id, now()))
    if not revoked:
        raise UsageError(f"there is no token {token_id!r}", "`heddle tokens list` shows the ids")
    click.echo(f"{token_id} is revoked")


@click.group("accounts")
def accounts_() -> None:
    """Create and list accounts.

    \b
    Examples:
      heddle accounts create alice --email alice@example.org
      heddle accounts list
      heddle accounts limit alice --running 4
    """


@accounts_.command("create")
@click.argument("name")
@click.option("--email", help="Shown to the account itself.")
@click.option("--tier", type=click.Choice(TIERS), default="Free", show_default=True)
@click.option("--buzz", type=click.IntRange(0, MOST_BUZZ), help="What it starts with; default: HEDDLE_STARTING_BUZZ.")
def create_account(name: str, email: str | None, tier: str, buzz: int | None) -> None:
    """Make an account and grant it its first Buzz. It needs a token before anybody can use it.

    \b
    Example:
      heddle accounts create alice --buzz 5000
    """
    amount = settings.read().starting_buzz if buzz is None else buzz
    with home() as db:
        commit(db, lambda tx: first_run.new_account(tx, name, now(), buzz=amount, email=email, tier=tier))
    click.echo(f"{name} has {amount} Buzz; next: heddle tokens create NAME --user {name}")


@accounts_.command("limit")
@click.argument("name")
@click.option("--weight", type=click.FloatRange(0.01, 1000), help="Its share against others; at first 1.")
@click.option("--running", type=click.IntRange(0, 1_000_000), help="Jobs at once; 0: as many as there are slots.")
@click.option("--open", "open_", type=click.IntRange(0, 10_000_000), help="Workflows under way; 0: any number.")
def limit_account(name: str, weight: float | None, running: int | None, open_: int | None) -> None:
    """Say what an account may have at once, and what it weighs against others; without an option: show it.

    \b
    Examples:
      heddle accounts limit alice --running 4 --open 200
      heddle accounts limit alice --weight 3
    """

    def change(tx: Tx) -> Limits:
        account = account_of(tx, name)
        was = accounts.limits(tx, [account.id])[account.id]
        given = {"weight": weight, "max_running": running, "max_open": open_}
        limits = replace(was, **{k: v for k, v in given.items() if v is not None})
        accounts.set_limits(tx, account.id, limits)
        return limits

    with home() as db:
        limits = commit(db, change)
    click.echo(
        f"{name} weighs {limits.weight:g}, may run {limits.max_running or 'any number of'} jobs at once"
        f" and have {limits.max_open or 'any number of'} workflows under way"
    )


@accounts_.command("list")
@_JSON
def list_accounts(as_json: bool) -> None:
    """List accounts.

    \b
    Example:
      heddle accounts list --json
    """
    with home() as db:
        found = db.look(accounts.every)
    if as_json:
        click.echo(msgspec.json.encode([_account(account) for account in found]))
        return
    for account in found:
        email = account.email or ""
        click.echo(
            f"{account.id:>6}  {account.username:<20}  {account.tier:<8}  {_moment(account.created_at)}  {email}"
        )
    if not found:
        click.echo("no accounts")


def _account(account: Account) -> dict[str, str | int | None]:
    return {
        "id": account.id,
        "username": account.username,
        "email": account.email,
        "tier": account.tier,
        "createdAt": _moment(account.created_at),
    }


def _tokens(tx: Tx, user: str | None) -> list[dict[str, str | None]]:
    account_id = None if user is None else account_of(tx, user).id
    names = {account.id: account.username for account in accounts.every(tx)}
    return [_shown(token, names[token.account_id]) for token in accounts.list_tokens(tx, account_id)]


def _shown(token: Token, username: str) -> dict[str, str | None]:
    state = "usable" if token.usable(now()) else "revoked" if token.revoked_at else "expired"
    return {
        "id": token.id,
        "user": username,
        "name": token.name,
        "state": state,
        "createdAt": _moment(token.created_at),
        "expiresAt": _moment(token.expires_at) if token.expires_at else None,
    }


def _moment(value: datetime) -> str:
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")
