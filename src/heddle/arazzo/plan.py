"""An Arazzo workflow made ready to run: names resolved, expressions parsed, criteria compiled, operations found.

All that can be wrong with a document is found here, before the first request leaves.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from heddle.arazzo.criteria import Criterion, CriterionError, compile_criterion
from heddle.arazzo.document import (
    Action,
    CriterionText,
    Document,
    Parameter,
    Replacement,
    Step,
    Workflow,
    merged_actions,
    merged_parameters,
)
from heddle.arazzo.expressions import (
    Expression,
    ExpressionError,
    Input,
    SourceField,
    parse,
)
from heddle.arazzo.inputs import InputSchema
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.openapi import Description, Operation, ParameterShape, is_xml, origin
from heddle.arazzo.order import step_name
from heddle.arazzo.requests import PlannedBody, PlannedParameter, Target
from heddle.arazzo.selectors import SelectorError, compile_selector
from heddle.arazzo.sources import Linked
from heddle.arazzo.templates import Compiler, Template, Text, expressions_in
from heddle.arazzo.tree import DocumentError, Place, Way

_PATH_PARAMETER = re.compile(r"\{([^{}]+)\}")
_OPERATION_PATH = re.compile(r"\{?\$sourceDescriptions\.([A-Za-z0-9_\-]+)\.url\}?#(/.*)")


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """`step` is the index of the target; `guarded` says that it has criteria.

    Without `arguments` the Arazzo workflow that it leads to gets the inputs of the same names.
    """

    name: str
    kind: str
    step: int | None
    workflow: str | None
    retry_after: float | None
    retry_limit: int | None
    criteria: tuple[Criterion, ...]
    place: Callable[[], Place] = field(compare=False)
    arguments: tuple[tuple[str, Template], ...] | None = None

    @property
    def guarded(self) -> bool:
        return bool(self.criteria)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """Exactly one of `operation` and `workflow` is set; a step that runs a workflow has `arguments`. Time is in s.

    `depends_on` are steps that must have ended well, each with the key of its Arazzo workflow where that is another.
    """

    id: str
    index: int
    description: str
    operation: Operation | None
    workflow: str | None
    parameters: tuple[PlannedParameter, ...]
    arguments: tuple[tuple[str, Template], ...]
    body: PlannedBody | None
    success_criteria: tuple[Criterion, ...]
    on_success: tuple[PlannedAction, ...]
    on_failure: tuple[PlannedAction, ...]
    outputs: tuple[tuple[str, Template], ...]
    timeout: float | None
    place: Callable[[], Place] = field(compare=False)
    depends_on: tuple[tuple[str | None, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedWorkflow:
    """One Arazzo workflow. `key` is its id in the document that is run, and has the file in front in every other."""

    id: str
    key: str
    file: str
    sources: Mapping[str, Mapping[str, Any]]
    inputs: InputSchema
    depends_on: tuple[str, ...]
    steps: tuple[PlannedStep, ...]
    outputs: tuple[tuple[str, Template], ...]
    self_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The Arazzo workflow `main` and every one that it can reach."""

    document: Document
    main: PlannedWorkflow
    workflows: Mapping[str, PlannedWorkflow]
    leniency: Leniency
    linked: Linked

    def servers(self) -> tuple[str, ...]:
        """Base URLs that the run will talk to, in order of first use."""
        return tuple(dict.fromkeys(operation.server for operation in self.operations()))

    def used_sources(self) -> tuple[str, ...]:
        """Names of the sources whose operations the run calls."""
        return tuple(dict.fromkeys(operation.source for operation in self.operations()))

    def operations(self) -> Iterator[Operation]:
        """The operation of every step, in order."""
        for workflow in self.workflows.values():
            yield from (step.operation for step in workflow.steps if step.operation is not None)

    def is_secret(self, name: str) -> bool:
        """Whether an input must not be shown or written down: by its name, its format, or because it is a token."""
        return self.main.inputs.is_secret(name) or name in self.bearer_inputs()

    def bearer_inputs(self) -> dict[str, frozenset[str]]:
        """Inputs whose every use is `Bearer <input>` in an Authorization header, with the origins they go to."""
        uses: dict[str, list[str | None]] = {}
        for name, server in _input_uses(self.main):
            uses.setdefault(name, []).append(server)
        found: dict[str, frozenset[str]] = {}
        for name, servers in uses.items():
            origins = frozenset(origin(server) for server in servers if server is not None)
            if None not in servers and origins:
                found[name] = origins
        return found


