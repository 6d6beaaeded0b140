"""What can be found wrong with a document: the table of codes, and a finding.

A code never changes its meaning. Leniencies are codes too: what the runner accepts is a warning here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from heddle.arazzo.leniency import LENIENCIES
from heddle.arazzo.tree import DocumentError, Place


class Severity(StrEnum):
    """An error keeps a document from running as it says; a warning does not; a note is a matter of taste."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Rule(NamedTuple):
    """One code and what it stands for."""

    severity: Severity
    meaning: str


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

RULES: dict[str, Rule] = {
    # the text
    "unreadable": Rule(_E, "the file is not there, is a folder, or is not UTF-8 text"),
    "syntax": Rule(_E, "the text is neither YAML nor JSON, has a key twice, or is too large or too deep"),
    "not-arazzo": Rule(_E, "the document has no field `arazzo`"),
    "unknown-version": Rule(_E, "a version of Arazzo other than 1.0 and 1.1"),
    # the shape
    "missing-field": Rule(_E, "a required field is missing"),
    "unknown-field": Rule(_E, "a field that the specification does not have; your own start with `x-`"),
    "newer-field": Rule(_E, "a field or a word of a later version of Arazzo than the document names"),
    "wrong-type": Rule(_E, "text where a list belongs, and the like"),
    "unquoted-text": Rule(_W, "text that YAML reads as a number or a truth value: `version: 1.0`, `condition: true`"),
    "wrong-value": Rule(_E, "a value that is none of those allowed, or does not match the required pattern"),
    "empty-list": Rule(_E, "a list that needs at least one entry has none"),
    "conflicting-fields": Rule(_E, "fields that exclude each other, such as operationId and workflowId"),
    "duplicate-name": Rule(_E, "a workflowId, a stepId or the name of a source appears twice"),
    "duplicate-item": Rule(_E, "a parameter (name and place) or the name of an action appears twice in one list"),
    "name-style": Rule(_N, "a name that the specification recommends against; letters, digits, `_` and `-` are safe"),
    "bad-inputs": Rule(_E, "the inputs are not a JSON Schema, or refer to something that is not there"),
    # what refers to what
    "unknown-source": Rule(_E, "an expression or a step names a source that the document does not have"),
    "unknown-step": Rule(_E, "a stepId that is not in this Arazzo workflow"),
    "unknown-workflow": Rule(_E, "a workflowId that is not in the document, or not in the source that is named"),
    "unknown-component": Rule(_E, "a reference to a component that is not there or has the wrong kind"),
    "undeclared-input": Rule(_E, "`$inputs.x` or an argument that the inputs do not declare"),
    "unknown-output": Rule(_E, "`$steps.a.outputs.x` where step `a` has no output `x`; the same of Arazzo workflows"),
    "never-resolves": Rule(_E, "an expression that has no value at that place in any run"),
    "missing-description": Rule(_W, "the description of a source was not found, so nothing that uses it was checked"),
    "bad-description": Rule(_E, "the description of a source cannot be read or is of another kind"),
    # what is called
    "unknown-operation": Rule(_E, "no description has the operationId, or the operationPath leads nowhere"),
    "ambiguous-operation": Rule(_E, "several sources have the operationId"),
    "missing-path-parameter": Rule(_E, "the path has a `{name}` that the step gives no value for"),
    "missing-parameter": Rule(_W, "a parameter that the operation requires is not given"),
    "unknown-parameter": Rule(_W, "a parameter that the operation does not declare"),
    "missing-body": Rule(_W, "the operation requires a body and the step gives none"),
    "unknown-content-type": Rule(_W, "a contentType that the operation does not declare"),
    "unknown-property": Rule(_W, "a pointer into an answer that no described answer of the operation has"),
    # the small languages
    "bad-expression": Rule(_E, "a text that begins like a runtime expression and is none"),
    "bad-condition": Rule(_E, "a condition that cannot be read in the language of its type"),
    "literal-expression": Rule(_W, "a text holds something that looks like an expression and is sent as it stands"),
    # where a run goes
    "unreachable-step": Rule(_W, "no way leads to this step"),
    "unreachable-action": Rule(_W, "an action before this one has no criteria and is always taken"),
    "endless-loop": Rule(_E, "steps that lead to each other and never to an end, unless one of them fails"),
    "unguarded-retry": Rule(_N, "a retry without criteria repeats every failure, wrong passwords included"),
    "circular-steps": Rule(_E, "steps that wait for each other by `dependsOn`, in a circle"),
    "circular-workflows": Rule(_E, "Arazzo workflows that depend on each other, or run each other, in a circle"),
    # taste and care
    "unused-input": Rule(_N, "an input that nothing uses"),
    "unused-source": Rule(_N, "a source that nothing uses"),
    "unused-component": Rule(_N, "a component that nothing refers to"),
    "secret-in-document": Rule(_W, "a credential is written into the document"),
    # limits of the runner
    "not-supported": Rule(_W, "correct Arazzo that `heddle run` does not carry out: what needs AsyncAPI"),
    "not-runnable": Rule(_E, "something else that `heddle run` refuses"),
    **{name: Rule(_W, f"a leniency: {meaning}") for name, meaning in LENIENCIES.items()},
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`message` says what is wrong here, `hint` what would be right."""

    code: str
    place: Place
    message: str
    hint: str = ""

    @property
    def severity(self) -> Severity:
        return RULES[self.code].severity


def of_error(error: DocumentError) -> Finding:
    place = error.place if isinstance(error.place, Place) else Place(error.place, 1, 1)
    return Finding(error.code, place, error.problem, error.hint)
