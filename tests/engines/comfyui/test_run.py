"""The engine `comfyui` against a double of the server (`tests/comfy_server.py`), not against a real ComfyUI."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests import comfy_server
from tests.comfy_server import ComfyServer
from tests.moving import Watcher

from heddle.domain import new_id
from heddle.engines import Made
from heddle.engines.comfyui import ComfyUI
from heddle.engines.comfyui.run import JOBS
from heddle.errors import EngineFailed, JobCanceled, JobError, UsageError
from heddle.steps import Facts
from heddle.steps.comfy import Comfy
from heddle.studio.previews import Preview

Graph = dict[str, Any]


@pytest.fixture
def double() -> Iterator[ComfyServer]:
    with comfy_server.serving() as double:
        yield double


def node(kind: str, **inputs: Any) -> Graph:
    return {"class_type": kind, "inputs": inputs}


def drawing(*, seed: int = 5, steps: int = 4, checkpoint: str = "real.safetensors") -> Graph:
    return {
        "4": node("CheckpointLoaderSimple", ckpt_name=checkpoint),
        "5": node("EmptyLatentImage", width=64, height=32, batch_size=1),
        "3": node("KSampler", model=["4", 0], seed=seed, steps=steps, latent_image=["5", 0]),
        "f": node("Fancy", image=["3", 0], strength=0.5),
        "9": node("SaveImage", images=["f", 0], filename_prefix="a"),
    }


def fancy(image: str, kind: str = "LoadImage", name: str = "image") -> Graph:
    graph = {"1": node(kind, **{name: image})}
    if kind == "LoadAudio":
        return graph | {"2": node("SaveAudio", audio=["1", 0])}
    return graph | {
        "2": node("Fancy", image=["1", 0], strength=1.0),
        "3": node("SaveImage", images=["2", 0], filename_prefix="b"),
    }


def payloads(workflow: Graph, **more: Any) -> list[dict[str, Any]]:
    planned = Comfy().plan({"workflow": workflow, **more}, lambda _: Facts())
    return [dict(payload) for payload in planned.payloads]


def engine(*doubles: ComfyServer, **options: Any) -> ComfyUI:
    made = ComfyUI()
    made.configure({"urls": [double.url for double in doubles], "silence_s": 30, **options})
    return made


def run(double: ComfyServer, workflow: Graph, watcher: Watcher | None = None, **options: Any) -> list[Made]:
    return list(engine(double, **options).run(payloads(workflow)[0], watcher or another()))


def another(watcher: Watcher | None = None) -> Watcher:
    """A context of a job that there was not before."""
    made = watcher or Watcher()
    made.job_id = new_id("job")
    return made


def pixels(made: Made) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(made.data)))


def png(seed: int = 1) -> tuple[np.ndarray, bytes]:
    array = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return array, out.getvalue()


# ── what comes out ──


def test_a_picture_with_the_graph_in_it(double: ComfyServer) -> None:
    watcher = Watcher()
    (made,) = run(double, drawing(), watcher)
    assert (made.mime, made.width, made.height, made.role) == ("image/png", 64, 32, "")
    assert (pixels(made) == 255 - np.random.default_rng(5).integers(0, 256, (32, 64, 3), dtype=np.uint8)).all()
    assert json.loads(Image.open(io.BytesIO(made.data)).text["prompt"])["9"]["class_type"] == "SaveImage"  # type: ignore[attr-defined]
    assert made.metadata["node"] == "9"
    assert made.metadata["promptId"] == double.runs[0].id
    assert watcher.reported == sorted(watcher.reported)
    assert any(0.2 < fraction < 0.9 for fraction in watcher.reported)


def test_repetitions_have_other_seeds_and_the_same_graph_is_cached(double: ComfyServer) -> None:
    shared = engine(double)
    first, second = (next(iter(shared.run(one, another()))) for one in payloads(drawing(), quantity=2))
    assert (pixels(first) != pixels(second)).any()
    assert [r.graph["3"]["inputs"]["seed"] for r in double.runs] == [5, 6]
    again = next(iter(shared.run(payloads(drawing())[0], another())))
    assert again.data == first.data


def test_the_late_end_of_an_earlier_run_is_not_ours(double: ComfyServer) -> None:
    run(double, drawing(seed=1))
    assert double.late[0]["data"]["node"] is None
    double.step_s = 0.05
    (made,) = run(double, drawing(seed=2, steps=8))
    assert not double.late or double.late[0]["data"]["prompt_id"] == double.runs[1].id
    assert (pixels(made) == 255 - np.random.default_rng(2).integers(0, 256, (32, 64, 3), dtype=np.uint8)).all()


def test_pictures_sounds_films_texts_and_previews(double: ComfyServer) -> None:
    graph = drawing() | {
        "p": node("PreviewImage", images=["f", 0]),
        "v": node("SaveVideo", images=["f", 0]),
        "t": node("Shout", text="hello"),
        "a": node("LoadAudio", audio="blob_00000000000000000000000001"),
        "w": node("SaveAudio", audio=["a", 0]),
    }
    watcher = Watcher(blob_00000000000000000000000001=comfy_server.sound())
    made = run(double, graph, watcher)
    assert [(one.mime, one.role) for one in made] == [
        ("image/png", ""), ("image/png", "preview"), ("image/webp", ""), ("audio/wav", ""), ("text/plain", "text"),
    ]  # fmt: skip
    assert made[4].output == {"text": "HELLO"}
    assert made[3].duration_ms == 500


def test_a_graph_that_only_shows_gives_what_it_shows(double: ComfyServer) -> None:
    graph = drawing()
    graph["9"] = node("PreviewImage", images=["f", 0])
    assert [one.role for one in run(double, graph)] == [""]
    assert [(one.data, one.role) for one in run(double, {"t": node("Shout", text="a")})] == [(b"A", "")]


def test_nothing_that_was_saved_is_a_failure(double: ComfyServer) -> None:
    graph = drawing()
    graph["9"] = node("SaveNothing", images=["f", 0])
    with pytest.raises(EngineFailed, match="no node of it saved or showed"):
        run(double, graph)


def test_an_older_server(double: ComfyServer) -> None:
    double.old = True
    run(double, drawing(seed=1))
    (made,) = run(double, drawing(seed=2))
    assert made.metadata["promptId"] == double.runs[1].id != ""


# ── what goes in ──


def test_sources_are_uploaded_once(double: ComfyServer) -> None:
    array, data = png()
    graph = fancy("blob_00000000000000000000000001") | {
        "4": node("LoadImage", image="blob_00000000000000000000000001"),
        "5": node("SaveImage", images=["4", 0], filename_prefix="c"),
    }
    inverted, same = run(double, graph, Watcher(blob_00000000000000000000000001=data))
    assert (pixels(inverted) == 255 - array).all()
    assert (pixels(same) == array).all()
    assert list(double.inputs) == ["heddle/job_test-0.png"]


def test_file_names_are_members_of_images(double: ComfyServer) -> None:
    array, data = png()
    (payload,) = payloads(fancy("cat.png"), images=["blob_00000000000000000000000001"])
    (made,) = engine(double).run(payload, Watcher(blob_00000000000000000000000001=data))
    assert (pixels(made) == 255 - array).all()


def test_files_of_the_server_are_read_only_where_the_operator_allows_it(double: ComfyServer) -> None:
    (payload,) = payloads(fancy("cat.png"))
    assert list(engine(double).problems(payload)) == ["workflow.1.inputs.image"]
    assert engine(double, own_files=True).problems(payload) == {}
    _, double.inputs["cat.png"] = png()
    for name in ("cat.png", "b_00001_.png [output]"):
        with pytest.raises(EngineFailed, match=r"workflow\.1\.inputs\.image: .* would be a file on the server"):
            run(double, fancy(name))
    with pytest.raises(EngineFailed, match="would be a file on the server"):
        run(double, {"t": node("Shout", text="x_00001_.png [output]")})
    assert len(run(double, fancy("cat.png"), own_files=True)) == 1


def test_models_may_have_other_names(double: ComfyServer) -> None:
    air = "urn:air:sdxl:checkpoint:civitai:1@2"
    run(double, drawing(checkpoint=air), models={air: "sd_xl.safetensors"})
    assert double.runs[0].graph["4"]["inputs"]["ckpt_name"] == "sd_xl.safetensors"


def test_notes_and_other_spellings_are_as_the_server_reads_them(double: ComfyServer) -> None:
    graph = drawing() | {"n": node("Note", text="hello")}
    graph["5"] = {"classType": "EmptyLatentImage", "inputs": graph["5"]["inputs"], "meta": {"title": "size"}}
    run(double, graph)
    sent = double.runs[0].graph
    assert "n" not in sent
    assert sent["5"]["class_type"] == "EmptyLatentImage"
    assert sent["5"]["_meta"] == {"title": "size"}


# ── what goes wrong ──


def test_every_wrong_input_is_named(double: ComfyServer) -> None:
    graph = drawing(checkpoint="other.safetensors")
    del graph["f"]["inputs"]["strength"]
    with pytest.raises(EngineFailed) as error:
        run(double, graph)
    assert (
        "workflow.4.inputs.ckpt_name: Value not in list: ckpt_name: 'other.safetensors' not in" in error.value.message
    )
    assert "workflow.f.inputs.strength: Required input is missing" in error.value.message
    assert not error.value.retryable


def test_a_graph_of_which_a_part_is_wrong_does_not_run_at_all(double: ComfyServer) -> None:
    double.lenient, double.step_s = True, 0.05
    with pytest.raises(EngineFailed, match=r"workflow\.4\.inputs\.ckpt_name"):
        run(double, drawing(checkpoint="other.safetensors"))
    assert double.runs[0].stopped or double.runs[0] not in double.pending


def test_a_class_that_the_server_does_not_have(double: ComfyServer) -> None:
    for name in ("Absent / ü", "Absent ü"):
        graph = drawing() | {"q": node(name, images=["f", 0])}
        with pytest.raises(
            EngineFailed, match=rf"workflow\.q\.class_type: '{name}' is not a node class of the ComfyUI"
        ):
            run(double, graph)
    assert not double.runs
    graph = drawing()
    graph["f"]["class_type"] = "Fancy //Pack"
    assert len(run(double, graph)) == 1


def test_a_node_that_fails_is_named(double: ComfyServer) -> None:
    graph = drawing()
    graph["x"] = node("Explode", image=["3", 0])
    graph["f"]["inputs"]["image"] = ["x", 0]
    with pytest.raises(EngineFailed, match=r"workflow\.x: Explode failed: division by zero"):
        run(double, graph)


def test_a_key(double: ComfyServer) -> None:
    double.key = "sesame"
    with pytest.raises(JobError, match=r"answered 401: who are you\?; check key under \[comfyui\]") as error:
        run(double, drawing())
    assert not error.value.retryable
    assert len(run(double, drawing(), key="sesame")) == 1


class Onlooker(Watcher):
    """Looks at every preview."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Preview] = []

    def preview(self, draw: Any) -> None:
        self.shown.append(draw(0))


