"""What is refused at submit, by the first bytes of a file."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from heddle.engines.spandrel import Spandrel
from heddle.errors import UsageError

AIR = "urn:air:other:upscaler:heddle:1@1"
GOOD = {"w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}


def packed(header: Any, data: bytes = b"1234") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def problems(path: Path, **more: Any) -> str:
    weights = {"path": str(path), "folder": False, "format": "SafeTensor", "type": "Upscaler", "size": 100} | more
    return Spandrel().problems({"model": AIR, "weights": {AIR: weights}}).get("model", "")


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(packed(GOOD | {"__metadata__": {"a": "b"}}))
    assert problems(tmp_path / "model") == ""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "longer than the file"),
        (b"\x01\x00", "longer than the file"),
        (struct.pack("<Q", 1 << 40) + b"{}", "longer than the file"),
        (b"PK\x03\x04" + b"\0" * 40, "is no safetensors file"),
        (packed(b"not json"), "where its tensors lie"),
        (packed(b"[" * 5000), "where its tensors lie"),
        (packed([1]), "where its tensors lie"),
        (packed({"w": 1}), "where its tensors lie"),
        (packed({"w": {"data_offsets": []}}), "where its tensors lie"),
        (packed({"w": {"data_offsets": [0, "x"]}}), "where its tensors lie"),
        (packed({"__metadata__": {}}, b""), "holds no tensors"),
        (packed(GOOD, b"12"), "cut off"),
        (packed(GOOD, b"123456"), "added to"),
    ],
)
def test_torn_files(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "model").write_bytes(data)
    said = problems(tmp_path / "model")
    assert says in said
    assert said.startswith(repr(AIR))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"format": "PickleTensor"}, "'PickleTensor'; upscaling models are loaded from safetensors only"),
        ({"format": "GGUF"}, "safetensors only"),
        ({"folder": True}, "is a folder"),
        ({"type": "Checkpoint"}, "'Checkpoint', and this must be an 'Upscaler'"),
    ],
)
def test_what_is_no_upscaler(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    (tmp_path / "model").write_bytes(packed(GOOD))
    assert says in problems(tmp_path / "model", **more)
    assert "No such file" in problems(tmp_path / "gone")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tile": 10}, "tile is 10"),
        ({"tile": 64, "overlap": 17}, "overlap is 17"),
        ({"overlap": -1}, "overlap is -1"),
        ({"device": "gpu"}, "device is 'gpu'"),
        ({"device": "cuda:x"}, "device is 'cuda:x'"),
        ({"dtype": "int8"}, "dtype"),
        ({"seconds_per_gb": -1}, "seconds_per_gb is -1"),
        ({"tiles": 5}, "tiles"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Spandrel().configure(options)
    assert says in f"{caught.value} {caught.value.message}"


def test_needs_name_the_file(tmp_path: Path) -> None:
    engine = Spandrel()
    engine.configure({"model": AIR, "tile": 256, "dtype": "bfloat16", "device": "cuda:1"})
    assert engine.default_model("esrgan") == AIR
    needs = engine.needs({"model": AIR, "weights": {AIR: {"path": "/models/a.safetensors", "size": 67_000_000}}})
    assert needs is not None
    assert needs.model == "spandrel:/models/a.safetensors"
    assert 1000 < needs.memory_mb < 3000
    assert 3 < needs.load_s < 4
