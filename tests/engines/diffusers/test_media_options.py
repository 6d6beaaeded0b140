"""What the operator sets for videos and sounds, and where a model is put."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heddle.engines.diffusers.device import Device
from heddle.engines.diffusers.folders import Folder
from heddle.engines.diffusers.media_options import Options, needed
from heddle.engines.diffusers.opening import placed
from heddle.engines.diffusers.sounds import DiffusersAudio
from heddle.engines.diffusers.videos import DiffusersVideo
from heddle.errors import UsageError


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"models": {"wam": "urn:air:x"}}, "models names 'wam'"),
        ({"device": "gpu"}, "device is 'gpu'"),
        ({"dtype": "int8"}, "Invalid enum value 'int8'"),
        ({"offlaod": "model"}, "unknown field `offlaod`"),
        ({"seconds_per_gb": -1}, "seconds_per_gb is -1"),
    ],
)
def test_options_that_cannot_be(table: dict[str, Any], words: str) -> None:
    for name, engine in (("diffusers-video", DiffusersVideo()), ("diffusers-audio", DiffusersAudio())):
        with pytest.raises(UsageError) as refused:
            engine.configure(table)
        assert words in refused.value.message
        assert f"[{name}]" in refused.value.message


def test_the_default_model_is_the_one_that_the_operator_names() -> None:
    engine = DiffusersVideo()
    assert engine.default_model("wan") is None
    engine.configure({"models": {"wan": "urn:air:wanvideo:checkpoint:heddle:1@1"}})
    assert engine.default_model("wan") == "urn:air:wanvideo:checkpoint:heddle:1@1"


@pytest.mark.parametrize(
    ("memory_mb", "options", "offload", "dtype"),
    [
        (0, {}, "none", "float32"),
        (80_000, {}, "none", "bfloat16"),
        (40_000, {}, "model", "bfloat16"),
        (12_000, {}, "sequential", "bfloat16"),
        (12_000, {"offload": "none", "dtype": "float16"}, "none", "float16"),
    ],
)
def test_where_a_model_is_put(memory_mb: int, options: dict[str, Any], offload: str, dtype: str) -> None:
    """14 thousand million numbers in the transformer, 6 in the text encoder."""
    numbers = {"transformer": 14_000_000_000, "text_encoder": 6_000_000_000}
    folder = Folder(
        path=Path("wan"), pipeline="WanPipeline", values={}, parts=frozenset(numbers), variant="", numbers=numbers
    )
    there = Device(name="cuda" if memory_mb else "cpu", memory_mb=memory_mb)
    placement = placed(folder, there, Options(**options))
    assert (placement.offload, placement.dtype) == (offload, dtype)
    counted = placed(folder, there, Options(**options), room_mb=1000.0)
    assert counted.offload == ("sequential" if memory_mb and not options else "none"), "no more than was counted"


def test_what_a_model_needs() -> None:
    numbers = {"transformer": 1_000_000_000, "vae": 100_000_000}
    half = Options(dtype="bfloat16")
    assert needed("m", numbers, (), half, working_mb=500).memory_mb == 2700
    assert needed("m", numbers, ("vae",), half, working_mb=500).memory_mb == 2900
    shared = Options(dtype="bfloat16", offload="model")
    assert needed("m", numbers, (), shared, working_mb=500).memory_mb == 2500
    assert needed("m", numbers, (), half, working_mb=0).load_s == pytest.approx(5.3)
    gpu = Options(device="cuda")
    held = {room: needed("m", numbers, (), gpu, working_mb=500, room_mb=room).memory_mb for room in (2700, 2699, 2400)}
    assert held == {2700: 2700, 2699: 2500, 2400: 2400}
