"""The checker: sees what is in a picture, to hold it against its caption. Learned on drawings alone, then frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from training import captions, maps, pictures
from training.networks import Residual, channels_last
from training.scenes import BACKGROUNDS, COLOR_NAMES, NAMES, PLACES, STYLES, Scene, sample
from training.trainer import Plan, Trainer

SIDE = 64

Pixels = npt.NDArray[np.uint8]


class Checker(nn.Module):
    """Pictures (B, 3, 64, 64) to cells (B, 25 kinds + 13 colours + 1 middle, 16, 16), backgrounds and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 24, 3, padding=1)
        self.shrink = nn.Conv2d(24, 48, 4, stride=2, padding=1)
        self.fine = Residual(48)
        self.again = nn.Conv2d(48, 96, 4, stride=2, padding=1)
        self.cells = nn.ModuleList(Residual(96) for _ in range(2))
        self.far = nn.Conv2d(96, 128, 4, stride=2, padding=1)
        self.around = Residual(128)
        self.back = nn.Conv2d(128, 96 * 4, 1)
        self.last = Residual(96)
        self.leave = nn.Conv2d(96, len(NAMES) + 1 + len(COLOR_NAMES) + 1 + 1, 1)
        self.heads = nn.Linear(256 + 48, len(BACKGROUNDS) + len(STYLES))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        early = self.fine(F.silu(self.shrink(F.silu(self.enter(x)))))
        y = self.again(F.silu(early))
        for block in self.cells:
            y = block(y)
        far = self.around(self.far(F.silu(y)))
        y = self.last(y + F.pixel_shuffle(self.back(F.silu(far)), 2))
        whole = torch.cat([far.mean(dim=(2, 3)), far.amax(dim=(2, 3)), early.std(dim=(2, 3))], dim=1)
        background, style = self.heads(whole).split([len(BACKGROUNDS), len(STYLES)], dim=1)
        return self.leave(F.silu(y)), background, style


def seen_by(pixels: Pixels) -> npt.NDArray[np.float32]:
    """A picture as the checker is shown it: 3, 64, 64."""
    small = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).transpose(2, 0, 1) / 127.5 - 1


def train(folder: Path, plan: Plan, device: torch.device) -> None:
    """Until the plan's last step, on drawings with labels."""
    torch.manual_seed(6)
    pool = pictures.Pool(folder / "pool")
    network = channels_last(Checker().to(device))
    trainer = Trainer("checker", network, plan, folder)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        images, kinds, colors, middles, whole = (part.to(device) for part in _batch(step, plan.batch, pool))
        with torch.autocast(device.type, torch.bfloat16):
            cells, background, style = network(images.contiguous(memory_format=torch.channels_last))
        cells = cells.float()
        kind, color, middle = cells.split([len(NAMES) + 1, len(COLOR_NAMES) + 1, 1], dim=1)
        there = colors > 0
        told_color = F.cross_entropy(color, colors, reduction="none")[there].mean()
        heat = F.binary_cross_entropy_with_logits(middle[:, 0], middles, reduction="none")
        heat = (heat * (1 + 8 * middles)).mean()
        losses = {
            "kind": F.cross_entropy(kind, kinds), "color": told_color, "middle": heat,
            "background": F.cross_entropy(background.float(), whole[:, 0]),
            "style": F.cross_entropy(style.float(), whole[:, 1]),
        }  # fmt: skip
        loss = (
            2 * losses["kind"] + 0.5 * losses["color"] + 4 * heat + 0.3 * losses["background"] + 0.3 * losses["style"]
        )
        return loss, {name: float(value.detach()) for name, value in losses.items()}

    trainer.run(loss_of)


def _batch(step: int, size: int, pool: pictures.Pool) -> tuple[Tensor, ...]:
    rows: list[tuple[npt.NDArray[Any], ...]] = []
    for at in range(size):
        scene = sample(4_000_000_000 + step * size + at, pictures.wides())
        pixels, covers = pictures.picture(scene, pool)
        whole = np.array([BACKGROUNDS.index(scene.background), STYLES.index(scene.style)], dtype=np.int64)
        rows.append((seen_by(pixels), *maps.seen(scene, covers), whole))
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True))


@dataclass(frozen=True, slots=True)
class Seen:
    """What the checker found in a picture: kinds and colours by cell, middles of things, background, style."""

    kinds: npt.NDArray[np.int64]
    colors: npt.NDArray[np.float32]
    middles: npt.NDArray[np.float32]
    background: str
    style: str


