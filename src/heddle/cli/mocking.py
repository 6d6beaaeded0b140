"""`heddle run --mock`: what stands in the place of server and time, and what it has to say about that."""

from __future__ import annotations

from collections.abc import Sequence

from heddle.arazzo.events import Event, Result, Status
from heddle.arazzo.mocking import Mock
from heddle.arazzo.replay import ReplayClock
from heddle.arazzo.sources import Linked
from heddle.arazzo.transfers import Saved
from heddle.cli.narration import Narrator


class Pretense:
    """A narrator that tells the mock where the run is, and the reader what made-up answers cannot do."""

    def __init__(self, linked: Linked, seed: int, narrator: Narrator, *, saves: bool) -> None:
        self.clock = ReplayClock()
        self.transport = Mock(linked, seed, self.clock)
        self._narrator = narrator
        narrator.note("every answer is made up from the descriptions; no server is asked, and nothing waits")
        if saves:
            narrator.note("--save has no effect: nothing stands behind a made-up link")

    def note(self, text: str) -> None:
        self._narrator.note(text)

    def event(self, event: Event) -> None:
        self.transport.follow(event)
        self._narrator.event(event)

    def end(self, result: Result, saved: Sequence[Saved]) -> None:
        if result.status is Status.EXHAUSTED:
            self.note(
                "with made-up answers this loop does not end: the description gives one example, or no enumeration, "
                "for what it waits for; --max-steps stops it sooner"
            )
        self._narrator.end(result, saved)

    def close(self) -> None:
        self._narrator.close()
