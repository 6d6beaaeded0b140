"""Every registered storage, each test with an empty one of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.fixtures.s3 import Service, running_s3

from heddle import registry
from heddle.storage import Storage

Options = Callable[[], dict[str, str]]


@pytest.fixture(scope="session")
def s3() -> Iterator[Service]:
    with running_s3() as service:
        yield service


@pytest.fixture(params=sorted(registry.targets("storages")))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def options(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """What an empty storage is built with; a new kind needs a line here."""
    if kind == "s3":
        service: Service = request.getfixturevalue("s3")
        return service.options(prefix=f"tests/{secrets.token_hex(8)}")
    assert kind == "disk", f"say here how a test gets an empty storage {kind!r}"
    return {"root": str(tmp_path / "blobs")}


@pytest.fixture
def storage(kind: str, options: dict[str, str]) -> Storage:
    made: Storage = registry.get("storages", kind)(options)
    made.check()
    return made
