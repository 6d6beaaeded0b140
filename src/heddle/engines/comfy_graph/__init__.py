"""The engine `comfy-graph`: runs graphs in the API format of ComfyUI, node by node.

    JSON -> checked graph (heddle.graph) -> nodes in order -> PNG files

It is no ComfyUI and loads no models: pictures are drawn by the picture engine, and everything around them, scaling,
masks, composition, is done here. Nothing heavy is imported until a job runs: the server plans with this module too.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from heddle import registry
from heddle.domain import JSON
from heddle.engines import Engine, JobContext, Made, Offer
from heddle.graph.table import MOST_SIDE

#: The engine that draws.
PICTURES = "sketch"


class ComfyGraph:
    """Runs a graph on the CPU."""

    def offer(self) -> Offer:
        """Graphs whose models are the picture engine's own; any other as a stand-in."""
        return Offer(
            step_types=frozenset({"comfy"}),
            families=frozenset({PICTURES}),
            operations=frozenset({"create"}),
            stand_in=True,
            sides=(1, 2 * MOST_SIDE),
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there."""
        own = [f"The library {name!r} is not installed." for name in ("numpy", "PIL") if find_spec(name) is None]
        return own + [sentence for sentence in _pictures().missing() if sentence not in own]

    def price(self, payload: JSON) -> float:
        """1 Buzz, and what the pictures cost that its samplers draw."""
        from heddle.prices import image  # noqa: PLC0415 - the worker's side never needs prices

        drawn = (row["count"] * image({"family": payload["family"], **row}) for row in payload["drawings"])
        return 1 + sum(drawn)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """The pictures of one run of the graph."""
        from heddle.engines.comfy_graph.execution import Execution  # noqa: PLC0415 - heavy: numpy, Pillow

        yield from Execution(payload, context, _pictures()).made()


def _pictures() -> Engine:
    """By name, because engines do not know each other."""
    return registry.engine(PICTURES)
