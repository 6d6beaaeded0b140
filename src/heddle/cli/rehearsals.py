"""`heddle run --dry-run`: the plan with everything that is known already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from heddle.cli import auth
from heddle.cli.asked import Asked
from heddle.cli.output import json_text

if TYPE_CHECKING:
    from heddle.arazzo.masking import Secrets
    from heddle.arazzo.plan import Plan


def rehearse_run(asked: Asked, plan: Plan, values: Mapping[str, Any], secrets: Secrets) -> None:
    """The plan with everything that is known already."""
    from heddle.arazzo.rehearsal import plain, rehearse  # noqa: PLC0415
    from heddle.cli.narration import printable  # noqa: PLC0415

    steps = [
        {
            "workflow": one.workflow,
            "stepId": one.step,
            "target": one.target,
            "parameters": [{"in": where, "name": name, "value": value} for where, name, value in one.fields],
            "contentType": one.content_type,
            "body": one.body,
            "security": auth.shown(one.security),
            "unknown": list(one.unknown),
        }
        for one in rehearse(plan, values)
    ]
    report: dict[str, Any] = secrets.mask(
        plain({"document": str(asked.document), "dryRun": True, "inputs": dict(values), "steps": steps})
    )
    if asked.as_json:
        click.echo(json_text(report))
        return
    click.echo(f"{plan.main.id}: a dry run, nothing is sent")
    for number, step in enumerate(report["steps"], 1):
        other = "" if step["workflow"] == plan.main.key else f" (of {step['workflow']})"
        click.echo(printable(f"{number}. {step['stepId']}{other}   {step['target']}"))
        for one in step["parameters"]:
            click.echo(printable(f"     {one['in']} {one['name']} = {_compact(one['value'])}"))
        for line in auth.lines(step["security"]):
            click.echo(printable(f"     {line}"))
        if step["contentType"]:
            body = step["body"] if isinstance(step["body"], str) else json.dumps(step["body"], indent=2, default=str)
            click.echo(f"     {step['contentType']}")
            click.echo(printable("\n".join(f"       {line}" for line in body.splitlines())))


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
