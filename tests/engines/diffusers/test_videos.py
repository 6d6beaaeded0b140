"""diffusers-video: what it makes is what the bare pipeline gives, and what it cannot make is refused with a reason."""

from __future__ import annotations

import gc
import io
import json
import weakref
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import diffusers
import numpy as np
import pytest
import torch
from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition
from PIL import Image
from tests.engines.diffusers.media import Job, tiny
from tests.torch import needs_torch, tiny_video

from heddle.engines import Made
from heddle.engines.diffusers.video_families import KINDS
from heddle.engines.diffusers.videos import DiffusersVideo
from heddle.errors import EngineFailed, JobCanceled
from heddle.studio import video

pytestmark = needs_torch

AIR = "urn:air:wanvideo:checkpoint:heddle:1@1"


def payload(path: Path, **more: Any) -> dict[str, Any]:
    return {
        "family": "wan",
        "model": AIR,
        "weights": {AIR: {"path": str(path), "folder": True, "type": "Checkpoint"}},
        "prompt": "a cat",
        "durationMs": 1000,
        "fps": 9.0,
        "width": 64,
        "height": 32,
        "steps": 2,
        "seed": 5,
        **more,
    }


@pytest.fixture(scope="module")
def engine() -> DiffusersVideo:
    return DiffusersVideo()


def run(engine: DiffusersVideo, job: dict[str, Any], context: Job | None = None) -> Made:
    """The way of a worker: load what is needed, run."""
    assert engine.problems(job) == {}
    needs = engine.needs(job)
    assert needs is not None
    if needs.model not in engine._models:
        engine.load(needs.model, Job())
    [made] = engine.run(job, context or Job())
    return made


