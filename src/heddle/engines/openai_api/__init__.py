"""The engine `openai-api`: text from a server that speaks OpenAI's chat completions.

llama.cpp, vLLM, Ollama, LM Studio, a hosted service: whatever `url` under `[openai-api]` in `engines.toml` points to.
`options.py` reads the table; `studio/chat.py` speaks with the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from heddle import prices
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.engines.openai_api.options import Options
from heddle.errors import EngineFailed

if TYPE_CHECKING:
    from heddle.studio.chat import Chat

#: The longest answer where the caller does not say, in tokens.
_TOKENS = 1024


class OpenAIApi:
    """A client of one server, which has the models."""

    def __init__(self) -> None:
        self._options = Options()

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of(options)

    def offer(self) -> Offer:
        """Answers, for every family of language models: the server knows which models it has."""
        return Offer(
            step_types=frozenset({"textGen"}),
            families=frozenset({"openai-api", *prices.TEXT}),
            operations=frozenset({"chat"}),
            lookahead=1,
            elsewhere=True,
        )

    def missing(self) -> list[str]:
        """A server's address; whether it answers is not asked here."""
        return [] if self._options.url else ['No server is set; write url = "…/v1" under [openai-api] in engines.toml.']

    def price(self, payload: JSON) -> float:
        """1 Buzz an answer, and what the operator asks for 1,000 tokens, as many as it reads and may write."""
        return prices.text(payload, self._options.buzz_per_1000_tokens, _TOKENS)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """All choices in one answer; the first is the blob."""
        from heddle.studio.chat import Chat  # noqa: PLC0415 - the server only plans

        options = self._options
        with Chat(
            options.url, engine="openai-api", tokens=_TOKENS, silence_s=options.silence_s, key=options.key
        ) as chat:
            model = self._model(payload) or _first(chat)
            answer = chat.answer(payload, context, model)
        yield Made(
            data=answer["text"].encode(),
            mime="application/json" if payload.get("json") else "text/plain",
            metadata={"engine": "openai-api", "model": answer["model"], "seed": payload["seed"]},
            output=answer,
        )

    def _model(self, payload: JSON) -> str:
        """As the caller says, by the operator's names; else the operator's; empty: the server's first."""
        options, wanted = self._options, str(payload.get("model") or "")
        if wanted in options.models:
            return options.models[wanted]
        if wanted and not options.any_model and wanted != options.model:
            named = ", ".join(sorted({*options.models, options.model} - {""})) or "none by name"
            raise EngineFailed(f"model: {wanted!r} is not one of those that may be asked for here: {named}")
        return wanted or options.model


def _first(chat: Chat) -> str:
    models = chat.models()
    if not models:
        raise EngineFailed("model: the server lists none; name one")
    return models[0]
