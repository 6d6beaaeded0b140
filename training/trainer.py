"""Training as every stage does it: optimizers, averaged weights, checkpoints to resume from, a log, a picture of it."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal (Jordan et al. 2024), also that of convolutions, which PyTorch's own refuses."""

    def __init__(self, params: Iterable[Tensor], lr: float = 0.02, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step."""
        assert closure is None
        for group in self.param_groups:
            for weight in group["params"]:
                held = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                held.lerp_(weight.grad, 1 - group["momentum"])
                turned = _orthogonal(weight.grad.lerp(held, group["momentum"]).flatten(1))
                size = max(1.0, turned.shape[0] / turned.shape[1]) ** 0.5
                weight.add_(turned.reshape(weight.shape), alpha=-group["lr"] * size)


def _orthogonal(matrix: Tensor) -> Tensor:
    """Five steps of Newton and Schulz toward the nearest orthogonal matrix."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).to(matrix.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long, and how fast. The rate rises over `warm` steps and falls to nothing over the last `decay` ones."""

    steps: int
    decay: int
    warm: int = 60
    batch: int = 96
    muon: float = 0.02
    adam: float = 2e-3
    average: float = 0.998
    keep_every: int = 200


class Trainer:
    """One network on its way. `name.*.safetensors` in the folder hold it; a run that was ended goes on from there."""

    def __init__(self, name: str, network: nn.Module, plan: Plan, folder: Path) -> None:
        self.name, self.network, self.plan, self.folder = name, network, plan, folder
        matrices = [w for key, w in network.named_parameters() if w.ndim >= 2 and not _edge(key)]
        rest = [w for key, w in network.named_parameters() if w.ndim < 2 or _edge(key)]
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices),
            torch.optim.AdamW(rest, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        self.averages = {key: w.detach().clone() for key, w in network.named_parameters()}
        self.step, self.seconds, self.views = 0, 0.0, 0
        self._resume()

    def run(
        self, loss_of: Callable[[int], tuple[Tensor, dict[str, float]]], after: Callable[[], None] | None = None
    ) -> None:
        """Steps until the plan's last. `loss_of` makes a step's loss from its number; `after` runs at checkpoints."""
        sums: dict[str, float] = {}
        since = 0
        while self.step < self.plan.steps:
            began = time.perf_counter()
            self._rate()
            loss, told = loss_of(self.step)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            self._average()
            self.step += 1
            self.views += self.plan.batch
            self.seconds += time.perf_counter() - began
            since += 1
            for key, value in (told | {"loss": float(loss.detach())}).items():
                sums[key] = sums.get(key, 0.0) + value
            if self.step % 25 == 0:
                self._log({key: value / since for key, value in sums.items()})
                sums, since = {}, 0
            if self.step % self.plan.keep_every == 0 or self.step == self.plan.steps:
                self.save()
                if after is not None:
                    after()

    def _rate(self) -> None:
        left = self.plan.steps - self.step
        share = min(1.0, (self.step + 1) / self.plan.warm, max(0.02, left / max(1, self.plan.decay)))
        for optimizer, rate in zip(self.optimizers, (self.plan.muon, self.plan.adam), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share

    @torch.no_grad()
    def _average(self) -> None:
        kept = min(self.plan.average, (1 + self.step) / (10 + self.step))
        for key, weight in self.network.named_parameters():
            self.averages[key].lerp_(weight, 1 - kept)

    def _log(self, told: dict[str, float]) -> None:
        row = {"step": self.step, "views": self.views, "seconds": round(self.seconds, 1)}
        row |= {key: round(value, 5) for key, value in told.items()}
        with (self.folder / f"{self.name}.log.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")
        draw_losses(self.folder / f"{self.name}.log.jsonl", self.folder / f"{self.name}.loss.png")

    def save(self) -> None:
        """Everything that the next run needs, in files of one part each, so that none is large."""
        parts: dict[str, dict[str, Tensor]] = {
            "model": {key: w.detach().contiguous() for key, w in self.network.named_parameters()},
            "average": {key: w.contiguous() for key, w in self.averages.items()},
            "optimizer": {
                f"{number}.{index}.{key}": value.detach().float().contiguous()
                for number, optimizer in enumerate(self.optimizers)
                for index, weight in enumerate(optimizer.param_groups[0]["params"])
                for key, value in optimizer.state[weight].items()
            },
        }
        where = {"step": str(self.step), "seconds": str(self.seconds), "views": str(self.views)}
        for part, held in parts.items():
            path = self._path(part)
            save_file(held, path.with_suffix(".part"), metadata=where)
            os.replace(path.with_suffix(".part"), path)

    def _path(self, part: str) -> Path:
        return self.folder / f"{self.name}.{part}.safetensors"

    def _of_this_step(self, part: str) -> bool:
        """Whether a part is there and as old as the others: a run may have died between two of them."""
        if not self._path(part).exists():
            return False
        with safe_open(self._path(part), "pt") as held:
            return int(held.metadata()["step"]) == self.step

    @torch.no_grad()
    def _resume(self) -> None:
        if not self._path("average").exists():
            return
        with safe_open(self._path("average"), "pt") as held:
            where: dict[str, Any] = held.metadata()
        self.step, self.seconds, self.views = int(where["step"]), float(where["seconds"]), int(where["views"])
        average = load_file(self._path("average"))
        # What `keep` kept of a run is the averaged weights alone; the optimizers find their pace again in some steps.
        model = load_file(self._path("model")) if self._of_this_step("model") else average
        for key, weight in self.network.named_parameters():
            weight.copy_(model[key])
            self.averages[key].copy_(average[key])
        if not self._of_this_step("optimizer"):
            return
        for name, value in load_file(self._path("optimizer")).items():
            number, index, key = name.split(".")
            optimizer = self.optimizers[int(number)]
            weight = optimizer.param_groups[0]["params"][int(index)]
            # PyTorch keeps the count of steps where it can be read without waiting for a device.
            optimizer.state[weight][key] = value if key == "step" else value.to(weight.device)


def _edge(key: str) -> bool:
    """Embeddings and the first and last layers, which Muon is not for."""
    return key.split(".", maxsplit=1)[0] in ("enter", "leave", "words", "places", "heads") or key.endswith(
        (".places", ".shift", ".scale")
    )


@torch.no_grad()
def averaged(network: nn.Module, folder: Path, name: str) -> nn.Module:
    """A network with the averaged weights of a run, for use."""
    held = load_file(folder / f"{name}.average.safetensors")
    for key, weight in network.named_parameters():
        weight.copy_(held[key])
    return network.eval().requires_grad_(False)


def draw_losses(log: Path, target: Path) -> None:
    """The log's losses over its steps, as a picture; both axes are logarithmic."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    if len(rows) < 3:
        return
    wide, high, edge = 720, 400, 48
    picture = Image.new("RGB", (wide, high), "white")
    pen = ImageDraw.Draw(picture)
    names = [key for key in rows[-1] if key not in ("step", "views", "seconds")]
    values = [row[key] for row in rows for key in names if row.get(key, 0) > 0]
    low, top = math.log(min(values)), math.log(max(values)) + 1e-9
    last, first = math.log(rows[-1]["step"]), math.log(rows[0]["step"])
    colors = ("#c23", "#25c", "#291", "#a3a", "#c80", "#088", "#555", "#960")
    for at, key in enumerate(names):
        line = [
            (edge + (wide - 2 * edge) * (math.log(row["step"]) - first) / max(1e-9, last - first),
             high - edge - (high - 2 * edge) * (math.log(row[key]) - low) / max(1e-9, top - low))
            for row in rows if row.get(key, 0) > 0
        ]  # fmt: skip
        if len(line) > 1:
            pen.line(line, fill=colors[at % len(colors)], width=2)
        pen.text((edge + 80 * at, 8), f"{key} {rows[-1].get(key, 0):.3g}", fill=colors[at % len(colors)])
    pen.rectangle((edge, edge, wide - edge, high - edge), outline="#999")
    pen.text((4, edge - 4), f"{math.exp(top):.3g}", fill="#000")
    pen.text((4, high - edge - 6), f"{math.exp(low):.3g}", fill="#000")
    pen.text((edge, high - edge + 6), f"step {rows[0]['step']}", fill="#000")
    pen.text((wide - edge - 90, high - edge + 6), f"step {rows[-1]['step']}", fill="#000")
    picture.save(target)
