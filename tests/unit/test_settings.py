"""What a setting may be: a wrong one is named, with its value and what would be right, before anything starts."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from heddle import server, settings
from heddle.errors import UsageError
from heddle.settings import Settings


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("PORT", "99999", "a whole number, 0 to 65535"),
        ("PORT", "-1", "a whole number, 0 to 65535"),
        ("PORT", "many", "a whole number, 0 to 65535"),
        ("LOG_LEVEL", "loud", "debug, info, warning or error"),
        ("LEASE_S", "nan", "a number, 1 to 86400"),
        ("LEASE_S", "0", "a number, 1 to 86400"),
        ("URL_TTL_S", "1e300", "a number, 1 to 315360000"),
        ("UPLOAD_TTL_S", "nan", "a number, 1 to 86400"),
        ("UPLOAD_TTL_S", "inf", "a number, 1 to 86400"),
        ("STAND_IN", "perhaps", "yes or no (on or off)"),
        ("PUBLIC_URL", "heddle.example.org", "like https://example.org"),
        ("SLOTS", "-1", "a whole number, 0 to 1024"),
    ],
)
def test_a_value_that_cannot_work_is_refused(name: str, value: str, right: str) -> None:
    with pytest.raises(UsageError) as told:
        settings.read({f"HEDDLE_{name}": value})
    assert told.value.message == f"HEDDLE_{name} is {value!r}, which is not {right}"
    assert told.value.hint == f"set it to {right}"


def test_every_default_is_within_its_own_bounds() -> None:
    for setting in fields(Settings):
        value = setting.default
        assert settings.read({}, **{setting.name: value}) == Settings()


def test_every_number_has_a_range() -> None:
    for setting in fields(Settings):
        assert setting.type not in ("int", "float") or setting.metadata["bounds"].low is not None, setting.name


def test_the_ends_of_a_range_and_other_spellings_are_taken() -> None:
    read = settings.read(
        {"HEDDLE_PORT": "65535", "HEDDLE_LEASE_S": "1", "HEDDLE_LOG_LEVEL": "DEBUG", "HEDDLE_STAND_IN": "ON"}
    )
    assert (read.port, read.lease_s, read.log_level, read.stand_in) == (65535, 1.0, "debug", True)


@pytest.mark.parametrize(("name", "known"), [("storage", "disk"), ("executor", "local")])
def test_a_plug_in_that_nobody_has_is_named_before_a_folder_is_made(name: str, known: str, tmp_path: Path) -> None:
    wrong = settings.read({"HEDDLE_HOME": str(tmp_path / "home"), f"HEDDLE_{name.upper()}": "tape"})
    with pytest.raises(UsageError, match=rf"HEDDLE_{name.upper()} is 'tape', which is not one of: .*{known}"):
        server.prepare(wrong)
    assert not (tmp_path / "home").exists()
