"""One real server for the tests of this folder: its own process, the engines of the fixtures beside sketch."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from tests.serving import Serving


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("server") / "home"
    engines = {
        "pixels": "pixels:Pixels",
        "sandboxed": "pixels:Sandboxed",
        "killself": "pixels:KillSelf",
        "hang": "pixels:Hang",
        "glutton": "pixels:Glutton",
        "taker": "taker:Taker",
    }
    server = Serving(
        home,
        engines,
        callbacks_private="on",
        sources_private="on",
        max_media_s=20,
        slots=2,
        retry_backoff_s=0.1,
        upload_ttl_s=2,
        worker_memory_mb=2048,
    ).start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def client(serving: Serving) -> Iterator[httpx.Client]:
    with serving.client() as client:
        yield client
