"""One job of sound or music: from a payload to a file. Runs in a worker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from heddle import __version__
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.diffusers import flow_samplers, memory, sound_families
from heddle.engines.diffusers.opening import Model
from heddle.engines.diffusers.samplers import seeded
from heddle.engines.diffusers.sound_families import IGNORED, Kind
from heddle.engines.diffusers.watch import watched
from heddle.errors import EngineFailed
from heddle.studio import audio, loudness, previews

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: How much of a text a file repeats.
_SAID = 1000


class Recording:
    """One job, stage by stage."""

    def __init__(self, model: Model, kind: Kind, payload: JSON, context: JobContext) -> None:
        self.kind = kind
        self.payload = payload
        self.context = context
        self.pipeline = model.fresh(kind.pipeline)
        self.placement = model.placement
        self.rate = int(self.pipeline.vae.config.sampling_rate)
        self.seed = int(payload.get("seed") or 0)
        turbo = bool(getattr(self.pipeline, "is_turbo", False))
        self.call = sound_families.arguments(kind, payload, turbo=turbo)

    def made(self) -> Made:
        """All of it."""
        samples = self.render()
        self.context.progress(0.95, "writing the file")
        record = self._record(samples)
        file_format: audio.Format = self.payload.get("outputFormat") or "mp3"
        title = " ".join(str(self.payload[self.kind.says]).split())[:80]
        comment = json.dumps(record | {"lyrics": str(record.get("lyrics", ""))[:300]}, ensure_ascii=False)
        tags = {"title": title, "software": "heddle diffusers-audio", "comment": comment}
        try:
            data = audio.encode(samples, self.rate, file_format, tags)
        except RuntimeError as error:
            raise EngineFailed(f"outputFormat {file_format!r} could not be written: {error}") from error
        return Made(
            data=data,
            mime=audio.MIMES[file_format],
            duration_ms=round(len(samples) * 1000 / self.rate),
            metadata=record,
            preview=previews.of_sound(samples),
        )

    def render(self) -> NDArray[np.float32]:
        """The samples by channels, as long as was asked for."""
        import numpy as np  # noqa: PLC0415 - heavy
        import torch  # noqa: PLC0415 - heavy

        # On the CPU, whatever computes: the same seed gives the same noise everywhere.
        chance = torch.Generator("cpu").manual_seed(self.seed)
        steps = self.call["num_inference_steps"]
        with memory.told(), watched(self.pipeline, self.context.progress, steps), seeded(self.seed):
            given = self.pipeline(**self.call, generator=chance, output_type="np").audios[0]
        if not np.isfinite(given).all():
            raise EngineFailed("the model gave what are no numbers: it does not go with its dtype")
        wanted = round(self.payload["durationMs"] / 1000 * self.rate)
        return np.clip(given[:, :wanted].T, -1.0, 1.0).astype(np.float32)

    def _record(self, samples: NDArray[np.float32]) -> dict[str, Any]:
        given, level = self.payload, loudness.measure(samples, self.rate)
        said = "prompt" if self.kind.says == "prompt" else "description"
        record: dict[str, Any] = {
            "engine": "diffusers-audio",
            "family": given.get("family"),
            "model": given.get("model"),
            "kind": self.kind.title,
            said: str(given[self.kind.says])[:_SAID],
            "negativePrompt": given.get("negativePrompt"),
            "lyrics": str(given.get("lyrics") or "")[:_SAID] or None,
            "seed": self.seed,
            "steps": self.call["num_inference_steps"],
            "cfg": self.call["guidance_scale"],
            "sampler": flow_samplers.said(self.pipeline.scheduler, flow_samplers.named(None)),
            "duration": len(samples) / self.rate,
            "bpm": given.get("bpm"),
            "key": given.get("key"),
            "timeSignature": given.get("timeSignature"),
            "language": given.get("language"),
            "ignored": [name for name in IGNORED if name in given] or None,
            "device": str(self.placement),
            "loudnessLufs": round(level.loudness, 1),
            "peakDb": round(level.peak, 1),
            "version": f"heddle {__version__}",
        }
        return {name: value for name, value in record.items() if value is not None}
