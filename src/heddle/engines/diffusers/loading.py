"""From files to a pipeline, without a network: folders in diffusers' form, and single safetensors files.

A single file holds tensors and no configuration. `configs/` has one for each layout; what a file lacks (text encoders,
tokenizers) comes from the folder that the operator named as base of its kind.
"""

from __future__ import annotations

import inspect
import json
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heddle import registry
from heddle.engines.diffusers import files, memory, processors, vocabularies
from heddle.engines.diffusers.families import FAMILIES, Family
from heddle.engines.diffusers.files import Layout, Unreadable
from heddle.engines.diffusers.options import Options
from heddle.errors import EngineFailed

_SHIPPED = Path(__file__).parent / "configs"

#: Parts that a folder may have and that are left out: moderation is a step of its own.
_LEFT_OUT = ("safety_checker", "feature_extractor")


def load(
    family: str, path: str | Path, device: str = "cpu", dtype: str = "float32", options: Options | None = None
) -> Any:
    """The pipeline that makes pictures from nothing, or what the family has instead, on a device.

    `family` is a name in `FAMILIES`. Raises EngineFailed with what is wrong with the files.
    """
    options, path = options or Options(), Path(path)
    row = FAMILIES[family]
    layout = checked(row, path)
    stay_offline()
    with memory.told():
        try:
            pipeline = _of_folder(path, layout, dtype) if layout.folder else _of_file(row, path, layout, dtype, options)
        except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError) as error:
            # Whatever diffusers trips over is a fault of the files; memory is not.
            raise EngineFailed(f"{path.name!r} cannot be loaded as {family}: {first_line(error)}") from error
        pipeline.set_progress_bar_config(disable=True)
        return pipeline if device == "cpu" else pipeline.to(device)


def checked(row: Family, path: Path) -> Layout:
    """What lies there, which must fit the kind. Raises EngineFailed."""
    try:
        layout = files.look(path)
    except Unreadable as error:
        raise EngineFailed(str(error)) from error
    found = FAMILIES[layout.kind]
    if found.answers != row.answers and found.pipelines != row.pipelines:
        raise EngineFailed(f"{path.name!r} is a model of the kind {layout.kind}, not {row.name}")
    return layout


def derive(pipeline: Any, name: str, **more: Any) -> Any:
    """Another pipeline class over the same parts, and more: nothing is loaded or copied."""
    cls = class_named(name)
    if type(pipeline) is cls:
        return pipeline
    parts = {**_plain(pipeline.config), **pipeline.components, **more}
    taken = inspect.signature(cls.__init__).parameters
    made = cls(**{name: part for name, part in parts.items() if name in taken})
    made.set_progress_bar_config(disable=True)
    return made


def class_named(name: str) -> Any:
    """A class of diffusers by name, or one of `module:Class`."""
    import diffusers  # noqa: PLC0415 - heavy

    if ":" in name:
        return registry.load(name)
    return getattr(diffusers, name)


def torch_dtype(name: str) -> Any:
    """A type of torch by name."""
    import torch  # noqa: PLC0415 - heavy

    return getattr(torch, name)


def stay_offline() -> None:
    """Whatever a file says, nothing is asked of a hub from here; and no bars are drawn into the log."""
    import diffusers  # noqa: PLC0415 - heavy
    import transformers  # noqa: PLC0415 - heavy
    from huggingface_hub import constants  # noqa: PLC0415 - heavy

    constants.HF_HUB_OFFLINE = True
    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a pipeline that are no parts of it."""
    return {name: value for name, value in config.items() if not name.startswith("_") and not isinstance(value, tuple)}


def first_line(error: BaseException) -> str:
    """What an error of a library says, short."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else 'it says nothing'}"


# ── folders ───────────────────────────────────────────────────────────────────


def _of_folder(path: Path, layout: Layout, dtype: str) -> Any:
    cls = class_named(layout.architecture)
    taken = inspect.signature(cls.__init__).parameters
    left_out: dict[str, Any] = {name: None for name in _LEFT_OUT if name in taken}
    if "requires_safety_checker" in taken:
        left_out["requires_safety_checker"] = False
    return _assembled(path, layout, dtype, left_out)


def _assembled(path: Path, layout: Layout, dtype: str, given: Mapping[str, Any]) -> Any:
    """A folder's pipeline with some parts given; processors that transformers would not make here come after."""
    made = processors.without_torchvision(path, layout.processors)
    pipeline = class_named(layout.architecture).from_pretrained(
        path,
        dtype=torch_dtype(dtype),
        local_files_only=True,
        use_safetensors=True,
        variant=layout.variant or None,
        **dict.fromkeys(made),
        **given,
    )
    pipeline.register_modules(**made)
    return pipeline


# ── single files ──────────────────────────────────────────────────────────────


