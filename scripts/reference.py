"""Write what is made from the code: settings, reference and node pages in docs, and the settings of the Helm chart.

`python scripts/reference.py` writes them; `--check` only says whether they are current.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel

from heddle import prices, registry, steps
from heddle.cli.main import cli
from heddle.contract.orchestration import CallbackEvent
from heddle.errors import CallerError
from heddle.graph import Input, table
from heddle.settings import Settings

FOLDER = Path(__file__).parents[1]

CHART = "deploy/helm/heddle/values.schema.json"
_CHART_FILE = FOLDER / CHART

#: Settings for which the chart has values of its own, or which it decides. Secrets are others.
_CHART_OWN = {"home", "host", "port", "probe_port", "metrics", "public_url", "drain_s", "grace_s", "slots"}
_CHART_OWN |= {"ray_address", "ray_slot_resources", "ray_token_file"}

_HEAD = "<!-- Written by scripts/reference.py from the code; do not edit. -->\n"


def pages() -> dict[str, str]:
    """File name -> what should be in it."""
    return {
        "docs/settings.md": _HEAD + settings(),
        "docs/reference.md": _HEAD + reference(),
        "docs/comfy-nodes.md": _HEAD + nodes(),
        CHART: chart(),
    }


def settings() -> str:
    """Every setting."""
    rows = [(f"`HEDDLE_{f.name.upper()}`", _takes(f), _value(f.default), f.metadata["doc"]) for f in _settings()]
    return f"""# Settings

Settings are environment variables, read once when a command starts; nothing changes while the server runs.
`heddle serve --help` lists those that are flags as well, and a flag wins. An empty variable counts as absent.
Yes-or-no settings take `on`, `off`, `yes`, `no`, `true`, `false`, `1` and `0`. Times are in seconds.

{_table(("variable", "is", "default", "what it does"), rows)}
Two more variables concern the command line alone: `HEDDLE_DEBUG=1` shows tracebacks, like `heddle --debug`, and
`XDG_CONFIG_HOME` says where `heddle login` keeps its tokens.
"""


def reference() -> str:
    """Names that a program or an operator meets."""
    return f"""# Reference

The operations of the API, their bodies and their answers are described by the server itself: `/docs` for people and
`/openapi.json` for programs. Settings have [a page of their own](settings.md).

## Commands

Every command has `--help` with examples.

{_table(("command", "does"), _commands(cli))}
## Error codes

What they mean and what to do is said in [errors](errors.md).

