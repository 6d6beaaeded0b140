"""`heddle arazzo`: look at Arazzo documents without running them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.output import Command

if TYPE_CHECKING:
    from heddle.arazzo.findings import Finding


@click.group()
def arazzo() -> None:
    """Check Arazzo documents.

    \b
    Examples:
      heddle arazzo validate examples/*.yaml
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


def _check(*, notes: bool, files: tuple[Path, ...], form: str, sources: tuple[str, ...], strict: bool) -> int:
    from heddle.arazzo.findings import Severity  # noqa: PLC0415
    from heddle.arazzo.lint import lint as findings_of  # noqa: PLC0415
    from heddle.cli.findings import FORMATS  # noqa: PLC0415
    from heddle.cli.run import pairs  # noqa: PLC0415

    paths = {name: Path(path) for name, path in pairs(sources, "--source", "NAME=PATH")}
    found: list[Finding] = []
    for file in dict.fromkeys(files):
        found += (one for one in findings_of(file, paths) if notes or one.severity is not Severity.NOTE)
    click.echo(FORMATS[form](found, files))
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return 1 if any(one.severity in failing for one in found) else 0
