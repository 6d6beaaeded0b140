"""The graphs that the package holds are the networks, and compute what those do from the same file."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from training.shipped import FILE, FIRST, places, write

from heddle.engines.mini import plan, sampling, sessions, things, tokens, weights
from heddle.engines.mini.codec import Codec
from tests.engines.mini.conftest import random_weights
from tests.torch import WITHOUT, needs_torch

if WITHOUT is None:
    import torch
    from training.networks import Decoder, Layout, Painter, Reader, Text

pytestmark = needs_torch


@pytest.fixture(scope="module")
def halves() -> dict[str, np.ndarray]:
    """Weights that halves hold exactly."""
    return {name: values.astype(np.float16).astype(np.float32) for name, values in random_weights(3).items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, halves: dict[str, np.ndarray]) -> Path:
    """The graphs beside a file of weights, as anybody's onnxruntime takes them."""
    made = tmp_path_factory.mktemp("graphs")
    for graph in weights.GRAPHS.glob("*.onnx"):
        (made / graph.name).write_bytes(graph.read_bytes())
    write(made / FILE, halves, {"format": "mini-1", "quality": "none"})
    return made


def session(folder: Path, name: str) -> Any:
    import onnxruntime  # noqa: PLC0415 - heavy

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"])


def network(name: str, halves: dict[str, np.ndarray]) -> torch.nn.Module:
    kinds: dict[str, Any] = {"text": Text, "layout": Layout, "painter": Painter, "reader": Reader}
    codec = Codec(*(halves[f"codec.{part}"] for part in ("basis", "mean", "scale")))
    made = Decoder(codec) if name == "decoder" else kinds[name]()
    for key, weight in made.named_parameters():
        weight.data.copy_(torch.from_numpy(halves[f"{name}.{key}"]))
    return made.eval().requires_grad_(False)


def inputs(name: str, count: int, wide: int = 16) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(count)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(size=(count, *shape)).astype(np.float32)

    ids = np.zeros((count, 40), dtype=np.int64)
    ids[:, :9] = rng.integers(1, 400, (count, 9))
    bias = np.where(ids == 0, np.float32(-1e4), np.float32(0))[:, None, None]
    told = {"text": drawn(40, 144), "pooled": drawn(144), "bias": bias}
    time = {"time": rng.random(count, dtype=np.float32)}
    given: dict[str, dict[str, np.ndarray]] = {
        "text": {"ids": ids},
        "layout": {"x": drawn(*things.SHAPE), **time, **told},
        "painter": {"x": drawn(24, 16, 16), **time, "plan": drawn(plan.CHANNELS, 16, 16), **told},
        "decoder": {"x": drawn(24, 16, wide)},
        "reader": {"x": drawn(24, 16, wide)},
    }
    return given[name]


@pytest.mark.parametrize(
    ("name", "count", "wide"),
    [
        ("text", 1, 16), ("text", 3, 16), ("layout", 1, 16), ("layout", 4, 16), ("painter", 1, 16), ("painter", 4, 16),
        ("decoder", 1, 16), ("decoder", 2, 37), ("reader", 1, 16), ("reader", 2, 37),
    ],
)  # fmt: skip
def test_the_graphs_compute_what_the_networks_do(
    folder: Path, halves: dict[str, np.ndarray], name: str, count: int, wide: int
) -> None:
    given = inputs(name, count, wide)
    told = network(name, halves)(*(torch.from_numpy(values) for values in given.values()))
    wanted = [values.numpy() for values in (told if isinstance(told, tuple) else (told,))]
    made = session(folder, name).run(None, given)
    assert wanted[0].std() > 0.01
    for one, other in zip(made, wanted, strict=True):
        assert np.abs(one - other).max() < 1e-4


def test_the_file_lists_what_the_graphs_want_where_they_look_for_it(halves: dict[str, np.ndarray]) -> None:
    found = places({name: halves[name].shape for name in weights.shapes()})
    assert {name: place.shape for name, place in found.items()} == weights.shapes()
    assert next(iter(found.values())).start == FIRST
    assert sum(place.size for place in found.values()) < 15e6


