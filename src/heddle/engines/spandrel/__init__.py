"""The engine `spandrel`: larger pictures and videos by upscaling models of the catalog, such as ESRGAN, SwinIR or DAT.

    picture -> tiles -> model -> Lanczos, where the model's factor is another -> joined without seams

`models.py` loads and runs models, `tiles.py` takes pictures apart and joins them, `work.py` goes through passes,
`pictures.py` and `clips.py` make files, `headers.py` looks at a model at submit. PyTorch is imported in workers only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle import prices
from heddle.domain import JSON, Needs
from heddle.engines import JobContext, LoadContext, Made, Offer
from heddle.engines.spandrel import headers
from heddle.engines.spandrel.options import Options
from heddle.errors import EngineFailed

if TYPE_CHECKING:
    from heddle.engines.spandrel.models import Model

#: What a result may be at most, pixels.
IMAGE_SIDE, IMAGE_AREA, VIDEO_SIDE = 8192, 64_000_000, 2560
#: And how many pixels in all frames together a video may have.
VIDEO_PIXELS = 3_000_000_000

#: What PyTorch and a tile take beside the weights, in MiB.
_WORKING_MB = 1500
#: Seconds until the first tile, however small the model is.
_START_S = 3.0
_LIBRARIES = ("torch", "spandrel", "safetensors", "numpy", "PIL", "av")


class Spandrel:
    """Runs one upscaling model at a time; those it was told to load stay until it is told to let them go."""

    def __init__(self) -> None:
        self._options = Options()
        self._models: dict[str, Model] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of(options)

    def offer(self) -> Offer:
        """Pictures and videos by every model that spandrel knows."""
        return Offer(
            step_types=frozenset({"upscale"}),
            families=frozenset({"esrgan", "spandrel"}),
            operations=frozenset({"upscale"}),
            sides=(1, IMAGE_SIDE),
            loads=True,
            device=True,
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there."""
        return [f"The library {name!r} is not installed." for name in _LIBRARIES if find_spec(name) is None]

    def default_model(self, family: str) -> str | None:
        """The one that the operator named."""
        return self._options.model or None

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What is wrong with the file of the model, as far as its header tells."""
        weights = payload["weights"].get(payload["model"])
        problem = None if weights is None else headers.problem(weights)
        return {} if problem is None else {"model": f"{payload['model']!r} {problem}"}

    def price(self, payload: JSON) -> float:
        """By the megapixels of the source, doubled by every pass."""
        return prices.upscale(payload)

    def needs(self, payload: JSON) -> Needs | None:
        """The weights, in single precision at most."""
        weights = payload["weights"][payload["model"]]
        size_mb = weights["size"] / 1e6
        return Needs(
            model=f"spandrel:{weights['path']}",
            memory_mb=round(2 * size_mb + _WORKING_MB),
            load_s=_START_S + self._options.seconds_per_gb * size_mb / 1000,
        )

    def load(self, model: str, context: LoadContext) -> None:
        """Read the file and build the network that its tensors belong to. Raises EngineFailed."""
        from heddle.engines.spandrel import models  # noqa: PLC0415 - heavy: PyTorch

        context.progress(0.0, "reading")
        self._models[model] = models.load(Path(model.partition(":")[2]), self._options)
        context.progress(1.0)

    def unload(self, model: str) -> None:
        """Let it go, and what PyTorch kept for it."""
        from heddle.engines.spandrel import models  # noqa: PLC0415 - heavy: PyTorch

        self._models.pop(model, None)
        models.tidy()

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One picture or one video."""
        from heddle.engines.spandrel import clips, pictures  # noqa: PLC0415 - heavy: PyTorch, Pillow
        from heddle.engines.spandrel.work import Work  # noqa: PLC0415 - as above

        context.progress(0.0, "reading")
        needs = self.needs(payload)
        assert needs is not None
        work = Work(self._models[needs.model], self._options, payload)
        data = context.read(str(payload["source"]))
        if pictures.is_picture(data):
            _expect(payload, "image")
            yield pictures.enlarged(data, payload, work, context.progress)
        else:
            _expect(payload, "video")
            yield clips.enlarged(data, payload, work, context.progress)


def _expect(payload: JSON, kind: str) -> None:
    if payload.get("kind") not in {None, kind}:
        raise EngineFailed(f"{payload['kind']}: the source is no {payload['kind']} but a file of another kind")
