"""Devices are found by the driver's own tool, and each is a slot with what models may take there."""

from __future__ import annotations

from pathlib import Path

import pytest

from heddle.errors import UsageError
from heddle.fleet import devices
from heddle.settings import Settings


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An nvidia-smi of a machine with two GPUs, the only program on the path."""
    path = tmp_path / "bin" / "nvidia-smi"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n[ \"$2\" = --format=csv,noheader,nounits ] && echo '0, 24576\n1, 81559'\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/bin:/usr/bin")
    return path


def test_every_gpu_is_a_slot_that_sees_itself_alone(tool: Path) -> None:
    first, second = devices.of_machine(Settings())
    assert (first.name, first.memory_mb) == ("gpu-0", 24576 - 1024)
    assert (second.name, second.environment["CUDA_VISIBLE_DEVICES"]) == ("gpu-1", "1")


def test_gpus_may_be_chosen(tool: Path) -> None:
    [only] = devices.of_machine(Settings(devices="1", device_memory_mb=40_000))
    assert (only.name, only.memory_mb) == ("gpu-1", 40_000)
    with pytest.raises(UsageError, match="names GPU 2, and nvidia-smi shows: 0, 1"):
        devices.of_machine(Settings(devices="0,2"))


def test_the_cpu_is_one_too(tool: Path) -> None:
    [cpu] = devices.of_machine(Settings(devices="cpu"))
    assert cpu.name == "cpu"
    assert cpu.memory_mb > 100
    assert devices.of_machine(Settings(devices="none")) == []


@pytest.mark.parametrize("script", ["exit 9", "echo 'NVIDIA-SMI has failed'"])
def test_without_a_driver_it_is_the_cpu(tool: Path, script: str) -> None:
    tool.write_text(f"#!/bin/sh\n{script}\n")
    assert [device.name for device in devices.of_machine(Settings())] == ["cpu"]
