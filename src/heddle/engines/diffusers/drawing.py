"""One job: a call of a pipeline, with progress and cancel at every step, and the picture as a file."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from heddle import __version__
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.diffusers import added, asked, controls, memory
from heddle.engines.diffusers.asked import Model
from heddle.engines.diffusers.eye import estimate
from heddle.engines.diffusers.families import Family
from heddle.engines.diffusers.resident import Resident
from heddle.engines.diffusers.samplers import seeded
from heddle.errors import EngineFailed
from heddle.studio import parameters

if TYPE_CHECKING:
    from PIL import Image

#: Of the whole, what is left after the last step: decoding and writing.
_STEPS_SHARE = 0.95


class Drawing:
    """A job and the model that it runs."""

    def __init__(
        self, payload: JSON, context: JobContext, model: Model, resident: Resident, *, beside: Sequence[JSON] = ()
    ) -> None:
        self._payload = payload
        #: Payloads that differ in their words, seed and format alone: their pictures come out of the same call.
        self._beside = beside
        self._context = context
        self._model = model
        self._resident = resident
        self._operation = asked.operation(payload, model)
        self._sampler = asked.sampler(payload, model)
        self._added = added.of(payload)
        self._approximations = [*self._sampler.approximations, *added.approximations(self._added)]
        self._size = (int(payload["width"]), int(payload["height"]))
        self._seed = int(payload["seed"])
        self._kind = str(payload.get("outputFormat") or "png")

    def made(self) -> Iterator[Made]:
        """Draw, and say how it was drawn; the picture of this job first, then those of the jobs beside it."""
        self._context.progress(0.0, "preparing")
        images = self._drawn()
        self._context.progress(_STEPS_SHARE, "writing the file")
        yield self._written(images[0])
        for payload, image in zip(self._beside, images[1:], strict=True):
            others = [self._payload, *(other for other in self._beside if other is not payload)]
            one = Drawing(payload, self._context, self._model, self._resident, beside=others)
            yield one._written(image)

    def _written(self, image: Image.Image) -> Made:
        data = parameters.encode(image, self._kind, self._text())
        return Made(
            data=data,
            mime=parameters.MIMES[self._kind],
            width=image.width,
            height=image.height,
            metadata=self._record(),
        )

    def _drawn(self) -> list[Image.Image]:
        prepared = self._resident.prepared(self._operation, self._sampler, self._seed, self._added, self._note)
        with memory.told(), prepared as pipeline:
            given = arguments(pipeline, self._resident, self._operation, self._payload, self._context)
            if self._beside:
                given |= _several(given, [self._payload, *self._beside], self._resident.row)
            with stepping(pipeline, self._context, self._look), checking(pipeline), seeded(self._seed):
                try:
                    images = pipeline(**given).images
                except (ValueError, IndexError, TypeError, RuntimeError) as error:
                    raise EngineFailed(f"{type(pipeline).__name__}: {str(error)[:300]}") from error
        if len(images) != 1 + len(self._beside):
            raise EngineFailed(
                f"{type(pipeline).__name__} gave {len(images)} pictures for {1 + len(self._beside)} jobs"
            )
        return [_cut(self._scaled(image), self._size) for image in images]

    def _scaled(self, image: Image.Image) -> Image.Image:
        """What a pipeline drew in a size of its own, in that which it was told."""
        from PIL import Image as Images  # noqa: PLC0415 - heavy

        drawn = drawn_size(*self._size, self._model.row.multiple)
        if self._operation not in self._model.row.own_size or image.size == drawn:
            return image
        self._approximations.append(
            f"drawn with {image.width}x{image.height}, as its pipeline does, and scaled to {drawn[0]}x{drawn[1]}"
        )
        return image.resize(drawn, Images.Resampling.LANCZOS)

    def _look(self, latents: Callable[[], Any]) -> None:
        """Show what there is after a step."""
        eye, row = self._resident.eye, self._resident.row
        if eye is not None:
            drawn = drawn_size(*self._size, row.multiple)
            self._context.preview(lambda n: eye.see(latents()[n], drawn))

    def _note(self, said: str) -> None:
        self._context.progress(0.0, said)

    def _text(self) -> str:
        given, row = self._payload, self._model.row
        pairs: list[tuple[str, object]] = [
            ("Steps", given["steps"]),
            ("Sampler", self._ran),
            ("CFG scale", f"{given['cfgScale']:g}"),
            ("Seed", self._seed),
            ("Size", f"{self._size[0]}x{self._size[1]}"),
            ("Model", parameters.quoted(self._model.path.stem)),
        ]
        if (given.get("clipSkip") or 1) > 1:
            pairs.append(("Clip skip", given["clipSkip"]))
        if self._strength is not None:
            pairs.append(("Denoising strength", f"{self._strength:g}"))
        if self._sampler.asked and self._sampler.asked != self._ran:
            pairs.append(("Asked sampler", parameters.quoted(self._sampler.asked)))
        if self._approximations:
            pairs.append(("Approximation", parameters.quoted("; ".join(self._approximations))))
        if self._beside:
            pairs.append(("Batch size", 1 + len(self._beside)))
        pairs += [(name, parameters.quoted(said)) for name, said in added.said(self._added)]
        pairs += [
            ("Engine", "diffusers"),
            ("Family", row.name),
            ("AIR", parameters.quoted(self._model.air)),
            ("Device", parameters.quoted(str(self._resident.placement))),
            ("Version", f"heddle {__version__}"),
        ]
        return parameters.text(str(given["prompt"]), str(given.get("negativePrompt") or ""), pairs)

    def _record(self) -> dict[str, Any]:
        given = self._payload
        record: dict[str, Any] = {
            "engine": "diffusers",
            "family": self._model.row.name,
            "model": self._model.air,
            "operation": self._operation,
            "prompt": given["prompt"],
            "negativePrompt": given.get("negativePrompt"),
            "steps": given["steps"],
            "sampler": self._ran,
            "samplerAsked": self._sampler.asked or None,
            "approximations": self._approximations or None,
            **self._added.record,
            "cfgScale": given["cfgScale"],
            "seed": self._seed,
            "strength": self._strength,
            "clipSkip": given.get("clipSkip"),
            "batch": 1 + len(self._beside) if self._beside else None,
            "device": str(self._resident.placement),
            "parameters": self._text(),
        }
        return {name: value for name, value in record.items() if value is not None}

    @property
    def _ran(self) -> str:
        """The sampler that was run; the model's own by the name of its class."""
        return self._sampler.title or type(self._resident.scheduler).__name__.removesuffix("Scheduler")

    @property
    def _strength(self) -> float | None:
        return self._payload.get("strength") if self._operation in {"variant", "inpaint"} else None


