"""The meaning of one Arazzo workflow: its expressions, each at its place, what its steps call, and where they lead."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from heddle.arazzo.document import (
    Action,
    CriterionText,
    Document,
    Parameter,
    Step,
    Workflow,
    merged_parameters,
)
from heddle.arazzo.expressions import (
    Body,
    CallField,
    Component,
    Expression,
    Input,
    MessageField,
    Output,
    Selected,
    SelfUri,
    SourceField,
    StepOutput,
    WorkflowField,
    looks_like_one,
)
from heddle.arazzo.findings import Finding, of_error
from heddle.arazzo.flow import Flow, flow_of
from heddle.arazzo.openapi import Operation, media_type
from heddle.arazzo.plan import WorkflowPlanner, close_to
from heddle.arazzo.templates import Literal, expressions_in, is_selector
from heddle.arazzo.tree import DocumentError, Way
from heddle.errors import UsageError

_Made = TypeVar("_Made")

_CREDENTIALS = ("authorization", "proxy-authorization", "cookie", "x-api-key")
#: Header parameters that an OpenAPI description must not declare.
_UNDECLARED_HEADERS = ("authorization", "accept", "content-type", "cookie")
#: What cannot be told while a source is missing.
_OF_SOURCES = ("unknown-operation", "ambiguous-operation", "unknown-source")


class Whole:
    """What the workflows of one document share: the findings, and what was used. `unseen` are missing sources."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: list[Finding] = []
        self.unseen: set[str] = set()
        self.planners: dict[str, WorkflowPlanner] = {}
        self.used_inputs: dict[str, set[str]] = {workflow.id: set() for workflow in document.workflows}
        self.used_sources: set[str] = set()

    def say(self, way: Way, code: str, message: str, hint: str = "") -> None:
        self.found.append(Finding(code, self.document.tree.place(way), message, hint))

    def attempt(self, make: Callable[[], _Made]) -> _Made | None:
        """What `make` gives, or None and a finding."""
        try:
            return make()
        except DocumentError as error:
            if not (self.unseen and error.code in _OF_SOURCES):
                self.found.append(of_error(error))
            return None

    def planner(self, name: str) -> WorkflowPlanner | None:
        """None for an Arazzo workflow that is not in the document, or whose inputs are no schema."""
        return self.planners.get(name)

    def use_input(self, workflow: str, name: str) -> None:
        self.used_inputs[workflow].add(name)

    def use_source(self, name: str) -> None:
        self.used_sources.add(name)

    def is_run(self, name: str) -> bool:
        """Whether some Arazzo workflow depends on `name` or runs it as a step, so that it has a past."""
        return any(
            name in workflow.depends_on or any(step.workflow == name for step in workflow.steps)
            for workflow in self.document.workflows
        )


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where an expression stands. `phase` is request, answer, nested (of a step that runs a workflow) or end."""

    phase: str
    step: Step | None = None
    at: int | None = None
    ended: bool = False


class Meaning:
    """One Arazzo workflow. `check` tells `whole` all that is wrong with it."""

    def __init__(self, whole: Whole, workflow: Workflow, planner: WorkflowPlanner) -> None:
        self._whole = whole
        self._workflow = workflow
        self._planner = planner
        self._flow: Flow = flow_of(workflow)
        self._outputs = {step.id: step.outputs for step in workflow.steps}
        self._operations: dict[int, Operation] = {}
        self._index = {step.id: at for at, step in enumerate(workflow.steps)}

    def check(self) -> None:
        workflow, whole = self._workflow, self._whole
        for at, name in enumerate(workflow.depends_on):
            if name.startswith("$sourceDescriptions."):
                whole.use_source(name.split(".")[1])
            whole.attempt(lambda name=name, at=at: self._planner.known_workflow(name, (*workflow.way, "dependsOn", at)))
        general = _Spot("answer")
        self._actions(workflow.success_actions, general, success=True)
        self._actions(workflow.failure_actions, general, success=False)
        for parameter in workflow.parameters:
            self._leaf(parameter.value, (*parameter.way, "value"), _Spot("request"))
        for at, step in enumerate(workflow.steps):
            self._step(at, step)
        for name, value in workflow.outputs.items():
            self._leaf(value, (*workflow.way, "outputs", name), _Spot("end"), must_be_one=True)
        self._moves()
        self._default_secrets()

    def _step(self, at: int, step: Step) -> None:
        operation = self._whole.attempt(lambda: self._planner.operation(step))
        if operation is not None:
            self._whole.use_source(operation.source)
            self._operations[at] = operation
            self._operation(step, operation)
        elif step.workflow is not None:
            self._nested(step, step.workflow)
        if step.depends_on:
            self._whole.attempt(lambda: self._planner.dependencies(step))
        request = _Spot("request", step, at)
        answer = _Spot("nested" if step.workflow else "answer", step, at)
        for parameter in step.parameters:
            self._leaf(parameter.value, (*parameter.way, "value"), request)
            self._secret(parameter)
        if step.body is not None:
            self._leaf(step.body.payload, (*step.body.way, "payload"), request)
            for one in step.body.replacements:
                kind = step.body.content_type or (
                    operation.bodies[0].content_type if operation and operation.bodies else ""
                )
                self._whole.attempt(lambda one=one, kind=kind: self._planner.target(one, kind))
                self._leaf(one.value, (*one.way, "value"), request)
        for criterion in step.success_criteria:
            self._criterion(criterion, answer)
        after = _Spot(answer.phase, step, at, ended=True)
        self._actions(step.on_success, after, success=True)
        self._actions(step.on_failure, after, success=False)
        for name, value in step.outputs.items():
            self._leaf(value, (*step.way, "outputs", name), answer, must_be_one=True)

    # What a step calls

    def _operation(self, step: Step, operation: Operation) -> None:
        whole = self._whole
        parameters = merged_parameters(step.parameters, self._workflow.parameters)
        given: set[tuple[str, str]] = set()
        for parameter in parameters:
            planned = whole.attempt(lambda one=parameter: self._planner.parameter(operation, one))
            if planned is not None:
                name = planned.shape.name.lower() if planned.shape.where == "header" else planned.shape.name
                given.add((name, planned.shape.where))
        whole.attempt(lambda: self._planner.check_query(step, [where for _, where in given]))
        whole.attempt(
            lambda: self._planner.check_path(step, operation, {name for name, where in given if where == "path"})
        )
        self._declared(step, operation)
        for key, shape in operation.parameters.items():
            if shape.required and shape.where != "path" and key not in given:
                message = f"{operation.id} requires the {shape.where} parameter {shape.name!r}"
                whole.say(step.way, "missing-parameter", message, f"step {step.id!r} does not give it")
        self._body(step, operation)

    def _declared(self, step: Step, operation: Operation) -> None:
        for parameter in step.parameters:
            name = parameter.name.lower() if parameter.where == "header" else parameter.name
            known = [one for one, where in operation.parameters if where == parameter.where]
            if (
                parameter.where is None
                or name in known
                or (parameter.where == "header" and name in _UNDECLARED_HEADERS)
            ):
                continue
            if parameter.where == "path" and "{" + name + "}" in operation.path:
                continue
            message = f"{operation.id} declares no {parameter.where} parameter {parameter.name!r}"
            hint = close_to(name, known) if known else f"it declares no {parameter.where} parameters"
            self._whole.say((*parameter.way, "name"), "unknown-parameter", message, hint)

    def _body(self, step: Step, operation: Operation) -> None:
        if step.body is None:
            if operation.body_required:
                self._whole.say(
                    step.way, "missing-body", f"{operation.id} requires a body; step {step.id!r} sends none"
                )
            return
        known = [body.content_type for body in operation.bodies]
        kind = media_type(step.body.content_type or "")
        if kind and known and not any(_matches(kind, one) for one in known):
            way = (*step.body.way, "contentType")
            self._whole.say(way, "unknown-content-type", f"{operation.id} takes {', '.join(known)}, not {kind}")

    def _nested(self, step: Step, name: str) -> None:
        way = (*step.way, "workflowId")
        if name.startswith("$sourceDescriptions."):
            source = name.split(".")[1]
            self._source(source, way)
        self._whole.attempt(lambda: self._planner.known_workflow(name, way))
        target = self._whole.planner(name)
        if target is None:
            return
        given = {parameter.name for parameter in merged_parameters(step.parameters, self._workflow.parameters)}
        self._arguments(target, name, step.parameters, given, step.way)

    def _arguments(
        self, target: WorkflowPlanner, name: str, parameters: tuple[Parameter, ...], given: Collection[str], way: Way
    ) -> None:
        """Whether they are what the inputs of an Arazzo workflow want."""
        for parameter in parameters:
            if target.inputs.closed and parameter.name not in target.inputs.names:
                message = f"{name!r} has no input {parameter.name!r}"
                self._whole.say(
                    (*parameter.way, "name"), "undeclared-input", message, close_to(parameter.name, target.inputs.names)
                )
        for field in target.inputs.fields():
            if field.required and field.default is None and field.name not in given:
                message = f"{name!r} requires the input {field.name!r}"
                self._whole.say(way, "missing-parameter", message, "add it to the parameters")

    # Actions and criteria

    def _actions(self, actions: tuple[Action, ...], spot: _Spot, *, success: bool) -> None:
        for action in actions:
            self._whole.attempt(lambda one=action: self._planner.check_action(one, success=success))
            for criterion in action.criteria:
                self._criterion(criterion, spot)
            self._handed(action, spot)
            if action.kind == "retry" and not action.criteria:
                message = f"{action.name!r} repeats whatever went wrong"
                hint = "add a criterion, such as $statusCode >= 500 || $statusCode == 429"
                self._whole.say(action.way, "unguarded-retry", message, hint)

    def _handed(self, action: Action, spot: _Spot) -> None:
        """What an action gives to the Arazzo workflow that it leads to."""
        for parameter in action.parameters:
            self._leaf(parameter.value, (*parameter.way, "value"), spot)
        target = self._whole.planner(action.workflow) if action.parameters and action.workflow else None
        if target is not None and action.workflow is not None:
            given = {parameter.name for parameter in action.parameters}
            self._arguments(target, action.workflow, action.parameters, given, action.way)

    def _criterion(self, text: CriterionText, spot: _Spot) -> None:
        if text.kind != "simple" and text.context is None:
            return  # the shape says so
        criterion = self._whole.attempt(lambda: self._planner.criterion(text))
        if criterion is not None:
            for expression in criterion.expressions():
                self._expression(expression, (*text.way, "condition"), spot)

    # Expressions

    def _leaf(self, value: Any, way: Way, spot: _Spot, *, must_be_one: bool = False) -> None:
        """Every text inside a value."""
        if isinstance(value, dict) and self._is_selector(cast("dict[str, Any]", value)):
            template = self._whole.attempt(lambda: self._planner.value(value, way))
            for expression in expressions_in(template) if template else ():
                self._expression(expression, (*way, "context"), spot)
        elif isinstance(value, dict):
            for name, member in cast("dict[str, Any]", value).items():
                self._leaf(member, (*way, name), spot)
        elif isinstance(value, list):
            for index, item in enumerate(cast("list[Any]", value)):
                self._leaf(item, (*way, index), spot)
        elif isinstance(value, str):
            template = self._whole.attempt(lambda: self._planner.value(value, way))
            if isinstance(template, Literal):
                self._literal(value, way, must_be_one=must_be_one)
            elif template is not None:
                for expression in expressions_in(template):
                    self._expression(expression, way, spot)

    def _is_selector(self, fields: dict[str, Any]) -> bool:
        return self._whole.document.has_selectors and is_selector(fields)

    def _literal(self, text: str, way: Way, *, must_be_one: bool) -> None:
        broken = looks_like_one(text) and not any(one.isspace() for one in text)
        if must_be_one or broken:
            message = f"{text!r} is not a runtime expression"
            self._whole.say(way, "bad-expression", message, "for example $response.body#/id or $steps.a.outputs.b")
        elif any(mark in text for mark in ("$inputs.", "$steps.", "$response.", "$workflows.")):
            message = f"{text!r} looks like it holds an expression, and is sent as it stands"
            self._whole.say(way, "literal-expression", message, "put braces around it: {$inputs.name}")

    def _expression(self, expression: Expression, way: Way, spot: _Spot) -> None:
        match expression:
            case CallField() | MessageField() | Body():
                self._of_the_call(expression, way, spot)
            case Input():
                self._input(expression, way)
            case StepOutput():
                self._step_output(expression, way, spot)
            case Output():
                self._output(expression, way, spot)
            case WorkflowField():
                self._workflow_field(expression, way)
            case SourceField():
                self._source(expression.source, way)
            case Component():
                self._never(expression, way, "a component can be referred to with `reference:` only")
            case SelfUri():
                if self._whole.document.self_uri is None:
                    self._never(expression, way, "the document has no `$self`")
            case Selected():
                raise AssertionError("a Selector Object is looked at in its parts")

    def _of_the_call(self, expression: CallField | MessageField | Body, way: Way, spot: _Spot) -> None:
        if spot.phase == "request":
            self._never(expression, way, "the call has not been made yet; take an output of an earlier step")
        elif spot.phase == "end":
            self._never(expression, way, "no call is at hand at the end; give a step an output and name that")
        elif spot.phase == "nested":
            self._never(expression, way, "a step that runs an Arazzo workflow has $outputs and no answer of its own")
        elif isinstance(expression, MessageField) and expression.side == "response" and expression.part != "header":
            self._never(expression, way, f"an answer has no {expression.part}; it has a body and headers")
        elif isinstance(expression, Body) and expression.side == "request" and spot.step and spot.step.body is None:
            self._never(expression, way, f"step {spot.step.id!r} sends no body")
        elif isinstance(expression, Body) and expression.side == "response" and spot.at is not None:
            self._in_answer(expression, way, spot.at)

    def _in_answer(self, expression: Body, way: Way, at: int) -> None:
        operation = self._operations.get(at)
        if operation is None or not expression.pointer:
            return
        try:
            described = self._planner.description(operation).may_answer(operation, expression.pointer)
        except UsageError:
            return  # a reference of the description leads nowhere, or to another file
        if not described:
            message = f"{expression}: no answer of {operation.id} that is described has it"
            self._whole.say(way, "unknown-property", message, "compare it with the schemas of its responses")

    def _input(self, expression: Input, way: Way) -> None:
        inputs = self._planner.inputs
        name = next(
            (one for one in inputs.names if expression.name == one or expression.name.startswith(f"{one}.")), None
        )
        if name is not None:
            self._whole.use_input(self._workflow.id, name)
        elif inputs.closed or not inputs.names:
            message = f"{expression}: {self._workflow.id!r} declares no input {expression.name!r}"
            hint = close_to(expression.name, inputs.names) if inputs.names else "declare it under `inputs`"
            self._whole.say(way, "undeclared-input", message, hint)

    def _step_output(self, expression: StepOutput, way: Way, spot: _Spot) -> None:
        outputs = self._outputs.get(expression.step)
        if outputs is None:
            return  # the planner has said so
        if not _has(outputs, expression.name):
            message = f"{expression}: step {expression.step!r} has no output {expression.name!r}"
            hint = close_to(expression.name, outputs) if outputs else f"give {expression.step!r} `outputs`"
            self._whole.say(way, "unknown-output", message, hint)
            return
        before = self._index[expression.step]
        if spot.phase == "end":
            if not self._flow.is_reachable(before):
                self._never(expression, way, f"step {expression.step!r} is never run")
        elif spot.at is None or self._flow.precedes(before, spot.at) or (before == spot.at and spot.ended):
            return
        else:
            when = "is this step itself" if before == spot.at else "is never run before this one"
            self._never(expression, way, f"step {expression.step!r} {when}")

    def _output(self, expression: Output, way: Way, spot: _Spot) -> None:
        if spot.phase != "nested" or spot.step is None or spot.step.workflow is None:
            if spot.phase != "end":
                self._never(expression, way, "$outputs are those of an Arazzo workflow that a step runs")
            return
        target = self._whole.document.workflow(spot.step.workflow)
        if target is not None and not _has(target.outputs, expression.name):
            message = f"{expression}: {target.id!r} has no output {expression.name!r}"
            self._whole.say(way, "unknown-output", message, close_to(expression.name, target.outputs))

    def _workflow_field(self, expression: WorkflowField, way: Way) -> None:
        whole, target = self._whole, self._whole.document.workflow(expression.workflow)
        if target is None:
            names = [workflow.id for workflow in whole.document.workflows]
            message = f"{expression}: there is no workflow {expression.workflow!r}"
            whole.say(way, "unknown-workflow", message, close_to(expression.workflow, names))
            return
        planner = whole.planner(target.id)
        known: Collection[str] = (
            target.outputs if expression.part == "outputs" else planner.inputs.names if planner else ()
        )
        if expression.part == "inputs" and _has(known, expression.name):
            whole.use_input(target.id, expression.name)
        if not _has(known, expression.name):
            code = "unknown-output" if expression.part == "outputs" else "undeclared-input"
            message = f"{expression}: {target.id!r} has none of that name among its {expression.part}"
            whole.say(way, code, message, close_to(expression.name, known))
        elif not whole.is_run(target.id):
            self._never(expression, way, f"nothing runs {target.id!r} before; name it in dependsOn")

    def _source(self, name: str, way: Way) -> None:
        names = [source.name for source in self._whole.document.sources]
        if name in names:
            self._whole.use_source(name)
        else:
            self._whole.say(way, "unknown-source", f"there is no source {name!r}", close_to(name, names))

    def _never(self, expression: Expression, way: Way, why: str) -> None:
        self._whole.say(way, "never-resolves", f"{expression} never has a value here", why)

    # Where the steps lead

    def _moves(self) -> None:
        flow, steps = self._flow, self._workflow.steps
        for at, step in enumerate(steps):
            if not flow.is_reachable(at):
                message = f"no way leads to step {step.id!r}"
                self._whole.say((*step.way, "stepId"), "unreachable-step", message, "go to it, or leave it out")
        for step, action in flow.dead:
            message = f"the action {action.name!r} of step {step.id!r} is never looked at"
            self._whole.say(action.way, "unreachable-action", message, "an action before it has no criteria")
        for loop in flow.endless():
            round_trip = ", ".join(steps[at].id for at in sorted(loop))
            message = f"{round_trip}: once there, a run only ends by failing"
            hint = "add criteria to the goto, or an action `end`"
            self._whole.say(steps[loop[0]].way, "endless-loop", message, hint)

    # Care

    def _secret(self, parameter: Parameter) -> None:
        header = parameter.where == "header" and parameter.name.lower() in _CREDENTIALS
        if header and isinstance(parameter.value, str) and "$" not in parameter.value:
            message = f"the header {parameter.name!r} is written into the document"
            self._whole.say((*parameter.way, "value"), "secret-in-document", message, "make it an input")

    def _default_secrets(self) -> None:
        inputs = self._planner.inputs
        for field in inputs.fields():
            if field.default and inputs.is_secret(field.name):
                way = (*self._workflow.way, "inputs", "properties", field.name, "default")
                self._whole.say(
                    way, "secret-in-document", f"the secret input {field.name!r} has a default", "leave it out"
                )


def _has(names: Collection[str], name: str) -> bool:
    """A name with dots may lead into the value of a shorter one."""
    return name in names or any(name.startswith(f"{one}.") for one in names)


def _matches(kind: str, declared: str) -> bool:
    """`image/png` is one of `image/*`."""
    family, _, rest = declared.partition("/")
    return declared in (kind, "*/*") or (rest == "*" and kind.startswith(f"{family}/"))
