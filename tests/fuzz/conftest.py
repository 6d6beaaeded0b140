"""The modules of the contract tests: the running server, and good calls of it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "contract"))
