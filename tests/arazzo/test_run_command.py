"""`heddle run` as a person uses it: exit statuses, inputs, tokens, secrets, uploads, saved files."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from arazzo_stub import TOKEN, Got, Handler, Reply, SeedApi, Stub, png

from heddle.arazzo.leniency import LENIENCIES
from heddle.cli import credentials
from heddle.cli.credentials import Credentials

EXAMPLES = Path(__file__).parents[2] / "examples"
BEARER = [{"name": "Authorization", "in": "header", "value": "Bearer {$inputs.apiKey}"}]
INPUTS = {
    "type": "object",
    "required": ["apiKey"],
    "properties": {"apiKey": {"type": "string"}, "n": {"type": "integer"}},
}


def ok(body: Any = None) -> Handler:
    return lambda got: Reply(200, {} if body is None else body)


def look(**fields: Any) -> dict[str, Any]:
    return {"stepId": "look", "operationId": "look", **fields}


# The examples of the project

GIVEN: dict[str, list[str]] = {
    "text-to-image.yaml": [],
    "image-to-image.yaml": ["-i", "file=@photo.png"],
    "presigned-upload.yaml": ["-i", "mimeType=image/png", "--upload", "promise.uploadUrl=@photo.png"],
    "catalog-model-to-image.yaml": ["-i", "modelVersionId=7"],
}
REST: dict[str, list[str]] = {
    "text-to-image.yaml": [
        "-i",
        'negativePrompt=a "b"',
        "-i",
        "width=512",
        "-i",
        "height=64",
        "-i",
        "seed=1",
        "-i",
        "quantity=2",
    ],
    "image-to-image.yaml": ["-i", "strength=0.3", "-i", "moderate=false", "-i", "seed=4"],
    "presigned-upload.yaml": ["-i", f"sizeBytes={len(png())}"],
    "catalog-model-to-image.yaml": ["-i", "engine=sdxl"],
}


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("extent", ["required", "all, by the letter"])
def test_the_examples_run(seed_api: SeedApi, play: Callable[..., Any], name: str, extent: str) -> None:
    seed_api.before = ["processing"]
    more = [*REST[name], "--strict"] if extent.startswith("all") else []
    args = ["--server", seed_api.url, "-i", f"apiKey={TOKEN}", "-i", "prompt=fog", *GIVEN[name], *more]
    played = play(EXAMPLES / name, *args, "--save", "out", "--json")
    assert (played.code, played.report["missing"]) == (0, [])
    assert {one["name"] for one in played.report["leniencies"]} <= (set() if more else {"absent-input", "loop-pacing"})
    assert Path("out/imageUrl.png").read_bytes() == png()


# Exit statuses and what is shown


def test_plain_lines_tell_the_story(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    path = write([look(outputs={"id": "$response.body#/id"})], outputs={"id": "$steps.look.outputs.id"})
    stub = serve(ok({"id": "x\x1b[2J1"}))
    played = play(path, "--server", stub.url)
    lines = played.stdout.splitlines()
    assert lines[0] == "main: A test"
    assert lines[1] == f"note: talking to {stub.url}/base"
    assert lines[2].startswith("look: GET /look → 200 in ")
    assert lines[3:6] == ["  id = x\N{REPLACEMENT CHARACTER}[2J1", "outputs:", "  id: x\N{REPLACEMENT CHARACTER}[2J1"]
    assert lines[6].startswith("succeeded after ")
    assert (played.code, played.stderr) == (0, "")


def test_a_poll_by_retry_is_no_failure_to_read(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    replies = [Reply(200, {"ok": False})] * 3 + [Reply(503, {}), Reply(200, {"ok": True})]
    again = {"name": "again", "type": "retry", "retryAfter": 0.001, "retryLimit": 9}
    path = write([look(successCriteria=[{"condition": "$response.body#/ok"}], onFailure=[again])])
    played = play(path, "--server", serve(lambda got: replies.pop(0)).url)
    lines = [line.partition(" in ")[0] for line in played.stdout.splitlines() if line.startswith("look")]
    assert lines == ["look: GET /look → 200, not there yet", "look: GET /look → 503", "look: GET /look → 200"]
    assert played.code == 0


def test_an_early_end_names_its_action(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    stop = {"name": "enough", "type": "end"}
    steps = [
        look(outputs={"status": "$response.body#/status"}, onSuccess=[stop]),
        {"stepId": "next", "operationId": "fetch"},
    ]
    path = write(steps, outputs={"x": "$response.body#/x"})
    played = play(path, "--server", serve(ok({"status": "failed"})).url)
    assert played.code == 2
    assert "  x: (missing)" in played.stdout
    assert "without x: the action 'enough' of step look (status failed) ended it (" in played.stdout
    assert f"({path}:" in played.stdout


def test_a_failed_step_is_one(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    played = play(write([look()]), "--server", serve(lambda got: Reply(500, {"detail": "no luck"})).url)
    assert played.code == 1
    assert "failed after" in played.stdout
    assert "the server answered 500: no luck" in played.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-i", "apiKey"], "heddle: -i 'apiKey' is not NAME=VALUE"),
        (["-i", "apikey=x"], "heddle: the document has no input 'apikey'\nhint: did you mean 'apiKey'?"),
        ([], "heddle: 1 required input is missing: apiKey (string)"),
        (["-i", "apiKey=x", "-i", "n=many"], "heddle: the input 'n' is 'many', which is not an integer"),
        (["-i", "apiKey=@gone"], "heddle: there is no file gone"),
        (["-i", "apiKey=x", "-w", "other"], "heddle: "),
        (["-i", "apiKey=x", "--server", "nonsense"], "heddle: 'nonsense' is not the URL of a server"),
        (["-i", "apiKey=x", "--server", "other=http://127.0.0.1:9"], "heddle: --server names the source 'other'"),
        (["-i", "apiKey=x", "--source", "api=gone.yaml"], "heddle: there is no file gone.yaml"),
        (["-i", "apiKey=x", "--upload", "look.url=@photo.png"], "heddle: no step produces look.url"),
        (["-i", "apiKey=x", "--upload", "look"], "heddle: --upload 'look' is not STEP.OUTPUT=@FILE"),
        (["-i", "apiKey=x", "--without", "kindness"], "heddle: 'kindness' is not a leniency"),
        (["--inputs", "[1]"], "heddle: "),
        (["--max-steps", "0"], "Error: Invalid value for '--max-steps'"),
        (["--bogus"], "Error: No such option '--bogus'"),
    ],
)
def test_a_wrong_command_line_exits_with_one(
    write: Callable[..., Path], play: Callable[..., Any], args: list[str], said: str
) -> None:
    path = write([look(parameters=BEARER)], inputs=INPUTS)
    server = [] if "--server" in args else ["--server", "http://127.0.0.1:9"]
    played = play(path, *args, *server)
    assert played.code == 1
    assert said in played.stderr
    assert "Traceback" not in played.stderr


def test_a_document_that_is_none(play: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("openapi: 3.1.0")
    for name, said in (
        ("x.yaml", "x.yaml:1:1: this is not an Arazzo document"),
        ("gone.yaml", "there is no file gone.yaml"),
    ):
        played = play(name)
        assert (played.code, played.stdout) == (1, "")
        assert said in played.stderr


def test_a_request_goes_only_to_servers_that_somebody_named(
    write: Callable[..., Path], play: Callable[..., Any]
) -> None:
    sources = [{"name": name, "url": "api.yaml", "type": "openapi"} for name in ("one", "two")]
    step = {"stepId": "s", "operationId": "$sourceDescriptions.two.look"}
    played = play(write([step], sourceDescriptions=sources), "--server", "one=http://127.0.0.1:9")
    assert played.code == 1
    assert "no server is given for the source 'two'" in played.stderr


# Inputs


def test_inputs_come_from_a_file_or_from_json(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    properties = {"a": {"type": "string"}, "b": {"type": "array"}, "photo": {"type": "string"}}
    body = {
        "contentType": "multipart/form-data",
        "payload": {"a": "$inputs.a", "b": "$inputs.b", "photo": "$inputs.photo"},
    }
    path = write(
        [{"stepId": "s", "operationId": "make", "requestBody": body}],
        inputs={"type": "object", "properties": properties},
    )
    stub = serve(ok())
    Path("sub").mkdir()
    Path("sub/p.png").write_bytes(png())
    Path("sub/in.yaml").write_text("a: one\nb: [1]\nphoto: {$file: p.png}\n")
    Path("list.json").write_text('["x", "y"]')
    for args in (
        ["--inputs", "sub/in.yaml", "-i", "a=@@two", "-i", "b=@list.json"],
        ["--inputs", '{"a": "@photo.png"}'],
    ):
        assert play(path, "--server", stub.url, *args).code == 0
    first, second = [[(part.name, part.content) for part in got.parts()] for got in stub.got]
    assert first == [("a", b"@two"), ("b", b"x"), ("b", b"y"), ("photo", png())]
    assert second == [("a", b"@photo.png")]


def test_the_inputs_can_be_listed(play: Callable[..., Any]) -> None:
    played = play(EXAMPLES / "image-to-image.yaml", "--help-inputs")
    assert (played.code, played.stdout.splitlines()[2]) == (
        0,
        "  file (string, required): The source picture; give it as file=@photo.png.",
    )
    fields = play(EXAMPLES / "image-to-image.yaml", "--help-inputs", "--json").report
    assert [field["name"] for field in fields if field["required"]] == ["apiKey", "file", "prompt"]


# Tokens and secrets


def log_in(url: str, token: str = TOKEN) -> None:
    credentials.save(credentials.load().with_token(url, token))


def test_a_known_server_is_the_default_and_fills_the_token_in(seed_api: SeedApi, play: Callable[..., Any]) -> None:
    log_in(seed_api.url + "/")
    played = play(EXAMPLES / "text-to-image.yaml", "-i", "prompt=fog")
    assert played.code == 0
    assert f"note: the input 'apiKey' is filled with the token of {seed_api.url}" in played.stdout
    assert TOKEN not in played.stdout
    assert play(EXAMPLES / "text-to-image.yaml", "-i", "prompt=fog", "-i", "apiKey=other").code == 1
    many = play(EXAMPLES / "text-to-image.yaml", str(EXAMPLES / "text-to-image.yaml"), "-i", "prompt=fog")
    assert many.stdout.count(f"note: the input 'apiKey' is filled with the token of {seed_api.url}") == 1


def test_a_token_never_goes_to_another_server(
    seed_api: SeedApi, serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    log_in(seed_api.url)
    other = serve(ok())
    played = play(EXAMPLES / "text-to-image.yaml", "-i", "prompt=fog", "--server", other.url)
    assert played.code == 1
    assert "1 required input is missing: apiKey" in played.stderr
    servers = ["--server", f"orchestration={seed_api.url}", "--server", f"site={other.url}/api/v1"]
    played = play(EXAMPLES / "catalog-model-to-image.yaml", "-i", "prompt=fog", "-i", "modelVersionId=7", *servers)
    assert "1 required input is missing: apiKey" in played.stderr
    assert other.got == []


def test_an_input_with_another_use_is_not_a_token(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    stub = serve(ok())
    log_in(stub.url)
    query = [{"name": "key", "in": "query", "value": "$inputs.apiKey"}]
    assert play(write([look(parameters=BEARER)], inputs=INPUTS)).code == 0
    assert "is missing: apiKey" in play(write([look(parameters=BEARER + query)], inputs=INPUTS)).stderr
    path = write([look(parameters=BEARER)], inputs=INPUTS, outputs={"k": "$inputs.apiKey"})
    assert "is missing: apiKey" in play(path).stderr
    assert stub.got[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("mode", [[], ["--json"]])
def test_secrets_are_masked_everywhere(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any], mode: list[str]
) -> None:
    def echo(got: Got) -> Reply:
        return Reply(500 if "fetch" in got.path else 200, {"message": f"you said {dict(got.headers)} {got.raw_query}"})

    query = [{"name": "again", "in": "query", "value": "x $inputs.apiKey/y"}]
    fixed = [{"name": "X-Api-Key", "in": "header", "value": "written-in-the-document"}]
    steps = [
        look(parameters=BEARER + query, outputs={"all": "$response.body", "url": "$url"}),
        {"stepId": "n", "operationId": "fetch", "parameters": BEARER + fixed},
    ]
    played = play(write(steps, inputs=INPUTS), "-i", "apiKey=hush/hush&", "--server", serve(echo).url, *mode)
    assert played.code == 1
    assert "you said" in played.stdout
    for text in ("hush/hush", "hush%2Fhush", "written-in-the-document"):
        assert text not in played.stdout + played.stderr


def test_the_credentials_file_is_for_its_owner_only() -> None:
    path = credentials.save(Credentials().with_token("HTTP://Example.org:80/x/", "t"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    stored = credentials.load()
    assert (stored.default, stored.tokens) == ("HTTP://Example.org:80/x", {"http://example.org": "t"})
    assert credentials.token_for("http://EXAMPLE.org/other") == "t"
    assert credentials.token_for("https://example.org") is None
    assert stored.without("http://example.org") == Credentials()
    assert sorted(one.name for one in path.parent.iterdir()) == ["credentials.json"]


# Uploads and saved files


def test_an_upload_that_fails_fails_its_step(seed_api: SeedApi, play: Callable[..., Any]) -> None:
    Path("not.png").write_bytes(b"GIF89a")
    args = ["-i", f"apiKey={TOKEN}", "-i", "prompt=fog", "-i", "mimeType=image/png", "--server", seed_api.url]
    played = play(EXAMPLES / "presigned-upload.yaml", *args, "--upload", "promise.uploadUrl=@not.png", "--json")
    assert (played.code, played.report["status"], seed_api.workflows) == (1, "failed", {})
    assert "not.png was refused with 415" in played.report["reason"]


def test_a_run_that_waits_for_a_file_says_how_to_give_it(seed_api: SeedApi, play: Callable[..., Any]) -> None:
    args = ["-i", f"apiKey={TOKEN}", "-i", "prompt=fog", "-i", "mimeType=image/png", "--server", seed_api.url]
    played = play(EXAMPLES / "presigned-upload.yaml", *args)
    assert played.stdout.count("the run may wait for it: --upload promise.uploadUrl=@FILE") == 1
    given = play(EXAMPLES / "presigned-upload.yaml", *args, "--upload", "promise.uploadUrl=@photo.png")
    assert (given.code, "--upload" in given.stdout) == (0, False)


def test_files_are_saved_beside_one_another(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    other = serve(ok())
    stub = serve(ok())

    def answer(got: Got) -> Reply:
        if got.path == "/base/look":
            return Reply(
                200,
                {
                    "all": [f"{stub.url}/a", f"{stub.url}/b"],
                    "gone": f"{stub.url}/gone",
                    "far": f"{other.url}/x",
                    "uploadUrl": f"{stub.url}/put",
                },
            )
        if got.path == "/put":  # for PUT only: nothing to save, and nothing to complain of
            return Reply(405, {})
        return Reply(404, {}) if got.path == "/gone" else Reply(200, got.path.encode(), {"Content-Type": "image/webp"})

    stub.handler = answer
    outputs = {name: f"$response.body#/{name}" for name in ("all", "gone", "far", "uploadUrl")}
    path = write([look(outputs=outputs)], outputs={name: f"$steps.look.outputs.{name}" for name in outputs})
    for _ in range(2):
        played = play(path, "--server", stub.url, "--save", "out/deep", "--json")
    assert played.code == 0
    saved = {(one["path"], one["reason"]) for one in played.report["saved"]}
    assert saved == {
        ("out/deep/all-3.webp", None),
        ("out/deep/all-4.webp", None),
        (None, "the server answered 404"),
        (None, f"{other.url} is not a server of this run"),
    }
    assert [Path(f"out/deep/all{n}.webp").read_bytes() for n in ("", "-2", "-3", "-4")] == [b"/a", b"/b", b"/a", b"/b"]
    assert other.got == []


# In a process of its own


def test_ctrl_c_tells_how_far_it_got(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], tmp_path: Path
) -> None:
    asked = threading.Event()

    def answer(got: Got) -> Reply:
        if got.path.endswith("fetch"):
            asked.set()
            return Reply(200, {}, {"Retry-After": "60"})
        return Reply(200, {"id": 1})

    again = {"name": "again", "type": "goto", "stepId": "next"}
    steps = [
        look(outputs={"id": "$response.body#/id"}),
        {"stepId": "next", "operationId": "fetch", "onSuccess": [again]},
    ]
    command = [sys.executable, "-m", "heddle", "run", str(write(steps)), "--server", serve(answer).url, "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    ) as child:
        assert asked.wait(20)
        child.send_signal(signal.SIGINT)
        stdout, stderr = child.communicate(timeout=20)
    report = json.loads(stdout)
    assert (child.returncode, report["reason"], stderr) == (130, "interrupted", "")
    assert [(step["stepId"], step["runs"]) for step in report["steps"]] == [("look", 1), ("next", 1)]


def test_the_guide_lists_every_leniency() -> None:
    guide = (EXAMPLES.parent / "docs" / "arazzo.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", guide, re.MULTILINE) == list(LENIENCIES)
