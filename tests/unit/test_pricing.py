"""What is held for sources that are not there yet, and what is charged once they are."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.drafts import slots

from heddle import blobs, ledger, registry
from heddle.blobs import Promise, Stored
from heddle.catalog.places import Place
from heddle.contract import base, orchestration
from heddle.contract.orchestration import WorkflowRequest, WorkflowUpdate
from heddle.db import Database, Tx
from heddle.domain import JSON, Artifact, Status, Workflow, new_id, now
from heddle.engines.resample import Resample
from heddle.graph import Graph, checker
from heddle.ledger import Balance
from heddle.settings import Settings
from heddle.steps import Facts, FactsOf, Learner
from heddle.steps.comfy import Comfy
from heddle.steps.interpolate import Interpolate
from heddle.steps.transcribe import Transcribe
from heddle.steps.upscale import Upscale
from heddle.workflows import advance, amend, audit, pricing, rows, submit
from heddle.workflows.advance import Failure
from heddle.workflows.planning import Draft, Look, Planner

BUZZ = Settings().starting_buzz

#: What is held for a picture, a video and a sound that are still to come.
PICTURE, VIDEO, SOUND = 16, 62, 120


class Shop:
    """An account that submits, uploads, and has its jobs done."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.at = now()
        self._planner = Planner(Settings())

    def promise(self, mime: str) -> str:
        item = Promise(
            blob_id=new_id("blob"),
            account_id=1,
            mime=mime,
            size=None,
            upload_until=self.at + timedelta(days=1),
        )
        return self.db.apply(lambda tx, items: blobs.promise(tx, items, self.at), item).id

    def submit(self, *steps: dict[str, Any]) -> str:
        written = self.db.apply(submit.submit, self.plan(*steps))
        assert isinstance(written, Workflow)
        return written.id

    def plan(self, *steps: dict[str, Any]) -> Draft:
        wanted = base.validate(WorkflowRequest, {"steps": list(steps)})

        def facts_of(blob_id: str) -> Facts:
            found = self.db.look(blobs.get, [blob_id])[blob_id]
            return pricing.known(found) if found.state == "stored" else Facts(mime=found.mime)

        look = Look(find=lambda air: Place(air=air, type="Checkpoint", base_model="any"), facts_of=facts_of)
        return self._planner.plan(wanted, account_id=1, look=look, at=self.at)

    def upload(self, blob_id: str, fps: float | None = None, **facts: Any) -> None:
        mime = self.db.look(blobs.get, [blob_id])[blob_id].mime
        facts["metadata"] = {"fps": fps} if fps else {}
        self.db.apply(
            advance.arrive, Stored(blob_id=blob_id, key=f"u/{blob_id}", mime=mime, size=3, sha256="00", **facts)
        )

    def work(self, engine: str, failure: Failure | None = None, **facts: Any) -> None:
        """Do the one job that waits for an engine."""
        claim = advance.Claim(owner="me", slots=slots(1, engine), lease_s=20, at=self.at)
        [attempt] = self.db.apply(advance.claim, claim)
        made = Artifact(blob_id=new_id("blob"), key=new_id("k"), size=1, sha256="00", **{"mime": "image/png", **facts})
        ended = advance.Ended(
            job_id=attempt.job_id,
            attempt=attempt.attempt,
            at=self.at,
            started_at=self.at,
            artifacts=[] if failure else [made],
            failure=failure,
        )
        assert self.db.apply(advance.finish, ended)

    def cancel(self, workflow_id: str) -> None:
        update = WorkflowUpdate(status="canceled")
        self.db.apply(amend.amend, amend.Amendment(account_id=1, workflow_id=workflow_id, at=self.at, update=update))

    def shown(self, workflow_id: str) -> Workflow:
        return self.db.look(rows.get, [workflow_id])[0]

    def total(self, workflow_id: str) -> int:
        """`cost.total` on the wire."""
        return orchestration.charged(self.shown(workflow_id))

    def account(self) -> Balance:
        """What is in the pockets, after the books were found right."""
        assert self.db.look(audit.check) == []
        return self.db.look(ledger.balance, 1)


