"""Trainings of `mini` on weights drawn by chance: the loss falls, an interrupted one ends as if it had not been, and
the file changes what is drawn."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from safetensors.numpy import load, save
from tests.engines.mini_training import weights
from tests.learning.jobs import Job

from heddle import registry
from heddle.engines import Made
from heddle.engines.mini import Mini
from heddle.engines.mini import weights as weights_of_mini
from heddle.engines.mini.training import MiniTraining, adapters, loop, request, samples
from heddle.engines.mini.training.adapters import ALPHA, DOWN, UP
from heddle.engines.mini.training.forward import Network
from heddle.errors import EngineFailed, JobCanceled
from heddle.learning import course

LORA = "urn:air:mini:lora:heddle:2@2"
STEPS = 12


def picture(n: int) -> bytes:
    """A red disk on green stripes, somewhere."""
    image = Image.new("RGB", (300, 280), (30, 120 + n, 60))
    pen = ImageDraw.Draw(image)
    for at in range(0, 300, 30):
        pen.rectangle((at, 0, at + 14, 280), fill=(20, 160, 90))
    pen.ellipse((40 + 20 * n, 60, 160 + 20 * n, 180), fill=(220, 40, 20))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def dataset(count: int = 6, **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(count):
            archive.writestr(f"{n}.png", picture(n))
            archive.writestr(f"{n}.txt", f"zlomp, a red circle, number {n}")
        for name, data in more.items():
            archive.writestr(f"{name}.png", data)
    return out.getvalue()


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trainings")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Samples in few steps, and no option left behind."""
    monkeypatch.setattr(loop, "SAMPLE_STEPS", 3)
    yield
    registry.set_options({})


@cache
def base(room: Path) -> Path:
    return weights.written(room / "mini.safetensors")


def payload(**more: Any) -> dict[str, Any]:
    """As planning writes it."""
    given = {
        "family": "mini", "data": "blob_zip", "steps": STEPS, "epochs": 1, "batchSize": 4, "learningRate": 3e-3,
        "networkDim": 4, "networkAlpha": 4, "flip": False, "shuffleTokens": False, "keepTokens": 0, "samples": [],
        "seed": 3, "triggerWord": "zlomp",
    }  # fmt: skip
    return given | more


def run(room: Path, job: dict[str, Any], context: Job) -> list[Made]:
    registry.set_options({"mini": {"weights": str(base(room))}})
    engine = MiniTraining()
    assert (engine.problems(job), engine.missing()) == ({}, [])
    return list(engine.run(job, context))


def models(made: Sequence[Made]) -> list[bytes]:
    return [one.data for one in made if not one.role]


def about(data: bytes) -> dict[str, str]:
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]


@cache
def trained(room: Path) -> tuple[tuple[Made, ...], tuple[float, ...], Job]:
    """One whole training of two epochs, with what each step lost."""
    context = Job(dataset(), room / "whole")
    made = tuple(run(room, payload(epochs=2, flip=True), context))
    state = (room / "whole" / "state.safetensors").read_bytes()
    return made, tuple(json.loads(about(state)["losses"])), context


def brief(**more: Any) -> dict[str, Any]:
    """Too short to learn much, and long enough to be interrupted."""
    return payload(steps=4, epochs=2, batchSize=2, samples=["zlomp"], shuffleTokens=True) | more


@cache
def unbroken(room: Path) -> tuple[Made, ...]:
    return tuple(run(room, brief(), Job(dataset(), room / "brief")))


def drawn(room: Path, lora: bytes | None = None, prompt: str = "zlomp", scale: float = 1.0) -> np.ndarray:
    """What the networks paint with a LoRA merged into their weights, or without."""
    held = dict(loop.network(base(room)).held)
    tensors = load(lora) if lora else {}
    for key in [key for key in tensors if key.endswith(DOWN)]:
        layer = key.removesuffix(DOWN)
        down, up = (tensors[layer + end].astype(np.float32) for end in (DOWN, UP))
        share = np.float32(scale * float(tensors[layer + ALPHA]) / len(down))
        more = (up.reshape(len(up), -1) @ down.reshape(len(down), -1)) * share
        held[f"{layer}.weight"] = held[f"{layer}.weight"] + more.reshape(held[f"{layer}.weight"].shape)
    wanted = request.wanted(payload())
    return np.asarray(samples.picture(Network(held), wanted, prompt, 5, lambda: None, steps=2))


