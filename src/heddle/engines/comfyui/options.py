"""The table `[comfyui]` of `engines.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from heddle import options
from heddle.errors import UsageError

_NAME = "comfyui"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: Where the server is, as in `http://127.0.0.1:8188`.
    url: str = ""
    #: The same for several, of which each runs one graph at a time.
    urls: list[str] = []
    #: Sent as a bearer token, for a proxy in front; empty: none is sent.
    key: str = ""
    #: Further headers, for a proxy in front.
    headers: dict[str, str] = {}
    #: Other names for the server's model files, as in `"urn:air:…" = "sd_xl_base_1.0.safetensors"`.
    models: dict[str, str] = {}
    #: Whether graphs may read files that lie on the server, and not only what callers give.
    own_files: bool = False
    #: How long the server may be away or say nothing, in seconds.
    silence_s: float = 300.0
    #: What a second of a run costs, and how long one usually takes: the price of graphs whose work nobody can foresee.
    buzz_per_second: float = 1.0
    usual_s: float = 20.0
    #: The largest file that is taken from the server.
    most_mb: int = 256

    @property
    def servers(self) -> list[str]:
        """All of them, without a slash at the end."""
        return [url.rstrip("/") for url in dict.fromkeys([self.url, *self.urls]) if url]

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Options:
        """Raises UsageError that names the option."""
        found = options.take(cls, _NAME, table)
        for name, url in [("url", found.url), *(("urls", url) for url in found.urls)]:
            options.check_address(_NAME, name, url, "http://127.0.0.1:8188")
        options.check_secret(_NAME, "key", found.key)
        for name, value in found.headers.items():
            if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", name) or not re.fullmatch(r"[\x20-\x7e]*", value):
                raise UsageError(
                    f"[{_NAME}] headers: {name!r} cannot be sent", "write names and values as HTTP has them"
                )
        for name, value, low, high in (
            ("silence_s", found.silence_s, 1, 86_400),
            ("buzz_per_second", found.buzz_per_second, 0, 1_000_000),
            ("usual_s", found.usual_s, 0, 86_400),
            ("most_mb", found.most_mb, 1, 2048),
        ):
            options.check_range(_NAME, name, value, low, high)
        return found
