"""Names in the documentation are names in the code, and names that users meet are in the documentation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from tests.docs.pages import PAGES, ROOT, Page

from heddle.contract.orchestration import CallbackEvent
from heddle.settings import Settings

SOURCE = ROOT / "src" / "heddle"
SETTINGS = {f"HEDDLE_{f.name.upper()}" for f in fields(Settings)}

#: Not settings: the command line's own switch, and what the reader's shell holds in examples.
OTHER_VARIABLES = {"HEDDLE_DEBUG", "HEDDLE_TOKEN", "HEDDLE_URL"}

#: Modules that the documentation names in front of what is in them, `ledger.hold`.
MODULES = [
    "accounts",
    "advance",
    "amend",
    "audit",
    "blobs",
    "events",
    "ledger",
    "outbox",
    "planning",
    "queue",
    "rows",
    "submit",
    "webhooks",
]

#: Those of HEDDLE_AUTH_ are named by the security schemes of an OpenAPI description.
_VARIABLE = re.compile(r"\bHEDDLE_(?!AUTH_)[A-Z0-9_]+\b")
_EVENT = re.compile(r"\b(?:workflow|step|job):(?:\*|[a-z]+\b)")
_FILE = re.compile(r"^([\w./-]+\.py)(?:: ([\w.]+))?$")
_MEMBER = re.compile(r"^(\w+)\.(\w+)$")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_variables_are_settings(page: Page) -> None:
    assert set(_VARIABLE.findall(page.text)) - SETTINGS - OTHER_VARIABLES == set()


def test_variables_in_messages_are_settings() -> None:
    named = {name for path in SOURCE.rglob("*.py") for name in _VARIABLE.findall(path.read_text())}
    assert named - SETTINGS - OTHER_VARIABLES - {"HEDDLE_X"} == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_events_can_be_asked_for(page: Page) -> None:
    assert set(_EVENT.findall(page.text)) - set(get_args(CallbackEvent)) == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_files_and_what_is_in_them_exist(page: Page) -> None:
    named = [found for text in page.code if (found := _FILE.match(text))]
    assert [m[0] for m in named if not _defined(m[1], m[2])] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_members_of_modules_exist(page: Page) -> None:
    """`advance.finish`: where the first word is a module, the second is in it."""
    wrong: list[str] = []
    for text in page.code:
        found = _MEMBER.match(text.removesuffix("()"))
        if found and found[1] in MODULES and found[2] != "py":
            wrong += [] if any(found[2] in _names(path) for path in _files(f"{found[1]}.py")) else [text]
    assert wrong == []


def test_every_error_code_has_its_place() -> None:
    """What it means and what to do; the complete list is the reference, which is made from the code."""
    reference, explained = ((ROOT / "docs" / name).read_text() for name in ("reference.md", "errors.md"))
    codes = re.findall(r"^\| `([a-z_]+)` \| \d{3} \|$", reference, re.MULTILINE)
    assert "invalid_request" in codes
    assert [code for code in codes if f"`{code}`" not in explained] == []


def test_every_reason_has_its_place() -> None:
    """Why an attempt or a workflow ended badly, as a word for programs."""
    text = "\n".join(page.text for page in PAGES)
    found = set(_reasons())
    assert {"worker_died", "timeout", "out_of_memory", "engine_failed", "input_blob_missing", "no_output"} <= found
    assert [reason for reason in sorted(found) if f"`{reason}`" not in text] == []


def _reasons() -> Iterator[str]:
    """Words that the server's code gives to something called `reason`, or says an attempt `failed` with."""
    for path in sorted(SOURCE.rglob("*.py")):
        if not {"arazzo", "cli"} & set(path.relative_to(SOURCE).parts):
            yield from _reasons_in(ast.parse(path.read_text()))


def _reasons_in(module: ast.Module) -> Iterator[str]:
    constants = dict(_constants(module))
    for node in ast.walk(module):
        match node:
            case ast.keyword(arg="reason", value=ast.Constant(value=str(word))):
                yield word
            case ast.keyword(arg="reason", value=ast.Name(id=name)) if name in constants:
                yield constants[name]
            case ast.Call(func=ast.Attribute(attr="failed"), args=[ast.Constant(value=str(word)), *_]):
                yield word
            case ast.Call(func=ast.Name(id="_failed"), args=[_, ast.Name(id=name), *_]) if name in constants:
                yield constants[name]
            case ast.Call(func=ast.Name(id="_failed"), args=[_, ast.Constant(value=str(word)), *_]):
                yield word
            case ast.ClassDef(body=body):
                yield from (word for name, word in _constants(body) if name == "reason")
            case _:
                continue


def _constants(scope: ast.Module | list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node in scope if isinstance(scope, list) else scope.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                yield name, text
            case _:
                continue


@cache
def _files(name: str) -> tuple[Path, ...]:
    """Files of the project whose path ends so."""
    places = [SOURCE, ROOT / "scripts", ROOT / "tests", ROOT / "benchmarks", ROOT / "training"]
    found = [path for place in places for path in place.rglob("*.py")]
    return tuple(path for path in found if f"/{path.relative_to(ROOT)}".endswith(f"/{name}"))


def _defined(name: str, member: str | None) -> bool:
    files = _files(name)
    first, _, second = (member or "").partition(".")
    if not second:
        return any(not first or first in _names(path) for path in files)
    return any(
        re.search(rf"^class {first}\b.*?^    (?:async )?def {second}\b", p.read_text(), re.MULTILINE | re.DOTALL)
        for p in files
    )


@cache
def _names(path: Path) -> frozenset[str]:
    """What a module defines at its top level."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Assign(targets=targets):
                found |= {t.id for t in targets if isinstance(t, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case _:
                continue
    return frozenset(found)
