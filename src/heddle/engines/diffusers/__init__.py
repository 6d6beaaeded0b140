"""The engine `diffusers`: pictures by the user's own models.

    payload -> asked (light, also at submit) -> resident (the model in memory) -> drawing (one job) -> file

`families.py` says what there is, `files.py` what a file is, `loading.py` brings it into memory, `samplers.py` reads
their names, `device.py` decides where it is computed. Nothing heavy is imported until a model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from heddle.domain import JSON, Needs
from heddle.engines import Batch, JobContext, LoadContext, Made, Offer
from heddle.engines.diffusers import asked, device, loading
from heddle.engines.diffusers.families import ANSWERS
from heddle.engines.diffusers.files import Unreadable
from heddle.engines.diffusers.options import Options
from heddle.errors import EngineFailed

if TYPE_CHECKING:
    from heddle.engines.diffusers.resident import Resident

_LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "safetensors")

#: How long any load takes, in seconds.
_LOAD_S = 2.0


class Diffusers:
    """Runs pipelines of diffusers. One instance holds the models that its worker was told to load."""

    def __init__(self) -> None:
        self._options = Options()
        self._residents: dict[str, Resident] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of(options)

    def offer(self) -> Offer:
        """Pictures, for the families that there are rows for."""
        return Offer(
            step_types=frozenset({"imageGen"}),
            families=frozenset({"diffusers", *ANSWERS}),
            operations=frozenset({"create", "variant", "edit", "inpaint"}),
            loads=True,
            formats=frozenset({"SafeTensor"}),
            device=True,
            # While one call is at work, as many jobs as the next one takes come in line.
            lookahead=2 * self._options.batch - 1 if self._options.batch > 1 else None,
        )

    def missing(self) -> list[str]:
        """The libraries that are not there."""
        lacking = [name for name in _LIBRARIES if find_spec(name) is None]
        return [f"{', '.join(lacking)} not installed; pip install 'heddle-cloud[torch]'"] if lacking else []

    def default_model(self, family: str) -> str | None:
        """As the operator says."""
        return self._options.models.get(family)

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What the model cannot do, told by its files."""
        return asked.problems(payload, self._options)

    def price(self, payload: JSON) -> float:
        """As its family costs."""
        from heddle.prices import image  # noqa: PLC0415 - the worker's side never needs prices

        return image(payload)

    def needs(self, payload: JSON) -> Needs | None:
        """The base model, and its size in memory in the numbers that it is computed in."""
        return self._needs(payload, None)

    def fit(self, payload: JSON, room_mb: int) -> Needs | None:
        """The same where there is so much memory: what does not fit is moved in and out."""
        return self._needs(payload, room_mb)

    def _needs(self, payload: JSON, room_mb: int | None) -> Needs | None:
        try:
            model = asked.model(payload)
            numbers = loading.numbers(model.row, model.layout, self._options)
        except Unreadable:
            return None
        width = device.width(self._options, model.row)
        sizes = [count * width / 1e6 for count in numbers.values()]
        room = None if room_mb is None else room_mb - self._working_mb
        held = device.held_mb(sizes, self._options.offload, self._options.device, room)
        return Needs(
            model=model.name,
            memory_mb=round(held + self._working_mb),
            load_s=round(_LOAD_S + sum(sizes) / 1000 * self._options.seconds_per_gb, 1),
        )

    @property
    def _working_mb(self) -> float:
        return device.WORKING_MB * max(1.0, self._options.batch * self._options.batch_pixels / 1e6)

    def load(self, model: str, context: LoadContext) -> None:
        """From files into the memory of the device."""
        from heddle.engines.diffusers.resident import Resident  # noqa: PLC0415 - heavy

        context.progress(0.0, "loading")
        row, path = asked.parse(model)
        self._residents[model] = Resident(row, path, self._options, device.room_mb(context, self._working_mb))
        context.progress(1.0)

    def unload(self, model: str) -> None:
        """Out of it."""
        if (resident := self._residents.pop(model, None)) is not None:
            resident.close()

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One picture."""
        return self.run_together([payload], context)

    def batch(self, payload: JSON) -> Batch | None:
        """Jobs that differ in their words, seeds and formats alone go together, where the operator allows it."""
        alike = asked.alike(payload, self._options)
        return Batch(key=alike, most=self._options.batch) if alike else None

    def run_together(self, payloads: Sequence[JSON], context: JobContext) -> Iterator[Made]:
        """A picture for each."""
        from heddle.engines.diffusers.drawing import Drawing  # noqa: PLC0415 - heavy

        payload, *beside = payloads
        try:
            model = asked.model(payload)
        except Unreadable as error:
            raise EngineFailed(str(error)) from error
        if problems := asked.problems(payload, self._options):
            field, sentence = next(iter(problems.items()))
            raise EngineFailed(f"{field}: {sentence}")
        yield from Drawing(payload, context, model, self._residents[model.name], beside=beside).made()
