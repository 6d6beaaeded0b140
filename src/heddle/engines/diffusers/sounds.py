"""The engine `diffusers-audio`: sounds and music from models of the operator's own.

`sound_families.py` says what there is, `recordings.py` is one job. Nothing heavy is imported until a model is loaded:
the server plans with this module too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle import engines
from heddle.domain import JSON, Needs
from heddle.engines import JobContext, LoadContext, Made, Offer
from heddle.engines.diffusers import device, folders
from heddle.engines.diffusers.files import Unreadable
from heddle.engines.diffusers.folders import Folder, weights_of
from heddle.engines.diffusers.media_options import Options, needed
from heddle.engines.diffusers.sound_families import ANSWERS, KINDS, OF_CLASS, Kind, longest

if TYPE_CHECKING:
    from heddle.engines.diffusers.opening import Model

#: What a sound takes beside the weights, in megabytes: an estimate.
_WORKING_MB = 1500

#: Parts of ACE-Step that callers may name one by one, elsewhere.
_PARTS = ("diffusionModel", "clipModel", "vaeModel", "languageModel")


class DiffusersAudio:
    """Runs audio pipelines, one job at a time."""

    def __init__(self) -> None:
        self._options = Options()
        self._models: dict[str, Model] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of("diffusers-audio", ANSWERS, options)

    def offer(self) -> Offer:
        """Sounds of Stable Audio, music of ACE-Step."""
        return Offer(
            step_types=frozenset(kind.step_type for kind in KINDS.values()),
            families=frozenset({"diffusers-audio", *(kind.answers for kind in KINDS.values())}),
            operations=frozenset({"create"}),
            loads=True,
            device=True,
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there; the scheduler of Stable Audio needs torchsde."""
        wanted = ("torch", "diffusers", "transformers", "torchsde", "soundfile")
        return [f"The library {name!r} is not installed." for name in wanted if find_spec(name) is None]

    def default_model(self, family: str) -> str | None:
        """As the operator says."""
        return self._options.models.get(family)

    def kinds(self) -> Sequence[engines.Kind]:
        """A row for each kind."""
        return [
            engines.Kind(
                name=kind.name,
                family=kind.answers,
                operations=("create",),
                files=[f"A folder in diffusers' form: {kind.pipeline}."],
            )
            for kind in KINDS.values()
        ]

    def price(self, payload: JSON) -> float:
        """What the family costs."""
        from heddle.prices import audio  # noqa: PLC0415 - the worker's side never needs prices

        return audio(payload)

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What of a job this engine cannot do, by field of the input."""
        found = {
            field: "parts of ACE-Step are not joined here; name a whole folder in diffusers' form as `model`"
            for field in _PARTS
            if payload.get(field)
        }
        if (path := weights_of(payload)) is None:
            return found | {"model": f"{payload.get('model')!r} is no model of the catalog; name one by its AIR"}
        try:
            kind, folder = look(path)
            return found | dict(_problems(kind, folder, payload))
        except Unreadable as error:
            return found | {"model": str(error)}

    def needs(self, payload: JSON) -> Needs | None:
        """The checkpoint of a job."""
        return self._needs(payload, None)

    def fit(self, payload: JSON, room_mb: int) -> Needs | None:
        """The same where there is so much memory: what does not fit is moved in and out."""
        return self._needs(payload, room_mb)

    def _needs(self, payload: JSON, room_mb: int | None) -> Needs | None:
        if (path := weights_of(payload)) is None:
            return None
        try:
            kind, folder = look(path)
        except Unreadable:
            return None  # `problems` says why
        name = f"{kind.name}:{path}"
        return needed(name, folder.numbers, (), self._options, working_mb=_WORKING_MB, room_mb=room_mb)

    def load(self, model: str, context: LoadContext) -> None:
        """Bring a checkpoint into memory. Raises JobError."""
        from heddle.engines.diffusers.opening import Model  # noqa: PLC0415 - heavy

        context.progress(0.0)
        self._models[model] = Model(
            Path(model.partition(":")[2]), self._options, room_mb=device.room_mb(context, _WORKING_MB)
        )

    def unload(self, model: str) -> None:
        """Let it go."""
        if self._models.pop(model, None) is not None:
            from heddle.engines.diffusers.memory import give_back  # noqa: PLC0415 - heavy

            give_back()

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One sound or piece."""
        from heddle.engines.diffusers.recordings import Recording  # noqa: PLC0415 - heavy

        needs = self.needs(payload)
        assert needs is not None, "a job without a checkpoint is refused at submit"
        kind = KINDS[needs.model.partition(":")[0]]
        yield Recording(self._models[needs.model], kind, payload, context).made()


def look(path: Path) -> tuple[Kind, Folder]:
    """What lies at a path. Raises Unreadable."""
    folder = folders.look(path)
    if folder.pipeline not in OF_CLASS:
        raise Unreadable(f"{path.name!r} is a {folder.pipeline}, and this engine loads: {', '.join(sorted(OF_CLASS))}")
    return OF_CLASS[folder.pipeline], folder


def _problems(kind: Kind, folder: Folder, payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    named = f"{folder.path.name!r} ({folder.pipeline})"
    if payload["family"] not in {kind.answers, "diffusers-audio"} or kind.says not in payload:
        yield "model", f"{named} is a model of {kind.title}, which the step type `{kind.step_type}` uses"
        return
    most = longest(kind, folder)
    if most is not None and payload["durationMs"] / 1000 > most:
        yield "duration", f"{payload['durationMs'] / 1000:g} s are more than the {most:.4g} s that {named} can make"
    if payload.get("loras"):
        yield "loras", "LoRAs are not applied to ACE-Step here; leave them out"
    if payload.get("loop"):
        yield "loop", f"{kind.title} makes no loops; leave it out"