@torch.no_grad()
def look(network: Checker, images: Sequence[Pixels]) -> list[Seen]:
    """What is in pictures."""
    found: list[Seen] = []
    for start in range(0, len(images), 50):
        batch = torch.from_numpy(np.stack([seen_by(image) for image in images[start : start + 50]]))
        cells, background, style = network(batch)
        kinds, colors, middles = cells.split([len(NAMES) + 1, len(COLOR_NAMES) + 1, 1], dim=1)
        for at in range(len(batch)):
            shown = (
                kinds[at].argmax(dim=0).numpy(),
                colors[at, 1:].softmax(dim=0).numpy(),
                middles[at, 0].sigmoid().numpy(),
            )
            whole = BACKGROUNDS[int(background[at].argmax())], STYLES[int(style[at].argmax())]
            found.append(Seen(*shown, *whole))
    return found


def _middles(seen: Seen, kind: int) -> list[tuple[float, float]]:
    """The middles of all things of a kind (x, y): peaks with cells of that kind around them."""
    size = seen.middles.shape[0]
    heat = np.pad(seen.middles, 1)
    spots: list[tuple[float, float]] = []
    for y in range(size):
        for x in range(size):
            here = heat[y : y + 3, x : x + 3]
            near = seen.kinds[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            peak = (
                here[1, 1] > 0.3
                and here[1, 1] >= here.max()
                and not (here == here[1, 1])[:1].any()
                and here[1, 0] != here[1, 1]
            )
            others = near[near > 0]
            if peak and len(others) and int((others == kind).sum()) * 2 >= len(others):
                spots.append(((x + 0.5) / size, (y + 0.5) / size))
    return spots


#: What is scored, as the table names it.
COLUMNS = ("object", "color", "count", "position", "background", "style")


def score(scene: Scene, caption: captions.Caption, seen: Seen) -> dict[str, list[float]]:
    """For each column the answers to what the caption says, 1 right and 0 wrong; a thing unseen is wrong in all."""
    made: dict[str, list[float]] = {name: [] for name in COLUMNS}
    spots = [_middles(seen, NAMES.index(group.kind) + 1) for group in scene.groups]
    for group, middles in zip(scene.groups, spots, strict=True):
        kind = NAMES.index(group.kind) + 1
        cells = seen.kinds == kind
        there = int(cells.sum()) >= 2
        made["object"].append(float(there))
        made["count"].append(float(there and len(middles) == group.count))
        if group.color is not None:
            best = COLOR_NAMES[int(seen.colors[:, cells].mean(axis=1).argmax())] if there else ""
            made["color"].append(float(best == group.color))
        if group.place is not None:
            column, row = PLACES[group.place]
            rows, columns = np.nonzero(cells) if there else (np.array([9.0]), np.array([9.0]))
            off = (
                abs((columns.mean() + 0.5) / 16 - (0.2, 0.5, 0.8)[column]),
                abs((rows.mean() + 0.5) / 16 - (0.2, 0.5, 0.8)[row]),
            )
            made["position"].append(float(there and max(off) <= 0.2))
    if scene.relation is not None:
        made["position"].append(float(all(spots) and _related(spots[0][0], spots[1][0], scene.relation)))
    if caption.told_background:
        made["background"].append(float(seen.background == scene.background))
    if caption.told_style:
        made["style"].append(float(seen.style == scene.style))
    return made


def _related(one: tuple[float, float], other: tuple[float, float], relation: str) -> bool:
    dx, dy = one[0] - other[0], one[1] - other[1]
    match relation:
        case "above":
            return dy < -0.1
        case "below":
            return dy > 0.1
        case "left of":
            return dx < -0.15
        case "right of":
            return dx > 0.15
        case _:
            return abs(dx) < 0.65 and abs(dy) < 0.25


def table(scenes: Sequence[Scene], told: Sequence[captions.Caption], seen: Sequence[Seen]) -> dict[str, float]:
    """Shares of right answers in each column, and of pictures in which every answer is right."""
    sums: dict[str, list[float]] = {name: [] for name in COLUMNS}
    whole: list[float] = []
    for scene, caption, found in zip(scenes, told, seen, strict=True):
        made = score(scene, caption, found)
        for name, answers in made.items():
            sums[name] += answers
        whole.append(min(answer for answers in made.values() for answer in answers))
    return {name: float(np.mean(answers)) for name, answers in sums.items()} | {"all": float(np.mean(whole))}
