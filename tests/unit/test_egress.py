from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle import egress
from heddle.egress import AddressRefused, AnswerTooLarge, Client, FetchFailed, check_url, forbidden, url_problem
from heddle.errors import InvalidRequest

# ── addresses ─────────────────────────────────────────────────────────────────

REFUSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1",
    "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%1", "fec0::1", "ff02::1", "2a00:1450::5efe:7f00:1", "2a00:1450::200:5efe:a00:1",
]  # fmt: skip
ALLOWED = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.20.0.1",
           "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001:82b::200e", "2001:4860:4860::8888"]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_public_are_refused(address):
    assert forbidden(ip_address(address), allow_private=False)


@pytest.mark.parametrize("address", ALLOWED)
def test_public_addresses_are_allowed(address):
    assert forbidden(ip_address(address), allow_private=False) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "fd00::1"])
def test_development_may_reach_loopback_and_private_addresses(address):
    assert forbidden(ip_address(address), allow_private=True) is None


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "169.254.169.254", "::ffff:127.0.0.1", "224.0.0.1", "fe80::1", "2002::1"]
)
def test_development_may_not_reach_everything(address):
    assert forbidden(ip_address(address), allow_private=True)


def _agrees_with_the_standard_library(address: IPv4Address | IPv6Address) -> None:
    allowed = forbidden(address, allow_private=False) is None
    assert not allowed or (address.is_global and not address.is_multicast and not address.is_reserved)


@given(st.ip_addresses(v=4))
def test_what_is_allowed_is_global_v4(address):
    _agrees_with_the_standard_library(address)


@given(st.ip_addresses(v=6))
def test_what_is_allowed_is_global_v6(address):
    _agrees_with_the_standard_library(address)


@given(st.ip_addresses(v=4))
def test_no_wrapper_of_an_ipv4_address_is_allowed(address):
    v4 = int(address)
    wrapped = [
        v4,
        (0xFFFF << 32) | v4,
        (0x0064_FF9B << 96) | v4,
        (0x2002 << 112) | (v4 << 80),
        (0x2001_0000 << 96) | v4,
        (0x2A00_1450 << 96) | (0x5EFE << 32) | v4,
        (0x2A00_1450 << 96) | (0x0200_5EFE << 32) | v4,
    ]
    assert all(forbidden(IPv6Address(n), allow_private=True) for n in wrapped if n != 1)


# ── URLs ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    ["https://example.com/hook?token=1", "https://example.com:8443/", "https://8.8.8.8/x", "https://[2606:4700::1]/x",
     "https://münchen.example/", "https://a_b.example", "HTTPS://EXAMPLE.COM"],
)  # fmt: skip
def test_good_urls(url):
    assert url_problem(url, allow_private=False, https_only=True) is None


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://example.com/", "must start with https://"),
        ("ftp://example.com/", "must start with"),
        ("file:///etc/passwd", "must start with"),
        ("gopher://example.com:70/_x", "must start with"),
        ("//example.com/", "must start with"),
        ("example.com", "must start with"),
        ("", "must start with"),
        ("https://", "no usable host name"),
        ("https:///path", "no usable host name"),
        ("https://user:pass@example.com/", "user name or a password"),
        ("https://user@example.com/", "user name or a password"),
        ("https://example.com:22/", "port 22"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:65536/", "port 65536"),
        ("https://127.0.0.1/", "loopback"),
        ("https://169.254.169.254/latest", "link-local"),
        ("https://[::1]/", "loopback"),
        ("https://[::ffff:10.0.0.1]/", "not a global address"),
        ("https://127.1/", "is a number"),
        ("https://2130706433/", "is a number"),
        ("https://0x7f000001/", "is a number"),
        ("https://0x7f.0.0.1/", "is a number"),
        ("https://017700000001/", "is a number"),
        ("https://0177.0.0.1/", "not a URL"),
        ("https://127.0.0.1./", "is a number"),
        ("https://localhost/", "this machine"),
        ("https://LOCALHOST./", "this machine"),
        ("https://app.localhost:8080/", "this machine"),
        ("https://exa mple.com/", "no usable host name"),
        ("https://exa%6dple.com/", "no usable host name"),
        ("https://example.com\r\nX: y/", "not a URL"),
        ("https://\uff11\uff12\uff17.0.0.1/", "not a URL"),
        ("https://" + "a." * 200 + "com/", "no usable host name"),
        ("https://example.com/" + "a" * 3000, "longer than 2048"),
        ("https://[::1", "not a URL"),
        ("https://example.com:port/", "not a URL"),
        ("https://[fe80::1%25eth0]/", "no usable host name"),
        ("https://example.com\\@127.0.0.1/", "user name or a password"),
        ("https://127\u30020\u30020\u30021/", "loopback"),
    ],
)
def test_bad_urls(url, part):
    problem = url_problem(url, allow_private=False, https_only=True)
    assert problem is not None
    assert part in problem


