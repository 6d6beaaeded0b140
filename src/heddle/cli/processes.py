"""`heddle api`, `dispatch`, `webhooks` and `chores`: one duty of the server each, in as many processes as wanted."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

import click

import heddle
from heddle import logs, server, settings, traces
from heddle.cli.home import usable
from heddle.cli.serve import greet, run
from heddle.errors import UsageError
from heddle.server import Duty

_HOME = click.option("--home", "home", type=click.Path(file_okay=False), help="Data folder (default ~/.heddle).")
_PROBES = click.option("--probe-port", type=click.IntRange(0, 65535), help="Answer /livez, /readyz and /metrics there.")


@click.command()
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (default 8765; 0: a free one).")
@_HOME
def api(**flags: Any) -> None:
    """Answer requests, and nothing else. Needs PostgreSQL; start as many as you like.

    \b
    Example:
      HEDDLE_DATABASE=postgresql://heddle@db/heddle heddle api --host 0.0.0.0
    """
    stand("api", **flags)


@click.command()
@_PROBES
@_HOME
def dispatch(**flags: Any) -> None:
    """Hand jobs to workers: the executor's, on this machine or a cluster. Needs PostgreSQL.

    \b
    Example:
      HEDDLE_DATABASE=postgresql://heddle@db/heddle heddle dispatch --probe-port 9101
    """
    stand("dispatch", **flags)


@click.command()
@_PROBES
@_HOME
def chores(**flags: Any) -> None:
    """Expire, sweep and prune. Needs PostgreSQL; one is enough, and several do no harm.

    \b
    Example:
      HEDDLE_DATABASE=postgresql://heddle@db/heddle heddle chores
    """
    stand("chores", **flags)


def stand(duty: Duty, **flags: Any) -> None:
    """Be a process of one duty until a signal ends it. Raises UsageError."""
    os.umask(0o077)
    chosen = settings.read(**flags)
    if not chosen.database:
        raise UsageError(
            f"`heddle {duty}` shares a database with other processes, and SQLite belongs to one",
            "run `heddle serve`, which does it all, or set HEDDLE_DATABASE to a PostgreSQL",
        )
    logs.configure(chosen.log_level, chosen.log_format)
    with usable(chosen.folder):
        sock = None
        if duty == "api":
            sock, chosen = server.listen(chosen)
        elif chosen.probe_port:
            sock, _ = server.listen(replace(chosen, port=chosen.probe_port))
        parts = server.prepare(chosen, duties=frozenset({duty}))
        stop_export = traces.export_to(chosen.otel_endpoint, heddle.__version__)

    def ready() -> None:
        if duty == "api":
            greet(parts)
        else:
            click.echo(f"Heddle {heddle.__version__}: {duty}")
            sys.stdout.flush()

    run(parts, sock, ready, duties=frozenset({duty}))
    stop_export()
