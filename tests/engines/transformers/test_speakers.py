"""`transformers-tts` with SpeechT5, Bark and CSM: the waves of the library's own calls, voices, damaged files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engines.transformers.conftest import Bench, Context
from tests.engines.transformers.test_speech import alike, samples
from tests.torch import WITHOUT, needs_torch

from heddle.engines.transformers import speakers
from heddle.errors import EngineFailed, JobCanceled
from heddle.registry import get
from heddle.steps import Facts

if WITHOUT is None:
    import torch
    import transformers
    from tests.torch.tiny_transformers import speaker

    from heddle.engines.transformers import speaking

    library: Any = transformers

pytestmark = needs_torch

Tiny = Callable[..., Path]
VOICES = ("awb", "slt")
PRESETS = ("v2/de_speaker_1", "v2/en_speaker_6")
RATES = {"speecht5": 16_000, "bark": 24_000, "csm": 24_000}


def made_with(tiny: Tiny, kind: str) -> Path:
    return tiny(kind, **({"voices": VOICES} if kind == "speecht5" else {"voices": PRESETS} if kind == "bark" else {}))


def copied(folder: Path, to: Path) -> Path:
    """One that a test may break."""
    shutil.copytree(folder, to / "copy")
    return to / "copy"


def speecht5(folder: Path, text: str, seed: int, who: Any) -> Any:
    """`who` is a number of a speaker, or None for zeros."""
    model = library.SpeechT5ForTextToSpeech.from_pretrained(folder).eval()
    vocoder = library.SpeechT5HifiGan.from_pretrained(folder / "vocoder").eval()
    read = library.SpeechT5Tokenizer.from_pretrained(folder)(text, return_tensors="pt").input_ids
    torch.manual_seed(seed)
    embedding = torch.zeros(1, 4) if who is None else torch.tensor(speaker(who)[None])
    return model.generate(read, speaker_embeddings=embedding, vocoder=vocoder).numpy()


def bark(folder: Path, text: str, seed: int, voice: str | None) -> Any:
    model = library.BarkModel.from_pretrained(folder).eval()
    processor = library.BarkProcessor.from_pretrained(folder)
    given = processor(text, max_length=64, voice_preset=voice)
    torch.manual_seed(seed)
    return model.generate(**given)[0].numpy()


def csm(folder: Path, text: str, seed: int, voice: str) -> Any:
    model = library.CsmForConditionalGeneration.from_pretrained(folder).eval()
    read = library.AutoTokenizer.from_pretrained(folder)(f"[{voice}]{text}", return_tensors="pt")
    torch.manual_seed(seed)
    frames = round((len(text) / 6 + 4) * 12.5)
    with torch.inference_mode():
        return model.generate(**read, output_audio=True, max_new_tokens=frames)[0].numpy()


@pytest.mark.parametrize(("seed", "voice", "who"), [(0, "default", 0), (5, "awb", 0), (5, "slt", 1)])
def test_speecht5_says_what_the_library_says(tiny: Tiny, seed: int, voice: str, who: int) -> None:
    folder = made_with(tiny, "speecht5")
    made = Bench("transformers-tts", folder).make(text="a red fox", outputFormat="wav", seed=seed, voice=voice)
    assert alike(samples(made), speecht5(folder, "a red fox", seed, who)) > 0.999
    assert made.output["speaker"] == voice
    assert made.metadata["speaker"] == (voice if voice in VOICES else "awb")


def test_voices_are_not_alike(tiny: Tiny) -> None:
    for kind, names in (("speecht5", VOICES), ("bark", PRESETS), ("csm", ("0", "7"))):
        bench = Bench("transformers-tts", made_with(tiny, kind))
        one, other = (samples(bench.make(text="a red fox", outputFormat="wav", voice=name)) for name in names)
        assert one.shape != other.shape or alike(one, other) < 0.9999, kind


@pytest.mark.parametrize("kind", RATES)
def test_chance_comes_from_the_seed(tiny: Tiny, kind: str) -> None:
    bench = Bench("transformers-tts", made_with(tiny, kind))
    one, other = (samples(bench.make(text="a red fox", outputFormat="wav", seed=seed)) for seed in (1, 2))
    assert one.shape != other.shape or alike(one, other) < 0.999


def test_a_speaker_of_zeros_is_named(tiny: Tiny) -> None:
    folder = tiny("speecht5")
    made = Bench("transformers-tts", folder).make(text="a red fox", outputFormat="wav")
    assert alike(samples(made), speecht5(folder, "a red fox", 0, None)) > 0.999
    assert "speaker of zeros" in made.metadata["note"]


@pytest.mark.parametrize(("seed", "voice"), [(0, PRESETS[0]), (3, PRESETS[1])])
def test_bark_says_what_the_library_says(tiny: Tiny, seed: int, voice: str) -> None:
    folder = made_with(tiny, "bark")
    made = Bench("transformers-tts", folder).make(text="a red fox", outputFormat="wav", seed=seed, voice=voice)
    # The folder's own table says where it was written; the library reads it from there, and we from here.
    assert alike(samples(made), bark(folder, "a red fox", seed, voice)) > 0.999
    assert "note" not in made.metadata


def test_bark_without_voices_takes_one_by_chance(tiny: Tiny) -> None:
    folder = tiny("bark")
    made = Bench("transformers-tts", folder).make(text="a red fox", outputFormat="wav", seed=4)
    assert alike(samples(made), bark(folder, "a red fox", 4, None)) > 0.999
    assert "chance" in made.metadata["note"]


@pytest.mark.parametrize(("seed", "voice"), [(0, "0"), (3, "7")])
def test_csm_says_what_the_library_says(tiny: Tiny, seed: int, voice: str) -> None:
    folder = tiny("csm")
    made = Bench("transformers-tts", folder).make(text="a fox", outputFormat="wav", seed=seed, voice=voice)
    # Random weights are loud, and what is too loud for a file is bent.
    assert alike(samples(made), csm(folder, "a fox", seed, voice)) > 0.99


def test_csm_hears_its_first_sentence_before_the_others(tiny: Tiny) -> None:
    """As the library's own processor puts what was said before: the text, its sound, and their ends."""
    folder = tiny("csm")
    made = Bench("transformers-tts", folder).make(text="Ab. Fox.", outputFormat="wav")
    start = round(made.output["timeStamps"][1]["startTime"] * 24_000)

    model = library.CsmForConditionalGeneration.from_pretrained(folder).eval()
    tokenizer = library.AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    with torch.inference_mode():
        read = tokenizer("[0]Ab.", return_tensors="pt")
        [first] = model.generate(**read, output_audio=True, max_new_tokens=round((3 / 6 + 4) * 12.5))
        heard = "<|AUDIO|>" * (len(first) // 1920)
        prompt = f"<|bos|>[0]Ab.<|eot|>{heard}<|audio_eos|><|bos|>[0]Fox.<|eot|>"
        read = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
        cutoffs = torch.tensor([[len(first)]])
        [second] = model.generate(
            **read, input_values=first[None, None], input_values_cutoffs=cutoffs, output_audio=True,
            max_new_tokens=round((4 / 6 + 4) * 12.5),
        )  # fmt: skip
    assert alike(samples(made)[start : start + len(second)], second.numpy()) > 0.99


@pytest.mark.parametrize("kind", RATES)
def test_a_job_gives_a_sound_of_its_rate_and_length(tiny: Tiny, kind: str) -> None:
    bench = Bench("transformers-tts", made_with(tiny, kind))
    payload = bench.payload(text="A red fox. Two foxes!", outputFormat="wav", seed=1)
    [made] = bench.run(payload)
    heard = samples(made)
    assert made.data[24:28] == RATES[kind].to_bytes(4, "little")
    assert len(heard) == pytest.approx(made.duration_ms * RATES[kind] / 1000, abs=RATES[kind] / 1000)
    assert [t["text"] for t in made.output["timeStamps"]] == ["A red fox.", "Two foxes!"]
    assert made.output["timeStamps"][-1]["endTime"] * 1000 == pytest.approx(made.duration_ms, abs=2)
    assert 0.01 < np.sqrt(np.mean(heard**2)) < 0.5
    assert np.abs(heard).max() <= 1
    assert bench.run(payload)[0].data == made.data


@pytest.mark.parametrize("kind", RATES)
def test_a_cancel_comes_through_within_a_sentence(tiny: Tiny, kind: str) -> None:
    bench = Bench("transformers-tts", made_with(tiny, kind))
    payload, context = bench.payload(text="a red fox in the snow", outputFormat="wav"), Context(patience=5)
    with pytest.raises(JobCanceled):
        bench.run(payload, context)
    assert {note for _, note in context.said[1:]} == {"piece 1 of 1"}
    assert bench.run(payload)[0].data, "the model serves the next job"


@pytest.mark.parametrize("kind", RATES)
def test_what_a_model_cannot_do_is_refused_at_submit(tiny: Tiny, kind: str) -> None:
    bench = Bench("transformers-tts", made_with(tiny, kind))
    assert set(bench.problems(text="a fox", pitch=1.2, speed=1.5, instruct="sadly")) == {"pitch", "speed", "instruct"}
    assert "give 1" in bench.problems(text="a fox", speed=1.5)["speed"]
    shown = {"speecht5": "default, awb, slt", "bark": f"default, {', '.join(PRESETS)}", "csm": "default, 0 to 9"}[kind]
    assert bench.problems(text="a fox", voice="ann") == {"voice": f"'ann' is not one of this model's: {shown}"}


@pytest.mark.parametrize("kind", RATES)
def test_a_text_without_letters_fails(tiny: Tiny, kind: str) -> None:
    with pytest.raises(EngineFailed, match="no letter"):
        Bench("transformers-tts", made_with(tiny, kind)).make(text="... !" if kind != "speecht5" else "狐")


@pytest.mark.parametrize("kind", ["bark", "csm"])
def test_marks_of_the_tokenizer_in_a_text_are_text(tiny: Tiny, kind: str) -> None:
    """Else a text could say that a sound follows, which is not there."""
    bench = Bench("transformers-tts", made_with(tiny, kind))
    said = [samples(bench.make(text=f"a{mark}fox", outputFormat="wav")) for mark in (" ", "<|AUDIO|>", "[SEP]")]
    assert alike(said[0], said[1 if kind == "csm" else 2]) > 0.9999


def test_a_sentence_that_is_too_long_fails(tiny: Tiny) -> None:
    with pytest.raises(EngineFailed, match="70 tokens, and this model reads 64"):
        Bench("transformers-tts", made_with(tiny, "bark")).make(text="x" * 70)


def test_speecht5_needs_its_vocoder(tiny: Tiny, tmp_path: Path) -> None:
    folder = copied(tiny("speecht5"), tmp_path)
    shutil.rmtree(folder / "vocoder")
    assert "vocoder/" in Bench("transformers-tts", folder).problems(text="a fox")["model"]


def test_bark_needs_its_settings(tiny: Tiny, tmp_path: Path) -> None:
    folder = copied(tiny("bark"), tmp_path)
    (folder / "generation_config.json").unlink()
    assert "generation_config.json" in Bench("transformers-tts", folder).problems(text="a fox")["model"]


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        (np.zeros(5, np.float32), "5 numbers, and this model needs 4"),
        (np.full(4, np.nan, np.float32), "finite"),
        (np.array([{"a": 1}], object), "no numbers but object"),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }", "cannot be"),
        (b"nothing", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_a_speaker_that_is_damaged_fails_its_job(tiny: Tiny, tmp_path: Path, numbers: Any, told: str) -> None:
    folder = copied(made_with(tiny, "speecht5"), tmp_path)
    if isinstance(numbers, bytes):
        (folder / "speakers" / "bad.npy").write_bytes(numbers)
    else:
        np.save(folder / "speakers" / "bad.npy", numbers, allow_pickle=True)
    with pytest.raises(EngineFailed, match=told):
        Bench("transformers-tts", folder).make(text="a fox", voice="bad")


@pytest.mark.parametrize(
    ("prompt", "numbers"),
    [
        ("semantic", np.array([99])),
        ("semantic", np.array([0.5])),
        ("semantic", np.zeros(0, np.int64)),
        ("coarse", np.zeros((3, 9), np.int64)),
        ("fine", np.full((4, 9), -1)),
    ],
)
def test_a_preset_that_is_not_the_model_s_fails_its_job(tiny: Tiny, tmp_path: Path, prompt: str, numbers: Any) -> None:
    folder = copied(made_with(tiny, "bark"), tmp_path)
    np.save(folder / f"speaker_embeddings/{PRESETS[0]}_{prompt}_prompt.npy", numbers)
    with pytest.raises(EngineFailed, match=f"{prompt}_prompt of 'v2/de_speaker_1' is not what this model needs"):
        Bench("transformers-tts", folder).make(text="a fox", voice=PRESETS[0])


@pytest.mark.parametrize(
    "file", ["../secret.npy", "/etc/secret.npy", "C:\\secret.npy", "a/..\\b.npy", "a.pkl", 7, None]
)
def test_a_preset_lies_in_its_folder(tiny: Tiny, tmp_path: Path, file: object) -> None:
    folder = copied(made_with(tiny, "bark"), tmp_path)
    table = json.loads((folder / "speaker_embeddings_path.json").read_text())
    table[PRESETS[0]]["fine_prompt"] = file
    (folder / "speaker_embeddings_path.json").write_text(json.dumps(table))
    assert speakers.names(str(folder)) == [PRESETS[1]]


def test_pieces_end_where_sentences_do() -> None:
    assert speaking.pieces("One fox. Two!\nThree", 300) == ["One fox.", "Two!", "Three"]
    assert speaking.pieces("狐。二匹！？三匹", 300) == ["狐。", "二匹！？", "三匹"]  # noqa: RUF001 - as texts have it
    assert speaking.pieces("one two three four", 9) == ["one two", "three", "four"]


def test_whoever_names_a_kind_gets_its_models() -> None:
    step = get("steps", "tts")()

    def fits(**given: str) -> Any:
        return step.plan({"text": "a fox", **given}, lambda _: Facts()).ecosystems

    assert [fits(engine=name) for name in ("speecht5", "bark", "csm")] == [("speecht5",), ("bark",), ("csm",)]
    assert fits(engine="mms") == fits(engine="vits") == ("vits", "mms")
    assert set(fits(engine="transformers-tts")) == {"vits", "mms", "speecht5", "bark", "csm"}
