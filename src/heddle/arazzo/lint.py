"""Everything that can be said about a document without running it.

`shapes` compares it with the table of the specification; the pieces of `plan` refuse here what they refuse in a run;
`flow` knows where steps lead; `meaning` asks about each expression at its place. This file asks them all, and about the
document as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from heddle.arazzo.document import Document, Workflow, document_of
from heddle.arazzo.findings import Finding, Severity, of_error
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.meaning import Meaning, Whole
from heddle.arazzo.openapi import Description
from heddle.arazzo.plan import WorkflowPlanner, make_plan
from heddle.arazzo.shapes import misshapen
from heddle.arazzo.sources import Linked, Servers, find_tree, is_arazzo, load_linked
from heddle.arazzo.tree import DocumentError, Place, Tree, read_tree
from heddle.errors import UsageError


def lint(path: Path, sources: Mapping[str, Path] | None = None) -> list[Finding]:
    """All findings, by place. `sources` says where descriptions are that stand nowhere near the document."""
    try:
        tree = read_tree(path)
    except DocumentError as error:
        return [of_error(error)]
    except UsageError as error:
        return [Finding("unreadable", Place(str(path), 1, 1), error.message, error.hint)]
    return lint_tree(tree, path.resolve().parent, sources or {})


def lint_tree(tree: Tree, folder: Path, sources: Mapping[str, Path]) -> list[Finding]:
    """The same for a text that is read already; `folder` is where relative source URLs start."""
    findings = list(misshapen(tree))
    try:
        document = document_of(tree, folder)
    except DocumentError as error:
        if error.code == "not-supported" or not any(one.severity is Severity.ERROR for one in findings):
            findings.append(of_error(error))
    else:
        findings += _Linter(document, sources).findings()
    return _sorted(findings)


def _sorted(findings: list[Finding]) -> list[Finding]:
    """By place, each said once: one piece of a document may be looked at from two sides."""
    single = {(one.code, one.place): one for one in reversed(findings)}
    return sorted(single.values(), key=lambda one: (one.place.line, one.place.column, one.code))


#: What to write instead, for the leniencies that show in the text of a document.
_LENIENT = {
    "unbraced-expression": ("holds an expression without braces", "write {$inputs.name} inside a longer text"),
    "bare-comparison": ("is a bare comparison, which is no JSONPath", "write $[?@.name == …], or a simple condition"),
    "parameter-place": ("does not say where it stands", "add `in`: path, query, header or cookie"),
    "double-quotes": ("has a text in double quotes", "texts stand in single quotes"),
    "dotted-body": ("leads into the body with dots", "write a JSON Pointer: $response.body#/name"),
    "bare-operation": ("does not name its source, and there are several", "write $sourceDescriptions.<name>.<id>"),
    "retry-on-success": ("is a retry after a success", "go to the step itself: `type: goto`, `stepId: …`"),
}


class _Places(Leniency):
    """Allows everything, and tells of every use of a leniency instead of the first."""

    def __init__(self, tell: Callable[[Finding], None]) -> None:
        super().__init__()
        self._tell = tell

    def allows(self, name: str, place: Callable[[], Place] | None = None, text: str = "") -> bool:
        if place is not None:
            what, hint = _LENIENT.get(name, (f"needs the leniency {name}", ""))
            self._tell(Finding(name, place(), f"{text!r} {what}", hint))
        return True


class _Linter:
    """The meaning of one document."""

    def __init__(self, document: Document, sources: Mapping[str, Path]) -> None:
        self._document = document
        self._tree = document.tree
        self._paths = sources
        self._whole = Whole(document)
        self._leniency = _Places(self._whole.found.append)
        self._descriptions: dict[str, Description] = {}
        self._others: dict[str, Linked] = {}
        self._linked = Linked(document, self._descriptions, self._others)

    def findings(self) -> list[Finding]:
        for source in self._document.sources:
            self._load(source.name)
        for workflow in self._document.workflows:
            self._prepare(workflow)
        for workflow in self._document.workflows:
            planner = self._whole.planner(workflow.id)
            if planner is not None:
                Meaning(self._whole, workflow, planner).check()
        self._circles()
        self._unused()
        self._plan_all()
        return self._whole.found

    def _load(self, name: str) -> None:
        source = next(one for one in self._document.sources if one.name == name)
        way = (*source.way, "url")
        try:
            tree = find_tree(self._document, source, self._paths.get(name))
            if is_arazzo(source, tree):
                self._others[name] = load_linked(self._document, Servers(), self._paths).others[name]
            else:
                self._descriptions[name] = Description(name, tree)
        except DocumentError as error:
            self._whole.unseen.add(name)
            code = "missing-description" if error.code == "missing-description" else "bad-description"
            self._whole.say(way, code, error.problem, error.hint)
        except UsageError as error:
            self._whole.unseen.add(name)
            self._whole.say(way, "bad-description", error.message, error.hint)

    def _prepare(self, workflow: Workflow) -> None:
        way = (*workflow.way, "inputs")
        try:
            planner = WorkflowPlanner(self._linked, workflow, self._leniency)
            planner.inputs.check()
            self._whole.planners[workflow.id] = planner
        except UsageError as error:
            self._whole.say(way, "bad-inputs", error.message, error.hint)

    def _circles(self) -> None:
        runs = {
            workflow.id: [*workflow.depends_on, *(step.workflow for step in workflow.steps if step.workflow)]
            for workflow in self._document.workflows
        }
        for workflow in self._document.workflows:
            circle = _circle(workflow.id, runs)
            if circle:
                self._whole.say(workflow.way, "circular-workflows", f"it runs in a circle: {' → '.join(circle)}")
                return

    def _unused(self) -> None:
        for workflow in self._document.workflows:
            planner = self._whole.planners.get(workflow.id)
            handed = self._handed_on(workflow)
            for name in sorted(planner.inputs.names if planner else ()):
                if name not in self._whole.used_inputs[workflow.id] and name not in handed:
                    way = (*workflow.way, "inputs", "properties", name)
                    self._whole.say(way, "unused-input", f"nothing uses the input {name!r} of {workflow.id!r}")
        for source in self._document.sources:
            if source.name not in self._whole.used_sources | self._whole.unseen and not self._whole.unseen:
                self._whole.say(source.way, "unused-source", f"nothing uses the source {source.name!r}")
        self._unused_components()

    def _handed_on(self, workflow: Workflow) -> Collection[str]:
        """Inputs that another Arazzo workflow gets under the same name, by dependsOn or goto."""
        actions = [*workflow.success_actions, *workflow.failure_actions]
        for step in workflow.steps:
            actions += [*step.on_success, *step.on_failure]
        names = set(workflow.depends_on)
        names |= {action.workflow for action in actions if action.workflow and not action.parameters}
        planners = [self._whole.planners[name] for name in names if name in self._whole.planners]
        return {name for planner in planners for name in planner.inputs.names}

    def _unused_components(self) -> None:
        text = _references(self._tree.value)
        for kind, members in self._document.components.items():
            for name in cast("dict[str, Any]", members) if isinstance(members, dict) else ():
                if f"$components.{kind}.{name}" not in text and f"#/components/{kind}/{name}" not in text:
                    way = ("components", kind, name)
                    self._whole.say(way, "unused-component", f"nothing refers to $components.{kind}.{name}")

    def _plan_all(self) -> None:
        """The last word has what really makes the plan of a run."""
        if self._whole.unseen or any(one.severity is Severity.ERROR for one in self._whole.found):
            return
        for workflow in self._document.workflows:
            try:
                make_plan(self._document, workflow.id, self._descriptions, Leniency(), self._others)
            except DocumentError as error:
                if error.code != "not-supported":
                    self._whole.found.append(of_error(error))
            except UsageError as error:
                self._whole.say(workflow.way, "not-runnable", error.message, error.hint)


def _circle(start: str, runs: Mapping[str, list[str]]) -> list[str]:
    """The way from `start` back to itself, or nothing."""
    waiting: list[list[str]] = [[start]]
    seen: set[str] = set()
    while waiting:
        way = waiting.pop()
        for name in runs.get(way[-1], ()):
            if name == start:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                waiting.append([*way, name])
    return []


def _references(value: Any) -> set[str]:
    """Every text of a document that refers to a component."""
    return set(_reference_texts(value))


def _reference_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for member in cast("dict[str, Any]", value).values():
            yield from _reference_texts(member)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _reference_texts(item)
    elif isinstance(value, str) and ("$components." in value or value.startswith("#/components/")):
        yield value
