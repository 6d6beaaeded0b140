"""A web server on loopback that somebody keeps pictures on, for tests of sources that are addresses."""

from __future__ import annotations

import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


def png(width: int = 96, height: int = 64) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (180, 60, 20)).save(file, "PNG")
    return file.getvalue()


class Elsewhere:
    """`asked` are the paths it was asked for. Paths with `slow` in them are answered, after the first half of the body,
    once `go` is set; each of them releases `arrived`. Those with `unknown` do not say how long they are."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.arrived = threading.Semaphore(0)
        self.go = threading.Event()
        files = {
            "/a.png": (png(), "image/png"),
            "/same.png": (png(), "image/png"),
            "/slow.png": (png(), "image/png"),
            "/slow-unknown.png": (png(), "image/png"),
            "/b.png": (png(80, 80), "image/png"),
            "/odd": (png(), "text/html"),
            "/page": (b"<html>", "text/html"),
            "/empty": (b"", "image/png"),
        }
        asked, arrived, go = self.asked, self.arrived, self.go

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the library's name
                asked.append(self.path)
                body, kind = files.get(self.path, (b"", ""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                if "unknown" not in self.path:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                half = len(body) // 2
                self.wfile.write(body[:half])
                if "slow" in self.path:
                    self.wfile.flush()
                    arrived.release()
                    go.wait(20)
                self.wfile.write(body[half:])

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.go.set()
        self._server.shutdown()
        self._server.server_close()
