from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heddle import outbox
from heddle.domain import now
from heddle.egress import Answer
from heddle.errors import Unavailable
from heddle.outbox import Claim, Event
from heddle.webhooks import Pace, _pause_s


def failing(*replies: Any):
    """Answers these, one per request, then 200."""
    left = list(replies)

    async def behavior(request: Any) -> Any:
        return left.pop(0) if left else 200

    return behavior


def line(mail: Any, endpoint: str, n: int) -> Event:
    """An event of a workflow of its own."""
    return Event(workflow_id=f"wf_{n}", account_id=mail.account_id, endpoint=endpoint, body={"n": n})


def test_a_line_arrives_in_order_with_all_its_headers(mail, receiver, running):
    async def scenario():
        async with receiver() as there, running(mail.deliverer()):
            mail.append(there.url, "a", "b", "c")
            got = await there.expect(3)
            await mail.until("delivered", "delivered", "delivered")
        assert [r.json["n"] for r in got] == ["a", "b", "c"]
        assert [r.seq for r in got] == [0, 1, 2]
        assert len({r.headers["webhook-id"] for r in got}) == 3
        assert all(r.headers["webhook-id"].startswith("evt_") for r in got)
        assert all(r.headers["content-type"] == "application/json" for r in got)
        assert all(r.headers["user-agent"].startswith("heddle/") for r in got)
        assert all(abs(int(r.headers["webhook-timestamp"]) - time.time()) < 60 for r in got)
        assert got[0].path == "/hook"

    asyncio.run(scenario())


def test_the_body_is_completed_just_before_it_is_sent(mail, receiver, running):
    async def scenario():
        fills = iter(range(10))
        deliverer = mail.deliverer(fill=lambda body: {**body, "fresh": next(fills)})
        async with receiver(failing(500)) as there, running(deliverer):
            mail.append(there.url, "a")
            got = await there.expect(2)
        assert [r.json for r in got] == [{"n": "a", "fresh": 0}, {"n": "a", "fresh": 1}]

    asyncio.run(scenario())


def test_an_event_is_sent_again_until_it_arrives_and_only_then_the_next(mail, receiver, running):
    async def scenario():
        async with receiver(failing(500, 503)) as there, running(mail.deliverer()):
            mail.append(there.url, "a", "b")
            got = await there.expect(4)
            entries = await mail.until("delivered", "delivered")
        assert [r.json["n"] for r in got] == ["a", "a", "a", "b"]
        assert len({r.headers["webhook-id"] for r in got[:3]}) == 1
        assert [r.seq for r in got] == [0, 0, 0, 1]
        assert [e.tries for e in entries] == [3, 1]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 nonsense\r\n\r\n",
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 500 X\r\nContent-Length: 99\r\n\r\nonly this",
    ],
)
def test_a_connection_that_breaks_off_is_a_failure(mail, receiver, running, broken):
    async def scenario():
        async with receiver(failing(broken)) as there, running(mail.deliverer()):
            mail.append(there.url, "a")
            await there.expect(2)
            (entry,) = await mail.until("delivered")
        assert entry.tries == 2

    asyncio.run(scenario())


def test_a_success_counts_whatever_becomes_of_its_body(mail, receiver, running):
    async def scenario():
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nonly this"
        async with receiver(failing(answer)) as there, running(mail.deliverer()):
            mail.append(there.url, "a")
            (entry,) = await mail.until("delivered")
        assert entry.tries == 1
        assert len(there.requests) == 1

    asyncio.run(scenario())


def test_a_redirect_is_a_failure_and_is_not_followed(mail, receiver, running):
    async def scenario():
        settings = replace(mail.settings, webhook_tries=1)
        async with receiver() as target:
            moved = f"HTTP/1.1 308 Moved\r\nLocation: {target.url}\r\nContent-Length: 0\r\n\r\n".encode()
            async with receiver(failing(moved)) as there, running(mail.deliverer(settings=settings)):
                mail.append(there.url, "a")
                (entry,) = await mail.until("dead")
            assert target.requests == []
        assert "308" in entry.error
        assert "redirects are not followed" in entry.error

    asyncio.run(scenario())


def test_gone_is_dead_at_once_and_lets_the_next_go(mail, receiver, running):
    async def scenario():
        async with receiver(failing(410)) as there, running(mail.deliverer()):
            mail.append(there.url, "a", "b")
            entries = await mail.until("dead", "delivered")
        assert entries[0].tries == 1
        assert "410" in entries[0].error

    asyncio.run(scenario())


