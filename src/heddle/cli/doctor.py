"""`heddle doctor`: what can run here, and why not. It looks and changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from heddle import __version__, options, registry, settings, steps, storage
from heddle.db import Dialect, dialects, migrate
from heddle.db.dialects import FILE
from heddle.db.sqlite import SQLite
from heddle.engines import Engine, Offer
from heddle.errors import UsageError
from heddle.fleet import devices
from heddle.fleet.ray import access
from heddle.server import HomeLock
from heddle.settings import Settings

#: Less free space than this and the first pictures may not fit.
_ENOUGH_BYTES = 100 * 1024 * 1024

#: The engine that makes the default install work.
_DEFAULT_ENGINE = "sketch"

#: ready: works; off: cannot run here, and nothing needs it; bad: the default setup does not work.
State = Literal["ready", "off", "bad"]
_MARKS: dict[State, str] = {"ready": "ok ", "off": "-- ", "bad": "BAD"}


#: What an engine offers and what it misses, or why it cannot even be loaded.
_Found = tuple[Offer, list[str]] | str


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    section: str
    name: str
    state: State
    text: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--settings", "all_settings", is_flag=True, help="List every setting with its meaning instead.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, all_settings: bool) -> None:
    """Say what can run here, and why not. Exit status 1 when the default setup does not work.

    \b
    Examples:
      heddle doctor
      heddle doctor --settings
    """
    current = settings.read()
    if all_settings:
        _print_settings(current)
        return
    registry.configure(options.read(current))
    engines = {name: _load_engine(name) for name in registry.targets("engines")}
    findings = list(examine(current, engines))
    if as_json:
        report = {"findings": [asdict(finding) for finding in findings], "stepTypes": step_types(engines)}
        click.echo(msgspec.json.encode(report))
    else:
        _print(findings)
    ctx.exit(1 if any(finding.state == "bad" for finding in findings) else 0)


def examine(current: Settings, engines: Mapping[str, _Found]) -> Iterator[Finding]:
    """Every finding, in the order in which a person wants to read them."""
    yield _python()
    yield from _folder(current.folder)
    yield _server_database(current) if current.database else _database(current.folder / FILE)
    yield _server(current)
    yield _slots(current)
    yield _devices(current)
    yield _storage(current)
    yield _plugin("executors", current.executor)
    yield from _ray(current)
    yield from (_engine(name, found) for name, found in engines.items())
    yield from (_step_type(name, able) for name, able in step_types(engines).items())
    yield from _changed(current)


def _python() -> Finding:
    version = platform.python_version()
    text = f"Heddle {__version__}, Python {version}, {platform.platform(terse=True)} {platform.machine()}"
    return Finding("Machine", "python", "ready" if sys.version_info >= (3, 11) else "bad", text)


def _folder(folder: Path) -> Iterator[Finding]:
    place = next(path for path in (folder, *folder.parents) if path.exists())
    usable = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    what = "writable" if place == folder else "will be made at the first start"
    if not usable:
        what = f"{place} is not a folder that this user can write to; set HEDDLE_HOME"
    yield Finding("Machine", "data folder", "ready" if usable else "bad", f"{folder}: {what}")
    free = shutil.disk_usage(place).free
    enough = free >= _ENOUGH_BYTES
    text = f"{free / 1024**3:.1f} GiB free" + ("" if enough else "; make room for at least 0.1 GiB")
    yield Finding("Machine", "free space", "ready" if enough else "bad", text)


def _database(path: Path) -> Finding:
    if not path.exists():
        return Finding("Machine", "database", "ready", "not made yet; the first start makes it")
    try:
        state, text = _schema(SQLite(path))
    except sqlite3.Error as error:
        state, text = "bad", f"{path} cannot be read: {error}"
    return Finding("Machine", "database", state, text)


def _server_database(current: Settings) -> Finding:
    try:
        state, text = _schema(dialects.choose(current))
    except UsageError as error:
        state, text = "bad", f"{error.message}; {error.hint}"
    except Exception as error:  # noqa: BLE001 - a driver's own errors, and whoever asks a doctor wants to hear of any
        state, text = "bad", " ".join(str(error).split())
        if type(error).__name__ == "UndefinedTable":
            state, text = "ready", "empty; the first start makes the tables"
    return Finding("Machine", "database", state, f"PostgreSQL: {text}")


def _schema(dialect: Dialect) -> tuple[State, str]:
    connection = dialect.connect(write=False)
    try:
        tx = connection.snapshot()
        applied = migrate.applied(tx)
        connection.rollback()
    finally:
        connection.close()
    known = set(migrate.scripts())
    if applied - known:
        return "bad", f"made by a newer Heddle (it has {max(applied)}); upgrade, or set HEDDLE_HOME"
    waiting = len(known - applied)
    return "ready", f"{waiting} migrations wait for the next start" if waiting else f"up to date ({max(applied)})"


def _server(current: Settings) -> Finding:
    running = HomeLock(current.folder).holder()
    if running is not None:
        process = f" (process {running.pid})" if running.pid else ""
        text = f"running at {running.url}{process}" if running.url else f"starting{process}"
        return Finding("Machine", "server", "ready", text)
    if (problem := _bind_problem(current)) is not None:
        text = f"not running, and {current.host}:{current.port} cannot be used: {problem}; set HEDDLE_PORT"
        return Finding("Machine", "server", "bad", text)
    return Finding("Machine", "server", "ready", f"not running; {current.host}:{current.port} is free")


def _bind_problem(current: Settings) -> str | None:
    """Why the server could not listen: tried by doing it."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(current.host, current.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            # As the server does, so that connections of a server that just ended do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def _slots(current: Settings) -> Finding:
    cores = os.cpu_count() or 1
    slots = current.slots or min(4, cores)
    limit = f"{current.worker_memory_mb} MiB each" if current.worker_memory_mb else "no memory limit"
    return Finding("Machine", "slots", "ready", f"{slots} worker processes on {cores} cores, {limit}")


