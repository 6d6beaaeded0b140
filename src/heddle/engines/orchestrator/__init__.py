"""The engine `orchestrator`: another Heddle, or a server that speaks the same API, runs a job of this one.

    the step as it was asked for -> uploads -> one workflow with one step there -> its outputs become ours

`options.py` reads the table `[orchestrator]` of `engines.toml`, `there.py` speaks with the other server, `forward.py`
is one job, `results.py` makes artifacts of what the other server made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from heddle import air, prices
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.engines.orchestrator.options import Options

NAME = "orchestrator"

#: The member of an input that counts the servers that it came through. Servers that do not know it ignore it.
HOPS = "overflowHops"

#: What a job of each step type costs, before the operator's factor.
_PRICES: Mapping[str, Callable[[JSON], float]] = {
    "imageGen": prices.image,
    "videoGen": prices.video,
    "audioGen": prices.audio,
    "music": prices.audio,
    "tts": prices.speech,
    "upscale": prices.upscale,
    "interpolate": prices.interpolation,
    "transcribe": lambda payload: max(1.0, payload.get("durationMs", 60_000) / 30_000),
    "textGen": lambda payload: float(payload.get("n", 1)),
    "moderation": lambda _: 1.0,
}

#: Those whose price is a family's.
_BY_FAMILY = frozenset({"imageGen", "videoGen", "audioGen", "music"})

_OPERATIONS = frozenset({"create", "variant", "edit", "chat", "transcribe", "upscale", "interpolate", "text", "media"})


class Orchestrator:
    """A client of one server, as one account of it."""

    def __init__(self) -> None:
        self._options = Options()

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of(options)

    def offer(self) -> Offer:
        """By its name, and for the families that the operator lists, where no engine of this server can run them."""
        return Offer(
            step_types=frozenset(_PRICES),
            families=frozenset({NAME, *self._options.families}),
            operations=_OPERATIONS,
            sides=(1, 16384),
            lookahead=0,
            elsewhere=True,
            forwards=True,
        )

    def missing(self) -> list[str]:
        """A server's address and a token; whether they are good is not asked here."""
        found: list[str] = []
        if not self._options.url:
            found.append('No server is set; write url = "https://…" under [orchestrator] in engines.toml.')
        elif not self._options.token:
            found.append('No token is set; write token = "…" under [orchestrator] in engines.toml.')
        return found

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What already came through other servers: two that hand on to each other would do so for ever."""
        if (hops := hops_of(payload)) < self._options.hops:
            return {}
        return {"engine": f"this came through {hops} other servers already, and is not handed on to another one"}

    def price(self, payload: JSON) -> float:
        """The public price, times the operator's factor; what it costs there is between the two servers."""
        return self._options.price_factor * self._public(payload)

    def _public(self, payload: JSON) -> float:
        kind = payload["asked"]["type"]
        if payload.get("family", NAME) != NAME or kind not in _BY_FAMILY:
            return _PRICES[kind](payload)
        # Named by itself: whose price it is, only a model can tell.
        family = _family(payload["asked"]["input"].get("model")) if kind == "imageGen" else None
        if family is not None:
            return _PRICES[kind]({**payload, "family": family})
        return self._options.unknown_price * (payload["durationMs"] / 1000 if kind == "videoGen" else 1)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """What the other server made."""
        from heddle.engines.orchestrator.forward import Forward  # noqa: PLC0415 - the server only plans

        yield from Forward(payload, context, self._options).made()


def _family(model: object) -> str | None:
    """The family of pictures that a model is of, by its AIR."""
    try:
        ecosystem = air.parse(str(model)).ecosystem or ""
    except air.NotAnAir:
        return None
    rows = prices.IMAGE.items()
    return next((name for name, row in rows if ecosystem == name or ecosystem in row.ecosystems), None)


def hops_of(payload: JSON) -> int:
    """How many servers a job came through."""
    given = payload["asked"]["input"].get(HOPS, 0)
    return given if isinstance(given, int) and given > 0 else 0
