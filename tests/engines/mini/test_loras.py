"""LoRAs: what they do to a picture, and files that are not to be believed."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.engines.mini.conftest import Watcher, payload, pixels, random_weights

from heddle.engines import Made
from heddle.engines.mini import Mini, loras, sessions
from heddle.errors import EngineFailed

Draw = Callable[..., Made]
AIR = "urn:air:mini:lora:heddle:1000000001@1000000001"
LAYERS = {"painter.trunk.blocks.0.feed.inner": (576, 192), "layout.trunk.blocks.1.itself.out": (160, 160)}
DOWN, UP = "layout.trunk.modulation.lora_A.weight", "layout.trunk.modulation.lora_B.weight"


def tensors(form: tuple[str, str] = ("lora_A.weight", "lora_B.weight"), seed: int = 0) -> dict[str, np.ndarray]:
    """Of the rank 4, for two layers."""
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}
    for layer, (rows, columns) in LAYERS.items():
        made[f"{layer}.{form[0]}"] = rng.normal(0, 0.3, (4, columns)).astype(np.float32)
        made[f"{layer}.{form[1]}"] = rng.normal(0, 0.3, (rows, 4)).astype(np.float32)
    return made


def saved(path: Path, held: Mapping[str, np.ndarray]) -> Path:
    save_file(dict(held), path)
    return path


def stack(*networks: tuple[Path, float]) -> dict[str, Any]:
    """The members of a payload that name them."""
    airs = [f"{AIR[:-1]}{path.stem[-1]}" for path, _ in networks]
    return {
        "networks": [{"air": air, "strength": s} for air, (_, s) in zip(airs, networks, strict=True)],
        "weights": {air: {"path": str(path)} for air, (path, _) in zip(airs, networks, strict=True)},
    }


def far(one: Made, other: Made) -> float:
    return float(np.abs(pixels(one) - pixels(other)).mean())


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return saved(tmp_path / "style1.safetensors", tensors())


# ── what they do ──────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_the_more_strength_the_more_it_changes(draw: Draw, lora: Path) -> None:
    plain = draw()
    changed = [far(draw(**stack((lora, strength))), plain) for strength in (0.1, 0.5, 1)]
    assert 0 < changed[0] < changed[1] < changed[2]
    assert far(draw(**stack((lora, -0.5))), plain) > 0


def test_without_strength_it_is_the_base_bit_for_bit(draw: Draw, lora: Path) -> None:
    plain = draw()
    for given in (stack((lora, 0)), stack((lora, 0.7), (lora, -0.7))):
        made = draw(**given)
        assert far(made, plain) == 0
        assert len(made.metadata["networks"]) == len(given["networks"])
    nothing = {name: values * 0 for name, values in tensors().items()}
    assert far(draw(**stack((saved(lora.parent / "none2.safetensors", nothing), 1))), plain) == 0


def test_one_that_is_named_twice_is_as_strong_as_both(draw: Draw, lora: Path) -> None:
    assert far(draw(**stack((lora, 0.25), (lora, 0.5))), draw(**stack((lora, 0.75)))) == 0


def test_a_stack_changes_what_each_changes(draw: Draw, lora: Path) -> None:
    other = saved(lora.parent / "other2.safetensors", tensors(seed=1))
    both = draw(**stack((lora, 0.5), (other, 0.5)))
    assert far(both, draw(**stack((lora, 0.5)))) > 0
    assert far(both, draw(**stack((other, 0.5)))) > 0
    assert far(both, draw(**stack((lora, 0.5), (other, 0.5)))) == 0


@pytest.mark.parametrize("prefix", ["", "transformer.", "unet.", "diffusion_model.", "base_model.model."])
@pytest.mark.parametrize(
    "form",
    [
        ("lora_A.weight", "lora_B.weight"), ("lora_A.default.weight", "lora_B.default.weight"),
        ("lora_down.weight", "lora_up.weight"), ("lora.down.weight", "lora.up.weight"),
    ],
)  # fmt: skip
def test_every_spelling_means_the_same(lora: Path, prefix: str, form: tuple[str, str]) -> None:
    path = saved(lora.parent / "same.safetensors", {prefix + name: v for name, v in tensors(form).items()})
    assert _merged(path) == _merged(lora)


def test_alphas_and_halves_of_16_bits_count(lora: Path) -> None:
    base = {name: values.astype(np.float16) for name, values in random_weights().items()}
    name = "painter.trunk.blocks.0.feed.inner"
    alpha = {f"{layer}.alpha": np.array(2.0, dtype=np.float32) for layer in LAYERS}
    path = saved(lora.parent / "alpha.safetensors", tensors() | alpha)
    held = tensors()
    wanted = held[f"{name}.lora_B.weight"] @ held[f"{name}.lora_A.weight"] * 0.6 * 2 / 4
    [network] = [loras.Network(air=AIR, at=0, strength=0.6, path=path)]
    grown = loras.merged(base, [network])[f"{name}.weight"].astype(float) - base[f"{name}.weight"]
    assert np.abs(grown - wanted).max() < 2e-3
    halves = {name: values.astype(np.float16) for name, values in tensors().items()}
    assert set(_merged(saved(lora.parent / "half.safetensors", halves))) == {f"{layer}.weight" for layer in LAYERS}


def test_bfloat16_is_read(lora: Path) -> None:
    """numpy has no such numbers: a file that says them is written by hand."""
    held = {name: (values.view(np.uint32) >> 16).astype("<u2") for name, values in tensors().items()}
    shown = {name: (values.astype(np.uint32) << 16).view(np.float32) for name, values in held.items()}
    path = lora.parent / "bf16.safetensors"
    _write(path, {name: ("BF16", list(values.shape), values.tobytes()) for name, values in held.items()})
    assert _merged(path) == _merged(saved(lora.parent / "f32.safetensors", shown))


def test_convolutions_embeddings_and_words_can_be_changed(draw: Draw, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    held = {
        "painter.down.0.first.lora_A.weight": drawn(2, 104, 3, 3),
        "painter.down.0.first.lora_B.weight": drawn(104, 2, 1, 1),
        "text_encoder.words.lora_A.weight": drawn(2, 144),
        "text_encoder.words.lora_B.weight": drawn(495, 2),
    }
    assert far(draw(**stack((saved(tmp_path / "a1.safetensors", held), 1))), draw()) > 0
    assert set(_merged(tmp_path / "a1.safetensors")) == {"painter.down.0.first.weight", "text.words.weight"}


def test_sessions_of_stacks_are_few_and_the_same_again(weights_file: Path, lora: Path) -> None:
    held = sessions.Sessions(weights_file, 1)
    stacks = [
        [loras.Network(air=AIR, at=0, strength=strength, path=lora)] for strength in np.linspace(0.1, 1, 7).tolist()
    ]
    for networks in stacks:
        held.networks(networks, lambda: None)
    kept = len(held._stacks)
    last = held._changed(stacks[-1])
    assert kept == sessions.MOST_STACKS
    assert held._changed(stacks[-1]) is last
    assert set(last) == {"layout", "painter"}


def test_a_file_that_was_changed_is_read_anew(draw: Draw, lora: Path) -> None:
    before = draw(**stack((lora, 1)))
    saved(lora, tensors(seed=5) | {f"{layer}.alpha": np.float32([4]) for layer in LAYERS})
    assert far(draw(**stack((lora, 1))), before) > 0


def _merged(path: Path) -> dict[str, bytes]:
    base = {name: values.astype(np.float16) for name, values in random_weights().items()}
    made = loras.merged(base, [loras.Network(air=AIR, at=0, strength=1.0, path=path)])
    return {name: values.tobytes() for name, values in made.items()}


# ── files that are not to be believed ─────────────────────────────────────────


def _write(path: Path, entries: Mapping[str, tuple[str, list[int], bytes]], **changed: Any) -> Path:
    header: dict[str, Any] = {}
    data = b""
    for name, (dtype, shape, content) in entries.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header | changed).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def _good(**changed: np.ndarray | None) -> dict[str, np.ndarray]:
    """One layer's change, with some of it another way."""
    made: dict[str, np.ndarray | None] = {DOWN: np.ones((2, 160), np.float32), UP: np.ones((960, 2), np.float32)}
    made |= {{"down": DOWN, "up": UP}.get(name, name): values for name, values in changed.items()}
    return {name: values for name, values in made.items() if values is not None}


