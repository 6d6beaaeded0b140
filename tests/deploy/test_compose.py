"""The compose file: it is one, its processes understand their environments, and its proxy passes the right things."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.cluster import running
from tests.postgres import Postgres
from tests.ray_cluster import answers, free_port

from heddle import settings
from heddle.cli.main import COMMANDS
from heddle.settings import Settings

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
FILLED = {"POSTGRES_PASSWORD": "p", "MINIO_ROOT_USER": "u", "MINIO_ROOT_PASSWORD": "q"}
OURS = {"api-1": "api", "api-2": "api", "dispatch": "dispatch", "webhooks": "webhooks", "chores": "chores"}


def composed(given: dict[str, str]) -> dict[str, Any]:
    """The file with its variables filled in, as `docker compose config` would."""

    def value(found: re.Match[str]) -> str:
        name, how, other = found[1], found[2] or "", found[3] or ""
        if given.get(name):
            return given[name]
        assert how != ":?", f"{name}: {other}"
        return other

    text = re.sub(r"(?<!\$)\$\{(\w+)(:[-?])?([^}]*)\}", value, (FOLDER / "compose.yaml").read_text())
    return yaml.safe_load(text)


@pytest.fixture
def services() -> dict[str, Any]:
    return composed(FILLED)["services"]


def test_it_is_a_compose_file() -> None:
    compose = pytest.importorskip("compose_spec").PyCompose.from_yaml(yaml.safe_dump(composed(FILLED)))
    compose.validate()
    assert set(OURS) < set(compose.service_names())


def test_a_mistake_is_found() -> None:
    compose = pytest.importorskip("compose_spec").PyCompose
    broken = composed(FILLED)
    broken["services"]["chores"]["networks"] = ["nowhere"]
    with pytest.raises(ValueError, match="nowhere"):
        compose.from_yaml(yaml.safe_dump(broken)).validate()


def test_passwords_are_asked_for() -> None:
    names = re.findall(r"^(\w+)=", (FOLDER / "env.example").read_text(), re.MULTILINE)
    assert set(FILLED) <= set(names)
    for name in FILLED:
        with pytest.raises(AssertionError, match=r"set it in \.env"):
            composed({key: value for key, value in FILLED.items() if key != name})


def test_processes_understand_their_environments(services: dict[str, Any]) -> None:
    for name, duty in OURS.items():
        service = services[name]
        assert service["command"] == [duty]
        assert duty in COMMANDS
        known = {f"HEDDLE_{field.upper()}" for field in Settings.__dataclass_fields__}
        assert set(service["environment"]) <= known, "anything else would be seen by engines"
        chosen = settings.read(service["environment"])
        assert chosen.database == "postgresql://heddle:p@postgres/heddle"
        assert chosen.s3_bucket in services["bucket"]["command"][0]
        patience = int(service["stop_grace_period"].removesuffix("s"))
        assert patience > {"api": chosen.drain_s, "dispatch": chosen.grace_s}.get(duty, 0) + 10


def test_the_world_reaches_the_proxy_alone(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert services["proxy"]["ports"] == ["127.0.0.1:8765:8765"]
    assert composed(FILLED)["networks"]["data"] == {"internal": True}
    assert {name for name, service in services.items() if service["networks"] == ["data"]} >= {"postgres", "minio"}


def test_what_is_mounted_and_built_is_there(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            if volume.startswith("."):
                assert (FOLDER / volume.split(":")[0]).is_file()
        if "build" in service:
            assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).resolve().is_file()


def test_the_proxy_knows_every_api(services: dict[str, Any]) -> None:
    apis = [f"{name}:8765" for name, duty in OURS.items() if duty == "api"]
    text = (FOLDER / "Caddyfile").read_text()
    assert f"{{$UPSTREAMS:{' '.join(apis)}}}" in text
    every = int(re.search(r"health_interval (\d+)s", text)[1])  # type: ignore[index]
    assert settings.read(services["api-1"]["environment"]).drain_s > 2 * every, "it must be seen before it stops"


# ── with the proxy itself, where there is one ────────────────────────────────────


@pytest.fixture
def dsn(postgres: Postgres) -> Iterator[str]:
    made = postgres.create()
    yield made
    postgres.drop(made)


class Caddy:
    """The proxy with its file, in front of some addresses."""

    def __init__(self, folder: Path, upstreams: list[str]) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        config = folder / "Caddyfile"
        config.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + (FOLDER / "Caddyfile").read_text())
        env = os.environ | {"SITE": self.url, "UPSTREAMS": " ".join(upstreams), "HOME": str(folder)}
        env |= {"XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        with (folder / "caddy.log").open("wb") as log:
            command = ["caddy", "run", "--config", config, "--adapter", "caddyfile"]
            self.process = subprocess.Popen(command, env=env, stderr=log)
        while not answers(self.url.removeprefix("http://")):
            assert self.process.poll() is None, (folder / "caddy.log").read_text()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.mark.slow
def test_one_api_after_the_other_is_restarted_and_no_request_is_lost(tmp_path: Path, dsn: str) -> None:
    if shutil.which("caddy") is None:
        pytest.skip("there is no caddy")
    drain_s = settings.read(composed(FILLED)["services"]["api-1"]["environment"]).drain_s
    with running(tmp_path, dsn, {"api": 2}, drain_s=drain_s) as cluster:
        proxy = Caddy(tmp_path, [httpx.URL(cluster[name].url).netloc.decode() for name in ("api-0", "api-1")])
        done = threading.Event()
        statuses: list[int] = []

        def ask() -> None:
            headers = {"Authorization": f"Bearer {cluster.token}"}
            while not done.is_set():
                statuses.append(
                    httpx.get(f"{proxy.url}/v2/consumer/workflows", headers=headers, timeout=30).status_code
                )

        asking = [threading.Thread(target=ask) for _ in range(3)]
        try:
            for path in ("/metrics", "/livez", "/readyz"):
                assert httpx.get(f"{proxy.url}{path}").status_code == 404
            assert json.loads(httpx.get(f"{proxy.url}/health").text)["status"] == "ok"
            for thread in asking:
                thread.start()
            for name in ("api-0", "api-1"):
                before = len(statuses)
                assert cluster[name].end() == 0
                assert len(statuses) > before, "the other one serves"
                cluster[name].start()
                while httpx.get(f"{cluster[name].url}/readyz").status_code != 200:
                    pass
        finally:
            done.set()
            for thread in asking:
                thread.join()
            proxy.close()
    assert set(statuses) == {200}
