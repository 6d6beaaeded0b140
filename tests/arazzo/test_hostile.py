"""Documents, descriptions and answers that mean harm: each is refused, quickly, and says why."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from arazzo_stub import DESCRIPTION, Reply, Stub

from heddle.arazzo.document import read_document
from heddle.arazzo.findings import Severity
from heddle.arazzo.floods import MAX_JSON
from heddle.arazzo.lint import lint
from heddle.errors import UsageError

Write = Callable[..., Path]
Play = Callable[..., Any]
Serve = Callable[..., Stub]

STEP = {"stepId": "a", "operationId": "look"}
#: What is worked out in another process has its second there, and a loaded machine its delays.
BOUNDED_S = 12.0


@contextmanager
def quickly(seconds: float = 1.0) -> Iterator[None]:
    """Time of computing here, which depends little on what else the machine does."""
    started, clock = time.process_time(), time.monotonic()
    yield
    assert time.process_time() - started < seconds
    assert time.monotonic() - clock < max(BOUNDED_S, seconds)


def told(played: Any) -> str:
    """What a run says, before it starts and afterwards."""
    return played.stdout + played.stderr


def refused(path: Path, *said: str) -> None:
    """By `read_document` and by `lint`, with the same words."""
    with quickly(), pytest.raises(UsageError) as raised:
        read_document(path)
    assert all(one in raised.value.message for one in said), raised.value.message
    with quickly():
        errors = [one for one in lint(path) if one.severity is Severity.ERROR]
    assert errors


BILLION = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 1_000_000, "too deeply nested"),
        ("a: " + "{a: " * 200_000, "too deeply nested"),
        ("- " * 200_000, "too deeply nested"),
        ("? " * 200_000, "too deeply nested"),
        ("".join(" " * at + "a:\n" for at in range(2000)), "too deeply nested"),
        ('{"a":' * 500 + "1" + "}" * 500, "deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "deep"),
        (BILLION, "too large"),
        ("arazzo: &a [*a]", "too large or too deeply nested"),
        ("a: 1\n" + "b" * (17 << 20), "at most 16 are read as YAML"),
        ("arazzo: 1" + "0" * 100_000, "is not supported"),
        ("? [a]\n: b", "a key must be text"),
        ("a: !!python/object/apply:os.system [id]", "`arazzo` is missing"),
        ("a: 1\na: 2", "twice"),
        ("a\x00b: 1", "not allowed"),
    ],
    ids=lambda value: value[:12] if len(value) < 60 else f"{value[:8]}-{len(value)}",
)
def test_texts(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(text)
    refused(path, said)


def test_a_huge_file_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    with path.open("wb") as file:
        file.truncate(MAX_JSON + (1 << 30))
    refused(path, "at most 64 are read")


def test_an_enormous_number_of_steps(write: Write) -> None:
    path = write([STEP])
    document = yaml.safe_load(path.read_text())
    document["workflows"][0]["steps"] = [{"stepId": f"s{at}", "operationId": "look"} for at in range(20_000)]
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match="has 20000 entries; at most 10000 are read"):
        read_document(path)


@pytest.mark.parametrize(
    "step",
    [
        {"successCriteria": [{"condition": "(" * 5000 + "true" + ")" * 5000}]},
        {"successCriteria": [{"condition": "!" * 5000 + "true"}]},
        {"successCriteria": [{"condition": "$inputs.a" + "[0" * 5000}]},
        {"successCriteria": [{"condition": "1" + "0" * 10_000 + " == 1"}]},
        {"successCriteria": [{"context": "$response.body", "type": "jsonpath", "condition": "$[?" + "(" * 5000}]},
        {"successCriteria": [{"context": "$response.body", "type": "jsonpath", "condition": "$" + ".a" * 20_000}]},
        {"successCriteria": [{"context": "$response.body", "type": "xpath", "condition": "(" * 5000 + "1"}]},
        {"successCriteria": [{"context": "$response.body", "type": "regex", "condition": "(" * 5000 + ")" * 5000}]},
        {"successCriteria": [{"context": "$response.body", "type": "regex", "condition": "(?:a{1,99999999999999})"}]},
        {"onFailure": [{"name": "r", "type": "retry", "retryAfter": 1e300}]},
        {"onFailure": [{"name": "r", "type": "retry", "retryLimit": 10**300}]},
    ],
    ids=lambda step: json.dumps(step)[:100],
)
def test_criteria_and_actions(write: Write, play: Play, serve: Serve, step: dict[str, Any]) -> None:
    path = write([{**STEP, **step}])
    server = serve(lambda _: Reply())
    with quickly(2):
        played = play(path, "--server", server.url)
    assert (played.code, server.got) == (1, []), told(played)
    assert len(told(played)) < 50_000
    with quickly(2):
        assert [one for one in lint(path) if one.severity is Severity.ERROR]


@pytest.mark.parametrize("value", ["$inputs.x" + ".a" * 40_000, "{" * 40_000 + "$inputs.x", "$steps." * 20_000])
def test_texts_that_look_like_expressions(write: Write, value: str) -> None:
    with quickly(2):
        lint(write([{**STEP, "operationId": "make", "requestBody": {"payload": {"a": f"a {value}"}}}]))


def test_long_names_are_not_compared(write: Write) -> None:
    inputs = {"type": "object", "properties": {f"{'n' * 50_000}{at}": {} for at in range(20)}}
    with quickly(2):
        found = lint(write([{**STEP, "outputs": {"x": "$inputs." + "n" * 50_000}}], inputs=inputs))
    assert "undeclared-input" in {one.code for one in found}


# Schemas of inputs


def nested(depth: int) -> dict[str, Any]:
    """Each schema refers twice to the next: small to write, without end to apply."""
    parts = {
        f"s{at}": {"allOf": [{"$ref": f"#/components/inputs/s{at + 1}"}, {"$ref": f"#/components/inputs/s{at + 1}"}]}
        for at in range(depth)
    }
    return {**parts, f"s{depth}": {}}


@pytest.mark.parametrize(
    ("inputs", "components", "said"),
    [
        ({"$ref": "#/components/inputs/a"}, {"a": {"$ref": "#/components/inputs/a"}}, "refer to themselves"),
        (
            {"properties": {"x": {"$ref": "#/components/inputs/a"}}},
            {"a": {"allOf": [{"$ref": "#/components/inputs/a"}]}},
            "refers to itself without end",
        ),
        ({"properties": {"x": {"$ref": "#/components/inputs/s0"}}}, nested(60), "takes too long"),
        ({"properties": {"x": {"pattern": "^(a+)+$"}}}, {}, "takes too long"),
        ({"patternProperties": {"^(x|x)*y": {}, "(a+)+b": {"type": "integer"}}}, {}, ""),
        ({"properties": {"x": {"pattern": "("}}}, {}, "is not a 'regex'"),
        ({"properties": {"x": {"$ref": "https://127.0.0.1:9/schema"}}}, {}, "not in this document"),
        ({"properties": {"x": {"allOf": [{"$ref": "file:///etc/passwd"}]}}}, {}, "nothing is fetched"),
        ({"properties": {"x": {"$ref": "#/components/inputs/~5"}}}, {}, "not in this document"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_schemas(
    write: Write, play: Play, serve: Serve, inputs: dict[str, Any], components: dict[str, Any], said: str
) -> None:
    path = write([STEP], inputs={"type": "object", **inputs}, components={"inputs": components})
    server = serve(lambda _: Reply())
    with quickly(2):
        played = play(path, "-i", "x=" + "a" * 40 + "!", "--server", server.url)
    if said:
        assert (played.code, server.got) == (1, [])
        assert said in told(played)
    with quickly(2):
        lint(path)


# Descriptions


@pytest.mark.parametrize(
    "change",
    [
        {"/look": {"$ref": "#/paths/~1look"}},
        {"/look": {"get": {"operationId": "look", "parameters": [{"$ref": "#/components/parameters/a"}]}}},
        {"/look": {"get": {"operationId": "look", "requestBody": {"$ref": "other.yaml#/a"}}}},
        {"/look": {"get": {"operationId": "look", "requestBody": {"$ref": "https://127.0.0.1:9/a"}}}},
    ],
    ids=lambda value: json.dumps(value)[:90],
)
def test_references_of_descriptions(
    write: Write, play: Play, serve: Serve, tmp_path: Path, change: dict[str, Any]
) -> None:
    path = write([STEP])
    circle = {"parameters": {"a": {"$ref": "#/components/parameters/b"}, "b": {"$ref": "#/components/parameters/a"}}}
    (tmp_path / "api.yaml").write_text(yaml.safe_dump({**DESCRIPTION, "paths": change, "components": circle}))
    server = serve(lambda _: Reply())
    with quickly():
        played = play(path, "--server", server.url)
    assert (played.code, server.got) == (1, [])
    assert "api.yaml" in told(played)


def test_a_schema_of_an_answer_that_refers_to_itself(write: Write, tmp_path: Path) -> None:
    schema = {"allOf": [{"$ref": "#/components/schemas/a"}, {"$ref": "#/components/schemas/a"}]}
    answer = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/a"}}}}}
    paths = {"/look": {"get": {"operationId": "look", "responses": answer}}}
    path = write([{**STEP, "outputs": {"x": "$response.body#" + "/a" * 60}}])
    description = {**DESCRIPTION, "paths": paths, "components": {"schemas": {"a": schema}}}
    (tmp_path / "api.yaml").write_text(yaml.safe_dump(description))
    with quickly():
        assert [one.code for one in lint(path)] == ["unknown-property"]


# Sources


@pytest.mark.parametrize(
    "url",
    [
        "../../etc/passwd",
        "../secret.yaml",
        "/etc/passwd",
        "file:///etc/passwd",
        "file://server/share/api.yml",
        "%2e%2e/secret.yaml",
        "sub/../../secret.yaml",
        "link.yaml",
        "loop.yaml",
        "https://127.0.0.1:9/etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "https://[::1",
        "data:text/yaml,openapi:%203.1.0",
        "a\x00b",
        "a" * 5000,
        "..",
        "",
    ],
    ids=lambda url: url[:40].encode("unicode_escape").decode(),
)
def test_sources_outside_of_the_folder(write: Write, play: Play, tmp_path: Path, url: str) -> None:
    """Everything that is named there exists, and would do if it were read."""
    path = write([STEP])
    good = (tmp_path / "api.yaml").read_text()
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret.yaml").write_text(good)
    (home / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (home / "loop.yaml").symlink_to(home / "loop.yaml")
    document = yaml.safe_load(path.read_text())
    document["sourceDescriptions"][0]["url"] = url
    (home / "flow.json").write_text(json.dumps(document))
    with quickly():
        played = play(home / "flow.json", "--server", "http://127.0.0.1:9")
    assert played.code == 1
    assert "--source api=PATH" in told(played)
    with quickly():
        codes = {one.code for one in lint(home / "flow.json")}
    assert codes & {"missing-description", "wrong-value"}


def test_sources_inside_of_the_folder(write: Write, play: Play, serve: Serve, tmp_path: Path) -> None:
    path = write([STEP])
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    good = (tmp_path / "api.yaml").read_text()
    (tmp_path / "api.yaml").rename(tmp_path / "sub" / "api.yaml")
    other = {**yaml.safe_load(path.read_text()), "sourceDescriptions": [{"name": "api", "url": "../api.yaml"}]}
    (tmp_path / "sub" / "deep" / "other.yaml").write_text(yaml.safe_dump(other))
    server = serve(lambda _: Reply())
    for url in ("sub/api.yaml", "./sub/../sub/api.yaml", (tmp_path / "sub/api.yaml").as_uri()):
        path.write_text(path.read_text().replace("url: api.yaml", f"url: {url}"))
        assert play(path, "--server", server.url).code == 0
        path.write_text(path.read_text().replace(f"url: {url}", "url: api.yaml"))
    outer = yaml.safe_load(path.read_text())
    outer["sourceDescriptions"] = [{"name": "other", "url": "sub/deep/other.yaml", "type": "arazzo"}]
    outer["workflows"][0]["steps"] = [{"stepId": "a", "workflowId": "$sourceDescriptions.other.main"}]
    path.write_text(yaml.safe_dump(outer))
    assert play(path, "--server", server.url).code == 0
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere.yaml"
    elsewhere.write_text(good)
    assert play(path, "--server", server.url, "--source", f"api={elsewhere}").code == 0


# Answers


XXE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
LAUGHS = (
    "<!DOCTYPE a [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9))
    + "]><a>&j;</a>"
)
DEEP = "[" * 500 + "]" * 500
ALL = {"context": "$response.body"}


@pytest.mark.parametrize(
    ("kind", "body", "criterion", "said"),
    [
        ("application/xml", XXE, {"type": "xpath", "condition": "/a"}, "document type"),
        ("application/xml", LAUGHS, {"type": "xpath", "condition": "/a"}, "document type"),
        ("application/xml", "<a>" * 20_000, {"type": "xpath", "condition": "/a"}, "nested more than"),
        ("application/xml", "x" * 2_000_000, {"type": "xpath", "condition": "/a"}, "longer than"),
        ("application/json", DEEP, {"type": "jsonpath", "condition": "$..a"}, "needs JSON"),
        ("application/json", "[" * 200_000, {"type": "jsonpath", "condition": "$..a"}, "needs JSON"),
        ("application/json", "1" * 10_000, {"type": "jsonpath", "condition": "$.a"}, "needs JSON"),
        (
            "application/json",
            json.dumps([list(range(50)) for _ in range(50)]),
            {"type": "jsonpath", "condition": "$..[?count($..[?count($..*) > 9999999]) > 9999999]"},
            "was not answered within 1 s",
        ),
        (
            "application/json",
            json.dumps({"a": "a" * 60 + "!"}),
            {"type": "jsonpath", "condition": "$[?search(@, '(a|a|aa)+b')]"},
            "was not answered within 1 s",
        ),
        (
            "application/json",
            json.dumps([list(range(1000))] * 500),
            {
                "type": {"type": "jsonpath", "version": "draft-goessner-dispatch-jsonpath-00"},
                "condition": "$..*..*",
            },
            "looks at more than",
        ),
        ("text/plain", "a" * 60 + "!", {"type": "regex", "condition": "^(a+)+$"}, "within 1 s"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_answers(
    write: Write, play: Play, serve: Serve, kind: str, body: str, criterion: dict[str, Any], said: str
) -> None:
    path = write([{**STEP, "successCriteria": [{**ALL, **criterion}]}])
    server = serve(lambda _: Reply(200, body.encode(), {"Content-Type": kind}))
    with quickly(2):
        played = play(path, "--server", server.url)
    assert played.code == 1
    assert said in told(played), told(played)


# What goes into a request


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ({"name": "X-Trace", "in": "header"}, "a\r\nX-Evil: 1"),
        ({"name": "X-Trace", "in": "header"}, "a\x00b"),
        ({"name": "X-Trace\r\nX-Evil", "in": "header"}, "1"),
        ({"name": "mood\r\nX-Evil: 1", "in": "cookie"}, "1"),
        ({"name": "mood", "in": "cookie"}, "a\r\nX-Evil: 1"),
        ({"name": "tags", "in": "query"}, "a\r\nX-Evil: 1\x00"),
        ({"name": "tags\r\nX-Evil: 1", "in": "query"}, "1"),
        ({"name": "all", "in": "querystring"}, "a=1 HTTP/1.1\r\nX-Evil: 1\r\n\r\n"),
        ({"name": "id", "in": "path"}, "a/../../b\r\nX-Evil: 1\x00"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_values_cannot_start_a_header(
    write: Write, play: Play, serve: Serve, parameter: dict[str, Any], value: str
) -> None:
    parameters = [{**parameter, "value": "$inputs.v"}]
    parameters += [] if parameter["in"] == "path" else [{"name": "id", "in": "path", "value": "7"}]
    path = write(
        [{"stepId": "a", "operationId": "thing", "parameters": parameters}],
        inputs={"type": "object", "properties": {"v": {"type": "string"}}},
        arazzo="1.1.0",
    )
    server = serve(lambda _: Reply())
    played = play(path, "--inputs", json.dumps({"v": value}), "--server", server.url)
    assert played.code in (0, 1)
    assert len(server.got) <= 1
    for got in server.got:
        assert "x-evil" not in got.headers
        assert "\r" not in got.raw_query


@pytest.mark.parametrize("kind", ["text/plain\r\nX-Evil: 1", "text/plain\x00"])
def test_content_types_cannot_start_a_header(write: Write, play: Play, serve: Serve, kind: str) -> None:
    body = {"contentType": kind, "payload": "x"}
    path = write([{"stepId": "a", "operationId": "make", "requestBody": body}])
    server = serve(lambda _: Reply())
    played = play(path, "--server", server.url)
    assert (played.code, server.got) == (1, [])
    assert "control character" in told(played)


ID = {"name": "id", "in": "path", "value": "7"}
HALF = b'{"a": "x\\ud800y"}'


@pytest.mark.parametrize(
    "step",
    [
        {"parameters": [{"name": "id", "in": "path", "value": "$steps.a.outputs.x"}]},
        {"parameters": [ID, {"name": "X-Trace", "in": "header", "value": "$steps.a.outputs.x"}]},
        {"operationId": "make", "requestBody": {"payload": {"a": "$steps.a.outputs.x"}}},
        {"operationId": "make", "requestBody": {"contentType": "text/plain", "payload": "{$steps.a.outputs.x}"}},
        {
            "operationId": "make",
            "requestBody": {"contentType": "multipart/form-data", "payload": {"a": "$steps.a.outputs.x"}},
        },
    ],
    ids=lambda step: json.dumps(step)[:70],
)
def test_half_a_character_of_an_answer(write: Write, play: Play, serve: Serve, step: dict[str, Any]) -> None:
    """JSON can hold it, UTF-8 cannot: it cannot be sent, and the report still comes."""
    path = write(
        [{**STEP, "outputs": {"x": "$response.body#/a"}}, {"stepId": "b", "operationId": "thing", **step}],
        outputs={"x": "$steps.a.outputs.x"},
    )
    server = serve(lambda _: Reply(200, HALF))
    played = play(path, "--server", server.url, "--json", "--report", f"json={path.parent / 'report.json'}")
    assert (played.code, len(server.got)) == (1, 1)
    assert played.report["outputs"] == {"x": "x\ud800y"}
    assert "half a character" in played.report["reason"]
    written = json.loads((path.parent / "report.json").read_text())
    assert written == {name: played.report[name] for name in written}


def test_half_a_character_of_a_document(write: Write, tmp_path: Path) -> None:
    document = yaml.safe_load(write([STEP]).read_text())
    document["sourceDescriptions"][0]["url"] = "\ud800"
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(document))
    assert {one.code for one in lint(path)} == {"missing-description"}