def arguments(pipeline: Any, resident: Resident, operation: str, payload: JSON, context: JobContext) -> dict[str, Any]:
    """What the pipeline is called with: by the family's row, and by what its signature takes."""
    row = resident.row
    taken = inspect.signature(pipeline.__call__).parameters
    width, height = drawn_size(int(payload["width"]), int(payload["height"]), row.multiple)
    more = added.of(payload)
    given: dict[str, Any] = {
        **_words(payload, row),
        "num_inference_steps": int(payload["steps"]),
        row.cfg: max(0.0, float(payload["cfgScale"]) - row.cfg_less),
        "width": width,
        "height": height,
        "max_area": width * height,
        **row.always,
    }
    if row.clip_skip and (payload.get("clipSkip") or 1) > row.clip_skip:
        given["clip_skip"] = payload["clipSkip"] - row.clip_skip
    if operation != "create":
        given["image"] = _source(payload, context, (width, height))
        given["strength"] = payload.get("strength")
    if operation == "inpaint":
        given["mask_image"] = _mask(payload, context, (width, height))
    steering = [_steering(control.image, payload, context, (width, height)) for control in more.controls]
    given |= controls.arguments(more.controls, operation, steering)
    return {name: value for name, value in given.items() if name in taken}


def _words(payload: JSON, row: Family) -> dict[str, Any]:
    """What is a picture's own: its prompts, and where its noise comes from."""
    embeddings = added.of(payload).embeddings
    given = {
        "prompt": added.say(payload["prompt"], embeddings),
        "generator": _generator(int(payload["seed"])),
    }
    if row.negative:
        given["negative_prompt"] = added.say(payload.get("negativePrompt") or "", embeddings) or row.no_negative
    return given


def _several(given: Mapping[str, Any], payloads: Sequence[JSON], row: Family) -> dict[str, Any]:
    """The words of several pictures, as one call takes them."""
    each = [_words(payload, row) for payload in payloads]
    several: dict[str, Any] = {name: [words[name] for words in each] for name in each[0] if name in given}
    if several.get("negative_prompt") == [None] * len(payloads):
        several["negative_prompt"] = None
    return several


