"""`heddle run`: run an Arazzo document.

Exit status: 0 when the Arazzo workflow ended and every output that it declares resolved; 2 when it ended but outputs
are missing; 1 when a step failed, the run could not be decided or the command line is wrong; 130 after Ctrl-C.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import click

from heddle.cli import auth, credentials
from heddle.cli.checkpoints import Checkpoint
from heddle.cli.output import Command, is_terminal, json_text
from heddle.errors import UsageError

# The runner and its HTTP client cost a fifth of a second to import; `heddle run --help` does without them.
if TYPE_CHECKING:
    import httpx

    from heddle.arazzo.budgets import Options
    from heddle.arazzo.document import Document
    from heddle.arazzo.events import Event
    from heddle.arazzo.exchange import Client
    from heddle.arazzo.hosts import HostPolicy
    from heddle.arazzo.inputs import InputSchema
    from heddle.arazzo.leniency import Leniency
    from heddle.arazzo.masking import Secrets
    from heddle.arazzo.plan import Plan
    from heddle.arazzo.runner import Run
    from heddle.arazzo.sources import Servers
    from heddle.arazzo.transfers import Saved, Upload
    from heddle.cli import reports
    from heddle.cli.boards import Board
    from heddle.cli.chronicle import Chronicle
    from heddle.cli.many import Case
    from heddle.cli.mocking import Pretense
    from heddle.cli.narration import Narrator
    from heddle.cli.tables import Row

_PLACEHOLDER = "http://embedded.invalid"


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


@dataclass(frozen=True, slots=True)
class Target:
    """Where a run goes: servers for its sources, tokens by origin, and what to call the place."""

    servers: Servers
    name: str
    tokens: Mapping[str, str] = field(default_factory=dict[str, str])


@click.command(cls=Command)
@click.argument("documents", nargs=-1, required=True, metavar="DOCUMENT...", type=click.Path(path_type=Path))
@click.option("-w", "--workflow", metavar="ID", help="Which Arazzo workflow, when the document has several.")
@click.option("-i", "--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input; NAME=@FILE sends a file.")
@click.option("--inputs", "input_values", metavar="FILE_OR_JSON", help="Inputs as a JSON or YAML object.")
@click.option("--server", "servers", multiple=True, metavar="[NAME=]URL", help="The server of one source, or of all.")
@click.option(
    "--server-var", "server_vars", multiple=True, metavar="[SOURCE.]NAME=VALUE", help="A variable of a server's URL."
)
@click.option("--source", "sources", multiple=True, metavar="NAME=PATH", help="Where the description of a source is.")
@click.option(
    "--auth", "auths", multiple=True, metavar="[SOURCE.]SCHEME=VALUE", help="A credential; SCHEME=@FILE reads it."
)
@click.option(
    "--each", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="A run per row of a CSV or JSONL."
)
@click.option(
    "--concurrency", type=click.IntRange(1, 256), default=4, show_default=True, help="Of many runs, how many at once."
)
@click.option("--fail-fast", is_flag=True, help="Of many runs, begin none after one that did not succeed.")
@click.option("--upload", "uploads", multiple=True, metavar="STEP.OUTPUT=@FILE", help="PUT a file to a produced URL.")
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Also call this private host; or a network (10.0.0.0/8), or *.domain.",
)
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Download output URLs.")
@click.option("--embedded", is_flag=True, help="Start a Heddle for this run even if you are logged in somewhere.")
@click.option("--strict", is_flag=True, help="By the letter of the specification: every leniency off.")
@click.option("--without", multiple=True, metavar="NAME", help="Switch one leniency off.")
@click.option("--fall-through", is_flag=True, help="Go on with the next step even past a guard that did not hold.")
@click.option("--max-steps", type=click.IntRange(min=1), default=10_000, show_default=True, help="Stop after so many.")
@click.option(
    "--deadline", type=click.FloatRange(min=0, min_open=True), default=3600, show_default=True, help="Seconds."
)
@click.option(
    "--pause",
    type=click.FloatRange(min=0),
    default=0.25,
    show_default=True,
    help="First wait in a loop; grows to 8 times that.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON report and nothing else.")
@click.option(
    "--report", "reports", multiple=True, metavar="FORMAT=FILE", help="Also write json, junit, tap, har or html."
)
@click.option("--trace", type=click.Path(path_type=Path), metavar="FILE", help="Write every event and exchange down.")
@click.option("--trace-bodies", default="1m", show_default=True, metavar="SIZE", help="How much of a body is kept.")
@click.option("--mock", is_flag=True, help="Ask nobody: make up the answers from the descriptions.")
@click.option("--mock-seed", type=click.IntRange(min=0), default=0, show_default=True, help="Other made-up answers.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, as far as it is known, and stop.")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), metavar="FILE", help="Write down what is done; a folder for many."
)
@click.option("--resume", is_flag=True, help="Go on with the run in the checkpoint; nothing is sent twice.")
@click.option(
    "--resume-step",
    type=click.Choice(["again", "skip"]),
    help="What to do about a request that was under way and may not simply be sent again.",
)
@click.option("--help-inputs", is_flag=True, help="List the inputs of the document and stop.")
def run(
    documents: tuple[Path, ...],
    help_inputs: bool,
    each: Path | None,
    concurrency: int,
    fail_fast: bool,
    checkpoint: Path | None,
    resume: bool,
    resume_step: str | None,
    **options: Any,
) -> None:
    """Run an Arazzo document, or many.

    Without --server the run goes to the server of your last `heddle login`; without a login, a Heddle is started for
    it. Exit status: 0 all outputs are there, 2 it ended without some of them, 1 it failed.

    \b
    Examples:
      heddle run text-to-image.yaml -i prompt="a red fox in the snow" --save out
      heddle run image-to-image.yaml -i prompt="in watercolor" -i file=@photo.png --save out
      heddle run flow.yaml --server http://127.0.0.1:8765 --inputs inputs.json --json
      heddle run presigned.yaml -i prompt=fog --upload requestUploadUrl.uploadUrl=@photo.png
      heddle run flow.yaml --report junit=report.xml --report html=report.html
      heddle run flow.yaml --checkpoint flow.run --resume
      heddle run flow.yaml --each prompts.csv --concurrency 8 --save out
      heddle run flow.yaml --trace flow.trace && heddle arazzo replay flow.trace
    """
    kept = Checkpoint(checkpoint, resume, resume_step)
    every = [Asked(document=document, checkpoint=kept, **options) for document in documents]
    if help_inputs:
        for asked in every:
            _show_inputs(asked)
    elif each is None and len(every) == 1:
        sys.exit(_run(every[0]))
    else:
        sys.exit(_run_many(every, each, concurrency, fail_fast=fail_fast))


def _run(asked: Asked) -> int:
    from heddle.arazzo.document import read_document  # noqa: PLC0415
    from heddle.arazzo.inputs import InputSchema  # noqa: PLC0415
    from heddle.arazzo.masking import Secrets  # noqa: PLC0415
    from heddle.arazzo.plan import choose_workflow  # noqa: PLC0415
    from heddle.cli import chronicle, narration, reports  # noqa: PLC0415

    asked.checkpoint.check()
    if asked.mock and asked.checkpoint.path is not None:
        raise UsageError(
            "--mock makes up every answer, so that there is nothing to go on with", "leave out --checkpoint"
        )
    document = read_document(asked.document)
    schema = InputSchema(choose_workflow(document, asked.workflow).inputs, document.tree.value)
    given = {**asked.checkpoint.inputs(), **_given_inputs(asked, schema)}
    written = [reports.asked_of(text) for text in asked.reports]
    chronicle.check(asked.trace, asked.trace_bodies, asked.document)
    _hosts(asked, ())  # a text that is no host is told before anything starts
    opened = nullcontext(_made_up()) if asked.mock else _target(asked)
    if opened is None:
        asked.checkpoint.check_server()
        _checked(asked, document, schema, given)
        opened = nullcontext(_nowhere()) if asked.dry_run else _embedded()
    with opened as target:
        plan = _plan(asked, document, target)
        filled = _filled(plan, given, target)
        secrets = Secrets([*_secret_texts(schema, {**given, **filled}), *_passwords(target.servers)])
        narrator = _narrator(asked, secrets)
        kept = None if asked.dry_run else _chronicle(asked, plan, {**given, **filled}, target, secrets, written)
        if written and not asked.dry_run:
            steps = [step.id for step in plan.main.steps]
            files = reports.Files(written, secrets, str(asked.document), steps, kept)
            narrator = narration.Together([narrator, files])
        if kept is not None:
            narrator = narration.Together([kept, narrator])
        for name in filled:
            narrator.note(f"the input {name!r} is filled with the token of {target.name}")
        for text in [] if asked.dry_run else auth.notes(plan):
            narrator.note(text)
        values = schema.bind({**given, **filled})
        if asked.dry_run:
            _rehearse(asked, plan, values, secrets)
            return 0
        return _carried_out(asked, plan, values, secrets, narrator, kept)


def _run_many(every: Sequence[Asked], each: Path | None, limit: int, *, fail_fast: bool) -> int:
    """Each document with each row."""
    from heddle.arazzo.masking import Secrets  # noqa: PLC0415
    from heddle.cli import joint_reports, many, reports, tables  # noqa: PLC0415

    first = every[0]
    first.checkpoint.check()
    if first.dry_run:
        raise UsageError("--dry-run looks at one run", "give one document and no --each")
    if first.trace is not None or first.mock:
        option = "--mock" if first.mock else "--trace"
        raise UsageError(f"{option} is for one run", "give one document and no --each")
    _hosts(first, ())
    joint, own = joint_reports.split([reports.asked_of(text) for text in first.reports])
    rows = [tables.Row("")] if each is None else tables.rows_of(each)
    opened = _target(first)
    if opened is None:
        first.checkpoint.check_server()
        _cases(every, rows, _nowhere(), own)  # everything that can be wrong, before a server is started
        opened = _embedded()
    with opened as target:
        cases = _cases(every, rows, target, own)
        first.checkpoint.make_folder()
        secrets = Secrets(text for case in cases for text in _secret_texts(case.plan.main.inputs, case.inputs))
        secrets.add(*_passwords(target.servers))
        batch = many.Batch(cases, _board(first, len(cases)), limit, fail_fast, secrets)
        from heddle.arazzo.hosts import GuardedTransport  # noqa: PLC0415

        hosts = _hosts(first, [server for case in cases for server in case.plan.servers()])
        batch.carry_out(lambda: _client(GuardedTransport(hosts)))
    joint_reports.write(joint, batch)
    click.echo(joint_reports.as_json(batch) if first.as_json else many.closing(batch), nl=False)
    return batch.exit_code


def _cases(every: Sequence[Asked], rows: Sequence[Row], target: Target, own: Sequence[reports.Asked]) -> list[Case]:
    """All runs that are to be made, numbered through; a document is read and planned once."""
    cases: list[Case] = []
    for asked in every:
        planned = _planned(asked, target)
        for row in rows:
            label = " ".join(part for part in (str(asked.document) if len(every) > 1 else "", row.place) if part)
            cases.append(_case(asked, planned, row, target, own, number=len(cases) + 1, label=label))
    return cases


def _planned(asked: Asked, target: Target) -> tuple[Plan, Mapping[str, Any]]:
    """With the inputs of the command line, which all rows share."""
    from heddle.arazzo.document import read_document  # noqa: PLC0415

    plan = _plan(asked, read_document(asked.document), target)
    return plan, _given_inputs(asked, plan.main.inputs)


def _case(
    asked: Asked,
    planned: tuple[Plan, Mapping[str, Any]],
    row: Row,
    target: Target,
    own: Sequence[reports.Asked],
    *,
    number: int,
    label: str,
) -> Case:
    from heddle.arazzo.masking import Secrets  # noqa: PLC0415
    from heddle.cli import joint_reports, many, reports  # noqa: PLC0415

    plan, common = planned
    schema = plan.main.inputs
    given = {**common, **row.inputs(schema)}
    given |= _filled(plan, given, target)
    try:
        values = schema.bind(given)
    except UsageError as error:
        raise row.error(error) from error
    secrets, options = Secrets([*_secret_texts(schema, given), *_passwords(target.servers)]), _options(asked)
    kept = asked.checkpoint.of_run(number)
    files = joint_reports.of_run(own, number)
    steps = [step.id for step in plan.main.steps]
    return many.Case(
        number=number,
        label=label,
        document=asked.document,
        plan=plan,
        inputs=values,
        secrets=secrets,
        options=options,
        journal=lambda: kept.opened(plan, values, secrets, options),
        save=None if asked.save is None else asked.save / str(number),
        narrator=reports.Files(files, secrets, str(asked.document), steps) if files else None,
    )


def _board(asked: Asked, total: int) -> Board:
    from heddle.cli import boards  # noqa: PLC0415

    if asked.as_json:
        return boards.Silent()
    return boards.Terminal(total) if is_terminal() else boards.Lines(total)


def _client(transport: httpx.AsyncBaseTransport) -> Client:
    from heddle.arazzo.exchange import Client  # noqa: PLC0415

    return Client(transport)


def _checked(asked: Asked, document: Document, schema: InputSchema, given: Mapping[str, Any]) -> None:
    """Everything that can be wrong with document and inputs, before a server is started for them."""
    nowhere = _nowhere()
    plan = _plan(asked, document, nowhere)
    schema.bind({**given, **_filled(plan, given, nowhere)})
    _options(asked)


def _nowhere() -> Target:
    """The server that would be started."""
    from heddle.arazzo.sources import Servers  # noqa: PLC0415

    return Target(Servers(default=_PLACEHOLDER), "the embedded server", {_PLACEHOLDER: "token-of-the-embedded-server"})


def _made_up() -> Target:
    """The server that answers in a run with --mock."""
    from heddle.arazzo.mocking import SERVER  # noqa: PLC0415
    from heddle.arazzo.sources import Servers  # noqa: PLC0415

    return Target(Servers(default=SERVER), "the made-up server", {SERVER: "token-of-the-made-up-server"})


def _pretense(asked: Asked, plan: Plan, narrator: Narrator) -> Pretense:
    from heddle.arazzo.sources import load_linked  # noqa: PLC0415
    from heddle.cli.mocking import Pretense  # noqa: PLC0415

    paths = {name: Path(path) for name, path in pairs(asked.sources, "--source", "NAME=PATH")}
    linked = load_linked(plan.document, _servers_of(asked, _made_up()), paths)
    return Pretense(linked, asked.mock_seed, narrator, saves=asked.save is not None)


def _chronicle(
    asked: Asked, plan: Plan, given: Mapping[str, Any], target: Target, secrets: Secrets, written: Sequence[Any]
) -> Chronicle | None:
    """Records the run where somebody wants to see all of it."""
    from heddle.cli import chronicle, reports  # noqa: PLC0415

    if asked.trace is None and not any(one.form in reports.WHOLE for one in written):
        return None
    cap = chronicle.size_of(asked.trace_bodies)
    sources = {name: Path(path) for name, path in pairs(asked.sources, "--source", "NAME=PATH")}
    header = asked.trace and chronicle.header_of(
        asked.document,
        plan,
        given,
        secrets,
        servers=_servers_of(asked, target),
        sources=sources,
        options=_options(asked),
        cap=cap,
        made_up=asked.mock,
    )
    return chronicle.Chronicle(secrets, cap, asked.trace, header)


def _rehearse(asked: Asked, plan: Plan, values: Mapping[str, Any], secrets: Secrets) -> None:
    """The plan with everything that is known already."""
    from heddle.arazzo.rehearsal import plain, rehearse  # noqa: PLC0415
    from heddle.cli.narration import printable  # noqa: PLC0415

    steps = [
        {
            "workflow": one.workflow,
            "stepId": one.step,
            "target": one.target,
            "parameters": [{"in": where, "name": name, "value": value} for where, name, value in one.fields],
            "contentType": one.content_type,
            "body": one.body,
            "security": auth.shown(one.security),
            "unknown": list(one.unknown),
        }
        for one in rehearse(plan, values)
    ]
    report: dict[str, Any] = secrets.mask(
        plain({"document": str(asked.document), "dryRun": True, "inputs": dict(values), "steps": steps})
    )
    if asked.as_json:
        click.echo(json_text(report))
        return
    click.echo(f"{plan.main.id}: a dry run, nothing is sent")
    for number, step in enumerate(report["steps"], 1):
        other = "" if step["workflow"] == plan.main.key else f" (of {step['workflow']})"
        click.echo(printable(f"{number}. {step['stepId']}{other}   {step['target']}"))
        for one in step["parameters"]:
            click.echo(printable(f"     {one['in']} {one['name']} = {_compact(one['value'])}"))
        for line in auth.lines(step["security"]):
            click.echo(printable(f"     {line}"))
        if step["contentType"]:
            body = step["body"] if isinstance(step["body"], str) else json.dumps(step["body"], indent=2, default=str)
            click.echo(f"     {step['contentType']}")
            click.echo(printable("\n".join(f"       {line}" for line in body.splitlines())))


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _plan(asked: Asked, document: Document, target: Target) -> Plan:
    from heddle.arazzo.plan import make_plan  # noqa: PLC0415
    from heddle.arazzo.sources import load_linked  # noqa: PLC0415

    paths = {name: Path(path) for name, path in pairs(asked.sources, "--source", "NAME=PATH")}
    linked = load_linked(document, _servers_of(asked, target), paths, auth.keys_of(asked.auths))
    plan = make_plan(document, asked.workflow, linked.descriptions, _leniency(asked), linked.others)
    _check_covered(plan, target.servers)
    return plan


def _servers_of(asked: Asked, target: Target) -> Servers:
    """With the variables of the command line."""
    return replace(target.servers, variables=dict(pairs(asked.server_vars, "--server-var", "NAME=VALUE")))


def _check_covered(plan: Plan, servers: Servers) -> None:
    """A request never goes to a server that nobody named: the one in a description may cost money."""
    for source in plan.used_sources():
        if servers.default is None and source not in servers.named:
            raise UsageError(
                f"no server is given for the source {source!r}", f"add --server {source}=URL, or --server URL for all"
            )


def _carried_out(
    asked: Asked,
    plan: Plan,
    values: Mapping[str, Any],
    secrets: Secrets,
    narrator: Narrator,
    chronicle: Chronicle | None,
) -> int:
    """Run, save, report; the exit status."""
    from heddle.arazzo.durable import start  # noqa: PLC0415
    from heddle.arazzo.hosts import GuardedTransport  # noqa: PLC0415

    options = _options(asked)
    holder: list[Run] = []
    pretense = _pretense(asked, plan, narrator) if asked.mock else None
    followed, folder = (pretense, None) if pretense else (narrator, asked.save)
    transport = pretense.transport if pretense else GuardedTransport(_hosts(asked, plan.servers()))
    transport = chronicle.over(transport) if chronicle else transport
    clock = pretense.clock if pretense else None

    async def go() -> int:
        async with asked.checkpoint.opened(plan, values, secrets, options) as journal, _client(transport) as client:
            _note(narrator, asked.checkpoint.told(journal))
            this_run, events = start(
                plan, values, client, options=options, secrets=secrets, journal=journal, clock=clock
            )
            holder.append(this_run)
            return await _followed(events, client, plan, folder, followed)

    try:
        return asyncio.run(go())
    except KeyboardInterrupt:
        if holder:
            _note(narrator, asked.checkpoint.parting())
            followed.end(holder[0].snapshot(), [])
        return 130
    finally:
        narrator.close()


def _note(narrator: Narrator, text: str) -> None:
    if text:
        narrator.note(text)


async def _followed(
    events: AsyncIterator[Event], client: Any, plan: Plan, folder: Path | None, narrator: Narrator
) -> int:
    from heddle.arazzo.events import RunEnded  # noqa: PLC0415

    async for event in events:
        narrator.event(event)
        if isinstance(event, RunEnded):
            saved = await _saved(client, plan, event.result.outputs, folder)
            narrator.end(event.result, saved)
            return event.result.exit_code
    raise AssertionError("a run ends with RunEnded")


async def _saved(client: Any, plan: Plan, outputs: Mapping[str, Any], folder: Path | None) -> Sequence[Saved]:
    from heddle.arazzo.transfers import save_outputs  # noqa: PLC0415

    return [] if folder is None else await save_outputs(client, outputs, folder, plan.servers())


def _target(asked: Asked) -> AbstractContextManager[Target] | None:
    """The servers of the command line, else of the last login; None asks for an embedded one."""
    from heddle.arazzo.sources import Servers  # noqa: PLC0415

    if asked.servers:
        named, default = _servers(asked.servers)
        return _known(Servers(named, default), ", ".join([*named.values(), *([default] if default else [])]))
    stored = None if asked.embedded else credentials.load().default
    return _known(Servers(default=stored), stored) if stored else None


@contextmanager
def _known(servers: Servers, name: str) -> Generator[Target]:
    stored = credentials.load()
    urls = [*servers.named.values(), *([servers.default] if servers.default else [])]
    found = {credentials.origin_of(url): stored.token_for(url) for url in urls}
    yield Target(servers, name, {origin: token for origin, token in found.items() if token})


@contextmanager
def _embedded() -> Generator[Target]:
    from heddle.arazzo.sources import Servers  # noqa: PLC0415
    from heddle.cli.embedded import embedded  # noqa: PLC0415 - brings the whole server along

    start: Callable[[], AbstractContextManager[tuple[str, str]]] = embedded
    with start() as (url, token):
        yield Target(Servers(default=url), "the embedded server", {credentials.origin_of(url): token})


def _filled(plan: Plan, given: Mapping[str, Any], target: Target) -> dict[str, str]:
    """Tokens for missing inputs that are bearer tokens and nothing else, where all their servers share one."""
    filled: dict[str, str] = {}
    for name, origins in plan.bearer_inputs().items():
        tokens = {target.tokens.get(credentials.origin_of(origin)) for origin in origins}
        token = tokens.pop() if len(tokens) == 1 else None
        if name not in given and token is not None:
            filled[name] = token
    return filled


def _options(asked: Asked) -> Options:
    from heddle.arazzo.budgets import Options  # noqa: PLC0415

    return Options(
        max_steps=asked.max_steps,
        deadline=asked.deadline,
        first_pause=asked.pause,
        longest_pause=asked.pause * 8,
        fall_through=asked.fall_through,
        uploads=tuple(_upload(text) for text in asked.uploads),
    )


def _hosts(asked: Asked, servers: Sequence[str]) -> HostPolicy:
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


def _leniency(asked: Asked) -> Leniency:
    from heddle.arazzo import leniency  # noqa: PLC0415

    return leniency.strict() if asked.strict else leniency.without(asked.without)


def _servers(texts: Sequence[str]) -> tuple[dict[str, str], str | None]:
    named: dict[str, str] = {}
    default: str | None = None
    for text in texts:
        match = re.fullmatch(r"([A-Za-z0-9_\-]+)=(.+)", text)
        url = match[2] if match else text
        credentials.origin_of(url)
        if match:
            named[match[1]] = url.rstrip("/")
        else:
            default = url.rstrip("/")
    return named, default


def _given_inputs(asked: Asked, schema: InputSchema) -> dict[str, Any]:
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


def pairs(texts: Sequence[str], option: str, shape: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} {text!r} is not {shape}", f"for example {option} {shape.lower()}")
        pairs.append((name, value))
    return pairs


def _secret_texts(schema: InputSchema, values: Mapping[str, Any]) -> list[str]:
    """Values of secret inputs, also out of files."""
    from heddle.arazzo.files import FileValue  # noqa: PLC0415

    secret = [value for name, value in values.items() if schema.is_secret(name)]
    read = [value.read().decode("utf-8", "ignore").strip() for value in secret if isinstance(value, FileValue)]
    return [*(one for one in secret if isinstance(one, str)), *read]


def _passwords(servers: Servers) -> list[str]:
    """Of servers that are given as `https://name:password@host`."""
    urls = [urlsplit(url) for url in (*servers.named.values(), servers.default) if url]
    return [url.password for url in urls if url.password]


def _narrator(asked: Asked, secrets: Secrets) -> Narrator:
    from heddle.cli import narration  # noqa: PLC0415

    if asked.as_json:
        return narration.Report(secrets, str(asked.document))
    return narration.Terminal(secrets) if is_terminal() else narration.Lines(secrets)


def _show_inputs(asked: Asked) -> None:
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
