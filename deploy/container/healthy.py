"""The health check of a container: whether the process in it answers /livez, on its own port or on its probe port."""

from __future__ import annotations

import http.client
import sys

from heddle import settings


def lives(port: int) -> bool:
    """Whether a process on this machine says so; an API listens on one port, the others on another."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    chosen = settings.read()
    sys.exit(0 if any(lives(port) for port in (chosen.port, chosen.probe_port) if port) else 1)
