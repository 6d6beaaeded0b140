"""Credentials for security schemes: where they come from, where they go, and that nobody sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from arazzo_stub import Got, Handler, Reply, Stub

from heddle.arazzo import run
from heddle.arazzo.security import Key, Keys, Lock, Scheme, choose, scheme_of, variable
from heddle.errors import UsageError

SECRET = "s3cret-of-a-test"
SCHEMES: dict[str, Any] = {
    "bearerAuth": {"type": "http", "scheme": "bearer"},
    "person": {"type": "http", "scheme": "basic"},
    "in-query": {"type": "apiKey", "in": "query", "name": "key"},
    "signed": {"type": "http", "scheme": "digest"},
}
LOOK = {"stepId": "look", "operationId": "look", "outputs": {"seen": "$response.body#/seen"}}


@pytest.fixture
def secured(write: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A document of one step, and a description that asks for one scheme."""

    def secured(scheme: str = "bearerAuth", **fields: Any) -> Path:
        path = write([{**LOOK, **fields}], outputs={"seen": "$steps.look.outputs.seen"})
        description = yaml.safe_load((tmp_path / "api.yaml").read_text())
        description |= {"security": [{scheme: []}], "components": {"securitySchemes": SCHEMES}}
        (tmp_path / "api.yaml").write_text(yaml.safe_dump(description, sort_keys=False))
        return path

    return secured


def echo(got: Got) -> Reply:
    return Reply(200, {"seen": f"{got.headers.get('authorization')} {got.raw_query}"})


@pytest.mark.parametrize(
    "output", [["--json"], [], ["--report", "json=r", "--report", "har=r2", "--report", "html=r3"]]
)
@pytest.mark.parametrize(
    ("scheme", "value", "hidden"),
    [
        ("bearerAuth", SECRET, [SECRET]),
        ("person", f"ann:{SECRET}", [SECRET, "YW5uOnMzY3JldC1vZi1hLXRlc3Q="]),
        ("in-query", f"{SECRET} &", [SECRET]),
    ],
)
def test_a_credential_is_sent_and_not_shown(
    secured: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Any],
    scheme: str,
    value: str,
    hidden: list[str],
    output: list[str],
) -> None:
    stub = serve(echo)
    played = play(secured(scheme), "--server", stub.url, "--auth", f"{scheme}={value}", *output)
    assert played.code == 0
    sent = f"{stub.got[0].headers.get('authorization')} {dict(stub.got[0].query)}"
    assert hidden[-1] in sent
    shown = (
        played.stdout
        + played.stderr
        + "".join(Path(name).read_text() for name in ("r", "r2", "r3") if Path(name).exists())
    )
    assert "***" in shown
    assert not any(text in shown for text in hidden)


@pytest.mark.parametrize(
    ("scheme", "value"), [("bearerAuth", SECRET), ("person", f"ann:{SECRET}"), ("in-query", f"{SECRET} &")]
)
def test_a_trace_holds_no_credential_and_replays_without_one(
    secured: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Any],
    replay: Callable[..., Any],
    scheme: str,
    value: str,
) -> None:
    stub = serve(echo)
    path = secured(scheme)
    assert play(path, "--server", stub.url, "--auth", f"{scheme}={value}", "--trace", "t").code == 0
    assert SECRET not in Path("t").read_text()
    again = replay("t", "--strict")
    assert (again.code, len(stub.got)) == (0, 1), again.stdout + again.stderr


def test_a_password_in_the_address_of_a_server(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any], replay: Callable[..., Any]
) -> None:
    stub = serve(echo)
    path = write([LOOK], outputs={"seen": "$steps.look.outputs.seen"})
    server = stub.url.replace("//", f"//ann:{SECRET}%21@")
    played = play(path, "--server", server, "--trace", "t", "--report", "html=h")
    assert (played.code, stub.got[0].headers["authorization"]) == (0, "Basic YW5uOnMzY3JldC1vZi1hLXRlc3Qh")
    for text in (played.stdout, Path("t").read_text(), Path("h").read_text()):
        assert SECRET not in text
        assert "YW5uOnMz" not in text
    again = replay("t", "--strict")
    assert again.code == 0, again.stdout + again.stderr
    document = write([{**LOOK, "parameters": [{"name": "Authorization", "in": "header", "value": "mine"}]}])
    assert run(document, servers=server).status == "succeeded"
    assert stub.got[-1].headers["authorization"] == "mine"