def test_a_dead_letter_lets_the_next_go_and_can_be_replayed(mail, receiver, running):
    async def scenario():
        async with receiver(failing(*[500] * 5)) as there, running(mail.deliverer()):
            mail.append(there.url, "a", "b")
            entries = await mail.until("dead", "delivered")
            assert [e.tries for e in entries] == [5, 1]
            assert entries[0].error == "answered 500"
            assert mail.replay() == 1
            await mail.until("delivered", "delivered")
            got = await there.expect(7)
        assert [r.json["n"] for r in got] == ["a"] * 5 + ["b", "a"]
        assert got[-1].headers["webhook-id"] == got[0].headers["webhook-id"]
        assert got[-1].seq == 0

    asyncio.run(scenario())


def test_an_endpoint_that_hangs_delays_nobody_else(mail, receiver, running):
    async def scenario():
        settings = replace(mail.settings, webhook_timeout_s=0.3, webhook_tries=2)
        async with receiver(failing(*[None] * 600)) as hung, receiver() as well:
            # The dead endpoint has a backlog that fills the window of a look several times over.
            mail.append_all([line(mail, hung.url, n) for n in range(600)], now() - timedelta(minutes=1))
            async with running(mail.deliverer(settings=settings)):
                await hung.expect(4)
                mail.append(well.url, *range(5), workflow_id="wf_well")
                await well.expect(5)
                assert hung.most_at_once <= 4
        assert [r.json["n"] for r in well.requests] == [0, 1, 2, 3, 4]

    asyncio.run(scenario())


def test_an_event_in_the_middle_of_a_dead_backlog_is_found(mail, receiver, running):
    async def scenario():
        settings = replace(mail.settings, webhook_timeout_s=60.0)
        async with receiver(failing(*[None] * 9)) as hung, receiver() as well:
            ago = [now() - timedelta(minutes=n) for n in (3, 2, 1)]
            mail.append_all([line(mail, hung.url, n) for n in range(300)], ago[0])
            mail.append_all([line(mail, well.url, 300)], ago[1])
            mail.append_all([line(mail, hung.url, n) for n in range(301, 600)], ago[2])
            async with running(mail.deliverer(settings=settings)):
                await well.expect(1)
                await hung.expect(4)
        assert len(hung.requests) == 4

    asyncio.run(scenario())


def test_a_silent_host_gets_one_delivery_at_a_time_until_it_answers(mail, receiver, running):
    async def scenario():
        settings = replace(mail.settings, webhook_timeout_s=0.1, webhook_tries=50)
        answering, at_once = asyncio.Event(), []
        deliverer = mail.deliverer(settings=settings)

        async def behavior(request: Any) -> Any:
            at_once.append(len(deliverer._sending))
            return 200 if answering.is_set() else None

        async with receiver(behavior) as there, running(deliverer):
            mail.append_all([line(mail, there.url, n) for n in range(8)])
            await there.expect(7)
            assert at_once[4:7] == [1, 1, 1]
            answering.set()
            await mail.until(*["delivered"] * 8)

            seen = len(there.requests)
            mail.append_all([line(mail, there.url, n) for n in range(4)])
            await there.expect(seen + 1)
            assert at_once[seen] == 4

    asyncio.run(scenario())


def test_a_free_hand_goes_to_the_host_that_has_none(mail, receiver, running):
    async def scenario():
        gate = asyncio.Event()

        async def behavior(request: Any) -> Any:
            await gate.wait()
            return 200

        async with receiver(behavior) as many, receiver() as one:
            mail.append_all([line(mail, many.url, n) for n in range(8)], now() - timedelta(seconds=9))
            mail.append_all([line(mail, one.url, 8)])
            patient = replace(mail.settings, webhook_timeout_s=60.0)
            async with running(mail.deliverer(settings=patient, pace=Pace(poll_s=600, at_once=4, per_host=4))):
                await one.expect(1)
                gate.set()
                await mail.until(*["delivered"] * 9)

    asyncio.run(scenario())


def test_a_retry_is_on_time_without_the_poll(mail, receiver, running):
    async def scenario():
        pace = Pace(poll_s=600, first_retry_s=0.02)
        async with receiver(failing(500, 500)) as there, running(mail.deliverer(pace=pace)):
            mail.append(there.url, "a")
            await there.expect(3)

    asyncio.run(scenario())


def test_workflows_go_side_by_side_up_to_the_bound_of_their_host(mail, receiver, running):
    async def scenario():
        gate = asyncio.Event()

        async def behavior(request: Any) -> Any:
            await gate.wait()
            return 200

        async with receiver(behavior) as there, receiver() as other, running(mail.deliverer()):
            for n in range(10):
                mail.append(there.url, n, workflow_id=f"wf_{n}")
            await there.expect(4)
            # Another host is served while this one is at its bound.
            mail.append(other.url, "x", workflow_id="wf_other")
            await other.expect(1)
            assert there.at_once == 4
            gate.set()
            await mail.until(*["delivered"] * 11)
        assert there.most_at_once == 4

    asyncio.run(scenario())


