"""An Arazzo document as it is written: read, checked for shape, and nothing compiled yet.

Every problem is reported with file, line and column. Reusable objects are already put in place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from heddle.arazzo.expressions import Component, ExpressionError, parse
from heddle.arazzo.order import Circle, Waiting, in_order
from heddle.arazzo.shapes import VERSION, message_parts
from heddle.arazzo.templates import is_selector, selector_type
from heddle.arazzo.tree import DocumentError, Tree, Way, called, kind_of, read_tree

_Made = TypeVar("_Made")

MAX_STEPS = 10_000
MAX_ENTRIES = 1_000
MAX_NUMBER = 1_000_000_000

_KEY = re.compile(r"[a-zA-Z0-9._\-]+")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Source:
    """A description that the document points at; an empty `kind` means that its text will tell."""

    name: str
    url: str
    kind: str
    way: Way


@dataclass(frozen=True, slots=True)
class Parameter:
    """`where` is path, query, querystring, header or cookie; None for the input of an Arazzo workflow."""

    name: str
    where: str | None
    value: Any
    way: Way


@dataclass(frozen=True, slots=True)
class Replacement:
    """A value to set at a place of the payload; without `kind` its content type says how the target is written."""

    target: str
    kind: str | None
    version: str | None
    value: Any
    way: Way


@dataclass(frozen=True, slots=True)
class Body:
    """A request body; without `content_type` the operation's own is used."""

    content_type: str | None
    payload: Any
    replacements: tuple[Replacement, ...]
    way: Way


@dataclass(frozen=True, slots=True)
class CriterionText:
    """A criterion before it is compiled."""

    condition: str
    kind: str
    version: str | None
    context: str | None
    way: Way


