"""One job of video: from a payload to a file. Runs in a worker."""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from heddle import __version__
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.diffusers import flow_samplers, memory
from heddle.engines.diffusers.eye import Glimpse
from heddle.engines.diffusers.opening import Model
from heddle.engines.diffusers.samplers import seeded
from heddle.engines.diffusers.video_families import Kind, Start, start_of
from heddle.engines.diffusers.watch import watched
from heddle.errors import EngineFailed
from heddle.studio import previews, video

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

#: Sampling steps where a job says nothing; prices are for as many.
STEPS = 20

#: What a source picture may be.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP")
_MOST_PIXELS = 64_000_000
#: How much of a text a file repeats.
_SAID = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a pipeline gave: frames by height, width and color, 0..255, and the sound that goes with them."""

    frames: NDArray[np.uint8]
    sound: video.Sound | None = None


class Take:
    """One job, stage by stage."""

    def __init__(self, model: Model, kind: Kind, payload: JSON, context: JobContext) -> None:
        self.kind = kind
        self.payload = payload
        self.context = context
        self.start: Start = start_of(payload)
        self.pipeline = model.fresh(kind.pipelines[self.start])
        self.placement = model.placement
        self.eye = model.eye
        self.size = (int(payload["width"]), int(payload["height"]))
        self.rendered = (kind.padded(self.size[0]), kind.padded(self.size[1]))
        self.fps = Fraction(str(payload["fps"])).limit_denominator(1001)
        self.asked = round(payload["durationMs"] / 1000 * self.fps)
        self.count = kind.frames(self.asked)
        self.steps = int(payload.get("steps") or STEPS)
        self.seed = int(payload.get("seed") or 0)
        self.sampler = flow_samplers.named(payload.get("sampler"))
        self.sounds = kind.sound and payload.get("generateAudio", True) and payload.get("outputFormat") != "gif"

    def made(self) -> Made:
        """All of it."""
        rendered = self.render()
        self.context.progress(0.96, "writing the file")
        frames = rendered.frames
        record = self._record(frames)
        file_format: video.Format = self.payload.get("outputFormat") or "mp4"
        data = video.write(
            self._told(frames),
            fps=self.fps,
            file_format=file_format,
            sound=rendered.sound,
            tags={"comment": json.dumps(record)},
            crf=19,
        )
        return Made(
            data=data,
            mime=video.MIMES[file_format],
            width=frames.shape[2],
            height=frames.shape[1],
            duration_ms=round(1000 * len(frames) / self.fps),
            metadata=record,
            preview=previews.of_frame(frames[0]),
        )

    def render(self) -> Rendered:
        """The frames, cut to the size that was asked for, and the sound."""
        payload, pipeline = self.payload, self.pipeline
        pipeline.scheduler = flow_samplers.built(pipeline.scheduler, self.sampler, payload.get("shift"))
        call = self.arguments()
        with memory.told(), watched(pipeline, self.context.progress, self.steps), seeded(self.seed):
            given = pipeline(**call)
        sound = self._sound(given) if self.sounds else None
        return Rendered(frames=self._cut(eight_bits(given.frames[0])), sound=sound)

    def arguments(self) -> dict[str, Any]:
        """What the pipeline is called with."""
        import torch  # noqa: PLC0415 - heavy

        kind, payload = self.kind, self.payload
        width, height = self.rendered
        call: dict[str, Any] = {
            "prompt": str(payload["prompt"]),
            "num_frames": self.count,
            "num_inference_steps": self.steps,
            # On the CPU, whatever computes: the same seed gives the same noise everywhere.
            "generator": torch.Generator("cpu").manual_seed(self.seed),
            "output_type": "np",
            **kind.always,
            **kind.of_family.get(str(payload.get("family")), {}),
            **guidance(self.pipeline, kind, payload),
        }
        if not (kind.name == "hunyuan15" and self.start != "text"):  # which has sizes of its own for pictures
            call |= {"width": width, "height": height}
        if kind.rate:
            call["frame_rate"] = float(self.fps)
        # HunyuanVideo 1.5 tells nobody of its steps.
        if (
            self.eye is not None
            and "callback_on_step_end" in inspect.signature(type(self.pipeline).__call__).parameters
        ):
            latents = (self.count - 1) // kind.group + 1
            call["callback_on_step_end"] = Glimpse(self.eye, self.context, self.rendered, latents)
        return call | self._pictures()

    def _pictures(self) -> dict[str, Any]:
        if self.start == "text":
            return {}
        first = self._picture(self.payload["images"][0])
        if self.start == "first":
            return {"image": first}
        last = self._picture(self.payload["lastFrame"])
        return ends(self.kind, first, last, self.count)

    def _picture(self, blob_id: str) -> Image:
        """A source picture, cut to cover the frame."""
        from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - beside its use

        try:
            with Image.open(io.BytesIO(self.context.read(blob_id)), formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise EngineFailed(
                        f"images: {blob_id!r} has {image.width}x{image.height} pixels; at most {_MOST_PIXELS} are taken"
                    )
                upright = ImageOps.exif_transpose(image).convert("RGB")
                return ImageOps.fit(upright, self.rendered, Image.Resampling.LANCZOS)
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise EngineFailed(
                f"images: {blob_id!r} is not a picture that can be read: one of {', '.join(_FORMATS)} was expected"
            ) from error

    def _cut(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The middle of what was rendered, where that is larger than what was asked for."""
        if (frames.shape[2], frames.shape[1]) != self.rendered:
            return frames
        left, top = ((all_ - part) // 2 for all_, part in zip(self.rendered, self.size, strict=True))
        return frames[:, top : top + self.size[1], left : left + self.size[0]]

    def _sound(self, given: Any) -> video.Sound:
        samples = given.audio[0].float().cpu().numpy().T
        return video.Sound(samples=samples, rate=int(self.pipeline.vocoder.config.output_sampling_rate))

    def _told(self, frames: NDArray[np.uint8]) -> Any:
        for i, frame in enumerate(frames):
            self.context.progress(0.96 + 0.04 * i / len(frames), "writing the file")
            yield frame

    def _record(self, frames: NDArray[np.uint8]) -> dict[str, Any]:
        given = self.payload
        size = f"{self.rendered[0]}x{self.rendered[1]}"
        record: dict[str, Any] = {
            "engine": "diffusers-video",
            "family": given.get("family"),
            "model": given.get("model"),
            "kind": self.kind.title,
            "prompt": str(given["prompt"])[:_SAID],
            "negativePrompt": str(given.get("negativePrompt") or "")[:_SAID],
            "seed": self.seed,
            "steps": self.steps,
            "cfg": given.get("cfgScale"),
            "sampler": flow_samplers.said(self.pipeline.scheduler, self.sampler),
            "approximations": list(self.sampler.approximations) or None,
            "shift": given.get("shift"),
            "width": frames.shape[2],
            "height": frames.shape[1],
            "rendered": size if self.rendered != self.size else None,
            "frames": len(frames),
            "framesAsked": self.asked if self.asked != len(frames) else None,
            "fps": float(self.fps),
            "duration": float(len(frames) / self.fps),
            "sound": self.sounds or None,
            "device": str(self.placement),
            "version": f"heddle {__version__}",
        }
        return {name: value for name, value in record.items() if value is not None and value != ""}


def guidance(pipeline: Any, kind: Kind, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for the negative prompt and for how strictly the prompt is followed."""
    negative, cfg = payload.get("negativePrompt"), payload.get("cfgScale")
    call: dict[str, Any] = {"negative_prompt": negative} if negative else {}
    if cfg is None:
        return call
    match kind.name:
        case "ltx2" if cfg <= 1:  # distilled: the model is run once a step
            off = {"stg_scale": 0.0, "modality_scale": 1.0, "audio_stg_scale": 0.0, "audio_modality_scale": 1.0}
            return call | off | {"guidance_scale": 1.0, "audio_guidance_scale": 1.0}
        case "hunyuan" if not pipeline.transformer.config.guidance_embeds:
            return {"negative_prompt": negative or "", "true_cfg_scale": cfg}
        case "hunyuan15":
            pipeline.guider = pipeline.guider.new(guidance_scale=cfg)
            return call
        case _:
            return call | {"guidance_scale": cfg}


def ends(kind: Kind, first: Image, last: Image, count: int) -> dict[str, Any]:
    """The arguments for a first and a last frame."""
    match kind.name:
        case "ltx":
            return {"image": [first, last], "frame_index": [0, count - 1]}
        case "ltx2":
            from diffusers.pipelines.ltx2.pipeline_ltx2_condition import (  # noqa: PLC0415 - heavy
                LTX2VideoCondition,
            )

            # Counted in latents; -1 is the last one.
            return {"conditions": [LTX2VideoCondition(frames=first), LTX2VideoCondition(frames=last, index=-1)]}
        case _:
            return {"image": first, "last_image": last}


def eight_bits(frames: NDArray[np.float32]) -> NDArray[np.uint8]:
    """From 0..1. One frame at a time, because a whole video more in memory may be too much. Raises EngineFailed."""
    import numpy as np  # noqa: PLC0415 - heavy

    if not all(np.isfinite(frame).all() for frame in frames):
        raise EngineFailed("the model gave what are no numbers: it does not go with this sampler, or with its dtype")
    return np.stack([(frame * 255).round().clip(0, 255).astype(np.uint8) for frame in frames])