@pytest.fixture
def shop(db: Database) -> Shop:
    return Shop(db)


def balance(*, held: int = 0, spent: int = 0) -> Balance:
    return Balance(available=BUZZ - held - spent, held=held, spent=spent)


def upscale(source: Any, **more: Any) -> dict[str, Any]:
    return {"$type": "upscale", "input": {"media": source, **more}}


OUTPUT = {"$ref": "$0", "path": "output.blob"}
HD_MINUTE = {"width": 1280, "height": 720, "duration_ms": 60_000, "fps": 30.0}


@pytest.mark.parametrize(
    ("step", "mime", "facts", "held", "charged"),
    [
        ("upscale", "image/png", {"width": 1000, "height": 1000}, PICTURE, 1),
        ("upscale", "image/png", {"width": 3000, "height": 2000}, PICTURE, 6),
        ("upscale", "image/png", {"width": 4000, "height": 4000}, PICTURE, PICTURE),
        ("upscale", "video/mp4", {"width": 640, "height": 360, "duration_ms": 5000, "fps": 24.0}, VIDEO, 3),
        ("upscale", "video/mp4", HD_MINUTE, VIDEO, VIDEO),  # more than the engine takes: never more than was held
        ("upscale", "video/mp4", {"width": 640, "height": 360}, VIDEO, 28),  # of unknown length: counts as the longest
        ("transcribe", "audio/wav", {"duration_ms": 31_000}, SOUND, 2),
        ("transcribe", "audio/wav", {}, SOUND, SOUND),
    ],
)
def test_an_upload_is_charged_for_as_what_it_is(
    shop: Shop, step: str, mime: str, facts: dict[str, Any], held: int, charged: int
) -> None:
    blob_id = shop.promise(mime)
    workflow = shop.submit({"$type": step, "input": {"media": blob_id}})
    assert (shop.total(workflow), shop.account()) == (held, balance(held=held))
    shop.upload(blob_id, **facts)
    assert (shop.total(workflow), shop.account()) == (held, balance(held=held))  # the hold, until it ends
    shop.work({"upscale": "resample", "transcribe": "pocketsphinx"}[step])
    assert (shop.total(workflow), shop.account()) == (charged, balance(spent=charged))
    assert shop.shown(workflow).cost == held


def test_an_upload_that_is_there_is_held_for_and_charged_alike(shop: Shop) -> None:
    blob_id = shop.promise("image/png")
    shop.upload(blob_id, width=3000, height=2000)
    workflow = shop.submit(upscale(blob_id))
    assert shop.account() == balance(held=6)
    shop.work("resample")
    assert (shop.total(workflow), shop.account()) == (6, balance(spent=6))


def test_an_upload_that_comes_between_the_plan_and_the_commit_is_held_for_as_what_it_is(shop: Shop) -> None:
    first, other = shop.promise("image/png"), shop.promise("image/png")
    planned = shop.plan(upscale(first), upscale(other), upscale(OUTPUT))
    shop.upload(first, width=3000, height=2000)
    made = shop.db.apply(submit.submit, planned)
    assert isinstance(made, Workflow)
    assert shop.account() == balance(held=6 + PICTURE + PICTURE)
    shop.work("resample", width=6000, height=4000)
    shop.cancel(made.id)
    assert (shop.total(made.id), shop.account()) == (6, balance(spent=6))


@pytest.mark.parametrize("uploaded", [False, True])
def test_all_goes_back_when_it_is_canceled(shop: Shop, uploaded: bool) -> None:
    blob_id = shop.promise("image/png")
    workflow = shop.submit(upscale(blob_id))
    if uploaded:
        shop.upload(blob_id, width=1000, height=1000)
    shop.cancel(workflow)
    assert (shop.total(workflow), shop.account()) == (0, balance())


