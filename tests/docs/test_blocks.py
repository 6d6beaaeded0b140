"""Code in the documentation is at least well formed; what runs and what it says is tested where it belongs."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml
from tests.docs.pages import BLOCKS, Block

SHELL = {"sh", "bash", "shell"}
KNOWN = SHELL | {"", "js", "json", "mermaid", "python", "text", "toml", "yaml", "yml"}


def of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def test_languages_are_known() -> None:
    """A block in a language that nobody checks would be a way around the checks."""
    assert {f"{block}: {block.language}" for block in BLOCKS if block.language not in KNOWN} == set()


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", of(*SHELL), ids=str)
def test_shell_parses(block: Block) -> None:
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("block", of("json", "yaml", "yml"), ids=str)
def test_data_parses(block: Block) -> None:
    if block.language == "json":
        json.loads(block.text)
    else:
        list(yaml.safe_load_all(block.text))
