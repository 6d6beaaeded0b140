"""Write the OpenAPI descriptions that the Arazzo runner brings along, from the route table.

`python scripts/descriptions.py` writes them; `--check` only says whether they are current.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from heddle.api import openapi
from heddle.api.app import OPERATIONS

FOLDER = Path(__file__).parents[1] / "src" / "heddle" / "arazzo" / "descriptions"
SERVER = "http://127.0.0.1:8765"

_HEAD = "# Written by scripts/descriptions.py from the route table; do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Without anchors: what is the same twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def descriptions() -> dict[str, str]:
    """File name -> what should be in it."""
    both = {
        "civitai-orchestration-api-openapi.yml": ("/v2/consumer/", "", "Heddle: Orchestration API"),
        "civitai-site-api-openapi.yml": ("/api/v1/", "/api/v1", "Heddle: Site API"),
    }
    found: dict[str, str] = {}
    for name, (prefix, base, title) in both.items():
        chosen = [op for op in OPERATIONS if op.path.startswith(prefix)]
        document = openapi.build(chosen, server=SERVER + base, base=base, title=title)
        found[name] = _HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return found


def stale() -> list[str]:
    """The names of the files that are not as they should be."""
    return [name for name, text in descriptions().items() if not _is(FOLDER / name, text)]


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def main() -> int:
    if "--check" in sys.argv[1:]:
        if old := stale():
            print(f"not current: {', '.join(old)}; run python scripts/descriptions.py", file=sys.stderr)
        return bool(old)
    FOLDER.mkdir(exist_ok=True)
    for name, text in descriptions().items():
        (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