def _devices(current: Settings) -> Finding:
    """What the executor `local` would give a worker each, if an engine wants one."""
    try:
        found = devices.of_machine(current)
    except UsageError as error:
        return Finding("Machine", "devices", "bad", str(error))
    text = ", ".join(f"{device.name} with {device.memory_mb} MiB for models" for device in found) or "none wanted"
    return Finding("Machine", "devices", "ready", text)


def _plugin(seam: str, name: str) -> Finding:
    known = registry.targets(seam)
    if name not in known:
        return Finding("Parts", seam[:-1], "bad", f"{name!r} is not one of: {', '.join(sorted(known))}")
    try:
        registry.get(seam, name)
    except (ImportError, AttributeError) as error:
        return Finding("Parts", seam[:-1], "bad", f"{name} cannot be loaded: {error}")
    return Finding("Parts", seam[:-1], "ready", name)


def _storage(current: Settings) -> Finding:
    found = _plugin("storages", current.storage)
    if found.state == "bad":
        return found
    try:
        registry.get("storages", current.storage)(storage.options(current)).check()
    except UsageError as error:
        return Finding("Parts", "storage", "bad", f"{current.storage}: {error.message}; {error.hint}")
    return found


def _ray(current: Settings) -> Iterator[Finding]:
    """Whoever reaches a Ray port and has its token may run any program, so the world should not even reach it."""
    port = current.ray_address.rpartition(":")[2]
    ports = {*access.PORTS, *([int(port)] if port else [])}
    if open_ports := access.reachable(access.public_addresses(), sorted(ports)):
        text = f"the world may reach {', '.join(open_ports)}; close them, or start Ray on a private address"
        yield Finding("Parts", "ray", "bad", text)
    elif current.executor == "ray":
        yield _cluster(current)