def test_the_loss_falls(room: Path) -> None:
    made, losses, context = trained(room)
    assert len(losses) == STEPS
    quarter = STEPS // 4
    assert np.mean(losses[-quarter:]) < 0.8 * np.mean(losses[:quarter])
    assert [(m.role, m.output.get("epoch")) for m in made] == [("", 1), ("", 2), ("loss-curve", None)]
    assert context.fractions == sorted(context.fractions)
    assert any(note.startswith(f"step {STEPS} of {STEPS}, loss ") for note in context.notes)
    assert Image.open(io.BytesIO(made[-1].data)).size == (960, 540)


def test_the_file_changes_what_is_drawn(room: Path) -> None:
    first, last = models(trained(room)[0])
    without = drawn(room)
    assert np.abs(drawn(room, last).astype(int) - without).max() > 10
    assert np.abs(drawn(room, last).astype(int) - drawn(room, first)).max() > 2
    assert np.array_equal(drawn(room, last, scale=0.0), without)


@pytest.mark.slow
def test_samples_show_what_was_learned(room: Path) -> None:
    """Each epoch draws from the same noise, and draws something else."""
    made = unbroken(room)
    assert [(m.role, m.output.get("epoch")) for m in made] == [
        ("", 1), ("sample", 1), ("", 2), ("sample", 2), ("loss-curve", None),
    ]  # fmt: skip
    one, other = (Image.open(io.BytesIO(m.data)) for m in made if m.role == "sample")
    assert one.size == other.size == (256, 256)
    assert one.tobytes() != other.tobytes()
    assert made[1].output == {"epoch": 1, "prompt": "zlomp"}


def test_samples_are_what_the_engine_draws_with_the_file(room: Path, tmp_path: Path) -> None:
    """But for the rounding of the sum of weights to halves, which random weights make much of."""
    *_, model, sample, _ = unbroken(room)
    file = tmp_path / "x.safetensors"
    file.write_bytes(model.data)
    engine = Mini()
    engine.configure({"weights": str(base(room))})
    given = {
        "family": "mini", "operation": "create", "prompt": "zlomp", "width": 256, "height": 256, "steps": 3,
        "cfgScale": request.CFG, "seed": brief()["seed"], "images": [], "networks": [{"air": LORA, "strength": 1.0}],
        "weights": {LORA: {"path": str(file)}},
    }  # fmt: skip
    [made] = engine.run(given, Job(b"", tmp_path))
    one, other = (np.asarray(Image.open(io.BytesIO(data))).astype(int) for data in (sample.data, made.data))
    assert np.abs(one - other).mean() < 2
    [plain] = engine.run(given | {"networks": []}, Job(b"", tmp_path))
    assert np.abs(one - np.asarray(Image.open(io.BytesIO(plain.data)))).mean() > 2


@pytest.mark.slow
def test_after_a_death_it_ends_as_if_nothing_had_been(room: Path, tmp_path: Path) -> None:
    with pytest.raises(MemoryError):
        run(room, brief(), Job(dataset(), tmp_path, "step 4 of", error=MemoryError))
    context = Job(dataset(), tmp_path)
    assert [m.data for m in run(room, brief(), context)] == [m.data for m in unbroken(room)]
    assert context.lines == ["goes on behind step 2 of 4"]
    assert not any(note.startswith("step 2 of") for note in context.notes)


