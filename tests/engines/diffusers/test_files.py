"""Models are told by their files, loaded without a network, and refused with a reason."""

from __future__ import annotations

import json
import shutil
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from tests.engines.diffusers.conftest import draw, payload, pixels
from tests.torch import WITHOUT, needs_torch

from heddle.engines.diffusers import Diffusers, files, loading
from heddle.engines.diffusers.families import FAMILIES
from heddle.engines.diffusers.files import Unreadable
from heddle.engines.diffusers.options import Options
from heddle.errors import EngineFailed, UsageError

if WITHOUT is None:
    from tests.torch import tiny


def single(path: Path, **shapes: list[int]) -> Path:
    """A safetensors file that is a header alone, with tensors of no bytes that matter."""
    header, end = dict[str, Any](), 0
    for name, shape in shapes.items():
        header[name.replace("__", ".")] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return path


UNET = "model.diffusion_model.input_blocks.0.0.weight"
SINGLE_FILES: list[tuple[dict[str, list[int]], str, str]] = [
    ({UNET: [320, 4, 3, 3], "cond_stage_model.transformer.x": [1]}, "sd1", "sd1"),
    ({UNET: [320, 4, 3, 3], "cond_stage_model.model.x": [1]}, "sd2", "sd2"),
    ({UNET: [320, 4, 3, 3], "conditioner.embedders.1.model.x": [1]}, "sdxl", "sdxl"),
    ({UNET: [320, 4, 3, 3], "model.diffusion_model.label_emb.0.0.weight": [1]}, "sdxl", "sdxl"),
    ({"model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.bias": [1]}, "sd3", "sd3-medium"),
    ({"joint_blocks.0.context_block.adaLN_modulation.1.bias": [1], "joint_blocks.37.x": [1]}, "sd3", "sd35-large"),
    ({"double_blocks.0.img_attn.norm.key_norm.scale": [1]}, "flux1", "flux1-schnell"),
    ({"double_blocks.0.img_attn.norm.key_norm.scale": [1], "guidance_in.x": [1]}, "flux1", "flux1-dev"),
    ({"single_stream_modulation.lin.weight": [1]}, "flux2-klein", "flux2-klein"),
    ({"single_stream_modulation.lin.weight": [1], "guidance_in.in_layer.weight": [1]}, "flux2", "flux2"),
    ({"distilled_guidance_layer.in_proj.bias": [1]}, "chroma", "chroma"),
    ({"layers.0.adaLN_modulation.0.weight": [1]}, "z-image", "z-image"),
    ({"transformer_blocks.0.img_mod.1.weight": [1]}, "qwen", "qwen"),
]


@pytest.mark.parametrize(("shapes", "kind", "architecture"), SINGLE_FILES)
def test_a_single_file_is_told_by_its_tensors(
    tmp_path: Path, shapes: dict[str, list[int]], kind: str, architecture: str
) -> None:
    found = files.look(single(tmp_path / "m.safetensors", **shapes))
    assert (found.kind, found.architecture, found.folder) == (kind, architecture, False)


