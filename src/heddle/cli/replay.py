"""`heddle arazzo replay`: run a document with the answers of a recorded run, and say what is different now."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import click
import msgspec

from heddle.arazzo.budgets import Options
from heddle.arazzo.document import read_document
from heddle.arazzo.events import Event, Result
from heddle.arazzo.exchange import Client
from heddle.arazzo.files import FileValue
from heddle.arazzo.inputs import InputSchema
from heddle.arazzo.leniency import LENIENCIES, Leniency
from heddle.arazzo.masking import MASK, Masked, Secrets
from heddle.arazzo.plan import choose_workflow, make_plan
from heddle.arazzo.replay import Difference, ReplayClock, Replayer, compare_document
from heddle.arazzo.runner import Run
from heddle.arazzo.security import Keys
from heddle.arazzo.sources import Servers, load_linked
from heddle.arazzo.traces import Header, Kept, Trace, read_trace
from heddle.arazzo.transfers import Saved, Upload
from heddle.cli.narration import Lines, Listening, Narrator, Terminal, Together, printable, report_of
from heddle.cli.output import is_terminal, json_text
from heddle.errors import UsageError


def replay(path: Path, document: Path | None, sources: Mapping[str, Path], *, as_json: bool, strict: bool) -> int:
    """The exit status of the run as it goes now; with `strict`, 1 where anything is different."""
    trace = read_trace(path)
    if trace.header.resumed:
        raise UsageError(
            f"{path} has only the rest of a run, which went on from a checkpoint, so that it cannot be replayed",
            "record a run from its beginning",
        )
    place = document or _near(Path(trace.header.document), path)
    if not place.is_file():
        raise UsageError(f"the document {place} of the trace is not there", "name it with --document FILE")
    with tempfile.TemporaryDirectory(prefix="heddle-replay-") as folder:
        files = _Files(Path(folder), path.parent)
        again = _Again(trace, path, place, sources, files)
        result, differences = again.run(_Quiet() if as_json else None)
    if as_json:
        click.echo(json_text(_report(trace, place, again, result, differences)))
    else:
        _tell(differences)
    return 1 if strict and differences else result.exit_code


class _Again:
    """One replay of one trace."""

    def __init__(self, trace: Trace, trace_path: Path, path: Path, sources: Mapping[str, Path], files: _Files) -> None:
        header = trace.header
        self.secrets = Secrets()
        self._trace = trace
        self._path = path
        document = read_document(path)
        given = {name: files.value(f"the input {name!r}", value) for name, value in header.inputs.items()}
        schema = InputSchema(choose_workflow(document, header.workflow).inputs, document.tree.value)
        if schema.closed:
            given = {name: value for name, value in given.items() if name in schema.names}
        self._gone = sorted(header.inputs.keys() - given.keys())
        paths = {name: _near(Path(place), trace_path) for name, place in header.sources.items()} | dict(sources)
        servers = _servers(header, [source.name for source in document.sources])
        linked = load_linked(document, servers, paths, Keys(variables=header.credentials))
        self._plan = make_plan(document, header.workflow, linked.descriptions, _leniency(header), linked.others)
        self._values = schema.bind(given)
        self._options = _options(header, files)

    def run(self, narrator: Narrator | None) -> tuple[Result, list[Difference]]:
        clock = ReplayClock()
        replayer = Replayer(self._trace.exchanges, clock, self.secrets)
        shown = narrator or (Terminal(self.secrets) if is_terminal() else Lines(self.secrets))
        told = Together([Listening(replayer.follow), shown])
        told.note("answers come from the trace; no server is asked, and nothing waits")
        try:
            result = asyncio.run(self._go(replayer, clock, told))
            told.end(result, [])
        finally:
            told.close()
        replayer.finish(self._trace.result, result, self.secrets.mask)
        before = compare_document(self._trace, self._path.read_bytes())
        before += [Difference("document", "", f"it has no input {name} any more") for name in self._gone]
        return result, before + replayer.differences

    async def _go(self, replayer: Replayer, clock: ReplayClock, narrator: Narrator) -> Result:
        async with Client(replayer) as client:
            run = Run(self._plan, self._values, client, options=self._options, secrets=self.secrets, clock=clock)
            async for event in run.events():
                narrator.event(event)
                result = getattr(event, "result", None)
                if isinstance(result, Result):
                    return result
        raise AssertionError("a run ends with RunEnded")


class _Files:
    """Files of the recorded run: out of the trace, else from where they were, if they are still the same."""

    def __init__(self, folder: Path, near: Path) -> None:
        self._folder = folder
        self._near = near
        self._count = 0

    def value(self, what: str, value: Any) -> Any:
        """A recorded input as the run takes it."""
        if isinstance(value, str):
            return Masked(value) if MASK in value else value
        if isinstance(value, list):
            return [self.value(what, item) for item in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        fields = cast("dict[str, Any]", value)
        if set(fields) == {"$file"}:
            return self.file(what, fields["$file"])
        return {name: self.value(what, member) for name, member in fields.items()}

    def file(self, what: str, fields: Any) -> FileValue:
        kept = _kept(fields)
        if kept.content is None:
            return self._found(what, kept)
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        path = folder / (Path(kept.path).name or "file")
        path.write_bytes(_bytes(kept.content))
        return FileValue(path, kept.media_type)

    def _found(self, what: str, kept: Kept) -> FileValue:
        for path in (Path(kept.path), self._near / kept.path):
            if path.is_file() and path.stat().st_size == kept.size:
                content = path.read_bytes()
                if kept.sha256 in ("", hashlib.sha256(content).hexdigest()):
                    return FileValue(path, kept.media_type)
        raise UsageError(
            f"the file {kept.path} of {what} is not in the trace, and not there as it was",
            "record with a larger --trace-bodies, or put the file back",
        )


class _Quiet:
    """With --json, nothing while it runs."""

    def note(self, text: str) -> None:
        pass

    def event(self, event: Event) -> None:
        pass

    def end(self, result: Result, saved: Sequence[Saved]) -> None:
        pass

    def close(self) -> None:
        pass


def _near(place: Path, trace: Path) -> Path:
    """A path of a trace: from here, else from where the trace lies."""
    beside = trace.parent / place
    return beside if not place.is_file() and beside.is_file() else place


def _servers(header: Header, names: Sequence[str]) -> Servers:
    """A source that the document has not any more needs no server."""
    named = {name: url for name, url in header.servers.items() if name in names}
    return Servers(named, header.server, header.variables)


def _leniency(header: Header) -> Leniency:
    return Leniency(frozenset(header.leniencies) & frozenset(LENIENCIES))


def _options(header: Header, files: _Files) -> Options:
    return Options(
        max_steps=header.max_steps,
        deadline=header.deadline,
        first_pause=header.first_pause,
        longest_pause=header.longest_pause,
        fall_through=header.fall_through,
        uploads=tuple(_upload(one, files) for one in header.uploads),
    )


def _upload(fields: Mapping[str, Any], files: _Files) -> Upload:
    step, output = str(fields.get("step")), str(fields.get("output"))
    return Upload(step, output, files.file(f"the upload {step}.{output}", fields.get("file")))


def _kept(fields: Any) -> Kept:
    try:
        known = {"media_type" if name == "mediaType" else name: value for name, value in dict(fields).items()}
        return msgspec.convert(known, Kept)
    except (TypeError, ValueError, msgspec.ValidationError) as error:
        raise UsageError(f"a file of the trace cannot be read: {error}") from error


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise UsageError(f"a file of the trace cannot be read: {error}") from error


def _tell(differences: Sequence[Difference]) -> None:
    for one in differences:
        step = f"{one.step}: " if one.step else ""
        click.secho(printable(f"differs: {step}{one.message}"), fg="yellow")
    count = len(differences)
    said = "the same as recorded" if not count else f"{count} {'difference' if count == 1 else 'differences'}"
    click.secho(said, fg="yellow" if count else "green", bold=True)


def _report(
    trace: Trace, path: Path, again: _Again, result: Result, differences: Sequence[Difference]
) -> Mapping[str, Any]:
    recorded = trace.result
    return {
        "document": str(path),
        **again.secrets.mask(report_of(result, [])),
        "recorded": None if recorded is None else {"status": str(recorded.status), "exitCode": recorded.exit_code},
        "same": not differences,
        "differences": [asdict(one) for one in differences],
    }
