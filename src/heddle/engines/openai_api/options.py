"""The table `[openai-api]` of `engines.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from heddle.errors import UsageError


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
        try:
            found = msgspec.convert(dict(table), cls)
        except msgspec.ValidationError as error:
            known = ", ".join(cls.__struct_fields__)
            raise UsageError(f"[openai-api] in engines.toml: {error}", f"its options are: {known}") from error
        if not re.fullmatch(r"[\x21-\x7e]*", found.key):
            raise UsageError(
                "[openai-api] key holds a space, a line break or a letter that no key has", "write it on one line"
            )
        if not re.fullmatch(r"(https?://[^\s?#]+)?", found.url):
            raise UsageError(
                f"[openai-api] url is {found.url!r}, which is no address of an API",
                'write it as "http://127.0.0.1:8080/v1"',
            )
        for name, value, low, high in (
            ("silence_s", found.silence_s, 1, 86_400),
            ("buzz_per_1000_tokens", found.buzz_per_1000_tokens, 0, 1_000_000),
        ):
            if not low <= value <= high:
                raise UsageError(f"[openai-api] {name} is {value:g}", f"set it to {low:,} to {high:,}")
        return found