def drawn_size(width: int, height: int, multiple: int) -> tuple[int, int]:
    """What is drawn for a size that a model cannot draw: the next larger one; the rest is cut off again."""
    return -(-width // multiple) * multiple, -(-height // multiple) * multiple


def _generator(seed: int) -> Any:
    import torch  # noqa: PLC0415 - heavy

    # On the CPU wherever the model is: then a seed means the same on every device.
    return torch.Generator("cpu").manual_seed(seed)


def _source(payload: JSON, context: JobContext, drawn: tuple[int, int]) -> Image.Image:
    blob_id = str(payload["images"][0])
    size = (int(payload["width"]), int(payload["height"]))
    return _fitted(parameters.source(context.read(blob_id), blob_id, size), size, drawn)


def _mask(payload: JSON, context: JobContext, drawn: tuple[int, int]) -> Image.Image:
    blob_id = str(payload["mask"])
    size = (int(payload["width"]), int(payload["height"]))
    return _fitted(parameters.source(context.read(blob_id), blob_id, size, "mask").convert("L"), size, drawn)


def _steering(blob_id: str, payload: JSON, context: JobContext, drawn: tuple[int, int]) -> Image.Image:
    size = (int(payload["width"]), int(payload["height"]))
    return _fitted(parameters.source(context.read(blob_id), blob_id, size, "controlNets"), size, drawn)


def _fitted(image: Image.Image, size: tuple[int, int], drawn: tuple[int, int]) -> Image.Image:
    """Cut to cover the size; what is drawn beyond it continues the edges, so that nothing moves."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image as Images  # noqa: PLC0415 - heavy
    from PIL import ImageOps  # noqa: PLC0415 - heavy

    fitted = image if image.size == size else ImageOps.fit(image, size, Images.Resampling.LANCZOS)
    if size == drawn:
        return fitted
    left, top = ((more - side) // 2 for more, side in zip(drawn, size, strict=True))
    pixels = np.asarray(fitted)
    around = [(top, drawn[1] - size[1] - top), (left, drawn[0] - size[0] - left), (0, 0)][: pixels.ndim]
    return Images.fromarray(np.pad(pixels, around, mode="edge"))


def _cut(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The middle, in the size that was asked for."""
    if image.size == size:
        return image
    if image.width < size[0] or image.height < size[1]:
        raise EngineFailed(f"the model drew {image.width}x{image.height}, and {size[0]}x{size[1]} was asked for")
    left, top = (image.width - size[0]) // 2, (image.height - size[1]) // 2
    return image.crop((left, top, left + size[0], top + size[1]))


@contextmanager
def stepping(
    pipeline: Any, context: JobContext, look: Callable[[Callable[[], Any]], None] | None = None
) -> Generator[None]:
    """Progress, and a cancel, at every step of the scheduler: pipelines differ in what else they tell, or tell nothing.

    A cancel is an exception in the middle of a step, after which the pipeline is as before. `look` is handed a way to
    the latents after each step. Where a pipeline has `rounds` (which one, of how many), only the last one paints.
    """
    scheduler, done = pipeline.scheduler, 0
    step = scheduler.step

    @functools.wraps(step)  # pipelines look at its signature
    def watched(*given: Any, **named: Any) -> Any:
        nonlocal done
        at, rounds = getattr(pipeline, "rounds", (0, 1))
        expected = rounds * max(1, len(scheduler.timesteps) - (getattr(scheduler, "begin_index", None) or 0))
        context.progress(_STEPS_SHARE * min(1.0, done / expected), f"step {done + 1} of {expected}")
        done += 1
        stepped = step(*given, **named)
        if look is not None and len(given) > 2 and at == rounds - 1:
            look(lambda: estimate(scheduler, given, stepped))
        return stepped

    scheduler.step = watched
    try:
        yield
    finally:
        del scheduler.step


@contextmanager
def checking(pipeline: Any) -> Generator[None]:
    """Raises EngineFailed for a picture of what are no numbers, which would become a black one."""
    processor = pipeline.image_processor
    write = processor.postprocess

    @functools.wraps(write)
    def checked(image: Any, *given: Any, **named: Any) -> Any:
        if not bool(image.isfinite().all()):
            raise EngineFailed(
                "the model gave what are no numbers: it does not go with this sampler, or with its dtype"
            )
        return write(image, *given, **named)

    processor.postprocess = checked
    try:
        yield
    finally:
        del processor.postprocess
