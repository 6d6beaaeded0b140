"""`heddle webhooks` on a real data folder."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from heddle import accounts, outbox
from heddle.cli.home import open_home
from heddle.cli.main import cli
from heddle.domain import now
from heddle.outbox import Claim, Event, Outcome
from heddle.settings import Settings


@pytest.fixture
def heddle(tmp_path, monkeypatch):
    monkeypatch.setenv("HEDDLE_HOME", str(tmp_path / "home"))

    def run(*args: str):
        return CliRunner().invoke(cli, ["webhooks", *args])

    return run


@pytest.fixture
def filled(heddle, tmp_path):
    """Three workflows with one event each: dead, delivered, waiting."""
    db = open_home(Settings(home=str(tmp_path / "home")))
    at = now()
    events = [
        Event(workflow_id=f"wf_{n}", account_id=1, endpoint="https://a.example/hook?token=secret", body={})
        for n in (1, 2, 3)
    ]
    db.apply(lambda tx, items: [accounts.create(tx, "ann", at) for _ in items], None)
    db.apply(lambda tx, items: [outbox.append(tx, events, at)], None)
    for number, state in ((1, "dead"), (2, "delivered")):
        (claimed,) = db.apply(outbox.claim, Claim(ids=[number], at=at, until=at))
        db.apply(outbox.settle, Outcome(claimed=claimed, state=state, at=at, error="answered 500"))
    yield db
    db.close()


def test_list_shows_events_newest_first_without_secrets(heddle, filled):
    result = heddle("list")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["evt_3", "evt_2", "evt_1"]
    assert "dead" in lines[2]
    assert "1 try" in lines[2]
    assert "answered 500" in lines[2]
    assert "answered 500" not in lines[1]
    assert "https://a.example/hook" in result.stdout
    assert "secret" not in result.stdout


def test_list_filters(heddle, filled):
    def ids(*args: str) -> list[str]:
        return [row["id"] for row in json.loads(heddle("list", "--json", *args).stdout)]

    assert ids() == ["evt_3", "evt_2", "evt_1"]
    assert ids("--state", "dead") == ["evt_1"]
    assert ids("--workflow", "wf_2") == ["evt_2"]
    assert ids("--state", "dead", "--workflow", "wf_2") == []
    assert ids("--limit", "1") == ["evt_3"]


def test_list_as_json_has_times_and_no_secrets(heddle, filled):
    (row,) = json.loads(heddle("list", "--json", "--state", "delivered").stdout)
    assert row["endpoint"] == "https://a.example/hook"
    assert row["deliveredAt"] == row["createdAt"]
    assert (row["workflowId"], row["sequence"], row["tries"]) == ("wf_2", 0, 1)


@pytest.mark.parametrize("args", [["evt_1"], ["1"], ["--dead"], ["evt_1", "evt_2"]])
def test_replay_makes_dead_events_wait_again(heddle, filled, args):
    result = heddle("replay", *args)
    assert (result.exit_code, result.stdout) == (0, "1 event waits again\n")
    assert [e.state for e in filled.look(outbox.entries)] == ["waiting", "delivered", "waiting"]
    assert heddle("replay", "--dead").stdout == "0 events wait again\n"


@pytest.mark.parametrize(
    ("args", "part"),
    [
        ([], "or give --dead"),
        (["evt_1", "--dead"], "or give --dead"),
        (["evt_2"], "none of these events is dead"),
        (["evt_99"], "none of these events is dead"),
        (["wf_1"], "'wf_1' is not the id of an event"),
        (["evt_99999999999999999999"], "is not the id of an event"),
        (["evt_²"], "is not the id of an event"),
    ],
)
def test_replay_refuses_what_it_cannot_do(heddle, filled, args, part):
    result = heddle("replay", *args)
    assert result.exit_code == 1
    assert part in result.stderr
    assert filled.look(outbox.entries)[2].state == "dead"


def test_secret_is_the_accounts(heddle, filled):
    assert heddle("secret").stdout.strip() == filled.look(accounts.webhook_secret, 1)
    assert heddle("secret", "--user", "ann").stdout.strip() == filled.look(accounts.webhook_secret, 1)
    assert "no account named 'bob'" in heddle("secret", "--user", "bob").stderr
