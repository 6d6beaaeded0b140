"""A real browser for tests: Chromium without a window, with a profile of its own, on a page that reports to us."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
#: No window, no graphics card, no user that a sandbox could be made for; sounds play without anybody's click; and
#: nothing that it would like to ask of the network.
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-audio-output",
    "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0", "--no-first-run",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-default-apps", "--disable-domain-reliability",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


def program() -> str | None:
    """The browser of this machine."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def found(page: str, seconds: float = 50) -> Any:
    """Show a page, and wait for the JSON that it posts to `/found`."""
    with _site(page) as (url, reports), _browser(url) as log:
        try:
            return json.loads(reports.get(timeout=seconds))
        except queue.Empty:
            raise AssertionError(f"the page did not report within {seconds:g} s: {log.read_text()[-3000:]}") from None


@contextmanager
def _site(page: str) -> Iterator[tuple[str, queue.Queue[bytes]]]:
    """The page on a free port of 127.0.0.1, and what is posted there."""
    reports: queue.Queue[bytes] = queue.Queue()

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(page.encode() if self.path == "/" else b"", 200 if self.path == "/" else 404)

        def do_POST(self) -> None:
            reports.put(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(b"", 200)

        def _answer(self, body: bytes, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="site")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", reports
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def _browser(url: str) -> Iterator[Path]:
    """Chromium on a page, in a group of its own: it has many processes, and all are to be gone afterwards."""
    name = program()
    assert name is not None
    folder = Path(tempfile.mkdtemp(prefix="heddle-chromium-"))
    log = folder / "log"
    command = [name, *_FLAGS, f"--user-data-dir={folder / 'profile'}", url]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        yield log
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
