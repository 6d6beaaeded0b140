"""Credentials for the security schemes of a run, and what is said about them before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle import settings
from heddle.errors import UsageError

if TYPE_CHECKING:
    from heddle.arazzo.plan import Plan, PlannedStep
    from heddle.arazzo.security import Choice, Keys


def keys_of(texts: Sequence[str]) -> Keys:
    """`NAME=VALUE` or `NAME=@FILE`, and the environment."""
    from heddle.arazzo.security import VARIABLE, Keys  # noqa: PLC0415

    return Keys(dict(map(_given, texts)), settings.variables(VARIABLE))


def _given(text: str) -> tuple[str, str]:
    """No message shows the text: it may be nothing but the secret."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError("--auth is not NAME=VALUE", "for example --auth bearerAuth=@token.txt")
    if value.startswith("@") and not value.startswith("@@"):
        return name, _content(Path(value[1:]))
    return name, value.removeprefix("@") if value.startswith("@@") else value


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} of --auth cannot be read as text", "check the path after `@`") from error


def notes(plan: Plan) -> list[str]:
    """Which credential goes where, and which is missing."""
    told: dict[str, None] = {}
    for workflow in plan.workflows.values():
        for step in workflow.steps:
            if step.operation is not None:
                told.update(dict.fromkeys(_notes(step.operation.server, _choice(step))))
    return list(told)


def stand_ins(plan: Plan) -> dict[str, str]:
    """Something of the same shape for every credential that the run sends, by the variable that might hold it."""
    from heddle.arazzo.masking import MASK  # noqa: PLC0415
    from heddle.arazzo.security import variable  # noqa: PLC0415

    found: dict[str, str] = {}
    for step in (step for workflow in plan.workflows.values() for step in workflow.steps):
        if step.operation is not None:
            for lock in _choice(step).opened:
                shape = f"{MASK}:{MASK}" if lock.scheme.kind == "basic" else MASK
                found[variable(step.operation.source, lock.scheme.name)] = shape
    return found


def _choice(step: PlannedStep) -> Choice:
    from heddle.arazzo.security import choose, place  # noqa: PLC0415

    assert step.operation is not None
    return choose(step.operation.security, [place(one.shape.name, one.shape.where) for one in step.parameters])


def _notes(server: str, choice: Choice) -> list[str]:
    found = [f"{server} gets {lock.scheme.name} from {lock.key.origin}" for lock in choice.opened if lock.key]
    return found + [f"{server} asks for {one.name}: {_lacking(one.name)}" for one in choice.missing]


def _lacking(name: str) -> str:
    from heddle.arazzo.security import variable  # noqa: PLC0415

    return f"none is given, by --auth {name}=… or {variable(name)}"


def shown(choice: Choice) -> dict[str, Any]:
    """For a dry run; no secret is in it."""
    return {
        "sent": [
            {
                "scheme": lock.scheme.name,
                "in": lock.scheme.where,
                "name": lock.scheme.parameter,
                "from": lock.key.origin if lock.key else "",
            }
            for lock in choice.opened
        ],
        "byDocument": [one.name for one in choice.by_document],
        "missing": [one.name for one in choice.missing],
    }


def lines(security: dict[str, Any]) -> list[str]:
    """The same as text."""
    sent = [f"security {one['scheme']}: {one['in']} {one['name']} = *** ({one['from']})" for one in security["sent"]]
    own = [f"security {name}: set by the document" for name in security["byDocument"]]
    return sent + own + [f"security {name}: {_lacking(name)}" for name in security["missing"]]