def test_all_goes_back_when_it_fails(shop: Shop) -> None:
    blob_id = shop.promise("image/png")
    workflow = shop.submit(upscale(blob_id))
    shop.upload(blob_id, width=1000, height=1000)
    shop.work("resample", Failure(reason="engine_failed", message="no"))
    assert (shop.total(workflow), shop.account()) == (0, balance())


def test_all_goes_back_when_the_upload_never_comes(shop: Shop) -> None:
    workflow = shop.submit(upscale(shop.promise("video/mp4")))
    assert shop.account() == balance(held=VIDEO)
    shop.db.apply(advance.expire, shop.at + timedelta(days=2))
    assert shop.shown(workflow).status is Status.EXPIRED
    assert shop.account() == balance()


def test_what_another_step_made_is_charged_for_as_what_it_is(shop: Shop) -> None:
    blob_id = shop.promise("image/png")
    workflow = shop.submit(upscale(blob_id), upscale(OUTPUT))
    assert shop.account() == balance(held=2 * PICTURE)
    shop.upload(blob_id, width=1000, height=1000)
    shop.work("resample", width=2000, height=2000)
    assert (shop.total(workflow), shop.account()) == (2 * PICTURE, balance(held=2 * PICTURE))
    shop.work("resample", width=4000, height=4000)
    assert (shop.total(workflow), shop.account()) == (1 + 4, balance(spent=1 + 4))


def test_a_source_that_was_planned_is_held_for_as_planned(shop: Shop) -> None:
    drawn = {"$type": "imageGen", "input": {"engine": "sketch", "prompt": "a fox", "width": 1000, "height": 1000}}
    workflow = shop.submit(drawn, upscale({"$ref": "$0", "path": "output.images[0]"}))
    assert shop.account() == balance(held=1 + 1)
    shop.work("sketch", width=2000, height=2000)  # larger than it said: that is not the caller's doing
    shop.work("resample")
    assert (shop.total(workflow), shop.account()) == (2, balance(spent=2))


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(("other", "held"), [(64, 1), (2048, PICTURE)])
def test_a_picture_of_a_graph_is_held_for_as_planned_where_all_have_one_size(
    shop: Shop, index: int, other: int, held: int
) -> None:
    graph = {name: node for side in (64, other) for name, node in _gray(side, f"{side}").items()}
    graph |= _gray(64, "z")
    drawn = {"$type": "comfy", "input": {"engine": "sketch", "workflow": graph}}
    workflow = shop.submit(drawn, upscale({"$ref": "$0", "path": f"output.blobs[{index}]"}, scaleFactor=4))
    assert shop.shown(workflow).steps[1].jobs[0].cost == held


def _gray(side: int, prefix: str) -> dict[str, Any]:
    """A square."""
    latent = {"width": side, "height": side, "batch_size": 1}
    return {
        f"{prefix}m": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sketch"}},
        f"{prefix}l": {"class_type": "EmptyLatentImage", "inputs": latent},
        f"{prefix}d": {
            "class_type": "VAEDecode",
            "inputs": {"samples": [f"{prefix}l", 0], "vae": [f"{prefix}m", 2]},
        },
        f"{prefix}w": {"class_type": "SaveImage", "inputs": {"images": [f"{prefix}d", 0], "filename_prefix": "a"}},
    }


def test_one_step_is_charged_and_the_one_that_failed_after_it_is_not(shop: Shop) -> None:
    blob_id = shop.promise("image/png")
    workflow = shop.submit(upscale(blob_id), upscale(OUTPUT))
    shop.upload(blob_id, width=1000, height=1000)
    shop.work("resample", width=2000, height=2000)
    shop.work("resample", Failure(reason="engine_failed", message="no"))
    assert (shop.total(workflow), shop.account()) == (1, balance(spent=1))