def test_one_line_is_never_sent_two_at_a_time(mail, receiver, running):
    async def scenario():
        async def behavior(request: Any) -> Any:
            await asyncio.sleep(0)
            return 200

        async with receiver(behavior) as there, running(mail.deliverer()):
            for n in range(20):
                mail.append(there.url, n)
            got = await there.expect(20)
        assert there.most_at_once == 1
        assert [r.json["n"] for r in got] == list(range(20))

    asyncio.run(scenario())


def test_every_hand_is_bounded(mail, receiver, running):
    async def scenario():
        gate = asyncio.Event()
        pace = Pace(poll_s=0.05, at_once=3, per_host=8)

        async def behavior(request: Any) -> Any:
            await gate.wait()
            return 200

        async with receiver(behavior) as there, running(mail.deliverer(pace=pace)):
            for n in range(6):
                mail.append(there.url, n, workflow_id=f"wf_{n}")
            await there.expect(3)
            gate.set()
            await mail.until(*["delivered"] * 6)
        assert there.most_at_once == 3

    asyncio.run(scenario())


def test_what_was_sent_but_not_recorded_is_sent_again_with_the_same_id(mail, receiver, running):
    async def scenario():
        async with receiver(failing(None)) as there:
            mail.append(there.url, "a", "b")
            async with running(mail.deliverer()):
                await there.expect(1)
            assert mail.states() == ["waiting", "waiting"]
            assert len(mail.db.look(outbox.due, now(), 9)) == 1
            async with running(mail.deliverer()):
                got = await there.expect(3)
                await mail.until("delivered", "delivered")
        assert [r.json["n"] for r in got] == ["a", "a", "b"]
        assert got[0].headers["webhook-id"] == got[1].headers["webhook-id"]
        assert got[1].seq == 0

    asyncio.run(scenario())


def test_the_lease_of_a_sender_that_died_runs_out(mail, receiver, running):
    async def scenario():
        async with receiver() as there:
            mail.append(there.url, "a", at=now() - timedelta(seconds=60))
            (offer,) = mail.db.look(outbox.due, now(), 9)
            until = now() + timedelta(seconds=20)
            assert mail.db.apply(outbox.claim, Claim(ids=[offer.id], at=now(), until=until))
            async with running(mail.deliverer()):
                mail.append(there.url, "other", workflow_id="wf_2")
                await mail.until("waiting", "delivered")
            late = mail.deliverer(now=lambda: now() + timedelta(seconds=21))
            async with running(late):
                await mail.until("delivered", "delivered")
        assert [r.json["n"] for r in there.requests] == ["other", "a"]
        assert mail.entries()[0].tries == 2

    asyncio.run(scenario())


def test_two_deliverers_share_the_work_and_send_nothing_twice(mail, receiver, running):
    async def scenario():
        async with receiver() as there, running(mail.deliverer()), running(mail.deliverer()):
            for n in range(40):
                mail.append(there.url, n, workflow_id=f"wf_{n % 8}")
            await mail.until(*["delivered"] * 40)
        assert set(Counter(r.headers["webhook-id"] for r in there.requests).values()) == {1}

    asyncio.run(scenario())


def test_an_event_that_cannot_be_written_ends_dead_and_lets_the_next_go(mail, receiver, running):
    async def scenario():
        def fill(body: Any) -> Any:
            if body["n"] == "bad":
                raise ValueError("no such blob")
            return body

        settings = replace(mail.settings, webhook_tries=2)
        async with receiver() as there, running(mail.deliverer(fill=fill, settings=settings)):
            mail.append(there.url, "bad", "good")
            entries = await mail.until("dead", "delivered")
        assert entries[0].error == "could not be sent: ValueError: no such blob"

    asyncio.run(scenario())


def test_without_the_development_setting_nothing_private_is_reached(mail, receiver, running):
    async def scenario():
        settings = replace(mail.settings, callbacks_private=False, webhook_tries=1)
        async with receiver() as there, running(mail.deliverer(settings=settings)):
            mail.append(there.url, "a")
            mail.append(there.url.replace("http:", "https:"), "b", workflow_id="wf_2")
            mail.append("not a url", "c", workflow_id="wf_3")
            entries = await mail.until("dead", "dead", "dead")
        assert there.requests == []
        assert "must start with https://" in entries[0].error
        assert "not a public address (loopback)" in entries[1].error
        assert "'not a url'" in entries[2].error

    asyncio.run(scenario())


