"""`whisper`: the same words as the library's own call, in windows (of 3 s here), in the language that is asked for."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from tests.engines.transformers.conftest import AIR, Bench, Context, noise
from tests.torch import needs_torch
from transformers import AutoProcessor, WhisperForConditionalGeneration

from heddle.engines.transformers import hearing
from heddle.errors import EngineFailed, InvalidRequest, JobCanceled
from heddle.registry import get
from heddle.steps import Facts

pytestmark = needs_torch

Tiny = Callable[..., Path]


def bare(folder: Path, data: bytes, language: str | None) -> list[tuple[str, float, float]]:
    """What the library hears, by itself."""
    library: Any = AutoProcessor.from_pretrained(folder)
    model: Any = WhisperForConditionalGeneration.from_pretrained(folder).eval()
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate == 16_000
    long = len(samples) > 3 * rate
    inputs = library(
        samples, sampling_rate=rate, return_tensors="pt", truncation=False, return_attention_mask=True,
        padding="longest" if long else "max_length",
    )  # fmt: skip
    options = {} if language is None else {"language": language, "task": "transcribe"}
    with torch.inference_mode():
        found = model.generate(**inputs, return_timestamps=True, return_segments=True, **options)
    decoded = [
        (library.tokenizer.decode(s["tokens"], skip_special_tokens=True).strip(), float(s["start"]), float(s["end"]))
        for s in found["segments"][0]
    ]
    length = len(samples) / rate
    return [(text, start, min(end, length)) for text, start, end in decoded if text and start < length]


@pytest.fixture
def bench(tiny: Tiny) -> Bench:
    return Bench("whisper", tiny("whisper"))


@pytest.mark.parametrize("seconds", [2, 8])
def test_it_hears_what_the_library_hears(bench: Bench, tiny: Tiny, seconds: int) -> None:
    sound, context = noise(seconds), Context()
    context.blobs["m"] = sound
    text, srt, vtt = bench.run(bench.payload(media="m", language="de"), context)
    heard = bare(tiny("whisper"), sound, "de")
    assert heard
    assert text.output["text"] == "\n".join(words for words, _, _ in heard)
    assert text.data.decode() == text.output["text"] + "\n"
    assert text.output["language"] == "German"
    assert [(t["startTime"], t["endTime"]) for t in text.output["timeStamps"]] == [
        (round(start, 2), round(end, 2)) for _, start, end in heard
    ]
    assert (text.duration_ms, text.metadata["model"]) == (seconds * 1000, AIR)
    assert srt.data.decode().count(" --> ") == vtt.data.decode().count(" --> ") == len(heard)
    assert vtt.data.startswith(b"WEBVTT\n\n00:00:")
    fractions = [fraction for fraction, _ in context.said]
    assert fractions == sorted(fractions)
    assert len({note for _, note in context.said if " of " in note}) >= (2 if seconds > 3 else 1)


def test_the_language_is_told_from_the_sound(bench: Bench) -> None:
    context = Context({"m": noise(2)})
    guessed = bench.run(bench.payload(media="m"), context)[0]
    asked = bench.run(bench.payload(media="m", language=guessed.output["language"]), context)[0]
    assert guessed.output["text"] == asked.output["text"]
    assert guessed.output["language"] == asked.output["language"]


def test_what_it_is_about_is_read_first(bench: Bench) -> None:
    context = Context({"m": noise(2)})
    plain = bench.run(bench.payload(media="m", language="en"), context)[0]
    for hint in ("Heddle", "a very long list of names " * 50):
        primed = bench.run(bench.payload(media="m", language="en", context=hint), context)[0]
        assert primed.output["text"] != plain.output["text"]


def test_a_cancel_comes_through_in_the_middle_of_a_window(bench: Bench) -> None:
    with pytest.raises(JobCanceled):
        bench.run(bench.payload(media="m", language="en"), Context({"m": noise(8)}, patience=12))
    assert bench.run(bench.payload(media="m", language="en"), Context({"m": noise(8)}))


def test_a_model_of_english_alone(tiny: Tiny) -> None:
    folder = tiny("whisper", languages=False)
    bench, sound = Bench("whisper", folder), noise(2)
    for language in ("en", "English", "auto"):
        heard = bench.run(bench.payload(media="m", language=language), Context({"m": sound}))[0]
        assert heard.output["text"] == "\n".join(words for words, _, _ in bare(folder, sound, None))
    assert "this model knows: en" in bench.problems(media="m", language="fr")["language"]


def test_languages_are_checked_at_submit(bench: Bench) -> None:
    for good in ("pt-BR", "Chinese", "zh_CN", "nb", "tl", "AUTO"):
        assert bench.problems(media="m", language=good) == {}
    assert "'tlh' is not one that this model knows: af, " in bench.problems(media="m", language="tlh")["language"]


def test_other_models_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    assert (
        bench_of(tiny("llama")).problems(media="m")["model"]
        == f"{AIR!r} is a LlamaForCausalLM; this step needs a Whisper model"
    )
    (tmp_path / "a.safetensors").write_bytes(b"")
    assert "is a single file" in bench_of(tmp_path / "a.safetensors").problems(media="m")["model"]


def bench_of(folder: Path) -> Bench:
    return Bench("whisper", folder)


def test_broken_weights_fail_with_a_reason(tiny: Tiny, tmp_path: Path) -> None:
    for file in tiny("whisper").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(EngineFailed, match="cannot be loaded"):
        bench_of(tmp_path).run(bench_of(tmp_path).payload(media="m"), Context({"m": noise(1)}))
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(EngineFailed, match="cannot be loaded"):
        bench_of(tmp_path).run(bench_of(tmp_path).payload(media="m"), Context({"m": noise(1)}))


def test_sounds_without_sound_fail(bench: Bench) -> None:
    out = io.BytesIO()
    soundfile.write(out, np.zeros(0, np.float32), 16_000, format="WAV")
    with pytest.raises(EngineFailed, match="media"):
        bench.run(bench.payload(media="m"), Context({"m": out.getvalue()}))


def test_memory_is_given_back(bench: Bench) -> None:
    payload = bench.payload(media="m")
    bench.run(payload, Context({"m": noise(1)}))
    bench.engine.unload(bench.engine.needs(payload).model)
    with pytest.raises(KeyError):
        list(bench.engine.run(payload, Context({"m": noise(1)})))


def test_whoever_names_a_model_gets_it() -> None:
    step = get("steps", "transcribe")()
    plan = step.plan({"media": "m", "model": AIR, "language": "fr"}, lambda _: Facts())
    assert (plan.family, plan.asked, plan.resources[0].air) == ("whisper", ("model", AIR), AIR)
    with pytest.raises(InvalidRequest, match="hears English"):
        step.plan({"media": "m", "language": "fr"}, lambda _: Facts())


def test_needs_grow_where_numbers_do(tiny: Tiny, tmp_path: Path) -> None:
    for file in tiny("whisper").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    whole = bench_of(tmp_path).engine.needs(bench_of(tmp_path).payload(media="m") | weigh(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(config | {"dtype": "float16"}, indent=1))
    half = bench_of(tmp_path).engine.needs(bench_of(tmp_path).payload(media="m") | weigh(tmp_path))
    assert (whole.memory_mb, half.memory_mb) == (1300, 2300)


def weigh(folder: Path) -> dict[str, Any]:
    return {"weights": {AIR: {"path": str(folder), "folder": True, "size": 1000 * 2**20}}}


def test_a_model_that_gets_no_further_does_not_listen_for_ever() -> None:
    watch = hearing._Watch(Context())
    watch.window(torch.tensor([[0, 800]]))
    watch.window(torch.tensor([[300, 800]]))
    with pytest.raises(EngineFailed, match="no further than 3 s"):
        watch.window(torch.tensor([[300, 800]]))
