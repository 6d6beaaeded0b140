"""The command line of `heddle run`, read: what is asked for, in the runner's own terms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from heddle.cli.checkpoints import Checkpoint
from heddle.errors import UsageError

if TYPE_CHECKING:
    from heddle.arazzo.budgets import Options
    from heddle.arazzo.hosts import HostPolicy
    from heddle.arazzo.inputs import InputSchema
    from heddle.arazzo.leniency import Leniency
    from heddle.arazzo.transfers import Upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line."""

    document: Path
    workflow: str | None
    inputs: tuple[str, ...]
    input_values: str | None
    servers: tuple[str, ...]
    sources: tuple[str, ...]
    auths: tuple[str, ...]
    server_vars: tuple[str, ...]
    uploads: tuple[str, ...]
    allow_hosts: tuple[str, ...]
    save: Path | None
    embedded: bool
    strict: bool
    without: tuple[str, ...]
    fall_through: bool
    max_steps: int
    deadline: float
    pause: float
    as_json: bool
    dry_run: bool
    reports: tuple[str, ...]
    checkpoint: Checkpoint
    trace: Path | None
    trace_bodies: str
    mock: bool
    mock_seed: int


def options_of(asked: Asked) -> Options:
    from heddle.arazzo.budgets import Options  # noqa: PLC0415

    return Options(
        max_steps=asked.max_steps,
        deadline=asked.deadline,
        first_pause=asked.pause,
        longest_pause=asked.pause * 8,
        fall_through=asked.fall_through,
        uploads=tuple(_upload(text) for text in asked.uploads),
    )


def hosts_of(asked: Asked, servers: Sequence[str]) -> HostPolicy:
    """Which hosts the run may call. `servers` come from the command line or the login, never from a description."""
    from heddle.arazzo.hosts import policy  # noqa: PLC0415

    return policy(asked.allow_hosts, servers)


def _upload(text: str) -> Upload:
    from heddle.arazzo.files import file_value  # noqa: PLC0415
    from heddle.arazzo.transfers import Upload  # noqa: PLC0415

    match = re.fullmatch(r"([^.=]+)\.([^=]+)=@(.+)", text)
    if match is None:
        raise UsageError(f"--upload {text!r} is not STEP.OUTPUT=@FILE", "for example requestUploadUrl.uploadUrl=@a.png")
    return Upload(match[1], match[2], file_value(Path(match[3])))


def leniency_of(asked: Asked) -> Leniency:
    from heddle.arazzo import leniency  # noqa: PLC0415

    return leniency.strict() if asked.strict else leniency.without(asked.without)


def given_inputs(asked: Asked, schema: InputSchema) -> dict[str, Any]:
    given = _input_object(asked.input_values) if asked.input_values else {}
    for name, text in pairs(asked.inputs, "-i", "NAME=VALUE"):
        given[name] = _input_value(schema, name, text)
    return given


def _input_value(schema: InputSchema, name: str, text: str) -> Any:
    """`@file` is a file, `@@text` the text `@text`; a file for a list or an object is read as JSON."""
    from heddle.arazzo.files import file_value  # noqa: PLC0415

    if text.startswith("@@") or not text.startswith("@"):
        return schema.parse(name, text[1:] if text.startswith("@@") else text)
    file = file_value(Path(text[1:]))
    return schema.parse(name, file.text()) if schema.is_structured(name) else file


def _input_object(text: str) -> dict[str, Any]:
    from heddle.arazzo.tree import Tree, read_tree  # noqa: PLC0415
    from heddle.cli.tables import file_or_value  # noqa: PLC0415

    inline = text.lstrip().startswith("{")
    values = Tree("--inputs", text).value if inline else read_tree(Path(text)).value
    if not isinstance(values, dict):
        raise UsageError("--inputs is not an object", 'it looks like {"prompt": "a fox", "width": 512}')
    folder = Path() if inline else Path(text).parent
    return {name: file_or_value(value, folder) for name, value in cast("dict[str, Any]", values).items()}


def show_inputs(asked: Asked) -> None:
    from heddle.arazzo.document import read_document  # noqa: PLC0415
    from heddle.arazzo.inputs import InputSchema  # noqa: PLC0415
    from heddle.arazzo.plan import choose_workflow  # noqa: PLC0415

    document = read_document(asked.document)
    workflow = choose_workflow(document, asked.workflow)
    fields = list(InputSchema(workflow.inputs, document.tree.value).fields())
    if asked.as_json:
        shown = [
            {"name": one.name, "type": one.kind, "required": one.required, "description": one.description}
            for one in fields
        ]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    click.echo(f"{workflow.id}: {workflow.summary or document.title}")
    for one in fields:
        notes = [one.kind, "required" if one.required else "optional"]
        notes += [f"default {one.default!r}"] if one.default is not None else []
        click.echo(f"  {one.name} ({', '.join(notes)})" + (f": {one.description}" if one.description else ""))


def check_files(every: Sequence[Asked], reports: Iterable[Path], table: Path | None = None) -> None:
    """Raises UsageError where the trace, the checkpoint or a report would take the place of another file."""
    from heddle.cli.places import Place, check_apart  # noqa: PLC0415

    first = every[0]
    values = first.input_values if first.input_values and not first.input_values.lstrip().startswith("{") else None
    read = [Place("the document", one.document) for one in every]
    read += [Place(what, Path(path)) for what, path in (("the table", table), ("the inputs", values)) if path]
    written = [("the trace", first.trace), ("the checkpoint", first.checkpoint.path)]
    files = [Place(what, path) for what, path in written if path is not None]
    check_apart(read, [*files, *(Place("the report", path) for path in reports)])


def pairs(texts: Sequence[str], option: str, shape: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} {text!r} is not {shape}", f"for example {option} {shape.lower()}")
        pairs.append((name, value))
    return pairs
