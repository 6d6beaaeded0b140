"""Amend: update, patch, cancel and delete a workflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import jsonpatch  # type: ignore[import-untyped]
import jsonpointer  # type: ignore[import-untyped]

from heddle.contract.base import validate
from heddle.contract.orchestration import WorkflowUpdate
from heddle.db import Tx
from heddle.domain import Status, Workflow
from heddle.errors import HeddleError, InvalidRequest, NotFound
from heddle.workflows import rows
from heddle.workflows.advance import end


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
    return [_amend(tx, item) for item in items]


def delete(tx: Tx, items: Sequence[Deletion]) -> list[HeddleError | None]:
    """Cancel what runs and hide the workflows."""
    return [_delete(tx, item) for item in items]


def _amend(tx: Tx, item: Amendment) -> Workflow | HeddleError:
    try:
        workflow = _mine(tx, item.account_id, item.workflow_id)
        update = item.update or _patched(workflow, item.patch)
    except (NotFound, InvalidRequest) as refusal:
        return refusal
    if update.tags is not None:
        rows.set_tags(tx, workflow, list(dict.fromkeys(update.tags)))
    if update.status is not None:
        _cancel(tx, workflow, item.at)
    return rows.get(tx, [workflow.id])[0]


def _delete(tx: Tx, item: Deletion) -> NotFound | None:
    try:
        workflow = _mine(tx, item.account_id, item.workflow_id)
    except NotFound as refusal:
        return refusal
    _cancel(tx, workflow, item.at)
    rows.delete(tx, [workflow.id], item.at)
    return None


def _cancel(tx: Tx, workflow: Workflow, at: datetime) -> None:
    """Terminal is final: canceling what has ended changes nothing."""
    if not workflow.status.terminal:
        end(tx, [workflow.id], status=Status.CANCELED, reason="canceled", message="canceled by its account", at=at)


def _mine(tx: Tx, account_id: int, workflow_id: str) -> Workflow:
    found = rows.of_account(tx, account_id, [workflow_id])
    if not found:
        raise NotFound(f"there is no workflow {workflow_id!r}")
    return found[0]


def _patched(workflow: Workflow, operations: Sequence[dict[str, Any]]) -> WorkflowUpdate:
    """Apply operations to what may be patched. Raises InvalidRequest."""
    document: dict[str, Any] = {"status": workflow.status.value, "tags": list(workflow.tags)}
    try:
        after: Any = jsonpatch.JsonPatch(list(operations)).apply(document)  # pyright: ignore[reportUnknownMemberType]
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise InvalidRequest.of("body", f"the patch cannot be applied: {error}") from error
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InvalidRequest.of("body", f"the patch is malformed: {error}") from error
    if not isinstance(after, dict):
        raise InvalidRequest.of("body", "the patch leaves no object")
    members = cast("dict[str, Any]", after)
    if set(members) - {"status", "tags"}:
        raise InvalidRequest.of("body", "only /tags and /status can be patched")
    default: dict[str, Any] = {"tags": []}
    return validate(WorkflowUpdate, {k: v for k, v in (default | members).items() if v != document[k]})