def test_plain_http_is_for_fetches_and_development():
    assert url_problem("http://example.com/", allow_private=False, https_only=False) is None
    assert url_problem("http://127.0.0.1:9000/", allow_private=True, https_only=True) is None
    assert url_problem("http://localhost:9000/", allow_private=True, https_only=True) is None


def test_check_url_names_the_field():
    check_url("https://example.com", allow_private=False, https_only=True)
    with pytest.raises(InvalidRequest) as caught:
        check_url("http://example.com", allow_private=False, https_only=True, path="callbackUrl")
    assert caught.value.fields == {"callbackUrl": ["'http://example.com' must start with https://"]}


@given(st.text())
def test_any_text_gets_a_verdict(text):
    for prefix in ("", "https://", "https://example.com/"):
        url_problem(prefix + text, allow_private=False, https_only=True)
        egress.normal(prefix + text)


def test_the_normal_form():
    assert egress.normal("HTTPS://Example.com:443?x=ü#f") == "https://example.com/?x=%C3%BC"
    assert egress.normal("http://[::1]:8080/a b") == "http://[::1]:8080/a%20b"
    assert egress.normal("nonsense") == "nonsense"
    assert egress.origin(egress.normal("https://Example.com:8443?x=1")) == "https://example.com:8443"


# ── connections ───────────────────────────────────────────────────────────────

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def serving(*answers: bytes, tls: ssl.SSLContext | None = None):
    """A server that gives these answers, one per connection, and notes the heads of the requests."""
    heads: list[bytes] = []
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0) if left else OK)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()


def resolving(*answers: list[str]):
    """A resolver that gives one answer after the other, then fails; and the names it was asked for."""
    asked: list[str] = []
    left = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        if not left:
            raise OSError("no such name")
        return left.pop(0)

    return resolve, asked


def get(client: Client, url: str, max_bytes: int = 100):
    return client.get(url, max_bytes=max_bytes, timeout_s=5)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["::1"], ["10.0.0.1", "::ffff:127.0.0.1"], ["169.254.169.254"], []]
)
def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to(addresses):
    async def scenario():
        async with serving() as (port, heads):
            resolve, _ = resolving(addresses)
            async with Client(resolve=resolve) as client:
                with pytest.raises(AddressRefused, match=r"'inside\.example' has no public address"):
                    await get(client, f"http://inside.example:{port}/")
            assert heads == []

    asyncio.run(scenario())


def test_the_address_that_was_checked_is_the_one_connected_to():
    """A name server that answers differently the second time is never asked a second time."""

    async def scenario():
        async with serving() as (port, heads):
            resolve, asked = resolving(["127.0.0.1"], ["127.0.0.2"])
            async with Client(allow_private=True, resolve=resolve) as client:
                assert (await get(client, f"http://twice.example:{port}/x?y=1")).body == b"ok"
            assert asked == ["twice.example"]
            assert heads[0].startswith(b"GET /x?y=1 HTTP/1.1\r\nHost: twice.example:%d\r\n" % port)

    asyncio.run(scenario())


