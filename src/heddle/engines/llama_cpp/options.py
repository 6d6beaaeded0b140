"""The table `[llama-cpp]` of `engines.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from heddle import options

_NAME = "llama-cpp"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: The model of each family, as in `{ qwen = "urn:air:…" }`; `default` is that of steps that name no family.
    models: dict[str, str] = {}
    #: How many tokens a conversation and its answer may have together; 0: as many as the model was made for.
    context: int = 4096
    #: Threads that compute; 0: as llama.cpp sees fit.
    threads: int = 0
    #: Layers that a GPU computes; -1: as llama.cpp sees fit.
    gpu_layers: int = -1
    #: How long a model may take to load, in seconds.
    load_s: float = 600.0
    #: What 1,000 tokens cost that are read or may be written.
    buzz_per_1000_tokens: float = 1.0

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Options:
        """Raises UsageError that names the option."""
        found = options.take(cls, _NAME, table)
        for name, value, low, high in (
            ("context", found.context, 0, 10_000_000),
            ("threads", found.threads, 0, 1024),
            ("gpu_layers", found.gpu_layers, -1, 10_000),
            ("load_s", found.load_s, 1, 86_400),
            ("buzz_per_1000_tokens", found.buzz_per_1000_tokens, 0, 1_000_000),
        ):
            options.check_range(_NAME, name, value, low, high)
        return found
