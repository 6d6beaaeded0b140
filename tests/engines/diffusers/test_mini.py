"""The embedded model as a pipeline of diffusers: what the engine `mini` draws, by the way that large models take."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tests.engines.diffusers.conftest import draw, payload, pixels
from tests.engines.mini_training import weights
from tests.moving import Watcher
from tests.torch import WITHOUT, needs_torch

from heddle.engines.diffusers import Diffusers, samplers
from heddle.engines.mini import Mini
from heddle.engines.mini import weights as shipped
from heddle.errors import EngineFailed, JobCanceled
from heddle.learning import lora_files
from heddle.studio.previews import Preview

if WITHOUT is None:
    import torch

    from heddle.engines.mini.torch.pipeline import opened

pytestmark = needs_torch

LORA = "urn:air:mini:lora:heddle:2@2"


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights.written(tmp_path_factory.mktemp("mini") / "mini.safetensors")


@pytest.fixture(scope="module")
def engine() -> Diffusers:
    return Diffusers()


def job(file: Path, **more: Any) -> dict[str, Any]:
    return payload("mini", file, width=256, height=256, steps=4, cfgScale=2.5, seed=11) | more


def source() -> bytes:
    """Soft spots, as latents have them."""
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 255, (256, 256, 3), dtype=np.uint8)).filter(ImageFilter.GaussianBlur(12))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def by_mini(file: Path, job: dict[str, Any], watcher: Watcher) -> np.ndarray:
    """The same job by the engine `mini`."""
    engine = Mini()
    engine.configure({"weights": str(file)})
    [made] = engine.run(job | {"model": None, "weights": job["weights"]}, watcher)
    return pixels(made.data)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"negativePrompt": "blue, night", "cfgScale": 1.0},
        {"width": 384, "height": 272},
        {"operation": "variant", "images": ["blob_source"], "strength": 0.3},
        {"operation": "variant", "images": ["blob_source"], "strength": 1.0},
        {"sampler": "Euler"},
    ],
    ids=["plain", "negative", "wide", "variant", "full strength", "euler"],
)
def test_the_picture_is_that_of_the_engine_mini(engine: Diffusers, file: Path, more: dict[str, Any]) -> None:
    """From the same noise; what is left is how two libraries add."""
    given = job(file, **more)
    made = pixels(draw(engine, given, Watcher(blob_source=source())).data).astype(int)
    other = by_mini(file, given, Watcher(blob_source=source())).astype(int)
    assert made.shape == other.shape == (given["height"], given["width"], 3)
    if given["height"] == 256:
        off = np.abs(made - other)
        assert off.mean() < 0.2
        assert np.quantile(off, 0.999) <= 2
    else:  # they are scaled in other ways
        assert np.abs(made - other).mean() < 25
    assert made.std() > 10


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_nearly_the_same(file: Path, dtype: str) -> None:
    """As devices have it; there is no GPU to try it on."""

    def painted(dtype: str) -> np.ndarray:
        generator = torch.Generator().manual_seed(3)
        pipe = opened(file, dtype)
        return np.asarray(pipe("a red house", num_inference_steps=2, generator=generator, output_type="np").images[0])

    assert np.abs(painted(dtype).astype(float) - painted("float32")).mean() < 0.03


@pytest.mark.parametrize("name", [name for name in samplers.names(flow=True) if " " not in name or "+" in name])
def test_samplers_of_flow_models(engine: Diffusers, file: Path, name: str) -> None:
    """Each comes to a picture, near to that of Euler where it adds no noise."""
    euler = pixels(draw(engine, job(file, steps=8)).data).astype(int)
    made = pixels(draw(engine, job(file, steps=8, sampler=name)).data).astype(int)
    assert made.std() > 10
    if name in {"DPM++ 2M", "UniPC", "DEIS", "DPM++ 2S a"}:
        assert np.abs(made - euler).mean() < 60, "two pictures of chance are 97 apart"


def lora(path: Path, network: str = "painter") -> Path:
    """One of rank 2 that changes a network's trunk, as trainings write it."""
    rng = np.random.default_rng(6)
    layers = [
        name.removesuffix(".weight")
        for name in shipped.shapes()
        if name.startswith(f"{network}.trunk.blocks") and name.endswith((".query.weight", ".inner.weight"))
    ]
    tensors: dict[str, np.ndarray] = {}
    for layer in layers:
        outputs, inputs = shipped.shapes()[f"{layer}.weight"]
        tensors[f"{layer}.lora_A.weight"] = rng.normal(size=(2, inputs)) / 8
        tensors[f"{layer}.lora_B.weight"] = rng.normal(size=(outputs, 2)) / 8
        tensors[f"{layer}.alpha"] = np.array(4.0)
    path.write_bytes(lora_files.written(tensors, {}))
    return path


