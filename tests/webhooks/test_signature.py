"""The signature, checked by the code that the documentation gives to receivers."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from heddle.webhooks import signature

DOCS = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()


def snippet(language: str) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    return code


def python_verify():
    names: dict = {}
    exec(snippet("python"), names)
    return names["verify"]


def node_verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    call = snippet("js") + (
        "const given = JSON.parse(require('node:fs').readFileSync(0));"
        "console.log(verify(given.secret, given.headers, Buffer.from(given.body, 'utf8')));"
    )
    given = json.dumps({"secret": secret, "headers": dict(headers), "body": body.decode()})
    ran = subprocess.run([node, "-e", call], input=given, capture_output=True, text=True, check=True, timeout=60)
    return {"true": True, "false": False}[ran.stdout.strip()]


@pytest.fixture(params=["python", "node"])
def verify(request):
    return python_verify() if request.param == "python" else node_verify


def one_delivery(mail, receiver, running):
    async def scenario():
        async with receiver() as there, running(mail.deliverer()):
            mail.append(there.url, "grüße 🦊")
            (got,) = await there.expect(1)
            await mail.until("delivered")
            return got

    return asyncio.run(scenario())


def test_a_receiver_can_verify_a_delivery(mail, receiver, running, verify):
    got = one_delivery(mail, receiver, running)
    assert "🦊" in got.json["n"]
    assert verify(mail.secret, got.headers, got.body)


def test_a_receiver_notices_a_forgery(mail, receiver, running, verify):
    got = one_delivery(mail, receiver, running)
    other = "whsec_" + "A" * 44
    forged = [
        (mail.secret, got.headers, got.body + b" "),
        (mail.secret, {**got.headers, "webhook-id": "evt_2"}, got.body),
        (mail.secret, {**got.headers, "webhook-timestamp": "1"}, got.body),
        (other, got.headers, got.body),
        (mail.secret, {**got.headers, "webhook-signature": "v1,AAAA"}, got.body),
    ]
    assert [verify(*case) for case in forged] == [False] * 5


def test_an_old_delivery_is_refused_though_its_signature_is_right(mail, verify):
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1600000000",
        "webhook-signature": signature(mail.secret, "evt_1", 1600000000, b"{}"),
    }
    assert not verify(mail.secret, headers, b"{}")


def test_the_example_of_the_standard():
    """The published example of Standard Webhooks' reference libraries."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected
