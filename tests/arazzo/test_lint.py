"""`heddle arazzo validate`: one table of documents, each a small change of a right one, and what is found where."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from arazzo_stub import DESCRIPTION
from click.testing import CliRunner

from heddle.arazzo.findings import RULES, Severity
from heddle.arazzo.leniency import LENIENCIES
from heddle.arazzo.lint import lint, lint_tree
from heddle.arazzo.tree import Tree, read_tree
from heddle.cli.main import cli

EXAMPLES = Path(__file__).parents[2] / "examples"

BASE: dict[str, Any] = {
    "arazzo": "1.0.1",
    "info": {"title": "A test", "version": "1"},
    "sourceDescriptions": [{"name": "api", "url": "api.yaml", "type": "openapi"}],
    "workflows": [
        {
            "workflowId": "main",
            "inputs": {"type": "object", "properties": {"id": {"type": "string"}}},
            "steps": [
                {
                    "stepId": "one",
                    "operationId": "thing",
                    "parameters": [{"name": "id", "in": "path", "value": "$inputs.id"}],
                    "successCriteria": [{"condition": "$statusCode == 200"}],
                    "outputs": {"x": "$response.body#/x"},
                },
                {
                    "stepId": "two",
                    "operationId": "look",
                    "onSuccess": [{"name": "over", "type": "end", "criteria": [{"condition": "$statusCode == 200"}]}],
                    "outputs": {"y": "$response.header.ETag"},
                },
            ],
            "outputs": {"x": "$steps.one.outputs.x"},
        }
    ],
}

Key = str | int
Way = tuple[Key, ...]
GONE = object()
FLOW: Way = ("workflows", 0)
ONE: Way = (*FLOW, "steps", 0)
TWO: Way = (*FLOW, "steps", 1)
OUT: Way = (*TWO, "outputs", "y")
ACTION: Way = (*TWO, "onSuccess", 0)
OTHER = {
    "workflowId": "other",
    "inputs": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    "steps": [{"stepId": "a", "operationId": "make", "requestBody": {"payload": {"n": "$inputs.n"}}}],
    "outputs": {"z": "$inputs.n"},
}
COMPONENTS = {
    "parameters": {"who": {"name": "id", "in": "path", "value": "$inputs.id"}},
    "successActions": {"stop": {"name": "stop", "type": "end"}},
    "failureActions": {
        "again": {"name": "again", "type": "retry", "retryLimit": 2, "criteria": [{"condition": "$statusCode == 503"}]}
    },
}


def jsonpath(condition: str) -> dict[str, Any]:
    return {"context": "$response.body", "condition": condition, "type": "jsonpath"}


def action(kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": "a", "type": kind, **fields}


def criteria(*conditions: str) -> list[dict[str, Any]]:
    return [{"condition": one} for one in conditions]


Row = tuple[str, dict[Way, Any], list[tuple[str, Way]]]

#: What a row is about, what it changes, and what is found at which way; `key:` marks the place of the key itself.
VALID: list[Row] = [
    ("the base", {}, []),
    ("version 1.0.0", {("arazzo",): "1.0.0"}, []),
    ("extensions everywhere", {("x-a",): 1, (*ONE, "x-b"): [], ("info", "x-c"): {}, (*ACTION, "x-d"): None}, []),
    ("a source without type", {("sourceDescriptions", 0, "type"): GONE}, []),
    (
        "an operation by its path",
        {(*TWO, "operationId"): GONE, (*TWO, "operationPath"): "{$sourceDescriptions.api.url}#/paths/~1look/get"},
        [],
    ),
    ("an operation with its source", {(*TWO, "operationId"): "$sourceDescriptions.api.look"}, []),
    (
        "a reusable parameter",
        {
            ("components",): COMPONENTS,
            (*ONE, "parameters"): [{"reference": "$components.parameters.who"}],
            (*TWO, "onSuccess"): [{"reference": "$components.successActions.stop"}],
            (*TWO, "onFailure"): [{"reference": "$components.failureActions.again"}],
        },
        [],
    ),
    (
        "a parameter of the whole workflow",
        {(*ONE, "parameters"): GONE, (*FLOW, "parameters"): [{"name": "id", "in": "path", "value": "$inputs.id"}]},
        [],
    ),
    (
        "a poll loop",
        {(*TWO, "onSuccess"): [action("goto", stepId="two", criteria=criteria("$response.body#/s == 'busy'"))]},
        [],
    ),
    (
        "a step that runs a workflow",
        {
            ("workflows", 1): OTHER,
            (*TWO, "operationId"): GONE,
            (*TWO, "workflowId"): "other",
            (*TWO, "parameters"): [{"name": "n", "value": 1}],
            (*TWO, "onSuccess"): GONE,
            OUT: "$outputs.z",
        },
        [],
    ),
    (
        "a workflow after another",
        {
            ("workflows", 1): {
                **OTHER,
                "inputs": {},
                "outputs": {},
                "steps": [{"stepId": "a", "operationId": "look"}],
                "dependsOn": ["main"],
            }
        },
        [],
    ),
    (
        "jsonpath, typed",
        {
            (*ONE, "successCriteria", 0): {
                "context": "$response.body",
                "condition": "$[?(@.a == 1)]",
                "type": {"type": "jsonpath", "version": "draft-goessner-dispatch-jsonpath-00"},
            }
        },
        [],
    ),
    (
        "a regular expression",
        {(*ONE, "successCriteria", 0): {"context": "$statusCode", "condition": "^2", "type": "regex"}},
        [],
    ),
    (
        "inputs by reference",
        {
            (*FLOW, "inputs"): {"$ref": "#/components/inputs/i"},
            ("components",): {"inputs": {"i": {"type": "object", "properties": {"id": {"type": "string"}}}}},
        },
        [],
    ),
    ("an input with members", {(*ONE, "parameters", 0, "value"): "$inputs.id.deep"}, []),
    (
        "a loop over two steps",
        {
            (*TWO, "onSuccess"): [
                action("goto", stepId="one", criteria=criteria("$response.body#/more")),
                action("end") | {"name": "b"},
            ]
        },
        [],
    ),
    (
        "an earlier step uses a later one in a loop",
        {
            (*TWO, "onSuccess"): [
                action("goto", stepId="one", criteria=criteria("$response.body#/more")),
                action("end") | {"name": "b"},
            ],
            (*ONE, "parameters", 1): {"name": "deep", "in": "query", "value": "$steps.two.outputs.y"},
        },
        [],
    ),
    (
        "the output of the own step in an action",
        {(*ACTION, "criteria", 0, "condition"): "$steps.two.outputs.y == '1'"},
        [],
    ),
    (
        "version 1.1",
        {("arazzo",): "1.1.0", ("$self",): "https://example.org/a", (*ONE, "timeout"): 5},
        [],
    ),
    (
        "a Selector Object",
        {("arazzo",): "1.1.0", OUT: {"context": "$response.body", "selector": "$.a", "type": "jsonpath"}},
        [],
    ),
    (
        "an object that only looks a little like a Selector Object",
        {
            ("arazzo",): "1.1.0",
            (*ONE, "parameters", 1): {"name": "deep", "in": "query", "value": {"selector": ".a", "type": "css"}},
        },
        [],
    ),
    (
        "a step that depends on another, in 1.1",
        {("arazzo",): "1.1.0", (*TWO, "dependsOn"): ["one"]},
        [],
    ),
    (
        "a step that receives messages",
        {("arazzo",): "1.1.0", (*TWO, "action"): "receive"},
        [("not-supported", (*TWO, "action"))],
    ),
    (
        "a parameter that does not say where it stands",
        {(*ONE, "parameters", 0, "in"): GONE},
        [("parameter-place", (*ONE, "parameters", 0))],
    ),
    ("a text with a dollar", {(*ONE, "parameters", 1): {"name": "deep", "in": "query", "value": "$100 off"}}, []),
]

INVALID: list[Row] = [
    ("no version", {("arazzo",): GONE}, [("not-arazzo", ())]),
    (
        "steps that wait for each other",
        {("arazzo",): "1.1.0", (*ONE, "dependsOn"): ["two"], (*TWO, "dependsOn"): ["one"]},
        [("circular-steps", (*ONE, "dependsOn"))],
    ),
    ("a version of the future", {("arazzo",): "2.0.0"}, [("unknown-version", ("arazzo",))]),
    ("no title", {("info", "title"): GONE}, [("missing-field", ("info",))]),
    ("no sources", {("sourceDescriptions",): []}, [("empty-list", ("sourceDescriptions",))]),
    ("no workflows", {("workflows",): GONE}, [("missing-field", ())]),
    ("no steps", {(*FLOW, "steps"): []}, [("empty-list", (*FLOW, "steps"))]),
    ("a field that is misspelled", {(*ONE, "operationID"): "look"}, [("unknown-field", (*ONE, "key:operationID"))]),
    ("a field of 1.1", {(*ONE, "timeout"): 5}, [("newer-field", (*ONE, "key:timeout"))]),
    (
        "a place of 1.1",
        {(*ONE, "parameters", 0, "in"): "querystring"},
        [("newer-field", (*ONE, "parameters", 0, "in"))],
    ),
    ("a place that is none", {(*ONE, "parameters", 0, "in"): "body"}, [("wrong-value", (*ONE, "parameters", 0, "in"))]),
    ("a list that is text", {(*TWO, "onSuccess"): "end"}, [("wrong-type", (*TWO, "onSuccess"))]),
    ("empty criteria", {(*ONE, "successCriteria"): []}, [("empty-list", (*ONE, "successCriteria"))]),
    ("an output that is a number", {OUT: 5}, [("wrong-type", OUT)]),
    (
        "the name of an output",
        {(*TWO, "outputs", "a b"): "$statusCode"},
        [("wrong-value", (*TWO, "outputs", "key:a b"))],
    ),
    (
        "the name of a source",
        {("sourceDescriptions", 0, "name"): "my api"},
        [("wrong-value", ("sourceDescriptions", 0, "name"))],
    ),
    ("two targets", {(*TWO, "workflowId"): "main"}, [("conflicting-fields", (*TWO, "workflowId"))]),
    ("no target", {(*TWO, "operationId"): GONE}, [("missing-field", TWO)]),
    ("a goto to nowhere", {ACTION: action("goto")}, [("missing-field", ACTION)]),
    (
        "a goto to two places",
        {ACTION: action("goto", stepId="one", workflowId="main")},
        [("conflicting-fields", (*ACTION, "workflowId"))],
    ),
    ("an end with a target", {(*ACTION, "stepId"): "one"}, [("conflicting-fields", (*ACTION, "stepId"))]),
    (
        "a limit without retry",
        {(*TWO, "onFailure"): [action("goto", stepId="one", retryLimit=2)]},
        [("conflicting-fields", (*TWO, "onFailure", 0, "retryLimit"))],
    ),
    (
        "a negative wait",
        {(*TWO, "onFailure"): [action("retry", retryAfter=-1, criteria=criteria("$statusCode == 503"))]},
        [("wrong-value", (*TWO, "onFailure", 0, "retryAfter"))],
    ),
    (
        "half a try",
        {(*TWO, "onFailure"): [action("retry", retryLimit=1.5, criteria=criteria("$statusCode == 503"))]},
        [("wrong-value", (*TWO, "onFailure", 0, "retryLimit"))],
    ),
    ("an action type", {(*ACTION, "type"): "jump"}, [("wrong-value", (*ACTION, "type"))]),
    (
        "no context",
        {(*ONE, "successCriteria", 0): {"condition": "^2", "type": "regex"}},
        [("missing-field", (*ONE, "successCriteria", 0)), ("missing-field", (*ONE, "successCriteria", 0, "condition"))],
    ),
    (
        "a version of jsonpath",
        {(*ONE, "successCriteria", 0): {**jsonpath("$.a"), "type": {"type": "jsonpath", "version": "2"}}},
        [
            ("wrong-value", (*ONE, "successCriteria", 0, "type", "version")),
            ("not-supported", (*ONE, "successCriteria", 0, "condition")),
        ],
    ),
    ("the same step twice", {(*TWO, "stepId"): "one"}, [("duplicate-name", (*TWO, "stepId"))]),
    (
        "the same workflow twice",
        {("workflows", 1): {**OTHER, "workflowId": "main"}},
        [("duplicate-name", ("workflows", 1, "workflowId"))],
    ),
    (
        "the same source twice",
        {("sourceDescriptions", 1): {"name": "api", "url": "api.yaml"}},
        [("duplicate-name", ("sourceDescriptions", 1, "name"))],
    ),
    (
        "the same parameter twice",
        {(*ONE, "parameters", 1): {"name": "id", "in": "path", "value": "2"}},
        [("duplicate-item", (*ONE, "parameters", 1, "name"))],
    ),
    (
        "the same action twice",
        {(*TWO, "onSuccess", 1): action("end") | {"name": "over"}},
        [("duplicate-item", (*TWO, "onSuccess", 1, "name"))],
    ),
    (
        "inputs that are no schema",
        {(*FLOW, "inputs", "properties", "id"): {"type": "strin"}},
        [("bad-inputs", (*FLOW, "inputs"))],
    ),
    (
        "inputs that refer to nothing",
        {(*FLOW, "inputs"): {"$ref": "#/components/inputs/gone"}},
        [("bad-inputs", (*FLOW, "inputs"))],
    ),
    ("an unknown operation", {(*TWO, "operationId"): "lok"}, [("unknown-operation", (*TWO, "operationId"))]),
    (
        "an unknown path",
        {(*TWO, "operationId"): GONE, (*TWO, "operationPath"): "{$sourceDescriptions.api.url}#/paths/~1gone/get"},
        [("unknown-operation", (*TWO, "operationPath"))],
    ),
    (
        "an operation of an unknown source",
        {(*TWO, "operationId"): "$sourceDescriptions.gone.look"},
        [("unknown-operation", (*TWO, "operationId"))],
    ),
    ("an unknown source", {OUT: "$sourceDescriptions.gone.url"}, [("unknown-source", OUT)]),
    (
        "an unknown step in an action",
        {ACTION: action("goto", stepId="three", criteria=criteria("$statusCode == 1"))},
        [("unknown-step", (*ACTION, "stepId"))],
    ),
    (
        "an unknown step in an expression",
        {(*FLOW, "outputs", "x"): "$steps.tow.outputs.y"},
        [("unknown-step", (*FLOW, "outputs", "x"))],
    ),
    (
        "an unknown output",
        {(*FLOW, "outputs", "x"): "$steps.one.outputs.z"},
        [("unknown-output", (*FLOW, "outputs", "x"))],
    ),
    (
        "an unknown workflow",
        {ACTION: action("goto", workflowId="mian")},
        [("unknown-workflow", (*ACTION, "workflowId"))],
    ),
    (
        "an unknown workflow to depend on",
        {(*FLOW, "dependsOn"): ["gone"]},
        [("unknown-workflow", (*FLOW, "dependsOn", 0))],
    ),
    (
        "an unknown component",
        {ACTION: {"reference": "$components.successActions.gone"}},
        [("unknown-component", (*ACTION, "reference"))],
    ),
    (
        "a component of the wrong kind",
        {("components",): COMPONENTS, ACTION: {"reference": "$components.failureActions.again"}},
        [("unknown-component", (*ACTION, "reference"))],
    ),
    (
        "an undeclared input",
        {(*ONE, "parameters", 0, "value"): "$inputs.key"},
        [("undeclared-input", (*ONE, "parameters", 0, "value"))],
    ),
    (
        "an undeclared input in a condition",
        {(*ACTION, "criteria", 0, "condition"): "$inputs.key == 1"},
        [("undeclared-input", (*ACTION, "criteria", 0, "condition"))],
    ),
    (
        "an undeclared argument",
        {
            ("workflows", 1): OTHER,
            (*TWO, "operationId"): GONE,
            (*TWO, "workflowId"): "other",
            (*TWO, "parameters"): [{"name": "n", "value": 1}, {"name": "m", "value": 1}],
            (*TWO, "onSuccess"): GONE,
            OUT: "$outputs.z",
        },
        [("undeclared-input", (*TWO, "parameters", 1, "name"))],
    ),
    (
        "a missing argument",
        {
            ("workflows", 1): OTHER,
            (*TWO, "operationId"): GONE,
            (*TWO, "workflowId"): "other",
            (*TWO, "onSuccess"): GONE,
            OUT: "$outputs.z",
        },
        [("missing-parameter", TWO)],
    ),
    (
        "an answer before the call",
        {(*ONE, "parameters", 0, "value"): "$response.body#/id"},
        [("never-resolves", (*ONE, "parameters", 0, "value"))],
    ),
    (
        "an answer at the end",
        {(*FLOW, "outputs", "x"): "$response.body#/id"},
        [("never-resolves", (*FLOW, "outputs", "x"))],
    ),
    (
        "a later step",
        {(*ONE, "parameters", 0, "value"): "$steps.two.outputs.y"},
        [("never-resolves", (*ONE, "parameters", 0, "value"))],
    ),
    (
        "the step itself",
        {(*ONE, "parameters", 0, "value"): "$steps.one.outputs.x"},
        [("never-resolves", (*ONE, "parameters", 0, "value"))],
    ),
    ("the query of an answer", {OUT: "$response.query.q"}, [("never-resolves", OUT)]),
    ("a body that is not sent", {OUT: "$request.body#/q"}, [("never-resolves", OUT)]),
    ("outputs of no workflow", {OUT: "$outputs.q"}, [("never-resolves", OUT)]),
    (
        "a component as a value",
        {(*ONE, "parameters", 0, "value"): "$components.parameters.who"},
        [("never-resolves", (*ONE, "parameters", 0, "value"))],
    ),
    (
        "a workflow that never ran",
        {("workflows", 1): OTHER, (*ONE, "parameters", 0, "value"): "$workflows.other.outputs.z"},
        [("never-resolves", (*ONE, "parameters", 0, "value"))],
    ),
    (
        "no description",
        {("sourceDescriptions", 0, "url"): "gone.yaml"},
        [("missing-description", ("sourceDescriptions", 0, "url"))],
    ),
    (
        "a description that is none",
        {("sourceDescriptions", 0, "url"): "flow.yaml"},
        [("bad-description", ("sourceDescriptions", 0, "url"))],
    ),
    (
        "a workflow of a document that is not there",
        {
            ("sourceDescriptions", 1): {"name": "more", "url": "gone.yaml", "type": "arazzo"},
            (*TWO, "operationId"): GONE,
            (*TWO, "workflowId"): "$sourceDescriptions.more.a",
            (*TWO, "onSuccess"): GONE,
            OUT: "$outputs.z",
        },
        [("missing-description", ("sourceDescriptions", 1, "url"))],
    ),
    ("a path without its value", {(*ONE, "parameters"): GONE}, [("missing-path-parameter", ONE)]),
    (
        "a parameter that is not declared",
        {(*ONE, "parameters", 1): {"name": "tag", "in": "query", "value": 1}},
        [("unknown-parameter", (*ONE, "parameters", 1, "name"))],
    ),
    (
        "a parameter without its place",
        {(*TWO, "parameters"): [{"name": "n", "value": 1}]},
        [("missing-field", (*TWO, "parameters", 0))],
    ),
    ("no expression", {OUT: "$response.bdy#/a"}, [("bad-expression", OUT)]),
    ("no expression at all", {OUT: "hello"}, [("bad-expression", OUT)]),
    (
        "half an expression",
        {(*ONE, "parameters", 0, "value"): "$steps.one.output.x"},
        [("bad-expression", (*ONE, "parameters", 0, "value"))],
    ),
    (
        "no condition",
        {(*ACTION, "criteria", 0, "condition"): "$statusCode = 200"},
        [("bad-condition", (*ACTION, "criteria", 0, "condition"))],
    ),
    (
        "no JSONPath",
        {(*ACTION, "criteria", 0): jsonpath("$[")},
        [("bad-condition", (*ACTION, "criteria", 0, "condition"))],
    ),
    (
        "no regular expression",
        {(*ACTION, "criteria", 0): {"context": "$response.body", "condition": "(", "type": "regex"}},
        [("bad-condition", (*ACTION, "criteria", 0, "condition"))],
    ),
    (
        "a context that is text",
        {(*ACTION, "criteria", 0): {**jsonpath("$.a"), "context": "body"}},
        [("bad-expression", (*ACTION, "criteria", 0, "condition"))],
    ),
    (
        "an input inside a text that is not there",
        {(*ONE, "parameters", 1): {"name": "deep", "in": "query", "value": "a $inputs.b c"}},
        [("literal-expression", (*ONE, "parameters", 1, "value"))],
    ),
    (
        "a step that nothing leads to",
        {(*ONE, "onSuccess"): [action("end")], (*FLOW, "outputs", "x"): "$steps.one.outputs.x"},
        [("unreachable-step", (*TWO, "stepId"))],
    ),
    (
        "an action behind one that is always taken",
        {(*TWO, "onSuccess"): [action("end"), action("goto", stepId="one") | {"name": "b"}]},
        [("unreachable-action", (*TWO, "onSuccess", 1))],
    ),
    ("a loop without exit", {(*TWO, "onSuccess"): [action("goto", stepId="two")]}, [("endless-loop", TWO)]),
    ("a loop of two without exit", {(*TWO, "onSuccess"): [action("goto", stepId="one")]}, [("endless-loop", ONE)]),
    (
        "workflows in a circle",
        {("workflows", 1): {**OTHER, "dependsOn": ["main"]}, (*FLOW, "dependsOn"): ["other"]},
        [("circular-workflows", FLOW)],
    ),
    (
        "a token in the document",
        {(*TWO, "parameters"): [{"name": "Authorization", "in": "header", "value": "Bearer abc"}]},
        [("secret-in-document", (*TWO, "parameters", 0, "value"))],
    ),
    (
        "the default of a token",
        {(*FLOW, "inputs", "properties", "apiKey"): {"type": "string", "default": "abc"}},
        [("secret-in-document", (*FLOW, "inputs", "properties", "apiKey", "default"))],
    ),
    (
        "retry after a success",
        {(*ACTION, "type"): "retry"},
        [("retry-on-success", (*ACTION, "type")), ("retry-on-success", ACTION)],
    ),
    (
        "no braces",
        {(*ONE, "parameters", 0, "value"): "a $inputs.id"},
        [("unbraced-expression", (*ONE, "parameters", 0, "value"))],
    ),
    (
        "a bare comparison",
        {(*ACTION, "criteria", 0): jsonpath("$.a == 1")},
        [("bare-comparison", (*ACTION, "criteria", 0, "condition"))],
    ),
    (
        "double quotes",
        {(*ACTION, "criteria", 0, "condition"): '$method == "GET"'},
        [("double-quotes", (*ACTION, "criteria", 0, "condition"))],
    ),
    ("dots into the body", {OUT: "$response.body.a.b"}, [("dotted-body", OUT)]),
    (
        "two sources with one operation",
        {("sourceDescriptions", 1): {"name": "copy", "url": "api.yaml"}},
        [("ambiguous-operation", (*ONE, "operationId")), ("ambiguous-operation", (*TWO, "operationId"))],
    ),
    (
        "an operation without its source among several",
        {
            ("sourceDescriptions", 1): {"name": "more", "url": "more.yaml"},
            (*ONE, "operationId"): "$sourceDescriptions.api.thing",
        },
        [("bare-operation", (*TWO, "operationId"))],
    ),
    ("a version that YAML reads as a number", {("info", "version"): 1.0}, [("unquoted-text", ("info", "version"))]),
    (
        "two mistakes in one document",
        {("info", "descripton"): "x", (*TWO, "operationId"): "lok"},
        [("unknown-field", ("info", "key:descripton")), ("unknown-operation", (*TWO, "operationId"))],
    ),
]

NOTES: list[Row] = [
    (
        "an input that nothing uses",
        {(*FLOW, "inputs", "properties", "b"): {"type": "string"}},
        [("unused-input", (*FLOW, "inputs", "properties", "b"))],
    ),
    (
        "a component that nothing uses",
        {("components",): {"successActions": COMPONENTS["successActions"]}},
        [("unused-component", ("components", "successActions", "stop"))],
    ),
    ("a retry of everything", {(*TWO, "onFailure"): [action("retry")]}, [("unguarded-retry", (*TWO, "onFailure", 0))]),
    ("a name with a space", {(*TWO, "stepId"): "step two"}, [("name-style", (*TWO, "stepId"))]),
    (
        "a source that nothing uses",
        {
            ("sourceDescriptions", 1): {"name": "more", "url": "more.yaml"},
            (*ONE, "operationId"): "$sourceDescriptions.api.thing",
            (*TWO, "operationId"): "$sourceDescriptions.api.look",
        },
        [("unused-source", ("sourceDescriptions", 1))],
    ),
]


def changed(changes: dict[Way, Any]) -> dict[str, Any]:
    document = copy.deepcopy(BASE)
    for way, value in changes.items():
        holder: Any = document
        for key in way[:-1]:
            holder = holder.setdefault(key, {}) if isinstance(holder, dict) else holder[key]
        if value is GONE:
            del holder[way[-1]]
        elif isinstance(holder, list) and way[-1] == len(holder):
            holder.append(copy.deepcopy(value))
        elif isinstance(holder, dict) and isinstance(way[-1], int):
            holder.clear()
            raise AssertionError(f"{way} leads into an object")
        elif way[-2:-1] in (("parameters",), ("onSuccess",), ("onFailure",)) and isinstance(holder, dict):
            raise AssertionError(f"{way} leads nowhere")
        else:
            holder[way[-1]] = copy.deepcopy(value)
    return document


def check(tmp_path: Path, row: Row, wanted: set[Severity]) -> None:
    _, changes, expected = row
    path = tmp_path / "flow.yaml"
    path.write_text(yaml.safe_dump(changed(changes), sort_keys=False))
    (tmp_path / "api.yaml").write_text(yaml.safe_dump(DESCRIPTION, sort_keys=False))
    more = {**DESCRIPTION, "paths": {"/more": {"get": {"operationId": "more"}}}}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(more, sort_keys=False))
    tree = read_tree(path)
    places = {
        (
            code,
            tree.key_place((*way[:-1], str(way[-1])[4:]))
            if way and str(way[-1]).startswith("key:")
            else tree.place(way),
        )
        for code, way in expected
    }
    found = [one for one in lint(path) if one.severity in wanted]
    assert {(one.code, one.place) for one in found} == places, "\n".join(
        f"{one.place} {one.code}: {one.message}" for one in found
    )
    assert all(one.message for one in found)


@pytest.mark.parametrize("row", VALID, ids=[row[0] for row in VALID])
def test_a_document_that_is_right(tmp_path: Path, row: Row) -> None:
    assert all(RULES[code].severity is not Severity.ERROR for code, _ in row[2])
    check(tmp_path, row, {Severity.ERROR, Severity.WARNING})


@pytest.mark.parametrize("row", INVALID, ids=[row[0] for row in INVALID])
def test_a_document_that_is_wrong(tmp_path: Path, row: Row) -> None:
    check(tmp_path, row, {Severity.ERROR, Severity.WARNING})


@pytest.mark.parametrize("row", NOTES, ids=[row[0] for row in NOTES])
def test_a_document_that_could_be_better(tmp_path: Path, row: Row) -> None:
    check(tmp_path, row, {Severity.NOTE})


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_our_examples_are_right(path: Path) -> None:
    assert lint(path) == []


TEXTS = [
    ("", "syntax", 1, 1),
    ("a: [1", "syntax", 2, 1),
    ("a: 1\na: 2\n", "syntax", 2, 1),
    ("[]", "not-arazzo", 1, 1),
    ("openapi: 3.1.0\n", "not-arazzo", 1, 1),
    ("arazzo: 1.0.1\ninfo: {title: a, version: '1', tilte: b}\n", "unknown-field", 2, 32),
    ('{"arazzo": "1.0.1",\n  "info": []}', "wrong-type", 2, 11),
]


@pytest.mark.parametrize(("text", "code", "line", "column"), TEXTS)
def test_places_count_from_one(tmp_path: Path, text: str, code: str, line: int, column: int) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(text)
    assert (code, line, column) in [(one.code, one.place.line, one.place.column) for one in lint(path)]


def test_a_place_inside_a_payload_is_that_of_the_text(write: Callable[..., Path]) -> None:
    body = {"payload": {"a": [{"b": "$inputs.gone"}]}}
    path = write([{"stepId": "make", "operationId": "make", "requestBody": body}])
    (found,) = [one for one in lint(path) if one.severity is Severity.ERROR]
    line = path.read_text().splitlines()[found.place.line - 1]
    assert line[found.place.column - 1 :] == "$inputs.gone"


def test_a_file_that_is_not_there() -> None:
    (found,) = lint(Path("gone.yaml"))
    assert (found.code, str(found.place)) == ("unreadable", "gone.yaml:1:1")


def test_every_code_is_found_in_some_row() -> None:
    rows = {code for row in (*VALID, *INVALID, *NOTES) for code, _ in row[2]} | {text[1] for text in TEXTS}
    in_runs = {"wrapped-root", "unresolved-output", "absent-input", "multipart-text", "loop-pacing"}
    elsewhere = {
        "unreadable",
        "missing-parameter",
        "missing-body",
        "unknown-content-type",
        "unknown-property",
        "not-runnable",
    }
    assert set(RULES) - rows == in_runs | elsewhere - rows
    assert set(LENIENCIES) <= set(RULES)


def test_what_an_operation_requires(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(
        [
            {"stepId": "a", "operationId": "p"},
            {"stepId": "b", "operationId": "p", "requestBody": {"contentType": "text/plain", "payload": "x"}},
        ]
    )
    operation = {
        "operationId": "p",
        "parameters": [{"name": "q", "in": "query", "required": True}],
        "requestBody": {"required": True, "content": {"application/*": {}}},
    }
    (tmp_path / "api.yaml").write_text(yaml.safe_dump({**DESCRIPTION, "paths": {"/p": {"post": operation}}}))
    assert [one.code for one in lint(path)] == [
        "missing-body",
        "missing-parameter",
        "missing-parameter",
        "unknown-content-type",
    ]


ANSWER = {"$ref": "#/components/schemas/Thing"}
SCHEMAS = {
    "Thing": {
        "allOf": [{"properties": {"id": {"type": "string"}}}, {"$ref": "#/components/schemas/Thing"}],
        "properties": {
            "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
            "more": {"type": "object"},
            "list": {"type": "array"},
            "open": {"properties": {"a": {}}, "additionalProperties": True},
            "one": {"oneOf": [{"properties": {"b": {}}}, {"properties": {"c": {}}}]},
        },
    }
}


@pytest.mark.parametrize(
    ("pointer", "there"),
    [
        ("/id", True),
        ("/idd", False),
        ("/id/x", False),
        ("/parts/0/parts/1/id", True),
        ("/parts/0/name", False),
        ("/parts/first", False),
        ("/list/0/x", True),
        ("/more/anything", True),
        ("/open/anything", True),
        ("/one/c", True),
        ("/one/d", False),
    ],
)
def test_pointers_into_answers(write: Callable[..., Path], tmp_path: Path, pointer: str, there: bool) -> None:
    path = write([{"stepId": "a", "operationId": "p", "outputs": {"x": f"$response.body#{pointer}"}}])
    responses = {"200": {"content": {"application/json": {"schema": ANSWER}}}}
    description = {**DESCRIPTION, "paths": {"/p": {"get": {"operationId": "p", "responses": responses}}}}
    (tmp_path / "api.yaml").write_text(yaml.safe_dump({**description, "components": {"schemas": SCHEMAS}}))
    assert [one.code for one in lint(path)] == ([] if there else ["unknown-property"])


def ran(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["arazzo", *args], prog_name="heddle")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


@pytest.fixture
def faulty(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A document with an error, a warning and a note."""
    monkeypatch.chdir(tmp_path)
    inputs = {"type": "object", "properties": {"b": {"type": "string"}}}
    write(
        [
            {"stepId": "one", "operationId": "lok"},
            {"stepId": "two", "operationId": "look", "onSuccess": [action("end"), action("end") | {"name": "b"}]},
        ],
        inputs=inputs,
    )
    return "flow.yaml"