def gray(side: int, level: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (side, side), level).save(file, "PNG")
    return file.getvalue()


def test_what_a_sampler_shows_is_passed_on(double: ComfyServer) -> None:
    double.preview, double.of_others = gray(512, 200), gray(512, 10)
    onlooker = Onlooker()
    assert len(run(double, drawing(steps=3), onlooker)) == 1
    assert [(one.width, one.height, one.mime) for one in onlooker.shown] == [(256, 256, "image/webp")] * 3
    for one in onlooker.shown:  # and nothing of the run before it
        assert abs(float(np.asarray(Image.open(io.BytesIO(one.data)).convert("L")).mean()) - 200) < 5


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [(b"no picture", OSError), (b"", OSError), (gray(5000, 0), ValueError)],
    ids=["bytes", "no", "huge"],
)
def test_what_is_no_small_picture_is_not(double: ComfyServer, shown: bytes, wrong: type[Exception]) -> None:
    double.preview = shown
    with pytest.raises(wrong):
        run(double, drawing(steps=1), Onlooker())


class Impatient(Watcher):
    """Cancels when something is true."""

    def __init__(self, when: Any) -> None:
        super().__init__()
        self._when = when

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        super().progress(fraction, note)
        if self._when(fraction, note):
            raise JobCanceled("enough")