@pytest.mark.parametrize("addresses", [["127.0.0.9", "127.0.0.1"], ["127.0.0.1", "127.0.0.9"]])
def test_an_address_where_nobody_listens_is_passed_over(addresses):
    async def scenario():
        client = Client(allow_private=True, resolve=resolving(addresses)[0])
        async with serving() as (port, _), client:
            assert (await get(client, f"http://many.example:{port}/")).status == 200

    asyncio.run(scenario())


@pytest.mark.parametrize("inside", ["0.0.0.0", "::ffff:127.0.0.1"])
def test_of_several_addresses_the_forbidden_ones_are_never_tried(inside):
    """Both reach 127.0.0.1 when they are connected to."""

    async def scenario():
        async with serving() as (port, heads):
            async with Client(allow_private=True, resolve=resolving([inside, "127.0.0.9"])[0]) as client:
                with pytest.raises(FetchFailed, match="no connection"):
                    await get(client, f"http://many.example:{port}/")
            assert heads == []

    asyncio.run(scenario())


def test_an_unknown_name_is_a_sentence():
    async def scenario():
        async with Client(resolve=resolving()[0]) as client:
            with pytest.raises(FetchFailed, match=r"the name 'unknown\.example' is not known"):
                await get(client, "http://unknown.example/")

    asyncio.run(scenario())


def test_the_systems_resolver_is_asked_in_a_thread():
    async def scenario():
        async with serving() as (port, _), Client(allow_private=True) as client:
            assert (await get(client, f"http://localhost:{port}/")).body == b"ok"

    asyncio.run(scenario())


def test_nobody_listening_is_a_sentence():
    async def scenario():
        async with serving() as (port, _):
            pass
        async with Client(allow_private=True) as client:
            with pytest.raises(FetchFailed, match=r"no connection to 127\.0\.0\.1"):
                await get(client, f"http://127.0.0.1:{port}/")

    asyncio.run(scenario())


def test_redirects_of_a_fetch_are_followed_and_checked():
    async def scenario():
        async with serving(b"HTTP/1.1 302 X\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n") as (port, heads):
            async with Client(allow_private=True) as client:
                answer = await get(client, f"http://127.0.0.1:{port}/here")
            assert answer.url.endswith("/there")
            assert [head.split()[1] for head in heads] == [b"/here", b"/there"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("location", "part"),
    [
        ("http://169.254.169.254/latest", "link-local"),
        ("http://0.0.0.0/", "this machine"),
        ("file:///etc/passwd", "must start with"),
        ("http://a:b@127.0.0.1/", "user name"),
        ("http://evil.example/", "no public address"),
        ("", "redirects to nowhere"),
        ("http://[foo", "redirects to .* which is not a URL"),
    ],
)
def test_a_redirect_cannot_lead_where_a_url_cannot(location, part):
    async def scenario():
        async with serving(f"HTTP/1.1 302 X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()) as (
            port,
            _,
        ):
            resolve, _ = resolving(["169.254.1.1"])
            async with Client(allow_private=True, resolve=resolve) as client:
                with pytest.raises(FetchFailed, match=part):
                    await get(client, f"http://127.0.0.1:{port}/")

    asyncio.run(scenario())


def test_redirects_end():
    async def scenario():
        again = b"HTTP/1.1 307 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
        async with serving(*[again] * 10) as (port, heads), Client(allow_private=True) as client:
            with pytest.raises(FetchFailed, match="more than 3 times"):
                await get(client, f"http://127.0.0.1:{port}/")
            assert len(heads) == 4

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n32\r\n" + b"x" * 50 + b"\r\n" + b"33\r\n" + b"x" * 51,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 101,
    ],
)
def test_answers_have_a_cap(answer):
    async def scenario():
        async with serving(answer) as (port, _), Client(allow_private=True) as client:
            with pytest.raises(AnswerTooLarge, match=r"more than 100"):
                await get(client, f"http://127.0.0.1:{port}/")

    asyncio.run(scenario())


