"""The pytest plug-in: `pytest --arazzo FILE` makes a test of every Arazzo workflow of a document.

It is loaded with every pytest, so nothing here is imported before a document is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from heddle.arazzo.document import Document
    from heddle.arazzo.events import Result
    from heddle.arazzo.exchange import Answer
    from heddle.arazzo.lifespan import Application
    from heddle.arazzo.requests import Request
    from heddle.arazzo.session import Session, Target
    from heddle.errors import HeddleError

_SHOWN = 2000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Nothing is read from files of settings: what a test talks to is said where it is started."""
    group = parser.getgroup("arazzo", "workflows of Arazzo documents as tests")
    group.addoption("--arazzo", action="append", default=[], metavar="FILE", help="Test the workflows of a document.")
    group.addoption("--arazzo-server", metavar="URL", help="The server that is tested.")
    group.addoption("--arazzo-app", metavar="MODULE:NAME", help="An ASGI application that is tested in this process.")
    group.addoption("--arazzo-inputs", metavar="FILE", help="Inputs as JSON or YAML; {WORKFLOW: {…}} for several.")
    group.addoption("--arazzo-strict", action="store_true", help="By the letter of the specification.")


def pytest_configure(config: pytest.Config) -> None:
    """Documents are collected beside the paths of the command line; without any, they are all there is to test."""
    files = cast("list[str]", config.getoption("--arazzo"))
    if not files:
        return
    given = list(config.args) if config.args_source is pytest.Config.ArgsSource.ARGS else []
    paths = [str(path) for path in _paths(config)]
    config.args = [*given, *(path for path in paths if path not in given)]