def test_text_for_people(faulty: str) -> None:
    code, shown = ran("validate", faulty)
    assert code == 1
    assert shown.splitlines()[:2] == [
        "flow.yaml:13:18: error [unknown-operation] no source has the operation 'lok'",
        "    hint: did you mean 'look'?",
    ]
    assert shown.splitlines()[-1] == "1 file: 1 error, 1 warning"
    assert ran("lint", faulty)[1].splitlines()[-1] == "1 file: 1 error, 1 warning, 1 note"


def test_json_for_programs(faulty: str) -> None:
    report = json.loads(ran("lint", faulty, "--format", "json")[1])
    assert {name: report[name] for name in ("files", "errors", "warnings", "notes")} == {
        "files": ["flow.yaml"],
        "errors": 1,
        "warnings": 1,
        "notes": 1,
    }
    assert report["findings"][0] == {
        "file": "flow.yaml",
        "line": 13,
        "column": 18,
        "severity": "error",
        "code": "unknown-operation",
        "message": "no source has the operation 'lok'",
        "hint": "did you mean 'look'?",
    }


def test_sarif_for_code_hosts(faulty: str) -> None:
    log = json.loads(ran("lint", faulty, "--format", "sarif")[1])
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "flow.yaml"}, "region": {"startLine": 13, "startColumn": 18}}
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]


