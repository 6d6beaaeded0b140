"""The table `[diffusers]` of `engines.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from heddle.engines.diffusers.families import ANSWERS, FAMILIES
from heddle.errors import UsageError


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: The model of a family when a job names none, by AIR, as in `sdxl = "urn:air:sdxl:checkpoint:heddle:1@1"`.
    models: dict[str, str] = {}
    #: `cuda`, `cuda:1`, `mps` or `cpu`; empty: the best that is there.
    device: str = ""
    #: What weights are computed in; empty: what the family takes on a GPU, float32 on a CPU.
    dtype: Literal["", "float32", "float16", "bfloat16"] = ""
    #: What leaves the GPU while it is not used: `none`, whole parts (`model`), single layers (`sequential`); `auto`
    #: decides by the memory of the device.
    offload: Literal["auto", "none", "model", "sequential"] = "auto"
    #: Whether the part that runs at every step is compiled: a slow first job, faster ones after it.
    compile: bool = False
    #: An attention backend by its name in diffusers, as `flash`, `sage` or `native`; empty: as it is.
    attention: str = ""
    #: Whether large pictures are decoded in tiles: less memory, and seams that may show.
    vae_tiling: bool = False
    #: Whether several pictures are decoded one after the other.
    vae_slicing: bool = False
    #: Jobs of all users that are drawn in one call, where only their words and seeds differ; 1: each by itself.
    batch: int = 1
    #: The largest picture, in pixels, for which that is done: large ones keep a device busy by themselves.
    batch_pixels: int = 512 * 512
    #: Megabytes of LoRAs, VAEs and ControlNets that stay loaded with a model between jobs.
    added_mb: float = 4000
    #: A folder with tokenizers that are not shipped, one folder each: `t5`, `qwen3`, ...
    tokenizers: str = ""
    #: Folders in diffusers' form that give what a single file lacks, by kind: `flux1 = "/models/flux1-dev"`.
    bases: dict[str, str] = {}
    #: A folder with configurations of single files that differ from the shipped ones, one folder for each layout.
    configs: str = ""
    #: How long the first byte to the last of a gigabyte takes to load, in seconds.
    seconds_per_gb: float = 1.5

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Options:
        """Raises UsageError that names the option."""
        try:
            found = msgspec.convert(dict(table), cls)
        except msgspec.ValidationError as error:
            known = ", ".join(cls.__struct_fields__)
            raise UsageError(f"[diffusers] in engines.toml: {error}", f"its options are: {known}") from error
        _check_names("models", found.models, ANSWERS)
        _check_names("bases", found.bases, tuple(FAMILIES))
        kind, _, number = found.device.partition(":")
        if kind not in {"", "cpu", "mps", "cuda"} or (number and not number.isdecimal()):
            raise UsageError(f"[diffusers] device is {found.device!r}", "write cuda, cuda:1, mps or cpu")
        folders = {"tokenizers": found.tokenizers, "configs": found.configs}
        for name, folder in folders.items():
            _check_folder(name, folder)
        for name, folder in found.bases.items():
            _check_folder(f"bases.{name}", folder)
        if not 1 <= found.batch <= 32:
            raise UsageError(f"[diffusers] batch is {found.batch}", "set it to 1 to 32; 1 draws each picture by itself")
        if not 64 * 64 <= found.batch_pixels <= 2048 * 2048:
            raise UsageError(f"[diffusers] batch_pixels is {found.batch_pixels}", "set it to 4,096 to 4,194,304")
        if not 0 <= found.added_mb <= 1_000_000:
            raise UsageError(f"[diffusers] added_mb is {found.added_mb:g}", "set it to 0 to 1,000,000")
        if not 0 <= found.seconds_per_gb <= 3600:
            raise UsageError(f"[diffusers] seconds_per_gb is {found.seconds_per_gb:g}", "set it to 0 to 3,600")
        return found


def _check_names(option: str, given: Mapping[str, str], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise UsageError(f"[diffusers] {option} names {name!r}", f"there are: {', '.join(known)}")


def _check_folder(option: str, folder: str) -> None:
    if folder and not Path(folder).expanduser().is_dir():
        raise UsageError(f"[diffusers] {option} is {folder!r}, which is no folder", "write the path of one that is")
