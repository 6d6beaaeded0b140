"""The engine `mini`: a small text-to-image model that is part of the install, run by onnxruntime.

    prompt -> features -> things (what is where) -> plan -> latents -> pixels -> file

`tokens.py` reads words, `sampling.py` is the loop of both stages, `sessions.py` holds the networks, `canvas.py` and
`windows.py` know sizes, `loras.py` merges what is added, `drawing.py` does one job. The networks are in `graphs`, and
their weights in `mini.safetensors`; without that file, or where it is not good enough, the engine is not offered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle.domain import JSON
from heddle.engines import JobContext, Kind, Made, Offer
from heddle.engines.mini import asked, samplers, weights, windows
from heddle.engines.mini.options import Options
from heddle.engines.mini.weights import Unusable
from heddle.errors import EngineFailed

if TYPE_CHECKING:
    from heddle.engines.mini.sessions import Sessions

#: What a file of weights may say of itself, of which `none` is not offered.
_OFFERED = ("release", "preview")
#: As long a picture as it paints unasked: a window costs as much as a square.
_WINDOWS = 4
_LIBRARIES = ("numpy", "PIL", "onnxruntime", "safetensors")


class Mini:
    """Paints what the prompt says, on the CPU. One instance keeps its sessions between jobs."""

    def __init__(self) -> None:
        self._options = Options()
        self._sessions: Sessions | None = None

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of(options)

    @property
    def _path(self) -> Path:
        return Path(self._options.weights).expanduser() if self._options.weights else weights.SHIPPED

    @property
    def _quality(self) -> str:
        """Of the file that there is. Raises Unusable."""
        return weights.metadata(self._path).get("quality", "none")

    def offer(self) -> Offer:
        """Pictures of its own family; unasked only where its weights are good enough."""
        return Offer(
            step_types=frozenset({"imageGen"}),
            families=frozenset({"mini"}),
            operations=frozenset({"create", "variant"}),
            sides=asked.SIDES,
            adds=True,
            preview=self._said() == "preview",
        )

    def _said(self) -> str:
        """The quality, `none` where there is nothing to be used."""
        try:
            return self._quality
        except Unusable:
            return "none"

    def missing(self) -> list[str]:
        """Sentences about libraries and weights."""
        lacking = [f"The library {name!r} is not installed." for name in _LIBRARIES if find_spec(name) is None]
        if not self._path.exists():
            return [*lacking, "This version of Heddle has no weights for it."]
        try:
            quality = self._quality
        except Unusable as error:
            return [*lacking, f"Its weights cannot be used: {error}."]
        if quality not in _OFFERED:
            lacking.append(f"Its weights are not good enough to be offered: they say {quality!r} of their quality.")
        return lacking

    def kinds(self) -> Sequence[Kind]:
        """The one model."""
        name = "mini (preview)" if self._said() == "preview" else "mini"
        files = ("in the install; LoRAs as safetensors",)
        return [
            Kind(name=name, family="mini", operations=("create", "variant"), samplers=samplers.titles(), files=files)
        ]

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What of a job it cannot do."""
        return asked.problems(payload)

    def suits(self, payload: JSON) -> bool:
        """Unasked it paints what it has the words for, or a LoRA, on no long strip and not over a source.

        The rest is for who knows more: of what is in a source, it keeps little.
        """
        from heddle.engines.mini import tokens, windows  # noqa: PLC0415 - compiles the vocabulary

        if payload.get("images") or windows.count(payload["width"], payload["height"]) > _WINDOWS:
            return False
        return bool(payload.get("networks")) or tokens.knows(str(payload.get("prompt") or ""))

    def price(self, payload: JSON) -> float:
        """As its family costs, for every window that the picture is painted in."""
        from heddle.prices import image  # noqa: PLC0415 - the worker's side never needs prices

        return image(payload) * windows.count(payload["width"], payload["height"])

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One picture."""
        from heddle.engines.mini.drawing import Drawing  # noqa: PLC0415 - heavy: numpy, Pillow, onnxruntime

        if reasons := self.missing():
            raise EngineFailed(f"mini cannot run here: {' '.join(reasons)}")
        if wrong := asked.problems(payload):
            field, sentence = next(iter(wrong.items()))
            raise EngineFailed(f"{field}: {sentence}")
        yield Drawing(asked.of(payload), context, self._loaded(), self._quality).made()

    def _loaded(self) -> Sessions:
        from heddle.engines.mini.sessions import Sessions  # noqa: PLC0415 - heavy: numpy, onnxruntime

        if self._sessions is None:
            try:
                self._sessions = Sessions(self._path, self._options.threads)
            except Unusable as error:
                raise EngineFailed(str(error)) from error
        return self._sessions
