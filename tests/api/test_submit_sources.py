"""Sources that come with a submit: fetched late and once, and gone again when the submit is refused."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.elsewhere import Elsewhere, png

from heddle import accounts, ledger
from heddle.accounts import Limits
from heddle.api import intake
from heddle.api.app import create_app
from heddle.api.deps import Deps
from heddle.api.room import Room
from heddle.api.sources import Sources
from heddle.blobs import Signer
from heddle.chores import sweep
from heddle.db import Database, Tx
from heddle.domain import now
from heddle.settings import Settings
from heddle.storage.disk import DiskStorage
from heddle.workflows import audit
from heddle.workflows.planning import Planner

WORKFLOWS = "/v2/consumer/workflows"
LARGEST = {"width": 2048, "height": 2048, "quantity": 10}


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


class Served:
    """The API over a database and a folder of its own."""

    def __init__(self, db: Database, folder: Path, room: Room | None = None) -> None:
        settings = Settings(sources_private=True)
        self.db = db
        self.storage = DiskStorage({"root": str(folder / "blobs")})
        self.deps = Deps(settings, db, self.storage, Signer.from_db(db), Planner(settings), room or Room())
        self._app = create_app(self.deps)

    def account(self, name: str, buzz: int, max_open: int = 0) -> str:
        """A new account's token."""

        def make(tx: Tx, items: list[None]) -> list[str]:
            made = accounts.create(tx, name, now())
            ledger.open_accounts(tx, [made.id])
            ledger.grant(tx, made.id, buzz, "", now())
            accounts.set_limits(tx, made.id, Limits(max_open=max_open))
            return [accounts.create_token(tx, made.id, "", now())[1]]

        return self.db.apply(make, None)

    @asynccontextmanager
    async def client(self, token: str) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self._app)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:
            yield client

    def run(self, token: str, scene: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        async def play() -> Any:
            async with self.client(token) as client:
                return await scene(client)

        return asyncio.run(play())

    def submit(self, token: str, images: list[str], key: str = "", **more: Any) -> httpx.Response:
        return self.run(token, lambda client: submit(client, images, key, **more))

    def keys(self) -> list[str]:
        return list(self.storage.keys("uploads"))

    def recorded(self) -> int:
        row = self.db.look(lambda tx: tx.one("SELECT COUNT(*) AS n FROM blobs"))
        return row["n"]


async def submit(client: httpx.AsyncClient, images: list[str], key: str = "", **more: Any) -> httpx.Response:
    """A step for each of the images, or one without."""
    given = {"engine": "sketch", "prompt": "a fox", **more}
    inputs = [{"images": [image], "strength": 0.1, **given} for image in images] or [given]
    body = {"steps": [{"$type": "imageGen", "input": one} for one in inputs]}
    return await client.post(WORKFLOWS, json=body, headers={"Idempotency-Key": key} if key else {})


@pytest.fixture
def served(db: Database, tmp_path: Path) -> Served:
    return Served(db, tmp_path)


# ── before anything is fetched ────────────────────────────────────────────────


def test_an_account_without_buzz_cannot_make_us_fetch(served: Served, elsewhere: Elsewhere) -> None:
    refused = served.submit(served.account("poor", 0), [f"{elsewhere.url}/a.png"])
    assert refused.status_code == 402
    assert refused.json()["message"] == "this costs 1 Buzz or more and the account has 0"
    assert elsewhere.asked == []


def test_steps_without_sources_count_in_full_before_anything_is_fetched(served: Served, elsewhere: Elsewhere) -> None:
    async def scene(client: httpx.AsyncClient) -> httpx.Response:
        fox = {"engine": "sketch", "prompt": "a fox"}
        edit = {"$type": "imageGen", "input": {**fox, "images": [f"{elsewhere.url}/a.png"]}}
        more = {"$type": "imageGen", "input": {**fox, **LARGEST}}
        again = {"$type": "upscale", "input": {"image": {"$ref": "$0", "path": "output.images[0]"}}}
        return await client.post(WORKFLOWS, json={"steps": [edit, more, again]})

    refused = served.run(served.account("poor", 40), scene)
    assert refused.status_code == 402
    # Ten pictures of 4.2 megapixels, and a Buzz for each of the two steps that the unknown picture decides.
    assert refused.json()["message"] == "this costs 44 Buzz or more and the account has 40"
    assert elsewhere.asked == []


def test_an_account_at_its_quota_cannot_make_us_fetch(served: Served, elsewhere: Elsewhere) -> None:
    token = served.account("busy", 100, max_open=1)
    assert served.submit(token, []).status_code == 202
    assert served.submit(token, [f"{elsewhere.url}/a.png"]).status_code == 429
    assert elsewhere.asked == []


def test_nothing_is_fetched_beside_a_blob_that_is_not_there(served: Served, elsewhere: Elsewhere) -> None:
    refused = served.submit(served.account("a", 100), [f"{elsewhere.url}/a.png", "blob_01ARZ3NDEKTSV4RRFFQ69G5FAV"])
    assert list(refused.json()["errors"]) == ["steps[1].input.images[0]"]
    assert elsewhere.asked == []


@pytest.mark.parametrize("link", ["", "http://here/v2/consumer/blobs/", "http://here/v2/consumer/blobs/content/"])
def test_no_id_passes_for_a_blob_that_is_coming(served: Served, elsewhere: Elsewhere, link: str) -> None:
    zeros = "blob_" + "0" * 26
    refused = served.submit(served.account("a", 100), [f"{elsewhere.url}/a.png", link + zeros])
    assert refused.status_code == 400
    assert refused.json()["errors"] == {
        "steps[1].input.images[0]": [
            f"there is no blob {zeros!r}; upload one, or ask for an upload URL, and give its id"
        ]
    }
    assert elsewhere.asked == []


def test_a_key_of_another_request_is_refused_before_anything_is_fetched(served: Served, elsewhere: Elsewhere) -> None:
    token = served.account("a", 100)
    assert served.submit(token, [], "once").status_code == 202
    assert served.submit(token, [f"{elsewhere.url}/a.png"], "once").status_code == 409
    assert elsewhere.asked == []


# ── once ──────────────────────────────────────────────────────────────────────


def test_one_address_is_asked_once_and_the_same_bytes_are_stored_once(served: Served, elsewhere: Elsewhere) -> None:
    host = elsewhere.url.replace("http", "HTTP")
    text = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    images = [
        f"{elsewhere.url}/a.png",
        f"{host}/a.png#part",
        f"{elsewhere.url}/same.png",
        text,
        f"{elsewhere.url}/b.png",
    ]
    made = served.submit(served.account("a", 100), images)
    assert made.status_code == 202, made.text
    first, *others, last = [step["input"]["images"][0] for step in made.json()["steps"]]
    assert others == [first] * 3 != [last] * 3
    assert sorted(elsewhere.asked) == ["/a.png", "/b.png", "/same.png"]
    assert len(served.keys()) == served.recorded() == 2


def test_two_submits_with_one_key_leave_the_sources_of_one(served: Served, elsewhere: Elsewhere) -> None:
    token = served.account("a", 100)

    async def scene(client: httpx.AsyncClient) -> list[httpx.Response]:
        both = [asyncio.create_task(submit(client, [f"{elsewhere.url}/slow.png"], "once")) for _ in range(2)]
        for _ in both:
            await asyncio.to_thread(elsewhere.arrived.acquire)
        elsewhere.go.set()
        return await asyncio.gather(*both)

    first, second = served.run(token, scene)
    assert first.json()["id"] == second.json()["id"]
    assert len(served.keys()) == served.recorded() == 1


# ── refused in the end ────────────────────────────────────────────────────────


def test_a_submit_that_is_refused_at_last_leaves_nothing_behind(served: Served, elsewhere: Elsewhere) -> None:
    token = served.account("poor", 40)
    refused = served.submit(token, [f"{elsewhere.url}/a.png"], **LARGEST)
    assert (refused.status_code, elsewhere.asked) == (402, ["/a.png"])
    assert refused.json()["message"] == "this costs 42 Buzz and the account has 40"
    assert (served.keys(), served.recorded()) == ([], 0)
    assert served.db.look(audit.check) == []


def test_what_came_beside_a_source_that_cannot_be_had_goes_again(served: Served, elsewhere: Elsewhere) -> None:
    refused = served.submit(
        served.account("a", 100), [f"{elsewhere.url}/{name}" for name in ("a.png", "none", "b.png")]
    )
    assert list(refused.json()["errors"]) == ["steps[1].input.images[0]"]
    assert (served.keys(), served.recorded()) == ([], 0)


def test_the_sweep_finds_what_a_server_left_that_died_between_the_fetch_and_the_commit(
    served: Served, elsewhere: Elsewhere
) -> None:
    raw = {"steps": [{"$type": "imageGen", "input": {"images": [f"{elsewhere.url}/a.png"]}}]}
    brought = asyncio.run(Sources(raw, served.deps.planner.media, "http://here").bring(served.deps, 1))
    assert [one.key for one in brought.stored] == served.keys()
    assert sweep.sweep(served.db, served.storage, now()).orphans == 0
    assert sweep.sweep(served.db, served.storage, now() + timedelta(days=2)).orphans == 1
    assert served.keys() == []


# ── room ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("room", "says"),
    [
        ({"places": 2}, "as many sources are being fetched as this server fetches at once"),
        ({"size": len(png()) // 2 * 2}, "the sources of other requests fill the room that there is"),
    ],
)
def test_who_finds_no_room_is_told_to_come_again(
    db: Database, tmp_path: Path, elsewhere: Elsewhere, room: dict[str, int], says: str
) -> None:
    served = Served(db, tmp_path, Room(wait_s=0.05, **room))
    a, b, c = (served.account(name, 100) for name in "abc")

    async def scene() -> list[httpx.Response]:
        async with served.client(a) as one, served.client(b) as other, served.client(c) as last:
            slow = [asyncio.create_task(submit(client, [f"{elsewhere.url}/slow.png"])) for client in (one, other)]
            for _ in slow:
                await asyncio.to_thread(elsewhere.arrived.acquire)
            refused = await submit(last, [f"{elsewhere.url}/b.png"])
            elsewhere.go.set()
            return [refused, *await asyncio.gather(*slow), await submit(last, [f"{elsewhere.url}/b.png"])]

    refused, *others = asyncio.run(scene())
    assert (refused.status_code, [answer.status_code for answer in others]) == (503, [202] * 3)
    assert refused.json()["message"].startswith(says)
    assert int(refused.headers["Retry-After"]) > 0
    assert len(served.keys()) == 3


def test_one_account_cannot_take_the_room_of_the_others(db: Database, tmp_path: Path, elsewhere: Elsewhere) -> None:
    """Also where one source may be larger than all the room."""
    served = Served(db, tmp_path, Room(size=1024 * 1024, wait_s=0.05))
    slow, quick = served.account("slow", 100), served.account("quick", 100)

    async def scene() -> list[httpx.Response]:
        async with served.client(slow) as first, served.client(quick) as second:
            waits = asyncio.create_task(submit(first, [f"{elsewhere.url}/slow-unknown.png"]))
            await asyncio.to_thread(elsewhere.arrived.acquire)
            refused = await submit(first, [f"{elsewhere.url}/b.png"])
            taken = [
                await submit(second, [f"data:image/png;base64,{base64.b64encode(png()).decode()}"]),
                await submit(second, [f"{elsewhere.url}/a.png"]),
            ]
            elsewhere.go.set()
            return [refused, await waits, *taken]

    refused, *others = asyncio.run(scene())
    assert (refused.status_code, [answer.status_code for answer in others]) == (503, [202] * 3)
    assert refused.json()["message"].startswith("the sources of this account fill the room that one may have")


def test_slow_looks_into_sound_and_video_keep_no_picture_waiting(served: Served) -> None:
    go = threading.Event()

    async def scene(client: httpx.AsyncClient) -> httpx.Response:
        looks = [asyncio.create_task(intake.to_probe(go.wait)) for _ in range(8)]
        try:
            return await submit(client, [f"data:image/png;base64,{base64.b64encode(png()).decode()}"])
        finally:
            go.set()
            await asyncio.gather(*looks)

    assert served.run(served.account("a", 100), scene).status_code == 202
