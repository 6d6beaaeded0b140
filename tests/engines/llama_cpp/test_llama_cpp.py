"""The engine `llama-cpp` with real models of random numbers: load, answer, unload, and what breaks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests import tiny_llama
from tests.moving import Watcher
from tests.serving import WORKFLOWS, Serving, ended

from heddle.engines.llama_cpp import LlamaCpp
from heddle.engines.openai_api import OpenAIApi
from heddle.errors import EngineFailed, JobCanceled, JobError, UsageError

AIR = "urn:air:qwen3:unknown:heddle:1000000000@1000000000"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama.write(tmp_path_factory.mktemp("llama") / "tiny.gguf")


@pytest.fixture
def engine() -> Iterator[LlamaCpp]:
    made = LlamaCpp()
    made.configure({"threads": 1, "context": 512, "gpu_layers": 0})
    yield made
    for model in list(made._servers):
        made.unload(model)


def payload(path: Path, **more: Any) -> dict[str, Any]:
    weights = {
        "path": str(path),
        "folder": False,
        "format": "GGUF",
        "size": path.stat().st_size if path.exists() else 1,
    }
    given = {"messages": [{"role": "user", "text": "hello"}], "n": 1, "stop": [], "seed": 7, "temperature": 1.0,
             "enhance": False, "json": False, "maxWords": 12, "model": AIR, "weights": {AIR: weights}}  # fmt: skip
    return given | more


def answer(engine: LlamaCpp, path: Path, **more: Any) -> dict[str, Any]:
    [made] = engine.run(payload(path, **more), Watcher())
    return dict(made.output)


def key(engine: LlamaCpp, path: Path) -> str:
    needs = engine.needs(payload(path))
    assert needs is not None
    return needs.model


def test_it_answers_as_the_same_model_behind_a_server_does(engine: LlamaCpp, path: Path) -> None:
    engine.load(key(engine, path), Watcher())
    first = answer(engine, path)
    with tiny_llama.serving(path) as url:
        remote = OpenAIApi()
        remote.configure({"url": url})
        asked = payload(path)
        del asked["model"]
        [made] = remote.run(asked, Watcher())
    assert first["text"] == made.output["text"] == answer(engine, path)["text"]
    assert first["model"] == AIR
    assert answer(engine, path, seed=8)["text"] != first["text"]


def test_a_model_is_loaded_once_and_gone_when_it_is_put_away(engine: LlamaCpp, path: Path) -> None:
    model = key(engine, path)
    engine.load(model, Watcher())
    child = engine._servers[model]._child.pid
    answer(engine, path)
    assert engine._servers[model]._child.pid == child
    engine.unload(model)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    engine.unload(model)  # nothing is there any more


def test_a_model_whose_server_died_is_loaded_again(engine: LlamaCpp, path: Path) -> None:
    model = key(engine, path)
    engine.load(model, Watcher())
    first = answer(engine, path)
    os.kill(engine._servers[model]._child.pid, signal.SIGKILL)
    engine._servers[model]._child.wait(10)
    assert answer(engine, path)["text"] == first["text"]


def test_a_server_that_dies_in_the_middle_is_another_attempt(engine: LlamaCpp, path: Path) -> None:
    model = key(engine, path)
    engine.load(model, Watcher())

    class Murderous(Watcher):
        def preview(self, draw: object) -> None: ...

        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            if len(self.reported) == 5:
                os.kill(engine._servers[model]._child.pid, signal.SIGKILL)

    with pytest.raises(JobError) as error:
        list(engine.run(payload(path, maxWords=400), Murderous()))
    assert error.value.retryable


def test_a_cancel_is_heard_while_it_loads_and_while_it_writes(engine: LlamaCpp, path: Path) -> None:
    class Impatient(Watcher):
        def __init__(self, when: int) -> None:
            super().__init__()
            self._when = when

        def preview(self, draw: object) -> None: ...

        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            if len(self.reported) == self._when:
                raise JobCanceled("enough")

    with pytest.raises(JobCanceled):
        engine.load(key(engine, path), Impatient(1))
    assert not engine._servers
    engine.load(key(engine, path), Watcher())
    with pytest.raises(JobCanceled):
        list(engine.run(payload(path, maxWords=400), Impatient(5)))
    assert answer(engine, path)["text"]


@pytest.mark.parametrize("data", [b"", b"GGUF", b"no model at all", None])
def test_files_that_are_broken(engine: LlamaCpp, path: Path, tmp_path: Path, data: bytes | None) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(path.read_bytes()[:60_000] if data is None else data)
    with pytest.raises(EngineFailed, match=r"llama\.cpp cannot load '.*broken\.gguf'"):
        engine.load(key(engine, broken), Watcher())
    assert not engine._servers


def test_a_load_that_takes_too_long(path: Path) -> None:
    slow = LlamaCpp()
    slow.configure({"load_s": 1})
    fifo = path.with_name("fifo.gguf")
    os.mkfifo(fifo)  # whoever opens it waits for ever
    with pytest.raises(JobError, match="did not load within 1 s"):
        slow.load(f"llama-cpp:{fifo}", Watcher())
    assert not slow._servers


def test_when_the_worker_ends_so_does_the_model(path: Path) -> None:
    code = (
        "import sys, os\n"
        "from heddle.engines.llama_cpp import LlamaCpp\n"
        "from tests.moving import Watcher\n"
        "made = LlamaCpp()\n"
        "made.configure({'threads': 1, 'context': 512})\n"
        "made.load(sys.argv[1], Watcher())\n"
        "print(made._servers[sys.argv[1]]._child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"llama-cpp:{path}"], capture_output=True, text=True, check=False
    )
    child = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
            return
        os.sched_yield()
        subprocess.run(["sleep", "0.05"], check=True)
    raise AssertionError("the child lives on")


def test_what_it_cannot_run() -> None:
    made = LlamaCpp()
    asked = {"model": "urn:a", "weights": {"urn:a": {"format": "SafeTensor", "folder": False}}}
    assert "is SafeTensor; llama.cpp runs one file" in made.problems(asked)["model"]
    asked["weights"]["urn:a"] |= {"folder": True}
    assert "is a folder" in made.problems(asked)["model"]


@pytest.mark.parametrize(
    ("table", "words"),
    [({"context": -1}, "context is -1"), ({"models": "x"}, "models"), ({"url": "http://x"}, "unknown field `url`")],
)
def test_options_that_are_wrong(table: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        LlamaCpp().configure(table)


# ── by HTTP ──


@pytest.fixture(scope="module")
def serving(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("server") / "home"
    home.mkdir()
    (home / "engines.toml").write_text("[llama-cpp]\nthreads = 1\ncontext = 512\n")
    serving = Serving(home, slots=1, devices="cpu").start()
    yield serving
    assert serving.stop() == 0


def heddle(serving: Serving, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "heddle", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HEDDLE_HOME": str(serving.home)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def finished(client: httpx.Client, **given: Any) -> dict[str, Any]:
    answer = submitted(client, **given)
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    assert shown["status"] == "succeeded", shown
    return shown["steps"][0]


def submitted(client: httpx.Client, **given: Any) -> httpx.Response:
    step = {"$type": "textGen", "input": {"prompt": "hello", "maxTokens": 10, "seed": 3, **given}}
    return client.post(WORKFLOWS, json={"steps": [step]})


@pytest.mark.slow
def test_models_of_the_catalog_answer(serving: Serving, path: Path) -> None:
    with serving.client() as client:
        nobody = submitted(client, engine="llama-cpp")
        assert nobody.status_code == 400
        assert "the catalog has no model" in nobody.text
        heddle(serving, "models", "add", str(path), "--type", "LLM", "--base-model", "Qwen 3", "--name", "Tiny")
        other = tiny_llama.write(path.with_name("other.gguf"), seed=1)
        heddle(serving, "models", "add", str(other), "--type", "LLM", "--base-model", "Llama 3", "--name", "Other")
        steps = [
            finished(client, engine="llama-cpp"),
            finished(client, engine="qwen"),
            finished(client, engine="llama"),
            finished(client, engine="llama-cpp", responseFormat={"type": "json_object"}, maxTokens=60),
            finished(client),
        ]
        models = [step["output"]["model"] for step in steps]
        assert models[0] == models[1] == models[3] != models[2]
        assert models[0].startswith("urn:air:qwen3:unknown:")
        assert models[4] == "scribe"
        named = finished(client, model=models[2])
        assert (named["jobs"][0]["engine"], named["output"]["text"]) == ("llama-cpp", steps[2]["output"]["text"])
        assert steps[0]["output"]["text"] != steps[2]["output"]["text"]
        wrong = submitted(client, engine="qwen", model=models[2])
        assert wrong.status_code == 400
        assert "is a model for 'llama3'" in wrong.text
        absent = submitted(client, engine="llama-cpp", model="urn:air:qwen3:unknown:heddle:7@7")
        assert absent.status_code == 400
        assert "is not in the catalog" in absent.text
