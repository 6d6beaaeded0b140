"""The Helm chart, rendered by Helm, and what its objects say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from heddle import settings
from heddle.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "heddle"
#: Values files: for every one the whole chart is looked at.
CASES = [*sorted((CHART / "ci").glob("*.yaml")), DEPLOY / "kuberay" / "values.yaml"]

#: What a Secret that is there already would hold.
SECRET = {"HEDDLE_DATABASE": "postgresql://heddle:secret@postgres/heddle"}

Values = dict[str, Any]


def helm() -> Any:
    """Helm itself, as a library; its wheels are for Linux on x86-64."""
    return pytest.importorskip("helm_python")


def values_of(path: Path) -> Values:
    return yaml.safe_load(path.read_text())


@dataclass(frozen=True)
class Rendered:
    """The objects of one release."""

    objects: list[dict[str, Any]]
    notes: str

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [found for found in self.objects if found["kind"] == kind]

    def named(self, kind: str, name: str) -> dict[str, Any]:
        [found] = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found

    def pod(self, duty: str) -> dict[str, Any]:
        return self.named("Deployment", f"heddle-{duty}")["spec"]["template"]["spec"]

    def pods(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for found in self.of("Deployment"):
            yield found["metadata"]["labels"]["app.kubernetes.io/component"], found["spec"]["template"]["spec"]

    def environment(self, duty: str) -> dict[str, str]:
        """What a process of a duty finds in its environment: later sources win, as in Kubernetes."""
        [container] = self.pod(duty)["containers"]
        found: dict[str, str] = {}
        for source in container["envFrom"]:
            if "configMapRef" in source:
                found |= self.named("ConfigMap", source["configMapRef"]["name"])["data"]
            else:
                found |= next((one["stringData"] for one in self.of("Secret")), SECRET)
        return found | {row["name"]: row["value"] for row in container.get("env", [])}

    def settings(self, duty: str) -> Settings:
        return settings.read(self.environment(duty))


def render(values: Values, name: str = "heddle") -> Rendered:
    with helm().Chart.load(CHART) as chart:
        files = chart.render(values, name=name, namespace="production")
    notes = files.pop("heddle/templates/NOTES.txt")
    return Rendered([found for text in files.values() for found in yaml.safe_load_all(text) if found], notes)
