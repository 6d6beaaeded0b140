"""The engine `mini-lora`: trains LoRAs for the embedded model `mini`, in numpy.

`heddle.learning` has what any training does. Here `request.py` is what can be asked for, `tape.py` numbers that
gradients go back through, `forward.py` the networks, `adapters.py` the LoRA, `optimizer.py` and `loop.py` how it
learns, `samples.py` what can be seen of it. Only this module and `request.py` are imported where nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from heddle import prices, registry
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.engines.mini import Mini, loras, weights
from heddle.engines.mini.options import Options
from heddle.engines.mini.training import request
from heddle.engines.mini.weights import Unusable
from heddle.errors import EngineFailed


class MiniTraining:
    """Trains beside the weights that `mini` runs with, by its table of `engines.toml`."""

    def offer(self) -> Offer:
        """One family, whose LoRAs can be gone on from."""
        return Offer(
            step_types=frozenset({"training"}),
            families=frozenset({request.FAMILY}),
            operations=frozenset({"lora"}),
            adds=True,
        )

    def missing(self) -> list[str]:
        """What the engine itself lacks: a LoRA is of no use without it."""
        engine = Mini()
        engine.configure(_table())
        return engine.missing()

    def price(self, payload: JSON) -> float:
        """By steps, epochs and samples."""
        return prices.training(payload)

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What of a payload cannot be done here."""
        found = request.problems(payload)
        earlier = _earlier(payload)
        if earlier is not None:
            try:
                names = {row.weight for row in loras.check(earlier).values()}
            except Unusable as error:
                found["continueFrom"] = str(error)
                return found
            if strange := sorted(name for name in names if not request.LEARNS.fullmatch(name.removesuffix(".weight"))):
                found["continueFrom"] = f"{earlier.name!r} changes {strange[0]}, which is no layer that learns here"
        return found

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """Each epoch's LoRA, its samples, and the loss curve. Raises JobError."""
        from heddle.engines.mini.training import loop  # noqa: PLC0415 - numpy is for those who train

        if reasons := self.missing():
            raise EngineFailed(f"mini cannot be trained here: {' '.join(reasons)}")
        file = _weights()
        yield from loop.train(
            loop.network(file), payload, context, earlier=_earlier(payload), base=weights.fingerprint(file)
        )


def _table() -> Mapping[str, Any]:
    return registry.options().get("mini", {})


def _weights() -> Path:
    named = Options.of(_table()).weights
    return Path(named).expanduser() if named else weights.SHIPPED


def _earlier(payload: JSON) -> Path | None:
    """The LoRA to go on from."""
    named = payload.get("continueFrom")
    return Path(payload["weights"][named]["path"]) if named else None