def _cluster(current: Settings) -> Finding:
    if find_spec("ray") is None:
        return Finding("Parts", "ray", "bad", "is not installed: pip install 'heddle-cloud[ray]'")
    if not current.ray_address:
        return Finding("Parts", "ray", "ready", "a cluster on this machine, for as long as the server runs")
    if not access.reachable([access.host_of(current.ray_address)], [int(current.ray_address.rpartition(":")[2])]):
        return Finding("Parts", "ray", "bad", f"nothing answers at {current.ray_address}; start it: heddle fleet up")
    if not access.token_file(current).exists():
        return Finding("Parts", "ray", "bad", f"there is no token in {access.token_file(current)}; copy the head's")
    return Finding(
        "Parts", "ray", "ready", f"something answers at {current.ray_address}; heddle fleet status says more"
    )


def step_types(engines: Mapping[str, _Found]) -> dict[str, dict[str, Any]]:
    """By step type: the engines that can run it here, and of the others why they cannot."""
    names = sorted({*steps.NAMES, *registry.targets("steps")})
    return {name: _able(name, engines) for name in names}


def _able(name: str, engines: Mapping[str, _Found]) -> dict[str, Any]:
    known = {n: found for n, found in engines.items() if isinstance(found, tuple) and name in found[0].step_types}
    able: dict[str, Any] = {
        "engines": sorted(n for n, (_, missing) in known.items() if not missing),
        "missing": {n: missing for n, (_, missing) in known.items() if missing},
    }
    if name not in registry.targets("steps"):
        able = {"engines": [], "missing": {}, "reason": "this Heddle does not know how to plan it"}
    elif not known:
        able["reason"] = "no engine for it is installed"
    return able


def _load_engine(name: str) -> _Found:
    try:
        engine: Engine = registry.engine(name)
        return engine.offer(), engine.missing()
    except Exception as error:  # noqa: BLE001 - a stranger's plug-in may fail in any way, and this report must say so
        return f"cannot be loaded: {type(error).__name__}: {error}"


def _engine(name: str, found: _Found) -> Finding:
    unable: State = "bad" if name == _DEFAULT_ENGINE else "off"
    if isinstance(found, str):
        return Finding("Engines", name, unable, found)
    offer, missing = found
    if missing:
        return Finding("Engines", name, unable, "; ".join(missing))
    families = ", ".join(sorted(offer.families)) or "no family"
    said = "; a preview: runs only where it is named" if offer.preview else ""
    return Finding("Engines", name, "ready", f"{', '.join(sorted(offer.step_types))}; answers to {families}{said}")


def _step_type(name: str, able: Mapping[str, Any]) -> Finding:
    if able["engines"]:
        return Finding("Step types", name, "ready", f"engines: {', '.join(able['engines'])}")
    reasons = [f"{engine}: {' '.join(missing)}" for engine, missing in able["missing"].items()]
    return Finding("Step types", name, "off", able.get("reason") or f"no engine can run it here ({'; '.join(reasons)})")


def _changed(current: Settings) -> Iterator[Finding]:
    for field in fields(Settings):
        value = getattr(current, field.name)
        if value != field.default:
            name = f"HEDDLE_{field.name.upper()}"
            yield Finding("Settings", name, "ready", f"{current.shown(field.name)} (default: {field.default!r})")


def _print(findings: list[Finding]) -> None:
    section = ""
    for finding in findings:
        if finding.section != section:
            section = finding.section
            click.secho(section, bold=True)
        click.echo(f"  {_MARKS[finding.state]} {finding.name:<14} {finding.text}")
    bad = sum(finding.state == "bad" for finding in findings)
    click.echo(f"{bad} marked BAD must be repaired" if bad else "Everything that the default setup needs works.")


def _print_settings(current: Settings) -> None:
    for field in fields(Settings):
        value = getattr(current, field.name)
        default = "" if value == field.default else f" (default: {field.default!r})"
        click.echo(f"HEDDLE_{field.name.upper()}={current.shown(field.name)}{default}")
        click.echo(f"    {field.metadata['doc']}")
