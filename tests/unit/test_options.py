"""The file `engines.toml`, and engines that are built with what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from heddle import options, registry
from heddle.errors import UsageError
from heddle.fleet import abilities
from heddle.settings import Settings

TABLE = '[openai-api]\nurl = "http://127.0.0.1:1/v1"\n'


def written(folder: Path, text: str) -> Settings:
    (folder / "engines.toml").write_text(text)
    return Settings(home=str(folder))


def test_no_file_is_no_options(tmp_path: Path) -> None:
    assert options.read(Settings(home=str(tmp_path))) == {}


def test_tables_are_read_from_the_data_folder_or_where_the_setting_says(tmp_path: Path) -> None:
    expected = {"openai-api": {"url": "http://127.0.0.1:1/v1"}}
    assert options.read(written(tmp_path, TABLE)) == expected
    elsewhere = Settings(home=str(tmp_path / "home"), engines_file=str(tmp_path / "engines.toml"))
    assert options.read(elsewhere) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [("[openai-api", "is not TOML"), ('url = "x"', "'url' stands outside of a table"), ("\xff", "cannot be read")],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, text: str, words: str) -> None:
    settings = written(tmp_path, "")
    (tmp_path / "engines.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=words):
        options.read(settings)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which is not there"):
        options.read(Settings(engines_file=str(tmp_path / "no.toml")))


def test_an_engine_elsewhere_is_asked_with_its_options() -> None:
    """As Ray's actors ask: in a process that has no file."""
    engines = {"openai-api": registry.targets("engines")["openai-api"]}
    assert "No server is set" in abilities.missing(engines, {})["openai-api"][0]
    assert abilities.missing(engines, {"openai-api": {"url": "http://127.0.0.1:1/v1"}}) == {"openai-api": []}
    [sentence] = abilities.missing(engines, {"openai-api": {"url": "x"}})["openai-api"]
    assert "is no address of an API" in sentence