def test_an_answer_of_exactly_the_cap_is_taken():
    async def scenario():
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
        async with serving(answer) as (port, _), Client(allow_private=True) as client:
            assert len((await get(client, f"http://127.0.0.1:{port}/")).body) == 100

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "compressed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "broke off"),
        (b"\x00\xff\r\n\r\n", "broke off"),
    ],
)
def test_odd_answers_are_sentences(answer, part):
    async def scenario():
        async with serving(answer) as (port, _), Client(allow_private=True) as client:
            with pytest.raises(FetchFailed, match=part):
                await get(client, f"http://127.0.0.1:{port}/")

    asyncio.run(scenario())


@pytest.mark.parametrize("dripping", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"])
def test_one_time_limit_covers_everything(dripping):
    """A server that sends a byte now and then never trips a limit per read."""

    async def scenario():
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                writer.write(dripping)
                for byte in b"HTTP/1.1 200 OK\r\n" if not dripping else b"x" * 40:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.05)
            except ConnectionError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with Client(allow_private=True) as client:
            with pytest.raises(FetchFailed, match=r"did not answer within 0\.2 s"):
                await client.get(f"http://127.0.0.1:{port}/", max_bytes=100, timeout_s=0.2)
        server.close()
        await asyncio.sleep(0.06)

    asyncio.run(scenario())


def test_a_post_reports_a_redirect_and_does_not_follow_it():
    async def scenario():
        moved = b"HTTP/1.1 301 X\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
        async with serving(moved) as (port, heads), Client(allow_private=True) as client:
            answer = await client.post(f"http://127.0.0.1:{port}/", b"{}", {"X-Own": "1"}, timeout_s=5)
            assert (answer.status, answer.body, len(heads)) == (301, b"", 1)
            assert b"\r\nX-Own: 1\r\n" in heads[0]
            assert b"\r\nContent-Length: 2\r\n" in heads[0]

    asyncio.run(scenario())


def test_an_endless_body_after_a_post_is_cut_off_and_the_status_stands():
    async def scenario():
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            sent = 0
            try:
                while True:
                    writer.write(b"x" * 65536)
                    sent += 65536
                    await writer.drain()
            except ConnectionError:
                ended.set_result(sent)
            finally:
                writer.close()

        server = await asyncio.start_server(flood, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with Client(allow_private=True) as client:
            assert (await client.post(f"http://127.0.0.1:{port}/", b"", {}, timeout_s=5)).status == 200
            # What the sockets buffer goes out; nobody reads on.
            assert await asyncio.wait_for(ended, 10) < 30_000_000
        server.close()

    asyncio.run(scenario())


def test_a_body_that_breaks_off_after_a_post_changes_nothing():
    async def scenario():
        answer = b"HTTP/1.1 202 OK\r\nContent-Length: 50\r\n\r\nshort"
        async with serving(answer) as (port, _), Client(allow_private=True) as client:
            assert (await client.post(f"http://127.0.0.1:{port}/", b"", {}, timeout_s=5)).status == 202

    asyncio.run(scenario())


def test_the_environment_cannot_name_a_proxy(monkeypatch):
    async def scenario():
        async with serving() as (proxy, through), serving() as (port, heads):
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
            async with Client(allow_private=True) as client:
                await get(client, f"http://127.0.0.1:{port}/")
            assert (len(heads), through) == (1, [])

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate for hook.example, made on the spot."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", "/CN=hook.example", "-addext", "subjectAltName=DNS:hook.example"]
    made = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(cert),
    ]
    subprocess.run([openssl, "req", "-x509", "-days", "2", *made, *subject], check=True, capture_output=True)
    return cert, key


