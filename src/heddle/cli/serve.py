"""`heddle serve`: the whole server in one process; `heddle api`, `dispatch`, `chores`: one duty of it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import click

import heddle
from heddle import logs, server, settings, traces
from heddle.cli.home import usable
from heddle.server import ALL, Clients, Duty, HomeLock, Parts


@click.command()
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (default 8765; 0: a free one).")
@click.option("--home", "home", type=click.Path(file_okay=False), help="Data folder (default ~/.heddle).")
@click.option("--stand-in/--no-stand-in", "stand_in", default=None, help="Let sketch stand in for other families.")
@click.option("--ready-fd", type=int, hidden=True, help="Where to write the address once it listens.")
@click.option("--life-fd", type=int, hidden=True, help="Stop when this file descriptor is closed by its other end.")
def serve(ready_fd: int | None, life_fd: int | None, **flags: Any) -> None:
    """Start the server: API, dispatcher, workers, webhooks, all in one.

    \b
    Examples:
      heddle serve
      heddle serve --port 9000 --home ./data
      HEDDLE_STAND_IN=on heddle serve      # sketch answers for sdxl, flux1, …
    """
    os.umask(0o077)  # also of the workers: whatever is kept is for the owner's eyes
    chosen = settings.read(**flags)
    logs.configure(chosen.log_level, chosen.log_format)
    quiet = ready_fd is not None
    lock = HomeLock(chosen.folder)
    with usable(chosen.folder):
        lock.take(lasting=life_fd is None)
        sock, chosen = server.listen(chosen)
        parts = server.prepare(chosen, quiet=quiet)
        stop_export = traces.export_to(chosen.otel_endpoint, heddle.__version__)

    def ready() -> None:
        lock.tell(server.local_url(chosen))
        if ready_fd is not None:
            os.write(ready_fd, json.dumps({"url": server.local_url(chosen)}).encode())
            os.close(ready_fd)
        else:
            greet(parts)

    run(parts, sock, ready, life_fd=life_fd, quiet=quiet)
    stop_export()
    lock.release()  # before the lock of the commands goes with the process: they must not find us any more


def run(
    parts: Parts,
    sock: socket.socket | None,
    ready: Callable[[], None],
    *,
    duties: frozenset[Duty] = ALL,
    life_fd: int | None = None,
    quiet: bool = False,
) -> None:
    """Do some duties until a signal ends them."""
    # The writer thread gives up the interpreter at every SQL statement and wants it back soon: with the default of
    # 5 ms a busy event loop would stretch a commit of thirty statements to 150 ms.
    sys.setswitchinterval(0.0002)
    # What was made so far lives as long as the process: keep the collector from walking it again and again.
    gc.freeze()
    with asyncio.Runner(loop_factory=_loop()) as runner:
        runner.run(_run(parts, sock, ready, duties, life_fd, quiet=quiet))


def _loop() -> Any:
    """uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(
    parts: Parts,
    sock: socket.socket | None,
    ready: Callable[[], None],
    duties: frozenset[Duty],
    life_fd: int | None,
    *,
    quiet: bool,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(130)
        if not quiet:
            click.echo(f"stopping; running jobs get {parts.settings.grace_s:.0f} s (again to stop at once)", err=True)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    if life_fd is not None:
        clients = server.Clients(parts.settings.folder)
        loop.add_reader(life_fd, _on_closed, loop, life_fd, clients, stop)
    await server.serve(parts, sock, stop, ready, duties)


def _on_closed(loop: asyncio.AbstractEventLoop, life_fd: int, clients: Clients, stop: asyncio.Event) -> None:
    """The other end of the pipe is gone, so is whoever started us: stop, once no other command uses us."""
    loop.remove_reader(life_fd)
    _stop_unused(loop, clients, stop)


def _stop_unused(loop: asyncio.AbstractEventLoop, clients: Clients, stop: asyncio.Event) -> None:
    """Look a few times a second; whoever comes after that waits until this process has ended."""
    if clients.end():
        stop.set()
    else:
        loop.call_later(0.2, _stop_unused, loop, clients, stop)


def greet(parts: Parts) -> None:
    """Say where it answers, and the token of a first start."""
    url = server.public_url(parts.settings)
    click.echo(f"Heddle {heddle.__version__} at {url}  (docs: {url}/docs, data: {parts.settings.folder})")
    if parts.first_token is not None:
        click.echo(f"Your token, shown this once: {parts.first_token}")
        # Without the token: a command line is seen by everybody on the machine, and the shell remembers it.
        click.echo(f"  heddle login {url}   # asks for it")
    sys.stdout.flush()
