"""The judge: looks at everything when all is quiet, and says what is wrong. Nothing may be."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import msgspec

from heddle import queue, server
from heddle.db import Database, Row, Tx
from heddle.db.postgres import PostgreSQL
from heddle.errors import Unavailable
from heddle.settings import Settings
from heddle.workflows import audit
from tests.chaos.load import ENDED, Wish
from tests.chaos.receivers import Receivers
from tests.fixtures.plates import plate


@dataclass(slots=True)
class Verdict:
    """What is wrong, by kind, and the counts."""

    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=dict[str, int])

    def __str__(self) -> str:
        table = [f"{name:<44} {n:>9,}" for name, n in self.counts.items()]
        wrong = [f"WRONG {kind} ({len(found)}): {one}" for kind, found in self.wrong.items() for one in found[:5]]
        return "\n".join([*table, *(wrong or ["nothing is wrong"])])


@dataclass(frozen=True, slots=True)
class Standing:
    """What is still under way."""

    workflows: int
    jobs: int
    events: int

    def __str__(self) -> str:
        return f"under way: {self.workflows} workflows, {self.jobs} jobs, {self.events} events"

    def __bool__(self) -> bool:
        return bool(self.workflows or self.jobs or self.events)


class Judge:
    """Reads the database and the storage of a cluster that is quiet."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def standing(self) -> Standing | None:
        """None while the database cannot be asked."""
        try:
            with closing(Database(PostgreSQL(self._settings.database))) as db:
                return db.look(_standing)
        except Unavailable:
            return None

    def wait(self, seconds: float) -> Standing | None:
        """Until nothing is under way; what is left when the time is over."""
        end = time.monotonic() + seconds
        while (left := self.standing()) is None or left:
            if time.monotonic() > end:
                return left
            time.sleep(0.5)
        return left

    def verdict(self, wishes: list[Wish], sources: dict[str, bytes], receivers: Receivers) -> Verdict:
        """Everything at once, from one state of the database."""
        with closing(Database(PostgreSQL(self._settings.database))) as db:
            return db.look(lambda tx: _Case(tx, self._settings, wishes, sources, receivers).verdict())


def _standing(tx: Tx) -> Standing:
    def number(sql: str) -> int:
        row = tx.one(sql)
        return row["n"] if row else 0

    return Standing(
        workflows=number("SELECT COUNT(*) AS n FROM workflows WHERE completed_at IS NULL"),
        jobs=number("SELECT COUNT(*) AS n FROM queued_jobs"),
        events=number("SELECT COUNT(*) AS n FROM events WHERE state = 'waiting'"),
    )


