"""From a dataset to a LoRA of `mini`, in numpy.

Each step looks at every picture of its batch at several noise levels, and lets the painter learn to see the picture
under the plan that the reader finds in it. The layout, which places things by their names, stays as it is. Loss and
noise are those that the painter was trained with (`training/denoisers.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.mini import things, tokens, weights
from heddle.engines.mini.sampling import Told
from heddle.engines.mini.training import adapters, forward, samples
from heddle.engines.mini.training.forward import Network
from heddle.engines.mini.training.optimizer import Adam
from heddle.engines.mini.training.request import SAMPLE_STEPS, SIDE, VIEWS, wanted
from heddle.engines.mini.training.tape import Floats, Value
from heddle.engines.mini.weights import Unusable
from heddle.errors import EngineFailed
from heddle.learning import course, lora_files
from heddle.learning.batches import Seen, Use, chance, fitted
from heddle.learning.checkpoints import Array, State
from heddle.learning.course import Course, Kept, Tell
from heddle.learning.dataset import Dataset, flipped
from heddle.learning.piece import Piece, sample
from heddle.learning.request import OPTIMIZERS, Wanted

#: Latents and texts that are kept, in bytes of each kind; what does not fit is made again each time.
_KEPT_BYTES = 256 * 2**20
#: AdamW's, as PyTorch has it.
DECAY = 0.01

#: How noise levels are drawn, on the logit scale: mean and spread; and the share of them that is even.
_PAINTER, _EVEN = (0.4, 1.2), 0.2
#: Errors where there is hardly any noise count no more than at this level.
_LEAST_LEVEL = 0.15
#: A quarter of the plans that the painter learns under carries noise, up to this much.
_ROUGH = 0.25


def network(path: Path) -> Network:
    """The networks of a file of weights, without a LoRA. Raises EngineFailed."""
    try:
        return Network(_held(path, path.stat().st_mtime_ns))
    except (OSError, Unusable) as error:
        raise EngineFailed(f"the weights of 'mini' cannot be read: {error}") from error


@lru_cache(maxsize=1)
def _held(path: Path, _stamp: int) -> dict[str, Floats]:
    return {name: value.astype(np.float32) for name, value in weights.read(path).items()}


def train(network: Network, payload: JSON, context: JobContext, *, earlier: Path | None, base: str) -> Iterator[Made]:
    """Each epoch's file and samples, and the loss curve at last; `base` tells the weights. Raises JobError."""
    asked = wanted(payload)
    found = course.dataset(asked, payload, context)
    learner = Learner(network, asked, found, earlier)
    buckets = [(SIDE, SIDE)] * len(found.examples)
    run = Course(learner, asked, found, buckets, context, course.checkpoints(payload, context, base))
    try:
        for piece in run.epochs():
            yield _made(piece)
    finally:
        network.learned = {}


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


