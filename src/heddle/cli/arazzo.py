"""`heddle arazzo`: look at Arazzo documents without running them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.output import Command
from heddle.errors import UsageError

if TYPE_CHECKING:
    from heddle.arazzo.document import Workflow
    from heddle.arazzo.findings import Finding
    from heddle.arazzo.outline import Drawn


@click.group()
def arazzo() -> None:
    """Check and show Arazzo documents.

    \b
    Examples:
      heddle arazzo validate examples/*.yaml
      heddle arazzo show flow.arazzo.yaml
      heddle arazzo replay flow.trace
      heddle arazzo lint --format sarif flow.arazzo.yaml > findings.sarif
    """


def _checking(command: Callable[..., None]) -> Callable[..., None]:
    """What `validate` and `lint` have in common."""
    for decorate in (
        click.option("--strict", is_flag=True, help="Exit with 1 for warnings as well."),
        click.option("--source", "sources", multiple=True, metavar="NAME=PATH", help="Where a description is."),
        click.option(
            "--format",
            "form",
            type=click.Choice(["text", "json", "sarif", "github"]),
            default="text",
            show_default=True,
            help="How findings are written.",
        ),
        click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE…"),
    ):
        command = decorate(command)
    return command


@arazzo.command(cls=Command)
@_checking
def validate(**options: Any) -> None:
    """Say what is wrong with documents: errors and warnings. Exit status 1 when there are errors.

    \b
    Examples:
      heddle arazzo validate flow.arazzo.yaml
      heddle arazzo validate flow.arazzo.yaml --source petstore=petstore.json --format github
    """
    sys.exit(_check(notes=False, **options))


@arazzo.command(cls=Command)
@_checking
def lint(**options: Any) -> None:
    """The same as validate, with notes about style and what nothing uses.

    \b
    Examples:
      heddle arazzo lint flow.arazzo.yaml
      heddle arazzo lint --strict examples/*.yaml
    """
    sys.exit(_check(notes=True, **options))


@arazzo.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-w", "--workflow", metavar="ID", help="Only this Arazzo workflow.")
@click.option("--source", "sources", multiple=True, metavar="NAME=PATH", help="Where a description is.")
@click.option("--mermaid", is_flag=True, help="Write a Mermaid flowchart.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with a drawing.")
@click.option("--trace", type=click.Path(path_type=Path), metavar="FILE", help="With --html: draw this run on it.")
def show(
    file: Path, workflow: str | None, sources: tuple[str, ...], mermaid: bool, html: Path | None, trace: Path | None
) -> None:
    """Show the steps of a document, where they lead, and which data goes where.

    \b
    Examples:
      heddle arazzo show flow.arazzo.yaml
      heddle arazzo show flow.arazzo.yaml --mermaid > flow.mmd
      heddle arazzo show flow.arazzo.yaml --html flow.html --trace flow.trace
    """
    from heddle.arazzo import outline  # noqa: PLC0415
    from heddle.arazzo.document import read_document  # noqa: PLC0415
    from heddle.arazzo.plan import choose_workflow  # noqa: PLC0415
    from heddle.cli.asked import pairs  # noqa: PLC0415
    from heddle.cli.narration import printable  # noqa: PLC0415

    document = read_document(file)
    paths = {name: Path(path) for name, path in pairs(sources, "--source", "NAME=PATH")}
    picture = outline.drawn(document, paths)
    chosen = document.workflows if workflow is None else (choose_workflow(document, workflow),)
    if trace is not None and html is None:
        raise UsageError("--trace draws a run on a page", "add --html FILE")
    if html is not None:
        _write_page(picture, chosen, file, html, trace)
        return
    if mermaid:
        click.echo(printable(outline.mermaid(picture, chosen)))
        return
    for line in outline.outline(picture, chosen):
        click.echo(click.style("  " * line.depth + printable(line.text), **_STYLES.get(line.mark, {})))


def _write_page(picture: Drawn, workflows: Sequence[Workflow], file: Path, html: Path, trace: Path | None) -> None:
    from heddle.arazzo.traces import read_trace  # noqa: PLC0415
    from heddle.cli.document_page import document_page  # noqa: PLC0415
    from heddle.cli.pages import write_page  # noqa: PLC0415

    if html.exists() and any(html.samefile(one) for one in (file, trace) if one is not None and one.exists()):
        raise UsageError(f"the page {html} would take the place of what it shows", "name another file")
    recorded = None if trace is None else read_trace(trace)
    names = [workflow.id for workflow in workflows]
    if recorded is not None and recorded.header.workflow not in names:
        raise UsageError(
            f"{trace} is a run of the workflow {recorded.header.workflow!r}", f"here there are: {', '.join(names)}"
        )
    write_page(html, document_page(picture, workflows, recorded, file.read_bytes()), "page")


@arazzo.command(cls=Command)
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--document", type=click.Path(path_type=Path), metavar="FILE", help="Another document than the recorded.")
@click.option("--source", "sources", multiple=True, metavar="NAME=PATH", help="Where a description is.")
@click.option("--strict", is_flag=True, help="Exit with 1 where anything differs.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON report and nothing else.")
def replay(trace: Path, document: Path | None, sources: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """Run a document again with the recorded answers, and say what is different now. No server is asked.

    The trace is one of `heddle run --trace FILE`. Exit status as for run: that of the run as it goes now.

    \b
    Examples:
      heddle run flow.arazzo.yaml --trace flow.trace
      heddle arazzo replay flow.trace
      heddle arazzo replay flow.trace --document changed.arazzo.yaml --strict
    """
    from heddle.cli import replay as replaying  # noqa: PLC0415
    from heddle.cli.asked import pairs  # noqa: PLC0415

    paths = {name: Path(path) for name, path in pairs(sources, "--source", "NAME=PATH")}
    sys.exit(replaying.replay(trace, document, paths, as_json=as_json, strict=strict))


_STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True},
    "step": {"bold": True, "fg": "cyan"},
    "branch": {"fg": "green"},
    "failure": {"fg": "yellow"},
    "data": {"dim": True},
}


def _check(*, notes: bool, files: tuple[Path, ...], form: str, sources: tuple[str, ...], strict: bool) -> int:
    from heddle.arazzo.findings import Severity  # noqa: PLC0415
    from heddle.arazzo.lint import lint as findings_of  # noqa: PLC0415
    from heddle.cli.asked import pairs  # noqa: PLC0415
    from heddle.cli.findings import FORMATS  # noqa: PLC0415

    paths = {name: Path(path) for name, path in pairs(sources, "--source", "NAME=PATH")}
    found: list[Finding] = []
    for file in dict.fromkeys(files):
        found += (one for one in findings_of(file, paths) if notes or one.severity is not Severity.NOTE)
    click.echo(FORMATS[form](found, files))
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return 1 if any(one.severity in failing for one in found) else 0
