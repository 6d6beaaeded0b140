"""Arazzo runs of the server: one function per operation, named by its operationId."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from heddle.api.auth import account
from heddle.api.deps import answer, deps, read_body
from heddle.contract import base
from heddle.contract.orchestration import moment, page, present
from heddle.contract.runs import ArazzoRunRequest, QueryArazzoEvents, QueryArazzoRuns
from heddle.domain import new_id, now
from heddle.errors import Forbidden, InvalidRequest, TooLarge
from heddle.runs import rows
from heddle.runs.hosts import OURS, RunHosts, hosts_of
from heddle.runs.results import as_text
from heddle.runs.rows import ArazzoRun

_MOST_VALUES = 100_000
_DEEPEST = 100
_MOST_EVENTS = 1000


async def create_arazzo_run(request: Request) -> Response:
    """Run an Arazzo document on the server."""
    parts, who = deps(request), await account(request)
    if not parts.settings.runs_at_once:
        raise Forbidden("this server carries out no Arazzo runs (HEDDLE_RUNS_AT_ONCE is 0); use `heddle run`")
    wanted = base.validate(ArazzoRunRequest, _decoded(await read_body(request)))
    text = _text("document", wanted.document)
    sources = _sources(wanted)
    inputs = await asyncio.to_thread(_kept, text, wanted, sources, hosts_of(parts.settings.run_hosts))
    run = ArazzoRun(
        id=new_id("run"),
        account_id=who.id,
        document=text,
        workflow=wanted.workflow,
        inputs=inputs,
        sources=sources,
        created_at=now(),
    )
    new = rows.New(run=run, most_open=parts.settings.runs_open)
    return answer(_shown(await parts.db.write(rows.insert, new)), 202)


async def query_arazzo_runs(request: Request) -> Response:
    """List Arazzo runs, newest first."""
    parts, who = deps(request), await account(request)
    wanted = base.validate(QueryArazzoRuns, _asked(request))
    found = await parts.db.read(rows.page, who.id, wanted.take, wanted.cursor)
    more = found[wanted.take - 1].id if len(found) > wanted.take else None
    return answer(page([_shown(run) for run in found[: wanted.take]], more))


async def get_arazzo_run(request: Request) -> Response:
    """Show an Arazzo run."""
    parts, who = deps(request), await account(request)
    return answer(_shown(await parts.db.read(rows.get, request.path_params["runId"], who.id)))


async def get_arazzo_run_events(request: Request) -> Response:
    """Show what an Arazzo run did so far."""
    parts, who = deps(request), await account(request)
    wanted = base.validate(QueryArazzoEvents, _asked(request))
    run = await parts.db.read(rows.get, request.path_params["runId"], who.id)
    events = _events(await parts.db.read(rows.briefs, run.id))
    items = [event for event in events if event["number"] > wanted.after]
    ended = run.ended_at is not None and len(items) <= _MOST_EVENTS
    return answer({"items": items[:_MOST_EVENTS], "next": _next(items[:_MOST_EVENTS], wanted.after), "ended": ended})


async def cancel_arazzo_run(request: Request) -> Response:
    """Cancel an Arazzo run; what it has begun elsewhere goes on."""
    parts, who = deps(request), await account(request)
    wish = rows.Cancel(run_id=request.path_params["runId"], account_id=who.id, at=now())
    return answer(_shown(await parts.db.write(rows.cancel, wish)))


def _decoded(body: bytes) -> Any:
    """JSON as it is: the expressions of a document are no placeholders that somebody forgot."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidRequest.of("body", f"not valid JSON: {error}") from error
    if base.count_values(raw) > _MOST_VALUES:
        raise TooLarge(f"the body has more than {_MOST_VALUES} values")
    if _depth(raw) > _DEEPEST:
        raise InvalidRequest.of("body", f"is nested deeper than {_DEEPEST} levels")
    if isinstance(raw, dict):
        return {name: value for name, value in raw.items() if value is not None}  # pyright: ignore[reportUnknownVariableType]
    return raw


def _depth(value: Any) -> int:
    """Without recursion, which deep values are out to break."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        deepest = max(deepest, depth)
        inside: Any = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        waiting += [(one, depth + 1) for one in inside]
    return deepest


def _asked(request: Request) -> dict[str, str]:
    for name, value in request.query_params.multi_items():
        base.refuse_placeholder(name, value)
    return dict(request.query_params)


def _sources(wanted: ArazzoRunRequest) -> dict[str, dict[str, str]]:
    return {
        name: {"description": _text(f"sources.{name}.description", one.description), "server": one.server}
        for name, one in wanted.sources.items()
    }


def _text(field: str, document: str | dict[str, Any]) -> str:
    if isinstance(document, str):
        text = document
    else:
        try:
            text = json.dumps(document)
        except RecursionError as error:
            raise InvalidRequest.of(field, "is nested too deep") from error
    if "\x00" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise InvalidRequest.of(field, "holds characters that are no text")
    return text


def _kept(text: str, wanted: ArazzoRunRequest, sources: dict[str, dict[str, str]], hosts: RunHosts) -> dict[str, Any]:
    from heddle.runs.documents import Sources, kept  # noqa: PLC0415 - the runner is imported where it is needed first

    return kept(text, wanted.workflow, wanted.inputs, Sources(sources, hosts))


def _shown(run: ArazzoRun) -> dict[str, Any]:
    about = {
        "id": run.id,
        "status": run.status,
        "workflow": run.workflow,
        "createdAt": moment(run.created_at),
        "startedAt": moment(run.started_at),
        "endedAt": moment(run.ended_at),
    }
    return present({**about, **(run.result or {})})


def _next(items: list[dict[str, Any]], after: int) -> int:
    """After which number to ask next: what is under way comes again, with its outcome."""
    under_way = (one["number"] - 1 for one in items if "status" not in one and "error" not in one)
    return next(under_way, items[-1]["number"] if items else after)


def _events(records: list[Any]) -> list[dict[str, Any]]:
    """The journal as requests: a number that comes again is a request that was sent again."""
    found: dict[int, dict[str, Any]] = {}
    for record in records:
        if "sent" in record:
            found[record["sent"]] = {
                "number": record["sent"] + 1,
                "seconds": round(record["at"], 3),
                "step": record["step"],
                "request": f"{record['method']} {record['url'].removeprefix(OURS)}",
            }
        elif "done" in record:
            found[record["done"]] |= present({"status": record.get("status"), "error": as_text(record.get("error"))})
    return list(found.values())
