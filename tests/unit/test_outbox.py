from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from heddle import outbox
from heddle.db import Database, Dialect
from heddle.domain import to_ms
from heddle.outbox import NEVER, Claim, Claimed, Event, Outcome, Replay

T0 = datetime(2026, 1, 1, tzinfo=UTC)
A, B = "https://a.example/hook", "https://b.example/hook"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def event(workflow: str = "wf_1", endpoint: str = A, **body: int) -> Event:
    return Event(workflow_id=workflow, account_id=1, endpoint=endpoint, body=body)


class Box:
    """The outbox in a database of its own."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def append(self, *events: Event, when: datetime = T0) -> None:
        self.db.apply(lambda tx, items: [outbox.append(tx, events, when)], None)

    def due(self, when: datetime, limit: int = 100, passing: tuple[str, ...] = ()) -> list[int]:
        return [offer.id for offer in self.db.look(outbox.due, when, limit, passing)]

    def claim(self, *ids: int, when: datetime, lease_s: float = 25) -> list[Claimed]:
        claim = Claim(ids=ids, at=when, until=when + timedelta(seconds=lease_s))
        return sorted(self.db.apply(outbox.claim, claim), key=lambda c: c.id)

    def settle(self, claimed: Claimed, state: outbox.State, when: datetime, error: str | None = None) -> None:
        self.db.apply(outbox.settle, Outcome(claimed=claimed, state=state, at=when, error=error))

    def entries(self, *args) -> list[outbox.Entry]:
        return self.db.look(outbox.entries, *args)[::-1]

    def offered(self) -> list[int]:
        sql = "SELECT id FROM events WHERE state = 'waiting' AND next_at < ? ORDER BY id"
        return [row["id"] for row in self.db.look(lambda tx: tx.all(sql, (NEVER,)))]


@pytest.fixture
def box(new_database: Callable[[], Database]) -> Box:
    return Box(new_database())


def test_numbers_count_up_per_workflow_and_endpoint_also_within_a_batch(box):
    box.append(event(), event(), event("wf_2"), event(endpoint=B))
    box.append(event(), event(endpoint=B))
    got = [(e.workflow_id, e.endpoint, e.seq) for e in box.entries()]
    assert got == [("wf_1", A, 0), ("wf_1", A, 1), ("wf_2", A, 0), ("wf_1", B, 0), ("wf_1", A, 2), ("wf_1", B, 1)]


def test_one_endpoint_written_in_two_ways_is_one_line(box):
    box.append(event(endpoint="https://A.example:443/hook"), event(endpoint=A + "#part"))
    assert [(e.endpoint, e.seq) for e in box.entries()] == [(A, 0), (A, 1)]


def test_appending_nothing_writes_nothing_and_wakes_nobody(box):
    woken = []

    class NoTx:
        def __getattr__(self, name):
            woken.append(name)

    outbox.append(NoTx(), [], T0)
    assert woken == []


def test_only_the_first_of_a_line_is_offered(box):
    box.append(event(), event(), event("wf_2"), event(endpoint=B))
    assert box.due(T0) == [1, 3, 4]
    assert box.due(at(-1)) == []
    assert box.due(T0, limit=2) == [1, 3]
    box.append(event())
    assert box.due(at(999)) == [1, 3, 4]


def test_origins_can_be_passed_over_by_their_whole_name(box):
    box.append(event(endpoint=A), event(endpoint="https://a.example.org/x"), event(endpoint="https://a.example:8443/x"))
    assert box.due(T0, passing=("https://a.example",)) == [2, 3]
    assert box.due(T0, passing=("https://a.example", "https://a.example.org")) == [3]


def test_the_newest_of_what_is_due_is_found_from_the_other_end(box):
    for n in range(5):
        box.append(event(f"wf_{n}"), when=at(n))
    assert [offer.id for offer in box.db.look(outbox.newest_due, at(3), 2)] == [3, 4]


def test_a_claim_gives_the_whole_event_and_takes_it_off_the_offers(box):
    box.append(event(n=7))
    (claimed,) = box.claim(1, when=at(1))
    assert claimed == Claimed(
        id=1,
        workflow_id="wf_1",
        account_id=1,
        endpoint=A,
        seq=0,
        body={"n": 7},
        tries=1,
        lease=to_ms(at(26)),
    )
    assert box.due(at(25)) == []
    assert box.due(at(26)) == [1]


def test_claims_leave_out_what_is_taken_parked_ended_or_unknown(box):
    box.append(event(), event(), event("wf_2"), event("wf_3"))
    (taken,) = box.claim(3, when=T0)
    box.settle(*box.claim(4, when=T0), "delivered", T0)
    assert [c.id for c in box.claim(1, 2, 3, 4, 99, when=T0)] == [1]
    assert box.claim(when=T0) == []
    assert taken.id == 3


def test_the_next_is_offered_when_the_first_is_delivered(box):
    box.append(event(), event(), event())
    (first,) = box.claim(1, when=T0)
    box.settle(first, "delivered", at(2))
    assert box.due(at(2)) == [2]
    entry = box.entries()[0]
    assert (entry.state, entry.delivered_at, entry.tries, entry.error) == ("delivered", at(2), 1, None)


def test_the_next_is_offered_when_the_first_is_dead(box):
    box.append(event(), event())
    (first,) = box.claim(1, when=T0)
    box.settle(first, "dead", at(2), "answered 410")
    assert box.due(at(2)) == [2]
    entry = box.entries("dead")[0]
    assert (entry.state, entry.delivered_at, entry.error) == ("dead", None, "answered 410")


def test_a_failed_try_waits_until_its_time_and_holds_its_line(box):
    box.append(event(), event())
    (first,) = box.claim(1, when=T0)
    box.settle(first, "waiting", at(8), "answered 500")
    assert box.due(at(7)) == []
    assert box.due(at(8)) == [1]
    assert box.db.look(outbox.outlook, at(1), 9).next_at == at(8)
    (again,) = box.claim(1, when=at(8))
    assert again.tries == 2


def test_an_outlook_is_what_is_due_and_the_next_moment(box):
    for n, seconds in enumerate((3, 1, 2, 9, 8)):
        box.append(event(f"wf_{n}"), when=at(seconds))
    seen = box.db.look(outbox.outlook, at(3), 2)
    assert ([offer.id for offer in seen.offers], seen.next_at) == ([2, 3], at(8))
    seen = box.db.look(outbox.outlook, at(3), 9)
    assert ([offer.id for offer in seen.offers], seen.next_at) == ([2, 3, 1], at(8))
    seen = box.db.look(outbox.outlook, T0, 9)
    assert (seen.offers, seen.next_at) == ([], at(1))


def test_only_an_end_that_offers_something_wakes(box):
    box.append(event("wf_1"), event("wf_1"), event("wf_2"))
    woken: list[str] = []

    def settle(tx, outcomes):
        class Heard:
            def __getattr__(self, name):
                return getattr(tx, name)

            def wake(self, topic):
                woken.append(topic)

        return outbox.settle(Heard(), outcomes)

    for number in (3, 1, 2):
        (claimed,) = box.claim(number, when=T0)
        box.db.apply(settle, Outcome(claimed=claimed, state="delivered", at=T0))
        assert len(woken) == (0 if number == 3 else 1)


def test_nothing_due_later_is_none(box):
    assert box.db.look(outbox.outlook, T0, 9).next_at is None
    box.append(event(), event())
    assert box.db.look(outbox.outlook, T0, 9).next_at is None


def test_an_outcome_counts_only_while_its_claim_stands(box):
    box.append(event(), event())
    (slow,) = box.claim(1, when=T0, lease_s=5)
    (quick,) = box.claim(1, when=at(6), lease_s=5)
    box.settle(slow, "delivered", at(7))
    assert [e.state for e in box.entries()] == ["waiting", "waiting"]
    assert box.offered() == [1]
    box.settle(quick, "delivered", at(8))
    box.settle(quick, "dead", at(9))
    assert [e.state for e in box.entries()] == ["delivered", "waiting"]
    assert box.offered() == [2]


def test_two_claims_are_told_apart_even_when_their_leases_end_together(box):
    box.append(event())
    (slow,) = box.claim(1, when=T0, lease_s=5)
    (quick,) = box.claim(1, when=at(5), lease_s=0)
    assert slow.lease == quick.lease
    box.settle(slow, "delivered", at(5))
    assert box.entries()[0].state == "waiting"
    box.settle(quick, "dead", at(5))
    box.settle(quick, "delivered", at(5))
    assert box.entries()[0].state == "dead"


def test_many_outcomes_in_one_transaction_end_their_own_lines_only(box):
    box.append(*(event(f"wf_{n}", n=k) for n in range(3) for k in range(2)))
    claimed = box.claim(1, 3, 5, when=T0)
    states: list[outbox.State] = ["delivered", "waiting", "dead"]
    outcomes = [Outcome(claimed=c, state=s, at=at(1)) for c, s in zip(claimed, states, strict=True)]
    box.db.apply(lambda tx, items: [outbox.settle(tx, outcomes)], None)
    assert box.offered() == [2, 3, 6]


def test_a_claim_given_back_is_due_at_once_unless_it_was_settled(box):
    box.append(event(), event("wf_2"))
    first, second = box.claim(1, 2, when=at(1))
    box.settle(second, "waiting", at(60))
    box.db.apply(outbox.release, first)
    box.db.apply(outbox.release, second)
    assert box.due(at(1)) == [1]
    assert box.due(at(60)) == [1, 2]


def test_replay_of_all_of_some_and_of_none(box):
    box.append(event("wf_1"), event("wf_2"), event("wf_3"))
    for claimed in box.claim(1, 2, 3, when=T0):
        box.settle(claimed, "delivered" if claimed.id == 3 else "dead", at(1))
    assert box.db.apply(outbox.replay, Replay(ids=[], at=at(2))) == 0
    assert box.db.apply(outbox.replay, Replay(ids=[2, 3, 99], at=at(2))) == 1
    assert box.due(at(2)) == [2]
    assert box.db.apply(outbox.replay, Replay(ids=None, at=at(3))) == 1
    assert box.due(at(3)) == [2, 1]
    assert {e.seq for e in box.entries()} == {0}
    assert [c.tries for c in box.claim(1, when=at(3))] == [1]


def test_replayed_events_take_their_turn_in_order_behind_the_one_under_way(box):
    box.append(*(event(n=n) for n in range(4)))
    for n in (1, 2):
        box.settle(*box.claim(n, when=at(1)), "dead", at(1))
    (under_way,) = box.claim(3, when=at(1))
    assert box.db.apply(outbox.replay, Replay(ids=None, at=at(2))) == 2
    assert box.offered() == [3]
    box.settle(under_way, "delivered", at(3))
    order = []
    for _ in range(3):
        (offered,) = box.due(at(9))
        order.append(offered)
        box.settle(*box.claim(offered, when=at(9)), "delivered", at(9))
    assert order == [1, 2, 4]


def test_entries_filter_and_limit(box):
    box.append(event("wf_1"), event("wf_1"), event("wf_2"))
    box.settle(*box.claim(1, when=T0), "delivered", T0)
    assert [e.id for e in box.entries("waiting")] == [2, 3]
    assert [e.id for e in box.entries(None, "wf_1")] == [1, 2]
    assert [e.id for e in box.entries("waiting", "wf_1")] == [2]
    assert [e.id for e in box.entries(None, None, 1)] == [3]


@pytest.mark.parametrize("new_dialect", ["sqlite"], indirect=True)
def test_looks_use_the_index_and_never_wade_through_parked_events(box):
    plan = box.db.look(
        lambda tx: tx.all(
            "EXPLAIN QUERY PLAN SELECT id, endpoint FROM events WHERE state = 'waiting' AND next_at <= ?"
            " ORDER BY next_at, id LIMIT 9",
            (0,),
        )
    )
    assert "events_waiting" in " ".join(row["detail"] for row in plan)


class Lines(RuleBasedStateMachine):
    """Any mix of appends, tries, crashes and replays keeps every line in order."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.box = Box(Database(dialect))
        self.clock = 0.0
        self.claims: list[Claimed] = []
        self.delivered: dict[tuple[str, str], list[int]] = {}
        self.replayed: set[int] = set()

    def teardown(self) -> None:
        self.box.db.close()

    @rule(lines=st.lists(st.tuples(st.sampled_from(["wf_1", "wf_2"]), st.sampled_from([A, B])), max_size=4))
    def append(self, lines):
        self.box.append(*(event(*line) for line in lines), when=at(self.clock))

    @rule(seconds=st.sampled_from([0.5, 5, 30]))
    def wait(self, seconds):
        self.clock += seconds

    @rule(limit=st.integers(1, 3))
    def claim(self, limit):
        self.claims += self.box.claim(*self.box.due(at(self.clock), limit), when=at(self.clock))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), state=st.sampled_from(["delivered", "delivered", "waiting", "dead"]))
    def settle(self, data, state):
        claimed = self.claims.pop(data.draw(st.integers(0, len(self.claims) - 1)))
        before = {e.id: e.state for e in self.box.entries()}
        self.box.settle(claimed, state, at(self.clock + (3 if state == "waiting" else 0)))
        after = {e.id: e.state for e in self.box.entries()}
        if before[claimed.id] != after[claimed.id] == "delivered" and claimed.id not in self.replayed:
            self.delivered.setdefault((claimed.workflow_id, claimed.endpoint), []).append(claimed.seq)

    @precondition(lambda self: self.claims)
    @rule()
    def give_back(self):
        self.box.db.apply(outbox.release, self.claims.pop())

    @rule()
    def replay(self):
        self.replayed |= {e.id for e in self.box.entries("dead")}
        self.box.db.apply(outbox.replay, Replay(ids=None, at=at(self.clock)))

    @invariant()
    def a_line_with_waiting_events_offers_exactly_one(self):
        waiting = {(e.workflow_id, e.endpoint) for e in self.box.entries("waiting")}
        offered = set(self.box.offered())
        lines = [(e.workflow_id, e.endpoint) for e in self.box.entries() if e.id in offered]
        assert sorted(lines) == sorted(waiting)

    @invariant()
    def what_was_not_replayed_arrives_in_order(self):
        for sequence in self.delivered.values():
            assert sequence == sorted(set(sequence))


def test_lines(new_dialect: Callable[[], Dialect]) -> None:
    paced = settings(max_examples=25, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(lambda: Lines(new_dialect()), settings=paced)
