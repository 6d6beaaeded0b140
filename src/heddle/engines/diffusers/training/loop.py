"""The loop: step by step from a model and a dataset to a LoRA, so that it can be left at any moment and gone on with.

Everything that chance decides comes from the seed and the number of the step. On one kind of processor a training
that was interrupted therefore ends with the very file of one that was not.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import torch
from torch import Tensor

from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.diffusers.training import adapters, checkpoints, curve, lora_files, samples
from heddle.engines.diffusers.training.batches import Batches, Seen, Use, bucket, chance, fitted
from heddle.engines.diffusers.training.checkpoints import Checkpoints, State
from heddle.engines.diffusers.training.dataset import Dataset, flipped, told
from heddle.engines.diffusers.training.lora_files import Learned
from heddle.engines.diffusers.training.objectives import Objective, Words, objective
from heddle.engines.diffusers.training.request import OPTIMIZERS, Wanted
from heddle.errors import EngineFailed

#: A model file; the server puts those that a job makes into the catalog.
MODEL = "application/x-safetensors"

#: Between two epochs a checkpoint is written this often, in seconds.
CHECKPOINT_S = 300.0

#: Latents and texts that are kept, in bytes of each kind; what does not fit is made again each time.
_KEPT_BYTES = 4 * 2**30

#: How much of the progress is the look through the dataset.
_LOOK = 0.02
#: The loss of a file is the mean of so many steps.
_MEAN = 50
_NAMED = 20

K = TypeVar("K")
V = TypeVar("V")


def train(pipe: Any, payload: JSON, context: JobContext, *, earlier: Path | None) -> Iterator[Made]:
    """Each epoch's file and samples, and the loss curve at last. Raises JobError."""
    wanted = Wanted.of(payload)
    dataset = Dataset(
        context.read(payload["data"]),
        trigger=wanted.trigger,
        repeats=wanted.repeats,
        watch=lambda done, count: context.progress(_LOOK * done / count, f"looking at picture {done + 1} of {count}"),
    )
    if dataset.skipped:
        context.log(f"{len(dataset.skipped)} pictures are left out: {told(dataset.skipped, _NAMED)}")
    kept = Checkpoints(context.scratch(), _key(payload))
    run = _Training(pipe, wanted, dataset, context, kept)
    try:
        yield from run.epochs(earlier)
    finally:
        run.close()


