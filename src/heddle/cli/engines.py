"""`heddle engines`: what each engine can do here, kind of model by kind of model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
import msgspec

from heddle import options, registry, settings
from heddle.engines import Describer, Engine, Offer
from heddle.errors import UsageError

_PREVIEW = "a preview: runs only where it is named"


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def engines(name: str | None, as_json: bool) -> None:
    """List the engines; with a NAME, the kinds of models that one runs: families, operations, samplers, files.

    \b
    Examples:
      heddle engines
      heddle engines diffusers
      heddle engines --json
    """
    known = registry.targets("engines")
    if name is not None and name not in known:
        raise UsageError(f"{name!r} is no engine", f"there are: {', '.join(sorted(known))}")
    registry.configure(options.read(settings.read()))
    found = [_described(each) for each in ([name] if name else known)]
    if as_json:
        click.echo(msgspec.json.encode(found[0] if name else found))
    elif name:
        _print_one(found[0])
    else:
        _print_all(found)


def _described(name: str) -> dict[str, Any]:
    try:
        engine: Engine = registry.engine(name)
        offer, missing = engine.offer(), engine.missing()
    except Exception as error:  # noqa: BLE001 - a stranger's plug-in may fail in any way, and the others are listed
        offer = Offer(step_types=frozenset(), families=frozenset(), operations=frozenset())
        return _shown(name, offer, [f"It cannot be loaded: {type(error).__name__}: {error}"], [])
    kinds = [asdict(kind) for kind in engine.kinds()] if isinstance(engine, Describer) else list[dict[str, Any]]()
    return _shown(name, offer, missing, kinds)


def _shown(name: str, offer: Offer, missing: list[str], kinds: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "stepTypes": sorted(offer.step_types),
        "families": sorted(offer.families),
        "operations": sorted(offer.operations),
        "samplers": sorted(offer.samplers),
        "sides": list(offer.sides),
        "loadsModels": offer.loads,
        "preview": offer.preview,
        "wantsDevice": offer.device,
        "missing": missing,
        "kinds": kinds,
    }


def _print_all(found: list[dict[str, Any]]) -> None:
    width = max(len(engine["name"]) for engine in found)
    for engine in found:
        mark = "-- " if engine["missing"] else "ok "
        text = "; ".join(engine["missing"]) or f"{', '.join(engine['stepTypes'])}; {', '.join(engine['families'])}"
        if engine["preview"] and not engine["missing"]:
            text += f"; {_PREVIEW}"
        click.echo(f"{mark} {engine['name']:<{width}}  {text}")


def _print_one(engine: dict[str, Any]) -> None:
    click.secho(engine["name"], bold=True)
    for label, value in (
        ("step types", engine["stepTypes"]),
        ("families", engine["families"]),
        ("operations", engine["operations"]),
        ("samplers", engine["samplers"]),
        ("missing", engine["missing"]),
    ):
        if value:
            _line(label, ", ".join(value))
    if engine["preview"] and not engine["missing"]:
        _line("quality", _PREVIEW)
    if engine["loadsModels"]:
        _line("models", "of the catalog: heddle models add" + (", on a device" if engine["wantsDevice"] else ""))
    for kind in engine["kinds"]:
        click.echo()
        click.secho(kind["name"], bold=True)
        _line("family", kind["family"])
        _line("operations", ", ".join(kind["operations"]))
        if kind["samplers"]:
            _line("samplers", ", ".join(kind["samplers"]))
        for file in kind["files"]:
            _line("files", file)


def _line(label: str, text: str) -> None:
    click.echo(f"  {label:<11} {text}")
