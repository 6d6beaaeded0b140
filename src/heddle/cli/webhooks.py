"""`heddle webhooks`: what was told to whom, and telling it again."""

from __future__ import annotations

import click
import msgspec

from heddle import accounts, outbox
from heddle.cli.home import account_of, home
from heddle.cli.processes import stand
from heddle.db import Tx
from heddle.domain import now
from heddle.errors import UsageError
from heddle.outbox import Entry, Replay


@click.group(invoke_without_command=True)
@click.option("--probe-port", type=click.IntRange(0, 65535), help="Answer /livez, /readyz and /metrics there.")
@click.option("--home", "home_", type=click.Path(file_okay=False), help="Data folder (default ~/.heddle).")
@click.pass_context
def webhooks(ctx: click.Context, probe_port: int | None, home_: str | None) -> None:
    """Deliver webhooks, and nothing else (needs PostgreSQL); or look at deliveries and replay them.

    \b
    Examples:
      HEDDLE_DATABASE=postgresql://heddle@db/heddle heddle webhooks
      heddle webhooks list --state dead
      heddle webhooks replay --dead
      heddle webhooks secret
    """
    if ctx.invoked_subcommand is None:
        stand("webhooks", probe_port=probe_port, home=home_)


@webhooks.command("list")
@click.option("--state", type=click.Choice(["waiting", "delivered", "dead"]), help="Only these.")
@click.option("--workflow", metavar="ID", help="Only the events of this workflow.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def list_events(state: outbox.State | None, workflow: str | None, limit: int, as_json: bool) -> None:
    """List events, newest first. Addresses are shown without their query, which may hold a secret.

    \b
    Example:
      heddle webhooks list --state dead --workflow wf_01J...
    """
    with home() as db:
        found = db.look(outbox.entries, state, workflow, limit)
    if as_json:
        click.echo(msgspec.json.encode([_row(entry) for entry in found]))
        return
    for entry in found:
        row = _row(entry)
        tries = "1 try" if entry.tries == 1 else f"{entry.tries} tries"
        why = f"  {entry.error}" if entry.error and entry.state != "delivered" else ""
        click.echo(
            f"{row['id']:<10}  {row['workflowId']}  {row['sequence']:>3}  {row['state']:<9}  {tries:<8}"
            f"  {row['endpoint']}{why}"
        )
    if not found:
        click.echo("no events")


@webhooks.command("replay")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--dead", is_flag=True, help="Every dead event.")
def replay(ids: tuple[str, ...], dead: bool) -> None:
    """Send dead events again, with the ids and numbers that they had. A running server sees them within a second.

    \b
    Examples:
      heddle webhooks replay evt_17 evt_18
      heddle webhooks replay --dead
    """
    if dead == bool(ids):
        raise UsageError("name the events to send again, or give --dead", "`heddle webhooks list --state dead`")
    request = Replay(ids=None if dead else [_number(text) for text in ids], at=now())
    with home() as db:
        count = db.apply(outbox.replay, request)
    if ids and not count:
        raise UsageError(
            "none of these events is dead", "`heddle webhooks list --state dead` shows those that can be replayed"
        )
    click.echo("1 event waits again" if count == 1 else f"{count} events wait again")


@webhooks.command("secret")
@click.option("--user", metavar="NAME", help="The account; default: the owner, the first one made.")
def secret(user: str | None) -> None:
    """Print the secret that signs an account's webhooks.

    \b
    Example:
      export WEBHOOK_SECRET=$(heddle webhooks secret)
    """
    with home() as db:
        click.echo(db.look(_secret, user))


def _secret(tx: Tx, user: str | None) -> str:
    return accounts.webhook_secret(tx, account_of(tx, user).id)


def _number(text: str) -> int:
    number = text.removeprefix("evt_")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise UsageError(f"{text!r} is not the id of an event", "an id looks like evt_17; see `heddle webhooks list`")
    return int(number)


def _row(entry: Entry) -> dict[str, str | int | None]:
    return {
        "id": f"evt_{entry.id}",
        "workflowId": entry.workflow_id,
        "endpoint": entry.endpoint.partition("?")[0],
        "sequence": entry.seq,
        "state": entry.state,
        "tries": entry.tries,
        "createdAt": None if entry.created_at is None else entry.created_at.isoformat(),
        "deliveredAt": None if entry.delivered_at is None else entry.delivered_at.isoformat(),
        "error": entry.error,
    }
