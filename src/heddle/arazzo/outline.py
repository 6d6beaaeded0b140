"""A document for people: its steps with what they take and give, its branches, and the same as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from heddle.arazzo.document import Action, CriterionText, Document, Step, Workflow, merged_actions, merged_parameters
from heddle.arazzo.expressions import Expression, Input, StepOutput, WorkflowField
from heddle.arazzo.flow import END, FAIL, Move, flow_of
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.openapi import Description
from heddle.arazzo.plan import WorkflowPlanner
from heddle.arazzo.sources import Linked, Servers, find_tree, is_arazzo, load_linked
from heddle.arazzo.templates import expressions_in
from heddle.arazzo.tree import DocumentError
from heddle.errors import UsageError

_LONG = 70


class Line(NamedTuple):
    """One line of an outline. `mark` says what stands in `text`: title, step, branch, failure, data or nothing."""

    depth: int
    text: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A document with as much of its sources as can be found; a missing one only costs method and path."""

    document: Document
    linked: Linked
    missing: tuple[str, ...]


def drawn(document: Document, paths: dict[str, Path]) -> Drawn:
    """Look for the sources of a document."""
    descriptions: dict[str, Description] = {}
    others: dict[str, Linked] = {}
    missing: list[str] = []
    for source in document.sources:
        try:
            tree = find_tree(document, source, paths.get(source.name))
            if is_arazzo(source, tree):
                others[source.name] = load_linked(document, Servers(), paths).others[source.name]
            else:
                descriptions[source.name] = Description(source.name, tree)
        except UsageError:
            missing.append(source.name)
    return Drawn(document, Linked(document, descriptions, others), tuple(missing))


def outline(picture: Drawn, workflows: Sequence[Workflow]) -> Iterator[Line]:
    """Line by line."""
    document = picture.document
    yield Line(0, f"{document.title} (Arazzo {document.version})", "title")
    for source in document.sources:
        note = ", not found" if source.name in picture.missing else ""
        yield Line(1, f"{source.name} = {source.url}{note}", "data")
    for workflow in workflows:
        yield Line(0, "")
        yield from _Outline(picture.linked, workflow).lines()


def mermaid(picture: Drawn, workflows: Sequence[Workflow]) -> str:
    """A flowchart of Mermaid; a box per Arazzo workflow where there are several."""
    lines = ["flowchart TD"]
    for at, workflow in enumerate(workflows):
        chart = list(_Chart(picture.linked, workflow, f"w{at}").lines())
        if len(workflows) > 1:
            lines += [f"  subgraph w{at}[{_quoted(workflow.id)}]", *(f"  {line}" for line in chart), "  end"]
        else:
            lines += chart
    return "\n".join(lines)


class Reader:
    """What both drawings ask about one Arazzo workflow."""

    def __init__(self, linked: Linked, workflow: Workflow) -> None:
        self._workflow = workflow
        self._planner = WorkflowPlanner(linked, workflow, Leniency())
        self._flow = flow_of(workflow)

    def call(self, step: Step) -> str:
        """`POST /path` where the description is there, else what the document says."""
        if step.workflow is not None:
            return f"workflow {step.workflow}"
        try:
            operation = self._planner.operation(step)
        except DocumentError:
            operation = None
        return f"{operation.method} {operation.path}" if operation else str(step.operation or step.path)

    def taken(self, step: Step) -> list[str]:
        """Inputs and outputs of other steps that go into the request."""
        values: list[Any] = [one.value for one in merged_parameters(step.parameters, self._workflow.parameters)]
        if step.body is not None:
            values += [step.body.payload, *(one.value for one in step.body.replacements)]
        return _sources(one for value in values for one in self._expressions(value))

    def receivers(self, step: Step, output: str) -> list[str]:
        """Who uses an output."""
        wanted = f"{step.id}.{output}"
        users = [one.id for one in self._workflow.steps if wanted in self.taken(one)]
        ends = any(wanted in _sources(self._expressions(value)) for value in self._workflow.outputs.values())
        return [*users, *(["outputs"] if ends else [])]

    def origin(self, value: Any) -> str:
        return ", ".join(_sources(self._expressions(value))) or str(value)

    def leaving(self, at: int) -> list[Move]:
        """Moves of a step, without a failure that nothing takes care of."""
        return [move for move in self._flow.leaving(at) if move.end != FAIL and not move.back]

    def _expressions(self, value: Any) -> Iterator[Expression]:
        try:
            yield from expressions_in(self._planner.value(value, self._workflow.way))
        except DocumentError:
            return


