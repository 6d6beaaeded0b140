"""The engine `diffusers-video`: videos from models of the operator's own, on a GPU or, slowly, on a CPU.

    payload -> kind and folder -> pipeline -> frames and sound -> file

`video_families.py` says what there is, `takes.py` is one job. Nothing heavy is imported until a model is loaded: the
server plans with this module too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle import engines
from heddle.domain import JSON, Needs
from heddle.engines import JobContext, LoadContext, Made, Offer
from heddle.engines.diffusers import device, flow_samplers, folders
from heddle.engines.diffusers.files import Unreadable
from heddle.engines.diffusers.folders import Folder, weights_of
from heddle.engines.diffusers.media_options import Options, needed
from heddle.engines.diffusers.video_families import ANSWERS, KINDS, OF_CLASS, WAN_VERSIONS, Kind, start_of, starts

if TYPE_CHECKING:
    from heddle.engines.diffusers.opening import Model

#: What a video takes beside the weights, in megabytes: an estimate.
_WORKING_MB = 3000


class DiffusersVideo:
    """Runs video pipelines, one job at a time."""

    def __init__(self) -> None:
        self._options = Options()
        self._models: dict[str, Model] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table. Raises UsageError."""
        self._options = Options.of("diffusers-video", ANSWERS, options)

    def offer(self) -> Offer:
        """Videos of the families whose weights are public, from a text or a picture."""
        return Offer(
            step_types=frozenset({"videoGen"}),
            families=frozenset({"diffusers-video", *ANSWERS}),
            operations=frozenset({"create", "variant"}),
            sides=(64, 1280),
            loads=True,
            device=True,
        )

    def missing(self) -> list[str]:
        """Sentences about libraries that are not there."""
        wanted = ("torch", "diffusers", "transformers", "ftfy", "av")
        return [f"The library {name!r} is not installed." for name in wanted if find_spec(name) is None]

    def default_model(self, family: str) -> str | None:
        """As the operator says."""
        return self._options.models.get(family)

    def kinds(self) -> Sequence[engines.Kind]:
        """A row for each kind and family."""
        return [
            engines.Kind(
                name=kind.name,
                family=family,
                operations=("create", "variant"),
                samplers=("Euler",) if kind.only_euler else flow_samplers.names(),
                files=[f"A folder in diffusers' form: {', '.join(sorted(set(kind.pipelines.values())))}."],
            )
            for kind in KINDS.values()
            for family in kind.answers
        ]

    def price(self, payload: JSON) -> float:
        """What the family costs."""
        from heddle.prices import video  # noqa: PLC0415 - the worker's side never needs prices

        return video(payload)

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What of a job this engine cannot do, by field of the input."""
        version = payload.get("version")
        if payload.get("family") == "wan" and version not in {None, *WAN_VERSIONS}:
            public = ", ".join(WAN_VERSIONS)
            return {"version": f"the weights of Wan {version} are not public; those of {public} are"}
        if (path := weights_of(payload)) is None:
            return {"model": f"{payload.get('model')!r} is no model of the catalog; name one by its AIR"}
        try:
            kind, folder = look(path)
            return dict(_problems(kind, folder, payload))
        except Unreadable as error:
            return {"model": str(error)}

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
        return needed(name, folder.numbers, kind.exact, self._options, working_mb=_WORKING_MB, room_mb=room_mb)

    def load(self, model: str, context: LoadContext) -> None:
        """Bring a checkpoint into memory. Raises JobError."""
        from heddle.engines.diffusers.opening import Model  # noqa: PLC0415 - heavy

        context.progress(0.0)
        name, _, path = model.partition(":")
        room_mb = device.room_mb(context, _WORKING_MB)
        self._models[model] = Model(Path(path), self._options, KINDS[name].exact, room_mb, seen=True)

    def unload(self, model: str) -> None:
        """Let it go."""
        if self._models.pop(model, None) is not None:
            from heddle.engines.diffusers.memory import give_back  # noqa: PLC0415 - heavy

            give_back()

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """One video."""
        from heddle.engines.diffusers.takes import Take  # noqa: PLC0415 - heavy

        needs = self.needs(payload)
        assert needs is not None, "a job without a checkpoint is refused at submit"
        kind = KINDS[needs.model.partition(":")[0]]
        yield Take(self._models[needs.model], kind, payload, context).made()


def look(path: Path) -> tuple[Kind, Folder]:
    """What lies at a path. Raises Unreadable."""
    folder = folders.look(path)
    if folder.pipeline not in OF_CLASS:
        known = ", ".join(sorted(OF_CLASS))
        raise Unreadable(f"{path.name!r} is a {folder.pipeline}, and this engine loads: {known}")
    return OF_CLASS[folder.pipeline], folder


def _problems(kind: Kind, folder: Folder, payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    named = f"{folder.path.name!r} ({folder.pipeline})"
    family = payload["family"]
    if family not in {*kind.answers, "diffusers-video"}:
        yield "model", f"{named} is a model of {kind.title}, which is not of the family {family!r}"
    yield from _wrong_start(starts(kind, folder), named, payload)
    if (asked := round(payload["durationMs"] / 1000 * payload["fps"])) <= kind.group // 2:
        yield "duration", f"{asked} frames are too few: {kind.title} makes {kind.group + 1} or more"
    if payload.get("generateAudio") and not kind.sound:
        yield "generateAudio", f"{kind.title} makes no sound; leave it out"
    if (
        payload.get("negativePrompt")
        and not kind.negative
        and folder.config("transformer").get("guidance_embeds", True)
    ):
        yield "negativePrompt", f"{named} was distilled and takes none; leave it out"
    if (name := payload.get("sampler")) and (
        why := flow_samplers.why_not(name, kind.title, only_euler=kind.only_euler)
    ):
        yield "sampler", why
    if payload.get("shift") is not None and not kind.shift:
        yield "shift", f"{kind.title} computes it from the size; leave it out"


def _wrong_start(able: Sequence[str], named: str, payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    match start_of(payload):
        case "text" if "text" not in able:
            yield "images", f"{named} makes videos from a picture alone; give one, or name another model"
        case "first" if "first" not in able:
            yield "images", f"{named} makes videos from a text alone; leave the picture out, or name another model"
        case "ends" if "ends" not in able:
            yield "lastFrame", f"{named} takes no last frame; leave it out, or name another model"
        case _:
            pass
