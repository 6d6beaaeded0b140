"""Engines with the library transformers: `whisper`, `transformers-tts`, `transformers-text` and `classifier`.

Each runs models of the catalog that are folders as transformers writes them: `config.json`, safetensors and what the
tokenizer needs. `folders.py` reads what such a folder says of itself, and `speakers.py` which voices it has;
`models.py` brings it into memory, and one module for each engine does a job: `hearing.py`, `speaking.py` (with
`saying.py` for what differs between kinds of models), `writing.py`, `judging.py`. Nothing is ever fetched from a hub,
and no code that lies in a folder is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from heddle import prices
from heddle.domain import JSON, Needs
from heddle.engines import JobContext, LoadContext, Made, Offer
from heddle.engines.transformers import folders, speakers
from heddle.engines.transformers.options import JudgeOptions, Options

if TYPE_CHECKING:
    from heddle.engines.transformers.models import Loaded

_TORCH = ("torch", "transformers", "safetensors")

#: What is assumed of a source of unknown length when it is priced.
_UNKNOWN_MS = 60_000
#: The longest answer where the caller does not say, in tokens, and how many letters a token has, about.
TOKENS = 1024
_LETTERS = 4

#: A load from a disk that gives so much a second, and what a process needs besides the weights.
_MB_PER_S, _BESIDE_MB = 500, 300


class _Engine:
    """What the four have in common: models that are loaded, and the operator's choice of one."""

    #: As `models.py` names what is loaded.
    kind = ""

    def __init__(self) -> None:
        self._options = Options()
        self._loaded: dict[str, Loaded] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of(options)

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there."""
        lacking = [name for name in _TORCH if find_spec(name) is None]
        return [f"The library {name!r} is not installed: pip install 'heddle-cloud[torch]'." for name in lacking]

    def default_model(self, family: str) -> str | None:
        """The operator's."""
        return self._options.model or None

    def needs(self, payload: JSON) -> Needs | None:
        """The folder, with the room that its weights take."""
        place = folders.place(payload)
        if place is None:
            return None
        size_mb = place["size"] / 2**20 * folders.growth(place["path"])
        return Needs(
            model=f"{self.kind}:{place['path']}", memory_mb=round(size_mb) + _BESIDE_MB, load_s=2 + size_mb / _MB_PER_S
        )

    def load(self, model: str, context: LoadContext) -> None:
        """Into the memory of the device, or of the machine where there is none. Raises JobError."""
        from heddle.engines.transformers import models  # noqa: PLC0415 - heavy: PyTorch

        self._loaded[model] = models.load(model, context)

    def unload(self, model: str) -> None:
        """Let it go."""
        from heddle.engines.transformers import models  # noqa: PLC0415 - heavy: PyTorch

        self._loaded.pop(model, None)
        models.sweep()

    def _model(self, payload: JSON) -> Loaded:
        wanted = self.needs(payload)
        assert wanted is not None, "a job without a model was planned"
        return self._loaded[wanted.model]


class Whisper(_Engine):
    """Hears speech in about a hundred languages, with models of the family Whisper."""

    kind = "whisper"

    def offer(self) -> Offer:
        """Transcripts."""
        return Offer(
            step_types=frozenset({"transcribe"}),
            families=frozenset({"whisper"}),
            operations=frozenset({"transcribe"}),
            loads=True,
            formats=frozenset({"SafeTensor"}),
            device=True,
        )

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """A folder of another kind, and a language that the model does not know."""
        return folders.whisper_problems(payload)

    def price(self, payload: JSON) -> float:
        """A Buzz for each half minute that is begun."""
        return float(max(1, -(-int(payload.get("durationMs") or _UNKNOWN_MS) // 30_000)))

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """The transcript, and subtitles in two forms."""
        from heddle.engines.transformers import hearing  # noqa: PLC0415 - heavy: PyTorch

        yield from hearing.make(self._model(payload), payload, context)


class Speech(_Engine):
    """Speaks with VITS, to which the 1,100 languages of MMS belong, SpeechT5, Bark and CSM."""

    kind = "speech"

    def offer(self) -> Offer:
        """Speech."""
        return Offer(
            step_types=frozenset({"tts"}),
            families=frozenset({"transformers-tts", "vits", "mms", "speecht5", "bark", "csm"}),
            operations=frozenset({"create"}),
            loads=True,
            formats=frozenset({"SafeTensor"}),
            device=True,
        )

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What the model has not: voices, languages, a pitch."""
        return speakers.problems(payload)

    def price(self, payload: JSON) -> float:
        """1 Buzz for every 100 characters begun."""
        return prices.speech(payload)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One speech."""
        from heddle.engines.transformers import speaking  # noqa: PLC0415 - heavy: PyTorch

        yield speaking.make(self._model(payload), payload, context)


class Text(_Engine):
    """Writes with causal language models."""

    kind = "text"

    def offer(self) -> Offer:
        """Answers, for the families whose weights are published."""
        return Offer(
            step_types=frozenset({"textGen"}),
            families=frozenset({"transformers-text", *prices.OPEN_TEXT}),
            operations=frozenset({"chat"}),
            loads=True,
            formats=frozenset({"SafeTensor"}),
            device=True,
        )

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """A folder of another kind, and answers in a form that cannot be promised."""
        return folders.text_problems(payload)

    def price(self, payload: JSON) -> float:
        """1 Buzz an answer, and 1 for 1,000 tokens, as many as it reads and may write."""
        read = sum(len(message["text"]) for message in payload["messages"]) / _LETTERS
        return payload.get("n", 1) * (1 + (read + (payload.get("maxWords") or TOKENS)) / 1000)

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """All choices in one answer; the first is the blob."""
        from heddle.engines.transformers import writing  # noqa: PLC0415 - heavy: PyTorch

        yield writing.make(self._model(payload), payload, context)


class Classifier(_Engine):
    """Judges texts or pictures, as the model that is named has learned to."""

    kind = "judge"

    def __init__(self) -> None:
        super().__init__()
        self._judging = JudgeOptions()

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._judging = JudgeOptions.of(options)
        self._options = Options(model=self._judging.model)

    def offer(self) -> Offer:
        """Texts and pictures."""
        return Offer(
            step_types=frozenset({"moderation"}),
            families=frozenset({"classifier"}),
            operations=frozenset({"text", "media"}),
            loads=True,
            formats=frozenset({"SafeTensor"}),
            device=True,
        )

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """A model of texts for a picture, or the other way round."""
        return folders.judge_problems(payload)

    def price(self, payload: JSON) -> float:
        """A tenth of a Buzz; a workflow costs one at least."""
        return 0.1

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One judgment, as JSON."""
        from heddle.engines.transformers import judging  # noqa: PLC0415 - heavy: PyTorch

        yield judging.make(self._model(payload), payload, context, self._judging)