def make_plan(
    document: Document,
    workflow_id: str | None,
    descriptions: Mapping[str, Description],
    leniency: Leniency,
    others: Mapping[str, Linked] | None = None,
) -> Plan:
    """Raises DocumentError for the first thing that cannot work. `others` are the sources that are Arazzo documents."""
    main = choose_workflow(document, workflow_id)
    linked = Linked(document, descriptions, others or {})
    planner = _Planner(linked, leniency)
    planner.plan_all(main)
    return Plan(document, planner.planned[main.id], planner.planned, leniency, linked)


def choose_workflow(document: Document, workflow_id: str | None) -> Workflow:
    """The named Arazzo workflow, or the only one."""
    names = ", ".join(workflow.id for workflow in document.workflows)
    if workflow_id is None:
        first, *others = document.workflows
        if others:
            raise DocumentError(document.tree.name, "the document has several workflows", f"choose with -w: {names}")
        return first
    found = document.workflow(workflow_id)
    if found is None:
        raise DocumentError(document.tree.name, f"there is no workflow {workflow_id!r}", f"there are: {names}")
    return found


class _Planner:
    """Plans an Arazzo workflow and those that it names, in its own document or another."""

    def __init__(self, linked: Linked, leniency: Leniency) -> None:
        self._linked = linked
        self._leniency = leniency
        self.planned: dict[str, PlannedWorkflow] = {}

    def plan_all(self, main: Workflow) -> None:
        waiting = [(self._linked, main)]
        while waiting:
            linked, workflow = waiting.pop()
            planner = WorkflowPlanner(linked, workflow, self._leniency, home=self._linked.document)
            if planner.key not in self.planned:
                self.planned[planner.key] = planner.plan()
                waiting += planner.named
        self._check_dependencies(main.id, ())

    def _check_dependencies(self, name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise DocumentError(
                self._linked.document.tree.name,
                f"dependsOn goes in a circle: {' → '.join((*above, name))}",
                code="circular-workflows",
            )
        for other in self.planned[name].depends_on:
            self._check_dependencies(other, (*above, name))


class WorkflowPlanner:
    """Plans one Arazzo workflow, piece by piece; `lint` asks for the pieces one at a time."""

    def __init__(self, linked: Linked, workflow: Workflow, leniency: Leniency, *, home: Document | None = None) -> None:
        document = linked.document
        self._linked = linked
        self._document = document
        self._workflow = workflow
        self._home = home or document
        self._descriptions = linked.descriptions
        self._leniency = leniency
        self.key = self._key(document, workflow)
        self.named: list[tuple[Linked, Workflow]] = []
        self.inputs = InputSchema(workflow.inputs, document.tree.value)
        self._steps = {step.id: index for index, step in enumerate(workflow.steps)}
        self._compiler = Compiler(leniency, self.inputs.names, self._steps, document.has_selectors)

    def plan(self) -> PlannedWorkflow:
        workflow = self._workflow
        sources = {source.name: {"url": source.url, "type": source.kind} for source in self._document.sources}
        return PlannedWorkflow(
            id=workflow.id,
            key=self.key,
            file=self._document.tree.name,
            sources=sources,
            inputs=self.inputs,
            depends_on=tuple(
                self.known_workflow(name, (*workflow.way, "dependsOn", at))
                for at, name in enumerate(workflow.depends_on)
            ),
            steps=tuple(self._step(step) for step in workflow.steps),
            outputs=self._outputs(workflow.outputs, workflow.way),
            self_uri=self._document.self_uri,
        )

    def _step(self, step: Step) -> PlannedStep:
        operation = self.operation(step)
        workflow = None if step.workflow is None else self.known_workflow(step.workflow, (*step.way, "workflowId"))
        parameters = merged_parameters(step.parameters, self._workflow.parameters)
        return PlannedStep(
            id=step.id,
            index=self._steps[step.id],
            description=step.description,
            operation=operation,
            workflow=workflow,
            parameters=self._parameters(step, operation, parameters) if operation else (),
            arguments=() if operation else tuple((one.name, self.value(one.value, one.way)) for one in parameters),
            body=self._body(step, operation) if operation else None,
            success_criteria=self._criteria(step.success_criteria),
            on_success=self._actions(merged_actions(step.on_success, self._workflow.success_actions), success=True),
            on_failure=self._actions(merged_actions(step.on_failure, self._workflow.failure_actions), success=False),
            outputs=self._outputs(step.outputs, step.way),
            timeout=None if step.timeout is None else step.timeout / 1000,
            place=self._at(step.way),
            depends_on=self.dependencies(step),
        )

    def dependencies(self, step: Step) -> tuple[tuple[str | None, str], ...]:
        """The steps that a step waits for; the order of the steps already respects those of its own workflow."""
        return tuple(self._dependency(text, (*step.way, "dependsOn", at)) for at, text in enumerate(step.depends_on))

    def _dependency(self, text: str, way: Way) -> tuple[str | None, str]:
        try:
            name = step_name(text)
        except ExpressionError as error:
            raise self._error(way, error.message, code=error.code) from error
        if name.workflow is None:
            known: Iterable[str] = self._steps
            key = None
        else:
            linked, workflow = self._found_workflow(name.workflow, way)
            known = [step.id for step in workflow.steps]
            key = self._key(linked.document, workflow)
        if name.step not in known:
            raise self._error(
                way, f"there is no step {name.step!r} to wait for", close_to(name.step, known), "unknown-step"
            )
        return key, name.step

    def operation(self, step: Step) -> Operation | None:
        if step.operation is not None:
            return self._operation_named(step.operation, (*step.way, "operationId"))
        if step.path is not None:
            return self._operation_at(step.path, (*step.way, "operationPath"))
        return None

    def description(self, operation: Operation) -> Description:
        """Where an operation of this plan comes from."""
        return self._descriptions[operation.source]

    def _operation_named(self, name: str, way: Way) -> Operation:
        if name.startswith("$sourceDescriptions."):
            return self._qualified(name, way)
        owners = [one for one in self._descriptions.values() if name in one.operation_ids()]
        if not owners:
            raise self._error(way, f"no source has the operation {name!r}", self._suggestion(name), "unknown-operation")
        if len(owners) > 1:
            listed = ", ".join(f"$sourceDescriptions.{one.source}.{name}" for one in owners)
            raise self._error(
                way, f"several sources have the operation {name!r}", f"write one of: {listed}", "ambiguous-operation"
            )
        if len(self._descriptions) > 1 and not self._leniency.allows("bare-operation", self._at(way), name):
            raise self._error(
                way,
                f"the operation {name!r} must name its source, as the document has several",
                f"write $sourceDescriptions.{owners[0].source}.{name}",
                "bare-operation",
            )
        operation = owners[0].operation(name)
        assert operation is not None
        return operation

    def _qualified(self, text: str, way: Way) -> Operation:
        reference = self._parsed(text, way)
        description = self._descriptions.get(reference.source) if isinstance(reference, SourceField) else None
        operation = (
            description.operation(reference.reference) if description and isinstance(reference, SourceField) else None
        )
        if operation is None:
            raise self._error(
                way,
                f"there is no operation {text!r}",
                f"sources are: {', '.join(self._descriptions)}",
                "unknown-operation",
            )
        return operation

    def _operation_at(self, text: str, way: Way) -> Operation:
        match = _OPERATION_PATH.fullmatch(text)
        if match is None:
            raise self._error(
                way,
                f"{text!r} is not an operationPath",
                "it looks like '{$sourceDescriptions.<name>.url}#/paths/~1things/get'",
                "wrong-value",
            )
        description = self._descriptions.get(match[1])
        operation = description.operation_at(match[2]) if description else None
        if operation is None:
            raise self._error(way, f"there is no operation at {text!r}", code="unknown-operation")
        return operation

    def _suggestion(self, name: str) -> str:
        known = [one for description in self._descriptions.values() for one in description.operation_ids()]
        same = [one for one in known if one.lower() == name.lower()]
        return f"did you mean {same[0]!r}?" if same else close_to(name, known)

    def _parameters(
        self, step: Step, operation: Operation, parameters: tuple[Parameter, ...]
    ) -> tuple[PlannedParameter, ...]:
        planned = tuple(self.parameter(operation, parameter) for parameter in parameters)
        self.check_query(step, [one.shape.where for one in planned])
        self.check_path(step, operation, {one.shape.name for one in planned if one.shape.where == "path"})
        return planned

    def parameter(self, operation: Operation, parameter: Parameter) -> PlannedParameter:
        where = parameter.where or self._only_place(operation, parameter)
        shape = operation.shape(parameter.name, where)
        return PlannedParameter(shape, self.value(parameter.value, (*parameter.way, "value")))

    def check_query(self, step: Step, places: Sequence[str]) -> None:
        """A whole query string stands alone."""
        if places.count("querystring") > 1 or {"query", "querystring"} <= set(places):
            raise self._error(
                step.way,
                f"step {step.id!r} gives the whole query string and other query parameters as well",
                "one parameter `in: querystring`, or any number `in: query`",
                "conflicting-fields",
            )

    def check_path(self, step: Step, operation: Operation, given: Collection[str]) -> None:
        """Every `{name}` of the path needs a value."""
        for name in _PATH_PARAMETER.findall(operation.path):
            if name not in given:
                raise self._error(
                    step.way,
                    f"step {step.id!r} gives no value for the path parameter {name!r}",
                    f"add a parameter {{name: {name}, in: path, value: …}}",
                    "missing-path-parameter",
                )

    def _only_place(self, operation: Operation, parameter: Parameter) -> str:
        places = [where for name, where in operation.parameters if name.lower() == parameter.name.lower()]
        if len(places) != 1:
            raise self._error(
                parameter.way,
                f"the parameter {parameter.name!r} needs `in`: path, query, header or cookie",
                code="missing-field",
            )
        if not self._leniency.allows("parameter-place", self._at(parameter.way), parameter.name):
            raise self._error(
                parameter.way,
                f"the parameter {parameter.name!r} does not say where it stands",
                f"add `in: {places[0]}`",
                "parameter-place",
            )
        return places[0]

    def _body(self, step: Step, operation: Operation) -> PlannedBody | None:
        body = step.body
        if body is None:
            return None
        content_type = body.content_type or _default_content_type(operation)
        replacements = tuple(
            (self.target(one, content_type), self.value(one.value, (*one.way, "value"))) for one in body.replacements
        )
        payload = self.value(body.payload, (*body.way, "payload"))
        place = self._document.tree.place(body.way)
        return PlannedBody(content_type, operation.body(content_type), payload, replacements, place)

    def target(self, replacement: Replacement, content_type: str) -> Target:
        """A JSON Pointer unless it says otherwise; in XML, XPath."""
        kind = replacement.kind or ("xpath" if is_xml(content_type) else "jsonpointer")
        try:
            return Target(replacement.target, compile_selector(kind, replacement.version, replacement.target))
        except SelectorError as error:
            code = "wrong-value" if error.code == "bad-condition" else error.code
            raise self._error((*replacement.way, "target"), error.message, code=code) from error

    def _actions(self, actions: tuple[Action, ...], *, success: bool) -> tuple[PlannedAction, ...]:
        return tuple(self.action(action, success=success) for action in actions)

    def action(self, action: Action, *, success: bool) -> PlannedAction:
        self.check_action(action, success=success)
        return PlannedAction(
            name=action.name,
            kind=action.kind,
            step=None if action.step is None else self._steps[action.step],
            workflow=self._action_workflow(action),
            retry_after=action.retry_after,
            retry_limit=action.retry_limit,
            criteria=self._criteria(action.criteria),
            place=self._at(action.way),
            arguments=self._action_arguments(action),
        )

    def _action_arguments(self, action: Action) -> tuple[tuple[str, Template], ...] | None:
        if not action.parameters:
            return None
        return tuple((one.name, self.value(one.value, (*one.way, "value"))) for one in action.parameters)

    def check_action(self, action: Action, *, success: bool) -> None:
        """Whether it may stand here and its target is there."""
        if (
            action.kind == "retry"
            and success
            and not self._leniency.allows("retry-on-success", self._at(action.way), action.name)
        ):
            raise self._error(
                (*action.way, "type"),
                "`retry` belongs to onFailure; a step that succeeded uses goto",
                code="retry-on-success",
            )
        if action.step is not None and action.step not in self._steps:
            raise self._error(
                (*action.way, "stepId"),
                f"there is no step {action.step!r} in this workflow",
                close_to(action.step, self._steps),
                "unknown-step",
            )
        self._action_workflow(action)

    def _action_workflow(self, action: Action) -> str | None:
        return None if action.workflow is None else self.known_workflow(action.workflow, (*action.way, "workflowId"))

    def _criteria(self, criteria: tuple[CriterionText, ...]) -> tuple[Criterion, ...]:
        return tuple(self.criterion(criterion) for criterion in criteria)

    def criterion(self, text: CriterionText) -> Criterion:
        try:
            return compile_criterion(
                text.condition,
                text.kind,
                text.version,
                text.context,
                compiler=self._compiler,
                place=self._at((*text.way, "condition")),
            )
        except CriterionError as error:
            raise self._error((*text.way, "condition"), error.message, code=error.code) from error

    def _outputs(self, outputs: Mapping[str, Any], way: Way) -> tuple[tuple[str, Template], ...]:
        return tuple((name, self.value(value, (*way, "outputs", name))) for name, value in outputs.items())

    def value(self, value: Any, way: Way) -> Template:
        try:
            return self._compiler.value(value, self._at(way))
        except ExpressionError as error:
            raise self._error(way, error.message, code=error.code) from error

    def _parsed(self, text: str, way: Way) -> Expression:
        try:
            return parse(text)
        except ExpressionError as error:
            raise self._error(way, error.message, code=error.code) from error

    def known_workflow(self, name: str, way: Way) -> str:
        """The key of an Arazzo workflow, by its id or as `$sourceDescriptions.<source>.<id>`."""
        linked, workflow = self._found_workflow(name, way)
        self.named.append((linked, workflow))
        return self._key(linked.document, workflow)

    def _found_workflow(self, name: str, way: Way) -> tuple[Linked, Workflow]:
        linked, plain = self._linked, name
        if name.startswith("$sourceDescriptions."):
            reference = self._parsed(name, way)
            assert isinstance(reference, SourceField)
            found = self._linked.others.get(reference.source)
            if found is None:
                known = [f"$sourceDescriptions.{one}" for one in self._linked.others]
                hint = f"there are: {', '.join(known)}" if known else "none of its sources is an Arazzo document"
                raise self._error(way, f"there is no Arazzo document {reference.source!r}", hint, "unknown-source")
            linked, plain = found, reference.reference
        workflow = linked.document.workflow(plain)
        if workflow is None:
            names = [one.id for one in linked.document.workflows]
            where = "this document" if linked is self._linked else linked.document.tree.name
            raise self._error(
                way, f"there is no workflow {plain!r} in {where}", close_to(plain, names), "unknown-workflow"
            )
        return linked, workflow

    def _key(self, document: Document, workflow: Workflow) -> str:
        return workflow.id if document is self._home else f"{document.tree.name}#{workflow.id}"

    def _at(self, way: Way) -> Callable[[], Place]:
        return lambda: self._document.tree.place(way)

    def _error(self, way: Way, problem: str, hint: str = "", code: str = "not-runnable") -> DocumentError:
        return self._document.tree.error(way, problem, hint, code)


def close_to(name: str, names: Iterable[str]) -> str:
    """What was perhaps meant, else what there is."""
    known = [one for one in islice(names, 200) if len(one) <= 100]
    near = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known[:12])}"


