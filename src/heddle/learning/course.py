"""The course of a training: step by step from a dataset to a LoRA, so that it can be left at any moment and gone on
with.

Everything that chance decides comes from the seed and the number of the step. On one kind of processor a training
that was interrupted therefore ends with the very file of one that was not.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from heddle.domain import JSON
from heddle.errors import EngineFailed
from heddle.learning import curve
from heddle.learning.batches import Batches, Seen
from heddle.learning.checkpoints import Array, Checkpoints, State
from heddle.learning.dataset import Dataset, told
from heddle.learning.piece import Job, Piece
from heddle.learning.request import OPTIMIZERS, Wanted

#: A model file; the server puts those that a job makes into the catalog.
MODEL = "application/x-safetensors"

#: Between two epochs a checkpoint is written this often, in seconds.
CHECKPOINT_S = 300.0

#: How much of the progress is the look through the dataset.
_LOOK = 0.02
#: The loss of a file is the mean of so many steps.
_MEAN = 50
_NAMED = 20

K = TypeVar("K")
V = TypeVar("V")

#: Lets a cancel through.
Tell = Callable[[], None]


class Learner(Protocol):
    """What learns: a LoRA beside a model."""

    def begin(self, state: State | None) -> None:
        """Anew, or as an earlier attempt left it."""
        ...

    def learn(self, step: int, batch: Sequence[Seen], rate: float, tell: Tell) -> float:
        """One step; what it lost. `tell` is called in the middle of it."""
        ...

    def held(self) -> tuple[Mapping[str, Array], Mapping[str, float], Mapping[str, Array]]:
        """What a checkpoint needs: what was learned, each layer's alpha, and what the optimizer remembers."""
        ...

    def file(self, epoch: int, step: int, loss: float) -> bytes:
        """The LoRA so far."""
        ...

    def samples(self, epoch: int, tell: Callable[[str], None]) -> Iterator[Piece]:
        """Pictures of what was learned so far."""
        ...


def dataset(wanted: Wanted, payload: JSON, context: Job) -> Dataset:
    """That of a job, looked through. Raises EngineFailed."""
    found = Dataset(
        context.read(payload["data"]),
        trigger=wanted.trigger,
        repeats=wanted.repeats,
        watch=lambda done, count: context.progress(_LOOK * done / count, f"looking at picture {done + 1} of {count}"),
    )
    if found.skipped:
        context.log(f"{len(found.skipped)} pictures are left out: {told(found.skipped, _NAMED)}")
    return found


def checkpoints(payload: JSON, context: Job, base: str = "") -> Checkpoints:
    """Those of a job: one of anything else is not gone on with. `base` names weights that the payload does not name."""
    key = hashlib.sha256(msgspec.json.encode(payload, order="sorted") + base.encode()).hexdigest()
    return Checkpoints(context.scratch(), key)


class Course:
    """One training on its way."""

    def __init__(
        self,
        learner: Learner,
        wanted: Wanted,
        dataset: Dataset,
        buckets: Sequence[tuple[int, int]],
        context: Job,
        kept: Checkpoints,
    ) -> None:
        self._learner = learner
        self._wanted = wanted
        self._dataset = dataset
        self._buckets = buckets
        self._context = context
        self._kept = kept
        self._losses: list[float] = []
        self._saved_at = time.monotonic()

    def epochs(self) -> Iterator[Piece]:
        """Each epoch's file and samples, and the loss curve at last. Raises JobError.

        From the first epoch on: what those that an earlier attempt finished gave is given again.
        """
        state = self._state()
        self._learner.begin(state)
        done = 0
        if state is not None:
            done = state.step
            self._losses = list(state.losses)
            self._context.log(f"goes on behind step {done:,} of {self._wanted.steps:,}")
        batches = enumerate(Batches(self._dataset.examples, self._buckets, self._wanted))
        ahead = islice(batches, done, None)
        for epoch, end in enumerate(self._wanted.epoch_ends(), 1):
            if end <= done:
                yield from self._kept.kept(epoch)
                continue
            yield from self._epoch(epoch, end, ahead)
        yield self._curve()

    def _state(self) -> State | None:
        """Where an earlier attempt stood; None where what it gave is not all there any more."""
        state = self._kept.load()
        ended = enumerate(self._wanted.epoch_ends(), 1)
        whole = state is not None and all(self._kept.has(epoch) for epoch, end in ended if end <= state.step)
        return state if whole else None

    def _epoch(self, epoch: int, end: int, batches: Iterator[tuple[int, list[Seen]]]) -> Iterator[Piece]:
        while len(self._losses) < end:
            step, batch = next(batches)
            self._losses.append(self._step(step, batch))
            if time.monotonic() >= self._saved_at + CHECKPOINT_S:
                self._save()
        model = self._model(epoch)
        made = [model, *self._learner.samples(epoch, lambda note: self._tell(len(self._losses), note))]
        # In this order: a checkpoint says that the epochs before it are there.
        self._kept.keep(epoch, made)
        self._save()
        yield from made

    def _step(self, step: int, batch: Sequence[Seen]) -> float:
        self._tell(step)
        value = self._learner.learn(step, batch, self._wanted.rate_at(step), lambda: self._tell(step))
        if not math.isfinite(value):
            raise EngineFailed(f"the loss of step {step + 1} is {value}: a lower learning rate may help")
        return value

    def _model(self, epoch: int) -> Piece:
        step, loss = len(self._losses), _mean(self._losses)
        return Piece(
            data=self._learner.file(epoch, step, loss),
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

    def _curve(self) -> Piece:
        skipped = self._dataset.skipped
        about: dict[str, Any] = {"images": len(self._dataset.examples)}
        if skipped:
            about["skipped"] = [{"name": s.name[:200], "reason": s.why[:200]} for s in skipped[:_NAMED]]
            about["skippedCount"] = len(skipped)
        return Piece(
            data=curve.drawn(self._losses, self._wanted.epoch_ends(), self._wanted.name),
            mime="image/png",
            width=curve.SIZE[0],
            height=curve.SIZE[1],
            role="loss-curve",
            output=about,
        )

    def _save(self) -> None:
        values, alpha, memory = self._learner.held()
        state = State(step=len(self._losses), losses=self._losses, values=values, alpha=alpha, memory=memory)
        self._kept.save(state)
        self._saved_at = time.monotonic()

    def _tell(self, step: int, note: str = "") -> None:
        steps = self._wanted.steps
        said = note or f"step {min(step + 1, steps):,} of {steps:,}"
        if not note and self._losses:
            said += f", loss {self._losses[-1]:.4f}"
        self._context.progress(_LOOK + (1 - _LOOK) * step / steps, said)


class Kept(Generic[K, V]):
    """What was made once and is likely wanted again, as much as there is room for, in bytes."""

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


def _mean(losses: Sequence[float]) -> float:
    last = losses[-_MEAN:]
    return sum(last) / len(last)
