"""`heddle ledger`: proof that nothing was lost and nothing was charged twice."""

from __future__ import annotations

import click

from heddle.cli.home import home
from heddle.workflows import audit


@click.group("ledger")
def ledger_() -> None:
    """Prove that the books are right.

    \b
    Example:
      heddle ledger check
    """


@ledger_.command("check")
@click.pass_context
def check(ctx: click.Context) -> None:
    """Compare balances with entries, and entries with workflows. Exit status 1 and every complaint if they differ.

    \b
    Example:
      heddle ledger check && echo fine
    """
    with home() as db:
        complaints = db.look(audit.check)
    for complaint in complaints:
        click.echo(complaint, err=True)
    if complaints:
        click.echo(f"the ledger is wrong in {len(complaints)} places", err=True)
        ctx.exit(1)
    click.echo("the ledger is right: every balance is the sum of its entries, every workflow is paid for once")
