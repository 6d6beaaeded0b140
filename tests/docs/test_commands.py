"""Commands that the documentation, the help texts and the error messages name exist, with these options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import click
import pytest
from tests.docs import commands
from tests.docs.pages import BLOCKS, PAGES, ROOT, Page
from tests.docs.test_blocks import SHELL

from heddle.cli.main import COMMANDS, cli

_IN_TEXT = re.compile(r"`(heddle [^`]+)`")
_EXAMPLE = re.compile(r"^(?:[A-Z_]+=\S+ )?heddle .*$")

SCRIPTS = [(str(block), args) for block in BLOCKS if block.language in SHELL for args in commands.lines(block.text)]


def every(group: click.Group, path: str = "heddle") -> Iterator[tuple[str, click.Command]]:
    """All commands, by the words that call them."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from every(command, f"{path} {name}")


def _examples() -> Iterator[tuple[str, list[str]]]:
    for path, command in [("heddle", cli), *every(cli)]:
        for line in (command.help or "").splitlines():
            if _EXAMPLE.match(line.strip()):
                yield from ((path, args) for args in commands.lines(line.strip()))


EXAMPLES = list(_examples())


@pytest.mark.parametrize(
    ("where", "args"), SCRIPTS, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_a_command_in_a_script(where: str, args: list[str]) -> None:
    assert commands.whole(args) is None, where


@pytest.mark.parametrize(
    ("path", "args"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_an_example_of_a_help_text(path: str, args: list[str]) -> None:
    assert commands.whole(args) is None, path


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_command_in_the_middle_of_a_sentence(page: Page) -> None:
    named = [text for text in page.code if text.startswith("heddle ")]
    assert [wrong for text in named if (wrong := commands.mention(text))] == []


def test_a_command_in_a_message() -> None:
    wrong: list[str] = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        constants = [n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)]
        named = [text for value in constants if isinstance(value, str) for text in _IN_TEXT.findall(value)]
        wrong += [f"{path.relative_to(ROOT)}: {problem}" for text in named if (problem := commands.mention(text))]
    assert wrong == []


def test_every_command_has_its_place() -> None:
    text = "\n".join(page.text for page in PAGES)
    assert [path for path, _ in every(cli) if path not in text] == []


def test_there_is_something_to_check() -> None:
    assert len(SCRIPTS) > 10
    assert len(EXAMPLES) > len(COMMANDS)


@pytest.mark.parametrize(
    ("shell", "wrong"),
    [
        ("heddle serve --port 9000   # a comment", False),
        ("HEDDLE_STAND_IN=on heddle serve", False),
        ("TOKEN=$(heddle tokens create ci --days 3)", False),
        ("heddle ps | head", False),
        ("heddle serve --no-such-option", True),
        ("heddle serve --port many", True),
        ("heddle weave", True),
        ("heddle tokens forget x", True),
        ("TOKEN=$(heddle tokens create ci --yesterday)", True),
        ("true && heddle buzz grant", True),
    ],
)
def test_the_check_itself(shell: str, wrong: bool) -> None:
    found = list(commands.lines(shell))
    assert len(found) == 1
    assert (commands.whole(found[0]) is not None) is wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("heddle tokens create NAME", False),
        ("heddle --debug ...", False),
        ("heddle run --strict", False),
        ("heddle buzz grant|balance", False),
        ("heddle buzz grant|spend", True),
        ("heddle models pull", True),
        ("heddle run --strictly", True),
    ],
)
def test_the_check_of_mentions_itself(text: str, wrong: bool) -> None:
    assert (commands.mention(text) is not None) is wrong
