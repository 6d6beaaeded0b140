"""Building requests: every place of a parameter, every kind of body, as a server really receives them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from arazzo_stub import DESCRIPTION, Got, Handler, Part, Reply, Stub, png

from heddle.arazzo.exchange import Client
from heddle.arazzo.expressions import Scope
from heddle.arazzo.files import file_value
from heddle.arazzo.leniency import Leniency, strict
from heddle.arazzo.openapi import BodyShape, Description, Operation
from heddle.arazzo.requests import PlannedBody, PlannedParameter, Request, RequestError, Target, build_request
from heddle.arazzo.selectors import compile_selector
from heddle.arazzo.templates import Compiler
from heddle.arazzo.tree import Place, Tree
from heddle.errors import UsageError

INPUTS = {"text", "list", "object", "file", "missing", "nothing", "number", "bytes"}


def operation(name: str, server: str = "http://h/base") -> Operation:
    found = Description("api", Tree("api.yaml", yaml.safe_dump(DESCRIPTION)), server).operation(name)
    assert found is not None
    return found


def built(
    parameters: dict[tuple[str, str], Any] | None = None,
    *,
    name: str = "thing",
    payload: Any = None,
    kind: str | None = None,
    binary: frozenset[str] = frozenset(),
    part_types: dict[str, str] | None = None,
    replacements: dict[str, Any] | None = None,
    leniency: Leniency | None = None,
    server: str = "http://h/base",
    **inputs: Any,
) -> Request:
    compiler = Compiler(Leniency(), INPUTS, set())
    target = operation(name, server)
    planned = [
        PlannedParameter(target.shape(key, where), compiler.value(value))
        for (key, where), value in (parameters or {}).items()
    ]
    body = None
    if kind is not None:
        swaps = tuple(
            (Target(at, compile_selector("jsonpointer", None, at)), compiler.value(value))
            for at, value in (replacements or {}).items()
        )
        body = PlannedBody(
            kind, BodyShape(kind, binary, part_types or {}), compiler.value(payload), swaps, Place("d", 1, 1)
        )
    return build_request(target, planned, body, Scope(inputs=inputs, steps={}), leniency or Leniency())


ID = {("id", "path"): "7"}


@pytest.mark.parametrize(
    ("parameters", "url"),
    [
        ({("id", "path"): "a/b c?#%ü"}, "http://h/base/things/a%2Fb%20c%3F%23%25%C3%BC"),
        ({("id", "path"): 3}, "http://h/base/things/3"),
        ({("id", "path"): [1, "x,y"]}, "http://h/base/things/1,x%2Cy"),
        ({**ID, ("tags", "query"): ["a&b", "c"]}, "http://h/base/things/7?tags=a%26b&tags=c"),
        ({**ID, ("tags", "query"): []}, "http://h/base/things/7"),
        ({**ID, ("flat", "query"): ["a", "b"]}, "http://h/base/things/7?flat=a,b"),
        ({**ID, ("deep", "query"): {"x": 1, "y": None}}, "http://h/base/things/7?deep[x]=1"),
        ({**ID, ("other", "query"): True}, "http://h/base/things/7?other=true"),
        ({**ID, ("other", "query"): {"a": 1, "b": 2}}, "http://h/base/things/7?a=1&b=2"),
        ({**ID, ("other", "query"): "$inputs.missing"}, "http://h/base/things/7"),
        ({**ID, ("other", "query"): "$inputs.nothing"}, "http://h/base/things/7"),
        ({**ID, ("other", "query"): "x{$inputs.missing}"}, "http://h/base/things/7"),
        ({**ID, ("other", "query"): "x{$inputs.text}"}, "http://h/base/things/7?other=x%22fox%22"),
    ],
)
def test_urls(parameters: dict[tuple[str, str], Any], url: str) -> None:
    assert built(parameters, text='"fox"', nothing=None).url == url


@pytest.mark.parametrize("value", ["$inputs.missing", "$inputs.nothing", "", ".", ".."])
def test_a_path_never_loses_a_part(value: str) -> None:
    with pytest.raises(RequestError, match="the path parameter 'id'"):
        built({("id", "path"): value}, nothing=None)


def test_headers_and_cookies() -> None:
    request = built({**ID, ("X-Trace", "header"): [1, 2], ("mood", "cookie"): "so so", ("X-None", "header"): None})
    assert request.headers == [("X-Trace", "1,2"), ("Cookie", "mood=so%20so")]
    assert request.message.headers == {"x-trace": "1,2", "cookie": "mood=so%20so"}
    with pytest.raises(RequestError, match="control character"):
        built({**ID, ("X-Trace", "header"): "a\r\nX-Evil: 1"})


@pytest.mark.parametrize("where", ["path", "query", "header", "cookie"])
def test_half_a_character_cannot_be_sent(where: str) -> None:
    with pytest.raises(RequestError, match="a value holds half a character"):
        built({**ID, ("id" if where == "path" else "x", where): "a\ud800"})


def test_a_json_body_leaves_out_what_is_absent() -> None:
    payload = {
        "a": "$inputs.text",
        "b": "$inputs.missing",
        "c": {"d": ["$inputs.missing"]},
        "e": "$inputs.nothing",
        "n": "$inputs.number",
    }
    request = built(ID, kind="application/json", payload=payload, text="x", nothing=None, number=1.5)
    assert json.loads(request.content or b"") == {"a": "x", "c": {"d": []}, "e": None, "n": 1.5}
    assert request.message.body["n"] == 1.5


def test_a_written_out_json_body_keeps_quotes_harmless() -> None:
    payload = '{"prompt": "{$inputs.text}", "n": {$inputs.number}, "list": {$inputs.list}, "none": "{$inputs.missing}"}'
    request = built(ID, kind="application/json", payload=payload, text='a "red"\nfox', number=3, list=[1])
    assert json.loads(request.content or b"") == {"prompt": 'a "red"\nfox', "n": 3, "list": [1], "none": ""}
    with pytest.raises(RequestError, match="is not JSON once"):
        built(ID, kind="application/json", payload='{"n": {$inputs.text}}', text="x")


def test_replacements_are_set_in_a_copy() -> None:
    payload = {"a": {"b": 1}, "list": [1, 2]}
    swaps = {"/a/b": "$inputs.text", "/list/0": 9, "/list/-": 3, "/new": None, "/gone": "$inputs.missing"}
    request = built(ID, kind="application/json", payload=payload, replacements=swaps, text="x")
    assert json.loads(request.content or b"") == {"a": {"b": "x"}, "list": [9, 2, 3], "new": None}
    assert payload == {"a": {"b": 1}, "list": [1, 2]}
    with pytest.raises(RequestError, match="leads nowhere"):
        built(ID, kind="application/json", payload={}, replacements={"/a/b": 1})


@pytest.mark.parametrize(
    ("kind", "payload", "content"),
    [
        ("application/x-www-form-urlencoded", {"a": "$inputs.text", "b": ["x", 1], "c": None}, b"a=f+o%26x&b=x&b=1"),
        ("application/x-www-form-urlencoded", "a={$inputs.number}", b"a=3"),
        ("text/plain", "say {$inputs.text}", b"say f o&x"),
        ("application/xml", "<a>{$inputs.number}</a>", b"<a>3</a>"),
        ("application/json-patch+json", [{"op": "add"}], b'[{"op":"add"}]'),
        ("application/json", "$inputs.missing", None),
    ],
)
def test_other_bodies(kind: str, payload: Any, content: bytes | None) -> None:
    request = built(ID, kind=kind, payload=payload, text="f o&x", number=3)
    assert request.content == content
    assert (("Content-Type", kind) in request.headers) is (content is not None)


def received(serve: Callable[[Handler], Stub], **how: Any) -> Got:
    stub = serve(lambda got: Reply(200, {}))

    async def send() -> None:
        async with Client() as client:
            await client.send(built(name="make", server=stub.url, **how))

    asyncio.run(send())
    return stub.got[0]


def test_multipart_as_a_server_reads_it(serve: Callable[[Handler], Stub]) -> None:
    payload = {
        "file": "$inputs.file",
        "moderate": "$inputs.number",
        "none": "$inputs.missing",
        "meta": {"a": 1},
        "tags": ["x", "y"],
    }
    got = received(
        serve,
        kind="multipart/form-data",
        payload=payload,
        binary=frozenset({"file"}),
        file=file_value(Path("photo.png")),
        number=True,
    )
    assert got.parts() == [
        Part("file", "photo.png", png(), "image/png"),
        Part("moderate", None, b"true", None),
        Part("meta", None, b'{"a":1}', None),
        Part("tags", None, b"x", None),
        Part("tags", None, b"y", None),
    ]


def test_text_for_a_binary_part_is_a_text_part(serve: Callable[[Handler], Stub]) -> None:
    binary = frozenset({"file"})
    got = received(serve, kind="multipart/form-data", payload={"file": "just text"}, binary=binary)
    assert got.parts() == [Part("file", None, b"just text", None)]
    data = "data:image/gif;base64,R0lG"
    got = received(serve, kind="multipart/form-data", payload={"file": data}, binary=binary)
    assert got.parts() == [Part("file", "file", b"GIF", "image/gif")]
    with pytest.raises(RequestError, match="would hold a control character"):
        built(ID, kind="multipart/form-data", payload={"file": "data:a/b\r\nX: 1,x"}, binary=binary)
    with pytest.raises(RequestError, match="give the input as `@path`"):
        built(ID, kind="multipart/form-data", payload={"file": "x"}, binary=binary, leniency=strict())


def test_a_binary_body_is_the_file(serve: Callable[[Handler], Stub]) -> None:
    got = received(serve, kind="image/png", payload="$inputs.file", file=file_value(Path("photo.png")))
    assert got.body == png()
    assert got.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ("image/webp", "image/webp"),
        ("application/octet-stream", "application/octet-stream"),
        ("image/*", "image/png"),
        ("image/jpeg, image/png", "image/png"),
        ("image/jpeg, image/webp", "image/png"),
        ("", "image/png"),
    ],
)
def test_the_type_of_a_part(serve: Callable[[Handler], Stub], declared: str, sent: str) -> None:
    got = received(
        serve,
        kind="multipart/form-data",
        payload={"file": "$inputs.file"},
        binary=frozenset({"file"}),
        part_types={"file": declared},
        file=file_value(Path("photo.png")),
    )
    assert got.parts() == [Part("file", "photo.png", png(), sent)]


def test_bytes_of_an_answer(serve: Callable[[Handler], Stub]) -> None:
    payload = {"file": "$inputs.bytes"}
    got = received(serve, kind="multipart/form-data", payload=payload, bytes=png())
    assert got.parts() == [Part("file", "file", png(), "application/octet-stream")]
    assert received(serve, kind="image/png", payload="$inputs.bytes", bytes=png()).body == png()
    with pytest.raises(UsageError, match="this place of the request holds text only"):
        built(ID, kind="application/json", payload=payload, bytes=png())
    with pytest.raises(UsageError, match="this place of the request holds text only"):
        built({**ID, ("q", "query"): "$inputs.bytes"}, bytes=png())


def test_a_document_cannot_name_a_file() -> None:
    payload = {"file": "@/etc/hostname", "other": "photo.png"}
    request = built(ID, kind="multipart/form-data", payload=payload, binary=frozenset({"file", "other"}))
    assert request.parts == [("file", (None, b"@/etc/hostname", None)), ("other", (None, b"photo.png", None))]
