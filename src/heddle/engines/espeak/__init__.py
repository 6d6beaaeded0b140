"""The engine `espeak`: reads texts out with espeak-ng, a formant synthesizer. Not a model, and it sounds like it.

    text -> language -> child process with espeak-ng -> samples and word times -> trim, loudness -> file

espeak-ng is under GPLv3 and stays in a process of its own. That also makes it repeatable: within one process its
second speech differs from its first.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer


class Espeak:
    """Speaks on the CPU, a hundred times faster than people do."""

    def offer(self) -> Offer:
        """Speech of its own family; any other family as a stand-in."""
        return Offer(
            step_types=frozenset({"tts"}),
            families=frozenset({"espeak"}),
            operations=frozenset({"create"}),
            stand_in=True,
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there."""
        needed = ("numpy", "soundfile", "espeakng_loader")
        return [f"The library {name!r} is not installed." for name in needed if find_spec(name) is None]

    def price(self, payload: JSON) -> float:
        """1 Buzz for every 100 characters begun."""
        from heddle.prices import speech  # noqa: PLC0415 - the worker's side never needs prices

        return speech(payload)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One speech."""
        from heddle.engines.espeak.job import make  # noqa: PLC0415 - heavy: numpy, libsndfile

        yield make(payload, context)
