"""The rules of the schemas of Arazzo 1.0 and 1.1, one by one: a document that keeps each, and one that breaks it.

A row is a rule, the versions that have it, what is put into a small document to keep it, what to break it, and the code
that the second is refused with. `heddle arazzo validate` must find no error in the first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from arazzo_stub import DESCRIPTION

from heddle.arazzo.findings import Severity
from heddle.arazzo.lint import lint_tree
from heddle.arazzo.tree import Tree

GONE = object()
OLD, NEW = "1.0.1", "1.1.0"
BOTH = (OLD, NEW)

Changes = dict[str, Any]


class Rule(NamedTuple):
    """`right` and `wrong` say what is put where: keys and indexes with slashes between them."""

    name: str
    versions: tuple[str, ...]
    right: Changes
    wrong: Changes
    code: str


FLOW, STEP, BODY = "workflows/0", "workflows/0/steps/0", "workflows/0/steps/0/requestBody"
SEND: Changes = {f"{STEP}/operationId": "make"}
THING: Changes = {f"{STEP}/operationId": "thing"}
PATH = {"name": "id", "in": "path", "value": "7"}
GOTO = {"name": "g", "type": "goto", "stepId": "b", "criteria": [{"condition": "$statusCode == 200"}]}
RETRY = {"name": "r", "type": "retry", "criteria": [{"condition": "$statusCode == 503"}]}
OTHER = {"workflowId": "other", "steps": [{"stepId": "o", "operationId": "look"}]}
TAKES = {**OTHER, "inputs": {"type": "object", "properties": {"n": {}}}, "outputs": {"n": "$inputs.n"}}
JSON = {"context": "$response.body", "condition": "$.a"}
XML = {"context": "$response.body", "condition": "/a"}
DRAFT = "draft-goessner-dispatch-jsonpath-00"
SELECTOR = {"context": "$response.body", "selector": "$.a", "type": "jsonpath"}
RUNS: Changes = {f"{STEP}/operationId": GONE, f"{STEP}/workflowId": "other", "workflows/1": OTHER}


def typed(criterion: dict[str, Any], kind: Any) -> Changes:
    return {f"{STEP}/successCriteria": [{**criterion, "type": kind}]}


def version(kind: str, number: str) -> dict[str, str]:
    return {"type": kind, "version": number}


def output(selector: Any) -> Changes:
    return {f"{STEP}/outputs": {"x": selector}}


def replacement(**fields: Any) -> Changes:
    return {**SEND, BODY: {"payload": {"a": 1}, "replacements": [{"target": "/a", "value": 2, **fields}]}}


DOCUMENT = [
    Rule("arazzo is required", BOTH, {}, {"arazzo": GONE}, "not-arazzo"),
    Rule("arazzo is a version of 1.0", (OLD,), {"arazzo": "1.0.0"}, {"arazzo": "1.0"}, "unknown-version"),
    Rule("arazzo is a version of 1.1", (NEW,), {"arazzo": "1.1.7-beta"}, {"arazzo": "1.2.0"}, "unknown-version"),
    Rule("info is required", BOTH, {}, {"info": GONE}, "missing-field"),
    Rule("info is an object", BOTH, {}, {"info": []}, "wrong-type"),
    Rule("info.title is required", BOTH, {}, {"info/title": GONE}, "missing-field"),
    Rule("info.title is text", BOTH, {"info/title": "t"}, {"info/title": ["t"]}, "wrong-type"),
    Rule("info.version is required", BOTH, {}, {"info/version": GONE}, "missing-field"),
    Rule("info.summary is text", BOTH, {"info/summary": "s"}, {"info/summary": {}}, "wrong-type"),
    Rule("info.description is text", BOTH, {"info/description": "d"}, {"info/description": []}, "wrong-type"),
    Rule("info has no other fields", BOTH, {"info/x-a": 1}, {"info/a": 1}, "unknown-field"),
    Rule("the document has no other fields", BOTH, {"x-a": []}, {"paths": {}}, "unknown-field"),
    Rule("$self came with 1.1", (OLD,), {}, {"$self": "https://example.org/a"}, "newer-field"),
    Rule("$self has no fragment", (NEW,), {"$self": "https://example.org/a"}, {"$self": "a.yaml#b"}, "wrong-value"),
]

SOURCES = [
    Rule("sourceDescriptions is required", BOTH, {}, {"sourceDescriptions": GONE}, "missing-field"),
    Rule("sourceDescriptions is a list", BOTH, {}, {"sourceDescriptions": {}}, "wrong-type"),
    Rule("sourceDescriptions has an entry", BOTH, {}, {"sourceDescriptions": []}, "empty-list"),
    Rule("a source has a name", BOTH, {}, {"sourceDescriptions/0/name": GONE}, "missing-field"),
    Rule("a source has a url", BOTH, {}, {"sourceDescriptions/0/url": GONE}, "missing-field"),
    Rule(
        "a url is a reference",
        BOTH,
        {"sourceDescriptions/0/url": "./api.yaml"},
        {"sourceDescriptions/0/url": "a b"},
        "wrong-value",
    ),
    Rule("the name of a source", BOTH, {}, {"sourceDescriptions/0/name": "a.b"}, "wrong-value"),
    Rule(
        "the type of a source",
        BOTH,
        {"sourceDescriptions/0/type": GONE},
        {"sourceDescriptions/0/type": "wsdl"},
        "wrong-value",
    ),
    Rule("asyncapi came with 1.1", (OLD,), {}, {"sourceDescriptions/0/type": "asyncapi"}, "newer-field"),
    Rule(
        "a source has no other fields",
        BOTH,
        {"sourceDescriptions/0/x-a": 1},
        {"sourceDescriptions/0/a": 1},
        "unknown-field",
    ),
    Rule(
        "sources have different names",
        BOTH,
        {},
        {"sourceDescriptions/1": {"name": "api", "url": "api.yaml"}},
        "duplicate-name",
    ),
]

WORKFLOWS = [
    Rule("workflows is required", BOTH, {}, {"workflows": GONE}, "missing-field"),
    Rule("workflows has an entry", BOTH, {}, {"workflows": []}, "empty-list"),
    Rule("a workflow has an id", BOTH, {}, {f"{FLOW}/workflowId": GONE}, "missing-field"),
    Rule("a workflowId is text", BOTH, {f"{FLOW}/workflowId": "m"}, {f"{FLOW}/workflowId": None}, "wrong-type"),
    Rule(
        "workflowIds are unique",
        BOTH,
        {"workflows/1": OTHER},
        {"workflows/1": {**OTHER, "workflowId": "main"}},
        "duplicate-name",
    ),
    Rule("a workflow has steps", BOTH, {}, {f"{FLOW}/steps": GONE}, "missing-field"),
    Rule("steps has an entry", BOTH, {}, {f"{FLOW}/steps": []}, "empty-list"),
    Rule(
        "inputs are a JSON Schema",
        BOTH,
        {f"{FLOW}/inputs": {"type": "object"}},
        {f"{FLOW}/inputs": {"type": "thing"}},
        "bad-inputs",
    ),
    Rule("inputs are no text", BOTH, {f"{FLOW}/inputs": {}}, {f"{FLOW}/inputs": "object"}, "bad-inputs"),
    Rule(
        "dependsOn is a list",
        BOTH,
        {"workflows/1": OTHER, f"{FLOW}/dependsOn": ["other"]},
        {f"{FLOW}/dependsOn": "other"},
        "wrong-type",
    ),
    Rule("dependsOn holds texts", BOTH, {}, {f"{FLOW}/dependsOn": [{}]}, "wrong-type"),
    Rule(
        "dependsOn names each once",
        BOTH,
        {},
        {"workflows/1": OTHER, f"{FLOW}/dependsOn": ["other", "other"]},
        "duplicate-item",
    ),
    Rule("outputs of a workflow is a map", BOTH, {f"{FLOW}/outputs": {}}, {f"{FLOW}/outputs": []}, "wrong-type"),
    Rule("names of outputs", BOTH, output("$statusCode"), {f"{STEP}/outputs": {"a b": "$statusCode"}}, "wrong-value"),
    Rule("a workflow has no other fields", BOTH, {f"{FLOW}/x-a": 1}, {f"{FLOW}/step": []}, "unknown-field"),
    Rule(
        "successActions of a workflow",
        BOTH,
        {f"{FLOW}/successActions": [{"name": "e", "type": "end"}]},
        {f"{FLOW}/successActions": [{"name": "e"}]},
        "missing-field",
    ),
    Rule(
        "failureActions of a workflow",
        BOTH,
        {f"{FLOW}/failureActions": [RETRY]},
        {f"{FLOW}/failureActions": [{"type": "end"}]},
        "missing-field",
    ),
    Rule("parameters of a workflow differ", BOTH, {}, {**THING, f"{FLOW}/parameters": [PATH, PATH]}, "duplicate-item"),
]

STEPS = [
    Rule("a step has an id", BOTH, {}, {f"{STEP}/stepId": GONE}, "missing-field"),
    Rule("stepIds are unique", BOTH, {}, {f"{FLOW}/steps/1/stepId": "a"}, "duplicate-name"),
    Rule("a step has a target", BOTH, {}, {f"{STEP}/operationId": GONE}, "missing-field"),
    Rule(
        "operationId or operationPath",
        BOTH,
        {f"{STEP}/operationId": GONE, f"{STEP}/operationPath": "{$sourceDescriptions.api.url}#/paths/~1look/get"},
        {f"{STEP}/operationPath": "{$sourceDescriptions.api.url}#/paths/~1look/get"},
        "conflicting-fields",
    ),
    Rule(
        "operationId or workflowId",
        BOTH,
        RUNS,
        {f"{STEP}/workflowId": "other", "workflows/1": OTHER},
        "conflicting-fields",
    ),
    Rule("a step that runs a workflow sends no body", BOTH, RUNS, {**RUNS, BODY: {"payload": 1}}, "conflicting-fields"),
    Rule("a step has no other fields", BOTH, {f"{STEP}/x-a": 1}, {f"{STEP}/operationid": "look"}, "unknown-field"),
    Rule(
        "the description of a step is text",
        BOTH,
        {f"{STEP}/description": "d"},
        {f"{STEP}/description": []},
        "wrong-type",
    ),
    Rule(
        "successCriteria is not empty",
        BOTH,
        {f"{STEP}/successCriteria": [{"condition": "true"}]},
        {f"{STEP}/successCriteria": []},
        "empty-list",
    ),
    Rule(
        "successCriteria differ",
        BOTH,
        {},
        {f"{STEP}/successCriteria": [{"condition": "true"}, {"condition": "true"}]},
        "duplicate-item",
    ),
    Rule("an output is text", (OLD,), output("$response.body"), output(SELECTOR), "wrong-type"),
    Rule("an output is no list", BOTH, output("$response.body"), output(["$response.body"]), "wrong-type"),
    Rule("timeout came with 1.1", (OLD,), {}, {f"{STEP}/timeout": 5}, "newer-field"),
    Rule("timeout is a whole number", (NEW,), {f"{STEP}/timeout": 5}, {f"{STEP}/timeout": 5.5}, "wrong-value"),
    Rule("timeout is no text", (NEW,), {f"{STEP}/timeout": 0}, {f"{STEP}/timeout": "PT5S"}, "wrong-type"),
    Rule("dependsOn of a step came with 1.1", (OLD,), {}, {f"{FLOW}/steps/1/dependsOn": ["a"]}, "newer-field"),
    Rule(
        "dependsOn of a step is not empty",
        (NEW,),
        {f"{FLOW}/steps/1/dependsOn": ["a"]},
        {f"{FLOW}/steps/1/dependsOn": []},
        "empty-list",
    ),
    Rule(
        "dependsOn of a step names each once", (NEW,), {}, {f"{FLOW}/steps/1/dependsOn": ["a", "a"]}, "duplicate-item"
    ),
    Rule(
        "dependsOn of a step names a step",
        (NEW,),
        {f"{FLOW}/steps/1/dependsOn": ["$steps.a"]},
        {f"{FLOW}/steps/1/dependsOn": ["$step.a"]},
        "bad-expression",
    ),
]

#: What is right here needs AsyncAPI: a warning says that it is not carried out, and there is no error.
MESSAGES = [
    Rule("channelPath came with 1.1", (OLD,), {}, {f"{STEP}/channelPath": "x"}, "newer-field"),
    Rule(
        "operationId or channelPath",
        (NEW,),
        {f"{STEP}/operationId": GONE, f"{STEP}/channelPath": "x", f"{STEP}/action": "send"},
        {f"{STEP}/channelPath": "x", f"{STEP}/action": "send"},
        "conflicting-fields",
    ),
    Rule(
        "a channel needs an action",
        (NEW,),
        {},
        {f"{STEP}/operationId": GONE, f"{STEP}/channelPath": "x"},
        "missing-field",
    ),
    Rule(
        "an action is send or receive",
        (NEW,),
        {f"{STEP}/action": "receive"},
        {f"{STEP}/action": "publish"},
        "wrong-value",
    ),
    Rule(
        "correlationId is for receive",
        (NEW,),
        {f"{STEP}/action": "receive", f"{STEP}/correlationId": "c"},
        {f"{STEP}/action": "send", f"{STEP}/correlationId": "c"},
        "conflicting-fields",
    ),
    Rule("a workflow has no action", (NEW,), RUNS, {**RUNS, f"{STEP}/action": "send"}, "conflicting-fields"),
    Rule(
        "a workflow has no channel",
        (NEW,),
        RUNS,
        {**RUNS, f"{STEP}/channelPath": "x", f"{STEP}/action": "send"},
        "conflicting-fields",
    ),
]

PARAMETERS = [
    Rule(
        "a parameter has a name",
        BOTH,
        {**THING, f"{STEP}/parameters": [PATH]},
        {**THING, f"{STEP}/parameters": [{"in": "path", "value": 1}]},
        "missing-field",
    ),
    Rule(
        "a parameter has a value",
        BOTH,
        {**THING, f"{STEP}/parameters": [{**PATH, "value": None}]},
        {**THING, f"{STEP}/parameters": [{"name": "id", "in": "path"}]},
        "missing-field",
    ),
    Rule(
        "the place of a parameter",
        BOTH,
        {**THING, f"{STEP}/parameters": [PATH]},
        {**THING, f"{STEP}/parameters": [{**PATH, "in": "body"}]},
        "wrong-value",
    ),
    Rule(
        "a parameter of an operation has a place",
        BOTH,
        {**THING, f"{STEP}/parameters": [PATH]},
        {f"{STEP}/parameters": [{"name": "q", "value": 1}]},
        "missing-field",
    ),
    Rule(
        "an input of a workflow has none",
        BOTH,
        {**RUNS, "workflows/1": TAKES, f"{STEP}/parameters": [{"name": "n", "value": 1}]},
        {**RUNS, f"{STEP}/parameters": [{"value": 1}]},
        "missing-field",
    ),
    Rule(
        "parameters differ in name and place",
        BOTH,
        {**THING, f"{STEP}/parameters": [PATH, {"name": "id", "in": "cookie", "value": 1}]},
        {**THING, f"{STEP}/parameters": [PATH, PATH]},
        "duplicate-item",
    ),
    Rule(
        "a parameter has no other fields",
        BOTH,
        {**THING, f"{STEP}/parameters": [{**PATH, "x-a": 1}]},
        {**THING, f"{STEP}/parameters": [{**PATH, "style": "form"}]},
        "unknown-field",
    ),
    Rule(
        "querystring came with 1.1",
        (OLD,),
        {},
        {f"{STEP}/parameters": [{"name": "q", "in": "querystring", "value": "a=1"}]},
        "newer-field",
    ),
    Rule(
        "a querystring has a value",
        (NEW,),
        {f"{STEP}/parameters": [{"name": "q", "in": "querystring", "value": "a=1"}]},
        {f"{STEP}/parameters": [{"name": "q", "in": "querystring"}]},
        "missing-field",
    ),
    Rule(
        "a Selector Object as a value is whole",
        (NEW,),
        {
            **THING,
            f"{STEP}/parameters": [{**PATH, "value": {**SELECTOR, "context": "$inputs.i"}}],
            f"{FLOW}/inputs": {"properties": {"i": {}}},
        },
        {**THING, f"{STEP}/parameters": [{**PATH, "value": {"selector": "$.a", "type": "jsonpath"}}]},
        "missing-field",
    ),
]

BODIES = [
    Rule("requestBody is an object", BOTH, {**SEND, BODY: {}}, {**SEND, BODY: "x"}, "wrong-type"),
    Rule(
        "contentType is text",
        BOTH,
        {**SEND, BODY: {"contentType": "text/plain"}},
        {**SEND, BODY: {"contentType": []}},
        "wrong-type",
    ),
    Rule(
        "requestBody has no other fields",
        BOTH,
        {**SEND, BODY: {"x-a": 1}},
        {**SEND, BODY: {"content": {}}},
        "unknown-field",
    ),
    Rule("replacements is a list", BOTH, replacement(), {**SEND, BODY: {"replacements": {}}}, "wrong-type"),
    Rule(
        "a replacement has a target",
        BOTH,
        replacement(),
        {**SEND, BODY: {"replacements": [{"value": 1}]}},
        "missing-field",
    ),
    Rule(
        "a replacement has a value",
        BOTH,
        replacement(value=None),
        {**SEND, BODY: {"replacements": [{"target": "/a"}]}},
        "missing-field",
    ),
    Rule("a replacement has no other fields", BOTH, replacement(**{"x-a": 1}), replacement(op="add"), "unknown-field"),
    Rule(
        "replacements differ",
        BOTH,
        {},
        {**SEND, BODY: {"payload": {}, "replacements": [{"target": "/a", "value": 1}] * 2}},
        "duplicate-item",
    ),
    Rule("targetSelectorType came with 1.1", (OLD,), {}, replacement(targetSelectorType="jsonpointer"), "newer-field"),
    Rule(
        "targetSelectorType is a type",
        (NEW,),
        replacement(targetSelectorType="jsonpointer"),
        replacement(targetSelectorType="regex"),
        "wrong-value",
    ),
    Rule(
        "targetSelectorType has a version",
        (NEW,),
        replacement(target="$.a", targetSelectorType=version("jsonpath", "rfc9535")),
        replacement(target="$.a", targetSelectorType={"type": "jsonpath"}),
        "missing-field",
    ),
    Rule(
        "a target is one of its type",
        (NEW,),
        replacement(target="$.a", targetSelectorType="jsonpath"),
        replacement(targetSelectorType="jsonpath"),
        "wrong-value",
    ),
]

CRITERIA = [
    Rule(
        "a criterion has a condition",
        BOTH,
        {f"{STEP}/successCriteria": [{"condition": "true"}]},
        {f"{STEP}/successCriteria": [{"context": "$response.body"}]},
        "missing-field",
    ),
    Rule("a condition is text", BOTH, {}, {f"{STEP}/successCriteria": [{"condition": ["true"]}]}, "wrong-type"),
    Rule(
        "a type needs a context",
        BOTH,
        typed(JSON, "jsonpath"),
        typed({"condition": "$.a"}, "jsonpath"),
        "missing-field",
    ),
    Rule("a regex needs a context", BOTH, typed(JSON, "regex"), typed({"condition": "a"}, "regex"), "missing-field"),
    Rule("the types of criteria", BOTH, typed({"condition": "true"}, "simple"), typed(JSON, "jmespath"), "wrong-value"),
    Rule("jsonpointer is no plain type", BOTH, {}, typed({**JSON, "condition": "/a"}, "jsonpointer"), "wrong-value"),
    Rule(
        "an Expression Type has a type",
        BOTH,
        typed(XML, version("xpath", "xpath-30")),
        typed(XML, {"version": "xpath-30"}),
        "missing-field",
    ),
    Rule(
        "an Expression Type has a version",
        BOTH,
        typed(XML, version("xpath", "xpath-10")),
        typed(XML, {"type": "xpath"}),
        "missing-field",
    ),
    Rule(
        "the types of Expression Types",
        BOTH,
        typed(XML, version("xpath", "xpath-20")),
        typed(JSON, version("regex", "1")),
        "wrong-value",
    ),
    Rule(
        "the versions of JSONPath",
        BOTH,
        typed(JSON, version("jsonpath", DRAFT)),
        typed(JSON, version("jsonpath", "2")),
        "wrong-value",
    ),
    Rule(
        "the versions of XPath",
        BOTH,
        typed(XML, version("xpath", "xpath-30")),
        typed(XML, version("xpath", "30")),
        "wrong-value",
    ),
    Rule("rfc9535 came with 1.1", (OLD,), {}, typed(JSON, version("jsonpath", "rfc9535")), "newer-field"),
    Rule(
        "rfc9535 is a version",
        (NEW,),
        typed(JSON, version("jsonpath", "rfc9535")),
        typed(JSON, version("jsonpath", "9535")),
        "wrong-value",
    ),
    Rule("xpath-31 came with 1.1", (OLD,), {}, typed(XML, version("xpath", "xpath-31")), "newer-field"),
    Rule(
        "xpath-31 is a version",
        (NEW,),
        typed(XML, version("xpath", "xpath-31")),
        typed(XML, version("xpath", "xpath-40")),
        "wrong-value",
    ),
    Rule(
        "the version of JSON Pointer",
        (NEW,),
        typed({**JSON, "condition": "/a"}, version("jsonpointer", "rfc6901")),
        typed({**JSON, "condition": "/a"}, version("jsonpointer", "1")),
        "wrong-value",
    ),
    Rule(
        "a criterion has no other fields",
        BOTH,
        {f"{STEP}/successCriteria": [{"condition": "true", "x-a": 1}]},
        {f"{STEP}/successCriteria": [{"condition": "true", "name": "x"}]},
        "unknown-field",
    ),
]

SELECTORS = [
    Rule(
        "a Selector Object has a context",
        (NEW,),
        output(SELECTOR),
        output({"selector": "$.a", "type": "jsonpath"}),
        "missing-field",
    ),
    Rule(
        "a Selector Object has a selector",
        (NEW,),
        output(SELECTOR),
        output({"context": "$response.body", "type": "jsonpath"}),
        "missing-field",
    ),
    Rule(
        "a Selector Object has a type",
        (NEW,),
        output(SELECTOR),
        output({"context": "$response.body", "selector": "$.a"}),
        "missing-field",
    ),
    Rule(
        "the types of Selector Objects",
        (NEW,),
        output({**SELECTOR, "selector": "/a", "type": "jsonpointer"}),
        output({**SELECTOR, "type": "simple"}),
        "wrong-value",
    ),
    Rule(
        "a Selector Object has no other fields",
        (NEW,),
        output({**SELECTOR, "x-a": 1}),
        output({**SELECTOR, "name": "a"}),
        "unknown-field",
    ),
    Rule(
        "the version of a Selector Object",
        (NEW,),
        output({**SELECTOR, "type": version("jsonpath", DRAFT)}),
        output({**SELECTOR, "type": version("xpath", "1.0")}),
        "wrong-value",
    ),
    Rule(
        "a selector is one of its type",
        (NEW,),
        output({**SELECTOR, "selector": "/a", "type": "xpath"}),
        output({**SELECTOR, "selector": "/a"}),
        "bad-condition",
    ),
    Rule(
        "a context is an expression",
        (NEW,),
        output(SELECTOR),
        output({**SELECTOR, "context": "body"}),
        "bad-expression",
    ),
]

ACTIONS = [
    Rule(
        "an action has a name",
        BOTH,
        {f"{STEP}/onSuccess": [GOTO]},
        {f"{STEP}/onSuccess": [{"type": "end"}]},
        "missing-field",
    ),
    Rule(
        "an action has a type",
        BOTH,
        {f"{STEP}/onFailure": [RETRY]},
        {f"{STEP}/onFailure": [{"name": "x"}]},
        "missing-field",
    ),
    Rule(
        "the types of success actions",
        BOTH,
        {f"{STEP}/onSuccess": [{"name": "e", "type": "end"}]},
        {f"{STEP}/onSuccess": [{"name": "e", "type": "stop"}]},
        "wrong-value",
    ),
    Rule(
        "the types of failure actions",
        BOTH,
        {f"{STEP}/onFailure": [{"name": "e", "type": "end"}]},
        {f"{STEP}/onFailure": [{"name": "e", "type": "continue"}]},
        "wrong-value",
    ),
    Rule(
        "a goto has a target",
        BOTH,
        {f"{STEP}/onSuccess": [GOTO]},
        {f"{STEP}/onSuccess": [{"name": "g", "type": "goto"}]},
        "missing-field",
    ),
    Rule(
        "a goto has one target",
        BOTH,
        {"workflows/1": OTHER, f"{STEP}/onSuccess": [{"name": "g", "type": "goto", "workflowId": "other"}]},
        {"workflows/1": OTHER, f"{STEP}/onSuccess": [{**GOTO, "workflowId": "other"}]},
        "conflicting-fields",
    ),
    Rule(
        "criteria of a success action are not empty",
        BOTH,
        {},
        {f"{STEP}/onSuccess": [{**GOTO, "criteria": []}]},
        "empty-list",
    ),
    Rule(
        "criteria of an action differ",
        BOTH,
        {},
        {f"{STEP}/onFailure": [{**RETRY, "criteria": RETRY["criteria"] * 2}]},
        "duplicate-item",
    ),
    Rule("actions differ", BOTH, {}, {f"{STEP}/onFailure": [RETRY, RETRY]}, "duplicate-item"),
    Rule(
        "retryAfter is a number",
        BOTH,
        {f"{STEP}/onFailure": [{**RETRY, "retryAfter": 0.5}]},
        {f"{STEP}/onFailure": [{**RETRY, "retryAfter": "1s"}]},
        "wrong-type",
    ),
    Rule(
        "retryAfter is not negative",
        BOTH,
        {f"{STEP}/onFailure": [{**RETRY, "retryAfter": 0}]},
        {f"{STEP}/onFailure": [{**RETRY, "retryAfter": -1}]},
        "wrong-value",
    ),
    Rule(
        "retryLimit is a whole number",
        BOTH,
        {f"{STEP}/onFailure": [{**RETRY, "retryLimit": 3}]},
        {f"{STEP}/onFailure": [{**RETRY, "retryLimit": 1.5}]},
        "wrong-value",
    ),
    Rule(
        "retryLimit is not negative",
        BOTH,
        {f"{STEP}/onFailure": [{**RETRY, "retryLimit": 0}]},
        {f"{STEP}/onFailure": [{**RETRY, "retryLimit": -1}]},
        "wrong-value",
    ),
    Rule(
        "a success action has no retryAfter",
        BOTH,
        {},
        {f"{STEP}/onSuccess": [{**GOTO, "retryAfter": 1}]},
        "unknown-field",
    ),
    Rule(
        "an action has no other fields",
        BOTH,
        {f"{STEP}/onSuccess": [{**GOTO, "x-a": 1}]},
        {f"{STEP}/onSuccess": [{**GOTO, "step": "b"}]},
        "unknown-field",
    ),
    Rule(
        "parameters of actions came with 1.1",
        (OLD,),
        {},
        {f"{STEP}/onSuccess": [{**GOTO, "parameters": []}]},
        "newer-field",
    ),
    Rule(
        "parameters of an action need a workflow",
        (NEW,),
        {
            "workflows/1": TAKES,
            f"{STEP}/onSuccess": [
                {"name": "g", "type": "goto", "workflowId": "other", "parameters": [{"name": "n", "value": 1}]}
            ],
        },
        {f"{STEP}/onSuccess": [{**GOTO, "parameters": [{"name": "n", "value": 1}]}]},
        "conflicting-fields",
    ),
    Rule(
        "parameters of an action have no place",
        (NEW,),
        {},
        {
            "workflows/1": TAKES,
            f"{STEP}/onSuccess": [
                {
                    "name": "g",
                    "type": "goto",
                    "workflowId": "other",
                    "parameters": [{"name": "n", "in": "query", "value": 1}],
                }
            ],
        },
        "unknown-field",
    ),
    Rule(
        "parameters of an action differ",
        (NEW,),
        {},
        {
            "workflows/1": TAKES,
            f"{STEP}/onSuccess": [
                {"name": "g", "type": "goto", "workflowId": "other", "parameters": [{"name": "n", "value": 1}] * 2}
            ],
        },
        "duplicate-item",
    ),
]

WHO = {"parameters": {"who": PATH}}
COMPONENTS = [
    Rule("components is an object", BOTH, {"components": {}}, {"components": []}, "wrong-type"),
    Rule(
        "components has no other fields",
        BOTH,
        {"components": {"x-a": 1}},
        {"components": {"schemas": {}}},
        "unknown-field",
    ),
    Rule(
        "names of components",
        BOTH,
        {"components": {"parameters": {"a.b-c_D1": PATH}}},
        {"components": {"parameters": {"a/b": PATH}}},
        "wrong-value",
    ),
    Rule(
        "inputs of components are schemas",
        BOTH,
        {"components": {"inputs": {"i": {"type": "string"}}}},
        {"components": {"inputs": {"i": "string"}}},
        "bad-inputs",
    ),
    Rule(
        "parameters of components",
        BOTH,
        {"components": WHO},
        {"components": {"parameters": {"who": {"name": "id"}}}},
        "missing-field",
    ),
    Rule(
        "successActions of components",
        BOTH,
        {"components": {"successActions": {"e": {"name": "e", "type": "end"}}}},
        {"components": {"successActions": {"e": {"name": "e", "type": "retry", "retryAfter": 1}}}},
        "unknown-field",
    ),
    Rule(
        "failureActions of components",
        BOTH,
        {"components": {"failureActions": {"r": RETRY}}},
        {"components": {"failureActions": {"r": {**RETRY, "retryAfter": -1}}}},
        "wrong-value",
    ),
    Rule(
        "a reference leads to a component",
        BOTH,
        {**THING, "components": WHO, f"{STEP}/parameters": [{"reference": "$components.parameters.who"}]},
        {**THING, "components": WHO, f"{STEP}/parameters": [{"reference": "$components.parameters.me"}]},
        "unknown-component",
    ),
    Rule(
        "a reference leads to its own kind",
        BOTH,
        {**THING, "components": WHO, f"{STEP}/parameters": [{"reference": "$components.parameters.who", "value": 5}]},
        {"components": WHO, f"{STEP}/onSuccess": [{"reference": "$components.parameters.who"}]},
        "unknown-component",
    ),
    Rule(
        "a reference is text",
        BOTH,
        {**THING, "components": WHO, f"{STEP}/parameters": [{"reference": "$components.parameters.who", "more": 1}]},
        {**THING, f"{STEP}/parameters": [{"reference": {}}]},
        "wrong-type",
    ),
]

TABLE = [
    *(*DOCUMENT, *SOURCES, *WORKFLOWS, *STEPS, *MESSAGES),
    *(*PARAMETERS, *BODIES, *CRITERIA, *SELECTORS, *ACTIONS, *COMPONENTS),
]
ROWS = [pytest.param(rule, number, id=f"{number}-{rule.name}") for rule in TABLE for number in rule.versions]


def document(number: str, changes: Changes) -> dict[str, Any]:
    made: dict[str, Any] = {
        "arazzo": number,
        "info": {"title": "A test", "version": "1"},
        "sourceDescriptions": [{"name": "api", "url": "api.yaml", "type": "openapi"}],
        "workflows": [
            {
                "workflowId": "main",
                "steps": [{"stepId": "a", "operationId": "look"}, {"stepId": "b", "operationId": "look"}],
            }
        ],
    }
    for way, value in changes.items():
        put(made, way.split("/"), value)
    thing = made.get("workflows") and made["workflows"][0].get("steps") and made["workflows"][0]["steps"][0]
    if thing and thing.get("operationId") == "thing" and "parameters" not in thing:
        thing["parameters"] = [PATH]
    return json.loads(json.dumps(made))


def put(made: Any, keys: list[str], value: Any) -> None:
    key: Any = int(keys[0]) if isinstance(made, list) else keys[0]
    if len(keys) > 1:
        put(made[key], keys[1:], value)
    elif value is GONE:
        del made[key]
    elif isinstance(made, list) and key == len(made):
        made.append(value)
    else:
        made[key] = value


def errors(tmp_path: Path, made: dict[str, Any]) -> dict[str, str]:
    """The codes of all errors, each with its place."""
    (tmp_path / "api.yaml").write_text(yaml.safe_dump(DESCRIPTION))
    found = lint_tree(Tree("flow.yaml", yaml.safe_dump(made, sort_keys=False)), tmp_path, {})
    return {one.code: f"{one.place}: {one.message}" for one in found if one.severity is Severity.ERROR}


@pytest.mark.parametrize(("rule", "number"), ROWS)
def test_a_document_that_keeps_it(tmp_path: Path, rule: Rule, number: str) -> None:
    assert errors(tmp_path, document(number, rule.right)) == {}


@pytest.mark.parametrize(("rule", "number"), ROWS)
def test_a_document_that_breaks_it(tmp_path: Path, rule: Rule, number: str) -> None:
    assert rule.code in errors(tmp_path, document(number, rule.wrong))


def test_rules_have_different_names() -> None:
    assert len({rule.name for rule in TABLE}) == len(TABLE) >= 62
