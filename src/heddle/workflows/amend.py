"""Amend: update, patch, cancel and delete a workflow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jsonpatch  # type: ignore[import-untyped]
import jsonpointer  # type: ignore[import-untyped]

from heddle.contract.base import validate
from heddle.contract.orchestration import WorkflowUpdate
from heddle.db import Tx
from heddle.domain import Status, Workflow
from heddle.errors import HeddleError, InvalidRequest, NotFound
from heddle.workflows import rows
from heddle.workflows.advance import end

_PATH = re.compile(r"/status|/tags(/(\d{1,4}|-))?")
_TAG = re.compile(r"/tags/(\d{1,4}|-)")
#: As many as a submit may give.
_TAGS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """An account wants a workflow changed: by an update, or by JSON Patch operations."""

    account_id: int
    workflow_id: str
    at: datetime
    update: WorkflowUpdate | None = None
    patch: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """An account wants a workflow gone."""

    account_id: int
    workflow_id: str
    at: datetime


def amend(tx: Tx, items: Sequence[Amendment]) -> list[Workflow | HeddleError]:
    """Change workflows one after the other; each outcome is the workflow as it is then."""
    rows.lock(tx, [item.workflow_id for item in items])
    outcomes: dict[int, Workflow | HeddleError] = {}
    for turn in _turns(items):
        outcomes |= _amend(tx, turn)
    return [outcomes[i] for i in range(len(items))]


def delete(tx: Tx, items: Sequence[Deletion]) -> list[HeddleError | None]:
    """Cancel what runs and hide the workflows."""
    rows.lock(tx, [item.workflow_id for item in items])
    found = [_found(tx, item) for item in items]
    mine = {w.id: w for w in found if isinstance(w, Workflow)}
    if mine:
        at = max(item.at for item in items)
        _cancel(tx, list(mine.values()), at)
        rows.delete(tx, sorted(mine), at)
    return [None if isinstance(w, Workflow) else w for w in found]


def _turns(items: Sequence[Amendment]) -> list[dict[int, Amendment]]:
    """The items by their places, in lists that have no workflow twice: what comes later sees what came before."""
    turns: list[dict[int, Amendment]] = []
    count: Counter[str] = Counter()
    for i, item in enumerate(items):
        if count[item.workflow_id] == len(turns):
            turns.append({})
        turns[count[item.workflow_id]][i] = item
        count[item.workflow_id] += 1
    return turns


def _amend(tx: Tx, items: Mapping[int, Amendment]) -> dict[int, Workflow | HeddleError]:
    decided = {i: _decide(tx, item) for i, item in items.items()}
    refused: dict[int, Workflow | HeddleError] = {i: d for i, d in decided.items() if isinstance(d, HeddleError)}
    wanted = {i: d for i, d in decided.items() if not isinstance(d, HeddleError)}
    for workflow, update in wanted.values():
        if update.tags is not None:
            rows.set_tags(tx, workflow, list(dict.fromkeys(update.tags)))
    # Together, because each table is taken once: queue, then balances.
    _cancel(tx, [w for w, update in wanted.values() if update.status is not None], max(i.at for i in items.values()))
    now = {w.id: w for w in rows.get(tx, [w.id for w, _ in wanted.values()])}
    return refused | {i: now[w.id] for i, (w, _) in wanted.items()}


def _decide(tx: Tx, item: Amendment) -> tuple[Workflow, WorkflowUpdate] | HeddleError:
    try:
        workflow = _mine(tx, item.account_id, item.workflow_id)
        return workflow, item.update or _patched(workflow, item.patch)
    except (NotFound, InvalidRequest) as refusal:
        return refusal


def _found(tx: Tx, item: Deletion) -> Workflow | NotFound:
    try:
        return _mine(tx, item.account_id, item.workflow_id)
    except NotFound as refusal:
        return refusal


def _cancel(tx: Tx, workflows: Sequence[Workflow], at: datetime) -> None:
    """Terminal is final: canceling what has ended changes nothing."""
    open_ones = [w.id for w in workflows if not w.status.terminal]
    end(tx, open_ones, status=Status.CANCELED, reason="canceled", message="canceled by its account", at=at)


def _mine(tx: Tx, account_id: int, workflow_id: str) -> Workflow:
    found = rows.of_account(tx, account_id, [workflow_id])
    if not found:
        raise NotFound(f"there is no workflow {workflow_id!r}")
    return found[0]


def _patched(workflow: Workflow, operations: Sequence[dict[str, Any]]) -> WorkflowUpdate:
    """Apply operations to what may be patched. Raises InvalidRequest."""
    document: dict[str, Any] = {"status": workflow.status.value, "tags": list(workflow.tags)}
    after = document
    for i, operation in enumerate(operations):
        _check(operation, f"[{i}]")
        try:
            after: Any = jsonpatch.JsonPatch([operation]).apply(after)  # pyright: ignore[reportUnknownMemberType]
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
            raise InvalidRequest.of(f"[{i}]", f"cannot be applied: {error}") from error
        if len(after.get("tags", ())) > _TAGS:
            raise InvalidRequest.of(f"[{i}]", f"leaves more than {_TAGS} tags")
    default: dict[str, Any] = {"tags": []}
    return validate(WorkflowUpdate, {k: v for k, v in (default | after).items() if v != document[k]})


def _check(operation: dict[str, Any], where: str) -> None:
    """Only the status, the list of tags and one tag can be named, and values are what belongs there.

    The library would apply anything: copying the list into itself doubles it with each operation.
    """
    path, act = operation.get("path"), operation.get("op")
    if act not in {"add", "remove", "replace", "move", "copy", "test"}:
        raise InvalidRequest.of(where, f"`op` is {act!r}, not one of: add, remove, replace, move, copy, test")
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise InvalidRequest.of(where, f"`path` is {path!r}; only /status, /tags and /tags/<n> can be patched")
    if act in {"move", "copy"}:
        source = operation.get("from")
        if not isinstance(source, str) or not _TAG.fullmatch(source) or not _TAG.fullmatch(path):
            raise InvalidRequest.of(where, f"`from` is {source!r}; a {act} goes from one /tags/<n> to another")
    elif act != "remove":
        value = operation.get("value")
        wanted = list if path == "/tags" else str
        if not isinstance(value, wanted):
            kind = "a list of texts" if wanted is list else "a text"
            raise InvalidRequest.of(where, f"`value` at {path} is {kind}")