@pytest.mark.slow
def test_a_checkpoint_between_epochs(room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "CHECKPOINT_S", 0.0)
    with pytest.raises(MemoryError):
        run(room, brief(), Job(dataset(), tmp_path, "step 4 of", error=MemoryError))
    context = Job(dataset(), tmp_path)
    assert models(run(room, brief(), context)) == models(unbroken(room))
    assert context.lines == ["goes on behind step 3 of 4"]


def test_a_cancel_comes_within_a_step(room: Path, tmp_path: Path) -> None:
    context = Job(dataset(), tmp_path, "step 2 of")
    with pytest.raises(JobCanceled):
        run(room, payload(), context)
    notes = [note.partition(",")[0] for note in context.notes if note.startswith("step")]
    assert notes == ["step 1 of 12"] * 2 + ["step 2 of 12"]


def test_a_cancel_comes_within_a_sample(room: Path, tmp_path: Path) -> None:
    context = Job(dataset(), tmp_path, "epoch 1: sample 1 of 1")
    with pytest.raises(JobCanceled):
        run(room, brief(), context)
    assert loop.network(base(room)).learned == {}


def test_what_files_say(room: Path) -> None:
    made, losses, _ = trained(room)
    first, last = (about(data) for data in models(made))
    assert (first["ss_network_dim"], first["ss_network_alpha"]) == ("4", "4.0")
    assert (first["ss_steps"], last["ss_steps"], first["ss_epoch"]) == (str(STEPS // 2), str(STEPS), "1")
    assert (first["ss_base_model_version"], first["modelspec.architecture"]) == ("mini", "mini/lora")
    assert first["modelspec.trigger_phrase"] == "zlomp"
    assert json.loads(first["ss_tag_frequency"])["zlomp"]["zlomp"] == 6
    assert json.loads(first["ss_bucket_info"]) == {"buckets": {"0": {"resolution": [256, 256], "count": 6}}}
    assert float(last["ss_loss"]) == pytest.approx(np.mean(losses[-50:]), abs=1e-5)
    tensors = load(models(made)[0])
    assert tensors["painter.trunk.blocks.0.itself.query.lora_A.weight"].shape == (4, 192)
    assert {name.rpartition(".lora_")[0] or name.removesuffix(ALPHA) for name in tensors} == set(
        adapters.layers(loop.network(base(room)).held)
    )


@pytest.mark.slow
def test_going_on_from_a_file(room: Path, tmp_path: Path) -> None:
    """The first steps lose what the last steps of the earlier training lost, and its rank is kept."""
    made, losses, _ = trained(room)
    file = tmp_path / "earlier.safetensors"
    file.write_bytes(models(made)[-1])
    again = run(room, going_on(file), Job(dataset(), tmp_path / "job"))
    state = about((tmp_path / "job" / "state.safetensors").read_bytes())
    assert np.mean(json.loads(state["losses"])) < np.mean(losses[:4])
    assert about(models(again)[0])["ss_network_dim"] == "4"


def going_on(file: Path) -> dict[str, Any]:
    where = {"path": str(file), "folder": False, "format": "SafeTensor", "size": 1, "type": "LORA"}
    return payload(continueFrom=LORA, weights={LORA: where}, networkDim=8, steps=4, seed=4)


def spoiled(data: bytes, change: str) -> bytes:
    """A LoRA with one thing wrong in it."""
    tensors = load(data)
    query = "painter.trunk.blocks.0.itself.query"
    if change == "shape":
        tensors[query + DOWN] = np.zeros((4, 191), dtype=np.float16)
    elif change == "half":
        del tensors[query + UP]
    elif change == "numbers":
        tensors[query + UP][0, 0] = np.inf
    elif change == "large":
        tensors[query + ALPHA] = np.array(70000, dtype=np.float32)
    elif change == "rank":
        tensors[query + DOWN] = np.zeros((0, 192), dtype=np.float16)
    elif change == "layer":
        tensors["painter.enter" + DOWN] = np.zeros((1, 46, 3, 3), dtype=np.float16)
        tensors["painter.enter" + UP] = np.zeros((104, 1, 1, 1), dtype=np.float16)
    else:
        tensors = {"lora_unet_down_blocks_0.lora_down.weight": np.zeros((4, 4), dtype=np.float16)}
    return save(tensors)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("shape", r"changes painter\.trunk\.blocks\.0\.itself\.query\.weight with halves of the shapes \[4, 191\]"),
        ("half", "has one half only"),
        ("rank", "with the rank 0; it may be 1 to 256"),
        ("other", "is not for mini"),
        ("layer", r"changes painter\.enter\.weight, which is no layer that learns here"),
        ("nonsense", "is no safetensors file"),
    ],
)
def test_files_that_cannot_be_gone_on_from(change: str, said: str, room: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"nonsense" if change == "nonsense" else spoiled(models(trained(room)[0])[-1], change))
    assert re.search(said, MiniTraining().problems(going_on(file))["continueFrom"])


