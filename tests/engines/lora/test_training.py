"""Trainings on tiny models: the loss falls, an interrupted one ends as if it had not been, and the file is a LoRA."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.learning.jobs import Job
from tests.torch import needs_torch

from heddle.engines import Made
from heddle.engines.diffusers.training import LoraTraining
from heddle.errors import EngineFailed, JobCanceled
from heddle.learning import course

pytestmark = [needs_torch, pytest.mark.filterwarnings("ignore")]

FAMILIES = ("sd1", "sdxl", "flux1")
BASE, LORA = "urn:air:x:checkpoint:heddle:1@1", "urn:air:x:lora:heddle:2@2"
STEPS = 32


def picture(n: int = 0, size: tuple[int, int] = (40, 40)) -> bytes:
    """A red disk on green, somewhere."""
    image = Image.new("RGB", size, (30, 120 + n % 7, 60))
    ImageDraw.Draw(image).ellipse((4 + n % 9, 6, size[0] - 8, size[1] - 6 - n % 5), fill=(220, 40, 20))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def dataset(count: int, **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(count):
            archive.writestr(f"{n}.png", picture(n))
            archive.writestr(f"{n}.txt", f"zlomp, a red disk, number {n}")
        for name, data in more.items():
            archive.writestr(f"{name}.png", data)
    return out.getvalue()


@cache
def base(family: str) -> Path:
    from tests.torch import tiny  # noqa: PLC0415 - torch

    return tiny.folder(family)


@cache
def engine() -> LoraTraining:
    return LoraTraining()


def payload(family: str, kind: str = "", **more: Any) -> dict[str, Any]:
    """As planning writes it."""
    where = {
        "path": str(base(kind or family)),
        "folder": True,
        "format": "SafeTensor",
        "size": 5_000_000,
        "type": "Checkpoint",
    }
    given = {
        "family": family, "model": BASE, "weights": {BASE: where}, "data": "blob_zip", "steps": STEPS, "epochs": 1,
        "batchSize": 4, "learningRate": 0.03, "networkDim": 16, "networkAlpha": 16, "flip": False,
        "shuffleTokens": False, "keepTokens": 0, "samples": [], "seed": 3, "resolution": 64, "triggerWord": "zlomp",
    }  # fmt: skip
    return given | more


def start(job: dict[str, Any], context: Job) -> Iterator[Made]:
    made = engine()
    assert made.problems(job) == {}
    needs = made.needs(job)
    assert needs is not None
    if needs.model not in made._loaded:
        made.load(needs.model, context)
    return made.run(job, context)


def models(made: Sequence[Made]) -> list[bytes]:
    return [one.data for one in made if not one.role]


def about(data: bytes) -> dict[str, str]:
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]


def drawn(family: str, lora: bytes | None = None) -> np.ndarray:
    """What the bare pipeline draws, with a LoRA or without."""
    import torch  # noqa: PLC0415
    from safetensors.torch import load  # noqa: PLC0415

    needs = engine().needs(payload(family))
    assert needs is not None
    pipe = engine()._loaded[needs.model]
    if lora is not None:
        pipe.load_lora_weights(load(lora), adapter_name="other")
    try:
        return pipe(
            prompt="zlomp", num_inference_steps=2, width=64, height=64, output_type="np",
            generator=torch.Generator().manual_seed(1),
        ).images[0]  # fmt: skip
    finally:
        pipe.unload_lora_weights()


@cache
def trained(family: str, room: Path) -> tuple[tuple[Made, ...], tuple[float, ...], Job]:
    """One whole training of two epochs, with what each step lost."""
    context = Job(dataset(2), room / family)
    made = tuple(start(payload(family, epochs=2), context))
    state = (room / family / "state.safetensors").read_bytes()
    return made, tuple(json.loads(about(state)["losses"])), context


@cache
def unlearned(family: str, room: Path) -> tuple[float, ...]:
    """What each step loses where nothing is learned: the same pictures, noise and levels."""
    folder = room / f"{family}-unlearned"
    list(start(payload(family, epochs=2, learningRate=1e-12), Job(dataset(2), folder)))
    return tuple(json.loads(about((folder / "state.safetensors").read_bytes())["losses"]))


def brief(family: str, **more: Any) -> dict[str, Any]:
    """Too short to learn much, and long enough to be interrupted."""
    return payload(family, steps=8, epochs=2, batchSize=2, samples=["zlomp"]) | more


@cache
def whole(family: str, room: Path) -> tuple[Made, ...]:
    """One that was not."""
    return tuple(start(brief(family), Job(dataset(2), room / f"{family}-brief")))


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trainings")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_falls(family: str, room: Path) -> None:
    made, losses, context = trained(family, room)
    assert len(losses) == STEPS
    quarter = STEPS // 4
    # Step by step against the same noise, because from step to step chance moves it more than learning does.
    without = unlearned(family, room)
    assert np.isclose(losses[0], without[0], rtol=1e-4)
    assert np.mean(losses[-quarter:]) < 0.99 * np.mean(without[-quarter:])
    assert [(m.role, m.output.get("epoch")) for m in made] == [
        ("", 1), ("", 2), ("loss-curve", None),
    ]  # fmt: skip
    assert context.fractions == sorted(context.fractions)
    assert any(note.startswith(f"step {STEPS} of {STEPS}, loss 0.") for note in context.notes)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_file_is_a_lora(family: str, room: Path) -> None:
    """For the bare pipeline: it changes the picture, and the training itself has changed nothing for good."""
    made, _, _ = trained(family, room)
    first, last = models(made)
    without = drawn(family)
    assert np.abs(drawn(family, last) - without).max() > 0.01
    assert np.abs(drawn(family, last) - drawn(family, first)).max() > 0.001
    assert np.array_equal(drawn(family), without)


def test_samples_show_what_was_learned(room: Path) -> None:
    """Each epoch draws from the same noise, and draws something else."""
    made = whole("sd1", room)
    assert [(m.role, m.output.get("epoch")) for m in made] == [
        ("", 1), ("sample", 1), ("", 2), ("sample", 2), ("loss-curve", None),
    ]  # fmt: skip
    one, other = (Image.open(io.BytesIO(m.data)) for m in made if m.role == "sample")
    assert one.size == other.size == (64, 64)
    assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_after_a_death_it_ends_as_if_nothing_had_been(family: str, room: Path, tmp_path: Path) -> None:
    died = Job(dataset(2), tmp_path / "job", "step 7 of", error=MemoryError)
    with pytest.raises(MemoryError):
        list(start(brief(family), died))
    context = Job(dataset(2), tmp_path / "job")
    assert [m.data for m in start(brief(family), context)] == [m.data for m in whole(family, room)]
    assert context.lines == ["goes on behind step 4 of 8"]
    assert not any(note.startswith("step 4 of") for note in context.notes)


def test_a_checkpoint_between_epochs(room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "CHECKPOINT_S", 0.0)
    with pytest.raises(MemoryError):
        list(start(brief("flux1"), Job(dataset(2), tmp_path, "step 7 of", error=MemoryError)))
    context = Job(dataset(2), tmp_path)
    assert models(list(start(brief("flux1"), context))) == models(whole("flux1", room))
    assert context.lines == ["goes on behind step 6 of 8"]


@pytest.mark.parametrize("damage", ["other payload", "broken file", "epoch is lost"])
def test_checkpoints_that_are_of_no_use(damage: str, room: Path, tmp_path: Path) -> None:
    """It begins anew."""
    unhurt = models(whole("flux1", room))
    job = brief("flux1")
    shutil.copytree(room / "flux1-brief", tmp_path / "job")
    if damage == "other payload":
        job |= {"learningRate": 0.01}
    elif damage == "broken file":
        (tmp_path / "job" / "state.safetensors").write_bytes(b"broken")
    else:
        (tmp_path / "job" / "epoch-1-0").unlink()
    context = Job(dataset(2), tmp_path / "job")
    made = models(list(start(job, context)))
    assert (made == unhurt) is (damage != "other payload")
    assert context.lines == []


def test_a_cancel_comes_within_a_step(tmp_path: Path) -> None:
    context = Job(dataset(2), tmp_path, "step 3 of")
    with pytest.raises(JobCanceled):
        list(start(payload("flux1"), context))
    assert [note.partition(",")[0] for note in context.notes if note.startswith("step")] == [
        "step 1 of 32", "step 1 of 32", "step 2 of 32", "step 2 of 32", "step 3 of 32",
    ]  # fmt: skip
    assert np.array_equal(drawn("flux1"), drawn("flux1"))


def test_going_on_from_a_file(room: Path, tmp_path: Path) -> None:
    """The first steps lose what the last steps of the earlier training lost, and its rank is kept."""
    made, losses, _ = trained("sdxl", room)
    file = tmp_path / "earlier.safetensors"
    file.write_bytes(models(made)[-1])
    job = payload("sdxl", continueFrom=LORA, networkDim=4, steps=8, seed=4)
    job["weights"][LORA] = {"path": str(file), "folder": False, "format": "SafeTensor", "size": 1, "type": "LORA"}
    list(start(job, Job(dataset(2), tmp_path / "job")))
    again = json.loads(about((tmp_path / "job" / "state.safetensors").read_bytes())["losses"])
    assert np.mean(again) < np.mean(losses[:8])
    file.write_bytes(b"nonsense")
    with pytest.raises(EngineFailed, match=r"continueFrom: earlier\.safetensors is no safetensors file"):
        list(start(job, Job(dataset(2), tmp_path / "next")))
    file.write_bytes(models(trained("flux1", room)[0])[-1])
    with pytest.raises(EngineFailed, match=r"continueFrom: earlier\.safetensors"):
        list(start(job, Job(dataset(2), tmp_path / "other")))
    assert np.array_equal(drawn("sdxl"), drawn("sdxl"))


def test_what_files_say(room: Path) -> None:
    made, losses, _ = trained("sd1", room)
    first, last = (about(data) for data in models(made))
    assert first["ss_network_module"] == "networks.lora"
    assert (first["ss_network_dim"], first["ss_network_alpha"]) == ("16", "16.0")
    assert (first["ss_steps"], last["ss_steps"], first["ss_epoch"]) == (str(STEPS // 2), str(STEPS), "1")
    assert first["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert first["modelspec.trigger_phrase"] == "zlomp"
    assert json.loads(first["ss_tag_frequency"])["zlomp"] == {"zlomp": 2, "a red disk": 2, "number 0": 1, "number 1": 1}
    assert json.loads(first["ss_bucket_info"]) == {"buckets": {"0": {"resolution": [64, 64], "count": 2}}}
    assert float(last["ss_loss"]) == pytest.approx(np.mean(losses[-50:]), abs=1e-5)
    assert first["sshs_model_hash"] != last["sshs_model_hash"]


@pytest.mark.parametrize(
    ("family", "begins"), [("sd1", "lora_unet_down_blocks_1_"), ("sdxl", "lora_unet_input_blocks_")]
)
def test_layers_have_the_names_of_kohya(family: str, begins: str, room: Path) -> None:
    from safetensors.torch import load  # noqa: PLC0415

    tensors = load(models(trained(family, room)[0])[0])
    assert any(name.startswith(begins) for name in tensors)
    assert {name.partition(".")[2] for name in tensors} == {"lora_down.weight", "lora_up.weight", "alpha"}


def test_flux_of_the_published_width_has_its_layers_joined() -> None:
    """As kohya writes it, which diffusers reads back to the very matrices."""
    import torch  # noqa: PLC0415
    from diffusers import FluxPipeline  # noqa: PLC0415

    from heddle.engines.diffusers.training import names  # noqa: PLC0415

    class Core:
        inner_dim = 3072

    made = torch.Generator().manual_seed(1)
    shapes = {
        "transformer_blocks.0.attn.to_q": (3072, 3072), "transformer_blocks.0.attn.to_k": (3072, 3072),
        "transformer_blocks.0.attn.to_v": (3072, 3072), "transformer_blocks.0.ff.net.0.proj": (3072, 12288),
        "single_transformer_blocks.0.attn.to_q": (3072, 3072), "single_transformer_blocks.0.attn.to_k": (3072, 3072),
        "single_transformer_blocks.0.attn.to_v": (3072, 3072), "single_transformer_blocks.0.proj_mlp": (3072, 12288),
        "single_transformer_blocks.0.proj_out": (15360, 3072),
    }  # fmt: skip
    layers = {
        name: (torch.randn(2, wide, generator=made), torch.randn(high, 2, generator=made), 2.0)
        for name, (wide, high) in shapes.items()
    }
    written = names.written("flux1", Core(), layers)
    assert "lora_unet_single_blocks_0_linear1.lora_down.weight" in written
    read = FluxPipeline.lora_state_dict(dict(written))
    assert len(read) == 2 * len(layers)
    for name, (down, up, _) in layers.items():
        assert torch.equal(read[f"transformer.{name}.lora_A.weight"], down)
        assert torch.equal(read[f"transformer.{name}.lora_B.weight"], up)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "kind", "more"),
    [
        ("z-image", "z-image", {"optimizerType": "adamw8bit"}),
        ("qwen", "qwen", {"lrScheduler": "cosine", "shuffleTokens": True}),
        ("sd2", "sd2-768", {"minSnrGamma": 5.0, "noiseOffset": 0.05, "optimizerType": "adafactor", "flip": True}),
    ],
)
def test_other_families_and_ways(family: str, kind: str, more: dict[str, Any], tmp_path: Path) -> None:
    job = payload(family, kind, steps=6, batchSize=2, samples=["zlomp"], **more)
    made = list(start(job, Job(dataset(3), tmp_path)))
    assert [m.role for m in made] == ["", "sample", "loss-curve"]
    needs = engine().needs(job)
    assert needs is not None
    pipe = engine()._loaded[needs.model]
    from safetensors.torch import load  # noqa: PLC0415

    pipe.load_lora_weights(load(made[0].data), adapter_name="other")
    assert pipe.get_active_adapters() == ["other"]
    pipe.unload_lora_weights()
    if "8bit" in more.get("optimizerType", ""):
        assert made[0].metadata["approximations"] == ["optimizer adamw8bit: ran as adamw, in full precision"]


def test_a_dataset_with_a_broken_picture(tmp_path: Path) -> None:
    context = Job(dataset(1, broken=b"nonsense"), tmp_path)
    made = list(start(payload("flux1", steps=2, epochs=2), context))
    assert made[-1].output["images"] == 1
    assert made[-1].output["skipped"][0]["name"] == "broken.png"
    assert context.lines[0].startswith("1 pictures are left out: 'broken.png' is no picture")


def test_numbers_that_run_away_are_told_of(tmp_path: Path) -> None:
    job = payload("flux1", learningRate=1e30, steps=4, batchSize=1)
    with pytest.raises(EngineFailed, match="a lower learning rate may help"):
        list(start(job, Job(dataset(1), tmp_path)))


def test_base_models_that_cannot_learn() -> None:
    found = LoraTraining().problems(payload("sd1") | {"family": "sdxl"})
    assert found == {"model": f"{base('sd1').name!r} is a model of the kind sd1; for sdxl it must be sdxl"}
