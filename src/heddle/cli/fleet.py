"""`heddle fleet`: a Ray cluster for the executor `ray`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import click
import msgspec

from heddle import options, registry, settings
from heddle.errors import HeddleError, UsageError
from heddle.fleet.ray import access, node
from heddle.settings import Settings

#: Where `up` puts the head.
_HEAD = f"{access.LOOPBACK}:{node.PORT}"

_address = click.option("--address", help=f"The cluster's head (default: HEDDLE_RAY_ADDRESS, then {_HEAD}).")


@click.group()
def fleet() -> None:
    """Start a Ray cluster for the executor `ray`, look at it, and take nodes out of it.

    \b
    Examples:
      heddle fleet up
      heddle fleet status
      heddle fleet drain 10.0.0.7
    """


@fleet.command("up")
@click.option("--host", default=access.LOOPBACK, show_default=True, help="This machine's loopback or private address.")
@click.option("--port", type=click.IntRange(1024, 65535), default=node.PORT, show_default=True, help="The head's port.")
@click.option("--join", "join", help="Join the cluster whose head is at this address, as in 10.0.0.5:6379.")
@click.option("--cpus", type=click.IntRange(0, 4096), help="CPU cores to offer (default: all).")
@click.option("--gpus", type=click.IntRange(0, 1024), help="GPUs to offer (default: all).")
def up(host: str, port: int, join: str | None, cpus: int | None, gpus: int | None) -> None:
    """Start Ray on this machine and stay; Ctrl-C lets attempts end and stops it.

    The cluster's token is in the data folder (ray/token), made by the first `up`; nodes that join need a copy.

    \b
    Examples:
      heddle fleet up
      heddle fleet up --host 10.0.0.5
      heddle fleet up --host 10.0.0.7 --join 10.0.0.5:6379
    """
    current = settings.read()
    host = access.check_private(host)
    offers = [f"--num-{name}={count}" for name, count in (("cpus", cpus), ("gpus", gpus)) if count is not None]
    if join:
        command = _join(current, join, host, offers)
    else:
        access.make_token(access.token_file(current))
        command = node.head(host, port, offers)
    for address in access.public_addresses() if host != access.LOOPBACK else []:
        click.echo(
            f"warning: Ray also listens on {address}, which the world may reach; close its ports there", err=True
        )
    click.echo(f"HEDDLE_EXECUTOR=ray HEDDLE_RAY_ADDRESS={join or f'{host}:{port}'} heddle serve   # uses this cluster")
    click.echo(f"The token is in {access.token_file(current)}")
    os.execve(command[0], command, node.surroundings(current, host))  # noqa: S606 - a fixed program


def _join(current: Settings, head: str, host: str, offers: list[str]) -> list[str]:
    if host == access.LOOPBACK:
        raise UsageError(f"a node at {host} cannot join a cluster", "give this machine's private address with --host")
    access.check_private(access.host_of(head))
    if not (path := access.token_file(current)).exists():
        raise UsageError(f"there is no token in {path}", "copy it from the head, or set HEDDLE_RAY_TOKEN_FILE")
    return node.joining(head, host, offers)


@fleet.command("status")
@_address
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def status(address: str | None, as_json: bool) -> None:
    """Show nodes, slots, what each can run and why not, and what is busy.

    \b
    Examples:
      heddle fleet status
      heddle fleet status --json
    """
    found = _ask(address, lambda cluster: _load("survey")(cluster))  # noqa: PLW0108 - imports Ray, so not before then
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        _print(found)


@fleet.command("drain")
@click.argument("node", required=False)
@click.option("--all", "everything", is_flag=True, help="Every actor; none is made until --undo.")
@click.option("--undo", is_flag=True, help="Take --all back.")
@click.option("--grace", type=click.FloatRange(0, 86_400), default=600.0, show_default=True, help="Seconds to wait.")
@_address
def drain(node: str | None, everything: bool, undo: bool, grace: float, address: str | None) -> None:
    """Let running attempts end, then take the actors away: of one NODE, which leaves the cluster, or of all.

    \b
    Examples:
      heddle fleet drain 10.0.0.7
      heddle fleet drain --all
      heddle fleet drain --undo
    """
    if [node is not None, everything, undo].count(True) != 1:
        raise UsageError("say what to drain", "give one of: NODE, --all, --undo")
    if undo:
        _ask(address, lambda cluster: cluster.pause(on=False))
        click.echo("dispatchers make actors again")
        return
    if everything:
        gone = _ask(address, lambda cluster: _load("drain_all")(cluster, grace))
    else:
        gone = _ask(address, lambda cluster: _load("drain")(cluster, node, grace))
    click.echo(f"{gone} actors are gone")


def _load(name: str) -> Any:
    return registry.load(f"heddle.fleet.ray.survey:{name}")


def _ask(address: str | None, question: Callable[[Any], Awaitable[Any]]) -> Any:
    """Connect, ask, disconnect. Only the plug-in may import Ray, so its types are not known here."""
    current = settings.read(ray_address=address)
    current = replace(current, ray_address=current.ray_address or _HEAD)
    registry.configure(options.read(current))

    async def ask() -> Any:
        cluster = await registry.load("heddle.fleet.ray.connection:connect")(current)
        try:
            return await question(cluster)
        except registry.load("heddle.fleet.ray.cluster:Silent") as error:
            raise HeddleError(str(error)) from error
        finally:
            await cluster.close()

    return asyncio.run(ask())


def _print(found: Any) -> None:
    click.secho("Nodes", bold=True)
    for machine in found.nodes:
        state = "head" if machine.head else "up" if machine.alive else "gone"
        has = ", ".join(f"{amount:g} {name}" for name, amount in sorted(machine.resources.items()) if name in _SHOWN)
        click.echo(f"  {machine.address:<16} {machine.id[:8]}  {state:<5} {has}")
    click.secho(f"Slots ({len(found.slots)} of {found.capacity})", bold=True)
    for slot in found.slots:
        click.echo(f"  {slot.name:<16} {slot.problem or _words(slot.report)}")
        engines: dict[str, list[str]] = slot.report.engines if slot.report else {}
        for name, missing in sorted(engines.items()):
            click.echo(f"    {'-- ' if missing else 'ok '} {name:<12} {'; '.join(missing)}")
    if found.paused:
        click.echo("Drained: dispatchers make no actors. `heddle fleet drain --undo` takes that back.")


_SHOWN = {"CPU", "GPU"}


def _words(report: Any) -> str:
    """One slot in a line."""
    work = f"runs {report.running[0][0]}" if report.running else "idle" if report.owner else "free"
    models = f", models: {', '.join(report.models)}" if report.models else ""
    return f"on {report.node[:8]}, {work}, {report.memory_mb} MiB{models}"
