"""What a run is a run of: the parts of its documents, its servers and its inputs, as a journal remembers them.

Documents and operations are remembered by digest, each part on its own so that a change can be named. Inputs stand in
clear, except secrets, of which nothing is kept: they are given again, and may be others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, TypeAlias, cast

from heddle.arazzo.files import FileValue, file_value
from heddle.arazzo.masking import Secrets
from heddle.arazzo.openapi import Operation, without_user
from heddle.arazzo.plan import Plan
from heddle.arazzo.sources import Linked
from heddle.arazzo.transfers import Upload
from heddle.errors import UsageError

Facts: TypeAlias = Mapping[str, Mapping[str, Any]]
"""`parts`: digests by name; `servers`: base URLs by source; `inputs`: values by name."""

_SECRET = {"$secret": True}


def facts_of(plan: Plan, inputs: Mapping[str, Any], secrets: Secrets, uploads: tuple[Upload, ...] = ()) -> Facts:
    """Read files among the inputs: their content counts, not their name.

    Raises UsageError for an input that is neither JSON nor a file.
    """
    parts = dict(_parts(plan.linked, plan.main.id, set()))
    parts["the leniencies"] = _digest(sorted(plan.leniency.allowed))
    parts |= {f"the operation {one.id or one.path} of {one.source}": _digest(_shape(one)) for one in plan.operations()}
    files = {f"--upload {one.step}.{one.output}": _kept(one.file, secrets) for one in uploads}
    given = {name: _SECRET if plan.is_secret(name) else _input(name, value, secrets) for name, value in inputs.items()}
    return {
        "parts": parts,
        "servers": {one.source: secrets.mask(without_user(one.server)) for one in plan.operations()},
        "inputs": {**given, **files},
    }


def differences(before: Facts, after: Facts) -> list[str]:
    """What is not as it was, in words; nothing of secrets."""
    changed = [f"{name} has changed" for name in _unequal(before["parts"], after["parts"])]
    changed += [
        f"the server of {name} was {before['servers'].get(name)} and is {after['servers'].get(name)}"
        for name in _unequal(before["servers"], after["servers"])
    ]
    for name in _unequal(before["inputs"], after["inputs"]):
        was, now = (_shown(facts["inputs"], name) for facts in (before, after))
        changed.append(f"the input {name!r} was {was} and is {now}")
    return changed


def remembered(facts: Facts) -> dict[str, Any]:
    """The inputs of a run that need not be given again."""
    known: dict[str, Any] = {}
    for name, value in facts["inputs"].items():
        if not name.startswith("--upload ") and value != _SECRET:
            known[name] = _given(value)
    return known


def _parts(linked: Linked, main: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    """Digests by step and by Arazzo workflow, of the document and of those that it names."""
    tree = linked.document.tree
    name = Path(tree.name).name
    where = "" if not seen else f" of {name}"
    seen.add(tree.name)
    root = cast("dict[str, Any]", tree.value)
    yield f"the Arazzo workflow to run{where}", _digest(main)
    yield f"what the steps share{where}", _digest({key: root[key] for key in root if key not in ("workflows", "info")})
    for workflow in cast("list[dict[str, Any]]", root["workflows"]):
        own = f"the Arazzo workflow {workflow['workflowId']!r}"
        yield f"{own}{where}", _digest({key: value for key, value in workflow.items() if key != "steps"})
        for step in workflow["steps"]:
            yield f"the step {step['stepId']!r} of {own}{where}", _digest(step)
        yield f"the order of the steps of {own}{where}", _digest([step["stepId"] for step in workflow["steps"]])
    for other in linked.others.values():
        if other.document.tree.name not in seen:
            yield from _parts(other, main, seen)


def _shape(operation: Operation) -> Any:
    """How its requests look; where they go is told apart."""
    bodies = [[one.content_type, sorted(one.binary), dict(one.part_types)] for one in operation.bodies]
    return [operation.method, operation.path, sorted(map(repr, operation.parameters.values())), bodies]


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _input(name: str, value: Any, secrets: Secrets) -> Any:
    try:
        return _kept(value, secrets)
    except TypeError as error:
        raise UsageError(
            f"the input {name!r} holds {error}, which no checkpoint can keep", "give values of JSON, or paths of files"
        ) from error


def _kept(value: Any, secrets: Secrets) -> Any:
    """As it stands, unless something secret is in it. Raises TypeError for what is no JSON."""
    if isinstance(value, FileValue):
        return {"$file": str(value.path.absolute()), "sha256": hashlib.sha256(value.read()).hexdigest()}
    if isinstance(value, list):
        kept = [_kept(item, secrets) for item in cast("list[Any]", value)]
        return _SECRET if _SECRET in kept else kept
    if isinstance(value, Mapping):
        members = {str(name): _kept(member, secrets) for name, member in cast("Mapping[Any, Any]", value).items()}
        return _SECRET if _SECRET in members.values() or secrets.mask(list(members)) != list(members) else members
    if not isinstance(value, (str, int, float, bool, NoneType)):
        raise TypeError(f"a {type(value).__name__}")
    return value if secrets.mask(value) == value else _SECRET


def _given(value: Any) -> Any:
    if isinstance(value, list):
        return [_given(item) for item in cast("list[Any]", value)]
    if _is_file(value):
        return file_value(Path(value["$file"]))
    if isinstance(value, dict):
        return {name: _given(member) for name, member in cast("dict[str, Any]", value).items()}
    return value


def _unequal(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    names = dict.fromkeys((*before, *after))
    return [name for name in names if _compared(before.get(name)) != _compared(after.get(name))]


def _compared(value: Any) -> Any:
    """A file is its content, wherever it lies."""
    if isinstance(value, list):
        return [_compared(item) for item in cast("list[Any]", value)]
    if _is_file(value):
        return value["sha256"]
    if isinstance(value, dict):
        return {name: _compared(member) for name, member in cast("dict[str, Any]", value).items()}
    return value


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and set(cast("dict[str, Any]", value)) == {"$file", "sha256"}


def _shown(inputs: Mapping[str, Any], name: str) -> str:
    if name not in inputs:
        return "not given"
    value = inputs[name]
    if _is_file(value):
        return f"a file with the digest {value['sha256'][:12]}…"
    text = "secret" if value == _SECRET else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"
