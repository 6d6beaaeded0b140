"""`heddle run --each FILE`: a table of inputs, a run per row.

A CSV file (or TSV) gives texts, which take the types that a document gives its inputs; an empty cell is no input, and a
column whose name begins with `@` holds paths of files. A JSONL file gives values as they are.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from heddle.arazzo.files import FileValue, file_value
from heddle.arazzo.inputs import InputSchema
from heddle.errors import UsageError

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Row:
    """`place` is `people.csv:4`. Texts are not typed yet."""

    place: str
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def inputs(self, schema: InputSchema) -> dict[str, Any]:
        """Typed by the document. Raises UsageError with the place."""
        try:
            return {**self.values, **{name: schema.parse(name, text) for name, text in self.texts.items()}}
        except UsageError as error:
            raise self.error(error) from error

    def error(self, error: UsageError) -> UsageError:
        return UsageError(f"{self.place}: {error.message}" if self.place else error.message, error.hint)


def rows_of(path: Path) -> list[Row]:
    """Every row. Raises UsageError for the first thing that is wrong with the table."""
    suffix = path.suffix.lower()
    if suffix not in _SEPARATORS and suffix not in _LINES:
        raise UsageError(f"--each {path} is not a table", "it ends in .csv, .tsv or .jsonl")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise UsageError(f"--each {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--each {path} is not UTF-8 text") from error
    rows = list(_lines(path, text) if suffix in _LINES else _cells(path, text, _SEPARATORS[suffix]))
    if not rows:
        raise UsageError(f"--each {path} has no rows")
    return rows


def file_or_value(value: Any, folder: Path) -> object:
    """`{"$file": "photo.png"}` is a file, relative to the file that says so."""
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    return file_value(folder / str(fields["$file"])) if set(fields) == {"$file"} else fields


def _lines(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{path.name}:{number}"
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{place} is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise UsageError(f"{place} is not an object", 'a row looks like {"prompt": "a fox", "width": 512}')
        members = cast("dict[str, Any]", value).items()
        yield Row(place, values={name: file_or_value(member, path.parent) for name, member in members})


def _cells(path: Path, text: str, separator: str) -> Iterator[Row]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    try:
        names = _header(path, next(reader, list[str]()))
        for cells in reader:
            if any(cells):
                yield _row(path, f"{path.name}:{reader.line_num}", names, cells)
    except csv.Error as error:
        raise UsageError(f"{path.name}:{reader.line_num} cannot be read: {error}") from error


def _header(path: Path, names: list[str]) -> list[str]:
    names = [name.strip() for name in names]
    if not names or not all(name.lstrip("@") for name in names):
        raise UsageError(f"{path.name}:1 must name every column", "the first line holds the names of inputs")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path.name}:1 names the column {twice!r} twice")
    return names


def _row(path: Path, place: str, names: list[str], cells: list[str]) -> Row:
    if len(cells) > len(names):
        raise UsageError(f"{place} has {len(cells)} cells, and there are {len(names)} columns")
    given = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    texts = {name: cell for name, cell in given.items() if not name.startswith("@")}
    return Row(place, texts, {name[1:]: _file(path, place, cell) for name, cell in given.items() if name[0] == "@"})


def _file(path: Path, place: str, cell: str) -> FileValue:
    try:
        return file_value(path.parent / cell)
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}", "a path is relative to the table") from error
