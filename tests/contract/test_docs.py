"""docs/api.md and docs/errors.md say what is so: their tables are those of the code, and their commands run.

`python tests/contract/test_docs.py --write` writes the price table.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from heddle import errors, prices
from heddle.api import openapi
from heddle.api.app import OPERATIONS
from heddle.domain import TRANSITIONS, Status
from heddle.errors import CallerError

if TYPE_CHECKING:
    from live import Live

DOCS = Path(__file__).parents[2] / "docs"
SOURCES = Path(errors.__file__).parent
_PRICES = re.compile(r"(<!-- prices: [^>]*-->\n)(.*?)(<!-- /prices -->)", re.DOTALL)


def read(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def price_table() -> str:
    """Every family with its formula, and the price of its usual picture."""
    rows = ["| `engine` | Buzz per picture | usual picture | costs |", "|---|---|---|---|"]
    for name, family in prices.IMAGE.items():
        usual = {
            "family": name,
            "width": family.native,
            "height": family.native,
            "steps": family.steps,
            "cfgScale": family.cfg,
            "operation": "create",
        }
        picture = f"{family.native} \u00d7 {family.native}" + (f", {family.steps} steps" if family.per_steps else "")
        rows.append(f"| `{name}` | {_formula(family)} | {picture} | {prices.image(usual):.4g} |")
    return "\n".join(rows) + "\n"


def _formula(family: prices.Family) -> str:
    parts = [f"{family.buzz:g}"]
    if family.side:
        parts.append(f"pixels / {family.side}²")
    if family.per_steps:
        parts.append("steps" if family.per_steps == 1 else f"steps / {family.per_steps}")
    if family.doubles_cfg:
        parts.append("2 unless `cfgScale` is 1")
    if family.per_source:
        sources = f"(sources \u2212 {family.free_sources})" if family.free_sources else "sources"
        parts.append(f"(1 + {family.per_source:g} \u00d7 {sources}) for an edit")
    text = " \u00d7 ".join(parts)
    return f"{text}; else {_formula(family.edit)}" if family.edit else text


def test_the_price_table_is_that_of_the_code() -> None:
    found = _PRICES.search(read("api.md"))
    assert found is not None
    assert found[2] == price_table()


def test_every_other_name_of_a_family_is_there() -> None:
    text = " ".join(read("api.md").split())
    for alias, family in prices.ALIASES.items():
        assert re.search(rf"`{alias}`[^.]* (is|are) `{family}`", text), alias


def test_the_statuses_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (any|nothing) \|$", read("api.md"), re.MULTILINE))
    assert rows == {status.value: "any" if TRANSITIONS[status] else "nothing" for status in Status}


def test_every_error_is_in_the_table_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", read("errors.md"), re.MULTILINE)
    ours = {(str(error.status), error.code) for error in CallerError.__subclasses__()}
    assert set(rows) == ours | {("503", "unavailable"), ("500", "internal_error")}
    assert len(rows) == len(set(rows))


def test_every_error_of_the_document_has_a_sentence() -> None:
    statuses = {status for op in OPERATIONS for status in op.errors}
    assert statuses <= set(openapi.ERRORS)


def test_every_reason_is_in_the_table() -> None:
    rows = set(re.findall(r"^\| `([a-z_]+)` \|", read("errors.md"), re.MULTILINE))
    text = "".join(path.read_text("utf-8") for path in SOURCES.rglob("*.py") if "engines" not in path.parts)
    said = r"\breason\s*=\s*\"([a-z_]+)\"|\.failed\(\s*\"([a-z_]+)\"|\b(?:OUT_OF_\w+|HANDED_BACK)\s*=\s*\"([a-z_]+)\""
    used = {reason for match in re.findall(said, text) for reason in match if reason} - {"failed"}
    assert rows == used


def test_every_address_in_the_docs_exists() -> None:
    known = [re.compile(re.sub(r"\{\w+\}", "[^/]+", op.path) + "$") for op in OPERATIONS]
    for name in ("api.md", "errors.md"):
        for path in re.findall(r"(/(?:v2|api)/[\w/.-]+)", read(name)):
            whole = path if not path.endswith("/") else f"{path}x"
            assert any(pattern.match(whole) for pattern in known), path


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the commands need curl and jq")
def test_the_commands_run_as_they_stand(live: Live, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", read("api.md"), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    script = "set -euo pipefail\nn=0\n" + "\n".join(blocks)
    environment = {"PATH": os.defpath, "HEDDLE_URL": live.url, "HEDDLE_TOKEN": live.owner, "no_proxy": "*"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded" in done.stdout
    assert '["foxes","favorite"]' in done.stdout
    for name in ("fox-1.png", "fox-2.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


if __name__ == "__main__" and "--write" in sys.argv:
    page = DOCS / "api.md"
    page.write_text(_PRICES.sub(lambda found: found[1] + price_table() + found[3], page.read_text("utf-8")), "utf-8")