def with_lora(file: Path, path: Path, strength: float) -> dict[str, Any]:
    given = job(file, networks=[{"air": LORA, "strength": strength}])
    given["weights"][LORA] = {"path": str(path), "folder": False, "format": "SafeTensor", "type": "LORA"}
    return given


@pytest.mark.parametrize("network", ["painter", "layout"])
def test_loras_are_those_of_the_engine_mini(engine: Diffusers, file: Path, tmp_path: Path, network: str) -> None:
    path = lora(tmp_path / "x.safetensors", network)
    plain = pixels(draw(engine, job(file)).data).astype(int)
    given = with_lora(file, path, 0.8)
    made = pixels(draw(engine, given).data).astype(int)
    assert np.abs(made - plain).max() > 10
    # There the sum of both is rounded to halves, here it is not.
    assert np.abs(made - by_mini(file, given, Watcher())).mean() < 0.5
    assert np.array_equal(pixels(draw(engine, with_lora(file, path, 0.0)).data), plain)
    assert np.array_equal(pixels(draw(engine, job(file)).data), plain)


def test_a_lora_of_another_model_is_refused(engine: Diffusers, file: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    layer = "painter.trunk.blocks.0.itself.query"
    tensors = {f"{layer}.lora_A.weight": np.ones((2, 100)), f"{layer}.lora_B.weight": np.ones((192, 2))}
    path.write_bytes(lora_files.written(tensors, {}))
    with pytest.raises(EngineFailed, match="is not for this model: 1 of its 1 layers do not fit"):
        draw(engine, with_lora(file, path, 1.0))


def test_progress_goes_through_both_rounds(engine: Diffusers, file: Path) -> None:
    notes: list[str] = []

    class Noting(Watcher):
        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            notes.append(note)

        def preview(self, draw: Callable[[int], Preview]) -> None:
            seen.append(draw(0))

    seen: list[Preview] = []
    watcher = Noting()
    draw(engine, job(file), watcher)
    assert [note for note in notes if note.startswith("step")] == [f"step {n} of 8" for n in range(1, 9)]
    assert watcher.reported == sorted(watcher.reported)
    assert len(seen) == 4, "only the painter's latents can be seen"


@pytest.mark.parametrize("step", [3, 7])
def test_a_cancel_comes_within_a_step_of_either(engine: Diffusers, file: Path, step: int) -> None:
    class Impatient(Watcher):
        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            if note.startswith(f"step {step}"):
                raise JobCanceled("enough")

    before = pixels(draw(engine, job(file)).data)
    with pytest.raises(JobCanceled):
        draw(engine, job(file), Impatient())
    assert np.array_equal(pixels(draw(engine, job(file)).data), before)


def test_a_file_of_another_version_is_refused(engine: Diffusers, file: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file  # noqa: PLC0415

    tensors = load_file(file)
    tensors["painter.leave.weight"] = tensors["painter.leave.weight"][:20]
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "mini-1", "quality": "preview"})
    given = job(tmp_path / "x.safetensors")
    with pytest.raises(EngineFailed, match=r"is of another version: 1 of its tensors"):
        draw(engine, given)
