"""The engine `nudenet`: finds naked bodies in pictures and videos, with the detector of that name.

The package brings its weights, and both are under the AGPL-3.0: an extra, which nobody has who does not ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.engines.nudenet.options import Options


class NudeNet:
    """Looks at pictures. One instance holds the detector once it was needed."""

    def __init__(self) -> None:
        self._options = Options()
        self._detector: Any = None

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of(options)

    def offer(self) -> Offer:
        """Pictures and videos; texts are for others."""
        return Offer(
            step_types=frozenset({"moderation"}), families=frozenset({"nudenet"}), operations=frozenset({"media"})
        )

    def missing(self) -> list[str]:
        """The package."""
        if find_spec("nudenet") is None:
            return ["nudenet not installed; pip install 'heddle-cloud[moderation]' (it is under the AGPL-3.0)"]
        return []

    def price(self, payload: JSON) -> float:
        """A tenth of a Buzz; a workflow costs one at least."""
        return 0.1

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One judgment, as JSON."""
        from heddle.engines.nudenet import looking  # noqa: PLC0415 - heavy

        context.progress(0.0)
        if self._detector is None:
            self._detector = looking.detector(self._options)
        yield looking.judged(self._detector, context.read(payload["media"]), context, self._options)