def test_a_step_that_waits_for_both_is_priced_by_what_it_works_on(shop: Shop) -> None:
    """Its own upload comes first, and what it refers to later."""
    first, other = shop.promise("image/png"), shop.promise("image/png")
    graph = _graph(other) | {"5": {"class_type": "LoadImage", "inputs": {"image": OUTPUT}}}
    graph |= {"6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "b"}}}
    workflow = shop.submit(upscale(first), {"$type": "comfy", "input": {"engine": "sketch", "workflow": graph}})
    assert shop.account() == balance(held=PICTURE + 6)  # 1, and the largest that is drawn: 4.2 megapixels
    shop.upload(other, width=512, height=512)
    shop.upload(first, width=1000, height=1000)
    shop.work("resample", width=2000, height=2000)
    shop.work("comfy-graph")
    assert (shop.total(workflow), shop.account()) == (1 + 2, balance(spent=1 + 2))


def _graph(source: str) -> dict[str, Any]:
    """Draws over a picture, at its size."""
    model = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sketch"}}
    text = {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["m", 1]}}
    sampler = {
        "model": ["m", 0],
        "positive": ["t", 0],
        "negative": ["t", 0],
        "latent_image": ["e", 0],
        "seed": 1,
        "steps": 20,
        "cfg": 7.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 0.5,
    }
    return {
        "m": model,
        "t": text,
        "i": {"class_type": "LoadImage", "inputs": {"image": source}},
        "e": {"class_type": "VAEEncode", "inputs": {"pixels": ["i", 0], "vae": ["m", 2]}},
        "s": {"class_type": "KSampler", "inputs": sampler},
        "d": {"class_type": "VAEDecode", "inputs": {"samples": ["s", 0], "vae": ["m", 2]}},
        "w": {"class_type": "SaveImage", "inputs": {"images": ["d", 0], "filename_prefix": "a"}},
    }


class Counted(Comfy):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def learn(self, payload: JSON, facts_of: FactsOf) -> Sequence[dict[str, Any]]:
        self.asked += 1
        return super().learn(payload, facts_of)


def test_runs_that_differ_in_their_seeds_are_priced_once() -> None:
    kind, engine, nothing = Counted(), registry.engine("comfy-graph"), Facts()
    given = {"engine": "sketch", "workflow": _graph("blob_b")}
    one = kind.plan(given, lambda _: nothing).payloads
    many = kind.plan(given | {"quantity": 100}, lambda _: nothing).payloads
    payloads = [{**payload, "family": "sketch"} for payload in many]
    priced = pricing.costs(kind, engine, payloads, lambda _: nothing)
    assert kind.asked == 1
    assert sum(priced) == math.ceil(
        100 * engine.price({**kind.learn(one[0], lambda _: nothing)[0], "family": "sketch"})
    )


def test_jobs_that_differ_in_more_are_priced_each() -> None:
    kind, engine = Counted(), registry.engine("comfy-graph")

    def drawn(side: int) -> dict[str, Any]:
        plan = kind.plan({"workflow": _graph("blob_b")}, lambda _: Facts(width=side, height=side))
        return {**plan.payloads[0], "family": "sketch"}

    small, large = drawn(512), drawn(2048)
    priced = pricing.costs(kind, engine, [small, large, small], lambda _: Facts())
    assert kind.asked == 3
    assert priced[1] > priced[0]