@dataclass(frozen=True, slots=True)
class Action:
    """What follows a step: `kind` is end, goto or retry. `parameters` are inputs of the Arazzo workflow it leads to."""

    name: str
    kind: str
    step: str | None
    workflow: str | None
    retry_after: float | None
    retry_limit: int | None
    criteria: tuple[CriterionText, ...]
    way: Way
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Exactly one of operation, path and workflow is given; `timeout` is in milliseconds, as it is written."""

    id: str
    description: str
    operation: str | None
    path: str | None
    workflow: str | None
    parameters: tuple[Parameter, ...]
    body: Body | None
    success_criteria: tuple[CriterionText, ...]
    on_success: tuple[Action, ...]
    on_failure: tuple[Action, ...]
    outputs: Mapping[str, Any]
    way: Way
    timeout: float | None = None
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workflow:
    """An Arazzo workflow: its inputs are a JSON Schema, its outputs expressions, its steps in the order they run in."""

    id: str
    summary: str
    description: str
    inputs: Mapping[str, Any]
    depends_on: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    success_actions: tuple[Action, ...]
    failure_actions: tuple[Action, ...]
    outputs: Mapping[str, Any]
    way: Way


@dataclass(frozen=True, slots=True)
class Document:
    """One Arazzo document. Relative URLs of its sources start at `folder` and stay inside `home`."""

    version: str
    title: str
    summary: str
    sources: tuple[Source, ...]
    workflows: tuple[Workflow, ...]
    components: Mapping[str, Any]
    tree: Tree
    folder: Path
    home: Path
    self_uri: str | None = None

    @property
    def has_selectors(self) -> bool:
        """Whether Selector Objects are read; they came with Arazzo 1.1."""
        return not self.version.startswith("1.0.")

    def workflow(self, name: str) -> Workflow | None:
        return next((workflow for workflow in self.workflows if workflow.id == name), None)


def read_document(path: Path) -> Document:
    """Read a file, or raise DocumentError."""
    return document_of(read_tree(path), path.resolve().parent)


def document_of(tree: Tree, folder: Path, home: Path | None = None) -> Document:
    """`folder` is where relative source URLs start, `home` the folder that they stay inside."""
    return _Reader(tree).document(folder, home or folder)


class _Reader:
    """Walks the tree; `way` always says where it is."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._components: Mapping[str, Any] = {}
        self._newer = False

    def document(self, folder: Path, home: Path) -> Document:
        root = self._object(self._tree.value, ())
        version = self._version(root)
        self._newer = not version.startswith("1.0.")
        info = self._object(self._need(root, "info", ()), ("info",))
        self._components = self._object(root.get("components") or {}, ("components",))
        sources = self._list(root, "sourceDescriptions", (), self._source, required=True)
        workflows = self._list(root, "workflows", (), self._workflow, required=True)
        self._unique(((source.name, source.way) for source in sources), "sourceDescription")
        self._unique(((workflow.id, workflow.way) for workflow in workflows), "workflowId")
        return Document(
            version=version,
            title=self._text(info, "title", ("info",)),
            summary=self._text(info, "summary", ("info",), ""),
            sources=sources,
            workflows=workflows,
            components=self._components,
            tree=self._tree,
            folder=folder,
            home=home,
            self_uri=self._maybe_text(root, "$self", ()) if self._newer else None,
        )

    def _version(self, root: Mapping[str, Any]) -> str:
        if "arazzo" not in root:
            hint = "this is an OpenAPI description; name the Arazzo document that uses it" if "openapi" in root else ""
            raise self._error((), "this is not an Arazzo document: the field `arazzo` is missing", hint, "not-arazzo")
        version = str(root["arazzo"])
        if not VERSION.fullmatch(version):
            raise self._error(
                ("arazzo",),
                f"Arazzo {version} is not supported",
                "this runner speaks Arazzo 1.0.x, and 1.1.x without AsyncAPI",
                "unknown-version",
            )
        for way, what in message_parts(self._tree) if version.startswith("1.1.") else ():
            raise self._error(
                way,
                f"{what} needs AsyncAPI, and this runner sends no messages: it speaks HTTP only",
                "leave out the steps that send and receive, or run the document elsewhere",
                "not-supported",
            )
        return version

    def _source(self, data: Any, way: Way) -> Source:
        fields = self._object(data, way)
        kind = self._text(fields, "type", way, "")
        if kind not in ("", "openapi", "arazzo"):
            raise self._error((*way, "type"), f"the source type {kind!r} is not openapi or arazzo", code="wrong-value")
        return Source(self._text(fields, "name", way), self._text(fields, "url", way), kind, way)

    def _workflow(self, data: Any, way: Way) -> Workflow:
        fields = self._object(data, way)
        steps = self._list(fields, "steps", way, self._step, required=True)
        self._unique(((step.id, step.way) for step in steps), "stepId")
        steps = self._ordered(steps)
        return Workflow(
            id=self._text(fields, "workflowId", way),
            summary=self._text(fields, "summary", way, ""),
            description=self._text(fields, "description", way, ""),
            inputs=self._object(fields.get("inputs") or {}, (*way, "inputs")),
            depends_on=self._list(fields, "dependsOn", way, self._plain_text),
            parameters=self._list(fields, "parameters", way, self._parameter),
            steps=steps,
            success_actions=self._list(fields, "successActions", way, self._success_action),
            failure_actions=self._list(fields, "failureActions", way, self._failure_action),
            outputs=self._outputs(fields, way),
            way=way,
        )

    def _ordered(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        try:
            return tuple(steps[at] for at in in_order([_waiting(step) for step in steps]))
        except Circle as circle:
            names = ", ".join(steps[at].id for at in circle.steps[:8])
            here = (*steps[circle.steps[0]].way, "dependsOn")
            problem = f"no order of the steps is right: {names} wait for each other"
            raise self._error(here, problem, code="circular-steps") from circle

    def _step(self, data: Any, way: Way) -> Step:
        fields = self._object(data, way)
        targets = [name for name in ("operationId", "operationPath", "workflowId") if name in fields]
        name = self._text(fields, "stepId", way)
        if len(targets) != 1:
            found = " and ".join(targets) or "none"
            raise self._error(
                way,
                f"step {name!r} needs exactly one of operationId, operationPath, workflowId; found {found}",
                code="conflicting-fields",
            )
        return Step(
            id=name,
            description=self._text(fields, "description", way, ""),
            operation=self._maybe_text(fields, "operationId", way),
            path=self._maybe_text(fields, "operationPath", way),
            workflow=self._maybe_text(fields, "workflowId", way),
            parameters=self._list(fields, "parameters", way, self._parameter),
            body=self._body(fields, way),
            success_criteria=self._list(fields, "successCriteria", way, self._criterion),
            on_success=self._list(fields, "onSuccess", way, self._success_action),
            on_failure=self._list(fields, "onFailure", way, self._failure_action),
            outputs=self._outputs(fields, way),
            way=way,
            timeout=self._number(fields, "timeout", way),
            depends_on=self._list(fields, "dependsOn", way, self._plain_text),
        )

    def _parameter(self, data: Any, way: Way) -> Parameter:
        fields = self._reused(data, way, "parameters")
        where = self._maybe_text(fields, "in", way)
        known = ("path", "query", *(("querystring",) if self._newer else ()), "header", "cookie")
        if where is not None and where not in known:
            raise self._error((*way, "in"), f"{where!r} is not one of {', '.join(known)}", code="wrong-value")
        return Parameter(self._text(fields, "name", way), where, self._need(fields, "value", way), way)

    def _body(self, fields: Mapping[str, Any], way: Way) -> Body | None:
        if "requestBody" not in fields:
            return None
        here = (*way, "requestBody")
        body = self._object(fields["requestBody"], here)
        return Body(
            content_type=self._maybe_text(body, "contentType", here),
            payload=body.get("payload"),
            replacements=self._list(body, "replacements", here, self._replacement),
            way=here,
        )

    def _replacement(self, data: Any, way: Way) -> Replacement:
        fields = self._object(data, way)
        kind, version = selector_type(fields["targetSelectorType"]) if "targetSelectorType" in fields else (None, None)
        return Replacement(self._text(fields, "target", way), kind, version, self._need(fields, "value", way), way)

    def _criterion(self, data: Any, way: Way) -> CriterionText:
        fields = self._object(data, way)
        kind, version = fields.get("type", "simple"), None
        if isinstance(kind, dict):
            typed = self._object(kind, (*way, "type"))
            kind = self._text(typed, "type", (*way, "type"))
            version = self._text(typed, "version", (*way, "type"))
        condition = fields.get("condition")
        if isinstance(condition, bool):
            condition = str(condition).lower()  # YAML reads the condition `true` as a truth value
        if not isinstance(condition, str):
            raise self._error(way, "a criterion needs a text `condition`", code="missing-field")
        return CriterionText(condition, str(kind), version, self._maybe_text(fields, "context", way), way)

    def _success_action(self, data: Any, way: Way) -> Action:
        return self._action(data, way, "successActions")

    def _failure_action(self, data: Any, way: Way) -> Action:
        return self._action(data, way, "failureActions")

    def _action(self, data: Any, way: Way, component: str) -> Action:
        fields = self._reused(data, way, component)
        action = Action(
            name=self._text(fields, "name", way),
            kind=self._text(fields, "type", way),
            step=self._maybe_text(fields, "stepId", way),
            workflow=self._maybe_text(fields, "workflowId", way),
            retry_after=self._number(fields, "retryAfter", way),
            retry_limit=_whole(self._number(fields, "retryLimit", way)),
            criteria=self._list(fields, "criteria", way, self._criterion),
            way=way,
            parameters=self._list(fields, "parameters", way, self._parameter) if self._newer else (),
        )
        self._check_action(action)
        return action

    def _check_action(self, action: Action) -> None:
        if action.kind not in ("end", "goto", "retry"):
            raise self._error(
                (*action.way, "type"), f"the action type {action.kind!r} is not end, goto or retry", code="wrong-value"
            )
        if action.step is not None and action.workflow is not None:
            raise self._error(
                action.way, f"action {action.name!r} names both a stepId and a workflowId", code="conflicting-fields"
            )
        if action.kind == "goto" and action.step is None and action.workflow is None:
            raise self._error(
                action.way, f"the goto {action.name!r} needs a stepId or a workflowId", code="missing-field"
            )
        if action.parameters and action.workflow is None:
            raise self._error(
                (*action.way, "parameters"),
                f"the parameters of action {action.name!r} are inputs of a workflow, and it names no workflowId",
                code="conflicting-fields",
            )

    def _outputs(self, fields: Mapping[str, Any], way: Way) -> Mapping[str, Any]:
        outputs = self._object(fields.get("outputs") or {}, (*way, "outputs"))
        for name, value in outputs.items():
            if not _KEY.fullmatch(name):
                raise self._error(
                    (*way, "outputs", name),
                    f"the output name {name!r} may hold letters, digits, `.`, `_` and `-` only",
                    code="wrong-value",
                )
            self._check_output(name, value, (*way, "outputs", name))
        return outputs

    def _check_output(self, name: str, value: Any, way: Way) -> None:
        if isinstance(value, dict) and self._newer:
            if not is_selector(cast("dict[str, Any]", value)):
                problem = f"the output {name!r} is no Selector Object"
                raise self._error(way, problem, "it has `context`, `selector` and `type`", "wrong-type")
        elif not isinstance(value, str):
            raise self._error(way, f"the output {name!r} is not a runtime expression", code="wrong-type")

    def _reused(self, data: Any, way: Way, component: str) -> Mapping[str, Any]:
        """A Reusable Object is replaced by what it refers to; its `value` wins for parameters."""
        fields = self._object(data, way)
        if "reference" not in fields:
            return fields
        reference = self._text(fields, "reference", way)
        try:
            found = parse(reference)
        except ExpressionError as error:
            raise self._error((*way, "reference"), error.message, code="unknown-component") from error
        if not isinstance(found, Component) or found.kind != component:
            raise self._error(
                (*way, "reference"),
                f"{reference!r} does not name one of $components.{component}",
                code="unknown-component",
            )
        target = self._object(self._components.get(component) or {}, ("components", component)).get(found.name)
        if target is None:
            raise self._error(
                (*way, "reference"), f"there is no {reference!r} in this document", code="unknown-component"
            )
        merged = dict(self._object(target, ("components", component, found.name)))
        return merged | {"value": fields["value"]} if "value" in fields else merged

    def _list(
        self,
        fields: Mapping[str, Any],
        name: str,
        way: Way,
        read: Callable[[Any, Way], _Made],
        *,
        required: bool = False,
    ) -> tuple[_Made, ...]:
        items = fields.get(name)
        if items is None and not required:
            return ()
        if not isinstance(items, list) or (required and not items):
            raise self._error(
                (*way, name) if name in fields else way,
                f"`{name}` must be a list with at least one entry",
                code="wrong-type",
            )
        entries = cast("list[Any]", items)
        most = MAX_STEPS if name == "steps" else MAX_ENTRIES
        if len(entries) > most:
            raise self._error(
                (*way, name), f"{called((*way, name))} has {len(entries)} entries; at most {most} are read"
            )
        return tuple(read(item, (*way, name, index)) for index, item in enumerate(entries))

    def _object(self, value: Any, way: Way) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._error(way, f"{called(way)} must be an object, not {kind_of(value)}", code="wrong-type")
        return cast("dict[str, Any]", value)

    def _need(self, fields: Mapping[str, Any], name: str, way: Way) -> Any:
        if name not in fields:
            raise self._error(way, f"`{name}` is missing in {called(way)}", code="missing-field")
        return fields[name]

    def _text(self, fields: Mapping[str, Any], name: str, way: Way, default: Any = _MISSING) -> str:
        if default is not _MISSING and fields.get(name) is None:
            return str(default)
        return self._plain_text(self._need(fields, name, way), (*way, name))

    def _maybe_text(self, fields: Mapping[str, Any], name: str, way: Way) -> str | None:
        return None if name not in fields else self._plain_text(fields[name], (*way, name))

    def _plain_text(self, value: Any, way: Way) -> str:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)  # `version: 1.0` and `stepId: 1` are numbers to YAML
        if not isinstance(value, str):
            raise self._error(way, f"{called(way)} must be text, not {kind_of(value)}", code="wrong-type")
        return value

    def _number(self, fields: Mapping[str, Any], name: str, way: Way) -> float | None:
        value = fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_NUMBER:
            raise self._error(
                (*way, name), f"`{name}` must be a number from 0 to {MAX_NUMBER}, not {value!r}", code="wrong-value"
            )
        return float(value)

    def _unique(self, named: Any, what: str) -> None:
        seen: set[str] = set()
        for name, way in named:
            if name in seen:
                raise self._error(way, f"the {what} {name!r} appears twice", code="duplicate-name")
            seen.add(name)

    def _error(self, way: Way, problem: str, hint: str = "", code: str = "not-runnable") -> DocumentError:
        return self._tree.error(way, problem, hint, code)


def merged_actions(own: tuple[Action, ...], inherited: tuple[Action, ...]) -> tuple[Action, ...]:
    """A step's actions, then those of its Arazzo workflow that it does not override by name."""
    names = {action.name for action in own}
    return own + tuple(action for action in inherited if action.name not in names)


def merged_parameters(own: tuple[Parameter, ...], inherited: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Those of the Arazzo workflow, overridden by name and place, then the step's own."""
    own_names = {_identity(parameter) for parameter in own}
    kept = tuple(parameter for parameter in inherited if _identity(parameter) not in own_names)
    return kept + own


def _identity(parameter: Parameter) -> tuple[str, str | None]:
    name = parameter.name.lower() if parameter.where == "header" else parameter.name
    return name, parameter.where


def _waiting(step: Step) -> Waiting:
    values: list[Any] = [parameter.value for parameter in step.parameters]
    if step.body is not None:
        values += [step.body.payload, *(one.value for one in step.body.replacements)]
    values += [text for one in step.success_criteria for text in (one.condition, one.context)]
    return Waiting(step.id, step.depends_on, [*values, *step.outputs.values()])


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
