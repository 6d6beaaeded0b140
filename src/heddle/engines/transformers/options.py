"""The tables of these engines in `engines.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, get_args

import msgspec

from heddle import air
from heddle.errors import CallerError, UsageError

#: What a picture is rated, mildest first.
Level = Literal["pg", "pg13", "r", "x", "xxx"]
LEVELS: tuple[Level, ...] = get_args(Level)


_LEVELS: Mapping[str, Level] = {
    "safe": "pg", "sfw": "pg", "normal": "pg", "neutral": "pg", "drawing": "pg", "drawings": "pg",
    "suggestive": "pg13", "sexy": "r", "nsfw": "x", "explicit": "x", "porn": "xxx", "hentai": "xxx",
}  # fmt: skip


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: The AIR of the model that is run where a request names none; empty: the one that was added first.
    model: str = ""

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """Raises UsageError that names the option."""
        try:
            found = msgspec.convert(dict(table), cls)
        except msgspec.ValidationError as error:
            known = ", ".join(cls.__struct_fields__)
            raise UsageError(f"an engine's table in engines.toml: {error}", f"its options are: {known}") from error
        try:
            if found.model:
                air.parse(found.model)
        except CallerError as error:
            raise UsageError(f"model in engines.toml: {error.message}", "`heddle models list` shows AIRs") from error
        return found


class JudgeOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set for `classifier`, whose models have labels of their own."""

    #: Labels that say that nothing is wrong, in small letters.
    safe: tuple[str, ...] = (
        *("safe", "sfw", "normal", "neutral", "ok", "none", "clean", "benign", "non-toxic", "not_toxic", "nothate"),
        *("drawing", "drawings", "non_violent"),
    )
    #: What a picture with a label is rated, in small letters; those that are not here leave it unrated.
    levels: dict[str, Level] = msgspec.field(default_factory=lambda: dict(_LEVELS))
    #: Ratings with which a picture is blocked.
    blocks: tuple[Level, ...] = ()
