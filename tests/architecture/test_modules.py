"""What holds for every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields

import pytest
from tests.architecture.sources import modules

from heddle.settings import Settings

#: Ways to run what somebody else wrote, by call and by import.
CALLS = {"eval", "exec"}
IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "xmlrpc"}


def dangers(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield f"{name}() in line {node.lineno}"
            case ast.Import(names=names):
                yield from (f"import of {a.name} in line {node.lineno}" for a in names if _top(a.name) in IMPORTS)
            case ast.ImportFrom(module=str(name)) if _top(name) in IMPORTS:
                yield f"import of {name} in line {node.lineno}"
            case _:
                continue


def _top(name: str) -> str:
    return name.partition(".")[0]


def test_every_module_says_its_job() -> None:
    assert [name for name, module in modules().items() if module.body and not ast.get_docstring(module)] == []


def test_every_class_that_others_use_says_its_job() -> None:
    silent = [
        f"{name}: {node.name}"
        for name, module in modules().items()
        for node in module.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_nothing_runs_strange_code() -> None:
    assert {name: found for name, module in modules().items() if (found := list(dangers(module)))} == {}


@pytest.mark.parametrize(
    "text", ["eval('1')", "x = exec(a)", "import pickle", "from pickle import loads", "import dill as d"]
)
def test_the_check_itself(text: str) -> None:
    assert list(dangers(ast.parse(text)))


@pytest.mark.parametrize("text", ["re.compile('x')", "model.eval()", "from heddle import queue"])
def test_the_check_leaves_others_alone(text: str) -> None:
    assert not list(dangers(ast.parse(text)))


def test_every_setting_has_an_effect() -> None:
    read = {
        node.attr
        for name, module in modules().items()
        if name != "settings.py"
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
    }
    # `home` is read as `folder`.
    assert {f.name for f in fields(Settings)} - {"home"} - read == set()
    assert "folder" in read