def test_the_same_loop_with_pytorch_comes_to_the_same_picture(folder: Path, halves: dict[str, np.ndarray]) -> None:
    networks = {name: network(name, halves) for name in ("text", "layout", "painter")}

    def with_torch(name: str) -> Callable[..., sampling.Floats]:
        """`given` ends with the texts."""
        return lambda *given: networks[name](*map(torch.from_numpy, (*given[:-1], *given[-1]))).numpy()

    ids = torch.from_numpy(np.stack([tokens.encode("a red house"), tokens.encode("a cat")]))
    told = sampling.Told(*(values.numpy() for values in networks["text"](ids)))
    untold = sampling.Told(*(np.ascontiguousarray(values[::-1]) for values in told))
    knobs = sampling.Knobs(steps=3, sampler="heun")
    placed = sampling.laid_out(with_torch("layout"), told, [3, 4], knobs, against=untold)
    plans = sampling.plans(placed, (16, 16))
    latents = sampling.latents(with_torch("painter"), plans, told, untold, [3, 4], knobs)

    own = sessions.Sessions(folder / FILE, 1).networks([], lambda: None)
    for at, (prompt, negative) in enumerate((("a red house", "a cat"), ("a cat", "a red house"))):
        one, other = own.told([prompt, negative])
        alone = sampling.plans(sampling.laid_out(own.layout, one, [3 + at], knobs, against=other), (16, 16))
        assert np.abs(alone[0] - plans[at]).max() < 1e-3
        assert np.abs(sampling.latents(own.painter, alone, one, other, [3 + at], knobs)[0] - latents[at]).max() < 1e-3


@pytest.mark.skipif(find_spec("onnx") is None, reason="onnx is not installed: pip install 'heddle-cloud[train]'")
def test_the_package_holds_the_graphs_of_these_networks(tmp_path: Path) -> None:
    from training.export import export  # noqa: PLC0415 - it needs onnx

    export(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in weights.GRAPHS.iterdir()
    }


@pytest.fixture
def run(tmp_path: Path, halves: dict[str, np.ndarray]) -> Path:
    """A folder in which every stage was trained, as it seems."""
    from safetensors.numpy import save_file  # noqa: PLC0415 - not needed elsewhere

    for stage in ("text", "layout", "painter", "decoder", "reader"):
        named = "text.{}" if stage == "text" else "{}"
        held = {
            named.format(name.partition(".")[2]): values
            for name, values in halves.items()
            if name.partition(".")[0] == stage
        }
        said = {"step": "7", "seconds": "1.5", "views": "70"}
        save_file(held, tmp_path / f"{stage}.average.safetensors", metadata=said)
    codec = {part: halves[f"codec.{part}"] for part in ("basis", "mean", "scale")}
    save_file(codec, tmp_path / "codec.safetensors")
    return tmp_path


def test_what_is_packed_is_what_the_engine_reads(run: Path, halves: dict[str, np.ndarray]) -> None:
    target = run / "mini.safetensors"
    said = CliRunner().invoke(commands(), ["pack", str(run), str(target), "--quality", "preview"])
    assert said.exit_code == 0, said.output
    told = weights.metadata(target)
    assert told["quality"] == "preview"
    assert json.loads(told["training"])["painter"] == {"step": 7, "seconds": 1.5, "views": 70}
    read = weights.read(target)
    assert all(np.array_equal(values, halves[name]) for name, values in read.items())
    assert CliRunner().invoke(commands(), ["pack", str(run), str(target), "--quality", "good"]).exit_code == 2


def test_a_header_that_would_move_the_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shorten the metadata"):
        write(tmp_path / "w", {"x": np.zeros(3, np.float32)}, {"training": "x" * FIRST})
    assert not (tmp_path / "w").exists()


def commands() -> Any:
    from training.cli import main  # noqa: PLC0415 - it needs torch

    return main
