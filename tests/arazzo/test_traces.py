"""`heddle run --trace`: every event and exchange as lines of JSON, masked and capped."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from arazzo_stub import TOKEN, Got, Handler, Reply, SeedApi, Stub, png
from test_runner import Answers

from conftest import EXAMPLES, Played
from heddle.arazzo.events import StepStarted
from heddle.arazzo.exchange import Client
from heddle.arazzo.masking import Secrets
from heddle.arazzo.requests import Request
from heddle.arazzo.traces import read_trace
from heddle.cli import credentials
from heddle.cli.chronicle import Chronicle
from heddle.cli.credentials import Credentials
from heddle.errors import UsageError

BEARER = {"name": "Authorization", "in": "header", "value": "Bearer {$inputs.apiKey}"}
SECRET = "s3cret-of-nobody"


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def exchanges_of(path: Path) -> list[dict[str, Any]]:
    return [line for line in lines_of(path) if line["type"] == "exchange"]


def make(**fields: Any) -> dict[str, Any]:
    return {"stepId": "make", "operationId": "make", "parameters": [BEARER], **fields}


def keyed(write: Callable[..., Path], *steps: dict[str, Any], **fields: Any) -> Path:
    properties = {"apiKey": {"type": "string"}, "n": {}}
    return write(list(steps), inputs={"type": "object", "properties": properties}, **fields)


def test_a_run_from_its_first_line_to_its_last(seed_api: SeedApi, play: Callable[..., Played], tmp_path: Path) -> None:
    trace = tmp_path / "t.trace"
    args = ["--server", seed_api.url, "-i", f"apiKey={TOKEN}", "-i", "prompt=fog", "-i", "file=@photo.png"]
    assert play(EXAMPLES / "image-to-image.yaml", *args, "--trace", str(trace), "--save", "out").code == 0
    lines = lines_of(trace)
    assert TOKEN not in trace.read_text()
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600
    assert (lines[0]["type"], lines[0]["version"], lines[0]["inputs"]["apiKey"]) == ("trace", 1, "***")
    assert base64.b64decode(lines[0]["inputs"]["file"]["$file"]["content"]) == png()
    assert [line["type"] for line in lines if line["type"] in ("runStarted", "runEnded", "end")] == [
        "runStarted",
        "runEnded",
        "end",
    ]
    exchanges = exchanges_of(trace)
    assert [line["number"] for line in exchanges] == list(range(1, len(seed_api.stub.got) + 1))
    upload, submit = exchanges[:2]
    assert upload["step"] == "upload"
    assert ("authorization", "***") in [tuple(pair) for pair in upload["request"]["headers"]]
    assert b"\x89PNG" in base64.b64decode(upload["request"]["body"]["base64"])
    assert json.loads(submit["request"]["body"]["text"])["steps"][0]["input"]["prompt"] == "fog"
    assert exchanges[-1]["step"] == ""  # the download that --save made
    assert base64.b64decode(exchanges[-1]["answer"]["body"]["base64"]) == png()
    assert [at["at"] for at in lines] == sorted(at["at"] for at in lines)


@pytest.mark.parametrize("tells", [True, False])
def test_a_trace_alone_keeps_nothing_in_memory(tells: bool) -> None:
    chronicle = Chronicle(Secrets(), 0, None, None, tells=tells)

    async def go() -> None:
        async with Client(chronicle.over(Answers(lambda got: Reply(200, {})))) as client:
            chronicle.event(StepStarted("look", 1, "GET /look", "main"))
            await client.send(Request("GET", "http://h/look", []))

    asyncio.run(go())
    assert len(chronicle.story.lines) == (2 if tells else 0)


def test_bodies_are_cut_and_it_is_said(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Played], tmp_path: Path
) -> None:
    big = bytes(range(256)) * 8
    text = "é" * 2000
    replies = {"look": Reply(200, text), "fetch": Reply(200, big, {"Content-Type": "image/png"})}
    path = write([{"stepId": name, "operationId": name} for name in replies])
    trace = tmp_path / "t.trace"
    stub = serve(lambda got: replies[got.path.rsplit("/", 1)[1]])
    assert play(path, "--server", stub.url, "--trace", str(trace), "--trace-bodies", "1k").code == 0
    look, fetch = (line["answer"]["body"] for line in exchanges_of(trace))
    content = json.dumps(text).encode()
    assert (look["whole"], look["size"]) == (False, len(content))
    assert content.startswith(look["text"].encode())
    assert 1000 < len(look["text"].encode()) <= 1024
    assert fetch == {"whole": False, "size": len(big), "sha256": hashlib.sha256(big).hexdigest(), "text": ""}


def test_secrets_are_masked_wherever_they_stand(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Played], tmp_path: Path
) -> None:
    body = {"payload": {"key": "$inputs.apiKey"}}
    token = "token-that-the-server-made"
    path = keyed(
        write,
        make(requestBody=body, outputs={"bearer": "$response.body#/access_token"}),
        {
            "stepId": "look",
            "operationId": "look",
            "parameters": [{"name": "X-Session", "in": "header", "value": "$steps.make.outputs.bearer"}],
        },
    )
    reply = Reply(200, {"access_token": token, "echo": SECRET}, {"Set-Cookie": "session=0123456789"})
    trace, har, page = (tmp_path / name for name in ("t.trace", "t.har", "t.html"))
    stub = serve(lambda got: reply)
    reports = ["--report", f"har={har}", "--report", f"html={page}", "--trace", str(trace)]
    played = play(path, "--server", stub.url, "-i", f"apiKey={SECRET}", *reports)
    assert played.code == 0
    assert stub.got[1].headers["x-session"] == token
    for file in (trace, har, page):
        content = file.read_text()
        assert SECRET not in content
        assert token not in content
        assert "0123456789" not in content
        assert "***" in content


def test_a_secret_out_of_a_file_and_one_in_an_address(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Played], tmp_path: Path
) -> None:
    (tmp_path / "key.txt").write_text(SECRET)
    path = keyed(write, make(requestBody={"payload": {"key": "$inputs.apiKey"}}))
    server = serve(lambda got: Reply(200, {})).url.replace("//", "//me:pass-of-nobody@")
    played = play(path, "--server", server, "-i", "apiKey=@key.txt", "--trace", "t.trace", "--report", "html=t.html")
    assert played.code == 0
    for told in (Path("t.trace").read_text(), Path("t.html").read_text(), played.stdout):
        assert SECRET not in told
        assert "pass-of-nobody" not in told


def test_tokens_of_the_login_and_secrets_inside_inputs(
    write: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Played],
    replay: Callable[..., Played],
) -> None:
    """In everything that a run shows or leaves behind."""
    word = {"type": "string", "format": "password"}
    login = {"properties": {"phrase": word, "pinToken": {"type": "integer"}}}
    inputs = {"properties": {"bearer": {}, "pinToken": {"type": "integer"}, "login": login}}
    bearer = [{"name": "Authorization", "in": "header", "value": "Bearer {$inputs.bearer}"}]
    body = {"payload": {"all": "$inputs.login", "pin": "$inputs.pinToken"}}
    path = write([make(parameters=bearer, requestBody=body, outputs={"said": "$response.body"})], inputs=inputs)
    stub = serve(lambda got: Reply(200, {"you": got.json, "token": got.headers["authorization"]}))
    credentials.save(Credentials().with_token(stub.url, "of-the-login-1"))
    given = ["--inputs", json.dumps({"pinToken": 87654321, "login": {"phrase": "sesame-4711", "pinToken": 1234}})]
    files = ["--trace", "t", "--report", "html=h", "--report", "har=r", "--report", "json=j", "--checkpoint", "c"]
    shown = [play(path, *given, "--dry-run", *mode) for mode in ([], ["--json"])] + [play(path, *given, *files)]
    assert [played.code for played in shown] == [0, 0, 0]
    assert stub.got[0].json == {"all": {"phrase": "sesame-4711", "pinToken": 1234}, "pin": 87654321}
    told = [played.stdout + played.stderr for played in shown] + [Path(name).read_text() for name in "thrj"]
    for secret in ("of-the-login-1", "87654321", "sesame-4711"):
        assert not any(secret in text for text in told), secret
        assert secret not in Path("c").read_text().splitlines()[0]
    again = replay("t", "--strict")
    assert again.code == 0, again.stdout + again.stderr


@pytest.mark.parametrize("cut", [1000, 1018, 1024, 1030])
def test_no_half_of_a_secret_is_left_where_a_body_is_cut(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Played], tmp_path: Path, cut: int
) -> None:
    trace = tmp_path / "t.trace"
    content = b"x" * cut + SECRET.encode() + b"y" * 5000
    stub = serve(lambda got: Reply(200, content, {"Content-Type": "text/plain"}))
    args = ["--server", stub.url, "-i", f"apiKey={SECRET}", "--trace", str(trace), "--trace-bodies", "1k"]
    assert play(keyed(write, make()), *args).code == 0
    assert "s3" not in exchanges_of(trace)[0]["answer"]["body"]["text"]


def test_redirects_broken_connections_and_packed_answers(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Played], tmp_path: Path
) -> None:
    def answer(got: Got) -> Reply:
        if got.path == "/base/look":
            return Reply(302, None, {"Location": "/other"})
        packed = gzip.compress(b'{"id": "x"}')
        return Reply(200, packed, {"Content-Type": "application/json", "Content-Encoding": "gzip"})

    path = write([{"stepId": "look", "operationId": "look", "outputs": {"id": "$response.body#/id"}}])
    trace = tmp_path / "t.trace"
    assert play(path, "--server", serve(answer).url, "--trace", str(trace)).code == 0
    first, second = exchanges_of(trace)
    assert (first["answer"]["status"], first["answer"]["body"]) == (302, None)
    assert (second["answer"]["status"], second["answer"]["body"]["text"]) == (200, '{"id": "x"}')
    played = play(path, "--server", "http://127.0.0.1:9", "--trace", str(trace))
    assert played.code == 1
    assert [(line["answer"], line["fault"]["kind"]) for line in exchanges_of(trace)] == [(None, "ConnectError")]


def test_an_interrupted_run_leaves_a_trace(write: Callable[..., Path], serve: Callable[[Handler], Stub]) -> None:
    asked, release = threading.Event(), threading.Event()

    def answer(got: Got) -> Reply:
        if got.path == "/base/fetch":
            asked.set()
            release.wait(30)
        return Reply(200, {})

    path = write([{"stepId": name, "operationId": name} for name in ("look", "fetch")])
    command = [sys.executable, "-m", "heddle", "run", str(path), "--server", serve(answer).url, "--trace", "t.trace"]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert asked.wait(30)
    assert [line["step"] for line in exchanges_of(Path("t.trace"))] == ["look"]  # it is there while the run goes on
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    release.set()
    trace = read_trace(Path("t.trace"))
    assert trace.result is None
    assert [(one.step, one.fault and one.fault.kind) for one in trace.exchanges] == [
        ("look", None),
        ("fetch", "CancelledError"),
    ]
    assert lines_of(Path("t.trace"))[-1]["interrupted"] is True


HEADER = {"type": "trace", "version": 1, "document": "a", "sha256": "", "workflow": None, "inputs": {}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no trace"),
        ("{}\n", ":1: this is no line of a trace: a trace begins with its header"),
        ("nonsense\n", ":1: this is no line of a trace: Expecting value"),
        ("[" * 100_000 + "\n", ":1: this is no line of a trace"),
        (json.dumps({**HEADER, "version": 7}) + "\n", "is a trace of version 7"),
        (json.dumps({**HEADER, "deadline": float("nan")}) + "\n", ":1: this is no line of a trace: NaN is no number"),
        (json.dumps({**HEADER, "inputs": 3}) + "\n", ":1: this is no line of a trace: Expected `object`, got `int`"),
        (json.dumps(HEADER) + '\n{"type": "stepEnded", "step": 3}\n', ":2: this is no line of a trace"),
        (json.dumps(HEADER) + '\n{"type": "exchange", "number": 1}\n', ":2: this is no line of a trace"),
    ],
    ids=[
        "empty",
        "no header",
        "no JSON",
        "too deep",
        "another version",
        "no number",
        "wrong header",
        "wrong event",
        "half",
    ],
)
def test_what_is_no_trace(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "t.trace"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_trace(path)
    assert said in caught.value.message


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.trace"
    path.write_text(json.dumps(HEADER) + '\n{"type": "later", "at": 1}\n{"type": ["odd"]}\n{"type": "excha')
    assert read_trace(path).lines == ()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--inputs", '{"n": "fog"}'], "n: 'fog' is not"),
        (["--checkpoint", "begun.run"], "holds a run already"),
        (["--checkpoint", "begun.run", "--resume", "-i", "n=2"], "is that of another run"),
    ],
    ids=["inputs", "a checkpoint in use", "another run"],
)
def test_a_run_that_is_refused_leaves_the_trace_of_another(
    write: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Played],
    args: list[str],
    said: str,
) -> None:
    path = write([{"stepId": "look", "operationId": "look"}], inputs={"properties": {"n": {"type": "integer"}}})
    server = ["--server", serve(lambda got: Reply(200, {})).url]
    assert play(path, *server, "-i", "n=1", "--checkpoint", "begun.run", "--trace", "t").code == 0
    before = Path("t").read_text()
    played = play(path, *server, *args, "--trace", "t")
    assert (played.code, said in played.stderr) == (1, True), played.stderr
    assert Path("t").read_text() == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--trace", "nowhere/t.trace"], "nowhere is no folder"),
        (["--trace", "flow.yaml"], "the trace flow.yaml would take the place of the document"),
        (["--trace", "t.trace", "--trace-bodies", "much"], "--trace-bodies 'much' is no size"),
        (["--trace", "/dev/full"], "the trace /dev/full cannot be written: No space left on device"),
    ],
    ids=["no folder", "the document", "no size", "no room"],
)
def test_what_cannot_be_written(
    write: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Played],
    args: list[str],
    said: str,
) -> None:
    stub = serve(lambda got: Reply(200, {}))
    played = play(write([{"stepId": "look", "operationId": "look"}]), "--server", stub.url, *args)
    assert played.code == 1
    assert said in played.stderr
    assert len(stub.got) == (1 if "/dev/full" in args else 0)