def test_a_graph_is_checked_once_for_its_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sizes of its sources are tried."""
    checks: list[object] = []
    right = checker.checked

    def counted(raw: object, *args: Any, **named: Any) -> Graph:
        checks.append(raw)
        return right(raw, *args, **named)

    payload = Comfy().plan({"workflow": _graph("blob_b")}, lambda _: Facts()).payloads[0]
    monkeypatch.setattr(checker, "checked", counted)
    [learned] = Comfy().learn(payload, lambda _: Facts())
    assert learned["drawings"][0]["width"] == 2048  # 4096 and 3072 are more than is drawn
    assert len(checks) == 1


def test_many_steps_that_waited_for_one_upload_are_read_a_few_at_a_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob_id = shop.promise("image/png")
    workflow = shop.submit(*[upscale(blob_id)] * 25)
    read: list[int] = []
    right = rows.payloads

    def counted(tx: Tx, job_ids: Sequence[str]) -> Any:
        read.append(len(job_ids))
        return right(tx, job_ids)

    monkeypatch.setattr(rows, "payloads", counted)
    shop.upload(blob_id, width=1000, height=1000)
    assert (max(read), sum(read)) == (10, 25)
    assert [step.jobs[0].cost for step in shop.shown(workflow).steps] == [1] * 25


# ── plug-ins ──────────────────────────────────────────────────────────────────


class Tariff(Resample):
    """Costs what its option says."""

    rate = 5.0

    def configure(self, options: Mapping[str, Any]) -> None:
        self.rate = options["rate"]

    def price(self, payload: JSON) -> float:
        return self.rate


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, str], None]]:
    """Puts a plug-in in the place of another one."""

    def put(seam: str, name: str, target: str) -> None:
        tables = {each: {**registry.targets(each)} for each in registry.SEAMS}
        tables[seam][name] = target
        monkeypatch.setattr(registry, "_BUILT_IN", tables)
        registry.targets.cache_clear()

    yield put
    monkeypatch.undo()
    registry.set_options({})
    registry.targets.cache_clear()


def test_an_upload_is_priced_by_the_engine_as_it_was_set_up(
    shop: Shop, instead: Callable[[str, str, str], None]
) -> None:
    first, other = shop.promise("image/png"), shop.promise("image/png")
    workflow = shop.submit(upscale(first), upscale(other))
    instead("engines", "resample", f"{__name__}:Tariff")
    for blob_id, rate in ((first, 3.0), (other, 2.0)):
        registry.set_options({"resample": {"rate": rate}})
        shop.upload(blob_id, width=1000, height=1000)
    assert [step.jobs[0].cost for step in shop.shown(workflow).steps] == [3, 2]


def test_a_step_type_that_could_not_be_imported_is_tried_again(
    shop: Shop, instead: Callable[[str, str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = shop.promise("image/png"), shop.promise("image/png")
    workflow = shop.submit(upscale(first), upscale(other))
    monkeypatch.syspath_prepend(tmp_path)
    late = f"upscale_{tmp_path.name}"
    instead("steps", "upscale", f"{late}:Upscale")
    shop.upload(first, width=1000, height=1000)
    (tmp_path / f"{late}.py").write_text("from heddle.steps.upscale import Upscale as Upscale\n")
    importlib.invalidate_caches()
    shop.upload(other, width=1000, height=1000)
    assert [step.jobs[0].cost for step in shop.shown(workflow).steps] == [PICTURE, 1]


# ── what step types learn ─────────────────────────────────────────────────────

CLIP = Facts(mime="video/mp4", width=640, height=360, duration_ms=5000, fps=24.0)
PHOTO = Facts(mime="image/png", width=640, height=360)


@pytest.mark.parametrize(
    ("kind", "given", "facts"),
    [
        (Upscale(), {"video": "b", "scaleFactor": 3}, CLIP),
        (Upscale(), {"media": "b"}, CLIP),
        (Upscale(), {"media": "b", "numberOfRepeats": 2}, PHOTO),
        (Interpolate(), {"video": "b", "factor": 3}, CLIP),
        (Interpolate(), {"video": "b", "fps": 72}, CLIP),
        (Transcribe(), {"media": "b"}, CLIP),
        (Comfy(), {"workflow": _graph("blob_b")}, PHOTO),
    ],
)
def test_what_is_learned_later_is_what_would_have_been_planned(kind: Any, given: dict[str, Any], facts: Facts) -> None:
    assert isinstance(kind, Learner)
    at_once = kind.plan(given, lambda _: facts).payloads
    later = kind.plan(given, lambda _: Facts()).payloads
    assert later != at_once
    assert list(kind.learn(later[0], lambda _: facts)) == at_once
    assert list(kind.learn(at_once[0], lambda _: facts)) == at_once
