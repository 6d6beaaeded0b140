"""What is told of GPUs and of weights by a process that loads no library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heddle.engines.transformers import folders
from heddle.studio import gpus


@pytest.mark.parametrize(
    ("device", "visible", "there"),
    [
        ("nvidia0", None, True),
        ("nvidia3", "3", True),
        ("dxg", None, True),
        ("nvidiactl", None, False),
        ("nvidia0", "", False),
        ("nvidia0", "-1", False),
    ],
)
def test_a_gpu_shows_among_the_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, visible: str | None, there: bool
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (tmp_path / device).touch()
    assert gpus.there(tmp_path) is there


def test_a_gpu_that_engines_are_kept_from_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "nvidia0").touch()
    for chosen, there in (("auto", True), ("0", True), ("cpu", False)):
        monkeypatch.setenv("HEDDLE_DEVICES", chosen)
        assert gpus.there(tmp_path) is there


def test_halves_stay_halves_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"dtype": "bfloat16"}))
    monkeypatch.setattr(gpus, "there", lambda: False)
    assert folders.growth(str(tmp_path)) == 2.0
    monkeypatch.setattr(gpus, "there", lambda: True)
    assert folders.growth(str(tmp_path)) == 1.0


def test_a_configuration_that_is_too_deep_is_none(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    assert folders.read(str(tmp_path), "config.json") == {}