@pytest.mark.parametrize(
    ("shapes", "why"),
    [
        ({"blocks.0.x": [2]}, "of no layout that this engine knows; it holds 1 tensors, such as blocks.0.x"),
        ({UNET: [320, 4, 3, 3], "conditioner.embedders.0.model.x": [1]}, "is a refiner of SDXL"),
        ({"double_blocks.0.img_attn.norm.key_norm.scale": [1], "img_in.weight": [9, 384]}, "fill or control"),
        ({"double_blocks.0.img_attn.norm.key_norm.scale": [1], "scaled_fp8": [0]}, "quantized with scales"),
    ],
)
def test_a_single_file_that_is_not_taken_says_why(tmp_path: Path, shapes: dict[str, list[int]], why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        files.look(single(tmp_path / "m.safetensors", **shapes))


def test_broken_files_and_folders_say_why(tmp_path: Path) -> None:
    deep = b'{"x":' + b"[" * 200_000
    broken = {
        "a": b"",
        "b": b"\xff" * 99,
        "c": struct.pack("<Q", 4) + b"{{{{",
        "d": struct.pack("<Q", len(deep)) + deep,
    }
    for name, content in broken.items():
        (tmp_path / f"{name}.safetensors").write_bytes(content)
        with pytest.raises(Unreadable, match=name):
            files.look(tmp_path / f"{name}.safetensors")
    (tmp_path / "long.safetensors").write_bytes(struct.pack("<Q", 17 * 1024 * 1024) + b"{}" + b" " * 17 * 1024 * 1024)
    with pytest.raises(Unreadable, match="is no safetensors file"):
        files.look(tmp_path / "long.safetensors")
    with pytest.raises(Unreadable, match="is not there"):
        files.look(tmp_path / "nothing.safetensors")
    for name, index in {
        "has no model_index.json": None,
        "cannot be read": "{",
        "is a 'WanPipeline'": json.dumps({"_class_name": "WanPipeline"}),
        "is mine.Evil, which is code that comes with the model": json.dumps(
            {"_class_name": "StableDiffusionPipeline", "unet": ["mine", "Evil"]}
        ),
        "pickles": json.dumps(
            {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
        ),
    }.items():
        folder = tmp_path / "folder"
        folder.mkdir()
        if index is not None:
            (folder / "model_index.json").write_text(index)
        with pytest.raises(Unreadable, match=name):
            files.look(folder)
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["model.fp16.safetensors", "model.fp16-00001-of-00002.safetensors"])
def test_weights_of_half_the_size_may_be_in_several_files(tmp_path: Path, name: str) -> None:
    unet = tmp_path / "unet"
    unet.mkdir()
    (unet / "config.json").write_text("{}")
    index = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    single(unet / name, x=[3, 4])
    layout = files.look(tmp_path)
    assert (layout.variant, layout.numbers) == ("fp16", {"unet": 12})


def test_what_a_model_cannot_do_is_said_of_the_field(tmp_path: Path) -> None:
    engine = Diffusers()
    flux = single(tmp_path / "flux.safetensors", **SINGLE_FILES[7][0])
    job = payload("flux1", flux, negativePrompt="rain", clipSkip=2, sampler="LMS")
    problems = engine.problems(job)
    assert problems.keys() == {"model", "negativePrompt", "clipSkip", "sampler"}
    assert "name a folder of such a model in diffusers' form as bases.flux1 under [diffusers]" in problems["model"]
    assert "'LMS' is for diffusion models" in problems["sampler"]
    sd1 = single(tmp_path / "sd1.safetensors", **SINGLE_FILES[0][0])
    assert "has no vae, and only whole checkpoints" in engine.problems(payload("sd1", sd1))["model"]
    assert "the job is for 'sdxl'" in engine.problems(payload("sd1", sd1) | {"family": "sdxl"})["model"]
    weak = payload("sd1", sd1, operation="variant", images=["b"], strength=0.1, steps=5, sampler="IPNDM")
    assert engine.problems(weak).keys() == {"model", "strength", "sampler"}
    many = payload("sd1", sd1, sampler="LCM", steps=51)
    assert "at most 50 steps" in engine.problems(many)["steps"]
    assert "steps" not in engine.problems(many | {"steps": 50})
    masked = single(tmp_path / "inpaint.safetensors", **SINGLE_FILES[0][0] | {UNET: [320, 9, 3, 3]})
    assert "cannot create; it can inpaint" in engine.problems(payload("sd1", masked))["images"]
    klein = single(tmp_path / "klein.safetensors", **SINGLE_FILES[8][0])
    variant = payload("flux2-klein", klein, operation="variant", images=["b"], strength=0.5)
    assert "cannot variant; it can create, edit, inpaint" in engine.problems(variant)["images"]


def test_the_catalog_says_what_a_file_does_not(tmp_path: Path) -> None:
    engine = Diffusers()
    flux = single(tmp_path / "flux.safetensors", **SINGLE_FILES[7][0])
    sd2 = single(tmp_path / "sd2.safetensors", **SINGLE_FILES[1][0])
    for kind, path, base_model, expected in [
        ("flux1", flux, "Flux.1 D", "flux1"),
        ("flux1", flux, "Flux.1 Kontext", "flux1-kontext"),
        ("sd2", sd2, "SD 2.1", "sd2"),
        ("sd2", sd2, "SD 2.1 768", "sd2-768"),
    ]:
        needs = engine.needs(payload(kind, path, base_model=base_model))
        assert needs is not None
        assert needs.model == f"{expected}:{path}"


def test_options_that_cannot_be_used(tmp_path: Path) -> None:
    for table, said in [
        ({"dtype": "float8"}, "dtype"),
        ({"devise": "cpu"}, "devise"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"models": {"sdxxl": "urn:air:x"}}, "names 'sdxxl'"),
        ({"bases": {"flux1": str(tmp_path / "no")}}, "bases.flux1 is"),
    ]:
        with pytest.raises(UsageError, match=said):
            Options.of(table)


