"""What a killed write leaves: nothing under its key, and a remainder that can be found and removed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta

from heddle.domain import now
from heddle.storage import Storage

_WRITER = """
import json, sys
from heddle import registry

def chunks():
    yield bytes(20 << 20)
    print("written", flush=True)
    sys.stdin.read()

kind, options = json.loads(sys.argv[1])
registry.get("storages", kind)(options).write("uploads/aa/half", chunks())
"""


def test_a_killed_write(storage: Storage, kind: str, options: dict[str, str]) -> None:
    storage.write("uploads/aa/whole", [b"x"])
    command = [sys.executable, "-c", _WRITER, json.dumps([kind, options])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.send_signal(signal.SIGKILL)
    assert storage.size("uploads/aa/half") is None
    assert list(storage.keys("")) == ["uploads/aa/whole"]
    (partial,) = storage.partials(now() + timedelta(days=1))
    assert partial.key == "uploads/aa/half"
    assert partial.size >= 16 << 20
    storage.discard(partial)
    storage.discard(partial)
    assert list(storage.partials(now() + timedelta(days=1))) == []
    assert list(storage.keys("")) == ["uploads/aa/whole"]
