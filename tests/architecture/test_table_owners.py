"""One table, one owner: its name appears in the SQL of exactly one module, the one that the migration names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from fnmatch import fnmatch

import pytest
from tests.architecture.sources import SOURCE, modules, texts

#: A table that is not made by a migration, because it says which of them ran.
OUTSIDE = {"migrations": "db/*.py"}

_OWNER = re.compile(r"^-- owners?: ([\w/*.]+\.py)", re.MULTILINE)
_TABLE = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
_USE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE(?: IF NOT EXISTS)?)\s+([\w{}]+)")

_WITH = re.compile(r"\bWITH (?:RECURSIVE )?(\w+)(?: \(\w+\))? AS")

#: Puts statements of others into PostgreSQL's words, and asks that server about itself.
DIALECT = "db/postgres.py"


def owners() -> dict[str, str]:
    """Table -> the owner that its migration names."""
    found = dict(OUTSIDE)
    for path in sorted((SOURCE / "migrations").glob("*.sql")):
        owner = ""
        for line in path.read_text().splitlines():
            if said := _OWNER.match(line):
                owner = said[1]
            if made := _TABLE.match(line):
                found[made[1]] = owner
    return found


def uses(module: ast.Module) -> set[str]:
    """What a module names in SQL; other languages write these words small. Not what a `WITH` names for itself."""
    sql = list(texts(module))
    named = {name for text in sql for name in _USE.findall(text)}
    return named - {name for text in sql for name in _WITH.findall(text)} - {"SET", "SKIP"}


TABLES = owners()


def users() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, module in modules().items():
        if name == DIALECT:
            continue
        for table in uses(module):
            found[table].add(name)
    return found


def test_every_table_names_its_owner() -> None:
    assert [table for table, owner in TABLES.items() if not owner] == []
    assert len(TABLES) > 10


@pytest.mark.parametrize("table", TABLES)
def test_only_its_owner_names_a_table(table: str) -> None:
    named_by = users()[table]
    assert named_by
    assert len(named_by) == 1 or table in OUTSIDE
    assert all(fnmatch(name, TABLES[table]) for name in named_by)


def test_sql_names_only_tables_that_exist() -> None:
    """Among them none that is filled in, which this test could not see."""
    assert {table: sorted(where) for table, where in users().items() if table not in TABLES} == {}


def test_the_check_itself() -> None:
    assert uses(ast.parse('"""UPDATE one INTO two."""')) == set()
    tree = ast.parse(
        'sql = f"SELECT * FROM jobs WHERE id IN ({marks})" " UNION SELECT 1 FROM steps"\nq = f"DELETE FROM {x}"'
    )
    assert uses(tree) == {"jobs", "steps", "{}"}