def test_commits_wake_the_deliverer_before_its_poll(mail, receiver, running):
    async def scenario():
        async with receiver() as there, running(mail.deliverer(pace=Pace(poll_s=600))):
            await asyncio.sleep(0)
            mail.append(there.url, "a", "b")
            await there.expect(2)

    asyncio.run(scenario())


def test_commits_within_a_breath_share_a_look(mail, receiver, running):
    async def scenario():
        looks, read = [], mail.db.read

        async def counted(query, *args):
            looks.extend([query] if query is outbox.outlook else [])
            return await read(query, *args)

        mail.db.read = counted
        pace = Pace(poll_s=600, breath_s=0.5)
        async with receiver() as there, running(mail.deliverer(pace=pace)):
            mail.append(there.url, 0, workflow_id="wf_first")
            await there.expect(1)
            before = len(looks)
            for n in range(1, 4):
                mail.append(there.url, n, workflow_id=f"wf_{n}")
                await asyncio.sleep(0)
            await there.expect(4)
            await mail.until(*["delivered"] * 4)
        assert len(looks) - before <= 2

    asyncio.run(scenario())


def test_an_end_is_a_reason_to_look_only_where_something_waits_for_it(mail, receiver, running):
    async def scenario():
        looks, read = [], mail.db.read

        async def counted(query, *args):
            looks.extend([query] if query is outbox.outlook else [])
            return await read(query, *args)

        mail.db.read = counted
        async with receiver() as there, running(mail.deliverer(pace=Pace(poll_s=600, breath_s=0.0))):
            for n in range(10):
                mail.append(there.url, n, workflow_id=f"wf_{n}")
                await mail.until(*["delivered"] * (n + 1))
        # One per event, and what a start may cost; one per end besides would be twenty.
        assert len(looks) <= 14

    asyncio.run(scenario())


def test_an_idle_deliverer_writes_nothing_and_reads_once_per_poll(mail, running):
    async def scenario():
        reads, writes, enough = [], [], asyncio.Event()
        read, write = mail.db.read, mail.db.write

        async def count_read(query, *args):
            reads.append(query.__name__)
            if len(reads) == 5:
                enough.set()
            return await read(query, *args)

        async def count_write(verb, item):
            writes.append(verb.__name__)
            return await write(verb, item)

        mail.db.read, mail.db.write = count_read, count_write
        started = time.monotonic()
        async with running(mail.deliverer(pace=Pace(poll_s=0.05))):
            await asyncio.wait_for(enough.wait(), 20)
        # A loop's timers may be a little early.
        assert time.monotonic() - started >= 4 * 0.04
        assert (set(reads), writes) == ({"outlook"}, [])

    asyncio.run(scenario())


def test_the_deliverer_survives_a_database_that_cannot_be_read(mail, receiver, running):
    async def scenario():
        read, failures = mail.db.read, iter(range(3))

        async def sometimes(query, *args):
            if next(failures, None) is not None:
                raise Unavailable("the disk is full")
            return await read(query, *args)

        mail.db.read = sometimes
        async with receiver() as there, running(mail.deliverer()):
            mail.append(there.url, "a")
            await there.expect(1)

    asyncio.run(scenario())


def test_delays_double_up_to_the_cap_and_honor_the_receiver():
    pace = Pace()
    assert [pace.delay(n, 0, 0) for n in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert pace.delay(40, 0, 0) == 600
    assert pace.delay(10_000, 0, 0) == 600
    assert pace.delay(1, 120, 0) == 120
    assert pace.delay(1, 0, 1) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("999999999", 3600),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0),
        ("Wed, 21 Oct 2026 07:28:30 -0000", 30),
        ("soon", 0),
        ("", 0),
        ("-5", 0),
        ("²", 0),
    ],
)
def test_retry_after(value, seconds):
    at = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)
    assert _pause_s(Answer(url="", status=503, headers={"retry-after": value}), at) == seconds


def test_a_pause_that_the_receiver_asks_for_is_kept(mail, receiver, running):
    async def scenario():
        busy = b"HTTP/1.1 429 X\r\nRetry-After: 300\r\nContent-Length: 0\r\n\r\n"
        async with receiver(failing(busy)) as there, running(mail.deliverer()):
            mail.append(there.url, "a")
            async with asyncio.timeout(20):
                while not mail.entries()[0].error:
                    await asyncio.sleep(0.005)
        soon = mail.db.look(outbox.outlook, now(), 1).next_at
        assert timedelta(seconds=290) < soon - now() < timedelta(seconds=361)

    asyncio.run(scenario())