def _paths(config: pytest.Config) -> list[Path]:
    return [Path(config.invocation_params.dir, file) for file in cast("list[str]", config.getoption("--arazzo"))]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A document that was asked for."""
    if not any(path.resolve() == file_path.resolve() for path in _paths(parent.config)):
        return None
    return ArazzoFile.from_parent(parent, path=file_path)  # pyright: ignore[reportUnknownMemberType]


class ArazzoFile(pytest.File):
    """A document."""

    def collect(self) -> Iterator[ArazzoWorkflow]:
        from heddle.arazzo.document import read_document  # noqa: PLC0415
        from heddle.errors import HeddleError  # noqa: PLC0415

        try:
            document = read_document(self.path)
            inputs = _inputs(self.config, document)
        except HeddleError as error:
            raise self.CollectError(_explained(error)) from error
        for workflow in document.workflows:
            facts = {"name": workflow.id, "document": document, "inputs": inputs.get(workflow.id, {})}
            yield ArazzoWorkflow.from_parent(self, **facts)  # pyright: ignore[reportUnknownMemberType]


class ArazzoWorkflow(pytest.Item):
    """An Arazzo workflow as a test: it passes when every output that it declares resolved."""

    def __init__(self, *, document: Document, inputs: Mapping[str, Any], **other: Any) -> None:
        super().__init__(**other)  # pyright: ignore[reportUnknownMemberType]
        self._document = document
        self._inputs = inputs

    def runtest(self) -> None:
        import asyncio  # noqa: PLC0415

        from heddle.arazzo.events import Status  # noqa: PLC0415
        from heddle.arazzo.session import prepare  # noqa: PLC0415

        target = _target(self.config, self.name)
        session = prepare(self._document, self._inputs, **target)
        result, answers = asyncio.run(_followed(session))
        if result.status is not Status.SUCCEEDED:
            steps = [step.id for step in session.plan.main.steps]
            raise WorkflowFailed(session.secrets.mask(_story(result, answers, steps)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The story of a failed run, or the sentence of what could not run; a traceback only for a bug of ours."""
        from heddle.errors import HeddleError  # noqa: PLC0415

        if isinstance(excinfo.value, WorkflowFailed):
            return str(excinfo.value)
        if isinstance(excinfo.value, HeddleError):
            return _explained(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        workflow = self._document.workflow(self.name)
        assert workflow is not None
        return self.path, self._document.tree.place(workflow.way).line - 1, self.name


class WorkflowFailed(Exception):
    """A run that did not succeed; its text tells how it came about."""


async def _followed(session: Session) -> tuple[Result, Mapping[str, str]]:
    """The result, and the last answer that each step got, in words."""
    from heddle.arazzo.events import RunEnded, StepStarted  # noqa: PLC0415

    step, answers = "", dict[str, str]()

    def note(request: Request, answer: Answer) -> None:
        body = answer.content[:_SHOWN].decode("utf-8", "replace")
        cut = f" … ({len(answer.content)} bytes)" if len(answer.content) > _SHOWN else ""
        answers[step] = f"{request.method} {request.url} → {answer.status}\n{body}{cut}"

    ended: RunEnded | None = None
    async for event in session.events(note):
        if isinstance(event, StepStarted):
            step = event.step
        elif isinstance(event, RunEnded):
            ended = event
    assert ended is not None
    return ended.result, answers


def _story(result: Result, answers: Mapping[str, str], steps: Sequence[str]) -> str:
    """The reason with its place, the answer that led to it, and what became of every step."""
    ended_by = result.ended_by
    missing = f"outputs are missing: {', '.join(result.missing)}" if not result.reason else result.reason
    lines = [f"{result.workflow}: {result.status}: {missing}"]
    if ended_by is not None:
        lines.append(f"  at step {ended_by.step!r} ({ended_by.place})" if ended_by.place else f"  at {ended_by.step!r}")
        lines += [f"  {line}" for line in answers.get(ended_by.step, "").splitlines()]
    ran = {record.step: record for record in result.steps}
    lines.append("steps:")
    for name in dict.fromkeys((*steps, *ran)):
        record = ran.get(name)
        state = "not run" if record is None else "ok" if record.ok else "failed"
        code = f" {record.code}" if record is not None and record.code is not None else ""
        lines.append(f"  {state:7} {name}{code}")
    return "\n".join(lines)


def _target(config: pytest.Config, workflow: str) -> Target:
    server, app = config.getoption("--arazzo-server"), config.getoption("--arazzo-app")
    target: Target = {"workflow": workflow, "strict": bool(config.getoption("--arazzo-strict"))}
    if server:
        target["servers"] = str(server)
    if app:
        target["app"] = _application(str(app), config.invocation_params.dir)
        target["lifespan"] = True
    if not server and not app:
        raise pytest.UsageError("say what is tested: --arazzo-server URL or --arazzo-app MODULE:NAME")
    return target


def _application(text: str, folder: Path) -> Application:
    """`package.module:app`, looked for from where pytest was started."""
    module, colon, name = text.partition(":")
    if not module or not colon or not name:
        raise pytest.UsageError(f"--arazzo-app {text!r} is not MODULE:NAME, such as shop.web:app")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        return cast("Application", attrgetter(name)(import_module(module)))
    except (ImportError, AttributeError) as error:
        raise pytest.UsageError(f"--arazzo-app {text!r} cannot be imported: {error}") from error


def _inputs(config: pytest.Config, document: Document) -> Mapping[str, Mapping[str, Any]]:
    """Inputs by Arazzo workflow. What is given for all goes to those that declare it."""
    from heddle.arazzo.inputs import InputSchema  # noqa: PLC0415
    from heddle.arazzo.tree import read_tree  # noqa: PLC0415

    path = config.getoption("--arazzo-inputs")
    given: Any = read_tree(Path(config.invocation_params.dir, str(path))).value if path else {}
    if not isinstance(given, dict):
        raise pytest.UsageError(f"--arazzo-inputs {path} is not an object of inputs")
    values = cast("dict[str, Any]", given)
    names = {workflow.id for workflow in document.workflows}
    if values and set(values) <= names:
        return values
    schemas = {workflow.id: InputSchema(workflow.inputs, document.tree.value) for workflow in document.workflows}
    return {
        workflow: {name: value for name, value in values.items() if not schema.closed or name in schema.names}
        for workflow, schema in schemas.items()
    }


def _explained(error: HeddleError) -> str:
    hint = str(getattr(error, "hint", ""))
    return f"{error.message}\nhint: {hint}" if hint else error.message
