"""The engine `pocketsphinx`: hears English with the small model that comes with the library, on a plain CPU.

    source -> 16 kHz mono -> stretches of speech -> words with times -> text, subtitles

What is not like speech is not listened to, because words would be heard in it.
It is an old and small recognizer: of clear read speech it gets most words, of other speech few. Its results say so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.errors import EngineFailed
from heddle.studio import voices

if TYPE_CHECKING:
    from heddle.engines.sphinx.hearing import Heard

#: What is assumed of a source of unknown length when it is priced.
_UNKNOWN_MS = 60_000
_NOTHING = "No speech was heard."
_UNLIKE = "No speech was heard: what sounds here is not like speech."
_NOTE = "A small recognizer for English: of clear human speech about seven of ten words are right, of other speech few."


class Sphinx:
    """Finds speech, and the words in it."""

    def offer(self) -> Offer:
        """Transcripts, of its own family."""
        return Offer(
            step_types=frozenset({"transcribe"}),
            families=frozenset({"pocketsphinx"}),
            operations=frozenset({"transcribe"}),
            stand_in=True,
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there."""
        wanted = ("pocketsphinx", "av", "numpy")
        return [f"The library {name!r} is not installed." for name in wanted if find_spec(name) is None]

    def price(self, payload: JSON) -> float:
        """A Buzz for each half minute that is begun."""
        return float(max(1, -(-int(payload.get("durationMs", _UNKNOWN_MS)) // 30_000)))

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """The transcript, subtitles in two forms, and the words as JSON."""
        from heddle.engines.sphinx import hearing, subtitles  # noqa: PLC0415 - heavy: numpy

        language = str(payload.get("language", voices.AUTO))
        if not voices.english(language):
            raise EngineFailed(f"language {language[:80]!r} is not known here; this engine hears English (`en`)")
        began = time.monotonic()
        heard = hearing.hear(context.read(payload["media"]), context.progress)
        if not heard.words:
            context.log(_note(heard))
        output: dict[str, Any] = {
            "text": heard.text,
            "language": "English",
            "elapsedSeconds": round(time.monotonic() - began, 3),
        }
        if payload["timeStamps"]:
            output["timeStamps"] = [
                {"text": c.text, "startTime": round(c.start, 2), "endTime": round(c.end, 2)} for c in heard.cues[:1000]
            ]
        metadata: dict[str, Any] = {"engine": "pocketsphinx", "note": _note(heard), "words": len(heard.words)}
        if heard.passed_over:
            metadata["passedOverSeconds"] = round(heard.passed_over, 2)
        if "standInFor" in payload:
            metadata["standInFor"] = payload["standInFor"]
        duration_ms = round(heard.seconds * 1000)
        if duration_ms == 0:
            raise EngineFailed("media: the sound is empty; there is nothing to hear")
        words = [{"word": w.text, "startTime": round(w.start, 2), "endTime": round(w.end, 2)} for w in heard.words]
        yield Made(
            data=f"{heard.text}\n".encode(),
            mime="text/plain",
            metadata=metadata,
            output=output,
            duration_ms=duration_ms,
        )
        yield Made(data=subtitles.srt(heard.cues).encode(), mime="application/x-subrip", role="srt")
        yield Made(data=subtitles.vtt(heard.cues).encode(), mime="text/vtt", role="vtt")
        yield Made(data=json.dumps(words, indent=1).encode(), mime="application/json", role="words")
        context.progress(1.0)


def _note(heard: Heard) -> str:
    if heard.words:
        return _NOTE
    return _UNLIKE if heard.passed_over else _NOTHING
