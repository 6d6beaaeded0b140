"""Who may reach a Ray cluster, without Ray."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from heddle.cli.main import cli
from heddle.errors import UsageError
from heddle.fleet.ray import access
from heddle.settings import Settings


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.0.0.12", "10.0.0.5", "192.168.1.9", "100.64.0.7", "fd00::5", "::1"]
)
def test_private_addresses_are_taken(address: str) -> None:
    assert access.check_private(address) == address


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "8.8.8.8", "2606:4700::1111", "224.0.0.1"])
def test_public_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match="must not listen on"):
        access.check_private(address)


@pytest.mark.parametrize("address", ["", "localhost", "10.0.0", "10.0.0.5:6379"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is not an IP address"):
        access.check_private(address)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["up", "--host", "0.0.0.0"], "must not listen on 0.0.0.0"),
        (["up", "--host", "8.8.8.8"], "must not listen on 8.8.8.8"),
        (["up", "--host", "10.0.0.7", "--join", "8.8.8.8:6379"], "must not listen on 8.8.8.8"),
        (["up", "--join", "10.0.0.5:6379"], "127.0.0.1 cannot join"),
        (["up", "--host", "10.0.0.7", "--join", "10.0.0.5:6379"], "there is no token in"),
        (["drain"], "say what to drain"),
        (["drain", "10.0.0.7", "--all"], "say what to drain"),
    ],
)
def test_a_wrong_command_line(words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDDLE_HOME", str(tmp_path))
    result = CliRunner().invoke(cli, ["fleet", *words])
    assert result.exit_code == 1
    assert sentence in result.output
    assert "hint: " in result.output


def test_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDDLE_HOME", str(tmp_path))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        result = CliRunner().invoke(cli, ["fleet", "status", "--address", address])
    assert result.exit_code == 1
    assert f"no Ray cluster answers at {address}" in result.output


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ('{"num_cpus": 1}', {"CPU": 1}),
        ('{"num_gpus": 0.5, "num_cpus": 0, "a100": 1}', {"GPU": 0.5, "a100": 1}),
    ],
)
def test_slot_resources(resources: str, wanted: dict[str, float]) -> None:
    assert access.bundle(resources) == wanted


@pytest.mark.parametrize("resources", ["{}", "[]", "{", '{"num_gpus": "one"}', '{"num_gpus": -1}', '{"num_gpus": 0}'])
def test_wrong_slot_resources(resources: str) -> None:
    with pytest.raises(UsageError, match="HEDDLE_RAY_SLOT_RESOURCES is"):
        access.bundle(resources)


def test_a_token_is_its_owners_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "ray" / "token"
    access.make_token(path)
    token = path.read_text()
    access.make_token(path)
    assert path.read_text() == token
    assert len(token) == 64
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_environment_of_ray(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path))
    assert "RAY_AUTH_MODE" not in access.environment(settings, "10.0.0.5")
    access.make_token(access.token_file(settings))
    told = access.environment(settings, "10.0.0.5")
    assert (told["RAY_AUTH_MODE"], told["RAY_AUTH_TOKEN_PATH"]) == ("token", str(access.token_file(settings)))


def doctor(monkeypatch: pytest.MonkeyPatch, **settings: object) -> tuple[int, dict[str, str]]:
    for name, value in settings.items():
        monkeypatch.setenv(f"HEDDLE_{name.upper()}", str(value))
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    found = {
        finding["name"]: f"{finding['state']}: {finding['text']}" for finding in json.loads(result.output)["findings"]
    }
    return result.exit_code, found


def test_doctor_finds_a_port_that_the_world_may_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real listener on an address that stands for a public one; without it nothing is said."""
    monkeypatch.setattr(access, "public_addresses", lambda: ["127.0.0.9"])
    with socket.socket() as ray:
        ray.bind(("127.0.0.9", 0))
        port = ray.getsockname()[1]
        reach = {"home": tmp_path, "ray_address": f"127.0.0.9:{port}", "port": 0}
        assert "ray" not in doctor(monkeypatch, **reach)[1]
        ray.listen()
        status, found = doctor(monkeypatch, **reach)
    assert status == 1
    assert found["ray"] == (f"bad: the world may reach 127.0.0.9:{port}; close them, or start Ray on a private address")


def test_doctor_looks_for_the_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ray:
        address = f"127.0.0.1:{ray.getsockname()[1]}"
        reach = {"home": tmp_path, "executor": "ray", "port": 0, "ray_address": address}
        status, found = doctor(monkeypatch, **reach)
        assert status == 1
        assert "there is no token in" in found["ray"]
        access.make_token(tmp_path / "ray" / "token")
        assert doctor(monkeypatch, **reach)[1]["ray"].startswith("ready: something answers")
    status, found = doctor(monkeypatch, **reach)
    assert status == 1
    assert "start it: heddle fleet up" in found["ray"]


def test_own_addresses_are_found() -> None:
    assert "127.0.0.1" in access.addresses()
