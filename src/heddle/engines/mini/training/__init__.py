"""The engine `mini-lora`: trains LoRAs for the embedded model `mini`, in numpy.

`heddle.learning` has what any training does. Here `request.py` is what can be asked for, `tape.py` numbers that
gradients go back through, `forward.py` the networks, `adapters.py` the LoRA, `optimizer.py` and `loop.py` how it
learns, `samples.py` what can be seen of it. Only this module and `request.py` are imported where nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from heddle import prices
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.engines.mini.training import request

#: The weights of the base model.
WEIGHTS = Path(__file__).parents[1] / "mini.safetensors"


class MiniTraining:
    """Trains beside the weights that are shipped, or others."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._weights = weights

    def offer(self) -> Offer:
        """One family."""
        return Offer(
            step_types=frozenset({"training"}),
            families=frozenset({request.FAMILY}),
            operations=frozenset({"lora"}),
        )

    def missing(self) -> list[str]:
        """The weights, where none are shipped."""
        return [] if self._weights.exists() else ["this version is shipped without weights of 'mini'"]

    def price(self, payload: JSON) -> float:
        """By steps, epochs and samples."""
        return prices.training(payload)

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What of a payload cannot be done here."""
        found = request.problems(payload)
        earlier = payload.get("continueFrom")
        file = payload.get("weights", {}).get(earlier) if earlier else None
        if file is not None and file["format"] != "SafeTensor":
            found["continueFrom"] = f"{earlier!r} is a {file['format']} file, and this must be safetensors"
        return found

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """Each epoch's LoRA, its samples, and the loss curve."""
        from heddle.engines.mini.training import loop, weights  # noqa: PLC0415 - numpy is for those who train

        earlier = payload.get("continueFrom")
        path = Path(payload["weights"][earlier]["path"]) if earlier else None
        yield from loop.train(weights.read(self._weights), payload, context, earlier=path)