class _Training:
    """One training on its way."""

    def __init__(self, pipe: Any, wanted: Wanted, dataset: Dataset, context: JobContext, kept: Checkpoints) -> None:
        self._pipe = pipe
        self._wanted = wanted
        self._dataset = dataset
        self._context = context
        self._kept = kept
        self._objective: Objective = objective(pipe, wanted)
        self._buckets = [bucket(e.size, wanted.resolution, self._objective.step) for e in dataset.examples]
        self._about = lora_files.about(wanted, pipe, dataset.examples, self._buckets)
        self._latents = _Kept[tuple[int, bool], Tensor](_KEPT_BYTES, _size)
        self._words = _Kept[str, Words](_KEPT_BYTES, lambda words: sum(map(_size, words.values())))
        self._te: dict[str, Tensor] = {}
        self._losses: list[float] = []
        self._saved_at = time.monotonic()

    def epochs(self, earlier: Path | None) -> Iterator[Made]:
        """What each epoch gives, from the first on: those that an earlier attempt finished are given again."""
        state = self._state()
        self._values, self._alpha = self._begin(state, earlier)
        self._optimizer = _optimizer(self._wanted, list(self._values.values()))
        done = 0
        if state is not None:
            done = state.step
            self._losses = list(state.losses)
            checkpoints.remind(self._optimizer, self._values, state.memory)
            self._context.log(f"goes on behind step {done:,} of {self._wanted.steps:,}")
        self._objective.core.enable_gradient_checkpointing()
        batches = enumerate(Batches(self._dataset.examples, self._buckets, self._wanted))
        ahead = islice(batches, done, None)
        for epoch, end in enumerate(self._wanted.epoch_ends(), 1):
            if end <= done:
                yield from self._kept.kept(epoch)
                continue
            yield from self._epoch(epoch, end, ahead)
        yield self._curve()

    def close(self) -> None:
        """Leave the models as they were."""
        self._objective.core.disable_gradient_checkpointing()
        adapters.detach(self._pipe)

    def _state(self) -> State | None:
        """Where an earlier attempt stood; None where what it gave is not all there any more."""
        state = self._kept.load()
        ended = enumerate(self._wanted.epoch_ends(), 1)
        whole = state is not None and all(self._kept.has(epoch) for epoch, end in ended if end <= state.step)
        return state if whole else None

    def _begin(
        self, state: State | None, earlier: Path | None
    ) -> tuple[dict[str, torch.nn.Parameter], Mapping[str, float]]:
        core = self._objective.core
        if earlier is None:
            values = adapters.attach(core, self._wanted)
        else:
            tensors = lora_files.read(earlier.read_bytes(), earlier.name)
            self._te = {name: value for name, value in tensors.items() if name.startswith("lora_te")}
            values = adapters.resume(self._pipe, core, tensors, earlier.name)
        if state is not None:
            for name, value in values.items():
                value.data.copy_(state.values[name])
        return values, adapters.alpha(core)

    def _epoch(self, epoch: int, end: int, batches: Iterator[tuple[int, list[Seen]]]) -> Iterator[Made]:
        self._objective.core.train()
        while len(self._losses) < end:
            step, batch = next(batches)
            self._losses.append(self._step(step, batch))
            if time.monotonic() >= self._saved_at + CHECKPOINT_S:
                self._save()
        self._objective.core.eval()
        model = self._model(epoch)
        made = [model, *self._samples(epoch)]
        # In this order: a checkpoint says that the epochs before it are there.
        self._kept.keep(epoch, made)
        self._save()
        yield from made

    def _step(self, step: int, batch: Sequence[Seen]) -> float:
        self._tell(step)
        latents = torch.stack([self._latent(seen) for seen in batch])
        words = [self._words.of(seen.caption, self._objective.words) for seen in batch]
        self._tell(step)
        drawn = torch.Generator().manual_seed(int(chance(self._wanted.seed, Use.NOISE, step).integers(2**62)))
        for group in self._optimizer.param_groups:
            group["lr"] = self._wanted.rate_at(step)
        loss = self._objective.loss(latents, words, drawn)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise EngineFailed(f"the loss of step {step + 1} is {value}: a lower learning rate may help")
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        torch.nn.utils.clip_grad_norm_(self._values.values(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return value

    def _latent(self, seen: Seen) -> Tensor:
        def make(key: tuple[int, bool]) -> Tensor:
            picture = fitted(self._dataset.picture(self._dataset.examples[key[0]]), self._buckets[key[0]])
            return self._objective.latents(flipped(picture) if key[1] else picture)

        return self._latents.of((seen.example, seen.mirrored), make)

    def _model(self, epoch: int) -> Made:
        step, loss = len(self._losses), _mean(self._losses)
        learned = Learned(values=self._values, alpha=self._alpha, kept=self._te, epoch=epoch, step=step, loss=loss)
        data = lora_files.write(self._wanted, self._objective.core, learned, self._about)
        return Made(
            data=data,
            mime=MODEL,
            output={"epoch": epoch, "steps": step, "loss": round(loss, 6)},
            metadata=self._metadata(epoch),
        )

    def _metadata(self, epoch: int) -> dict[str, Any]:
        wanted = self._wanted
        said: dict[str, Any] = {"epoch": epoch, "family": wanted.family, "seed": wanted.seed}
        runs = OPTIMIZERS[wanted.optimizer]
        if runs != wanted.optimizer:
            said["approximations"] = [f"optimizer {wanted.optimizer}: ran as {runs}, in full precision"]
        return said

    def _samples(self, epoch: int) -> Iterator[Made]:
        side = max(1, self._wanted.resolution // self._objective.finest) * self._objective.finest
        count = len(self._wanted.prompts)

        def watch(number: int, _done: float) -> None:
            self._tell(len(self._losses), f"epoch {epoch}: sample {number + 1} of {count}")

        return samples.made(self._pipe, self._wanted, epoch, side=side, watch=watch)

    def _curve(self) -> Made:
        skipped = self._dataset.skipped
        about: dict[str, Any] = {"images": len(self._dataset.examples)}
        if skipped:
            about["skipped"] = [{"name": s.name[:200], "reason": s.why[:200]} for s in skipped[:_NAMED]]
            about["skippedCount"] = len(skipped)
        return Made(
            data=curve.drawn(self._losses, self._wanted.epoch_ends(), self._wanted.name),
            mime="image/png",
            width=curve.SIZE[0],
            height=curve.SIZE[1],
            role="loss-curve",
            output=about,
        )

    def _save(self) -> None:
        memory = checkpoints.remembered(self._optimizer, self._values)
        state = State(
            step=len(self._losses), losses=self._losses, values=self._values, alpha=self._alpha, memory=memory
        )
        self._kept.save(state)
        self._saved_at = time.monotonic()

    def _tell(self, step: int, note: str = "") -> None:
        steps = self._wanted.steps
        said = note or f"step {min(step + 1, steps):,} of {steps:,}"
        if not note and self._losses:
            said += f", loss {self._losses[-1]:.4f}"
        self._context.progress(_LOOK + (1 - _LOOK) * step / steps, said)


class _Kept(Generic[K, V]):
    """What was made once and is likely wanted again, as much as there is room for."""

    def __init__(self, room: int, size: Callable[[V], int]) -> None:
        self._room = room
        self._size = size
        self._found: dict[K, V] = {}

    def of(self, key: K, make: Callable[[K], V]) -> V:
        """That of a key."""
        if key in self._found:
            return self._found[key]
        value = make(key)
        if (size := self._size(value)) <= self._room:
            self._room -= size
            self._found[key] = value
        return value


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _mean(losses: Sequence[float]) -> float:
    last = losses[-_MEAN:]
    return sum(last) / len(last)


def _optimizer(wanted: Wanted, values: Sequence[torch.nn.Parameter]) -> torch.optim.Optimizer:
    kinds: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "adafactor": torch.optim.Adafactor,
        "adagrad": torch.optim.Adagrad,
    }
    return kinds[OPTIMIZERS[wanted.optimizer]](values, lr=wanted.rate)


def _key(payload: JSON) -> str:
    """What is trained: a checkpoint of anything else is not gone on with."""
    return hashlib.sha256(msgspec.json.encode(payload, order="sorted")).hexdigest()