def bare(path: Path, name: str, **call: Any) -> Any:
    """The pipeline by itself, as its documentation has it."""
    pipeline = getattr(diffusers, name).from_pretrained(path, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    given = {"prompt": "a cat", "num_frames": 9, "num_inference_steps": 2, "width": 64, "height": 32}
    return pipeline(**{**given, **call}, generator=torch.Generator().manual_seed(5), output_type="np")


def eight_bits(frames: Any) -> Any:
    return (frames * 255).round().astype(np.uint8)


def written(frames: Any, made: Made, sound: video.Sound | None = None) -> bytes:
    """The file that a video has to be, to the byte."""
    file_format = "webm" if made.mime == "video/webm" else "mp4"
    tags = {"comment": json.dumps(made.metadata)}
    return video.write(frames, fps=Fraction(9), file_format=file_format, sound=sound, tags=tags, crf=19)


def picture(color: str, size: tuple[int, int] = (64, 32)) -> Image.Image:
    """What a source of 80x48 looks like when it is cut to cover the frame."""
    return Image.new("RGB", size, color)


def conditions() -> list[Any]:
    first, last = picture("red", (64, 64)), picture("blue", (64, 64))
    return [LTX2VideoCondition(frames=first, index=0), LTX2VideoCondition(frames=last, index=-1)]


def wan(**options: Any) -> Callable[[], Path]:
    return lambda: tiny(tiny_video.wan, **options)


def of(name: str) -> Callable[[], Path]:
    return lambda: tiny(getattr(tiny_video, name))


SAME: dict[str, tuple[Callable[[], Path], dict[str, Any], str, dict[str, Any]]] = {
    "wan 2.1": (wan(), {}, "WanPipeline", {}),
    "wan 2.1, guided": (
        wan(),
        {"negativePrompt": "a dog", "cfgScale": 3.0},
        "WanPipeline",
        {"negative_prompt": "a dog", "guidance_scale": 3.0},
    ),
    "wan 2.2": (wan(two=True), {}, "WanPipeline", {}),
    "wan 2.1 from a picture": (
        wan(pictures=True),
        {"images": ["red"]},
        "WanImageToVideoPipeline",
        {"image": picture("red")},
    ),
    "wan 2.2 from two pictures": (
        wan(pictures=True, two=True),
        {"images": ["red"], "lastFrame": "blue"},
        "WanImageToVideoPipeline",
        {"image": picture("red"), "last_image": picture("blue")},
    ),
    "wan 2.2 5b": (wan(small=True), {}, "WanPipeline", {}),
    "ltx": (
        of("ltx"),
        {"family": "lightricks", "cfgScale": 4.0},
        "LTXPipeline",
        {"frame_rate": 9.0, "decode_timestep": 0.05, "decode_noise_scale": 0.025, "guidance_scale": 4.0},
    ),
    "ltx from a picture": (
        of("ltx"),
        {"family": "ltx2", "images": ["red"]},
        "LTXImageToVideoPipeline",
        {"image": picture("red"), "frame_rate": 9.0, "decode_timestep": 0.05, "decode_noise_scale": 0.025},
    ),
    "ltx-2 without its sound": (
        of("ltx2"),
        {"family": "ltx2", "generateAudio": False, "height": 64},
        "LTX2Pipeline",
        {"height": 64, "frame_rate": 9.0, "spatio_temporal_guidance_blocks": [29], "use_cross_timestep": False},
    ),
    "hunyuan": (of("hunyuan"), {"family": "hunyuan", "cfgScale": 4.0}, "HunyuanVideoPipeline", {"guidance_scale": 4.0}),
    "ltx-2 from two pictures": (
        of("ltx2"),
        {"family": "ltx2", "generateAudio": False, "height": 64, "images": ["red"], "lastFrame": "blue"},
        "LTX2ConditionPipeline",
        {"height": 64, "frame_rate": 9.0, "spatio_temporal_guidance_blocks": [29], "use_cross_timestep": False},
    ),
    "hunyuan 1.5": (of("hunyuan15"), {"family": "hunyuan"}, "HunyuanVideo15Pipeline", {}),
}


@pytest.mark.parametrize("case", SAME)
def test_frames_are_those_of_the_bare_pipeline(case: str, engine: DiffusersVideo) -> None:
    make, asked, name, call = SAME[case]
    path = make()
    if name == "LTX2ConditionPipeline":
        call = call | {"conditions": conditions()}
    made = run(engine, payload(path, **asked))
    frames = eight_bits(bare(path, name, **call).frames[0])
    assert made.data == written(frames, made)
    assert len({frame.tobytes() for frame in frames}) > 1


def test_sound_is_that_of_the_bare_pipeline(engine: DiffusersVideo) -> None:
    path = of("ltx2")()
    made = run(engine, payload(path, family="ltx2.3", cfgScale=1.0, height=64))
    alone = {"guidance_scale": 1.0, "audio_guidance_scale": 1.0, "modality_scale": 1.0, "audio_modality_scale": 1.0}
    off = {"stg_scale": 0.0, "audio_stg_scale": 0.0, "spatio_temporal_guidance_blocks": [28]}
    given = bare(path, "LTX2Pipeline", height=64, frame_rate=9.0, **alone, **off)
    sound = video.Sound(samples=given.audio[0].numpy().T, rate=24_000)
    assert made.data == written(eight_bits(given.frames[0]), made, sound)
    with av.open(io.BytesIO(made.data)) as file:
        [track] = file.streams.audio
        samples = sum(frame.samples for frame in file.decode(track))
    assert samples / track.rate == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("file_format", ["mp4", "webm"])
def test_a_file_of_the_size_and_length_asked_for(file_format: str, engine: DiffusersVideo) -> None:
    """74x50 is no size of LTX: it renders 96x64, and the middle of that is kept."""
    asked = {"family": "lightricks", "width": 74, "height": 50, "durationMs": 2000, "outputFormat": file_format}
    path = of("ltx")()
    made = run(engine, payload(path, **asked))
    with av.open(io.BytesIO(made.data)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert file.streams.video[0].average_rate == 9
        assert not file.streams.audio
    assert (len(frames), *frames[0].shape[:2]) == (17, 50, 74)
    assert (made.width, made.height, made.duration_ms, made.mime) == (74, 50, 1889, f"video/{file_format}")
    assert (made.metadata["rendered"], made.metadata["frames"], made.metadata["framesAsked"]) == ("96x64", 17, 18)
    always = {"frame_rate": 9.0, "decode_timestep": 0.05, "decode_noise_scale": 0.025}
    whole = eight_bits(bare(path, "LTXPipeline", width=96, height=64, num_frames=17, **always).frames[0])
    assert made.data == written(whole[:, 7:57, 11:85], made)
    assert made.preview is not None
    assert (made.preview.width, made.preview.height) == (74, 50)


def test_what_is_said_of_a_video(engine: DiffusersVideo) -> None:
    asked = {"sampler": "Euler", "shift": 5.0, "cfgScale": 3.5, "negativePrompt": "fog"}
    made = run(engine, payload(wan(two=True)(), **asked))
    version = made.metadata.pop("version")
    assert version.startswith("heddle ")
    assert made.metadata == {
        "engine": "diffusers-video",
        "family": "wan",
        "model": AIR,
        "kind": "Wan",
        "prompt": "a cat",
        "negativePrompt": "fog",
        "seed": 5,
        "steps": 2,
        "cfg": 3.5,
        "sampler": "Euler",
        "shift": 5.0,
        "width": 64,
        "height": 32,
        "frames": 9,
        "fps": 9.0,
        "duration": 1.0,
        "device": "cpu float32",
    }


def test_seeds_samplers_and_shifts_make_a_difference_and_repeat(engine: DiffusersVideo) -> None:
    path = wan()()
    jobs: list[dict[str, Any]] = [
        {}, {"seed": 6}, {"seed": 2**63 - 1}, {"sampler": "euler"}, {"sampler": "DPM++ 2M"}, {"shift": 8.0},
        {"sampler": "uni_pc", "shift": 8.0},
    ]  # fmt: skip
    first = [run(engine, payload(path, **job)).data for job in jobs]
    again = [run(engine, payload(path, **job)).data for job in reversed(jobs)][::-1]
    assert first == again
    assert len({wanted(data) for data in first}) == len(jobs) - 1, "the checkpoint's own sampler is UniPC"


def wanted(data: bytes) -> bytes:
    """The pictures of a file, without what it says of itself."""
    with av.open(io.BytesIO(data)) as file:
        return b"".join(frame.to_ndarray(format="rgb24").tobytes() for frame in file.decode(video=0))


@pytest.mark.slow
def test_guidance_of_one_job_is_not_that_of_the_next(engine: DiffusersVideo) -> None:
    path = of("hunyuan15")()
    plain = run(engine, payload(path, family="hunyuan"))
    guided = run(engine, payload(path, family="hunyuan", cfgScale=2.0))
    assert wanted(guided.data) != wanted(plain.data)
    assert run(engine, payload(path, family="hunyuan")).data == plain.data


@pytest.mark.parametrize("name", ["wan", "ltx2"])
@pytest.mark.parametrize("note", ["reading the prompt", "step 1 of 2", "step 2 of 2", "decoding", "writing the file"])
def test_a_cancel_stops_at_the_next_layer(name: str, note: str) -> None:
    engine = DiffusersVideo()
    path = of(name)()
    job = payload(path, family=name, height=64)
    whole = Job()
    run(engine, job, whole)
    there = [i for i, (_, said) in enumerate(whole.said) if said == note]
    middle = there[len(there) // 2]
    count = iter(range(1_000_000))
    context = Job(lambda _fraction, _note: next(count) == middle)
    with pytest.raises(JobCanceled):
        run(engine, job, context)
    assert context.said == whole.said[: middle + 1]
    fractions = [fraction for fraction, _ in whole.said]
    assert fractions == sorted(fractions)
    [model] = engine._models.values()
    hooks = [m for part in modules(model.pipeline) for m in part.modules() if m._forward_pre_hooks]
    assert not hooks
    again = Job()
    run(engine, job, again)
    assert again.said == whole.said


def modules(pipeline: Any) -> list[Any]:
    return [part for part in pipeline.components.values() if hasattr(part, "modules")]


def test_a_model_that_is_put_away_is_gone() -> None:
    engine = DiffusersVideo()
    job = payload(wan()())
    run(engine, job)
    needs = engine.needs(job)
    assert needs is not None
    core = weakref.ref(engine._models[needs.model].pipeline.transformer)
    engine.unload(needs.model)
    gc.collect()
    assert core() is None


def test_a_source_that_is_no_picture(engine: DiffusersVideo) -> None:
    with pytest.raises(EngineFailed, match=r"images: 'text' is not a picture"):
        run(engine, payload(wan(pictures=True)(), images=["text"]))


@pytest.mark.parametrize(
    ("make", "asked", "field", "words"),
    [
        (wan(), {"images": ["red"]}, "images", "from a text alone"),
        (wan(pictures=True), {}, "images", "from a picture alone"),
        (wan(small=True), {"images": ["red"], "lastFrame": "blue"}, "lastFrame", "takes no last frame"),
        (of("hunyuan"), {"family": "hunyuan", "images": ["red"]}, "images", "from a text alone"),
        (of("hunyuan"), {"family": "hunyuan", "negativePrompt": "x"}, "negativePrompt", "distilled"),
        (of("ltx"), {"family": "ltx2", "generateAudio": True}, "generateAudio", "no sound"),
        (of("ltx"), {"family": "ltx2", "shift": 3.0}, "shift", "from the size"),
        (of("ltx"), {"family": "ltx2", "sampler": "unipc"}, "sampler", "takes Euler alone, and not 'unipc'"),
        (of("ltx"), {"family": "wan"}, "model", "which is not of the family 'wan'"),
        (of("ltx"), {"family": "ltx2", "fps": 4.0}, "duration", "4 frames are too few: LTX-Video makes 9 or more"),
        (wan(), {"sampler": "heun"}, "sampler", "for diffusion models"),
        (wan(), {"version": "v2.5"}, "version", "not public"),
        (wan(), {"model": "19b-dev"}, "model", "name one by its AIR"),
    ],
)
def test_what_is_refused(
    make: Callable[[], Path], asked: dict[str, Any], field: str, words: str, engine: DiffusersVideo
) -> None:
    problems = engine.problems(payload(make(), **asked))
    assert list(problems) == [field]
    assert words in problems[field]


@pytest.mark.parametrize(
    ("kind", "asked", "made"),
    [
        ("wan", 81, 81),
        ("wan", 96, 97),
        ("wan", 94, 93),
        ("wan", 1, 5),
        ("ltx", 96, 97),
        ("ltx2", 5, 9),
        ("ltx", 22, 25),
    ],
)
def test_how_many_frames(kind: str, asked: int, made: int) -> None:
    assert KINDS[kind].frames(asked) == made


def test_every_sampler_that_is_listed_makes_a_video(engine: DiffusersVideo) -> None:
    [kind] = [kind for kind in engine.kinds() if kind.name == "wan"]
    assert {"Euler", "Euler Karras", "UniPC", "DPM++ 2M"} <= set(kind.samplers)
    for sampler in kind.samplers:
        made = run(engine, payload(wan()(), sampler=sampler, width=32, fps=5.0))
        assert made.metadata["sampler"] == sampler


def test_a_sampler_that_is_run_as_another_says_so(engine: DiffusersVideo) -> None:
    made = run(engine, payload(wan()(), sampler="DPM++ 2M Karras"))
    assert made.metadata["sampler"] == "DPM++ 2M"
    assert made.metadata["approximations"] == [
        "DPM++ 2M Karras is run as DPM++ 2M: on a flow model it has the model's own schedule"
    ]


def write(folder: Path, index: Any, **files: bytes) -> Path:
    folder.mkdir()
    (folder / "model_index.json").write_text(index if isinstance(index, str) else json.dumps(index))
    for name, data in files.items():
        part, _, ending = name.partition("_")
        (folder / part).mkdir(exist_ok=True)
        (folder / part / f"weights.{ending}").write_bytes(data)
    return folder


#: A safetensors file without tensors.
EMPTY = b"\x02\0\0\0\0\0\0\0{}"
WAN = {"_class_name": "WanPipeline", "transformer": ["diffusers", "WanTransformer3DModel"]}


@pytest.mark.parametrize(
    ("index", "files", "words"),
    [
        ("{", {}, "cannot be read"),
        ("[]", {}, "cannot be read"),
        (WAN, {}, "no transformer/*.safetensors"),
        (WAN, {"transformer_bin": b"pickle"}, "pickles (.bin) are never loaded"),
        (WAN | {"vae": ["subprocess", "Popen"]}, {"transformer_safetensors": b""}, "code that comes with the model"),
        ({**WAN, "_class_name": "FluxPipeline"}, {"transformer_safetensors": EMPTY}, "'model' is a FluxPipeline"),
        (WAN, {"transformer_safetensors": b"\xff" * 64}, "no safetensors file"),
    ],
)
def test_folders_that_are_no_models(
    index: Any, files: dict[str, bytes], words: str, engine: DiffusersVideo, tmp_path: Path
) -> None:
    path = write(tmp_path / "model", index, **files)
    assert words in engine.problems(payload(path))["model"]


def test_weights_that_are_broken(engine: DiffusersVideo, tmp_path: Path) -> None:
    path = write(tmp_path / "model", WAN, transformer_safetensors=EMPTY)
    with pytest.raises(EngineFailed, match=r"'model' cannot be loaded as WanPipeline"):
        engine.load(f"wan:{path}", Job())


def test_a_single_file_and_a_folder_that_went_away(engine: DiffusersVideo, tmp_path: Path) -> None:
    file = tmp_path / "wan.safetensors"
    file.write_bytes(EMPTY)
    assert "is a single file" in engine.problems(payload(file))["model"]
    assert "no model_index.json" in engine.problems(payload(tmp_path / "gone"))["model"]
    with pytest.raises(EngineFailed, match=r"no model_index\.json"):
        engine.load(f"wan:{tmp_path / 'gone'}", Job())