def wait_for(true: Any) -> None:
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def test_a_cancel_stops_the_sampler_and_the_next_job_runs(double: ComfyServer) -> None:
    double.step_s = 0.05
    with pytest.raises(JobCanceled):
        run(double, drawing(steps=1000), Impatient(lambda _, note: "3 of" in note))
    wait_for(lambda: double.running is None)
    assert double.interrupted == [double.runs[0].id]
    assert len(run(double, drawing(steps=2))) == 1


@pytest.mark.parametrize("old", [False, True])
def test_a_cancel_while_it_waits_leaves_others_alone(double: ComfyServer, old: bool) -> None:
    double.step_s, double.old = 0.05, old
    other = threading.Thread(target=run, args=(double, drawing(seed=9, steps=1000)))
    other.start()
    wait_for(lambda: double.running is not None)
    with pytest.raises(JobCanceled):
        run(double, drawing(), another(Impatient(lambda _, note: "before it" in note)))
    assert not double.pending
    assert not double.interrupted
    double.step_s = 0
    other.join()
    assert double.histories[double.runs[0].id]["status"]["completed"]


@pytest.mark.parametrize("how", ["deaf", "dropped"])
def test_without_a_socket_it_looks_itself(double: ComfyServer, how: str) -> None:
    double.step_s = 0.02
    if how == "deaf":
        double.deaf = True
    else:
        double.drop_after = 6
    assert len(run(double, drawing(steps=5))) == 1
    assert sum("history" in line for line in double.asked) >= 1


