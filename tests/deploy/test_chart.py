"""The Helm chart: Helm and Kubernetes accept it, and what it starts is what Heddle understands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.routing import Route
from tests.deploy.rendered import CASES, CHART, Rendered, helm, render, values_of

import heddle
from heddle.api.app import OPERATIONS, create_app
from heddle.api.probes import probes_app
from heddle.cli.main import COMMANDS
from heddle.db import Database
from heddle.db.sqlite import SQLite
from heddle.settings import Settings

DUTIES = {"api", "dispatch", "webhooks", "chores"}
#: The oldest that the chart says it is for, and the newest that is known.
VERSIONS = ("1.29", "1.37")
#: Kinds that come with operators, and have no schema here.
OPERATORS = {"PodMonitor"}

LEAST: dict[str, Any] = {"secret": {"existing": "credentials"}, "settings": {"s3_bucket": "b"}}


@pytest.fixture(params=CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def release(request: pytest.FixtureRequest) -> Rendered:
    return render(values_of(request.param))


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_helm_has_nothing_to_say(case: Path) -> None:
    report = helm().lint(CHART, values_of(case), strict=True)
    assert report["errors"] == []
    assert [one for one in report["messages"] if "icon is recommended" not in one["error"]] == []


def test_kubernetes_knows_every_field(release: Rendered) -> None:
    schemas = pytest.importorskip("kubernetes_validate")
    for found in release.objects:
        if found["kind"] not in OPERATORS:
            for version in VERSIONS:
                schemas.validate(found, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    schemas = pytest.importorskip("kubernetes_validate")
    found = render(LEAST).named("Deployment", "heddle-api")
    found["spec"]["template"]["spec"]["containers"][0]["image_pull_policy"] = "Always"
    with pytest.raises(schemas.ValidationError):
        schemas.validate(found, VERSIONS[0], strict=True)


def test_every_duty_is_a_deployment_that_starts_its_command(release: Rendered) -> None:
    assert {duty for duty, _ in release.pods()} == DUTIES
    for duty, pod in release.pods():
        [container] = pod["containers"]
        assert container["args"] == [duty]
        assert duty in COMMANDS


def test_environments_are_settings(release: Rendered) -> None:
    """Each is read as Heddle reads it; a variable of ours that Heddle does not know is a mistake."""
    known = {f"HEDDLE_{name.upper()}" for name in Settings.__dataclass_fields__}
    for duty in DUTIES:
        environment = release.environment(duty)
        assert {name for name in environment if name.startswith("HEDDLE_")} <= known
        assert release.settings(duty).database


def test_values_arrive_as_they_were_written() -> None:
    chosen = render(values_of(CHART / "ci" / "s3.yaml")).settings("api")
    assert (chosen.starting_buzz, chosen.lease_s, chosen.s3_direct) == (1_000_000, 22.5, False)
    assert (chosen.metrics, chosen.public_url) == ("open", "https://heddle.example.org")
    assert chosen.s3_bucket == "heddle", "a default of values.yaml"


def test_ports_agree(release: Rendered) -> None:
    for duty, pod in release.pods():
        [container] = pod["containers"]
        [port] = container["ports"]
        chosen = release.settings(duty)
        assert port["containerPort"] == (chosen.port if duty == "api" else chosen.probe_port)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["port"] == port["name"]
    service = release.named("Service", "heddle-api")["spec"]
    assert [one["targetPort"] for one in service["ports"]] == ["http"]
    labels = release.named("Deployment", "heddle-api")["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()


def test_probes_are_answered(release: Rendered, tmp_path: Path) -> None:
    db = Database(SQLite(tmp_path / "heddle.db"))
    try:
        known = {route.path for route in probes_app(db, Settings()).routes if isinstance(route, Route)}
    finally:
        db.close()
    for _, pod in release.pods():
        [container] = pod["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert {container[p]["httpGet"]["path"] for p in ("startupProbe", "livenessProbe", "readinessProbe")} <= known


def test_pods_wait_longer_than_heddle(release: Rendered) -> None:
    """Five seconds for answers that are being sent, and some to end."""
    for duty, pod in release.pods():
        chosen = release.settings(duty)
        takes = {"api": chosen.drain_s, "dispatch": chosen.grace_s}.get(duty, 0)
        assert pod["terminationGracePeriodSeconds"] >= takes + 10


def test_load_balancers_learn_of_a_stop_in_time(release: Rendered) -> None:
    [container] = release.pod("api")["containers"]
    probe = container["readinessProbe"]
    assert release.settings("api").drain_s > probe["periodSeconds"] * probe["failureThreshold"]


def test_pods_are_restricted(release: Rendered) -> None:
    """As the Pod Security Standard of that name demands, and nothing can be written but what is mounted."""
    for _, pod in release.pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["shareProcessNamespace"] is True, "else Heddle is process 1"
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]
        names = {volume["name"] for volume in pod["volumes"]}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= names


def test_secrets_stay_in_secrets(release: Rendered) -> None:
    secret = {f"HEDDLE_{name.upper()}" for name, f in Settings.__dataclass_fields__.items() if f.metadata["secret"]}
    for config in release.of("ConfigMap"):
        assert not secret & set(config["data"])
    for _, pod in release.pods():
        assert not secret & {row["name"] for row in pod["containers"][0].get("env", [])}


def test_the_world_sees_the_api_and_no_more(tmp_path: Path) -> None:
    """Every route of the API, and neither metrics nor probes."""
    [rule] = render(values_of(CHART / "ci" / "s3.yaml")).named("Ingress", "heddle")["spec"]["rules"]
    paths = [(row["path"], row["pathType"]) for row in rule["http"]["paths"]]

    def passes(path: str) -> bool:
        return any(
            path == shown or (kind == "Prefix" and path.startswith(f"{shown.rstrip('/')}/")) for shown, kind in paths
        )

    assert [operation.path for operation in OPERATIONS if not passes(operation.path)] == []
    source = Path(create_app.__code__.co_filename).read_text()
    pages = set(re.findall(r'Route\("([^"]+)"', source))
    assert {path for path in pages if passes(path)} == {"/", "/docs", "/health", "/openapi.json"}
    assert [path for path in ("/metrics", "/livez", "/readyz") if passes(path)] == []


def test_policies_select_pods_that_are_there(release: Rendered) -> None:
    pods = [found["spec"]["template"]["metadata"]["labels"] for found in release.of("Deployment")]
    ports = {port["name"] for _, pod in release.pods() for port in pod["containers"][0]["ports"]}
    for policy in release.of("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]
        assert any(selector["matchLabels"].items() <= labels.items() for labels in pods), policy["metadata"]["name"]
        for rule in policy["spec"].get("ingress", []):
            assert {port["port"] for port in rule.get("ports", [])} <= ports
    for budget in release.of("PodDisruptionBudget"):
        wanted = budget["spec"]["selector"]["matchLabels"].items()
        assert len([labels for labels in pods if wanted <= labels.items()]) == 1


def test_the_metrics_of_the_others_are_closed_until_somebody_is_named() -> None:
    policy = render(LEAST).named("NetworkPolicy", "heddle-others")
    assert policy["spec"]["ingress"] == []


def test_an_autoscaler_is_not_contradicted() -> None:
    release = render(values_of(CHART / "ci" / "s3.yaml"))
    [scaler] = release.of("HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]["name"]
    assert "replicas" not in release.named("Deployment", target)["spec"]


def test_a_change_of_settings_is_a_restart() -> None:
    def marks(**changed: Any) -> dict[str, str]:
        values = LEAST | {"settings": LEAST["settings"] | changed}
        return render(values).named("Deployment", "heddle-api")["spec"]["template"]["metadata"]["annotations"]

    assert marks() == marks()
    assert marks() != marks(lease_s=60)


def test_ray_is_let_in_by_a_node_beside_the_dispatcher() -> None:
    release = render(values_of(CASES[-1]))
    chosen = release.settings("dispatch")
    assert chosen.executor == "ray"
    assert json.loads(chosen.ray_slot_resources) == {"num_gpus": 1}
    pod = release.pod("dispatch")
    [node], [container] = pod["initContainers"], pod["containers"]
    assert f"--address={chosen.ray_address}" in node["args"]
    assert "--object-store-memory=209715200" in node["args"]
    token = next(row["value"] for row in node["env"] if row["name"] == "RAY_AUTH_TOKEN_PATH")
    assert token == chosen.ray_token_file
    # The driver finds the node by its files.
    shared = [{(m["name"], m["mountPath"]) for m in one["volumeMounts"]} for one in (node, container)]
    assert {("tmp", "/tmp"), ("shm", "/dev/shm"), ("ray-token", "/etc/heddle/ray")} <= shared[0] & shared[1]
    assert node["restartPolicy"] == "Always", "it starts before the dispatcher, and ends after it"
    assert "initContainers" not in release.pod("api")
    assert release.named("NetworkPolicy", "heddle-ray")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "there is no database"),
        (LEAST | {"settings": {"storage": "disk"}}, "pods have no disk in common"),
        (LEAST | {"settings": {"executor": "ray"}}, "set ray.enabled instead"),
        (LEAST | {"ray": {"enabled": True}}, "ray.tokenSecret"),
        (LEAST | {"ray": {"enabled": True, "address": "ray:6379"}}, "ray.tokenSecret"),
        (LEAST | {"settings": {"leese_s": 5}}, "leese_s"),
        (LEAST | {"settings": {"lease_s": "long"}}, "lease_s"),
        (LEAST | {"settings": {"lease_s": 0.5}}, "lease_s"),
        (LEAST | {"settings": {"port": 80}}, "port"),
        (LEAST | {"settings": {"s3_secret_key": "x"}}, "s3_secret_key"),
        (LEAST | {"replicas": 3}, "replicas"),
        (LEAST | {"secret": {"database": "mysql://x"}}, "database"),
    ],
)
def test_values_that_cannot_work_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(helm().HelmError, match=re.escape(said)):
        render(values)


def test_a_release_of_another_name() -> None:
    release = render(LEAST, name="pictures")
    assert release.named("Deployment", "pictures-heddle-api")
    assert "deploy/pictures-heddle-api" in release.notes


def test_defaults_have_a_schema_and_the_version_of_heddle() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == heddle.__version__
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(values_of(CHART / "values.yaml")) <= set(schema["properties"])
