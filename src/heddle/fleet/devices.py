"""The devices of this machine that engines with models run on: each gets a worker process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from heddle.errors import UsageError
from heddle.settings import Settings, visible_gpus

#: What the driver and the libraries need of a GPU's memory beside models, in MiB.
_KEPT_BACK = 1024
_ASK = ("--query-gpu=index,memory.total", "--format=csv,noheader,nounits")
_ASK_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One of them, as the name of a slot, with what models may take of its memory in MiB."""

    name: str
    memory_mb: int
    #: What its worker process sees in its environment.
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def of_machine(settings: Settings) -> list[Device]:
    """The devices that the settings ask for. Raises UsageError for one that is not there."""
    if settings.devices == "none":
        return []
    there = {} if settings.devices == "cpu" else _gpus()
    visible = visible_gpus()
    if settings.devices == "auto" and visible is not None:
        # Whoever shares the machine was given some of them.
        there = {index: memory_mb for index, memory_mb in there.items() if str(index) in visible}
    if settings.devices not in {"auto", "cpu"}:
        there = _chosen(settings.devices, there)
    sizes = {f"gpu-{index}": (index, memory_mb - _KEPT_BACK) for index, memory_mb in there.items()}
    if not sizes:
        # Engines look for a GPU themselves, and would find one that was not meant.
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if settings.devices == "cpu" else {}
        size = settings.device_memory_mb or _half_of_memory_mb()
        return [Device(name="cpu", memory_mb=size, environment=hidden)]
    return [
        Device(
            name=name,
            memory_mb=settings.device_memory_mb or max(1, size),
            # The order in which nvidia-smi counts them is not the one that CUDA counts in by itself.
            environment={"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": str(index)},
        )
        for name, (index, size) in sizes.items()
    ]


def _chosen(wanted: str, there: Mapping[int, int]) -> dict[int, int]:
    indices = sorted({int(part) for part in wanted.split(",")})
    lost = [index for index in indices if index not in there]
    if lost:
        has = ", ".join(map(str, there)) or "none"
        raise UsageError(
            f"HEDDLE_DEVICES names GPU {lost[0]}, and nvidia-smi shows: {has}", "`auto` takes all there are"
        )
    return {index: there[index] for index in indices}


def _gpus() -> dict[int, int]:
    """The memory of each NVIDIA GPU in MiB, by its index; asked of the driver's own tool, so that nothing is loaded."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {}
    try:
        said = subprocess.run([tool, *_ASK], capture_output=True, text=True, timeout=_ASK_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = (re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*", line) for line in said.splitlines())
    return {int(row[1]): int(row[2]) for row in rows if row}


def _half_of_memory_mb() -> int:
    pages: int = os.sysconf("SC_PHYS_PAGES")
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20 // 2
