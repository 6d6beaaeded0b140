"""Which addresses a run may call: the table, names, redirects, uploads and what `--allow-host` opens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from arazzo_stub import Got, Handler, Reply, Stub

from heddle.arazzo.exchange import Answer, Client, ExchangeError
from heddle.arazzo.hosts import GuardedTransport, HostPolicy, allowed_of, kind_of, policy
from heddle.arazzo.requests import Request
from heddle.errors import UsageError

PRIVATE = {
    "0.0.0.0": "unspecified",
    "::": "unspecified",
    "169.254.169.254": "link-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "::ffff:169.254.169.254": "link-local",
    "64:ff9b::a9fe:a9fe": "link-local",
    "2002:a9fe:a9fe::1": "link-local",
    "::169.254.169.254": "link-local",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "10.0.0.5": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "fd00::1": "private",
    "fec0::1": "private",
    "::ffff:10.0.0.5": "private",
    "100.64.0.1": "not public",
}
PUBLIC = (
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "64:ff9b::808:808",
    "127.0.0.1",
    "127.9.9.9",
    "::1",
)


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_refused(address: str) -> None:
    assert kind_of(ip_address(address)) == PRIVATE[address]


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_called(address: str) -> None:
    assert kind_of(ip_address(address)) is None


@pytest.mark.parametrize(
    ("allowed", "host", "port", "address", "called"),
    [
        ("10.0.0.5", "10.0.0.5", 80, "10.0.0.5", True),
        ("10.0.0.5", "files.lan", 80, "10.0.0.5", True),
        ("10.0.0.5", "10.0.0.5", 80, "::ffff:10.0.0.5", True),
        ("10.0.0.5:81", "10.0.0.5", 81, "10.0.0.5", True),
        ("10.0.0.5:81", "10.0.0.5", 80, "10.0.0.5", False),
        ("10.0.0.0/8", "x.lan", 9, "10.255.0.1", True),
        ("10.0.0.0/8", "x.lan", 9, "192.168.0.1", False),
        ("fd00::/8", "x.lan", 9, "fd12::1", True),
        ("fd00::1", "[fd00::1]", 9, "fd00::1", True),
        ("[fd00::1]:443", "fd00::1", 443, "fd00::1", True),
        ("[fd00::1]:443", "fd00::1", 80, "fd00::1", False),
        ("Files.LAN", "files.lan.", 9, "10.0.0.5", True),
        ("files.lan", "evil-files.lan", 9, "10.0.0.5", False),
        ("*.lan", "a.b.lan", 9, "10.0.0.5", True),
        ("*.lan", "lan", 9, "10.0.0.5", False),
        ("*.lan", "evillan", 9, "10.0.0.5", False),
        ("*.lan:81", "a.lan", 80, "10.0.0.5", False),
        ("bücher.lan", "xn--bcher-kva.lan", 80, "10.0.0.5", True),
    ],
)
def test_what_an_option_opens(allowed: str, host: str, port: int, address: str, called: bool) -> None:
    problem = policy([allowed], []).problem(host, port, ip_address(address))
    assert (problem is None) is called


@pytest.mark.parametrize(
    "text", ["", "10.0.0.0/99", "10.0.0.5/8", "http://h", "h:0", "h:65536", "h:x", "a b", "*", "*.", "a@b", "[x]"]
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(UsageError, match="--allow-host"):
        allowed_of(text)


def test_a_named_server_may_be_private() -> None:
    named = policy([], ["http://Files.LAN:8080/api", "http://10.0.0.5"])
    assert named.problem("files.lan", 80, ip_address("10.0.0.9")) is None
    assert named.problem("10.0.0.5", 80, ip_address("10.0.0.5")) is None
    assert named.problem("10.0.0.6", 80, ip_address("10.0.0.6")) == "private"


class Names:
    """A name server that gives each answer once; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def fetched(url: str, names: Names, hosts: HostPolicy | None = None) -> Answer:
    async def fetch() -> Answer:
        async with Client(GuardedTransport(hosts, names)) as client:
            return await client.send(Request("GET", url))

    return asyncio.run(fetch())


def test_a_name_is_resolved_once(serve: Callable[[Handler], Stub]) -> None:
    """What was checked is what is connected to; a second answer would have been another address."""
    stub = serve(lambda got: Reply(200, {"host": got.headers["host"]}))
    port = stub.url.rpartition(":")[2]
    names = Names(["10.0.0.5", "127.0.0.1"], ["169.254.169.254"])
    answer = fetched(f"http://api.example.org:{port}/", names)
    assert (answer.body(), names.asked) == ({"host": f"api.example.org:{port}"}, 1)


