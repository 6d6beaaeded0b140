"""`transformers-tts`: the same waves as the library's own call, sentence by sentence."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from tests.engines.transformers.conftest import AIR, Bench, Context
from tests.torch import needs_torch
from transformers import VitsModel, VitsTokenizer

from heddle.engines import Made
from heddle.errors import EngineFailed, InvalidRequest, JobCanceled
from heddle.registry import get
from heddle.steps import Facts
from heddle.studio import audio

pytestmark = needs_torch

Tiny = Callable[..., Path]


def samples(made: Made) -> Any:
    return soundfile.read(io.BytesIO(made.data), dtype="float32")[0]


def alike(one: Any, other: Any) -> float:
    """1 where one is the other, only louder or softer."""
    assert one.shape == other.shape
    return float(np.corrcoef(one, other)[0, 1])


def bare(folder: Path, text: str, seed: int, speed: float = 1.0, speaker: int | None = None) -> Any:
    model: Any = VitsModel.from_pretrained(folder).eval()
    tokenizer: Any = VitsTokenizer.from_pretrained(folder)
    model.speaking_rate = speed
    torch.manual_seed(seed)
    with torch.inference_mode():
        more = {} if speaker is None else {"speaker_id": speaker}
        return model(**tokenizer(text, return_tensors="pt"), **more).waveform[0].numpy()


@pytest.fixture
def bench(tiny: Tiny) -> Bench:
    return Bench("transformers-tts", tiny("vits"))


@pytest.mark.parametrize(("seed", "speed"), [(0, 1.0), (5, 1.0), (5, 0.5)])
def test_it_says_what_the_library_says(bench: Bench, tiny: Tiny, seed: int, speed: float) -> None:
    text = "a red fox in the snow"
    said = samples(bench.make(text=text, outputFormat="wav", seed=seed, speed=speed))
    assert alike(said, bare(tiny("vits"), text, seed, speed)) > 0.99


def test_voices_are_the_model_s(tiny: Tiny) -> None:
    bench = Bench("transformers-tts", tiny("vits", speakers=3))
    for voice, speaker in (("default", 0), ("0", 0), ("2", 2)):
        said = samples(bench.make(text="a red fox", outputFormat="wav", voice=voice))
        assert alike(said, bare(tiny("vits", speakers=3), "a red fox", 0, speaker=speaker)) > 0.99
    assert bench.problems(text="a fox", voice="3") == {"voice": "'3' is not one of this model's: default, 0 to 2"}
    assert "vivian" in bench.problems(text="a fox", voice="vivian")["voice"]
    assert Bench("transformers-tts", tiny("vits")).problems(text="a fox", voice="1") == {
        "voice": "'1' is not one of this model's: default"
    }


def test_sentences_are_said_one_after_the_other(bench: Bench) -> None:
    context = Context()
    payload = bench.payload(text="One fox. Two foxes!\nThree foxes? ...", outputFormat="wav")
    [made] = bench.run(payload, context)
    times = made.output["timeStamps"]
    assert [t["text"] for t in times] == ["One fox.", "Two foxes!", "Three foxes?"]
    gaps = [later["startTime"] - earlier["endTime"] for earlier, later in pairwise(times)]
    assert gaps == [pytest.approx(0.25, abs=0.002)] * 2
    assert times[-1]["endTime"] * 1000 == pytest.approx(made.duration_ms, abs=2)
    assert "piece 2 of 4" in [note for _, note in context.said]
    assert bench.run(payload)[0].data == made.data


@pytest.mark.parametrize("file_format", ["ogg", "mp3", "wav", "flac"])
def test_files(bench: Bench, file_format: audio.Format) -> None:
    made = bench.make(text="a red fox in the snow", outputFormat=file_format)
    assert made.mime == audio.MIMES[file_format]
    assert made.preview is not None
    assert (made.metadata["model"], made.output["speaker"]) == (AIR, "default")


def test_what_the_model_lacks_is_refused_at_submit(bench: Bench, tiny: Tiny) -> None:
    assert set(bench.problems(text="a fox", pitch=1.2, instruct="sadly")) == {"pitch", "instruct"}
    assert "VITS" in Bench("transformers-tts", tiny("llama")).problems(text="a fox")["model"]
    romanized = Bench("transformers-tts", tiny("vits", uroman=True))
    assert "romanize" in romanized.problems(text="лиса")["text"]
    assert romanized.problems(text="lisa") == {}


def test_a_text_without_letters_fails(bench: Bench) -> None:
    with pytest.raises(EngineFailed, match="no letter"):
        bench.make(text="狐 ...")


def test_a_cancel_comes_through_between_sentences(bench: Bench) -> None:
    with pytest.raises(JobCanceled):
        bench.run(bench.payload(text="One. Two. Three. Four."), Context(patience=3))


def test_whoever_names_a_model_gets_it() -> None:
    step = get("steps", "tts")()
    plan = step.plan({"text": "a fox", "model": AIR, "voice": "7"}, lambda _: Facts())
    assert (plan.family, plan.resources[0].air, plan.payloads[0]["voice"]) == ("transformers-tts", AIR, "7")
    with pytest.raises(InvalidRequest, match="a voice is one of"):
        step.plan({"text": "a fox", "voice": "7"}, lambda _: Facts())
