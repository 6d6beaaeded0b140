"""Everything that the server does, planning and pricing included, works with the heavy libraries out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from tests.smallest import SMALLEST

from heddle import registry

HEAVY = ("torch", "diffusers", "transformers", "ray", "tensorflow", "jax", "onnxruntime", "boto3")

#: Runs in a process of its own, because this one may have imported anything.
PROGRAM = """
import json, sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

heavy, smallest = json.loads(sys.argv[1])

class Refuse(MetaPathFinder, Loader):  # engines may look whether a library is there, and not import it
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name.partition(".")[0] in heavy else None

    def create_module(self, spec):
        raise ImportError(f"{spec.name} is out of reach")

    def exec_module(self, module):
        raise AssertionError

sys.meta_path.insert(0, Refuse())

from heddle import registry
from heddle.contract.orchestration import WorkflowRequest
from heddle.domain import now
from heddle.settings import Settings
from heddle.steps import Facts
from heddle.workflows.planning import Look, Planner
import heddle.cli.main, heddle.fleet.dispatcher, heddle.server

types = {name: registry.load(target)() for name, target in registry.targets("steps").items()}
prices = {}
able = set()
for name in registry.targets("engines"):
    engine = registry.get("engines", name)()
    offer = engine.offer()
    if not (engine.missing() or offer.loads):
        able |= offer.step_types
    for kind in sorted(offer.step_types & types.keys()):
        for family in sorted(offer.families):
            plan = types[kind].plan({**smallest[kind], "engine": family}, lambda blob_id: Facts())
            more = {"family": family}
            if offer.forwards:
                more["asked"] = {"type": kind, "input": smallest[kind], "blobs": []}
            prices[f"{name} {kind} {family}"] = [engine.price({**p, **more}) for p in plan.payloads]

planner = Planner(Settings(stand_in=True))
steps = [{"$type": kind, "input": raw} for kind, raw in smallest.items() if kind in able]
request = WorkflowRequest.model_validate({"steps": steps})
look = Look(find=lambda air: None, facts_of=lambda blob_id: Facts())
draft = planner.plan(request, account_id=1, key=None, look=look, at=now())
found = sorted({name.partition(".")[0] for name in sys.modules} & set(heavy))
cost = draft.new.workflow.cost
print(json.dumps({"types": sorted(types), "prices": prices, "cost": cost, "able": len(steps), "heavy": found}))
"""


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
    argument = json.dumps([HEAVY, SMALLEST])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, argument], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_step_type_has_a_smallest_input(said: dict[str, Any]) -> None:
    assert said["types"] == sorted(SMALLEST)


def test_every_engine_prices(said: dict[str, Any]) -> None:
    assert {name.partition(" ")[0] for name in said["prices"]} == set(registry.targets("engines"))
    assert all(price > 0 for prices in said["prices"].values() for price in prices)


def test_a_workflow_of_everything_is_planned(said: dict[str, Any]) -> None:
    assert said["cost"] >= said["able"] >= 1


def test_nothing_heavy_was_imported(said: dict[str, Any]) -> None:
    assert said["heavy"] == []


def test_the_block_itself() -> None:
    program = PROGRAM.partition("from heddle")[0] + "import ray.util"
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps([HEAVY, {}])], capture_output=True, text=True, check=False
    )
    assert "ray is out of reach" in done.stderr or "ray.util is out of reach" in done.stderr
