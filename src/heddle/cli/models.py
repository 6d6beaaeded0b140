"""`heddle models`: the catalog from the administrator's side."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec

from heddle import accounts, settings
from heddle.catalog import builtin, entries, intake
from heddle.catalog.entries import Entry, NewEntry
from heddle.catalog.files import NewFile
from heddle.catalog.models import TYPES
from heddle.cli import output
from heddle.cli.home import commit, home
from heddle.contract import site
from heddle.db import Database, Tx
from heddle.domain import now
from heddle.errors import UsageError

_PAIR = re.compile(r"(?:.*\bcivitai:)?([0-9]{1,15})@([0-9]{1,15})")
_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON.")

#: Below this, hashing is over before a progress bar could be read.
_WORTH_A_BAR = 256 * 1024 * 1024


@click.group()
def models() -> None:
    """Add, list and remove catalog models.

    \b
    Examples:
      heddle models add fox.safetensors --name Fox --type LORA --base-model "SDXL 1.0" --trained-word fox
      heddle models list
      heddle models show urn:air:sketch:checkpoint:heddle:1@1
    """


@models.command("add")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE_OR_FOLDER")
@click.option("--name", help="The model's name; default: the file's name.")
@click.option("--type", "kind", required=True, type=click.Choice(TYPES, case_sensitive=False), help="What it is.")
@click.option("--base-model", required=True, help='For example "SD 1.5", "SDXL 1.0", "Flux.1 D".')
@click.option("--version-name", default="v1", show_default=True)
@click.option("--trained-word", "words", multiple=True, help="A word that calls it; may be repeated.")
@click.option("--tag", "tags", multiple=True, help="May be repeated.")
@click.option("--description", default="", help="One paragraph.")
@click.option(
    "--id", "model_id", type=click.IntRange(min=1), help="The model's id; an existing one gets a version more."
)
@click.option("--version-id", type=click.IntRange(min=1), help="The version's id; default: the next free one.")
@click.option("--civitai", metavar="MODEL@VERSION", help="The ids that it has on Civitai, so that its AIR is the same.")
@click.option("--copy", "copy_", is_flag=True, help="Copy into the data folder; default: the file stays where it is.")
@_JSON
def add(
    path: Path,
    name: str | None,
    kind: str,
    base_model: str,
    version_name: str,
    words: tuple[str, ...],
    tags: tuple[str, ...],
    description: str,
    model_id: int | None,
    version_id: int | None,
    civitai: str | None,
    copy_: bool,
    as_json: bool,
) -> None:
    """Add weights to the catalog: a .safetensors or .gguf file, or a diffusers folder. Pickles are refused.

    \b
    Examples:
      heddle models add fox.safetensors --type LORA --base-model "SDXL 1.0" --trained-word fox
      heddle models add juggernaut.safetensors --type Checkpoint --base-model "SD 1.5" --civitai 46422@128078
      heddle models add fox-v2.safetensors --type LORA --base-model "SDXL 1.0" --id 1000000000 --version-name v2
    """
    new = NewEntry(
        name=name or path.name.removesuffix(path.suffix) or path.absolute().name,
        type=kind,
        base_model=base_model,
        creator="",
        version_name=version_name,
        model_id=model_id,
        version_id=version_id,
        trained_words=words,
        description=description,
        tags=tags,
    )
    new = _with_civitai(new, civitai) if civitai else new
    _check_ids(new)
    chosen = intake.choose(path)
    for left_out in chosen.ignored:
        click.echo(f"left out {left_out.relative_to(chosen.root)}: a pickle beside safetensors", err=True)
    with _progress(chosen.size) as on_bytes:
        files = intake.read(chosen, on_bytes)
    with home() as db:
        entry = _add_copied(db, new, files) if copy_ else _add(db, new, files)
    _print_added(entry, as_json=as_json)


@models.command("list")
@_JSON
def list_models(as_json: bool) -> None:
    """List the versions of the catalog.

    \b
    Example:
      heddle models list --json
    """
    with home() as db:
        commit(db, lambda tx: builtin.ensure(tx, now()))
        found = db.look(entries.every)
    if as_json:
        click.echo(msgspec.json.encode([_shown(entry) for entry in found]))
        return
    for entry in found:
        v, count = entry.version, sum(file.size for file in entry.files)
        size = output.size(count) if count else "-"
        click.echo(f"{v.id:>11}  {entry.model.type:<12} {v.base_model:<12} {size:>9}  {entry.model.name} {v.name}")
        click.echo(f"{'':>11}  {v.air}")


@models.command("show")
@click.argument("which", metavar="AIR|ID")
@_JSON
def show(which: str, as_json: bool) -> None:
    """Show a version: its words, its files and their hashes. ID is the number of a version.

    \b
    Example:
      heddle models show urn:air:sketch:checkpoint:heddle:1@1
    """
    with home() as db:
        commit(db, lambda tx: builtin.ensure(tx, now()))
        entry = db.look(_find, which)
    if as_json:
        click.echo(msgspec.json.encode(_shown(entry)))
        return
    v = entry.version
    click.echo(f"{entry.model.name} {v.name} by {entry.model.creator}: {entry.model.type} for {v.base_model}")
    click.echo(f"AIR            {v.air}")
    click.echo(f"{'model id':<14} {v.model_id}")
    click.echo(f"{'version id':<14} {v.id}")
    for label, text in (("about", entry.model.description), ("trained words", ", ".join(v.trained_words))):
        if text:
            click.echo(f"{label:<14} {text}")
    for file in entry.files:
        click.echo(
            f"{'file':<14} {file.path} ({output.size(file.size)}, {file.format}{', primary' if file.primary else ''})"
        )
        click.echo(f"{'':<14} {' '.join(f'{kind}={digits}' for kind, digits in file.hashes.items())}")


@models.command("remove")
@click.argument("which", metavar="AIR|ID")
def remove(which: str) -> None:
    """Take a version out of the catalog. Bytes that `add --copy` copied are deleted; your own files stay.

    \b
    Example:
      heddle models remove urn:air:sdxl:lora:heddle:1000000000@1000000000
    """

    def change(tx: Tx) -> Entry:
        entry = _find(tx, which)
        if builtin.is_builtin(entry.model):
            raise UsageError(f"{entry.version.air} is built in, so it cannot be removed")
        entries.remove(tx, entry)
        return entry

    with home() as db:
        entry = commit(db, change)
    for place in intake.copies([file.path for file in entry.files if file.path], _models_folder()):
        shutil.rmtree(place, ignore_errors=True)
    click.echo(f"{entry.version.air} is out of the catalog")


def _with_civitai(new: NewEntry, pair: str) -> NewEntry:
    match = _PAIR.fullmatch(pair)
    if match is None:
        raise UsageError(f"--civitai {pair!r} is not MODEL@VERSION", "both are numbers, as in 101055@128078")
    if new.model_id is not None or new.version_id is not None:
        raise UsageError("--civitai gives both ids already", "leave out --id and --version-id")
    return replace(new, source="civitai", model_id=int(match[1]), version_id=int(match[2]))


def _check_ids(new: NewEntry) -> None:
    low = [number for number in (new.model_id, new.version_id) if number is not None and number < builtin.FIRST_FREE_ID]
    if low:
        raise UsageError(f"the id {low[0]} is kept for built-in entries", f"ids begin at {builtin.FIRST_FREE_ID}")


def _add(db: Database, new: NewEntry, files: list[NewFile]) -> Entry:
    def change(tx: Tx) -> Entry:
        builtin.ensure(tx, now())
        known = accounts.every(tx)
        creator = known[0].username if known else "owner"
        return entries.add(tx, replace(new, creator=creator, files=files), now())

    return commit(db, change)


def _add_copied(db: Database, new: NewEntry, files: list[NewFile]) -> Entry:
    """The check comes before the copy, so that a refusal costs nothing, and again with the write."""
    db.look(entries.check, replace(new, files=files))
    place, copied = intake.copy(files, _models_folder())
    try:
        return _add(db, new, copied)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _models_folder() -> Path:
    return settings.read().folder / "models"


def _find(tx: Tx, which: str) -> Entry:
    number = which.isascii() and which.isdigit() and len(which) <= 18
    entry = entries.of_version(tx, int(which)) if number else entries.of_air(tx, which)
    if entry is None:
        raise UsageError(f"the catalog has no version {which!r}", "`heddle models list` shows what it has")
    return entry


def _shown(entry: Entry) -> dict[str, Any]:
    """As the Site API shows it, and where the files lie, which only the administrator may know."""
    shown = site.model_version(entry.version, entry.model, entry.files)
    for rendered, file in zip(shown["files"], entry.files, strict=True):
        rendered["path"] = None if file.path is None else str(file.path)
    return shown


def _print_added(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(_shown(entry)))
        return
    click.echo(f"added {entry.model.name} {entry.version.name} as model version {entry.version.id}", err=True)
    click.echo(entry.version.air)


@contextmanager
def _progress(size: int) -> Generator[Callable[[int], Any] | None]:
    """A bar on a terminal while gigabytes are hashed."""
    if size < _WORTH_A_BAR or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=size, label="hashing", file=sys.stderr) as bar:
        yield bar.update
