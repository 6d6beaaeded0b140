"""The engine `openai-images`: pictures from a server that speaks OpenAI's images API, made or edited.

`options.py` reads the table `[openai-images]` of `engines.toml`, `asking.py` speaks with the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heddle import prices
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.engines.openai_images.options import Options

NAME = "openai-images"

#: Members of a job that the API has no word for, and what is said of them.
_UNKNOWN: Mapping[str, tuple[str, str]] = {
    "negativePrompt": ("negativePrompt", "is not known to OpenAI's images API; say in `prompt` what is wanted"),
    "sampler": ("sampler", "cannot be chosen in OpenAI's images API"),
    "clipSkip": ("clipSkip", "is not known to OpenAI's images API"),
    "networks": ("additionalNetworks", "cannot be added in OpenAI's images API"),
}


class OpenAIImages:
    """A client of one server, which has the models."""

    def __init__(self) -> None:
        self._options = Options()

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of(options)

    def offer(self) -> Offer:
        """Pictures of the family `openai`."""
        return Offer(
            step_types=frozenset({"imageGen"}),
            families=frozenset({NAME, "openai"}),
            operations=frozenset({"create", "edit"}),
            sides=(1, 8192),
            lookahead=0,
            elsewhere=True,
        )

    def missing(self) -> list[str]:
        """A server's address; whether it answers is not asked here."""
        if self._options.url:
            return []
        return ['No server is set; write url = "…/v1" under [openai-images] in engines.toml.']

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What the API has no word for."""
        found = {field: text for name, (field, text) in _UNKNOWN.items() if payload.get(name)}
        size = f"{payload['width']}x{payload['height']}"
        if self._options.sizes and size not in self._options.sizes:
            found["width"] = f"{size} is not a size of this server's pictures: {', '.join(self._options.sizes)}"
        model = payload.get("model")
        if model is not None and model not in self._options.models:
            named = ", ".join(sorted(self._options.models)) or "none"
            found["model"] = f"{model!r} is not one of those that may be asked for here: {named}"
        return found

    def price(self, payload: JSON) -> float:
        """The public price, times the operator's factor."""
        return self._options.price_factor * prices.image({**payload, "family": "openai"})

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One picture."""
        from heddle.engines.openai_images.asking import asked  # noqa: PLC0415 - the server only plans

        yield asked(payload, context, self._options)
