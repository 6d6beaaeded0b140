"""The engine `comfyui`: has ComfyUI servers run graphs. They have the node classes and the models.

    uploads -> POST /prompt -> events by WebSocket, or a look now and then -> history -> files

`options.py` reads the table `[comfyui]` of `engines.toml`, `server.py` speaks HTTP, `events.py` listens, `run.py` is
one run, `outputs.py` makes artifacts of what the server has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from heddle import prices
from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.engines.comfyui.options import Options
from heddle.graph.elsewhere import FAMILY
from heddle.graph.weights import OTHER, OWN_FAMILY


class ComfyUI:
    """A client of servers that the operator runs."""

    def __init__(self) -> None:
        self._options = Options()
        #: What servers said of their node classes: it is the same until they start again.
        self._classes: dict[tuple[str, str], JSON] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of(options)

    def offer(self) -> Offer:
        """Graphs, whatever their models are of; those that need nothing of a server are left to this one's engine."""
        return Offer(
            step_types=frozenset({"comfy"}),
            families=frozenset({FAMILY, OTHER, *prices.IMAGE} - {OWN_FAMILY}),
            operations=frozenset({"create"}),
            sides=(1, 16384),
            lookahead=0,
            elsewhere=True,
        )

    def missing(self) -> list[str]:
        """A server's address, and the library to hear it; whether it answers is not asked here."""
        found = [] if find_spec("websockets") else ["The library 'websockets' is not installed."]
        if not self._options.servers:
            found.append('No server is set; write url = "http://127.0.0.1:8188" under [comfyui] in engines.toml.')
        return found

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """Files that lie on the server, where graphs may not read them."""
        if self._options.own_files:
            return {}
        return {
            f"workflow.{node}.inputs.{name}": (
                f"{payload['workflow'][node]['inputs'][name]!r} is no blob id; upload the file and name its id,"
                " or give a picture in `images`"
            )
            for node, name in payload.get("files", ())
        }

    def price(self, payload: JSON) -> float:
        """1 Buzz and what samplers draw, where that is known; else by the time that a run usually takes."""
        drawings = payload.get("drawings")
        if drawings is None:
            return max(1.0, self._options.usual_s * self._options.buzz_per_second)
        return 1 + sum(row["count"] * prices.image({"family": payload["family"], **row}) for row in drawings)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """What one run of the graph gives."""
        from heddle.engines.comfyui.run import Run  # noqa: PLC0415 - the server only plans

        yield from Run(payload, context, self._options, self._classes).made()
