"""The text encoder, before any picture: it learns to tell, at each noun, what is said of that thing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heddle.engines.mini import tokens
from training import captions, pictures
from training.networks import WIDTH, Text
from training.scenes import BACKGROUNDS, COLOR_NAMES, NAMES, PLACE_NAMES, RELATIONS, SIZES, STYLES, Scene, sample
from training.trainer import Plan, Trainer

#: What is told of a thing, and how many answers there are; the first answer of some is "not said".
OF_THINGS = {
    "kind": len(NAMES), "color": len(COLOR_NAMES) + 1, "count": 4, "size": len(SIZES), "place": len(PLACE_NAMES) + 1,
    "relation": len(RELATIONS) + 1,
}  # fmt: skip
OF_ALL = {"background": len(BACKGROUNDS) + 1, "style": len(STYLES) + 1}
_OPPOSITE = {"above": "below", "below": "above", "left of": "right of", "right of": "left of", "beside": "beside"}


class Tagger(nn.Module):
    """The text encoder with what it is taught by."""

    def __init__(self) -> None:
        super().__init__()
        self.text = Text()
        self.heads = nn.ModuleDict({name: nn.Linear(WIDTH, count) for name, count in (OF_THINGS | OF_ALL).items()})


class Tagged(nn.Module):
    """Only the part of the tagger that is used afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.text = Text()


def answers(scene: Scene, caption: captions.Caption) -> tuple[list[list[int]], list[int]]:
    """For each group what is said of it, and what is said of the picture."""
    things: list[list[int]] = []
    for index, group in enumerate(scene.groups):
        relation = scene.relation if index == 0 or scene.relation is None else _OPPOSITE[scene.relation]
        things.append([
            NAMES.index(group.kind), 0 if group.color is None else COLOR_NAMES.index(group.color) + 1, group.count - 1,
            SIZES.index(group.size), 0 if group.place is None else PLACE_NAMES.index(group.place) + 1,
            0 if relation is None else RELATIONS.index(relation) + 1,
        ])  # fmt: skip
    background = BACKGROUNDS.index(scene.background) + 1 if caption.told_background else 0
    return things, [background, STYLES.index(scene.style) + 1 if caption.told_style else 0]


def _batch(step: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    ids: list[npt.NDArray[np.int64]] = []
    rows: list[tuple[int, int]] = []
    things: list[list[int]] = []
    whole: list[list[int]] = []
    for at in range(size):
        seed = 2_000_000_000 + step * size + at
        scene = sample(seed, pictures.wides())
        caption = captions.write(scene, seed)
        words = tokens.words(caption.text)
        told, all_of_it = answers(scene, caption)
        ids.append(tokens.encode(caption.text))
        whole.append(all_of_it)
        for noun, row in zip(caption.nouns, told, strict=True):
            # A comma is a word of its own, and so are digits; the noun's place counts tokens, not spaces.
            before = len(tokens.words(" ".join(caption.text.replace(",", " ,").split()[:noun]))) if noun >= 0 else -1
            if 0 <= before < min(len(words), tokens.LENGTH - 1):
                rows.append((at, before + 1))
                things.append(row)
    return torch.from_numpy(np.stack(ids)), torch.tensor(rows), torch.tensor(things), torch.tensor(whole)


def train(folder: Path, plan: Plan) -> None:
    """Until the plan's last step."""
    torch.manual_seed(1)
    tagger = Tagger()
    trainer = Trainer("text", tagger, plan, folder)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        ids, rows, things, whole = _batch(step, plan.batch)
        with torch.autocast("cpu", torch.bfloat16):
            features, pooled, _ = tagger.text(ids)
        at = features[rows[:, 0], rows[:, 1]].float()
        told: dict[str, float] = {}
        loss = torch.zeros(())
        for index, name in enumerate(OF_THINGS):
            guess = tagger.heads[name](at)
            loss = loss + F.cross_entropy(guess, things[:, index])
            told[name] = 1.001 - float((guess.argmax(-1) == things[:, index]).float().mean())
        for index, name in enumerate(OF_ALL):
            guess = tagger.heads[name](pooled.float())
            loss = loss + F.cross_entropy(guess, whole[:, index])
            told[name] = 1.001 - float((guess.argmax(-1) == whole[:, index]).float().mean())
        return loss, told

    trainer.run(loss_of)
