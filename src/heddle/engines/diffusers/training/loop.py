"""From a model in memory and a dataset to a LoRA, by torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.diffusers.training import adapters, lora_files, optimizers, samples
from heddle.engines.diffusers.training.lora_files import Learned
from heddle.engines.diffusers.training.objectives import Objective, Words, objective
from heddle.engines.diffusers.training.request import wanted
from heddle.learning import course
from heddle.learning.batches import Seen, Use, bucket, chance, fitted
from heddle.learning.checkpoints import Array, State
from heddle.learning.course import Course, Kept, Tell
from heddle.learning.dataset import Dataset, flipped
from heddle.learning.piece import Piece
from heddle.learning.request import Wanted

#: Latents and texts that are kept, in bytes of each kind; what does not fit is made again each time.
_KEPT_BYTES = 4 * 2**30


def train(pipe: Any, payload: JSON, context: JobContext, *, earlier: Path | None) -> Iterator[Made]:
    """Each epoch's file and samples, and the loss curve at last. Raises JobError."""
    asked = wanted(payload)
    found = course.dataset(asked, payload, context)
    learner = Lora(pipe, asked, found, earlier)
    run = Course(learner, asked, found, learner.buckets, context, course.checkpoints(payload, context))
    try:
        for piece in run.epochs():
            yield _made(piece)
    finally:
        learner.close()


def _made(piece: Piece) -> Made:
    return Made(
        data=piece.data,
        mime=piece.mime,
        width=piece.width,
        height=piece.height,
        metadata=piece.metadata,
        role=piece.role,
        output=piece.output,
    )


class Lora:
    """A LoRA beside a pipeline."""

    def __init__(self, pipe: Any, wanted: Wanted, dataset: Dataset, earlier: Path | None) -> None:
        self._pipe = pipe
        self._wanted = wanted
        self._dataset = dataset
        self._earlier = earlier
        self._objective: Objective = objective(pipe, wanted)
        self.buckets = [bucket(e.size, wanted.resolution, self._objective.step) for e in dataset.examples]
        self._about = lora_files.about(wanted, pipe, dataset.examples, self.buckets)
        self._latents = Kept[tuple[int, bool], Tensor](_KEPT_BYTES, _size)
        self._words = Kept[str, Words](_KEPT_BYTES, lambda words: sum(map(_size, words.values())))
        self._te: dict[str, Tensor] = {}

    def begin(self, state: State | None) -> None:
        """Put the LoRA beside the model."""
        self._values, self._alpha = self._attached(state)
        self._optimizer = optimizers.made(self._wanted, list(self._values.values()))
        if state is not None:
            optimizers.remind(self._optimizer, self._values, state.memory)
        self._objective.core.enable_gradient_checkpointing()
        self._objective.core.train()

    def close(self) -> None:
        """Leave the models as they were."""
        self._objective.core.disable_gradient_checkpointing()
        adapters.detach(self._pipe)

    def _attached(self, state: State | None) -> tuple[dict[str, torch.nn.Parameter], Mapping[str, float]]:
        core = self._objective.core
        if self._earlier is None:
            values = adapters.attach(core, self._wanted)
        else:
            tensors = lora_files.read(self._earlier.read_bytes(), self._earlier.name)
            self._te = {name: value for name, value in tensors.items() if name.startswith("lora_te")}
            values = adapters.resume(self._pipe, core, tensors, self._earlier.name)
        if state is not None:
            for name, value in values.items():
                value.data.copy_(torch.tensor(state.values[name]))
        return values, adapters.alpha(core)

    def learn(self, step: int, batch: Sequence[Seen], rate: float, tell: Tell) -> float:
        """One step."""
        latents = torch.stack([self._latent(seen) for seen in batch])
        words = [self._words.of(seen.caption, self._objective.words) for seen in batch]
        tell()
        drawn = torch.Generator().manual_seed(int(chance(self._wanted.seed, Use.NOISE, step).integers(2**62)))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = self._objective.loss(latents, words, drawn)
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        torch.nn.utils.clip_grad_norm_(self._values.values(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _latent(self, seen: Seen) -> Tensor:
        def make(key: tuple[int, bool]) -> Tensor:
            picture = fitted(self._dataset.picture(self._dataset.examples[key[0]]), self.buckets[key[0]])
            return self._objective.latents(flipped(picture) if key[1] else picture)

        return self._latents.of((seen.example, seen.mirrored), make)

    def held(self) -> tuple[Mapping[str, Array], Mapping[str, float], Mapping[str, Array]]:
        """For a checkpoint."""
        values = {name: value.detach().cpu().numpy() for name, value in self._values.items()}
        return values, self._alpha, optimizers.remembered(self._optimizer, self._values)

    def file(self, epoch: int, step: int, loss: float) -> bytes:
        """The LoRA so far."""
        learned = Learned(values=self._values, alpha=self._alpha, kept=self._te, epoch=epoch, step=step, loss=loss)
        return lora_files.write(self._wanted, self._objective.core, learned, self._about)

    def samples(self, epoch: int, tell: Callable[[str], None]) -> Iterator[Piece]:
        """Pictures by the model as it is."""
        side = max(1, self._wanted.resolution // self._objective.finest) * self._objective.finest
        count = len(self._wanted.prompts)

        def watch(number: int, _done: float) -> None:
            tell(f"epoch {epoch}: sample {number + 1} of {count}")

        self._objective.core.eval()
        yield from samples.made(self._pipe, self._wanted, epoch, side=side, watch=watch)
        self._objective.core.train()


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
