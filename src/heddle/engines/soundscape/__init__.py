"""The engine `soundscape`: synthesizes what a prompt says can be heard, from noise, tones and rooms. Not a model.

    prompt -> reading (layers, parts, place) -> layers on canvases -> mix -> file

`prompt.read`, `mix.mixed` and `studio.audio.encode` are these arrows. Nothing heavy is imported until a job runs: the
server plans with this module too.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer


class Soundscape:
    """Makes sounds on the CPU, many times faster than they last."""

    def offer(self) -> Offer:
        """Sounds of its own family; any other family as a stand-in."""
        return Offer(
            step_types=frozenset({"audioGen"}),
            families=frozenset({"soundscape"}),
            operations=frozenset({"create"}),
            stand_in=True,
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there."""
        return [f"The library {name!r} is not installed." for name in ("numpy", "soundfile") if find_spec(name) is None]

    def price(self, payload: JSON) -> float:
        """1 Buzz, and 1 more per minute; what the family costs when it stands in for one."""
        from heddle.prices import audio  # noqa: PLC0415 - the worker's side never needs prices

        return audio(payload)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One sound."""
        from heddle.engines.soundscape.job import make  # noqa: PLC0415 - heavy: numpy, libsndfile

        yield make(payload, context)