def test_annotations_for_github(faulty: str) -> None:
    first = ran("validate", faulty, "--format", "github")[1].splitlines()[0]
    assert first == (
        "::error file=flow.yaml,line=13,col=18,title=unknown-operation::"
        "no source has the operation 'lok' (did you mean 'look'?)"
    )


def test_exit_statuses(faulty: str, write: Callable[..., Path]) -> None:
    assert ran("validate", str(EXAMPLES / "text-to-image.yaml"))[0] == 0
    assert ran("validate", str(EXAMPLES / "text-to-image.yaml"), faulty)[0] == 1
    warned = str(
        write([{"stepId": "two", "operationId": "look", "onSuccess": [action("end"), action("end") | {"name": "b"}]}])
    )
    assert (ran("validate", warned)[0], ran("validate", "--strict", warned)[0]) == (0, 1)


def test_a_description_elsewhere(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write([{"stepId": "one", "operationId": "look"}])
    (tmp_path / "deep").mkdir()
    (tmp_path / "api.yaml").rename(tmp_path / "deep" / "it.yaml")
    assert ran("validate", "--strict", str(path))[0] == 1
    assert ran("validate", "--strict", str(path), "--source", f"api={tmp_path}/deep/it.yaml")[0] == 0


def test_the_page_has_every_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "arazzo-findings.md").read_text()
    rows = [f"| `{code}` | {rule.severity} | {rule.meaning} |" for code, rule in RULES.items()]
    assert [row for row in rows if row not in page] == []