def test_a_server_that_starts_again_loses_the_run_and_another_attempt_may_help(double: ComfyServer) -> None:
    double.step_s = 0.05

    def restart(_: float, note: str) -> bool:
        if "2 of" in note:
            double.forget()
        return False

    with pytest.raises(JobError, match="does not know the run any more") as error:
        run(double, drawing(steps=100), Impatient(restart))
    assert error.value.retryable


def test_a_server_that_is_away(double: ComfyServer) -> None:
    with comfy_server.serving() as gone:
        pass
    with pytest.raises(JobError, match="cannot be reached") as error:
        run(gone, drawing())
    assert (error.value.reason, error.value.retryable) == ("engine_unavailable", True)
    # Another one is there.
    assert len(list(engine(gone, double).run(payloads(drawing())[0], Watcher()))) == 1


def test_of_several_servers_the_idle_one_is_asked(double: ComfyServer) -> None:
    double.step_s = 0.05
    busy = threading.Thread(target=run, args=(double, drawing(steps=1000)))
    busy.start()
    wait_for(lambda: double.running is not None)
    with comfy_server.serving() as idle:
        list(engine(double, idle).run(payloads(drawing())[0], Watcher()))
        assert len(idle.runs) == 1
    double.step_s = 0
    busy.join()


def test_a_second_attempt_takes_away_what_a_killed_worker_left(double: ComfyServer) -> None:
    double.step_s = 0.05
    first = str(uuid.uuid5(JOBS, "job_test/1"))
    left = comfy_server.Run(0, first, drawing(steps=1000), "heddle-job_test-1")
    double.pending.append(left)
    wait_for(lambda: double.running is left)
    second = Watcher()  # the same job
    second.attempt = 2
    assert len(run(double, drawing(steps=2), second)) == 1
    assert left.stopped


def test_a_second_attempt_looks_for_the_first_on_every_server(double: ComfyServer) -> None:
    double.step_s = 0.05
    left = comfy_server.Run(0, str(uuid.uuid5(JOBS, "job_test/1")), drawing(steps=1000), "heddle-job_test-1")
    double.pending.append(left)
    wait_for(lambda: double.running is left)
    second = Watcher()
    second.attempt = 2
    with comfy_server.serving() as idle:
        list(engine(double, idle).run(payloads(drawing())[0], second))
        assert len(idle.runs) == 1
    assert left.stopped


# ── price, options ──


def test_prices() -> None:
    made = ComfyUI()
    made.configure({"url": "http://127.0.0.1:1", "buzz_per_second": 0.5, "usual_s": 60})
    assert made.price(payloads(drawing())[0]) == 30
    made.configure({"url": "http://127.0.0.1:1", "buzz_per_second": 0})
    assert made.price(payloads(drawing())[0]) == 1
    drawn = {"family": "sdxl", "drawings": [{"count": 2, "width": 1024, "height": 1024, "steps": 20, "cfgScale": 7}]}
    assert made.price(drawn) == pytest.approx(17)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"url": "127.0.0.1:8188"}, r"\[comfyui\] url is '127.0.0.1:8188', which is no address"),
        ({"urls": ["http://a", "b"]}, "urls is 'b'"),
        ({"url": "http://user:secret@host"}, "no address"),
        ({"headers": {"X Y": "a"}}, "'X Y' cannot be sent"),
        ({"headers": {"X": "a\nb"}}, "'X' cannot be sent"),
        ({"key": "a b"}, "key holds a space"),
        ({"most_mb": 0}, "most_mb is 0"),
        ({"model": "x"}, "unknown field `model`"),
    ],
)
def test_options_that_are_wrong(table: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ComfyUI().configure(table)


def test_without_an_address_it_says_so() -> None:
    assert ComfyUI().missing() == [
        'No server is set; write url = "http://127.0.0.1:8188" under [comfyui] in engines.toml.'
    ]
