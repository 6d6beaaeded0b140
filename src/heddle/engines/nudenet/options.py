"""The table `[nudenet]` of `engines.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from heddle.errors import UsageError

#: What a picture is rated, mildest first.
Level = Literal["pg", "pg13", "r", "x", "xxx"]
LEVELS: tuple[Level, ...] = get_args(Level)

#: What the detector finds, and what a picture with it is rated.
FINDS: Mapping[str, Level] = {
    "FACE_FEMALE": "pg", "FACE_MALE": "pg", "FEET_COVERED": "pg", "FEET_EXPOSED": "pg", "ARMPITS_COVERED": "pg",
    "ARMPITS_EXPOSED": "pg", "BELLY_COVERED": "pg", "BELLY_EXPOSED": "pg", "FEMALE_BREAST_COVERED": "pg",
    "BUTTOCKS_COVERED": "pg", "MALE_BREAST_EXPOSED": "pg13", "FEMALE_GENITALIA_COVERED": "pg13", "ANUS_COVERED": "pg13",
    "FEMALE_BREAST_EXPOSED": "r", "BUTTOCKS_EXPOSED": "r", "FEMALE_GENITALIA_EXPOSED": "x",
    "MALE_GENITALIA_EXPOSED": "x", "ANUS_EXPOSED": "x",
}  # fmt: skip


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: A file of the detector's larger model; empty: the one that comes with the package.
    weights: str = ""
    #: The side in pixels at which the model looks: 320 for that of the package, 640 for the larger one.
    side: int = 320
    #: How sure it must be of what it has found.
    threshold: float = 0.4
    #: What a picture with a find is rated; those that are not here, as they are by default.
    levels: dict[str, Level] = {}
    #: Ratings with which a picture is blocked.
    blocks: tuple[Level, ...] = ()

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Options:
        """Raises UsageError that names the option."""
        try:
            found = msgspec.convert(dict(table), cls)
        except msgspec.ValidationError as error:
            known = ", ".join(cls.__struct_fields__)
            raise UsageError(f"[nudenet] in engines.toml: {error}", f"its options are: {known}") from error
        if found.weights and not Path(found.weights).expanduser().is_file():
            raise UsageError(f"[nudenet] weights is {found.weights!r}, which is no file", "write the path of one")
        if found.side not in range(32, 2049, 32):
            raise UsageError(f"[nudenet] side is {found.side}", "set it to what the model was made for: 320 or 640")
        if not 0.25 <= found.threshold <= 1:
            raise UsageError(
                f"[nudenet] threshold is {found.threshold:g}", "set it to 0.25 to 1; the detector tells nothing below"
            )
        for name in found.levels:
            if name not in FINDS:
                raise UsageError(f"[nudenet] levels names {name!r}", f"there are: {', '.join(FINDS)}")
        return found
