"""The engine `openai-api`: text from a server that speaks OpenAI's chat completions.

llama.cpp, vLLM, Ollama, LM Studio, a hosted service: whatever `url` under `[openai-api]` in `engines.toml` points to.
`options.py` reads the table, `chat.py` speaks with the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heddle import prices
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.engines.openai_api.options import Options

#: The longest answer where the caller does not say, in tokens.
TOKENS = 1024
#: And how many letters a token has, about.
_LETTERS = 4


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
        )

    def missing(self) -> list[str]:
        """A server's address; whether it answers is not asked here."""
        return [] if self._options.url else ['No server is set; write url = "…/v1" under [openai-api] in engines.toml.']

    def price(self, payload: JSON) -> float:
        """1 Buzz an answer, and what the operator asks for 1,000 tokens, as many as it reads and may write."""
        read = sum(len(message["text"]) for message in payload["messages"]) / _LETTERS
        tokens = read + (payload.get("maxWords") or TOKENS)
        return payload.get("n", 1) * (1 + self._options.buzz_per_1000_tokens * tokens / 1000)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """All choices in one answer; the first is the blob."""
        from heddle.engines.openai_api.chat import Chat  # noqa: PLC0415 - the server only plans

        with Chat(self._options) as chat:
            answer = chat.answer(payload, context)
        yield Made(
            data=answer["text"].encode(),
            mime="application/json" if payload.get("json") else "text/plain",
            metadata={"engine": "openai-api", "model": answer["model"], "seed": payload["seed"]},
            output=answer,
        )
