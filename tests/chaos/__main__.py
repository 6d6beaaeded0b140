"""`./scripts/chaos`: the long form of the chaos suite."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.chaos.arena import Bout, fight, told_to_stop


@click.command()
@click.option("--minutes", default=20.0, show_default=True, help="At least so long.")
@click.option("--workflows", default=20_000, show_default=True, help="At least so many.")
@click.option("--seed", default=1, show_default=True, help="Decides what is attacked, and what is asked for.")
@click.option("--pause", default=2.5, show_default=True, help="Seconds between two attacks, on average.")
@click.option("--ray", is_flag=True, help="Workers are actors of a Ray cluster, which is attacked as well.")
def chaos(minutes: float, workflows: int, seed: int, pause: float, ray: bool) -> None:
    """Attack a cluster under load, and prove that nothing was lost, done twice or charged twice."""
    signal.signal(signal.SIGTERM, told_to_stop)
    folder = Path(tempfile.mkdtemp(prefix="heddle-chaos-"))
    seconds = 60 * minutes
    bout = Bout(
        workflows=workflows, seconds=seconds, rate=workflows / seconds, seed=seed, pause_s=pause, quiet_s=300, ray=ray
    )
    click.echo(f"seed {seed}, logs in {folder}")
    began = time.monotonic()
    verdict = fight(folder, bout, click.echo)
    click.echo(f"{verdict}\n{time.monotonic() - began:.0f} s, seed {seed}, logs in {folder}")
    sys.exit(1 if verdict.wrong else 0)


if __name__ == "__main__":
    chaos()