{_table(("`code`", "status"), sorted(_codes(), key=lambda row: row[1]))}
Why a job failed is a word of its own, its `reason`: see
[how attempts end](architecture/03-fleet.md#how-attempts-end) and
[the life of a job](architecture/02-job.md#when-an-attempt-does-not-succeed).

## Events

What `callbackEvents` may name; `*` is every status. See [webhooks](webhooks.md).

{_table(("event",), ((f"`{name}`",) for name in get_args(CallbackEvent)))}
## Plug-ins

{_table(("seam", "name", "is"), _plugins())}
Step types of the API that have no plug-in here, and are refused at submit with a list of those that have:
{_absent()}.

{"".join(_step_type(name, target) for name, target in registry.targets("steps").items())}## Picture families

The family is what `input.engine` names; whether it can run here is another matter, which `heddle doctor` answers.
Prices are in Buzz for one picture of the native size with the default steps.

{_table(("family", "also called", "native side", "steps", "cfgScale", "price"), _families())}"""


def chart() -> str:
    """What the chart's values may be; by hand, but for the settings."""
    schema = json.loads(_CHART_FILE.read_text("utf-8"))
    known = [f for f in _settings() if f.name not in _CHART_OWN and not f.metadata["secret"]]
    schema["properties"]["settings"]["properties"] = {f.name: _as_schema(f) for f in known}
    return json.dumps(schema, indent=2) + "\n"


def stale() -> list[str]:
    """The names of the pages that are not as they should be."""
    return [name for name, text in pages().items() if not _is(FOLDER / name, text)]


def _settings() -> Sequence[Any]:
    return fields(Settings)


def _takes(setting: Any) -> str:
    kind = {"str": "text", "int": "whole number", "float": "number", "bool": "yes or no"}[str(setting.type)]
    bounds = setting.metadata["bounds"]
    if bounds.choices:
        return str(bounds)
    return f"{kind}, {bounds}" if str(bounds) else kind


def _as_schema(setting: Any) -> dict[str, Any]:
    kind = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}[str(setting.type)]
    bounds = setting.metadata["bounds"]
    limits = {"enum": list(bounds.choices) or None, "minimum": bounds.low, "maximum": bounds.high}
    limits["pattern"] = f"^(?:{bounds.pattern})$" if bounds.pattern else None
    return {"type": kind} | {name: limit for name, limit in limits.items() if limit is not None}


def _value(default: object) -> str:
    if isinstance(default, bool):
        return "`on`" if default else "`off`"
    if default == "":
        return "empty"
    return f"`{default:g}`" if isinstance(default, float) and default < 1e5 else f"`{default}`"


def _commands(group: click.Group, path: str = "heddle") -> Iterable[tuple[str, str]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"`{path} {name}`", command.get_short_help_str(100)


def _codes() -> Iterable[tuple[str, str]]:
    """Of the error tree, and the two that are not the caller's doing (`api/problems.py`)."""
    yield "`unavailable`", "503"
    yield "`internal_error`", "500"
    todo: list[type[CallerError]] = list(CallerError.__subclasses__())
    while todo:
        error = todo.pop()
        todo += error.__subclasses__()
        if error.__module__ == "heddle.errors":
            yield f"`{error.code}`", str(error.status)


def _plugins() -> Iterable[tuple[str, str, str]]:
    for seam in registry.SEAMS:
        for name, target in registry.targets(seam).items():
            yield seam, f"`{name}`", f"`{target}`"


def _absent() -> str:
    return ", ".join(f"`{name}`" for name in steps.NAMES if name not in registry.targets("steps"))


def _step_type(name: str, target: str) -> str:
    model: type[BaseModel] = registry.load(target).model
    rows = [
        (f"`{field.alias or key}`", "required" if field.is_required() else _default(field), field.description or "")
        for key, field in model.model_fields.items()
    ]
    return f"## Step type `{name}`\n\n{_table(('input', 'default', 'what it is'), rows)}\n"


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    return "" if value in (None, []) else f"`{value}`"


def _families() -> Iterable[tuple[str, ...]]:
    for name, family in prices.IMAGE.items():
        also = ", ".join(f"`{other}`" for other, meant in prices.ALIASES.items() if meant == name)
        price = prices.image(
            {
                "family": name,
                "width": family.native,
                "height": family.native,
                "steps": family.steps,
                "cfgScale": family.cfg,
            }
        )
        yield f"`{name}`", also, str(family.native), str(family.steps), f"{family.cfg:g}", f"{price:.4g}"


def nodes() -> str:
    """Every node class that a graph may use."""
    groups = list(dict.fromkeys(kind.group for kind in table.CLASSES.values()))
    parts = [f"## {group}\n\n{_nodes_of(group)}" for group in groups]
    return f"""# Nodes

The {len(table.CLASSES)} node classes that a graph of the step type [`comfy`](comfy.md) may use. An input with a type in
capital letters comes by a link. Behind the others stands what is taken when they are left out, and the range; a
required one must be given.

{chr(10).join(parts)}
## Samplers and schedulers

`sampler_name`: {_listed(table.SAMPLERS)}.

`scheduler`: {_listed(table.SCHEDULERS)}.
"""


def _nodes_of(group: str) -> str:
    rows = [
        (f"`{kind.name}`", "; ".join(map(_input, kind.inputs)), _listed(kind.outputs), kind.does)
        for kind in table.CLASSES.values()
        if kind.group == group
    ]
    return _table(("class", "inputs", "gives", "what it does"), rows)


def _input(given: Input) -> str:
    if not given.written:
        return f"`{given.name}` {given.type}{' (may be left out)' if given.optional else ''}"
    usual = "required" if given.default is None else json.dumps(given.default)
    if given.choices in (table.SAMPLERS, table.SCHEDULERS):
        return f"`{given.name}` {usual}, see below"
    if given.choices:
        return f"`{given.name}` {usual}, of {', '.join(given.choices)}"
    limits = "" if given.low is None else f", {given.low} to {given.high}"
    return f"`{given.name}` {usual}{limits}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def main() -> int:
    if "--check" in sys.argv[1:]:
        if old := stale():
            print(f"not current: {', '.join(old)}; run python scripts/reference.py", file=sys.stderr)
        return bool(old)
    for name, text in pages().items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
