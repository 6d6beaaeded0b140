"""`transformers-text`: the same tokens as the library's own call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.engines.transformers.conftest import AIR, Bench, Context
from tests.torch import needs_torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from heddle.errors import EngineFailed, JobCanceled

pytestmark = needs_torch

Tiny = Callable[..., Path]


def bare(folder: Path, said: list[dict[str, str]] | str, seed: int, most: int, **chance: Any) -> str:
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder).eval()
    if isinstance(said, str):
        read = tokenizer(said, return_tensors="pt")["input_ids"]
    else:
        read = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_tensors="pt", return_dict=True)[
            "input_ids"
        ]
    torch.manual_seed(seed)
    with torch.inference_mode():
        written = model.generate(read, attention_mask=torch.ones_like(read), max_new_tokens=most, **chance)
    return tokenizer.decode(written[0, read.shape[1] :], skip_special_tokens=True)


@pytest.fixture
def bench(tiny: Tiny) -> Bench:
    return Bench("transformers-text", tiny("llama"))


USER = [{"role": "user", "content": "a fox"}]


def test_it_writes_what_the_library_writes(bench: Bench, tiny: Tiny) -> None:
    made = bench.make(prompt="a fox", seed=3, maxTokens=12, temperature=0.9, topP=0.8, n=3)
    told = made.output["choices"]
    assert [c["message"]["content"] for c in told] == [
        bare(tiny("llama"), USER, seed, 12, do_sample=True, temperature=0.9, top_p=0.8, top_k=0) for seed in (3, 4, 5)
    ]
    assert len({c["message"]["content"] for c in told}) == 3
    assert made.output["text"] == told[0]["message"]["content"] == made.data.decode()
    assert made.output["model"] == AIR


def test_without_chance_the_likeliest_is_written(bench: Bench, tiny: Tiny) -> None:
    text = bare(tiny("llama"), USER, 0, 12, do_sample=False)
    assert bench.make(prompt="a fox", temperature=0, maxTokens=12).output["text"] == text
    assert bench.make(prompt="a fox", topP=0, maxTokens=12).output["text"] == text


def test_the_whole_conversation_is_read(bench: Bench, tiny: Tiny) -> None:
    said = [
        {"role": "user", "content": "a fox"},
        {"role": "assistant", "content": "red"},
        {"role": "user", "content": "and?"},
    ]
    made = bench.make(messages=said, instruction="be short", temperature=0, maxTokens=9)
    whole = [{"role": "system", "content": "be short"}, *said]
    assert made.output["text"] == bare(tiny("llama"), whole, 0, 9, do_sample=False)
    read = len("<|system|>be short<|end|>") - len("<|system|><|end|>") + 2 + (5 + 2) + (3 + 2) + (4 + 2) + 1
    assert made.output["usage"]["promptTokens"] == read


def test_a_model_without_a_template_goes_on_with_the_text(tiny: Tiny) -> None:
    folder = tiny("llama", template=None)
    made = Bench("transformers-text", folder).make(prompt="a fox", temperature=0, maxTokens=9)
    assert made.output["text"] == bare(folder, "a fox", 0, 9, do_sample=False)


def test_an_answer_ends_before_what_ends_it(bench: Bench) -> None:
    whole = bench.make(prompt="a fox", seed=3, maxTokens=30).output["text"]
    stop = whole[3:5]
    made = bench.make(prompt="a fox", seed=3, maxTokens=30, stop=[stop, "not there"])
    assert made.output["text"] == whole[: whole.index(stop)]
    assert made.output["choices"][0]["finishReason"] == "stop"
    assert made.output["usage"]["completionTokens"] < 30


def test_why_an_answer_ends_is_told(bench: Bench, tiny: Tiny) -> None:
    cut = bench.make(prompt="a fox", seed=3, maxTokens=4)
    assert cut.output["choices"][0]["finishReason"] == "length"
    assert cut.output["usage"]["completionTokens"] == 4
    by_room = bench.make(prompt="a fox", temperature=0, maxTokens=4000)
    assert by_room.output["usage"]["totalTokens"] <= 128
    endless = (bench.make(prompt="a fox", seed=seed, maxTokens=20).output["choices"][0] for seed in range(40))
    assert any(choice["finishReason"] == "stop" for choice in endless)


def test_what_is_too_long_to_be_read_fails(bench: Bench) -> None:
    with pytest.raises(EngineFailed, match="this model reads and writes 128"):
        bench.make(prompt="fox " * 60)


def test_what_cannot_be_promised_is_refused_at_submit(bench: Bench, tiny: Tiny) -> None:
    assert set(bench.problems(prompt="a fox", responseFormat={"type": "json_object"})) == {"responseFormat"}
    assert "'llama-9' is the name of no model" in bench.problems(prompt="a fox", model="llama-9")["model"]
    judge = Bench("transformers-text", tiny("text_judge", ("toxic", "safe")))
    assert "BertForSequenceClassification" in judge.problems(prompt="a fox")["model"]


def test_a_cancel_comes_through_between_tokens(bench: Bench) -> None:
    context = Context(patience=6)
    with pytest.raises(JobCanceled):
        bench.run(bench.payload(prompt="a fox", temperature=0, maxTokens=60), context)
    assert context.said[-1][1] == "6 tokens"


def test_an_answer_has_so_many_bytes_at_most(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from heddle.engines.transformers import writing  # noqa: PLC0415 - heavy: PyTorch

    monkeypatch.setattr(writing, "_MOST_BYTES", 40)
    monkeypatch.setattr(writing, "_LOOK", 2)
    made = bench.make(prompt="a fox", temperature=0, maxTokens=100)
    assert len(made.output["text"].encode()) <= 40
    assert made.output["usage"]["completionTokens"] < 60
    assert made.output["choices"][0]["finishReason"] == "length"
