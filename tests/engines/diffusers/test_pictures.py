"""A job's picture is the bare pipeline's, bit for bit."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.engines.diffusers.conftest import draw, mask, payload, picture, pixels
from tests.moving import Watcher
from tests.torch import WITHOUT, needs_torch

from heddle.engines.diffusers import Diffusers, files, processors
from heddle.engines.diffusers.families import FAMILIES
from heddle.errors import JobCanceled, JobError

if WITHOUT is None:
    import diffusers
    import torch
    from tests.torch import tiny

pytestmark = needs_torch

#: What each kind can do, and with what the bare call is made beside the usual.
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    *(("sd1", operation, {}) for operation in ("create", "variant", "inpaint")),
    ("sd2-768", "create", {}),
    *(("sdxl", operation, {}) for operation in ("create", "variant", "inpaint")),
    *(("sd3", operation, {}) for operation in ("create", "variant")),
    *(("flux1", operation, {}) for operation in ("create", "variant", "inpaint")),
    *(("flux1-kontext", op, {"max_area": 64 * 64, "_auto_resize": False}) for op in ("create", "edit", "inpaint")),
    *(("flux2", operation, {}) for operation in ("create", "edit")),
    *(("flux2-klein", operation, {}) for operation in ("create", "edit", "inpaint")),
    *(("z-image", operation, {}) for operation in ("create", "variant", "inpaint")),
    *(("qwen", operation, {"negative_prompt": " "}) for operation in ("create", "variant", "inpaint")),
    *(("qwen-edit", operation, {"negative_prompt": " "}) for operation in ("edit", "inpaint")),
    ("qwen-edit-plus", "edit", {"negative_prompt": " "}),
    *(("chroma", operation, {}) for operation in ("create", "variant")),
]

#: Base models of kinds that files do not tell.
BASES = {"sd2-768": "SD 2.1 768"}


#: What is drawn with a megapixel, whatever is asked for, and what the picture says of it.
SCALED = {("qwen-edit", "inpaint"): ["drawn with 1024x1024, as its pipeline does, and scaled to 64x64"]}


@pytest.fixture(scope="module")
def engine() -> Diffusers:
    made = Diffusers()
    made.configure({"device": "cpu"})
    return made


@cache
def parts(kind: str) -> Any:
    """The pipeline of a folder, as diffusers loads it, with the processors that need torchvision given to it."""
    folder = tiny.folder(kind)
    given = processors.without_torchvision(folder, files.look(folder).processors)
    made = diffusers.DiffusionPipeline.from_pretrained(folder, local_files_only=True, **dict.fromkeys(given))
    made.register_modules(**given)
    return made


def bare(kind: str, operation: str, **more: Any) -> np.ndarray:
    """The same by diffusers alone."""
    row, whole = FAMILIES[kind], parts(kind)
    pipeline = getattr(diffusers, row.pipelines[operation]).from_pipe(whole)
    given = {"prompt": "a red fox", "num_inference_steps": 3, row.cfg: 4.0 - row.cfg_less, "width": 64, "height": 64}
    if operation != "create":
        given["image"] = picture()
    if operation in {"variant", "inpaint"}:
        given["strength"] = 0.7
    if operation == "inpaint":
        given["mask_image"] = mask()
    if kind in {"sd1", "sdxl"} and operation == "variant":  # these take the source's size
        del given["width"], given["height"]
    drawn = pipeline(**given | more, generator=torch.Generator("cpu").manual_seed(7)).images[0]
    return np.asarray(drawn.resize((64, 64), Image.Resampling.LANCZOS) if (kind, operation) in SCALED else drawn)


@pytest.mark.parametrize(("kind", "operation", "more"), CALLS, ids=lambda value: str(value) if value else "")
def test_the_picture_is_the_bare_pipelines(engine: Diffusers, kind: str, operation: str, more: dict[str, Any]) -> None:
    sources: dict[str, Any] = {} if operation == "create" else {"images": ["blob_source"], "strength": 0.7}
    if operation == "inpaint":
        sources["mask"] = "blob_mask"
    made = draw(
        engine, payload(kind, tiny.folder(kind), operation=operation, base_model=BASES.get(kind, ""), **sources)
    )
    expected = bare(kind, operation, **more)
    assert np.array_equal(pixels(made.data), expected)
    assert expected.std() > 1, "a picture of one color would prove nothing"
    assert made.metadata["operation"] == operation
    assert made.metadata.get("approximations") == SCALED.get((kind, operation))


def test_a_cancel_ends_a_job_within_a_step_and_the_next_one_is_whole(engine: Diffusers) -> None:
    class Impatient(Watcher):
        def preview(self, draw: object) -> None: ...

        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            if note.startswith("step 3"):
                raise JobCanceled("enough")

    job = payload("sd1", tiny.folder("sd1"), steps=10)
    first = draw(engine, job)
    watcher = Impatient()
    with pytest.raises(JobCanceled):
        draw(engine, job, watcher)
    assert len(watcher.reported) == 4  # preparing, and three steps
    assert watcher.reported == sorted(watcher.reported)
    assert draw(engine, job).data == first.data


def test_an_edit_by_a_model_that_takes_no_instructions_is_a_variant(engine: Diffusers) -> None:
    job = payload("flux1", tiny.folder("flux1"), operation="edit", images=["blob_source"], strength=0.7)
    made = draw(engine, job)
    assert made.metadata["operation"] == "variant"
    assert np.array_equal(pixels(made.data), bare("flux1", "variant"))


@pytest.mark.parametrize("operation", ["create", "variant", "inpaint"])
def test_a_size_that_a_model_cannot_draw_is_cut_from_a_larger_one(engine: Diffusers, operation: str) -> None:
    sources: dict[str, Any] = {} if operation == "create" else {"images": ["blob_source"], "strength": 0.7}
    if operation == "inpaint":
        sources["mask"] = "blob_mask"
    job = payload("z-image", tiny.folder("z-image"), width=70, height=61, operation=operation, **sources)
    made = draw(engine, job)
    assert (made.width, made.height) == (70, 61) == pixels(made.data).shape[1::-1]


def test_what_a_picture_says_of_itself(engine: Diffusers) -> None:
    job = payload(
        "sd1", tiny.folder("sd1"), sampler="dpmpp_2s_ancestral karras", negativePrompt="rain", clipSkip=2, seed=2**62
    )
    for kind in ("png", "jpeg", "webp"):
        made = draw(engine, job | {"outputFormat": kind})
        image = Image.open(io.BytesIO(made.data))
        if kind == "png":
            said = image.info["parameters"]
        else:
            said = image.getexif().get_ifd(0x8769)[0x9286].removeprefix(b"UNICODE\0").decode("utf-16-be")
        assert said == made.metadata["parameters"]
        assert said.startswith("a red fox\nNegative prompt: rain\nSteps: 3, Sampler: DPM++ 2S a Karras, CFG scale: 4")
        assert f"Seed: {2**62}, Size: 64x64, " in said
        assert 'Asked sampler: "dpmpp_2s_ancestral karras", Approximation: "DPM++ 2S a is run as' in said
        assert 'Engine: diffusers, Family: sd1, AIR: "urn:air:sd1:checkpoint:heddle:1@1", Device: "cpu float32"' in said
        assert "Clip skip: 2" in said


def test_clip_skip_and_the_negative_prompt_and_the_seed_change_the_picture(engine: Diffusers) -> None:
    changes: list[dict[str, Any]] = [{}, {"clipSkip": 2}, {"negativePrompt": "rain"}, {"seed": 8}, {"cfgScale": 1.0}]
    drawn = [draw(engine, payload("sd1", tiny.folder("sd1"), **change)).data for change in changes]
    assert len(set(drawn)) == len(drawn)
    assert draw(engine, payload("sd1", tiny.folder("sd1"), clipSkip=1, negativePrompt="")).data == drawn[0]


def test_no_guidance_is_1_for_z_image_as_for_others(engine: Diffusers) -> None:
    unguided = bare("z-image", "create", guidance_scale=0.0)
    for scale in (1.0, 0.5):
        drawn = draw(engine, payload("z-image", tiny.folder("z-image"), cfgScale=scale))
        assert np.array_equal(pixels(drawn.data), unguided)
    assert not np.array_equal(unguided, bare("z-image", "create"))


def test_clip_skip_counts_from_the_layer_that_sdxl_was_trained_with(engine: Diffusers) -> None:
    for skip, more in ((2, {}), (3, {"clip_skip": 1})):
        drawn = draw(engine, payload("sdxl", tiny.folder("sdxl"), clipSkip=skip))
        assert np.array_equal(pixels(drawn.data), bare("sdxl", "create", **more))
    assert not np.array_equal(bare("sdxl", "create"), bare("sdxl", "create", clip_skip=1))


@pytest.mark.parametrize("kind", ["sd1", "flux1", "z-image", "qwen", "flux2-klein"])
def test_what_are_no_numbers_is_no_picture(kind: str) -> None:
    engine, job = Diffusers(), payload(kind, tiny.folder(kind))
    engine.configure({"device": "cpu"})
    draw(engine, job)
    [resident] = engine._residents.values()
    with torch.no_grad():
        next(resident.pipeline.vae.decoder.parameters()).fill_(torch.nan)
    for _ in range(2):
        with pytest.raises(JobError, match="no numbers"):
            draw(engine, job)


def test_a_source_that_is_no_picture(engine: Diffusers) -> None:
    job = payload("sd1", tiny.folder("sd1"), operation="variant", images=["blob_source"], strength=0.7)
    with pytest.raises(JobError, match="images: 'blob_source' is not a picture"):
        draw(engine, job, Watcher(blob_source=b"no picture"))