@pytest.mark.parametrize(
    ("change", "said"),
    [("numbers", "that are none"), ("large", "that 16 bits cannot hold")],
)
def test_files_that_turn_out_to_be_wrong(change: str, said: str, room: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(spoiled(models(trained(room)[0])[-1], change))
    with pytest.raises(EngineFailed, match=rf"continueFrom: 'x\.safetensors' .*{said}"):
        run(room, going_on(file), Job(dataset(1), tmp_path / "job"))


def test_a_dataset_with_a_broken_picture(room: Path, tmp_path: Path) -> None:
    context = Job(dataset(1, broken=b"nonsense"), tmp_path)
    made = run(room, payload(steps=1), context)
    assert (made[-1].output["images"], made[-1].output["skipped"][0]["name"]) == (1, "broken.png")
    assert context.lines[0].startswith("1 pictures are left out: 'broken.png' is no picture")


def test_what_is_no_zip(room: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="not a zip"):
        run(room, payload(), Job(b"nonsense", tmp_path))


def test_numbers_that_run_away_are_told_of(room: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="a lower learning rate may help"), np.errstate(all="ignore"):
        run(room, payload(learningRate=1e30, steps=3), Job(dataset(1), tmp_path))


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"resolution": 512}, "resolution", "'mini' learns at 256, and not at 512"),
        ({"optimizerType": "prodigy"}, "optimizerType", "is not one of: adamw, adamw8bit, adam8bit"),
        ({"lrScheduler": "step"}, "lrScheduler", "is not one of: constant, constant_with_warmup, cosine, linear"),
        ({"trainTextEncoder": True}, "trainTextEncoder", "text encoders are not trained here"),
        ({"minSnrGamma": 5.0}, "minSnrGamma", "trained on flow"),
    ],
)
def test_what_cannot_be_asked_for(given: dict[str, Any], field: str, said: str) -> None:
    found = MiniTraining().problems(payload(**given))
    assert list(found) == [field]
    assert said in found[field]


def test_without_weights_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(weights_of_mini, "SHIPPED", tmp_path / "none")
    assert MiniTraining().missing() == ["This version of Heddle has no weights for it."]


def test_optimizers_take_the_steps_of_torch() -> None:
    torch = pytest.importorskip("torch")
    from heddle.engines.mini.training.optimizer import Adam  # noqa: PLC0415
    from heddle.engines.mini.training.tape import Value  # noqa: PLC0415

    rng = np.random.default_rng(2)
    start = rng.normal(size=(5, 3)).astype(np.float32)
    value, other = Value(start.copy(), learns=True), torch.nn.Parameter(torch.from_numpy(start.copy()))
    mine, theirs = Adam({"x": value}, loop.DECAY), torch.optim.AdamW([other], lr=0.01)
    for _ in range(5):
        gradient = rng.normal(size=(5, 3)).astype(np.float32)
        value.gradient, other.grad = gradient, torch.from_numpy(gradient.copy())
        torch.nn.utils.clip_grad_norm_([other], 1.0)
        mine.step(0.01)
        theirs.step()
    assert np.abs(value.numbers - other.detach().numpy()).max() < 1e-6
