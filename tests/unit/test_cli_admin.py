"""The administrator's commands: what they do to the data folder, what they say, and how they fail."""

from __future__ import annotations

import fcntl
import json
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import uvicorn
from click.testing import CliRunner, Result

from heddle import accounts, server, settings
from heddle.api.app import create_app
from heddle.cli import home
from heddle.cli.main import COMMANDS, Row, cli
from heddle.db import dialects
from heddle.server import Parts

Heddle = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def heddle(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Heddle:
    monkeypatch.setenv("HEDDLE_HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("HEDDLE_DEBUG", raising=False)

    def run(*args: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, args, input=stdin)

    return run


def refused(result: Result, *words: str) -> None:
    """One sentence and perhaps a hint, exit status 1, no traceback."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert 1 <= len(lines) <= 2
    assert lines[0].startswith("heddle: ")
    assert len(lines) == 1 or lines[1].startswith("hint: ")
    for word in words:
        assert word in result.stderr


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def safetensors(path: Path, data: bytes = b"weights") -> str:
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return str(path)


# ── the group ─────────────────────────────────────────────────────────────────


def test_starting_imports_no_heavy_library() -> None:
    code = "import sys, heddle.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pydantic", "httpx", "starlette", "uvicorn", "numpy", "rich", "jsonschema", "yaml", "msgspec", "asyncio"}
    assert heavy.isdisjoint(loaded)


def test_the_version(heddle: Heddle) -> None:
    assert done(heddle("--version")).startswith("heddle 0.")


def test_help_lists_every_command_by_section(heddle: Heddle) -> None:
    text = done(heddle("--help"))
    for name, row in COMMANDS.items():
        assert f"  {name} " in text
        assert f"{row.section}:" in text


def every_command(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from every_command(child, (*path, name))


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_examples(heddle: Heddle, name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for path in every_command(command, (name,)):
        text = done(heddle(*path, "--help"))
        assert "Example" in text, path
        assert f"heddle {name}" in text.split("Example", 1)[1], path


def test_a_wrong_command_line_is_status_2(heddle: Heddle) -> None:
    for args in (("nope",), ("tokens", "nope"), ("tokens", "create"), ("buzz", "grant", "a", "many")):
        assert heddle(*args).exit_code == 2


def test_a_bug_is_one_sentence_and_a_traceback_only_on_demand(heddle: Heddle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "odd", Row("Generate", "heddle.no_such_module:x", "Odd."))  # type: ignore[arg-type]
    refused(heddle("odd"), "this is a bug: ModuleNotFoundError", "--debug")
    loud = heddle("--debug", "odd")
    assert loud.exit_code == 1
    assert "Traceback" in loud.stderr


def test_a_reader_that_leaves_early_is_no_error_of_ours(folder: Path) -> None:
    command = f"{sys.executable} -m heddle doctor --settings | true"
    env = {"HEDDLE_HOME": str(folder), "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, env=env, check=False)
    assert ran.stderr == ""


def test_the_entry_point_of_the_process(folder: Path) -> None:
    args = [sys.executable, "-m", "heddle", "buzz", "balance", "nobody"]
    ran = subprocess.run(args, capture_output=True, text=True, env={"HEDDLE_HOME": str(folder)}, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("heddle: there is no account yet")


# ── the data folder ───────────────────────────────────────────────────────────


def test_a_folder_is_made_for_its_owner_only(heddle: Heddle, folder: Path) -> None:
    done(heddle("accounts", "create", "alice"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / dialects.FILE).exists()


def test_a_folder_that_cannot_be_made(heddle: Heddle, folder: Path) -> None:
    folder.write_text("a file")
    refused(heddle("accounts", "list"), str(folder), "it is not a folder", "HEDDLE_HOME")


def test_a_database_that_is_none(heddle: Heddle, folder: Path) -> None:
    folder.mkdir()
    (folder / dialects.FILE).write_bytes(b"no database " * 1000)
    refused(heddle("accounts", "list"), dialects.FILE, "not a database")


def test_a_newer_database(heddle: Heddle, folder: Path) -> None:
    done(heddle("accounts", "list"))
    sql(folder, "INSERT INTO migrations (name, applied_at) VALUES ('9999_future.sql', 0)")
    refused(heddle("accounts", "list"), "newer Heddle", "9999_future")


@pytest.mark.parametrize("command", [("accounts", "list"), ("serve", "--port", "0"), ("submit", "-p", "a fox")])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no database " * 1000, ("not a database", "hint: put a copy of it back")),
        (None, ("table accounts already exists", "hint: it may be another program's")),
    ],
)
def test_a_database_that_is_not_ours(
    folder: Path, command: tuple[str, ...], content: bytes | None, words: tuple[str, ...]
) -> None:
    folder.mkdir()
    if content is None:
        sql(folder, "CREATE TABLE accounts (x)")
    else:
        (folder / dialects.FILE).write_bytes(content)
    args = [sys.executable, "-m", "heddle", *command]
    env = {"HEDDLE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    ran = subprocess.run(args, capture_output=True, text=True, env=env, check=False, cwd=folder)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 2)
    for word in (str(folder / dialects.FILE), *words):
        assert word in ran.stderr


def test_a_disk_without_room(folder: Path) -> None:
    code = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (9000, 9000)); from heddle.cli.main import main; main()"
    args = [sys.executable, "-c", code, "serve", "--port", "0"]
    ran = subprocess.run(args, capture_output=True, text=True, env={"HEDDLE_HOME": str(folder)}, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"heddle: the database {folder / dialects.FILE} cannot be opened: ")
    assert "hint: " in ran.stderr
    assert "room" in ran.stderr


def test_a_bad_setting(heddle: Heddle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDDLE_PORT", "many")
    refused(heddle("accounts", "list"), "HEDDLE_PORT", "'many'")


def sql(folder: Path, statement: str) -> list[Any]:
    connection = sqlite3.connect(folder / dialects.FILE)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_commands_that_start_at_once_do_not_hurt_each_other(folder: Path) -> None:
    args = [sys.executable, "-m", "heddle", "accounts", "create", "alice", "--buzz", "5"]
    env = {"HEDDLE_HOME": str(folder)}
    running = [subprocess.Popen(args, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    said = [process.communicate() for process in running]
    assert sorted(process.returncode for process in running) == [0, 1, 1, 1]
    assert sum(b"exists already" in err for _, err in said) == 3
    assert sql(folder, "SELECT available FROM balances") == [(5,)]


# ── accounts, tokens, Buzz ────────────────────────────────────────────────────


def test_an_account_from_nothing_to_a_token_that_works(heddle: Heddle, folder: Path) -> None:
    refused(heddle("tokens", "create", "laptop"), "no account yet", "heddle serve")
    done(heddle("accounts", "create", "alice", "--email", "a@example.org", "--tier", "Gold", "--buzz", "50"))
    clear = done(heddle("tokens", "create", "laptop")).strip()
    db = home.open_home(settings.read({"HEDDLE_HOME": str(folder)}))
    account = db.look(accounts.of_token, clear)
    db.close()
    assert account is not None
    assert (account.username, account.tier) == ("alice", "Gold")
    listed = json.loads(done(heddle("accounts", "list", "--json")))
    assert [(a["username"], a["email"]) for a in listed] == [("alice", "a@example.org")]
    assert "alice" in done(heddle("accounts", "list"))


def test_tokens_belong_to_the_named_account(heddle: Heddle) -> None:
    for name in ("alice", "bob"):
        done(heddle("accounts", "create", name))
    done(heddle("tokens", "create", "mine"))
    done(heddle("tokens", "create", "his", "--user", "bob", "--days", "0.5"))
    listed = json.loads(done(heddle("tokens", "list", "--json")))
    assert [(t["name"], t["user"], t["expiresAt"] is None) for t in listed] == [
        ("mine", "alice", True),
        ("his", "bob", False),
    ]
    assert [t["name"] for t in json.loads(done(heddle("tokens", "list", "--user", "bob", "--json")))] == ["his"]
    refused(heddle("tokens", "create", "x", "--user", "carol"), "'carol'", "alice, bob")


def test_a_revoked_token_is_shown_as_such(heddle: Heddle) -> None:
    done(heddle("accounts", "create", "alice"))
    clear = done(heddle("tokens", "create", "laptop")).strip()
    token_id = json.loads(done(heddle("tokens", "list", "--json")))[0]["id"]
    assert "usable" in done(heddle("tokens", "list"))
    done(heddle("tokens", "revoke", token_id))
    text = done(heddle("tokens", "list"))
    assert "revoked" in text
    assert clear not in text
    refused(heddle("tokens", "revoke", "tok_none"), "'tok_none'")


def test_a_name_twice_or_odd_is_refused(heddle: Heddle) -> None:
    done(heddle("accounts", "create", "alice"))
    refused(heddle("accounts", "create", "Alice"), "'Alice'")
    refused(heddle("accounts", "create", "a b"), "'a b'")


def test_grants_add_up(heddle: Heddle) -> None:
    done(heddle("accounts", "create", "alice", "--buzz", "5"))
    assert done(heddle("buzz", "grant", "alice", "37")) == "alice has 42 Buzz\n"
    expected = {"user": "alice", "available": 42, "held": 0, "spent": 0}
    assert json.loads(done(heddle("buzz", "balance", "--json"))) == [expected]
    assert json.loads(done(heddle("buzz", "balance", "ALICE", "--json"))) == [expected]
    assert "42" in done(heddle("buzz", "balance"))
    refused(heddle("buzz", "balance", "bob"), "'bob'")
    for amount in ("0", "-5", "1.5", str(10**13)):
        assert heddle("buzz", "grant", "alice", amount).exit_code == 2


def test_the_ledger_is_right_until_somebody_meddles(heddle: Heddle, folder: Path) -> None:
    done(heddle("accounts", "create", "alice", "--buzz", "5"))
    assert "right" in done(heddle("ledger", "check"))
    sql(folder, "UPDATE balances SET available = available + 1")
    wrong = heddle("ledger", "check")
    assert wrong.exit_code == 1
    assert "account 1" in wrong.stderr
    assert "right" not in wrong.output


# ── models ────────────────────────────────────────────────────────────────────

ADD = ("models", "add")
KIND = ("--type", "lora", "--base-model", "SDXL 1.0")


def test_weights_are_added_shown_and_removed(heddle: Heddle, tmp_path: Path) -> None:
    path = safetensors(tmp_path / "fox.safetensors")
    added = heddle(*ADD, path, *KIND, "--trained-word", "fox", "--civitai", "101055@128078")
    assert done(added) == "urn:air:sdxl:lora:civitai:101055@128078\n"
    for which in ("128078", "civitai:101055@128078", "urn:air:sdxl:lora:civitai:101055@128078"):
        shown = json.loads(done(heddle("models", "show", which, "--json")))
        assert (shown["id"], shown["modelId"], shown["trainedWords"]) == (128078, 101055, ["fox"])
        assert shown["files"][0]["path"] == path
    assert "fox.safetensors" in done(heddle("models", "show", "128078"))
    assert "civitai:101055@128078" in done(heddle("models", "list"))
    done(heddle("models", "remove", "128078"))
    assert Path(path).exists()
    refused(heddle("models", "show", "128078"), "'128078'")


def test_a_copy_lives_and_goes_with_its_entry(heddle: Heddle, tmp_path: Path, folder: Path) -> None:
    path = safetensors(tmp_path / "fox.safetensors")
    shown = json.loads(done(heddle(*ADD, path, *KIND, "--copy", "--json")))
    copied = Path(shown["files"][0]["path"])
    assert copied.is_relative_to(folder / "models")
    assert copied.read_bytes() == Path(path).read_bytes()
    refused(heddle(*ADD, path, *KIND, "--copy"), "already")
    assert len(list((folder / "models").iterdir())) == 1
    done(heddle("models", "remove", str(shown["id"])))
    assert list((folder / "models").iterdir()) == []


def test_a_second_version_joins_its_model(heddle: Heddle, tmp_path: Path) -> None:
    one, two = (safetensors(tmp_path / f"{n}.safetensors", n.encode()) for n in ("one", "two"))
    first = json.loads(done(heddle(*ADD, one, *KIND, "--json")))
    model_id = str(first["modelId"])
    second = json.loads(done(heddle(*ADD, two, *KIND, "--id", model_id, "--version-name", "v2", "--json")))
    assert (second["modelId"], second["name"]) == (first["modelId"], "v2")
    refused(heddle(*ADD, two, *KIND, "--id", model_id), "already")


def test_the_built_in_catalog_is_listed_and_stays(heddle: Heddle) -> None:
    listed = json.loads(done(heddle("models", "list", "--json")))
    assert listed[0]["air"] == "urn:air:sketch:checkpoint:heddle:1@1"
    refused(heddle("models", "remove", "1"), "built in")


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("--civitai", "abc"), "MODEL@VERSION"),
        (("--civitai", "500@600", "--id", "7000"), "--civitai"),
        (("--id", "5"), "built-in"),
        (("--version-id", "1"), "built-in"),
        (("--id", str(2**60)), "modelId"),
        (("--name", " "), "name"),
    ],
)
def test_bad_flags_are_refused(heddle: Heddle, tmp_path: Path, args: tuple[str, ...], word: str) -> None:
    refused(heddle(*ADD, safetensors(tmp_path / "a.safetensors"), *KIND, *args), word)


def test_a_pickle_is_refused(heddle: Heddle, tmp_path: Path) -> None:
    (tmp_path / "m.ckpt").write_bytes(b"\x80\x02}q\x00.")
    refused(heddle(*ADD, str(tmp_path / "m.ckpt"), *KIND), "pickle", "safetensors")
    refused(heddle(*ADD, str(tmp_path / "none.safetensors"), *KIND), "nothing at")


# ── doctor ────────────────────────────────────────────────────────────────────


def report(result: Result) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}


def test_the_default_setup_is_ready(heddle: Heddle, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDDLE_PORT", "0")
    result = heddle("doctor", "--json")
    done(result)
    found = report(result)
    assert (found["sketch"]["state"], found["imageGen"]["state"]) == ("ready", "ready")
    assert "sketch" in found["imageGen"]["text"]
    assert found["openai-api"]["state"] == "off"
    types = json.loads(result.stdout)["stepTypes"]
    assert "sketch" in types["imageGen"]["engines"]
    assert types["textGen"]["missing"]["openai-api"]
    assert "not made yet" in found["database"]["text"]
    assert found["HEDDLE_PORT"]["text"].startswith("0")
    assert not folder.exists(), "doctor only looks"
    assert "default setup needs works" in done(heddle("doctor"))


def test_engines_are_listed_and_described(heddle: Heddle) -> None:
    assert "sketch" in done(heddle("engines"))
    told = json.loads(done(heddle("engines", "sketch", "--json")))
    assert (told["families"], told["missing"], told["loadsModels"]) == (["sketch"], [], False)
    refused(heddle("engines", "skech"), "'skech' is no engine", "sketch")


def test_a_taken_port_and_an_unknown_storage_are_told(heddle: Heddle, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("HEDDLE_PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("HEDDLE_STORAGE", "s33")
        result = heddle("doctor", "--json")
    assert result.exit_code == 1
    found = report(result)
    assert found["server"]["state"] == "bad"
    assert "in use" in found["server"]["text"]
    assert found["storage"]["text"] == "'s33' is not one of: disk, s3"


def test_a_running_server_is_told(heddle: Heddle, folder: Path) -> None:
    folder.mkdir()
    with (folder / "server.lock").open("w") as file:  # what a server holds for as long as it lives
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write('{"pid": 1, "url": "http://127.0.0.1:1"}')
        file.flush()
        found = report(heddle("doctor", "--json"))["server"]
    assert found["text"] == "running at http://127.0.0.1:1 (process 1)"


def test_a_server_that_starts_is_told(heddle: Heddle, folder: Path) -> None:
    folder.mkdir()
    with (folder / "server.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert report(heddle("doctor", "--json"))["server"]["text"] == "starting"


def test_a_data_folder_that_is_a_file_is_a_finding(heddle: Heddle, folder: Path) -> None:
    folder.write_text("a file")
    found = report(heddle("doctor", "--json"))["data folder"]
    assert (found["state"], "not a folder" in found["text"]) == ("bad", True)


def test_a_newer_or_broken_database_is_told(heddle: Heddle, folder: Path) -> None:
    done(heddle("accounts", "list"))
    sql(folder, "INSERT INTO migrations (name, applied_at) VALUES ('9999_future.sql', 0)")
    assert "9999_future" in report(heddle("doctor", "--json"))["database"]["text"]
    for path in folder.iterdir():
        path.unlink()
    (folder / dialects.FILE).write_bytes(b"no database " * 1000)
    found = report(heddle("doctor", "--json"))["database"]
    assert (found["state"], "not a database" in found["text"]) == ("bad", True)


def test_every_setting_is_listed_with_its_meaning(heddle: Heddle) -> None:
    text = done(heddle("doctor", "--settings"))
    assert text.count("HEDDLE_") >= 20
    assert "The data folder" in text


# ── login ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[str, Parts]]:
    """A real server's API on a free port."""
    parts = server.prepare(settings.read({"HEDDLE_HOME": str(tmp_path / "served")}))
    sock = socket.create_server(("127.0.0.1", 0))
    http = uvicorn.Server(uvicorn.Config(create_app(parts.deps), lifespan="off", log_level="warning", ws="none"))
    thread = threading.Thread(target=http.run, kwargs={"sockets": [sock]})
    thread.start()
    yield f"http://127.0.0.1:{sock.getsockname()[1]}", parts
    http.should_exit = True
    thread.join()
    parts.db.close()


def test_a_login_is_checked_and_kept_for_its_owner_only(
    heddle: Heddle, running: tuple[str, Parts], tmp_path: Path
) -> None:
    url, parts = running
    token = parts.first_token
    assert token is not None
    assert "as owner" in done(heddle("login", url, stdin=f"{token}\n"))
    file = tmp_path / "config/heddle/credentials.json"
    assert json.loads(file.read_text()) == {"default": url, "tokens": {url: token}}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    done(heddle("logout"))
    assert token not in file.read_text()
    refused(heddle("logout"), "no login", "none")


def test_a_wrong_token_or_server_is_refused_and_not_kept(
    heddle: Heddle, running: tuple[str, Parts], tmp_path: Path
) -> None:
    url, _ = running
    refused(heddle("login", url, "--token", "hd_wrong"), "does not know this token")
    refused(heddle("login", url, "--token", ""), "not a token")
    refused(heddle("login", url, "--token", "a b"), "not a token")
    refused(heddle("login", f"{url}/nowhere", "--token", "hd_x"), "404")
    refused(heddle("login", "ftp://127.0.0.1", "--token", "hd_x"), "ftp://127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    refused(heddle("login", f"http://127.0.0.1:{port}", "--token", "hd_x"), "cannot be reached", "heddle serve")
    assert not (tmp_path / "config/heddle/credentials.json").exists()
