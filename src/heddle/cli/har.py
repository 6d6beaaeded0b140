"""`--report har=FILE`: every exchange of a run in HAR 1.2, which the developer tools of browsers open."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from heddle import __version__
from heddle.arazzo.recording import Answered, Body, Exchange, Headers, Sent

_PAGE = "run"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def har(report: Mapping[str, Any], exchanges: Sequence[Exchange], started: datetime) -> str:
    """`report` and exchanges are masked. Members of our own start with `_`, as the format wants it."""
    page = {
        "startedDateTime": started.isoformat(),
        "id": _PAGE,
        "title": f"{report['workflow']} ({report['document']})",
        "pageTimings": {"onContentLoad": -1, "onLoad": round(report["seconds"] * 1000, 3)},
        "comment": f"{report['status']}{': ' + report['reason'] if report['reason'] else ''}",
    }
    log = {
        "version": "1.2",
        "creator": {"name": "heddle", "version": __version__},
        "pages": [page],
        "entries": [_entry(one) for one in exchanges],
    }
    return json.dumps({"log": log}, indent=1, ensure_ascii=False) + "\n"


def _entry(exchange: Exchange) -> dict[str, Any]:
    wait = round(exchange.wait * 1000, 3)
    receive = round(max(0.0, exchange.seconds - exchange.wait) * 1000, 3)
    entry: dict[str, Any] = {
        "pageref": _PAGE,
        "startedDateTime": exchange.started.isoformat(),
        "time": round(wait + receive, 3),
        "request": _request(exchange.request, exchange.answer),
        "response": _response(exchange.answer),
        "cache": {},
        "timings": {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": wait, "receive": receive},
        "_step": exchange.step,
        "_run": exchange.run,
    }
    if exchange.fault is not None:
        problem = f"{exchange.fault.kind}: {exchange.fault.message}"
        entry["response"]["_error"] = problem
        entry["comment"] = problem
    return entry


def _request(sent: Sent, answer: Answered | None) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": sent.method,
        "url": sent.url,
        "httpVersion": answer.version if answer else "HTTP/1.1",
        "cookies": _cookies(sent.headers, "cookie"),
        "headers": _pairs(sent.headers),
        "queryString": _pairs(parse_qsl(urlsplit(sent.url).query, keep_blank_values=True)),
        "headersSize": -1,
        "bodySize": sent.body.size if sent.body else 0,
    }
    if sent.body is not None:
        request["postData"] = {
            "mimeType": _kind(sent.headers),
            "text": sent.body.text or "",
            **_cut(sent.body),
        }
    return request


def _response(answer: Answered | None) -> dict[str, Any]:
    """Without an answer, status 0, as browsers write it."""
    headers = answer.headers if answer else ()
    body = answer.body if answer else None
    status = answer.status if answer else 0
    return {
        "status": status,
        "statusText": _PHRASES.get(status, ""),
        "httpVersion": answer.version if answer else "HTTP/1.1",
        "cookies": _cookies(headers, "set-cookie"),
        "headers": _pairs(headers),
        "content": _content(body, headers),
        "redirectURL": next((value for name, value in headers if name.lower() == "location"), ""),
        "headersSize": -1,
        "bodySize": body.size if body else 0 if answer else -1,
    }


def _content(body: Body | None, headers: Headers) -> dict[str, Any]:
    content: dict[str, Any] = {"size": body.size if body else 0, "mimeType": _kind(headers)}
    if body is None:
        return content
    if body.text is not None:
        return content | {"text": body.text} | _cut(body)
    return content | {"text": base64.b64encode(body.content).decode(), "encoding": "base64"} | _cut(body)


def _cut(body: Body) -> dict[str, str]:
    if not body.whole:
        return {"comment": f"{len(body.content)} of {body.size} bytes; SHA-256 of all: {body.sha256}"}
    return {"comment": f"bytes; SHA-256: {body.sha256}"} if body.text is None else {}


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _cookies(headers: Headers, wanted: str) -> list[dict[str, str]]:
    cookies: list[dict[str, str]] = []
    for name, value in headers:
        if name.lower() == wanted:
            try:
                cookies += [{"name": one.key, "value": one.value} for one in SimpleCookie(value).values()]
            except CookieError:
                continue
    return cookies


def _kind(headers: Headers) -> str:
    return next((value for name, value in headers if name.lower() == "content-type"), "x-unknown")