def _default_content_type(operation: Operation) -> str:
    kinds = [body.content_type for body in operation.bodies]
    return "application/json" if not kinds or "application/json" in kinds else kinds[0]


def _input_uses(workflow: PlannedWorkflow) -> Iterator[tuple[str, str | None]]:
    """Every use of an input with the server that sees it as a bearer token, or None for any other use."""
    for step in workflow.steps:
        for parameter in step.parameters:
            bearer = _is_bearer(parameter.shape, parameter.template) and step.operation is not None
            server = step.operation.server if bearer and step.operation else None
            yield from ((name, server) for name in _inputs_in(parameter.template))
        for template in _other_templates(step):
            yield from ((name, None) for name in _inputs_in(template))
        for expression in _criteria_expressions(step):
            if isinstance(expression, Input):
                yield expression.name, None
    for _, template in workflow.outputs:
        yield from ((name, None) for name in _inputs_in(template))


def _is_bearer(shape: ParameterShape, template: Template) -> bool:
    return (
        shape.where == "header"
        and shape.name.lower() == "authorization"
        and isinstance(template, Text)
        and len(template.parts) == 2
        and template.parts[0] == "Bearer "
    )


def _other_templates(step: PlannedStep) -> Iterator[Template]:
    if step.body is not None:
        yield step.body.template
        yield from (template for _, template in step.body.replacements)
    actions = (*step.on_success, *step.on_failure)
    handed = [argument for action in actions for argument in action.arguments or ()]
    yield from (template for _, template in (*step.arguments, *step.outputs, *handed))


def _criteria_expressions(step: PlannedStep) -> Iterator[Expression]:
    actions = (*step.on_success, *step.on_failure)
    criteria = (*step.success_criteria, *(one for action in actions for one in action.criteria))
    for criterion in criteria:
        yield from criterion.expressions()


def _inputs_in(template: Template) -> Iterator[str]:
    for expression in expressions_in(template):
        if isinstance(expression, Input):
            yield expression.name