def places_in(value: Any, way: Way = ()) -> list[Way]:
    children: list[tuple[Key, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [way, *(place for key, child in children for place in places_in(child, (*way, key)))]


RICH = changed(
    {
        ("components",): COMPONENTS,
        ("workflows", 1): OTHER,
        (*ONE, "onFailure"): [{"reference": "$components.failureActions.again"}],
        (*TWO, "parameters"): [{"name": "Authorization", "in": "header", "value": "Bearer {$inputs.id}"}],
        (*FLOW, "dependsOn"): ["other"],
    }
)
ODD = [
    None,
    True,
    -1,
    1.5,
    "",
    "x",
    "$steps.",
    "$inputs",
    "{$",
    "$components.parameters.who",
    [],
    [None],
    {},
    {"": None},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_nothing_that_a_document_may_hold_is_too_odd(tmp_path: Path, odd: Any) -> None:
    """Every value of a document replaced in turn: there are findings or none, and never anything else."""
    (tmp_path / "api.yaml").write_text(yaml.safe_dump(DESCRIPTION, sort_keys=False))
    for way in places_in(RICH)[1:]:
        document = copy.deepcopy(RICH)
        holder: Any = document
        for key in way[:-1]:
            holder = holder[key]
        holder[way[-1]] = odd
        for one in lint_tree(Tree("flow.yaml", json.dumps(document)), tmp_path, {}):
            assert one.place.line >= 1
            assert one.code in RULES


HOSTILE = {
    "aliases that unfold": "a: &a [x, x, x, x, x, x, x, x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 8)}]\n" for n in range(9)),
    "too deep": "[" * 10_000 + "]" * 10_000,
    "an alias of itself": "arazzo: &a [*a]",
    "a huge number": "arazzo: 1" + "0" * 10_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(text)
    assert {one.severity for one in lint(path)} == {Severity.ERROR}


def test_inputs_that_refer_to_themselves(tmp_path: Path) -> None:
    references = {"a": {"$ref": "#/components/inputs/b"}, "b": {"$ref": "#/components/inputs/a"}}
    document = changed({(*FLOW, "inputs"): {"$ref": "#/components/inputs/a"}, ("components",): {"inputs": references}})
    found = lint_tree(Tree("flow.yaml", json.dumps(document)), tmp_path, {})
    assert "bad-inputs" in {one.code for one in found}
