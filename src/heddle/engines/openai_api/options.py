"""The table `[openai-api]` of `engines.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from heddle import options

_NAME = "openai-api"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: Where the API begins, as in `http://127.0.0.1:8080/v1`.
    url: str = ""
    #: Sent as a bearer token; empty: none is sent.
    key: str = ""
    #: The model of requests that name none; empty: the first one that the server lists.
    model: str = ""
    #: Other names for the server's models, as in `"gpt-4o-mini" = "qwen3:8b"`; AIRs may be names.
    models: dict[str, str] = {}
    #: Whether callers may ask for any model of the server, and not only for those that are named here.
    any_model: bool = False
    #: How long the server may say nothing, in seconds: it may have to load a model first.
    silence_s: float = 300.0
    #: What 1,000 tokens that an answer may be long cost.
    buzz_per_1000_tokens: float = 1.0

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Options:
        """Raises UsageError that names the option."""
        found = options.take(cls, _NAME, table)
        options.check_secret(_NAME, "key", found.key)
        options.check_address(_NAME, "url", found.url, "http://127.0.0.1:8080/v1")
        options.check_range(_NAME, "silence_s", found.silence_s, 1, 86_400)
        options.check_range(_NAME, "buzz_per_1000_tokens", found.buzz_per_1000_tokens, 0, 1_000_000)
        return found
