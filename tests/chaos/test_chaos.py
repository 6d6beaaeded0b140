"""The short form of the chaos suite; `./scripts/chaos` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.arena import Bout, fight


@pytest.mark.slow
def test_nothing_is_lost_done_twice_or_charged_twice(tmp_path: Path) -> None:
    bout = Bout(workflows=400, seconds=32, rate=13, attacks=22, pause_s=0.5, rest=0.5, quiet_s=120)
    verdict = fight(tmp_path, bout, print)
    print(verdict)
    assert not verdict.wrong
    assert verdict.counts["workflows"] == bout.workflows
    assert verdict.counts["attacks"] >= bout.attacks
