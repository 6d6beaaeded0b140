"""A plan with every value that is known before the first request leaves; the others stand there as expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from heddle.arazzo.expressions import ABSENT, Expression, Input, Scope
from heddle.arazzo.files import FileValue
from heddle.arazzo.openapi import Operation
from heddle.arazzo.plan import Plan, PlannedStep, PlannedWorkflow
from heddle.arazzo.requests import PlannedBody
from heddle.arazzo.security import Choice, choose, place
from heddle.arazzo.templates import Items, Literal, Members, Template, Text, Whole, as_text


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One step. `target` is a method and a URL, or the Arazzo workflow that it runs; `fields` are its parameters."""

    workflow: str
    step: str
    target: str
    fields: tuple[tuple[str, str, Any], ...]
    content_type: str | None
    body: Any
    security: Choice
    unknown: tuple[str, ...]


def rehearse(plan: Plan, inputs: Mapping[str, Any]) -> Iterator[Rehearsed]:
    """Every step of every Arazzo workflow of the plan; only the main one has its inputs."""
    for key, workflow in plan.workflows.items():
        own: Mapping[str, Any] = inputs if workflow is plan.main else {}
        scope = Scope(inputs=own, steps={}, sources=workflow.sources, self_uri=workflow.self_uri)
        for step in workflow.steps:
            yield _Rehearsal(workflow, scope, main=workflow is plan.main).step(key, step)


class _Rehearsal:
    def __init__(self, workflow: PlannedWorkflow, scope: Scope, *, main: bool) -> None:
        self._workflow = workflow
        self._scope = scope
        self._main = main
        self._unknown: dict[str, None] = {}

    def step(self, workflow: str, step: PlannedStep) -> Rehearsed:
        rendered = [(one.shape.where, one.shape.name, self._known(one.template)) for one in step.parameters]
        rendered += [("input", name, self._known(template)) for name, template in step.arguments]
        fields = tuple(field for field in rendered if field[2] is not ABSENT)
        body = self._body(step.body) if step.body else ABSENT
        return Rehearsed(
            workflow=workflow,
            step=step.id,
            target=_target(step.operation, fields) if step.operation else f"workflow {step.workflow}",
            fields=tuple(field for field in fields if field[0] != "path"),
            content_type=step.body.content_type if step.body and body is not ABSENT else None,
            body=None if body is ABSENT else body,
            security=_security(step.operation, fields) if step.operation else Choice(),
            unknown=tuple(self._unknown),
        )

    def _body(self, body: PlannedBody) -> Any:
        """Replacements are listed beside the payload: their place may be inside a value that is not known."""
        payload = self._known(body.template)
        if not body.replacements:
            return payload
        replaced = {target.text: self._known(template) for target, template in body.replacements}
        return {"payload": None if payload is ABSENT else payload, "replacements": replaced}

    def _known(self, template: Template) -> Any:
        match template:
            case Literal():
                return template.value
            case Whole():
                return self._value(template.expression)
            case Text():
                parts = [part if isinstance(part, str) else self._value(part) for part in template.parts]
                return ABSENT if any(part is ABSENT for part in parts) else "".join(_shown(part) for part in parts)
            case Items():
                items = [self._known(item) for item in template.items]
                return [item for item in items if item is not ABSENT]
            case Members():
                members = {name: self._known(member) for name, member in template.members}
                return {name: member for name, member in members.items() if member is not ABSENT}

    def _value(self, expression: Expression) -> Any:
        value = expression.value(self._scope)
        if value is not ABSENT:
            return value
        if isinstance(expression, Input) and self._main:
            return ABSENT  # left out of the request, as in a run
        self._unknown[str(expression)] = None
        return "{" + str(expression) + "}"


def _target(operation: Operation, fields: tuple[tuple[str, str, Any], ...]) -> str:
    path = operation.path
    for where, name, value in fields:
        if where == "path":
            path = path.replace("{" + name + "}", _shown(value))
    return f"{operation.method} {operation.server.rstrip('/')}{path}"


def _security(operation: Operation, fields: tuple[tuple[str, str, Any], ...]) -> Choice:
    return choose(operation.security, [place(name, where) for where, name, value in fields if value is not None])


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, FileValue) else as_text(value)


def plain(value: Any) -> Any:
    """Values that JSON knows; a file is named, not read."""
    if isinstance(value, FileValue):
        return str(value)
    if isinstance(value, dict):
        return {name: plain(member) for name, member in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [plain(item) for item in cast("list[Any]", value)]
    return value
