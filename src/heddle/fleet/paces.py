"""How fast engines run here: seconds for a Buzz of their work, as measured lately."""

from __future__ import annotations

from heddle.queue import Pace

#: Of what was measured before, this much counts with each new measurement.
_KEEP = 0.9


class Paces:
    """What one dispatcher saw; the queue holds what all of them say."""

    def __init__(self) -> None:
        self._s_per_buzz: dict[str, float] = {}
        self._new: dict[str, tuple[float, int]] = {}

    def note(self, engine: str, seconds: float, buzz: int) -> None:
        """A job ended well: it ran for so long. One that is free says nothing."""
        if buzz <= 0:
            return
        was = self._s_per_buzz.get(engine, seconds / buzz)
        self._s_per_buzz[engine] = was * _KEEP + seconds / buzz * (1 - _KEEP)
        total, worth = self._new.get(engine, (0.0, 0))
        self._new[engine] = (total + seconds, worth + buzz)

    def estimate(self, engine: str, buzz: int) -> float:
        """Seconds that a job will probably run; 0 when nothing is known."""
        return self._s_per_buzz.get(engine, 0.0) * buzz

    def take(self) -> list[Pace]:
        """What was measured since the last time."""
        taken, self._new = self._new, {}
        return [Pace(engine=engine, seconds=s, buzz=buzz) for engine, (s, buzz) in taken.items()]
