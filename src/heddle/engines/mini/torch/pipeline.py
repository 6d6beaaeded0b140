"""`mini` as a pipeline of diffusers: its networks in PyTorch, its ways from noise by any scheduler of flow models.

Guidance, windows and noise are those of `sampling.py`, so that a seed gives here what it gives in the engine `mini`.
The networks are so small that what they say goes through numpy between two steps.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin
from diffusers.image_processor import VaeImageProcessor
from diffusers.loaders.lora_base import LoraBaseMixin
from diffusers.loaders.peft import PeftAdapterMixin
from diffusers.models.modeling_utils import ModelMixin
from diffusers.pipelines.pipeline_utils import DiffusionPipeline, ImagePipelineOutput
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.utils.accelerate_utils import apply_forward_hook  # pyright: ignore[reportUnknownVariableType]
from PIL import Image
from torch import Tensor

from heddle.engines.mini import sampling, tokens, weights
from heddle.engines.mini.canvas import Canvas, cut
from heddle.engines.mini.codec import Codec
from heddle.engines.mini.sampling import Floats, Predict, Told
from heddle.engines.mini.torch import networks


class MiniText(networks.Text, ModelMixin, ConfigMixin):
    """The text encoder."""

    config_name = "config.json"

    def __init__(self) -> None:
        super().__init__()
        self.register_to_config()  # pyright: ignore[reportUnknownMemberType]


class MiniLayout(networks.Layout, ModelMixin, ConfigMixin, PeftAdapterMixin):
    """The layout, which takes LoRAs."""

    config_name = "config.json"

    def __init__(self) -> None:
        super().__init__()
        self.register_to_config()  # pyright: ignore[reportUnknownMemberType]


class MiniPainter(networks.Painter, ModelMixin, ConfigMixin, PeftAdapterMixin):
    """The painter, which takes LoRAs."""

    config_name = "config.json"

    def __init__(self) -> None:
        super().__init__()
        self.register_to_config()  # pyright: ignore[reportUnknownMemberType]


class MiniReader(networks.Reader, ModelMixin, ConfigMixin):
    """The reader."""

    config_name = "config.json"

    def __init__(self) -> None:
        super().__init__()
        self.register_to_config()  # pyright: ignore[reportUnknownMemberType]


@dataclass(frozen=True, slots=True)
class _Exactly:
    """Latents of which there is no choice, as pipelines ask for them."""

    latents: Tensor

    def mode(self) -> Tensor:
        return self.latents


@dataclass(frozen=True, slots=True)
class _Encoded:
    latent_dist: _Exactly


class MiniVae(ModelMixin, ConfigMixin):
    """Pixels to latents by the codec, and back by the decoder."""

    config_name = "config.json"

    basis: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_to_config()  # pyright: ignore[reportUnknownMemberType]
        codec = Codec(*(np.zeros(shape, dtype=np.float32) for shape in ((24, 768), (768,), (24,))))
        self.decoder = networks.Decoder(codec)
        for name in ("basis", "mean", "scale"):
            self.register_buffer(name, torch.as_tensor(getattr(codec, name)))

    def take(self, codec: Codec) -> None:
        """Have the numbers of a codec."""
        rows = (codec.basis * codec.scale[:, None]).reshape(24, 16, 16, 3)
        self.decoder.basis.copy_(torch.as_tensor(rows.transpose(0, 3, 1, 2).copy()))
        self.decoder.mean.copy_(torch.as_tensor(codec.mean.reshape(16, 16, 3).transpose(2, 0, 1).copy()))
        for name in ("basis", "mean", "scale"):
            getattr(self, name).copy_(torch.as_tensor(getattr(codec, name)))

    # Offloading brings a model to the device where `forward` is called, or what is marked so.
    @apply_forward_hook
    def encode(self, pixels: Tensor) -> _Encoded:
        """As pipelines and their like ask for latents."""
        return _Encoded(_Exactly(self.latents(pixels)))

    @apply_forward_hook
    def latents(self, pixels: Tensor) -> Tensor:
        """B, 3, H, W (-1..1) to B, 24, H/16, W/16."""
        batch, _, high, wide = pixels.shape
        cut = pixels.reshape(batch, 3, high // 16, 16, wide // 16, 16).permute(0, 2, 4, 3, 5, 1)
        made = (cut.reshape(batch, high // 16, wide // 16, -1) - self.mean) @ self.basis.T / self.scale
        return made.permute(0, 3, 1, 2)

    @apply_forward_hook
    def decode(self, latents: Tensor) -> Tensor:
        """B, 24, H, W to B, 3, 16 H, 16 W."""
        return self.decoder(latents)

    def enable_tiling(self) -> None:
        """It is small as it is."""

    def enable_slicing(self) -> None:
        """The same."""


class MiniPipeline(DiffusionPipeline, LoraBaseMixin):
    """From words, or words and a picture, to a picture."""

    _lora_loadable_modules = ["layout", "painter"]  # noqa: RUF012 - as diffusers has it
    model_cpu_offload_seq = "text->reader->layout->painter->vae"

    def __init__(
        self,
        text: MiniText,
        layout: MiniLayout,
        painter: MiniPainter,
        vae: MiniVae,
        reader: MiniReader,
        scheduler: FlowMatchEulerDiscreteScheduler,
    ) -> None:
        super().__init__()
        parts = {"text": text, "layout": layout, "painter": painter, "vae": vae, "reader": reader}
        self.register_modules(**parts, scheduler=scheduler)  # pyright: ignore[reportUnknownMemberType]
        self.image_processor = VaeImageProcessor(vae_scale_factor=16)
        #: Which of the rounds through the steps this is, and of how many: the layout has its own.
        self.rounds = (0, 2)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str],
        negative_prompt: str | Sequence[str] | None = None,
        num_inference_steps: int = 20,
        guidance_scale: float = 2.0,
        width: int = 256,
        height: int = 256,
        image: Image.Image | None = None,
        strength: float = 0.7,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
    ) -> ImagePipelineOutput:
        """The shorter side has 256 pixels, whatever is asked for; a source is cut to cover the frame."""
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        seeds = _seeds(generator, len(prompts))
        told = self._told(prompts)
        untold = self._told(_each(negative_prompt or "", len(prompts)))
        canvas = Canvas(width=width, height=height)
        level = 1.0 if image is None else strength
        there = None if image is None else self._encoded(image, canvas, len(prompts))

        against = untold if negative_prompt and guidance_scale > 1 else None
        plans = self._plans(told, against, seeds, canvas, there, level, num_inference_steps)
        self.rounds = (1, 2)
        predict = sampling.painting(self._painter, plans, told, untold, guidance_scale)
        shape = (24, *canvas.cells)
        latents = self._walked(
            predict, sampling.noise(seeds, sampling.PAINTER, shape), there, level, sampling.PAINTER_SHIFT,
            num_inference_steps,
        )  # fmt: skip
        pixels = self._run(self.vae.decode, self.vae, latents)
        left, top, right, bottom = (round(side) for side in canvas.box)
        drawn = torch.as_tensor(pixels[:, :, top:bottom, left:right])
        self.maybe_free_model_hooks()
        images: Any = self.image_processor.postprocess(drawn, output_type=output_type)
        return ImagePipelineOutput(images=images)

    # ── the stages ────────────────────────────────────────────────────────────

    def _plans(
        self, told: Told, against: Told | None, seeds: Sequence[int], canvas: Canvas, there: Floats | None,
        level: float, steps: int,
    ) -> Floats:  # fmt: skip
        """Of what a source has there, or of the things that the layout places."""
        self.rounds = (0, 2)
        if there is not None and sampling.stays(level):
            return sampling.cleared(self._run(self.reader, self.reader, there))
        predict = sampling.placing(self._layout, sampling.tries(told))
        rows = self._walked(predict, sampling.begin(seeds), None, 1.0, sampling.LAYOUT_SHIFT, steps)
        return sampling.plans(sampling.kept(self._layout, rows, against), canvas.cells)

    def _walked(
        self, predict: Predict, noise: Floats, start: Floats | None, level: float, shift: float, steps: int
    ) -> Floats:
        """Down from noise, or from what is there noised to a level, as the scheduler goes."""
        begin = self._timed(steps, shift, level)
        scheduler: Any = self.scheduler
        scheduler.set_begin_index(begin)
        levels = [float(sigma) for sigma in scheduler.sigmas]
        x = torch.as_tensor(sampling.begun(noise, start, levels[begin]))
        for at in range(begin, len(scheduler.timesteps)):
            clean = torch.as_tensor(predict(x.numpy(), levels[at]))
            x = scheduler.step((x - clean) / levels[at], scheduler.timesteps[at], x, return_dict=False)[0]
        return x.numpy()

    def _timed(self, steps: int, shift: float, level: float) -> int:
        """Set the noise levels of `sampling.py`; schedulers that make their own are told the shift. Where to begin."""
        scheduler: Any = self.scheduler
        taken = inspect.signature(scheduler.set_timesteps).parameters
        own = "sigmas" in taken
        if hasattr(scheduler, "set_shift"):
            scheduler.set_shift(1.0)
        if "flow_shift" in scheduler.config:
            scheduler.register_to_config(flow_shift=1.0 if own else shift)
        if own:
            scheduler.set_timesteps(sigmas=np.array(sampling.levels(steps, shift, level)[:-1]))
            return 0
        scheduler.set_timesteps(math.ceil(steps * (shift - (shift - 1) * level) / level))
        return max(0, len(scheduler.timesteps) - steps)

    # ── the networks ──────────────────────────────────────────────────────────

    def _told(self, prompts: Sequence[str]) -> Told:
        ids = np.stack([tokens.encode(prompt) for prompt in prompts])
        made = self.text(torch.as_tensor(ids).to(self._execution_device))
        return Told(*(part.float().cpu().numpy() for part in made))

    def _layout(self, x: Floats, levels: Floats, told: Told) -> Floats:
        return self._run(self.layout, self.layout, x, levels, *told)

    def _painter(self, x: Floats, levels: Floats, plans: Floats, told: Told) -> Floats:
        return self._run(self.painter, self.painter, x, levels, plans, *told)

    def _run(self, call: Any, model: Any, *given: Floats) -> Floats:
        where: torch.device = self._execution_device
        made: Tensor = call(*(torch.as_tensor(np.ascontiguousarray(array)).to(where, model.dtype) for array in given))
        return made.float().cpu().numpy()

    def _encoded(self, image: Image.Image, canvas: Canvas, count: int) -> Floats:
        pixels = canvas.laid(cut(image.convert("RGB"), canvas.width, canvas.height))
        shown = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32) / 127.5 - 1
        there = self._run(self.vae.latents, self.vae, shown)
        return np.repeat(there, count, axis=0)

    # ── LoRAs ─────────────────────────────────────────────────────────────────

    @classmethod
    def lora_state_dict(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, state: Mapping[str, Tensor], *, return_alphas: bool = False, **_: Any
    ) -> Any:
        """Its files name layers as the networks do; alphas apart where they are wanted."""
        alphas = {name: value for name, value in state.items() if name.endswith(".alpha")}
        halves = {name: value for name, value in state.items() if name not in alphas}
        return (halves, alphas) if return_alphas else halves

    def enable_lora(self) -> None:
        """Of the networks that have one."""
        for model in self._with_lora():
            model.enable_lora()

    def disable_lora(self) -> None:
        """Of the networks that have one."""
        for model in self._with_lora():
            model.disable_lora()

    def _with_lora(self) -> list[Any]:
        both: tuple[Any, ...] = (self.layout, self.painter)
        return [model for model in both if getattr(model, "_hf_peft_config_loaded", False)]


def _each(given: str | Sequence[str], count: int) -> list[str]:
    return [given] * count if isinstance(given, str) else list(given)


def _seeds(generator: torch.Generator | Sequence[torch.Generator] | None, count: int) -> list[int]:
    """What generators began with: noise comes from it as in the engine `mini`."""
    if generator is None:
        return [int(seed) for seed in torch.randint(2**62, (count,))]
    rows = [generator] * count if isinstance(generator, torch.Generator) else list(generator)
    return [row.initial_seed() for row in rows]


def opened(path: Path, dtype: str) -> MiniPipeline:
    """The pipeline of a file of weights. Raises ValueError with what is wrong with it."""
    held = {name: value.astype(np.float32) for name, value in weights.read(path).items()}
    vae = MiniVae()
    models = {
        "text": MiniText(), "layout": MiniLayout(), "painter": MiniPainter(), "decoder": vae.decoder,
        "reader": MiniReader(),
    }  # fmt: skip
    for name, model in models.items():
        mine = {
            key.removeprefix(f"{name}."): torch.as_tensor(v) for key, v in held.items() if key.startswith(f"{name}.")
        }
        model.load_state_dict(mine)
    vae.take(Codec(*(held[f"codec.{name}"] for name in ("basis", "mean", "scale"))))
    del models["decoder"]
    parts: dict[str, Any] = {**models, "vae": vae}
    for part in parts.values():
        # Past what diffusers says of parts that are to stay in float32, of which there are none.
        torch.nn.Module.to(part, getattr(torch, dtype)).eval().requires_grad_(False)
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    return MiniPipeline(**parts, scheduler=scheduler(shift=sampling.PAINTER_SHIFT))
