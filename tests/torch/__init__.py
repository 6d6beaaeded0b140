"""Tests of engines with PyTorch, and tiny models for them. A module that needs it says so:

    from tests.torch import needs_torch

    pytestmark = needs_torch

Without PyTorch such a module is skipped as a whole, so it may import what it needs at its top.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest

_LACKS = find_spec("torch") is None or find_spec("diffusers") is None

#: Why these tests cannot run here; None when they can.
WITHOUT = "torch is not installed: ./scripts/setup torch" if _LACKS else None

needs_torch = pytest.mark.skipif(_LACKS, reason=WITHOUT or "")