class Learner:
    """A LoRA beside the networks."""

    def __init__(self, network: Network, wanted: Wanted, dataset: Dataset, earlier: Path | None) -> None:
        self._network = network
        self._wanted = wanted
        self._dataset = dataset
        self._earlier = earlier
        self._pictures = Kept[tuple[int, bool], tuple[Floats, Floats]](_KEPT_BYTES, _size)
        self._words = Kept[str, Told](_KEPT_BYTES, _size)
        examples = dataset.examples
        self._about = lora_files.about(
            wanted, examples, [(SIDE, SIDE)] * len(examples), checkpointing=False, architecture="mini/lora",
            implementation="heddle", version="mini",
        )  # fmt: skip

    def begin(self, state: State | None) -> None:
        """Put the LoRA beside the networks."""
        if state is not None:
            self._lora = adapters.Lora(state.values, state.alpha)
        elif self._earlier is not None:
            self._lora = adapters.read(self._earlier, self._network.held)
        else:
            self._lora = adapters.fresh(self._network.held, self._wanted)
        decay = DECAY if OPTIMIZERS[self._wanted.optimizer] == "adamw" else 0.0
        self._optimizer = Adam(self._lora.values, decay, state.memory if state else None)

    def learn(self, step: int, batch: Sequence[Seen], rate: float, tell: Tell) -> float:
        """One step."""
        drawn = chance(self._wanted.seed, Use.NOISE, step)
        views = [batch[n % len(batch)] for n in range(max(VIEWS, len(batch)))]
        latents, plans = (np.stack(rows) for rows in zip(*(self._picture(seen) for seen in views), strict=True))
        told = Told(*(np.concatenate(rows) for rows in zip(*(self._told(v.caption) for v in views), strict=True)))
        self._network.learned = self._lora.beside(learns=True)
        tell()
        lost = self._painter(latents, plans, told, drawn)
        self._optimizer.step(rate)
        return lost

    def _painter(self, latents: Floats, plans: Floats, told: Told, drawn: np.random.Generator) -> float:
        count = len(latents)
        rough = np.where(drawn.random(count) < 0.75, 0, drawn.random(count) * _ROUGH).astype(np.float32)
        under = noised(plans, rough, drawn)
        levels = noise_levels(drawn, count, *_PAINTER)
        made = forward.painter(self._network, noised(latents, levels, drawn), levels, under, told)
        return _lost(made, latents, levels)

    def _picture(self, seen: Seen) -> tuple[Floats, Floats]:
        """The latents of a picture, and its plan."""

        def make(key: tuple[int, bool]) -> tuple[Floats, Floats]:
            picture = fitted(self._dataset.picture(self._dataset.examples[key[0]]), (SIDE, SIDE))
            pixels = np.asarray(flipped(picture) if key[1] else picture)
            latents = forward.codec_of(self._network).encode(pixels)
            read = forward.reader(self._network, latents[None])[0].transpose(2, 0, 1)
            return latents, things.planned(things.found(read)).transpose(1, 2, 0)

        return self._pictures.of((seen.example, seen.mirrored), make)

    def _told(self, caption: str) -> Told:
        return self._words.of(caption, lambda text: forward.words(self._network, tokens.encode(text)[None]))

    def held(self) -> tuple[Mapping[str, Array], Mapping[str, float], Mapping[str, Array]]:
        """For a checkpoint."""
        return self._lora.numbers(), self._lora.alpha, self._optimizer.memory()

    def file(self, epoch: int, step: int, loss: float) -> bytes:
        """The LoRA so far."""
        ranks = [len(value) for name, value in self._lora.numbers().items() if name.endswith(adapters.DOWN)]
        told = lora_files.progress(epoch, step, loss, ranks, list(self._lora.alpha.values()))
        return lora_files.written(self._lora.tensors(), {**told, **self._about})

    def samples(self, epoch: int, tell: Callable[[str], None]) -> Iterator[Piece]:
        """A picture for each prompt, always from the same noise, so that epochs can be compared."""
        wanted = self._wanted
        self._network.learned = self._lora.beside(learns=False)
        for number, prompt in enumerate(wanted.prompts):
            seed = (wanted.seed + number) % 2**63
            note = f"epoch {epoch}: sample {number + 1} of {len(wanted.prompts)}"
            picture = samples.picture(
                self._network, wanted, prompt, seed, lambda note=note: tell(note), steps=SAMPLE_STEPS
            )
            yield sample(picture, epoch=epoch, prompt=prompt, seed=seed, steps=SAMPLE_STEPS, cfg=wanted.cfg)


def noise_levels(drawn: np.random.Generator, count: int, mean: float, spread: float) -> Floats:
    """Noise levels, 0..1: normal on the logit scale, a share of them even."""
    levels = 1 / (1 + np.exp(-drawn.normal(mean, spread, count)))
    return np.where(drawn.random(count) < _EVEN, drawn.random(count), levels).astype(np.float32)


def noised(clean: Floats, levels: Floats, drawn: np.random.Generator) -> Floats:
    """On the straight way to noise."""
    level = levels[:, None, None, None]
    return (1 - level) * clean + level * drawn.standard_normal(clean.shape, dtype=np.float32)


def _lost(made: Value, clean: Floats, levels: Floats) -> float:
    """The error of the velocity (noise less picture), from that of the picture; gradients go back from it."""
    error = made.numbers - clean
    weight = 1 / np.maximum(levels, np.float32(_LEAST_LEVEL)) ** 2
    made.learn(error * (weight * np.float32(2 / error.size))[:, None, None, None])
    return float(((error**2).mean(axis=(1, 2, 3)) * weight).mean())


def _size(arrays: Sequence[Floats]) -> int:
    return sum(array.nbytes for array in arrays)
