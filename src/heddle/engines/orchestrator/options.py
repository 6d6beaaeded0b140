"""The table `[orchestrator]` of `engines.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from heddle import options

_NAME = "orchestrator"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: Where the other server is, as in `https://heddle.example.org`.
    url: str = ""
    #: The token of the account there that pays.
    token: str = ""
    #: Model families that go there where no engine here can run them.
    families: list[str] = []
    #: What a job costs here, as a multiple of the public price.
    price_factor: float = 1.0
    #: What a picture, a second of video or a sound costs, before the factor, where only this engine is named and nobody
    #: here knows which family the other server takes.
    unknown_price: float = 100.0
    #: How long the other server may be away, in seconds.
    silence_s: float = 300.0
    #: The largest file that is taken from it.
    most_mb: int = 512
    #: How many servers a request may have come through before; 1: one that came from another Heddle is not handed on.
    hops: int = 1

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Options:
        """Raises UsageError that names the option."""
        found = options.take(cls, _NAME, table)
        options.check_address(_NAME, "url", found.url, "https://heddle.example.org")
        options.check_secret(_NAME, "token", found.token)
        for name, value, low, high in (
            ("price_factor", found.price_factor, 0, 1000),
            ("unknown_price", found.unknown_price, 0, 1_000_000),
            ("silence_s", found.silence_s, 1, 86_400),
            ("most_mb", found.most_mb, 1, 2048),
            ("hops", found.hops, 1, 8),
        ):
            options.check_range(_NAME, name, value, low, high)
        return found
