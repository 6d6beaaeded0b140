"""What goes wrong: one shape for every error, every bad field by its path, and nothing that gets past."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from live import Live
from schemas import closed, problems
from tour import image_gen, png, submit

from heddle.api import openapi
from heddle.api.app import OPERATIONS

DOCUMENT = closed(openapi.build(OPERATIONS))
SUBMIT = "/v2/consumer/workflows"
BLOBS = "/v2/consumer/blobs"
NOWHERE = "wf_00000000000000000000000000"
MISSING = "blob_00000000000000000000000000"
JSON = {"Content-Type": "application/json"}


def check(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error object, after a look at all of it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert problems(DOCUMENT, {"$ref": "#/components/schemas/Error"}, body) == []
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:heddle:problem:{code}"
    assert body["message"] == body["detail"]
    assert body["instance"] == answer.request.url.path
    return body


def _promise(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    return client.get(f"{BLOBS}/upload-url", params={"mimeType": "image/png", **asked}).json()


def _upload_twice(client: httpx.Client) -> httpx.Response:
    promised = _promise(client)
    for _ in range(2):
        answer = client.put(promised["uploadUrl"], content=png(), headers=promised["headers"])
    return answer


def _range_beyond(client: httpx.Client) -> httpx.Response:
    blob = client.post(BLOBS, files={"file": ("a.png", png(), "image/png")}).json()
    return client.get(blob["url"], headers={"Range": "bytes=999999-"})


#: Status -> (code, a call that ends so).
ENDS: dict[int, tuple[str, Callable[[httpx.Client], httpx.Response]]] = {
    400: ("invalid_request", lambda c: c.post(SUBMIT, json={"steps": []})),
    401: ("unauthorized", lambda c: c.get("/api/v1/me", headers={"Authorization": "Bearer hd_nobody"})),
    403: ("forbidden", lambda c: c.get(f"{BLOBS}/content/{MISSING}", params={"exp": "1", "sig": "1.x"})),
    404: ("not_found", lambda c: c.get(f"{SUBMIT}/{NOWHERE}")),
    405: ("method_not_allowed", lambda c: c.delete(SUBMIT)),
    409: ("conflict", _upload_twice),
    413: ("too_large", lambda c: c.post(SUBMIT, content=b'"' + b"x" * (1 << 20) + b'"', headers=JSON)),
    415: ("unsupported_media", lambda c: c.post(BLOBS, content=b"#!/bin/sh", headers={"Content-Type": "text/x-sh"})),
    416: ("unsatisfiable_range", _range_beyond),
}


@pytest.mark.parametrize("status", ENDS)
def test_every_error_has_one_shape(owner: httpx.Client, status: int) -> None:
    code, call = ENDS[status]
    check(call(owner), status, code)


def test_too_little_buzz_is_402_and_nothing_is_written(live: Live) -> None:
    with live.client(live.poor) as poor:
        wanted = image_gen(width=2048, height=2048, quantity=10)
        check(poor.post(SUBMIT, json=wanted), 402, "insufficient_buzz")
        assert poor.get(SUBMIT).json()["items"] == []
        # What it can pay for still goes.
        assert poor.post(SUBMIT, json=image_gen()).status_code == 202


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Basic b3duZXI6", "Bearer \x01", "Bearer " + "x" * 3000, "hd_token"]
)
def test_without_a_good_token_there_is_nothing(nobody: httpx.Client, given: str | None) -> None:
    headers = {} if given is None else {"Authorization": given}
    answer = nobody.get(SUBMIT, headers=headers)
    if given is not None and "\x01" in given:
        assert answer.status_code in {400, 401}
        return
    check(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op.auth == "bearer"], ids=lambda op: op.id)
def test_no_operation_is_open_by_mistake(nobody: httpx.Client, op: Any) -> None:
    path = op.path.format(workflowId=NOWHERE, blobId=MISSING, jobId=NOWHERE, runId="run_x", id=1)
    answer = nobody.request(op.method, path, content=b"{}")
    assert answer.status_code == 401


def test_every_bad_field_is_listed_by_its_path(owner: httpx.Client) -> None:
    body = {
        "steps": [
            {"$type": "imageGen", "input": {"prompt": "x"}, "priority": "urgent", "timeout": 0},
            {"$type": "imageGen"},
            {"input": {}},
        ],
        "tags": ["ok", "", 7],
        "callbackEvents": ["workflow:done"],
        "detailed": "perhaps",
    }
    errors = check(owner.post(SUBMIT, json=body), 400, "invalid_request")["errors"]
    assert set(errors) == {
        "steps[0].priority",
        "steps[0].timeout",
        "steps[1].input",
        "steps[2].$type",
        "tags[1]",
        "tags[2]",
        "callbackEvents[0]",
        "detailed",
    }
    assert "'urgent'" in errors["steps[0].priority"][0]


def test_every_bad_field_of_every_input_is_listed(owner: httpx.Client) -> None:
    inputs = [
        {"prompt": "", "width": 10, "height": "tall", "quantity": 11, "aspectRatio": "9:1"},
        {"prompt": "x", "cfgScale": 31, "additionalNetworks": [{"strength": 1}], "images": ["a", "b"]},
    ]
    body = {"steps": [{"$type": "imageGen", "input": i} for i in inputs]}
    errors = check(owner.post(SUBMIT, json=body), 400, "invalid_request")["errors"]
    assert set(errors) == {
        "steps[0].input.prompt",
        "steps[0].input.width",
        "steps[0].input.height",
        "steps[0].input.quantity",
        "steps[0].input.aspectRatio",
        "steps[1].input.cfgScale",
        "steps[1].input.additionalNetworks[0].air",
        "steps[1].input.images",
    }


@pytest.mark.parametrize(
    "timeout",
    [1e-300, 0.999, 0, -1, 86_401, "1e-300", "nan", "inf", "00:00:00", "PT0.5S", "PT", "P1D", "9" * 400 + ".00:00:00",
     "PT" + "9" * 5000 + "H", [], {}],
)  # fmt: skip
def test_a_timeout_is_a_second_to_a_day(owner: httpx.Client, timeout: object) -> None:
    """Every attempt that overstays costs its worker process."""
    body = image_gen()
    body["steps"][0]["timeout"] = timeout
    errors = check(owner.post(SUBMIT, json=body), 400, "invalid_request")["errors"]
    assert list(errors) == ["steps[0].timeout"]
    assert "digits" not in str(errors)


def test_the_first_fifty_bad_fields_are_listed(owner: httpx.Client) -> None:
    """Whoever finds them: the models, the walk over the body, or the steps one after the other."""
    steps: list[Any] = [{"$type": "imageGen"}] * 100
    wrong = {"prompt": "", "width": 1, "height": 1}
    planned = [{"$type": "imageGen", "input": wrong}] * 100
    texts = {f"member{i}": "$inputs.prompt" for i in range(120)}
    for body, more in (({"steps": steps}, 99), ({"steps": planned}, 299), (image_gen(**texts), 119)):
        error = check(owner.post(SUBMIT, json=body), 400, "invalid_request")
        assert len(error["errors"]) == 50
        assert error["message"].endswith(f"(and {more} more fields)")


@pytest.mark.parametrize("part", ["0,", "null,", "[],", '"",'])
def test_a_body_of_too_many_values_is_refused_at_once(owner: httpx.Client, part: str) -> None:
    values = (part * 100_001)[:-1]
    for text in (f"[{values}]", f'{{"steps":[{{"$type":"imageGen","input":{{"prompt":"x","more":[{values}]}}}}]}}'):
        error = check(owner.post(SUBMIT, content=text, headers=JSON), 413, "too_large")
        assert error["message"] == "the body has more than 100000 values"


def test_too_many_steps_are_one_problem(owner: httpx.Client) -> None:
    lists: dict[str, Any] = {"steps": [{}] * 30_000, "tags": [""] * 2000, "callbackEvents": ["x"] * 2000}
    error = check(owner.post(SUBMIT, json=lists), 400, "invalid_request")
    assert error["errors"] == {
        "steps": ["at most 100 items are taken, and there are 30000"],
        "tags": ["at most 50 items are taken, and there are 2000"],
        "callbackEvents": ["at most 50 items are taken, and there are 2000"],
    }
    errors = check(owner.post(SUBMIT, json=image_gen(additionalNetworks=[{}] * 9000)), 400, "invalid_request")["errors"]
    assert list(errors) == ["steps[0].input.additionalNetworks"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([0] * 10_000, "has 10006 values; at most 10000 are taken"),
        ("x" * 270_000, "at most 262144 are taken"),
        ({"x" * 270_000: 1}, "at most 262144 are taken"),
    ],
)
def test_an_input_stays_small(owner: httpx.Client, more: object, words: str) -> None:
    """It is kept, and shown whenever its workflow is, also what no step type knows."""
    body = {"steps": [*image_gen()["steps"], *image_gen(more=more)["steps"]]}
    errors = check(owner.post(SUBMIT, json=body), 400, "invalid_request")["errors"]
    assert list(errors) == ["steps[1].input"]
    assert words in errors["steps[1].input"][0]


def test_a_long_name_is_not_said_again_and_again(owner: httpx.Client) -> None:
    name = "x" * 500_000
    text = f'{{"{name}":[{",".join(["0"] * 50_000)}, "$inputs.a"]}}'
    answer = owner.post(SUBMIT, content=text, headers=JSON)
    check(answer, 400, "invalid_request")
    assert len(answer.content) < 2000
    assert answer.elapsed.total_seconds() < 10
    check(owner.post(SUBMIT, json={"steps": [{"$type": name, "input": {}}]}), 400, "invalid_request")


def test_null_is_the_same_as_absent_everywhere(owner: httpx.Client) -> None:
    members = DOCUMENT["components"]["schemas"]["ImageGenInput"]["properties"]
    step = {
        "$type": "imageGen",
        "input": dict.fromkeys(members) | {"prompt": "x"},
        "name": None,
        "priority": None,
        "timeout": None,
    }
    body = {"steps": [step], "tags": None, "callbackUrl": None, "callbackEvents": None, "detailed": None}
    answer = owner.post(SUBMIT, json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["steps"][0]["input"] == {"prompt": "x"}
    made = answer.json()["id"]
    assert owner.put(f"{SUBMIT}/{made}", json={"status": None, "tags": ["a"]}).json()["tags"] == ["a"]
    check(owner.post(SUBMIT, json={"steps": None}), 400, "invalid_request")


def test_empty_parameters_are_absent(owner: httpx.Client) -> None:
    assert owner.get(SUBMIT, params={"take": "", "cursor": "", "tags": "", "status": ""}).status_code == 200
    assert owner.get(f"{BLOBS}/upload-url", params={"mimeType": "image/png", "sizeBytes": "null"}).status_code == 200


@pytest.mark.parametrize("text", ["$inputs.prompt", "{$inputs.prompt}", "$steps.a.outputs.b", "$response.body#/id"])
def test_an_expression_that_the_client_forgot_to_resolve_is_refused(owner: httpx.Client, text: str) -> None:
    errors = check(owner.post(SUBMIT, json=image_gen(prompt=text)), 400, "invalid_request")["errors"]
    assert list(errors) == ["steps[0].input.prompt"]
    answer = owner.get(SUBMIT, params={"cursor": text})
    assert list(check(answer, 400, "invalid_request")["errors"]) == ["cursor"]
    # As part of a sentence it is only text.
    assert owner.post(SUBMIT, json=image_gen(prompt=f"a sign that says {text}")).status_code == 202


def test_fixed_paths_come_before_those_with_a_parameter(owner: httpx.Client) -> None:
    check(owner.get(f"{BLOBS}/upload-url"), 400, "invalid_request")
    check(owner.get(f"{BLOBS}/no-such-blob"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", SUBMIT, {"GET", "POST"}),
        ("POST", f"{SUBMIT}/{NOWHERE}", {"GET", "PUT", "PATCH", "DELETE"}),
        ("PUT", BLOBS, {"POST"}),
        ("GET", f"{BLOBS}/{MISSING}/refresh", {"POST"}),
        ("DELETE", f"{BLOBS}/upload/{MISSING}", {"PUT", "POST"}),
        ("POST", "/api/v1/me", {"GET"}),
        ("POST", "/openapi.json", {"GET"}),
    ],
)
def test_405_says_what_is_possible(owner: httpx.Client, method: str, path: str, allow: set[str]) -> None:
    answer = owner.request(method, path)
    check(answer, 405, "method_not_allowed")
    assert allow <= {name.strip() for name in answer.headers["allow"].split(",")}


@pytest.mark.parametrize(
    "path", ["/v2", "/v2/consumer", f"{SUBMIT}/", "/v2/consumer/none", "/api/v1/models/%00", "/%ff"]
)
def test_an_unknown_path_is_a_404_of_the_same_shape(owner: httpx.Client, path: str) -> None:
    answer = owner.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"nope",
        b"[1,2",
        b'{"steps": NaN}',
        b'"\xff\xfe"',
        b'{"steps": [}',
        b"\xef\xbb\xbf[]",
        b'"\\ud800"',
        b'{"\\ud800": 1}',
        b'"\xed\xa0\x80"',
        b'{"steps": -Infinity}',
        b'{"steps": [1e999]}',
        b"[" * 20_000,
        b'{"a":' * 20_000,
    ],
)
def test_what_is_not_json_is_refused(owner: httpx.Client, text: bytes) -> None:
    body = check(owner.post(SUBMIT, content=text, headers=JSON), 400, "invalid_request")
    assert body["errors"]


def test_of_a_name_that_is_there_twice_the_last_counts(owner: httpx.Client) -> None:
    text = '{"steps":[],"steps":[{"$type":"imageGen","input":{"prompt":"one","prompt":"two","width":64}}]}'
    shown = owner.post(SUBMIT, content=text, headers=JSON).json()
    assert shown["steps"][0]["input"] == {"prompt": "two", "width": 64}


@pytest.mark.parametrize("digits", [400, 4301, 100_000])
def test_a_number_of_very_many_digits_does_no_harm(owner: httpx.Client, digits: int) -> None:
    number = "9" * digits
    for text in (f'{{"steps":{number}}}', f'{{"steps":[{{"$type":"imageGen","input":{{}},"timeout":{number}}}]}}'):
        check(owner.post(SUBMIT, content=text, headers=JSON), 400, "invalid_request")
    text = f'{{"steps":[{{"$type":"imageGen","input":{{"prompt":"x","more":{number}}}}}]}}'
    assert owner.post(SUBMIT, content=text, headers=JSON).status_code in {202, 400}


@pytest.mark.parametrize("value", [[], "text", 7, True, None])
def test_a_body_of_another_kind_is_refused(owner: httpx.Client, value: object) -> None:
    for method, path in (("POST", SUBMIT), ("PUT", f"{SUBMIT}/{NOWHERE}")):
        check(owner.request(method, path, content=json.dumps(value), headers=JSON), 400, "invalid_request")


def test_what_is_nested_too_deep_is_refused(owner: httpx.Client) -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = {"a": deep}
    check(owner.post(SUBMIT, json=image_gen(extra=deep)), 400, "invalid_request")


@pytest.mark.parametrize(
    "text", ["Zażółć gęślą jaźń", "狐狸在雪地里", "🦊❄️", "\u202eright to left", "a\tb\nc", "\ud7ff\ue000"]
)
def test_any_language_comes_back_as_it_went_in(owner: httpx.Client, text: str) -> None:
    shown = owner.post(SUBMIT, json=image_gen(prompt=text) | {"tags": [text]}).json()
    assert shown["steps"][0]["input"]["prompt"] == text
    assert shown["tags"] == [text]
    assert owner.get(SUBMIT, params={"tags": text, "take": 1}).json()["items"][0]["id"] == shown["id"]


def test_numbers_beyond_every_range_are_refused_or_kept_out(owner: httpx.Client) -> None:
    for seed in ("9223372036854775808", "1e400", "-2", str(10**400)):
        text = f'{{"steps":[{{"$type":"imageGen","input":{{"prompt":"x","seed":{seed}}}}}]}}'
        check(owner.post(SUBMIT, content=text, headers=JSON), 400, "invalid_request")
    # Members that nobody knows are ignored, whatever they hold.
    text = f'{{"steps":[{{"$type":"imageGen","input":{{"prompt":"x","unknown":{10**30}}}}}]}}'
    assert owner.post(SUBMIT, content=text, headers=JSON).status_code in {202, 400}


@pytest.mark.parametrize("kind", ["nope", "", "ImageGen", "videogen", "__class__"])
def test_a_step_that_cannot_run_here_is_refused_with_what_can(owner: httpx.Client, kind: str) -> None:
    body = {"steps": [{"$type": kind, "input": {"prompt": "x"}}]}
    errors = check(owner.post(SUBMIT, json=body), 400, "invalid_request")["errors"]
    assert "imageGen" in errors["steps[0].$type"][0]


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "add"},
        [1],
        [{"op": "replace", "path": "/cost/total", "value": 0}],
        [{"op": "replace", "path": "/id", "value": "x"}],
        [{"op": "add", "path": "/new", "value": 1}],
        [{"op": "replace", "path": "", "value": {"status": "canceled", "cost": 1}}],
        [{"op": "replace", "path": "/status", "value": "succeeded"}],
        [{"op": "nope", "path": "/tags"}],
        [{"op": "test", "path": "/tags", "value": ["not these"]}],
        [{"op": "remove", "path": "/tags/99"}],
        [{"op": "add", "path": "/tags/-", "value": 7}],
        [{"op": "move", "path": "/tags", "from": 3}],
        [{"op": "add", "path": "/tags/-", "value": "x"}] * 101,
    ],
)
def test_a_patch_that_may_not_be_is_refused_and_changes_nothing(owner: httpx.Client, patch: object) -> None:
    made = submit(owner)["id"]
    answer = owner.patch(f"{SUBMIT}/{made}", json=patch)
    check(answer, 400, "invalid_request")
    assert owner.get(f"{SUBMIT}/{made}").json()["tags"] == []


def test_an_update_can_only_cancel(owner: httpx.Client) -> None:
    made = submit(owner)["id"]
    for body in ({}, {"status": "succeeded"}, {"status": "processing"}, {"tags": ["x"] * 51}, {"cost": 1}):
        check(owner.put(f"{SUBMIT}/{made}", json=body), 400, "invalid_request")
    assert owner.put(f"{SUBMIT}/{made}", json={"status": "canceled"}).json()["status"] in {"canceled", "succeeded"}


@pytest.mark.parametrize("url", ["ftp://example.org/", "http://127.0.0.1/", "https://127.0.0.1/", "no url", "https://"])
def test_a_callback_to_where_none_may_go_is_refused(owner: httpx.Client, url: str) -> None:
    answer = owner.post(SUBMIT, json=image_gen() | {"callbackUrl": url})
    assert list(check(answer, 400, "invalid_request")["errors"]) == ["callbackUrl"]


def test_an_upload_is_looked_at(owner: httpx.Client) -> None:
    assert owner.post(BLOBS, json={"file": "x"}).status_code == 415
    check(owner.post(BLOBS, files={"other": ("a.png", png(), "image/png")}), 400, "invalid_request")
    check(
        owner.post(BLOBS, files={"file": ("a.png", b"MZ\x90\x00 not a picture", "image/png")}), 415, "unsupported_media"
    )
    big = {"Content-Type": "image/png"}
    check(owner.post(BLOBS, content=png() + b"\0" * (1 << 20), headers=big), 413, "too_large")
    form = {"file": ("a.png", png(), "image/png")}
    check(owner.post(BLOBS, files=form, data={"moderate": "perhaps"}), 400, "invalid_request")
    for said in ("true", "False", "1", "0", "", "null"):
        assert owner.post(BLOBS, files=form, data={"moderate": said}).status_code == 201


@pytest.mark.parametrize(
    "host",
    ['x"><script>', "a b", "user@example.org", "example.org/path", "example.org?", "a..b", ".", "x:y", "[zz]", "[::1",
     "example.org:123456", "x" * 254, "\xe9.example"],
)  # fmt: skip
def test_a_host_that_is_none_does_not_get_into_links(live: Live, owner: httpx.Client, host: str) -> None:
    form = {"file": ("a.png", png(), "image/png")}
    answer = owner.post(BLOBS, files=form, headers={"Host": host.encode("latin-1")})  # type: ignore[dict-item]
    if answer.status_code != 400:
        assert answer.json()["url"].startswith(f"{live.url}/v2/")


@pytest.mark.parametrize("host", ["example.org", "localhost:8765", "10.0.0.7:80", "[::1]:8765", "my_box.lan.", "a-b.c"])
def test_links_start_with_the_host_that_the_caller_uses(owner: httpx.Client, host: str) -> None:
    form = {"file": ("a.png", png(), "image/png")}
    assert owner.post(BLOBS, files=form, headers={"Host": host}).json()["url"].startswith(f"http://{host}/v2/")


def test_a_signed_link_cannot_be_bent(owner: httpx.Client, nobody: httpx.Client) -> None:
    blob = owner.post(BLOBS, files={"file": ("a.png", png(), "image/png")}).json()
    other = owner.post(BLOBS, files={"file": ("b.png", png(65), "image/png")}).json()
    url = httpx.URL(blob["url"])
    bent = [
        url.copy_set_param("exp", str(int(url.params["exp"]) + 1)),
        url.copy_set_param("sig", url.params["sig"][:-2]),
        url.copy_remove_param("sig"),
        url.copy_remove_param("exp"),
        url.copy_with(path=url.path.replace(blob["id"], other["id"])),
    ]
    for link in bent:
        check(nobody.get(link), 403, "forbidden")
    promised = _promise(owner, sizeBytes=100)
    upload = httpx.URL(promised["uploadUrl"])
    for name, value in (("size", "1000"), ("type", "image/gif"), ("exp", "9999999999")):
        check(nobody.put(upload.copy_set_param(name, value), content=b"x"), 403, "forbidden")


@pytest.mark.parametrize("given", ["0", "-1", "abc", "1.5", "99999999999999999999", "%00", "\u0661"])
def test_a_model_version_is_a_number(owner: httpx.Client, given: str) -> None:
    answer = owner.get(f"/api/v1/model-versions/{given}")
    assert answer.status_code in {400, 404}
    assert answer.json()["code"] in {"invalid_request", "not_found"}


def test_the_site_answers_without_a_token_and_refuses_a_bad_one(nobody: httpx.Client) -> None:
    path = "/api/v1/model-versions/1"
    assert nobody.get(path).status_code == 200
    check(nobody.get(path, headers={"Authorization": "Bearer hd_wrong"}), 401, "unauthorized")


def test_the_server_had_no_bug_in_all_this(live: Live, answers: dict[str, httpx.Response]) -> None:
    assert live.log.read_text(errors="replace").partition("Traceback")[2] == ""