def test_python_gives_credentials(secured: Callable[..., Path], serve: Callable[[Handler], Stub]) -> None:
    stub = serve(echo)
    result = run(secured(), servers=stub.url, auth={"api.bearerAuth": SECRET})
    assert result.outputs["seen"] == f"Bearer {SECRET} "
    with pytest.raises(UsageError, match="'other', which is no security scheme here"):
        run(secured(), servers=stub.url, auth={"other": SECRET})


def test_a_dry_run_tells_which_scheme(secured: Callable[..., Path], play: Callable[..., Any]) -> None:
    path = secured("bearerAuth")
    given = play(path, "--server", "http://127.0.0.1:9", "--auth", f"bearerAuth={SECRET}", "--dry-run")
    assert "     security bearerAuth: header Authorization = *** (--auth bearerAuth)" in given.stdout.splitlines()
    assert SECRET not in given.stdout
    lacking = play(path, "--server", "http://127.0.0.1:9", "--dry-run", "--json")
    assert lacking.report["steps"][0]["security"] == {"sent": [], "byDocument": [], "missing": ["bearerAuth"]}
    own = secured("bearerAuth", parameters=[{"name": "Authorization", "in": "header", "value": "x"}])
    assert "security bearerAuth: set by the document" in play(own, "--server", "http://127.0.0.1:9", "--dry-run").stdout


def test_a_run_tells_what_goes_where_and_what_lacks(
    secured: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    stub = serve(echo)
    given = play(secured(), "--server", stub.url, "--auth", f"api.bearerAuth={SECRET}")
    assert f"note: {stub.url}/base gets bearerAuth from --auth api.bearerAuth" in given.stdout
    lacking = play(secured(), "--server", stub.url)
    note = f"note: {stub.url}/base asks for bearerAuth: none is given, by --auth bearerAuth=… or HEDDLE_AUTH_BEARERAUTH"
    assert note in lacking.stdout
    assert "authorization" not in stub.got[1].headers


def test_many_runs_tell_once_where_credentials_go(
    secured: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    path, stub = secured(), serve(echo)
    Path("rows.csv").write_text("n\n1\n2\n")
    args = ["--each", "rows.csv", "--server", stub.url]
    given = play(path, *args, "--auth", f"api.bearerAuth={SECRET}")
    assert given.stdout.count(f"note: {stub.url}/base gets bearerAuth from --auth api.bearerAuth\n") == 1
    lacking = play(path, *args, "--json").report
    assert [text.partition(": none")[0] for text in lacking["notes"]] == [f"{stub.url}/base asks for bearerAuth"]


def test_the_environment(
    secured: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stub = serve(echo)
    monkeypatch.setenv("HEDDLE_AUTH_BEARERAUTH", "e1-of-any-source")
    monkeypatch.setenv("HEDDLE_AUTH_API_BEARERAUTH", "e2-of-this-source")
    play(secured(), "--server", stub.url)
    play(secured(), "--server", stub.url, "--auth", "bearerAuth=e3-of-the-line")
    Path("token.txt").write_text("e4-of-a-file\n")
    play(secured(), "--server", stub.url, "--auth", "bearerAuth=@token.txt")
    play(secured(), "--server", stub.url, "--auth", "bearerAuth=@@e5")
    sent = [got.headers["authorization"] for got in stub.got]
    assert sent == [f"Bearer {x}" for x in ("e2-of-this-source", "e3-of-the-line", "e4-of-a-file", "@e5")]


@pytest.mark.parametrize("scheme", ["bearerAuth", "in-query"])
def test_another_origin_sees_no_credential(
    secured: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any], scheme: str
) -> None:
    other = serve(echo)
    stub = serve(lambda got: Reply(307, None, {"Location": f"{other.url}/look"}))
    assert play(secured(scheme), "--server", stub.url, "--auth", f"{scheme}={SECRET}").code == 0
    assert SECRET in str(stub.got[0])
    assert SECRET not in str(other.got[0])


def test_two_servers_do_not_share_a_credential(
    secured: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any], tmp_path: Path
) -> None:
    path, stub, other = secured(), serve(echo), serve(echo)
    document = yaml.safe_load(path.read_text())
    document["sourceDescriptions"].append({"name": "two", "url": "api.yaml", "type": "openapi"})
    document["workflows"][0]["steps"] = [
        {"stepId": name, "operationId": f"$sourceDescriptions.{name}.look", "outputs": LOOK["outputs"]}
        for name in ("api", "two")
    ]
    document["workflows"][0]["outputs"] = {}
    path.write_text(json.dumps(document))
    servers = ["--server", f"api={stub.url}", "--server", f"two={other.url}"]
    refused = play(path, *servers, "--auth", f"bearerAuth={SECRET}")
    assert (refused.code, stub.got, other.got) == (1, [], [])
    assert f"--auth bearerAuth would go to {stub.url} and {other.url}" in refused.stderr
    assert "--auth api.bearerAuth=… and --auth two.bearerAuth=…" in refused.stderr
    assert play(path, *servers, "--auth", "api.bearerAuth=one", "--auth", "two.bearerAuth=two").code == 0
    assert [stub.got[0].headers["authorization"], other.got[0].headers["authorization"]] == ["Bearer one", "Bearer two"]
    same = ["--server", stub.url]
    assert play(path, *same, "--auth", "bearerAuth=both").code == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SECRET, "--auth is not NAME=VALUE"),
        (f"={SECRET}", "--auth is not NAME=VALUE"),
        (f"nobody={SECRET}", "--auth names 'nobody', which is no security scheme here"),
        (f"person={SECRET}", "--auth person is not user:password"),
        (f"signed={SECRET}", "'signed' is http digest, which cannot be carried out"),
        (f"bearerAuth={SECRET}\r\nX-Evil: 1", "--auth bearerAuth is empty or holds a control character"),
        ("bearerAuth=", "--auth bearerAuth is empty or holds a control character"),
        ("bearerAuth=@missing.txt", "missing.txt of --auth cannot be read as text"),
    ],
)
def test_what_is_no_credential(secured: Callable[..., Path], play: Callable[..., Any], text: str, problem: str) -> None:
    name = text.partition("=")[0]
    path = secured(name if name in SCHEMES else "bearerAuth")
    played = play(path, "--server", "http://127.0.0.1:9", "--auth", text)
    assert played.code == 1
    assert problem in played.stderr
    assert SECRET not in played.stdout + played.stderr


