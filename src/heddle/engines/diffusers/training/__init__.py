"""The engine `lora`: trains LoRAs for models of diffusers, with peft.

`heddle.learning` has what any training does. Here `request.py` has the families, `objectives.py` what each is taught,
`adapters.py` the LoRA, `optimizers.py` and `loop.py` how it learns, `lora_files.py` and `names.py` what comes out,
`samples.py` what can be seen of it. Only this module and `request.py` are imported where nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from heddle import prices
from heddle.domain import JSON, Needs
from heddle.engines import JobContext, LoadContext, Made, Offer
from heddle.engines.diffusers import files
from heddle.engines.diffusers.families import FAMILIES
from heddle.engines.diffusers.files import Unreadable
from heddle.engines.diffusers.training import request
from heddle.errors import EngineFailed

_LIBRARIES = ("torch", "diffusers", "transformers", "peft", "safetensors")
#: What a training takes beside the weights themselves, as a share of them: gradients, and what layers said.
_BESIDE = 1.5
_LOAD_S_PER_GB = 2.0
#: Channels that a U-Net takes which only makes pictures.
_PLAIN_CHANNELS = 4


class LoraTraining:
    """Trains on one model at a time, which stays in memory for the next one."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def offer(self) -> Offer:
        return Offer(
            step_types=frozenset({"training"}),
            families=frozenset(request.FAMILIES),
            operations=frozenset({"lora"}),
            loads=True,
            device=True,
        )

    def missing(self) -> list[str]:
        lacking = [name for name in _LIBRARIES if find_spec(name) is None]
        return [f"{', '.join(lacking)} not installed: pip install 'heddle-cloud[torch]'"] if lacking else []

    def price(self, payload: JSON) -> float:
        return prices.training(payload)

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What of a payload cannot be done here."""
        found = request.problems(payload)
        base = payload.get("weights", {}).get(payload.get("model"))
        if base is not None and (problem := _cannot_learn(Path(base["path"]), payload["family"])):
            found["model"] = problem
        earlier = payload.get("continueFrom")
        file = payload.get("weights", {}).get(earlier) if earlier else None
        if file is not None and file["format"] != "SafeTensor":
            found["continueFrom"] = f"{earlier!r} is a {file['format']} file, and this must be safetensors"
        return found

    def needs(self, payload: JSON) -> Needs | None:
        weights = payload.get("weights", {}).get(payload.get("model"))
        if weights is None:
            return None
        size = weights["size"]
        return Needs(
            model=f"lora:{payload['family']}:{weights['path']}",
            memory_mb=max(1, round(size * _BESIDE / 2**20)),
            load_s=_LOAD_S_PER_GB * size / 10**9,
        )

    def load(self, model: str, context: LoadContext) -> None:
        from heddle.engines.diffusers.training import pipelines  # noqa: PLC0415 - torch

        self._loaded[model] = pipelines.load(Path(model.split(":", 2)[2]), context)

    def unload(self, model: str) -> None:
        from heddle.engines.diffusers.training import pipelines  # noqa: PLC0415 - torch

        self._loaded.pop(model, None)
        pipelines.free()

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        from heddle.engines.diffusers.training import loop  # noqa: PLC0415 - torch

        needs = self.needs(payload)
        if needs is None or needs.model not in self._loaded:
            raise EngineFailed(f"the base model {payload.get('model')!r} of the training is not loaded", retryable=True)
        earlier = payload.get("continueFrom")
        path = Path(payload["weights"][earlier]["path"]) if earlier else None
        yield from loop.train(self._loaded[needs.model], payload, context, earlier=path)


def _cannot_learn(path: Path, family: str) -> str:
    """Why a LoRA cannot be trained on a model; empty when it can."""
    try:
        layout = files.look(path)
    except Unreadable as error:
        return str(error)
    kinds = request.FAMILIES[family].kinds
    # A folder of SD 2 names the same pipelines as one of SD 1: what they are is known by the catalog alone.
    alike = {name for name, row in FAMILIES.items() if row.pipelines == FAMILIES[layout.kind].pipelines}
    if alike.isdisjoint(kinds):
        return f"{path.name!r} is a model of the kind {layout.kind}; for {family} it must be {' or '.join(kinds)}"
    if layout.channels > _PLAIN_CHANNELS and request.FAMILIES[family].noise == "diffusion":
        return f"{path.name!r} is a model for inpainting; LoRAs are trained on plain ones"
    return ""