HOSTILE: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "another model": (
        {"transformer.blocks.0.attn.lora_A.weight": np.ones((2, 8), np.float32)}, "which the model does not have",
    ),
    "the decoder": ({"decoder.enter.lora_A.weight": np.ones((2, 216), np.float32)}, "does not have"),
    "no LoRA": ({"layout.enter.weight": np.ones((160, 22), np.float32)}, "no tensor of a LoRA"),
    "a DoRA": (_good(**{"layout.enter.lora_magnitude_vector": np.ones(160, np.float32)}), "no tensor of a LoRA"),
    "a long name": ({"x" * 5000 + ".lora_A.weight": np.ones(1, np.float32)}, "no tensor of a LoRA"),
    "one half": (_good(up=None), "one half only"),
    "a wrong width": (_good(down=np.ones((2, 159), np.float32)), r"\[2, 159\]"),
    "a wrong height": (_good(up=np.ones((961, 2), np.float32)), r"\[961, 2\]"),
    "two ranks": (_good(up=np.ones((960, 3), np.float32)), r"\[960, 3\]"),
    "a large rank": (
        _good(down=np.ones((257, 160), np.float32), up=np.ones((960, 257), np.float32)), "with the rank 257",
    ),
    "no rank": (_good(down=np.ones((0, 160), np.float32), up=np.ones((960, 0), np.float32)), "with the rank 0"),
    "a number alone": (_good(down=np.float32(1)[None], up=np.float32(1)[None]), "shapes"),
    "a wide alpha": (_good(**{"layout.trunk.modulation.alpha": np.ones(3, np.float32)}), "it is one number"),
    "whole numbers": (_good(down=np.ones((2, 160), np.int32)), "as I32; numbers may be F16, BF16, F32"),
    "said twice": (_good(**{"layout.trunk.modulation.lora_down.weight": np.ones((2, 160), np.float32)}), "twice"),
    "nothing": ({}, "holds no tensors"),
    "many tensors": ({f"layout.{n}.alpha": np.ones(1, np.float32) for n in range(2001)}, "holds 2001 tensors"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_files_that_do_not_fit_are_refused_at_submit_and_when_they_run(engine: Mini, tmp_path: Path, case: str) -> None:
    held, said = HOSTILE[case]
    _refused(engine, saved(tmp_path / "bad1.safetensors", held), said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no safetensors file"), (b"PK\x03\x04" + b"\0" * 100, "no safetensors file"),
        (b"\x80\x04\x95" + b"." * 100, "no safetensors file"),
        (struct.pack("<Q", 2**62) + b"{}", "no safetensors file"),
        (struct.pack("<Q", 2) + b"{]", "no safetensors file"),
        (struct.pack("<Q", 14) + b'{"a":[[[[[[[[[', "no safetensors file"),
    ],
)  # fmt: skip
def test_files_that_are_something_else_are_refused(engine: Mini, tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bad1.safetensors"
    path.write_bytes(content)
    _refused(engine, path, said)


def test_headers_that_lie_are_refused(engine: Mini, tmp_path: Path) -> None:
    path, one = tmp_path / "bad1.safetensors", np.ones((2, 160), np.float32).tobytes()
    beyond = {"dtype": "F32", "shape": [2, 160], "data_offsets": [0, 10**12]}
    _refused(engine, _write(path, {DOWN: ("F32", [2, 160], one)}, **{UP: beyond}), "no safetensors file")
    _refused(engine, _write(path, {DOWN: ("F32", [2, 2**60], one)}), "no safetensors file")
    _refused(engine, _write(path, {DOWN: ("F32", [2, 160], one + one)}), "no safetensors file")


def test_a_file_that_is_too_large_is_not_opened(engine: Mini, tmp_path: Path) -> None:
    path = tmp_path / "bad1.safetensors"
    with path.open("wb") as file:
        file.truncate(loras.MOST_BYTES + 1)
    _refused(engine, path, r"67,108,865 bytes; a LoRA for mini has 67,108,864 at most")


def test_a_file_that_is_gone_is_refused(engine: Mini, tmp_path: Path) -> None:
    _refused(engine, tmp_path / "bad1.safetensors", "not there any more")


def _refused(engine: Mini, path: Path, said: str) -> None:
    given = payload(**stack((path, 1)))
    [(field, sentence)] = engine.problems(given).items()
    assert field == "additionalNetworks[0].air"
    assert "'bad1.safetensors'" in sentence
    assert str(path.parent) not in sentence
    with pytest.raises(EngineFailed, match=said) as error:
        list(engine.run(given, Watcher()))
    assert sentence in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_end_the_job_with_a_reason(draw: Draw, tmp_path: Path, value: float) -> None:
    down = np.ones((2, 160), np.float32)
    down[1, 7] = value
    path = saved(tmp_path / "bad1.safetensors", _good(down=down))
    with pytest.raises(EngineFailed, match=r"lora_A\.weight' that are none \(NaN or infinite\)"):
        draw(**stack((path, 1)))


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_changes_beyond_all_measure_end_the_job_with_a_reason(draw: Draw, tmp_path: Path, size: float) -> None:
    held = {name: values * np.float32(size) for name, values in _good().items()}
    with pytest.raises(EngineFailed, match="too large for numbers of 16 bits; take less strength"):
        draw(**stack((saved(tmp_path / "bad1.safetensors", held), 1)))


@pytest.mark.parametrize("kind", ["lycoris", "dora", "embedding", "controlnet"])
def test_networks_of_other_kinds_are_refused(engine: Mini, lora: Path, kind: str) -> None:
    air = f"urn:air:mini:{kind}:heddle:1000000001@1000000001"
    given = payload(networks=[{"air": air, "strength": 1}], weights={air: {"path": str(lora)}})
    assert engine.problems(given) == {"additionalNetworks[0].air": f"{air!r} is a {kind}; mini takes LoRAs"}
