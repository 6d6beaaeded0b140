"""Finds `heddle …` in shell text, and says what is wrong with a command line by asking the command itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import dropwhile, product

import click

from heddle.cli.main import cli

_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_ELLIPSIS = {"…", "..."}


def lines(shell: str) -> Iterator[list[str]]:
    """The arguments of every call of heddle in a script."""
    for line in shell.replace("\\\n", " ").splitlines():
        for words in _commands(line):
            called = list(dropwhile(_ASSIGNMENT.match, words))
            if called[:3] == ["python", "-m", "heddle"]:
                yield called[3:]
            elif called and called[0].rpartition("/")[2] == "heddle":
                yield called[1:]


def _commands(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    try:
        for token in lexer:
            if set(token) <= set("();<>|&"):
                yield words
                words = []
            else:
                words.append(token)
    except ValueError:  # a quote that goes on in the next line; `bash -n` has its say elsewhere
        pass
    yield words


def mention(text: str) -> str | None:
    """What is wrong with a command that is named, `heddle serve` or `heddle buzz grant|balance`; None: nothing."""
    alternatives = product(*(word.split("|") for word in text.split()[1:]))
    return next((wrong for words in alternatives if (wrong := _mention(words))), None)


def _mention(words: Sequence[str]) -> str | None:
    command, path, rest = _resolve(words)
    if command is None:
        return f"there is no command {path!r}"
    known = _options(command) | _options(cli)
    unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in known]
    return f"{path} has no option {unknown[0]}" if unknown else None


def whole(args: Sequence[str]) -> str | None:
    """What is wrong with a command that could be typed in as it stands; None when nothing is."""
    command, path, rest = _resolve(args)
    if command is None:
        return f"there is no command {path!r}"
    try:
        command.make_context(path, [word for word in rest if word not in _ELLIPSIS]).close()
    except click.exceptions.Exit:
        return None
    except click.BadParameter as error:
        return None if "does not exist" in error.format_message() else f"{path}: {error.format_message()}"
    except click.UsageError as error:
        return f"{path}: {error.format_message()}"
    return None


def _resolve(args: Sequence[str]) -> tuple[click.Command | None, str, list[str]]:
    command: click.Command | None = cli
    path, rest = "heddle", list(args)
    skipped: list[str] = []
    while isinstance(command, click.Group):
        while rest and (rest[0].startswith("-") or rest[0] in _ELLIPSIS):
            skipped.append(rest.pop(0))
        if not rest:
            break
        path = f"{path} {rest[0]}"
        command = command.get_command(click.Context(command), rest.pop(0))
    return command, path, skipped + rest if command is not cli else skipped


def _options(command: click.Command) -> set[str]:
    parameters = command.get_params(click.Context(command))
    return {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}
