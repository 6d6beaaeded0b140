"""Against a real llama.cpp server, whose model says nothing that makes sense, and says it again for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests import tiny_llama
from tests.moving import Watcher
from tests.serving import WORKFLOWS, Serving, ended

from heddle.engines.openai_api import OpenAIApi
from heddle.errors import JobCanceled, JobError

KEY = "sk-tiny"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tiny_llama.serving(tiny_llama.write(tmp_path_factory.mktemp("llama") / "tiny.gguf"), KEY) as url:
        yield url


def engine(url: str, **options: Any) -> OpenAIApi:
    made = OpenAIApi()
    made.configure({"url": url, "key": KEY, **options})
    return made


def payload(**more: Any) -> dict[str, Any]:
    given = {"messages": [{"role": "user", "text": "hello"}], "n": 1, "stop": [], "seed": 7, "temperature": 1.0}
    return given | {"enhance": False, "json": False, "maxWords": 12} | more


def answer(url: str, watcher: Watcher | None = None, **more: Any) -> dict[str, Any]:
    [made] = engine(url).run(payload(**more), watcher or Watcher())
    assert made.data.decode() == made.output["text"]
    return dict(made.output)


def test_an_answer_and_the_same_again(url: str) -> None:
    first = answer(url)
    [choice] = first["choices"]
    assert choice["finishReason"] == "length"
    assert choice["message"] == {"role": "assistant", "content": first["text"]}
    assert first["usage"]["completionTokens"] == 12
    assert first["usage"]["promptTokens"] > 5
    assert answer(url)["text"] == first["text"] != answer(url, seed=8)["text"]


def test_several_answers_differ_and_the_first_is_the_same(url: str) -> None:
    texts = [one["message"]["content"] for one in answer(url, n=3)["choices"]]
    assert texts[0] == answer(url)["text"]
    assert len(set(texts)) == 3


def test_json_is_json_even_from_random_numbers(url: str) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    made = answer(url, json=True, schema=schema, maxWords=100)
    assert isinstance(made["parsed"]["n"], int)


def test_progress_is_told_and_a_cancel_is_heard(url: str) -> None:
    class Impatient(Watcher):
        def preview(self, draw: object) -> None: ...

        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            if len(self.reported) == 4:
                raise JobCanceled("enough")

    watcher = Impatient()
    with pytest.raises(JobCanceled):
        answer(url, watcher, maxWords=400)
    assert watcher.reported == sorted(watcher.reported)
    assert answer(url)["text"]


def test_a_key_that_is_not_accepted(url: str) -> None:
    with pytest.raises(JobError, match=r"answered 401: .*check key") as refused:
        list(engine(url, key="sk-other").run(payload(), Watcher()))
    assert (refused.value.reason, refused.value.retryable) == ("engine_unavailable", False)


def test_a_workflow_by_http(url: str, tmp_path: Path) -> None:
    """With the table in the data folder the model answers by default, and by the names that the operator gave."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "engines.toml").write_text(
        f'[openai-api]\nurl = "{url}"\nkey = "{KEY}"\nmodels = {{ "gpt-4o-mini" = "tiny" }}\n'
    )
    serving = Serving(home).start()
    try:
        with serving.client() as client:
            asked = ({}, {"model": "gpt-4o-mini"}, {"engine": "scribe"})
            shown = [ended(client, submitted(client, **given)) for given in asked]
    finally:
        serving.stop()
    models = [one["steps"][0]["output"]["model"] for one in shown]
    assert models[0].endswith(".gguf")
    assert models[1:] == ["tiny", "scribe"]


def submitted(client: httpx.Client, **given: Any) -> str:
    step = {"$type": "textGen", "input": {"prompt": "hello", "maxTokens": 10, "seed": 3, **given}}
    answer = client.post(WORKFLOWS, json={"steps": [step]})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]