def test_a_name_that_leads_inside_is_refused() -> None:
    with pytest.raises(ExchangeError) as refused:
        fetched("http://api.example.org:81/", Names(["10.0.0.5"]))
    assert refused.value.message == (
        "a run may not call api.example.org (10.0.0.5, private); --allow-host api.example.org:81 allows it"
    )


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:a9fe:a9fe]", "[fe80::1]", "10.1"])
def test_however_an_address_is_written(host: str) -> None:
    with pytest.raises(ExchangeError, match=r"a run may not call .*; --allow-host"):
        fetched(f"http://{host}/", Names(["10.0.0.1"]))


def test_a_name_without_addresses() -> None:
    with pytest.raises(ExchangeError, match=r"'nowhere\.example' has no address"):
        fetched("http://nowhere.example/", Names([]))


def test_a_named_server_may_be_private_and_a_name_does_not_lead_to_a_metadata_service() -> None:
    named = policy([], ["http://nas.lan:9000", "http://169.254.1.1"])
    assert named.problem("nas.lan", 80, ip_address("192.168.1.9")) is None
    assert named.problem("nas.lan", 80, ip_address("169.254.169.254")) == "link-local"
    assert named.problem("169.254.1.1", 80, ip_address("169.254.1.1")) is None
    allowed = policy(["nas.lan"], ["http://nas.lan:9000"])
    assert allowed.problem("nas.lan", 80, ip_address("169.254.169.254")) is None


# In a run

LOOK = {"stepId": "look", "operationId": "look", "outputs": {"url": "$response.body#/url"}}


def test_a_redirect_does_not_lead_inside(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    stub = serve(lambda got: Reply(302, {}, {"Location": "http://169.254.169.254/latest/meta-data"}))
    played = play(write([LOOK]), "--server", stub.url, "--json")
    assert played.code == 1
    refusal = "a run may not call 169.254.169.254 (link-local); --allow-host 169.254.169.254:80 allows it"
    assert refusal in played.report["reason"]


def test_an_upload_does_not_go_inside(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    stub = serve(lambda got: Reply(200, {"url": "http://192.168.7.7/put"}))
    played = play(write([LOOK]), "--server", stub.url, "--upload", "look.url=@photo.png", "--json")
    assert played.code == 1
    assert "a run may not call 192.168.7.7 (private)" in played.report["reason"]


def test_a_saved_url_does_not_lead_inside(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    def answer(got: Got) -> Reply:
        if got.path == "/file":
            return Reply(307, None, {"Location": "http://[fd00::1]/file"})
        return Reply(200, {"url": f"{stub.url}/file"})

    stub = serve(answer)
    path = write([LOOK], outputs={"url": "$steps.look.outputs.url"})
    played = play(path, "--server", stub.url, "--save", "out", "--json")
    assert "a run may not call fd00::1 (private); --allow-host [fd00::1]:80" in played.report["saved"][0]["reason"]


def test_a_wrong_host_is_told_before_anything_is_sent(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any]
) -> None:
    stub = serve(lambda got: Reply(200, {}))
    played = play(write([LOOK]), "--server", stub.url, "--allow-host", "10.0.0.0/99")
    assert (played.code, stub.got) == (1, [])
    assert "--allow-host '10.0.0.0/99' is not a network" in played.stderr


@pytest.mark.parametrize("location", ["http://[x/", "http://127.0.0.1:99999/", "http://xn--/", "//[::"])
def test_a_redirect_to_what_is_no_url(serve: Callable[[Handler], Stub], location: str) -> None:
    stub = serve(lambda got: Reply(302, None, {"Location": location}))
    with pytest.raises(ExchangeError, match="which is not a URL"):
        fetched(f"{stub.url}/", Names(["127.0.0.1"]))


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/", "http:///x", "http://xn--/"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ExchangeError, match="is not a URL"):
        fetched(url, Names(["127.0.0.1"]))


@pytest.mark.parametrize("url", ["http://[x", "http://xn--a/"])
def test_an_output_that_is_no_url_is_neither_saved_nor_sent_to(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Any], url: str
) -> None:
    stub = serve(lambda got: Reply(200, {"url": url}))
    path = write([LOOK], outputs={"url": "$steps.look.outputs.url"})
    played = play(path, "--server", stub.url, "--save", "out", "--json")
    assert "is not a server of this run" in played.report["saved"][0]["reason"]
    uploaded = play(path, "--server", stub.url, "--upload", "look.url=@photo.png", "--json")
    assert (uploaded.code, "could not be uploaded" in uploaded.report["reason"]) == (1, True)


@pytest.mark.parametrize("url", ["http://[::1", "http://xn--a"])
def test_a_server_that_is_no_url(write: Callable[..., Path], play: Callable[..., Any], url: str) -> None:
    played = play(write([LOOK]), "--server", url)
    assert (played.code, "is not a URL" in played.stderr + played.stdout) == (1, True)