class _Outline(Reader):
    def lines(self) -> Iterator[Line]:
        workflow = self._workflow
        yield Line(0, workflow.id + (f": {workflow.summary}" if workflow.summary else ""), "title")
        if workflow.depends_on:
            yield Line(1, f"after {', '.join(workflow.depends_on)}", "data")
        yield from self._inputs()
        for at, step in enumerate(workflow.steps):
            lost = "" if self._flow.is_reachable(at) else "   (no way leads here)"
            yield Line(1, f"{at + 1}. {step.id}   {self.call(step)}{lost}", "step")
            yield from self._step(at, step)
        if workflow.outputs:
            yield Line(1, "outputs")
        for name, value in workflow.outputs.items():
            yield Line(2, f"{name} ← {self.origin(value)}", "data")

    def _inputs(self) -> Iterator[Line]:
        fields = list(self._planner.inputs.fields())
        if fields:
            yield Line(1, "inputs")
        for field in fields:
            notes = [field.kind, "required" if field.required else "optional"]
            notes += [f"default {field.default!r}"] if field.default is not None and not field.secret else []
            notes += ["secret"] if field.secret else []
            users = [step.id for step in self._workflow.steps if f"input {field.name}" in self.taken(step)]
            yield Line(2, f"{field.name} ({', '.join(notes)})" + (f" → {', '.join(users)}" if users else ""), "data")

    def _step(self, at: int, step: Step) -> Iterator[Line]:
        if step.depends_on:
            yield Line(3, f"after {', '.join(step.depends_on)}", "data")
        taken = self.taken(step)
        if taken:
            yield Line(3, f"takes {', '.join(taken)}", "data")
        if step.success_criteria:
            yield Line(3, f"succeeds if {conditions(step.success_criteria)}")
        for name in step.outputs:
            users = self.receivers(step, name)
            yield Line(3, f"gives {name}" + (f" → {', '.join(users)}" if users else ""), "data")
        for move in self.leaving(at):
            text = self._move(at, move)
            if text:
                yield Line(3, text, "branch" if move.success else "failure")

    def _move(self, at: int, move: Move) -> str:
        if move.action is None:
            plain = not merged_actions(self._workflow.steps[at].on_success, self._workflow.success_actions)
            return "" if plain else f"otherwise → {self._name(move)}"
        sign = "↻" if move.end == at else "■" if move.end == END and move.action.workflow is None else "→"
        when = f" if {conditions(move.action.criteria)}" if move.action.criteria else ""
        failing = "" if move.success else "on failure, "
        handed = f" ({self._handed(move.action)})" if move.action.parameters else ""
        return f"{failing}{move.action.name}: {sign} {self._name(move)}{handed}{pace(move.action)}{when}"

    def _handed(self, action: Action) -> str:
        return ", ".join(f"{one.name} ← {self.origin(one.value)}" for one in action.parameters)

    def _name(self, move: Move) -> str:
        if move.action is not None and move.action.kind == "retry":
            before = move.action.step or move.action.workflow
            return f"again after {before}" if before else "again"
        if move.action is not None and move.action.workflow is not None:
            return f"workflow {move.action.workflow}"
        return "end" if move.end == END else self._workflow.steps[move.end].id


class _Chart(Reader):
    def __init__(self, linked: Linked, workflow: Workflow, prefix: str) -> None:
        super().__init__(linked, workflow)
        self._prefix = prefix

    def lines(self) -> Iterator[str]:
        yield f"  {self._prefix}_start([{_quoted(self._workflow.id)}]) --> {self._node(0)}"
        for at, step in enumerate(self._workflow.steps):
            yield f"  {self._node(at)}[{_quoted(step.id, self.call(step))}]"
        ended = False
        for at in range(len(self._workflow.steps)):
            for move in self.leaving(at):
                ended = ended or move.end == END
                yield f"  {self._node(at)} {self._arrow(move)} {self._target(move)}"
        if ended:
            yield f"  {self._prefix}_end((end))"

    def _node(self, at: int) -> str:
        return f"{self._prefix}_s{at}"

    def _target(self, move: Move) -> str:
        if move.end != END:
            return self._node(move.end)
        if move.action is not None and move.action.workflow is not None:
            return f"{self._prefix}_{_plain(move.action.workflow)}[[{_quoted(move.action.workflow)}]]"
        return f"{self._prefix}_end"

    def _arrow(self, move: Move) -> str:
        line = "-->" if move.success else "-.->"
        if move.action is None:
            return line
        words = [move.action.name + pace(move.action)]
        words += [conditions(move.action.criteria)] if move.action.criteria else []
        return f"{line}|{_quoted(*words)}|"


def _sources(expressions: Iterable[Expression]) -> list[str]:
    """`input prompt`, `submit.workflowId`: where values come from, each once."""
    names: dict[str, None] = {}
    for one in expressions:
        match one:
            case Input():
                names[f"input {one.name}"] = None
            case StepOutput():
                names[f"{one.step}.{one.name}"] = None
            case WorkflowField():
                names[f"{one.workflow}.{one.part}.{one.name}"] = None
            case _:
                names[str(one)] = None
    return list(names)


def conditions(criteria: Sequence[CriterionText]) -> str:
    text = " and ".join(condition_of(one) for one in criteria)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def condition_of(text: CriterionText) -> str:
    if text.kind == "simple" or text.context is None:
        return text.condition
    return f"{text.context} has {text.kind} {text.condition}"


def pace(action: Action) -> str:
    if action.kind != "retry":
        return ""
    times = 1 if action.retry_limit is None else action.retry_limit
    wait = f" every {action.retry_after:g} s" if action.retry_after else ""
    return f" ({times} times{wait})" if times != 1 else f" (once{wait and f' after {action.retry_after:g} s'})"


def _quoted(*lines: str) -> str:
    """Lines of text inside a node or on an arrow; Mermaid's own marks cannot come through."""
    escaped = ("".join(_ENTITIES.get(one, one) for one in line) for line in lines)
    return '"' + "<br/>".join(escaped) + '"'


_ENTITIES = {one: f"#{ord(one)};" for one in '"#<>&`\\|[]{}()\n;'}


def _plain(name: str) -> str:
    return "".join(one if one.isascii() and one.isalnum() else "_" for one in name)
