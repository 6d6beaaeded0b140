"""The table `[openai-images]` of `engines.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from heddle import options
from heddle.errors import UsageError

_NAME = "openai-images"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: Where the API begins, as in `http://127.0.0.1:8080/v1`.
    url: str = ""
    #: Sent as a bearer token; empty: none is sent.
    key: str = ""
    #: The model of requests that name none; empty: the server's own choice.
    model: str = ""
    #: The server's models by AIR, as in `"urn:air:…" = "gpt-image-1"`.
    models: dict[str, str] = {}
    #: The sizes that the server makes, as in `["1024x1024"]`; empty: any.
    sizes: list[str] = []
    #: Whether to ask for base64 by `response_format`, which some servers need and others refuse.
    ask_base64: bool = False
    #: Whether the server takes a `seed`, and makes the same picture again.
    seeds: bool = False
    #: Further members of every request, as in `{ quality = "high" }`.
    more: dict[str, Any] = {}
    #: How long a picture may take, in seconds.
    silence_s: float = 300.0
    #: What a picture costs, as a multiple of the public price of its family.
    price_factor: float = 1.0

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Options:
        """Raises UsageError that names the option."""
        found = options.take(cls, _NAME, table)
        options.check_address(_NAME, "url", found.url, "http://127.0.0.1:8080/v1")
        options.check_secret(_NAME, "key", found.key)
        options.check_range(_NAME, "silence_s", found.silence_s, 1, 86_400)
        options.check_range(_NAME, "price_factor", found.price_factor, 0, 1000)
        for size in found.sizes:
            if not re.fullmatch(r"[1-9][0-9]{1,4}x[1-9][0-9]{1,4}", size):
                raise UsageError(f"[{_NAME}] sizes: {size!r} is no size", 'write sizes as "1024x1536"')
        return found