@needs_torch
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_single_file_draws_what_the_folder_draws_and_nothing_opens_a_socket(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, path, configs = tiny.folder(kind), tiny.single_file(kind), tiny.configs()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    engine = Diffusers()
    engine.configure({"device": "cpu", "configs": str(configs)})
    drawn = [draw(engine, payload(kind, place, sampler="Euler a")).data for place in (folder, path)]
    assert pixels(drawn[0]).tobytes() == pixels(drawn[1]).tobytes()


@needs_torch
def test_a_file_on_a_base_is_counted_with_what_the_base_gives(tmp_path: Path) -> None:
    base = tiny.folder("flux1")
    core = single(tmp_path / "flux.safetensors", **SINGLE_FILES[6][0], x=[1000, 1000, 1000])
    row, alone = FAMILIES["flux1"], files.look(core)
    counted = loading.numbers(row, alone, Options.of({"bases": {"flux1": str(base)}}))
    whole = files.look(base).numbers
    assert counted == {**whole, "transformer": 1_000_000_001}
    assert sum(counted.values()) > 1_000_000_001
    assert loading.numbers(row, alone, Options()) == alone.numbers
    assert loading.numbers(row, files.look(base), Options()) == whole


@needs_torch
def test_a_part_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(tiny.folder("z-image"), folder)
    weights = next((folder / "vae").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(EngineFailed, match="'broken' cannot be loaded as z-image"):
        loading.load("z-image", folder)


@needs_torch
def test_clips_words_are_clips() -> None:
    from heddle.engines.diffusers import vocabularies  # noqa: PLC0415 - heavy

    words = vocabularies.clip()
    assert len(words) == 49408
    # As the published tokenizer has them.
    assert words("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert vocabularies.clip("!").pad_token_id == 0


@needs_torch
def test_a_tokenizer_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    from heddle.engines.diffusers import vocabularies  # noqa: PLC0415 - heavy

    model = tmp_path / "sd3.safetensors"
    with pytest.raises(EngineFailed, match=r"needs the tokenizer 't5', .*/sd3/t5; .*tokenizers under \[diffusers\]"):
        vocabularies.t5("", model)
    shutil.copytree(tiny.folder("flux1") / "tokenizer_2", tmp_path / "sd3" / "t5")
    assert vocabularies.t5("", model)("a cat").input_ids


def test_every_kind_names_classes_that_are_there() -> None:
    if WITHOUT:
        pytest.skip(WITHOUT)
    for row in FAMILIES.values():
        for name in (*row.pipelines.values(), *row.also):
            assert loading.class_named(name).__name__ == name.rpartition(":")[2]
