"""The Site API's first operations over HTTP: a version by its number, and who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from heddle import accounts, server, settings
from heddle.api.app import create_app
from heddle.server import Parts


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    built = server.prepare(settings.read({"HEDDLE_HOME": str(tmp_path / "home")}))
    yield built
    built.db.close()


def get(parts: Parts, path: str, token: str | None = None) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(parts.deps))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(path, headers={"Authorization": token} if token is not None else {})

    return asyncio.run(ask())


def test_the_built_in_illustrator_is_there_for_everybody(parts: Parts) -> None:
    answer = get(parts, "/api/v1/model-versions/1")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    assert (body["air"], body["baseModel"]) == ("urn:air:sketch:checkpoint:heddle:1@1", "Sketch")
    assert get(parts, "/api/v1/model-versions/1", f"Bearer {parts.first_token}").json() == body


@pytest.mark.parametrize("number", ["99", "999999999999999999", "0"])
def test_an_unknown_number_is_not_found(parts: Parts, number: str) -> None:
    answer = get(parts, f"/api/v1/model-versions/{number}")
    assert answer.status_code == 404
    assert number in answer.json()["message"]


@pytest.mark.parametrize("text", ["abc", "-1", "1.5", "1e3", "9" * 19, "%C2%B2", "1%00"])
def test_what_is_no_number_is_refused_or_not_found(parts: Parts, text: str) -> None:
    answer = get(parts, f"/api/v1/model-versions/{text}")
    assert answer.status_code in (400, 404)
    assert answer.json()["code"] in ("invalid_request", "not_found")


@pytest.mark.parametrize("token", ["Bearer nope", "Bearer ", "Basic abc", "nope", ""])
@pytest.mark.parametrize("path", ["/api/v1/model-versions/1", "/api/v1/me"])
def test_a_bad_token_is_refused(parts: Parts, path: str, token: str) -> None:
    assert get(parts, path, token).status_code == 401


def test_who_asks(parts: Parts) -> None:
    answer = get(parts, "/api/v1/me", f"Bearer {parts.first_token}")
    assert answer.status_code == 200
    owner = parts.db.look(accounts.every)[0]
    assert answer.json()["id"] == owner.id
    assert answer.json()["username"] == "owner"
    assert answer.headers["cache-control"] == "no-store"
    assert get(parts, "/api/v1/me").status_code == 401
