"""diffusers-audio: what is heard is what the bare pipeline gives, and what it cannot make is refused with a reason."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import diffusers
import numpy as np
import pytest
import soundfile
import torch
from tests.engines.diffusers.media import Job, tiny
from tests.torch import needs_torch, tiny_audio

from heddle.engines import Made
from heddle.engines.diffusers.sounds import DiffusersAudio
from heddle.errors import JobCanceled

pytestmark = needs_torch

AIR = "urn:air:ace:checkpoint:heddle:1@1"
#: Of the tiny models.
RATE = 8000


def sound(path: Path, **more: Any) -> dict[str, Any]:
    weights = {AIR: {"path": str(path), "folder": True, "type": "Checkpoint"}}
    shared = {"model": AIR, "weights": weights, "durationMs": 1500, "steps": 2, "seed": 5, "outputFormat": "wav"}
    return {"family": "stable-audio", "prompt": "rain", "loop": False, **shared, **more}


def music(path: Path, **more: Any) -> dict[str, Any]:
    given = sound(path, family="ace-step", musicDescription="calm piano", **more)
    return {name: value for name, value in given.items() if name not in {"prompt", "loop"}}


def stable_audio() -> Path:
    return tiny(tiny_audio.stable_audio)


def ace_step(**options: Any) -> Path:
    return tiny(tiny_audio.ace_step, **options)


def run(engine: DiffusersAudio, job: dict[str, Any], context: Job | None = None) -> Made:
    assert engine.problems(job) == {}
    needs = engine.needs(job)
    assert needs is not None
    if needs.model not in engine._models:
        engine.load(needs.model, Job())
    [made] = engine.run(job, context or Job())
    return made


@pytest.fixture(scope="module")
def engine() -> DiffusersAudio:
    return DiffusersAudio()


def bare(path: Path, name: str, **call: Any) -> Any:
    """Samples by channels of the pipeline by itself, as its documentation has it."""
    pipeline = getattr(diffusers, name).from_pretrained(path, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(**call, num_inference_steps=2, generator=torch.Generator().manual_seed(5)).audios[0].numpy().T


def heard(made: Made) -> Any:
    """The samples of a file, as 16 bits."""
    return soundfile.read(io.BytesIO(made.data), dtype="int16")[0]


def sixteen_bits(samples: Any) -> Any:
    """As a file has them."""
    out = io.BytesIO()
    soundfile.write(out, np.clip(samples, -1, 1), RATE, format="WAV", subtype="PCM_16")
    out.seek(0)
    return soundfile.read(out, dtype="int16")[0]


@pytest.mark.parametrize(
    ("asked", "call"),
    [
        ({}, {"guidance_scale": 7.0}),
        ({"negativePrompt": "wind", "cfgScale": 3.0}, {"negative_prompt": "wind", "guidance_scale": 3.0}),
        ({"cfgScale": 1.0}, {"guidance_scale": 1.0}),
    ],
)
def test_a_sound_is_that_of_the_bare_pipeline(
    asked: dict[str, Any], call: dict[str, Any], engine: DiffusersAudio
) -> None:
    path = stable_audio()
    made = run(engine, sound(path, **asked))
    alone = bare(path, "StableAudioPipeline", prompt="rain", audio_end_in_s=1.5, **call)
    assert alone.shape == (12_000, 2)
    assert np.array_equal(heard(made), sixteen_bits(alone))
    assert np.ptp(heard(made)) > 100


@pytest.mark.parametrize("turbo", [False, True])
def test_a_piece_is_that_of_the_bare_pipeline(turbo: bool, engine: DiffusersAudio) -> None:
    path = ace_step(turbo=turbo)
    words = {"lyrics": "[verse]\nla la", "language": "de", "bpm": 90, "key": "A minor", "timeSignature": "3"}
    made = run(engine, music(path, **words))
    alone = bare(
        path,
        "AceStepPipeline",
        prompt="calm piano",
        lyrics="[verse]\nla la",
        vocal_language="de",
        audio_duration=1.5,
        bpm=90,
        keyscale="A minor",
        timesignature="3",
        guidance_scale=1.0 if turbo else 7.0,
    )
    # In steps of 320 samples, of which the last is cut.
    assert alone.shape == (12_160, 2)
    assert np.array_equal(heard(made), sixteen_bits(alone[:12_000]))


def test_words_bars_and_seeds_make_a_difference_and_repeat(engine: DiffusersAudio) -> None:
    path = ace_step()
    jobs: list[dict[str, Any]] = [
        {}, {"lyrics": "la"}, {"lyrics": "la", "language": "ja"}, {"bpm": 180}, {"key": "C major"},
        {"timeSignature": "6"}, {"seed": 2**63 - 1}, {"cfg": 2.0}, {"steps": 3}, {"durationMs": 1000},
    ]  # fmt: skip
    first = [run(engine, music(path, **job)).data for job in jobs]
    assert first == [run(engine, music(path, **job)).data for job in reversed(jobs)][::-1]
    sounds = {soundfile.read(io.BytesIO(data))[0].tobytes() for data in first}
    assert len(sounds) == len(jobs)


def test_what_is_said_of_a_piece(engine: DiffusersAudio) -> None:
    job = music(ace_step(turbo=True), lyrics="la", bpm=90, vocalWeight=0.9, instrumentalWeight=0.8)
    del job["steps"]
    said = dict(run(engine, job).metadata)
    assert said.pop("version").startswith("heddle ")
    assert said.pop("peakDb") == pytest.approx(-1.0, abs=0.5)
    assert -30 < said.pop("loudnessLufs") < 0
    assert said == {
        "engine": "diffusers-audio",
        "family": "ace-step",
        "model": AIR,
        "kind": "ACE-Step",
        "description": "calm piano",
        "lyrics": "la",
        "seed": 5,
        "steps": 8,
        "cfg": 1.0,
        "sampler": "Euler",
        "duration": 1.5,
        "bpm": 90,
        "device": "cpu float32",
        "ignored": ["instrumentalWeight", "vocalWeight"],
    }


@pytest.mark.parametrize("file_format", ["mp3", "wav", "ogg", "flac"])
def test_a_file_as_long_as_asked_for(file_format: str, engine: DiffusersAudio) -> None:
    made = run(engine, sound(stable_audio(), outputFormat=file_format, durationMs=1250))
    with av.open(io.BytesIO(made.data)) as file:
        samples = sum(frame.samples for frame in file.decode(audio=0))
        track = file.streams.audio[0]
        assert (track.rate, track.channels) == (RATE, 2)
    assert samples / RATE == pytest.approx(1.25, abs=0.15 if file_format == "mp3" else 0.001)
    assert made.duration_ms == 1250
    assert made.preview is not None


@pytest.mark.parametrize("note", ["reading the prompt", "step 1 of 2", "step 2 of 2", "decoding"])
def test_a_cancel_stops_at_the_next_layer(note: str, engine: DiffusersAudio) -> None:
    job = sound(stable_audio())
    whole = Job()
    before = run(engine, job, whole)
    there = [i for i, (_, said) in enumerate(whole.said) if said == note]
    middle = there[len(there) // 2]
    count = iter(range(1_000_000))
    context = Job(lambda _fraction, _note: next(count) == middle)
    with pytest.raises(JobCanceled):
        run(engine, job, context)
    assert context.said == whole.said[: middle + 1]
    assert run(engine, job).data == before.data


@pytest.mark.parametrize(
    ("make", "asked", "fields", "words"),
    [
        (stable_audio, {"durationMs": 4097}, ["duration"], "4.097 s are more than the 4.096 s"),
        (stable_audio, {"loop": True}, ["loop"], "makes no loops"),
        (
            stable_audio,
            {"family": "ace-step"},
            ["model"],
            "which the step type `audioGen` uses",
        ),
        (ace_step, {}, ["model"], "which the step type `music` uses"),
        (stable_audio, {"model": "open"}, ["model"], "name one by its AIR"),
    ],
)
def test_sounds_that_are_refused(
    make: Callable[[], Path],
    asked: dict[str, Any],
    fields: list[str],
    words: str,
    engine: DiffusersAudio,
) -> None:
    problems = engine.problems(sound(make(), **asked))
    assert list(problems) == fields
    assert words in problems[fields[0]]


def test_networks_are_refused(engine: DiffusersAudio) -> None:
    problems = engine.problems(music(ace_step(), loras={"urn:air:ace:lora:heddle:2@2": 1.0}))
    assert list(problems) == ["loras"]


def test_parts_of_a_model_are_refused(engine: DiffusersAudio) -> None:
    problems = engine.problems(music(ace_step(), vaeModel="urn:air:ace:vae:heddle:2@2"))
    assert list(problems) == ["vaeModel"]
    assert "a whole folder" in problems["vaeModel"]