def _tls_server(certificate: tuple[Path, Path], names: list[str | None]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    return context


def test_tls_asks_for_and_verifies_the_name_not_the_address(certificate):
    async def scenario():
        names: list[str | None] = []
        trusting = ssl.create_default_context(cafile=str(certificate[0]))
        async with serving(tls=_tls_server(certificate, names)) as (port, heads):
            resolve, _ = resolving(["127.0.0.1"], ["127.0.0.1"])
            async with Client(allow_private=True, resolve=resolve, tls=trusting) as client:
                answer = await client.post(f"https://hook.example:{port}/", b"{}", {}, timeout_s=5)
                assert answer.status == 200
                with pytest.raises(FetchFailed, match="CERTIFICATE_VERIFY_FAILED"):
                    await client.post(f"https://other.example:{port}/", b"{}", {}, timeout_s=5)
            assert names == ["hook.example", "other.example"]
            assert b"\r\nHost: hook.example:%d\r\n" % port in heads[0]

    asyncio.run(scenario())


def test_tls_to_a_stranger_is_refused(certificate):
    async def scenario():
        async with serving(tls=_tls_server(certificate, [])) as (port, heads):
            resolve, _ = resolving(["127.0.0.1"])
            async with Client(allow_private=True, resolve=resolve) as client:
                with pytest.raises(FetchFailed, match="CERTIFICATE_VERIFY_FAILED"):
                    await client.post(f"https://hook.example:{port}/", b"{}", {}, timeout_s=5)
            assert heads == []

    asyncio.run(scenario())


def test_a_fetch_is_not_led_from_https_to_http(certificate):
    async def scenario():
        down = b"HTTP/1.1 302 X\r\nLocation: http://hook.example/\r\nContent-Length: 0\r\n\r\n"
        trusting = ssl.create_default_context(cafile=str(certificate[0]))
        async with serving(down, tls=_tls_server(certificate, [])) as (port, _):
            resolve, _ = resolving(["127.0.0.1"])
            async with Client(allow_private=True, resolve=resolve, tls=trusting) as client:
                with pytest.raises(FetchFailed, match="from https to something else"):
                    await get(client, f"https://hook.example:{port}/")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("head", "told"),
    [("HTTP/1.1 200 OK\r\nContent-Length: 2", [2]), ("HTTP/1.1 200 OK", [100]), ("HTTP/1.1 404 No", [])],
)
def test_a_body_goes_where_it_is_wanted_once_there_is_room(head, told):
    """What may come is told before the first byte, and what is no answer is not read."""

    async def scenario():
        expected: list[int] = []
        pieces: list[bytes] = []

        async def expect(most: int) -> None:
            assert pieces == []
            expected.append(most)
            await asyncio.sleep(0)

        into = egress.Into(expect=expect, add=pieces.append)
        async with serving(f"{head}\r\n\r\nok".encode()) as (port, _), Client(allow_private=True) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/", max_bytes=100, timeout_s=5, into=into)
        assert (answer.body, expected) == (b"", told)
        assert b"".join(pieces) == (b"ok" if told else b"")

    asyncio.run(scenario())


@pytest.mark.parametrize("length", ["Content-Length: {size}\r\n", ""])
def test_room_for_much_is_wanted_when_much_comes(length):
    """A first part is expected at first, whatever is promised; the whole once more than that has come."""
    size, most = 5 * 1024 * 1024, 8 * 1024 * 1024

    async def scenario():
        expected: list[tuple[int, int]] = []
        came = 0

        async def expect(count: int) -> None:
            expected.append((count, came))

        def add(piece: bytes) -> None:
            nonlocal came
            came += len(piece)
            assert came <= expected[-1][0]

        head = f"HTTP/1.1 200 OK\r\n{length.format(size=size)}\r\n".encode()
        async with serving(head + bytes(size)) as (port, _), Client(allow_private=True) as client:
            into = egress.Into(expect=expect, add=add)
            await client.get(f"http://127.0.0.1:{port}/", max_bytes=most, timeout_s=20, into=into)
        (first, before), (whole, then) = expected
        assert (first, before, came) == (4 * 1024 * 1024, 0, size)
        assert whole == (size if length else most)
        assert first - 1024 * 1024 < then <= first

    asyncio.run(scenario())
