"""The running server that the tests of this folder share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

sys.path.append(str(Path(__file__).parent))

from live import Live, running
from tour import visit


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with running(tmp_path_factory.mktemp("contract") / "home") as server:
        yield server


@pytest.fixture(scope="session")
def answers(live: Live) -> dict[str, httpx.Response]:
    """One good answer of every operation."""
    return visit(live)


@pytest.fixture
def owner(live: Live) -> Iterator[httpx.Client]:
    with live.client(live.owner) as client:
        yield client


@pytest.fixture
def stranger(live: Live) -> Iterator[httpx.Client]:
    with live.client(live.stranger) as client:
        yield client


@pytest.fixture
def nobody(live: Live) -> Iterator[httpx.Client]:
    with live.client(None) as client:
        yield client