# The choice


def lock(name: str, *, opened: bool = True) -> Lock:
    return Lock(Scheme(name, "apiKey", "header", f"X-{name}"), Key("k", "--auth") if opened else None)


A, B, C = lock("A"), lock("B"), lock("C", opened=False)


@pytest.mark.parametrize(
    ("alternatives", "taken", "opened", "by_document", "missing"),
    [
        ((), [], "", "", ""),
        (((),), [], "", "", ""),
        (((A,),), [], "A", "", ""),
        (((A, B),), [], "AB", "", ""),
        (((C,), (A,)), [], "A", "", ""),
        (((C, A), (B,)), [], "B", "", ""),
        (((C, A),), [], "", "", "C"),
        (((C,), ()), [], "", "", ""),
        (((), (A,)), [], "A", "", ""),
        (((A,), (C,)), ["x-c"], "", "C", ""),
        (((C, A),), ["x-c"], "A", "C", ""),
        (((A,),), ["x-a"], "", "A", ""),
    ],
)
def test_the_choice(
    alternatives: tuple[tuple[Lock, ...], ...], taken: list[str], opened: str, by_document: str, missing: str
) -> None:
    choice = choose(alternatives, [("header", name) for name in taken])
    assert "".join(one.scheme.name for one in choice.opened) == opened
    assert "".join(one.name for one in choice.by_document) == by_document
    assert "".join(one.name for one in choice.missing) == missing


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"type": "http", "scheme": "BEARER"}, "bearer"),
        ({"type": "http", "scheme": "digest"}, "http digest"),
        ({"type": "oauth2"}, "bearer"),
        ({"type": "mutualTLS"}, "mutualTLS"),
        ({"type": "apiKey", "in": "body", "name": "x"}, "an apiKey in 'body'"),
        ({"type": "apiKey", "in": "query"}, "an apiKey in 'query'"),
        ({}, "not described"),
    ],
)
def test_kinds(fields: dict[str, Any], kind: str) -> None:
    assert scheme_of("x", fields).kind == kind


def test_names_of_variables() -> None:
    assert variable("bearerAuth") == "HEDDLE_AUTH_BEARERAUTH"
    assert variable("my-api", "x.key é") == "HEDDLE_AUTH_MY_API_X_KEY__"


def test_a_key_does_not_show_itself() -> None:
    key = Keys({"a": SECRET}).key("api", "a")
    assert key is not None
    assert SECRET not in repr(Lock(Scheme("a", "bearer"), key))
    with pytest.raises(UsageError) as raised:
        Keys({}, {"HEDDLE_AUTH_A": f"{SECRET}\n"}).lock("api", Scheme("a", "bearer"))
    assert SECRET not in str(raised.value)