def _of_file(row: Family, path: Path, layout: Layout, dtype: str, options: Options) -> Any:
    if row.opener:
        return registry.load(row.opener)(path, dtype)
    if row.parts:
        return _whole(row, path, layout, dtype, options)
    return _core_on_base(row, path, layout, dtype, options)


def _whole(row: Family, path: Path, layout: Layout, dtype: str, options: Options) -> Any:
    """A file that has all parts."""
    if lacking := [part for part in row.parts if part not in layout.parts]:
        raise EngineFailed(lacks(row, path.name, lacking))
    cls = class_named(row.pipelines["create"])
    with _config(_architecture(row, layout), layout, options) as config:
        return cls.from_single_file(
            str(path),
            config=str(config),
            dtype=torch_dtype(dtype),
            local_files_only=True,
            **_tokenizers(row, path, layout, options),
        )


def _tokenizers(row: Family, path: Path, layout: Layout, options: Options) -> dict[str, Any]:
    """The tokenizers of each part; None leaves out the part that may be."""
    if row.name == "sd1":
        return {"tokenizer": vocabularies.clip()}
    if row.name.startswith("sd2"):
        return {"tokenizer": vocabularies.clip("!")}
    both = {"tokenizer": vocabularies.clip(), "tokenizer_2": vocabularies.clip("!")}
    if row.name == "sdxl":
        return both
    if "text_encoder_3" in layout.parts:
        return both | {"tokenizer_3": vocabularies.t5(options.tokenizers, path)}
    return both | {"text_encoder_3": None, "tokenizer_3": None}


def _core_on_base(row: Family, path: Path, layout: Layout, dtype: str, options: Options) -> Any:
    """A file of which the core is taken; the rest is the base folder's."""
    base = base_folder(row, options)
    if base is None:
        raise EngineFailed(lacks(row, path.name, ["text encoders", "vae", "tokenizers"]))
    about = checked(row, base)
    cls = _core_class(base, row.core)
    folder = config_folder(_architecture(row, layout), options) or base
    core = cls.from_single_file(
        str(path), config=str(folder), subfolder=row.core, dtype=torch_dtype(dtype), local_files_only=True
    )
    return _assembled(base, about, dtype, {row.core: core})


def lacks(row: Family, name: str, parts: list[str]) -> str:
    """The sentence for a single file that is not enough."""
    return (
        f"{name!r} has no {', no '.join(parts)}: name a folder of such a model in diffusers' form as"
        f" bases.{row.name} under [diffusers] in engines.toml, or add that folder to the catalog instead"
        if not row.parts
        else f"{name!r} has no {', no '.join(parts)}, and only whole checkpoints of {row.name} are loaded"
    )


def base_folder(row: Family, options: Options) -> Path | None:
    """Where the parts are that single files of a kind lack."""
    named = options.bases.get(row.name)
    return Path(named).expanduser() if named else None


def numbers(row: Family, layout: Layout, options: Options) -> Mapping[str, int]:
    """How many numbers there are by part, with those that a base folder gives. Raises Unreadable."""
    if layout.folder or row.parts or row.opener or (base := base_folder(row, options)) is None:
        return layout.numbers
    return {**files.look(base).numbers, row.core: layout.numbers.get(row.core, 0)}


def config_folder(architecture: str, options: Options) -> Path | None:
    """The operator's configuration of a layout, else the shipped one; None: there is none."""
    own = [Path(options.configs).expanduser()] if options.configs else []
    places = [folder / architecture for folder in (*own, _SHIPPED)]
    return next((place for place in places if place.is_dir()), None)


def _architecture(row: Family, layout: Layout) -> str:
    """Some kinds look alike in a file; then the catalog knows better."""
    return "sd2-768" if row.name == "sd2-768" else layout.architecture


def _core_class(base: Path, core: str) -> Any:
    index = json.loads((base / "model_index.json").read_text())
    return class_named(index[core][1])


@contextmanager
def _config(architecture: str, layout: Layout, options: Options) -> Generator[Path]:
    """The configuration of a file, changed where the file says that it differs."""
    folder = config_folder(architecture, options)
    assert folder is not None, "what is recognized has a configuration"
    changes = _changes(folder, layout)
    if not changes:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="heddle-") as place:
        copy = Path(place) / "config"
        shutil.copytree(folder, copy)
        for name, values in changes.items():
            file = copy / name
            file.write_text(json.dumps(json.loads(file.read_text()) | values))
        yield copy


def _changes(folder: Path, layout: Layout) -> dict[str, dict[str, Any]]:
    changes: dict[str, dict[str, Any]] = {}
    if layout.channels and layout.channels != json.loads((folder / "unet/config.json").read_text())["in_channels"]:
        changes["unet/config.json"] = {"in_channels": layout.channels}
    if layout.prediction:
        changes["scheduler/scheduler_config.json"] = {
            "prediction_type": layout.prediction,
            "rescale_betas_zero_snr": True,
        }
    return changes
