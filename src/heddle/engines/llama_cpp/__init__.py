"""The engine `llama-cpp`: answers by GGUF models of the catalog, which llama.cpp runs.

`load` starts llama.cpp's server in a process of its own (`server.py`), because it ends the process it is in where it
finds itself in the wrong; `run` speaks with it as with any other server (`studio/chat.py`); `unload` ends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from heddle import prices
from heddle.domain import JSON, Needs
from heddle.engines import JobContext, LoadContext, Made, Offer
from heddle.engines.llama_cpp.options import Options

if TYPE_CHECKING:
    from heddle.engines.llama_cpp.server import Server

NAME = "llama-cpp"

#: The longest answer where the caller does not say, in tokens.
_TOKENS = 1024

#: Memory beside the weights, and how fast weights are read, for plans alone.
_BESIDE_MB = 512
_MB_PER_S = 400

#: How long it may think before the first token: it reads the whole conversation first.
_SILENCE_S = 600.0


class LlamaCpp:
    """Models in memory, each in the process of its server."""

    def __init__(self) -> None:
        self._options = Options()
        self._servers: dict[str, Server] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of(options)

    def offer(self) -> Offer:
        """Answers, for every family: which model is of which, the catalog says."""
        return Offer(
            step_types=frozenset({"textGen"}),
            families=frozenset({NAME, *prices.TEXT}),
            operations=frozenset({"chat"}),
            lookahead=1,
            loads=True,
            formats=frozenset({"GGUF"}),
            device=True,
        )

    def missing(self) -> list[str]:
        """A sentence about the library, where it is not there."""
        if find_spec("xllamacpp") is None:
            return ["The library 'xllamacpp' is not installed; `pip install 'heddle-cloud[llama]'` brings it."]
        return []

    def default_model(self, family: str) -> str | None:
        """As the operator set it."""
        return self._options.models.get("default" if family == NAME else family)

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What llama.cpp cannot run."""
        model = payload["model"]
        weights = payload["weights"][model]
        if weights["format"] != "GGUF" or weights["folder"]:
            what = "a folder" if weights["folder"] else weights["format"]
            return {"model": f"{model!r} is {what}; llama.cpp runs one file in the format GGUF"}
        return {}

    def price(self, payload: JSON) -> float:
        """1 Buzz an answer, and what the operator asks for 1,000 tokens, as many as it reads and may write."""
        return prices.text(payload, self._options.buzz_per_1000_tokens, _TOKENS)

    def needs(self, payload: JSON) -> Needs | None:
        """The file, which is in memory as it is."""
        size_mb = payload["weights"][payload["model"]]["size"] // 2**20 + 1
        return Needs(model=_key(payload), memory_mb=size_mb + _BESIDE_MB, load_s=1 + size_mb / _MB_PER_S)

    def load(self, model: str, context: LoadContext) -> None:
        """Start its server. Raises JobError."""
        self._server(model, context)

    def unload(self, model: str) -> None:
        """End its server."""
        if (server := self._servers.pop(model, None)) is not None:
            server.close()

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """All choices in one answer; the first is the blob."""
        from heddle.studio.chat import Chat  # noqa: PLC0415 - the server only plans

        server = self._server(_key(payload), context)
        server.trim()
        with Chat(server.url, engine=NAME, tokens=_TOKENS, silence_s=_SILENCE_S, key=server.key) as chat:
            answer = chat.answer(payload, context, payload["model"])
        answer["model"] = payload["model"]
        yield Made(
            data=answer["text"].encode(),
            mime="application/json" if payload.get("json") else "text/plain",
            metadata={"engine": NAME, "model": payload["model"], "seed": payload["seed"]},
            output=answer,
        )

    def _server(self, model: str, context: LoadContext | JobContext) -> Server:
        """The one that runs; a new one where it ended by itself, as it does when it runs out of memory."""
        from heddle.engines.llama_cpp.server import Server  # noqa: PLC0415 - the server only plans

        server = self._servers.get(model)
        if server is None or not server.lives:
            self.unload(model)
            self._servers[model] = server = Server(model.partition(":")[2], self._options, context)
        return server


def _key(payload: JSON) -> str:
    """What a model is loaded from."""
    return f"{NAME}:{payload['weights'][payload['model']]['path']}"
