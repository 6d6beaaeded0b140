"""The Ray cluster: its pods are pods, and it fits to the chart's dispatchers."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from tests.deploy.rendered import CASES, DEPLOY, render, values_of

ROOT = DEPLOY.parent


@pytest.fixture
def objects() -> dict[str, dict[str, Any]]:
    found = yaml.safe_load_all((DEPLOY / "kuberay" / "raycluster.yaml").read_text())
    return {one["kind"]: one for one in found}


@pytest.fixture
def spec(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return objects["RayCluster"]["spec"]


def groups(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def test_its_pods_are_pods(objects: dict[str, dict[str, Any]], spec: dict[str, Any]) -> None:
    schemas = pytest.importorskip("kubernetes_validate")
    schemas.validate(objects["NetworkPolicy"], "1.29", strict=True)
    for group in groups(spec):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": group["template"]["spec"]}
        schemas.validate(pod, "1.29", strict=True)
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_its_fields_are_those_of_kuberay(spec: dict[str, Any]) -> None:
    """From its API reference; it has no schema here."""
    assert set(spec) <= {
        "rayVersion",
        "authOptions",
        "gcsFaultToleranceOptions",
        "enableInTreeAutoscaling",
        "autoscalerOptions",
        "headGroupSpec",
        "workerGroupSpecs",
    }
    assert set(spec["autoscalerOptions"]) <= {"version", "idleTimeoutSeconds", "resources"}
    assert set(spec["gcsFaultToleranceOptions"]) <= {"redisAddress", "redisPassword"}
    for group in spec["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_ray_is_the_one_of_the_lock_file(spec: dict[str, Any]) -> None:
    locked = re.search(r"^ray==([\d.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked is not None
    assert spec["rayVersion"] == locked[1]


def test_nobody_gets_in_without_a_token(objects: dict[str, dict[str, Any]], spec: dict[str, Any]) -> None:
    assert spec["authOptions"] == {"mode": "token"}
    [rule] = objects["NetworkPolicy"]["spec"]["ingress"]
    assert len(rule["from"]) == 2


def test_it_fits_to_the_dispatchers(objects: dict[str, dict[str, Any]], spec: dict[str, Any]) -> None:
    release = render(values_of(CASES[-1]))
    name = objects["RayCluster"]["metadata"]["name"]
    chosen = release.settings("dispatch")
    assert chosen.ray_address == f"{name}-head-svc:6379"
    pod = release.pod("dispatch")
    assert {"secretName": name, "defaultMode": 0o440} in [volume.get("secret") for volume in pod["volumes"]]
    images = {group["template"]["spec"]["containers"][0]["image"] for group in groups(spec)}
    assert images == {pod["containers"][0]["image"]}, "an actor and its dispatcher are of one version"
    # Each lets the other in.
    labels = release.named("Deployment", "heddle-dispatch")["spec"]["template"]["metadata"]["labels"]
    own = {"ray.io/cluster": name}
    assert objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == own
    [rule] = objects["NetworkPolicy"]["spec"]["ingress"]
    assert any(one["podSelector"]["matchLabels"].items() <= labels.items() for one in rule["from"])
    [rule] = release.named("NetworkPolicy", "heddle-ray")["spec"]["ingress"]
    assert own in [one["podSelector"]["matchLabels"] for one in rule["from"]]


def test_workers_have_what_a_slot_needs(spec: dict[str, Any]) -> None:
    for group in spec["workerGroupSpecs"]:
        limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert limits["nvidia.com/gpu"] >= 1
