"""`heddle run`: run an Arazzo document.

Exit status: 0 when the Arazzo workflow ended and every output that it declares resolved; 2 when it ended but outputs
are missing; 1 when a step failed, the run could not be decided or the command line is wrong; 130 after Ctrl-C.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heddle.cli import auth
from heddle.cli.asked import Asked, check_files, given_inputs, hosts_of, options_of, pairs, show_inputs
from heddle.cli.cases import run_many
from heddle.cli.checkpoints import Checkpoint
from heddle.cli.output import Command, is_terminal
from heddle.cli.rehearsals import rehearse_run
from heddle.cli.targets import (
    Target,
    embedded_target,
    filled_in,
    made_up,
    nowhere,
    plan_of,
    secrets_of,
    servers_of,
    target_of,
)
from heddle.errors import UsageError

# The runner and its HTTP client cost a fifth of a second to import; `heddle run --help` does without them.
if TYPE_CHECKING:
    import httpx

    from heddle.arazzo.document import Document
    from heddle.arazzo.events import Event
    from heddle.arazzo.exchange import Client
    from heddle.arazzo.inputs import InputSchema
    from heddle.arazzo.journal import Journal
    from heddle.arazzo.masking import Secrets
    from heddle.arazzo.plan import Plan
    from heddle.arazzo.runner import Run
    from heddle.arazzo.transfers import Saved
    from heddle.cli.chronicle import Chronicle
    from heddle.cli.mocking import Pretense
    from heddle.cli.narration import Narrator


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
@click.option(
    "--resume", is_flag=True, help="Go on with the run in the checkpoint; what may not be repeated is not sent twice."
)
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
            show_inputs(asked)
    elif each is None and len(every) == 1:
        sys.exit(_run(every[0]))
    else:
        sys.exit(run_many(every, each, concurrency, fail_fast=fail_fast))


def _run(asked: Asked) -> int:
    from heddle.arazzo.document import read_document  # noqa: PLC0415
    from heddle.arazzo.inputs import InputSchema  # noqa: PLC0415
    from heddle.arazzo.plan import choose_workflow  # noqa: PLC0415
    from heddle.cli import chronicle, hints, narration, reports  # noqa: PLC0415

    asked.checkpoint.check()
    if asked.mock and asked.checkpoint.path is not None:
        raise UsageError(
            "--mock makes up every answer, so that there is nothing to go on with", "leave out --checkpoint"
        )
    written = [reports.asked_of(text) for text in asked.reports]
    check_files([asked], [one.path for one in written])
    document = read_document(asked.document)
    schema = InputSchema(choose_workflow(document, asked.workflow).inputs, document.tree.value)
    given = {**asked.checkpoint.inputs(), **given_inputs(asked, schema)}
    chronicle.check(asked.trace, asked.trace_bodies)
    hosts_of(asked, ())  # a text that is no host is told before anything starts
    opened = nullcontext(made_up()) if asked.mock else target_of(asked)
    if opened is None:
        asked.checkpoint.check_server()
        _checked(asked, document, schema, given)
        opened = nullcontext(nowhere()) if asked.dry_run else embedded_target()
    with opened as target:
        plan = plan_of(asked, document, target)
        filled = filled_in(plan, given, target)
        values = schema.bind({**given, **filled})
        secrets = secrets_of(plan, values, target)
        narrator = _narrator(asked, secrets)
        if not asked.mock:
            hint = hints.UploadHint(narrator.note, plan, options_of(asked).uploads)
            narrator = narration.Together([narrator, narration.Listening(hint.follow)])
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
        if asked.dry_run:
            rehearse_run(asked, plan, values, secrets)
            return 0
        return _carried_out(asked, plan, values, secrets, narrator, kept)


def _client(transport: httpx.AsyncBaseTransport) -> Client:
    from heddle.arazzo.exchange import Client  # noqa: PLC0415

    return Client(transport)


def _checked(asked: Asked, document: Document, schema: InputSchema, given: Mapping[str, Any]) -> None:
    """Everything that can be wrong with document and inputs, before a server is started for them."""
    target = nowhere()
    plan = plan_of(asked, document, target)
    schema.bind({**given, **filled_in(plan, given, target)})
    options_of(asked)


def _pretense(asked: Asked, plan: Plan, narrator: Narrator) -> Pretense:
    from heddle.arazzo.sources import load_linked  # noqa: PLC0415
    from heddle.cli.mocking import Pretense  # noqa: PLC0415

    paths = {name: Path(path) for name, path in pairs(asked.sources, "--source", "NAME=PATH")}
    linked = load_linked(plan.document, servers_of(asked, made_up()), paths)
    return Pretense(linked, asked.mock_seed, narrator, saves=asked.save is not None)


def _chronicle(
    asked: Asked, plan: Plan, given: Mapping[str, Any], target: Target, secrets: Secrets, written: Sequence[Any]
) -> Chronicle | None:
    """Records the run where somebody wants to see all of it."""
    from heddle.cli import chronicle, reports  # noqa: PLC0415

    tells = any(one.form in reports.WHOLE for one in written)
    if asked.trace is None and not tells:
        return None
    cap = chronicle.size_of(asked.trace_bodies)
    sources = {name: Path(path) for name, path in pairs(asked.sources, "--source", "NAME=PATH")}
    header = asked.trace and chronicle.header_of(
        asked.document,
        plan,
        given,
        secrets,
        servers=servers_of(asked, target),
        sources=sources,
        options=options_of(asked),
        cap=cap,
        made_up=asked.mock,
        resumed=asked.checkpoint.resume,
    )
    return chronicle.Chronicle(secrets, cap, asked.trace, header, tells=tells)


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

    options = options_of(asked)
    holder: list[Run] = []
    pretense = _pretense(asked, plan, narrator) if asked.mock else None
    followed, folder = (pretense, None) if pretense else (narrator, asked.save)
    transport = pretense.transport if pretense else GuardedTransport(hosts_of(asked, plan.servers()))
    transport = chronicle.over(transport) if chronicle else transport
    clock = pretense.clock if pretense else None

    async def go() -> int:
        async with asked.checkpoint.opened(plan, values, secrets, options) as journal, _client(transport) as client:
            if chronicle is not None:
                chronicle.begin()
            _note(narrator, asked.checkpoint.told(journal))
            this_run, events = start(
                plan, values, client, options=options, secrets=secrets, journal=journal, clock=clock
            )
            holder.append(this_run)
            return await _followed(events, client, plan, folder, followed, journal)

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
    events: AsyncIterator[Event],
    client: Any,
    plan: Plan,
    folder: Path | None,
    narrator: Narrator,
    journal: Journal | None,
) -> int:
    from heddle.arazzo.events import RunEnded  # noqa: PLC0415

    async for event in events:
        narrator.event(event)
        if isinstance(event, RunEnded):
            saved = await _saved(client, plan, event.result.outputs, folder, journal)
            narrator.end(event.result, saved)
            return event.result.exit_code
    raise AssertionError("a run ends with RunEnded")


async def _saved(
    client: Any, plan: Plan, outputs: Mapping[str, Any], folder: Path | None, journal: Journal | None
) -> Sequence[Saved]:
    from heddle.arazzo.transfers import save_outputs  # noqa: PLC0415

    return [] if folder is None else await save_outputs(client, outputs, folder, plan.servers(), journal)


def _narrator(asked: Asked, secrets: Secrets) -> Narrator:
    from heddle.cli import narration  # noqa: PLC0415

    if asked.as_json:
        return narration.Report(secrets, str(asked.document))
    return narration.Terminal(secrets) if is_terminal() else narration.Lines(secrets)
