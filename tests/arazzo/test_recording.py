"""What a recording hides, and what it keeps whole: answers of every kind, as their bytes come."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from heddle.arazzo.masking import Secrets
from heddle.arazzo.recording import Exchange, Recorder

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TOKEN = "handed-out-token"


class Server(httpx.AsyncBaseTransport):
    """Answers every request with the same bytes, in pieces."""

    def __init__(self, content: bytes, headers: Mapping[str, str]) -> None:
        self._content = content
        self._headers = headers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=self._headers, stream=Pieces(self._content))


class Pieces(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._content), 1000):
            yield self._content[at : at + 1000]


def recorded(
    content: bytes, headers: Mapping[str, str], *secrets: str, cap: int = 2000, url: str = "http://a.example/b"
) -> Exchange:
    told: list[Exchange] = []

    async def go() -> None:
        recorder = Recorder(Server(content, headers), Secrets(secrets), told.append, cap)
        response = await recorder.handle_async_request(httpx.Request("GET", url))
        async for _ in response.aiter_raw():
            pass

    asyncio.run(go())
    return told[0]


def kept(exchange: Exchange) -> bytes:
    assert exchange.answer is not None
    assert exchange.answer.body is not None
    return exchange.answer.body.content


def is_whole(exchange: Exchange) -> bool:
    assert exchange.answer is not None
    assert exchange.answer.body is not None
    return exchange.answer.body.whole


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (f'{{"access_token": "{TOKEN}"}}'.encode(), JSON),
        (f"access_token={TOKEN}&scope=all".encode(), FORM),
        (f'{{"access_token": "{TOKEN}", "rest": "{"x" * 5000}"}}'.encode(), JSON),
        (f"access_token={TOKEN}&rest={'x' * 5000}".encode(), FORM),
        (
            gzip.compress(f'{{"token": "{TOKEN}", "rest": "{"x" * 50_000}"}}'.encode()),
            {**JSON, "Content-Encoding": "gzip"},
        ),
    ],
    ids=["JSON", "form", "cut JSON", "cut form", "packed and cut"],
)
def test_a_token_that_an_answer_hands_out_is_masked(content: bytes, headers: Mapping[str, str]) -> None:
    found = kept(recorded(content, headers))
    assert TOKEN.encode() not in found
    assert b"***" in found


def test_a_parameter_that_is_called_a_key_is_masked() -> None:
    exchange = recorded(b"", {}, url="http://a.example/b?api_key=literal&page=2&sig=7#x")
    assert exchange.request.url == "http://a.example/b?api_key=***&page=2&sig=7#x"


def test_json_stays_json_where_a_number_holds_a_secret() -> None:
    content = b'{"n": 123456, "in": "at 2345", "list": [2345.5, 7, true, null]}'
    found = json.loads(kept(recorded(content, JSON, "2345")))
    assert found == {"n": "***", "in": "at ***", "list": ["***", 7, True, None]}


def test_json_that_stays_json_is_kept_as_it_was_written() -> None:
    assert kept(recorded(b'{ "a":"of-nobody" ,"b" : 1.50 }', JSON, "of-nobody")) == b'{ "a":"***" ,"b" : 1.50 }'


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate"])
def test_packed_answers_are_told_unpacked(encoding: str) -> None:
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = {
        "gzip": gzip.compress(b"said of-nobody"),
        "deflate": zlib.compress(b"said of-nobody"),
        "raw deflate": raw.compress(b"said of-nobody") + raw.flush(),
    }
    exchange = recorded(packed[encoding], {"Content-Encoding": encoding.rpartition(" ")[2]}, "of-nobody")
    assert (kept(exchange), is_whole(exchange)) == (b"said ***", True)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip"])
def test_nothing_is_left_of_what_cannot_be_unpacked(encoding: str) -> None:
    exchange = recorded(b"said of-nobody", {"Content-Encoding": encoding}, "of-nobody")
    assert (kept(exchange), is_whole(exchange)) == (b"", False)


def test_a_small_answer_that_unpacks_to_a_huge_one() -> None:
    packed = gzip.compress(b"x" * 200_000_000)
    tracemalloc.start()
    exchange = recorded(packed, {"Content-Encoding": "gzip"}, cap=1024 * 1024)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(kept(exchange)), is_whole(exchange)) == (1024 * 1024, False)
    assert most < 20_000_000