class _Case:
    def __init__(
        self, tx: Tx, settings: Settings, wishes: list[Wish], sources: dict[str, bytes], receivers: Receivers
    ) -> None:
        self._tx, self._settings = tx, settings
        self._wishes = {wish.key: wish for wish in wishes}
        self._sources, self._receivers = sources, receivers
        self._made: dict[str, bytes] = {}
        self._verdict = Verdict()
        self._workflows: dict[str, Row] = {row["id"]: row for row in tx.all("SELECT * FROM workflows")}
        self._jobs: dict[str, list[Row]] = defaultdict(list)
        for row in tx.all("SELECT * FROM jobs ORDER BY workflow_id, step, idx"):
            self._jobs[row["workflow_id"]].append(row)
        self._blobs: dict[str, Row] = {row["id"]: row for row in tx.all("SELECT * FROM blobs")}

    def verdict(self) -> Verdict:
        for check in (self._check_quiet, self._check_wishes, self._check_jobs, self._check_bytes, self._check_books):
            check()
        self._check_events()
        self._count()
        return self._verdict

    def _say(self, kind: str, what: str) -> None:
        self._verdict.wrong[kind].append(what)

    # ── workflows ─────────────────────────────────────────────────────────────

    def _check_quiet(self) -> None:
        if left := queue.depth(self._tx):
            self._say("queue", f"{left} jobs are left in it")
        for wf in self._workflows.values():
            if wf["status"] not in ENDED:
                self._say("lost", f"{wf['id']} is {wf['status']}")

    def _check_wishes(self) -> None:
        """Each key one workflow at most, each that was accepted one, and as it was to end."""
        by_key: dict[str, list[str]] = defaultdict(list)
        for workflow_id, jobs in self._jobs.items():
            by_key[_words(jobs[0])[0]].append(workflow_id)
        for key, ids in by_key.items():
            if key not in self._wishes:
                self._say("invented", f"{ids} were never asked for")
            if len(ids) > 1:
                self._say("submitted twice", f"{key} ({self._wishes[key].kind}): {ids}")
        for wish in self._wishes.values():
            if wish.workflow_id:
                self._check_wish(wish, by_key.get(wish.key, []))

    def _check_wish(self, wish: Wish, ids: list[str]) -> None:
        if wish.workflow_id not in ids:
            self._say("lost", f"{wish.key} was accepted as {wish.workflow_id}, and there is {ids}")
            return
        wf = self._workflows[wish.workflow_id]
        if wf["status"] not in wish.may_end:
            reasons = [(job["reason"], job["message"]) for job in self._jobs[wf["id"]]]
            self._say("ended wrong", f"{wish.key} ({wish.kind}) {wf['id']} is {wf['status']}: {reasons}")
        if wish.seen and wish.seen in ENDED and wf["status"] != wish.seen:
            self._say("ended twice", f"{wish.key} {wf['id']} was shown as {wish.seen} and is {wf['status']}")
        if wf["account_id"] != wish.account or len(self._jobs[wf["id"]]) != wish.jobs:
            self._say("mixed up", f"{wish.key} {wf['id']} has another account or other jobs")
        if wish.deleted != (wf["deleted_at"] is not None):
            self._say("deleted", f"{wish.key} {wf['id']} was deleted: {wish.deleted}, deleted at {wf['deleted_at']}")

    def _check_jobs(self) -> None:
        """One result for each job that succeeded, none for the others, and the right one."""
        made: dict[str, list[Row]] = defaultdict(list)
        for blob in self._blobs.values():
            if blob["job_id"] is not None:
                made[blob["job_id"]].append(blob)
        for job in self._all_jobs():
            results = made.pop(job["id"], [])
            wanted = 1 if job["status"] == "succeeded" else 0
            if job["status"] not in ENDED:
                self._say("lost", f"job {job['id']} is {job['status']}")
            if len(results) != wanted:
                self._say("double results", f"job {job['id']} is {job['status']} and has {len(results)} results")
            elif wanted and not self._right(job, results[0]):
                self._say("wrong result", f"job {job['id']} has the result of another")
        for job_id in made:
            self._say("double results", f"there is no job {job_id} and it has results")

    def _right(self, job: Row, blob: Row) -> bool:
        payload = msgspec.json.decode(job["payload"])
        source = b"".join(self._known(blob_id) for blob_id in payload.get("images", ()))
        picture = plate(payload["prompt"], payload["seed"], source)
        expected = hashlib.sha256(picture).hexdigest()
        [shown] = msgspec.json.decode(job["artifacts"])
        self._made[shown["blob_id"]] = picture
        return blob["sha256"] == expected == shown["sha256"] and shown["blob_id"] == blob["id"]

    def _known(self, blob_id: str) -> bytes:
        """What was uploaded, or what a step before made: jobs are looked at in the order of their steps."""
        return self._sources.get(blob_id) or self._made.get(blob_id, b"")

    def _all_jobs(self) -> Iterator[Row]:
        for jobs in self._jobs.values():
            yield from jobs

    def _check_bytes(self) -> None:
        """What a record vouches for lies there."""
        storage = server.open_storage(self._settings)
        for blob in self._blobs.values():
            if blob["state"] != "stored":
                continue
            try:
                with storage.open(blob["storage_key"]) as file:
                    data = file.read()
            except KeyError:
                self._say("bytes", f"blob {blob['id']} has none")
                continue
            if (len(data), hashlib.sha256(data).hexdigest()) != (blob["size"], blob["sha256"]):
                self._say("bytes", f"blob {blob['id']} has others than its record says")
            if blob["id"] in self._sources and data != self._sources[blob["id"]]:
                self._say("bytes", f"blob {blob['id']} has others than were uploaded")
        recorded = {blob["storage_key"] for blob in self._blobs.values()}
        self._thrown_away = sum(1 for key in storage.keys("jobs") if key not in recorded)

    # ── money ─────────────────────────────────────────────────────────────────

    def _check_books(self) -> None:
        """One hold for each workflow, and its end: what succeeded is spent, the rest goes back."""
        for complaint in audit.check(self._tx):
            self._say("books", complaint)
        moved: dict[str, Counter[str]] = defaultdict(Counter)
        entries: Counter[tuple[str, str]] = Counter()
        for row in self._tx.all("SELECT * FROM ledger_entries WHERE workflow_id IS NOT NULL"):
            moved[row["workflow_id"]][row["kind"]] += row["amount"]
            entries[row["workflow_id"], row["kind"]] += 1
        for (workflow_id, kind), n in entries.items():
            if n > 1:
                self._say("double charges", f"{workflow_id} has {n} entries {kind!r}")
        for wf in self._workflows.values():
            used = sum(job["cost"] for job in self._jobs[wf["id"]] if job["status"] == "succeeded")
            expected = Counter(hold=wf["cost"], settle=used, refund=wf["cost"] - used)
            if +moved[wf["id"]] != +expected:
                self._say("double charges", f"{wf['id']} has {dict(moved[wf['id']])}, not {dict(expected)}")
        for row in self._tx.all("SELECT * FROM balances WHERE held <> 0"):
            self._say("books", f"account {row['account_id']} has {row['held']} Buzz held and nothing runs")

    # ── events ────────────────────────────────────────────────────────────────

    def _check_events(self) -> None:
        """Every line arrived whole and in order; repeated deliveries say the same again."""
        kept: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self._tx.all("SELECT * FROM events ORDER BY seq"):
            kept[row["workflow_id"], row["endpoint"]].append(row)
        heard = {(wf, r.url): line for r in self._receivers.all for wf, line in r.lines.items()}
        for line in heard.keys() - kept.keys():
            self._say("events", f"{line} was told and never written")
        for (workflow_id, endpoint), rows in kept.items():
            if bad := [(r["seq"], r["state"], r["error"]) for r in rows if r["state"] != "delivered"]:
                self._say("events", f"{workflow_id} for {endpoint}: {bad}")
            line = heard.get((workflow_id, endpoint))
            seqs = list(range(len(rows)))
            if [r["seq"] for r in rows] != seqs or line is None or line.first != seqs or line.changed:
                said = line and (line.first, line.changed)
                self._say("order of events", f"{workflow_id} for {endpoint}: heard {said} of {len(rows)}")
                continue
            self._check_story(workflow_id, [line.said[seq][1:] for seq in seqs])
        told = {workflow_id for workflow_id, _ in kept}
        for wish in self._wishes.values():
            if wish.workflow_id and bool(wish.endpoint) != (wish.workflow_id in told):
                self._say("events", f"{wish.key} {wish.workflow_id}: the wrong ones are told")

    def _check_story(self, workflow_id: str, said: list[tuple[str, str]]) -> None:
        """What was told of the workflow itself begins, ends once, and ends as it did."""
        statuses = [status for kind, status in said if kind == "workflow"]
        ended = [status for status in statuses if status in ENDED]
        first, status = statuses[0], self._workflows[workflow_id]["status"]
        if first not in {"unassigned", "preparing"} or ended != [status] or statuses[-1] != status:
            self._say("story", f"{workflow_id} is {status} and {statuses} was told")

    # ── counts ────────────────────────────────────────────────────────────────

    def _count(self) -> None:
        jobs = list(self._all_jobs())
        statuses = Counter(wf["status"] for wf in self._workflows.values())
        events = self._tx.one("SELECT COUNT(*) AS n, COALESCE(SUM(tries), 0) AS tries FROM events")
        assert events is not None
        self._verdict.counts = {
            "workflows": len(self._workflows),
            **{f"  {status}": n for status, n in sorted(statuses.items())},
            "jobs": len(jobs),
            "  attempts": sum(job["attempt"] for job in jobs),
            "  attempts after the first": sum(max(0, job["attempt"] - 1) for job in jobs),
            "  results made and thrown away (fenced)": self._thrown_away,
            "events": events["n"],
            "  tries": events["tries"],
            "  deliveries heard": self._receivers.heard,
            "  heard more than once": self._receivers.heard - events["n"],
        }


def _words(job: Row) -> list[str]:
    prompt: Any = msgspec.json.decode(job["payload"])["prompt"]
    return str(prompt).split()
