"""`heddle run --report` and `--dry-run`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from arazzo_stub import Got, Handler, Reply, Stub

from conftest import EXAMPLES, Played

SECRET = "s3cret-of-nobody"


def steps() -> list[dict[str, Any]]:
    header = {"name": "Authorization", "in": "header", "value": "Bearer {$inputs.apiKey}"}
    return [
        {
            "stepId": "try",
            "operationId": "look",
            "parameters": [header],
            "onFailure": [{"name": "on", "type": "goto", "stepId": "make"}],
        },
        {
            "stepId": "make",
            "operationId": "make",
            "parameters": [header],
            "requestBody": {"payload": {"n": "$inputs.n", "gone": "$inputs.gone", "key": "$inputs.apiKey"}},
            "outputs": {"id": "$response.body#/id"},
        },
        {
            "stepId": "get",
            "operationId": "thing",
            "parameters": [{"name": "id", "in": "path", "value": "$steps.make.outputs.id"}],
        },
        {"stepId": "after", "operationId": "fetch"},
    ]


def answer(got: Got) -> Reply:
    if got.path == "/base/look":
        return Reply(503, {"message": f"busy <{SECRET}>"})
    if got.path == "/base/things/7":
        return Reply(404, {"message": "no # thing \x07 of " + SECRET})
    return Reply(200, {"id": 7})


@pytest.fixture
def document(write: Callable[..., Path]) -> Path:
    properties = {"apiKey": {"type": "string"}, "n": {"type": "integer"}, "gone": {"type": "integer"}}
    return write(steps(), inputs={"type": "object", "properties": properties}, outputs={"id": "$steps.make.outputs.id"})


@pytest.fixture
def failed(document: Path, serve: Callable[[Handler], Stub], play: Callable[..., Played], tmp_path: Path) -> Path:
    """All three reports of a run that handled one failure and died of another."""
    reports = [text for form in ("json", "junit", "tap") for text in ("--report", f"{form}={tmp_path}/report.{form}")]
    played = play(document, "--server", serve(answer).url, "-i", f"apiKey={SECRET}", "-i", "n=5", *reports)
    assert played.code == 1
    for form in ("json", "junit", "tap"):
        assert SECRET not in (tmp_path / f"report.{form}").read_text()
    return tmp_path


def test_json(failed: Path) -> None:
    report = json.loads((failed / "report.json").read_text())
    assert (report["status"], report["exitCode"]) == ("failed", 1)
    assert [(step["stepId"], step["ok"]) for step in report["steps"]] == [
        ("try", False),
        ("make", True),
        ("get", False),
    ]


def test_junit(failed: Path) -> None:
    (suite,) = ET.parse(failed / "report.junit").getroot()
    assert {name: suite.get(name) for name in ("name", "tests", "failures", "skipped")} == {
        "name": "main",
        "tests": "5",
        "failures": "2",
        "skipped": "1",
    }
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {"try": ["system-out"], "make": [], "get": ["failure"], "after": ["skipped"], "main": ["failure"]}
    assert "no # thing \N{REPLACEMENT CHARACTER} of ***" in str(suite[2][0].get("message"))


def test_tap(failed: Path) -> None:
    lines = (failed / "report.tap").read_text().splitlines()
    assert lines[:2] == ["TAP version 14", "1..5"]
    assert [line for line in lines if "ok " in line[:7]] == [
        "ok 1 - try",
        "ok 2 - make",
        "not ok 3 - get",
        "ok 4 - after # SKIP not run",
        "not ok 5 - main",
    ]


def test_a_failure_that_the_document_took_care_of_is_none(
    document: Path, serve: Callable[[Handler], Stub], play: Callable[..., Played], tmp_path: Path
) -> None:
    stub = serve(lambda got: answer(got) if got.path == "/base/look" else Reply(200, {"id": 7}))
    report = tmp_path / "report.xml"
    played = play(document, "--server", stub.url, "-i", f"apiKey={SECRET}", "--report", f"junit={report}")
    assert played.code == 0
    (suite,) = ET.parse(report).getroot()
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "0")
    assert "took care of it" in str(suite[0][0].text)


@pytest.mark.parametrize(
    ("text", "said"),
    [("junit", "is not FORMAT=FILE"), ("pdf=x.pdf", "is not FORMAT=FILE"), ("tap=gone/x", "cannot be written")],
)
def test_a_report_that_cannot_be_written_is_told_first(
    document: Path, serve: Callable[[Handler], Stub], play: Callable[..., Played], text: str, said: str
) -> None:
    stub = serve(answer)
    played = play(document, "--server", stub.url, "--report", text)
    assert played.code == 1
    assert said in played.stderr
    assert stub.got == []


def test_a_dry_run_shows_what_is_known_and_sends_nothing(
    document: Path, serve: Callable[[Handler], Stub], play: Callable[..., Played]
) -> None:
    stub = serve(answer)
    played = play(document, "--server", stub.url, "-i", f"apiKey={SECRET}", "-i", "n=5", "--dry-run")
    assert played.code == 0
    assert stub.got == []
    assert played.stdout.splitlines() == [
        "main: a dry run, nothing is sent",
        f"1. try   GET {stub.url}/base/look",
        "     header Authorization = Bearer ***",
        f"2. make   POST {stub.url}/base/make",
        "     header Authorization = Bearer ***",
        "     application/json",
        "       {",
        '         "n": 5,',
        '         "key": "***"',
        "       }",
        f"3. get   GET {stub.url}/base/things/{{$steps.make.outputs.id}}",
        f"4. after   GET {stub.url}/base/fetch",
    ]


def test_a_dry_run_as_json_starts_no_server(play: Callable[..., Played]) -> None:
    played = play(
        EXAMPLES / "image-to-image.yaml", "-i", "prompt=a fox", "-i", "file=@photo.png", "--dry-run", "--json"
    )
    assert played.code == 0
    report = played.report
    assert report["inputs"]["file"] == "@photo.png"
    assert report["steps"][0]["body"] == {"file": "@photo.png", "moderate": True}
    assert report["steps"][2]["unknown"] == ["$steps.submit.outputs.workflowId"]


def test_a_dry_run_refuses_what_a_run_refuses(document: Path, play: Callable[..., Played]) -> None:
    played = play(document, "--server", "http://127.0.0.1:9", "-i", "n=x", "--dry-run")
    assert played.code == 1
    assert "'n' is 'x'" in played.stderr
