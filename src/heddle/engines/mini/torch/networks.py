"""The networks, as PyTorch modules: text encoder, layout, painter, decoder, reader. Sizes: 6.9 million numbers in all.

A caption becomes features; the layout makes things (what is where) out of noise under them; the painter makes latents
out of noise under their plan and the features; the decoder makes pixels of latents. The reader finds the plan of a
picture that is there already. Layout and painter predict what is clean (x0), not the noise.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor, nn

from heddle.engines.mini import codec, plan, things, tokens

WIDTH = 144
_HEADS = 4


class Attention(nn.Module):
    """Attention of `width` channels on itself or on a text of `context` channels, with normed queries and keys."""

    def __init__(self, width: int, context: int | None = None, heads: int = _HEADS) -> None:
        super().__init__()
        self.heads, self.each = heads, width // heads
        self.query = nn.Linear(width, width, bias=False)
        self.keys = nn.Linear(context or width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.full((heads, 1, 1), math.log(self.each**0.5)))

    def forward(self, x: Tensor, context: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """B, N, width; `bias` is added to the scores (B, 1, 1, M)."""
        batch, count = x.shape[0], x.shape[1]
        other = x if context is None else context
        query = self.query(x).reshape(batch, count, self.heads, self.each).transpose(1, 2)
        both = self.keys(other).reshape(batch, -1, 2, self.heads, self.each).permute(2, 0, 3, 1, 4)
        query, key = _unit(query), _unit(both[0])
        scores = (query @ key.transpose(-1, -2)) * self.scale.exp()
        if bias is not None:
            scores = scores + bias
        made = scores.softmax(dim=-1) @ both[1]
        return self.out(made.transpose(1, 2).reshape(batch, count, self.heads * self.each))


def _unit(x: Tensor) -> Tensor:
    return x * torch.rsqrt((x * x).sum(dim=-1, keepdim=True) + 1e-6)


def _norm(x: Tensor) -> Tensor:
    """Layer norm without weights."""
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean(dim=-1, keepdim=True) + 1e-5)


class Feed(nn.Module):
    """The two linear layers between attentions."""

    def __init__(self, width: int, times: int = 3) -> None:
        super().__init__()
        self.inner, self.out = nn.Linear(width, times * width), nn.Linear(times * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """B, N, width."""
        return self.out(F.gelu(self.inner(x), approximate="tanh"))


class TextBlock(nn.Module):
    """A layer of the text encoder."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention, self.feed = Attention(width), Feed(width, 4)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """B, N, width."""
        x = x + self.attention(_norm(x), bias=bias)
        return x + self.feed(_norm(x))


class Text(nn.Module):
    """Tokens (B, 40) to features (B, 40, 144), their mean (B, 144), and what hides padding (B, 1, 1, 40)."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(tokens.SIZE, WIDTH)
        self.places = nn.Parameter(torch.randn(tokens.LENGTH, WIDTH) * 0.02)
        self.blocks = nn.ModuleList(TextBlock(WIDTH) for _ in range(3))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        there = (ids != tokens.PADDING).to(self.places.dtype)
        bias = ((there - 1) * 1e4)[:, None, None, :]
        x = self.words(ids) + self.places
        for block in self.blocks:
            x = block(x, bias)
        x = _norm(x)
        pooled = (x * there[:, :, None]).sum(dim=1) / there.sum(dim=1, keepdim=True)
        return x, pooled, bias


def waves(time: Tensor, count: int = 64) -> Tensor:
    """Noise levels (B) as sines and cosines (B, 2 * count)."""
    rates = torch.exp(torch.arange(count, dtype=torch.float32, device=time.device) * (-math.log(1000.0) / count))
    angles = time.float()[:, None] * 100.0 * rates[None, :]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class Condition(nn.Module):
    """The noise level and the mean of the text, as one vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(128, width), nn.SiLU(), nn.Linear(width, width))
        self.text = nn.Linear(WIDTH, width)

    def forward(self, time: Tensor, pooled: Tensor) -> Tensor:
        """B to B, width."""
        return F.silu(self.time(waves(time).to(pooled.dtype)) + self.text(pooled))


class Block(nn.Module):
    """Attention on itself, on the text, and a feed; noise level and text say how strongly (one modulation for all)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.itself, self.text, self.feed = Attention(width), Attention(width, WIDTH), Feed(width)
        self.shift = nn.Parameter(torch.zeros(6, width))

    def forward(self, x: Tensor, modulation: Tensor, text: Tensor, bias: Tensor) -> Tensor:
        """B, N, width; `modulation` is B, 6, width."""
        a, b, c, d, e, f = (modulation + self.shift).unsqueeze(2).unbind(dim=1)
        x = x + c * self.itself(_norm(x) * (1 + a) + b)
        x = x + self.text(_norm(x), text, bias)
        return x + f * self.feed(_norm(x) * (1 + d) + e)


class Trunk(nn.Module):
    """Blocks on tokens of which each has its place."""

    def __init__(self, width: int, depth: int, count: int) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(count, width) * 0.02)
        self.modulation = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        nn.init.zeros_(self.modulation.weight)
        with torch.no_grad():
            self.modulation.bias.zero_()
            self.modulation.bias.view(6, width)[[2, 5]] = 1.0

    def forward(self, x: Tensor, condition: Tensor, text: Tensor, bias: Tensor) -> Tensor:
        """B, count, width."""
        modulation = self.modulation(condition).reshape(x.shape[0], 6, -1)
        x = x + self.places
        for block in self.blocks:
            x = block(x, modulation, text, bias)
        return x


class Layout(nn.Module):
    """Noised things (B, 4, 22) at a noise level (B) to the things."""

    def __init__(self, width: int = 160, depth: int = 4) -> None:
        super().__init__()
        self.condition = Condition(width)
        self.enter = nn.Linear(things.NUMBERS, width)
        self.trunk = Trunk(width, depth, things.MOST)
        self.leave = nn.Linear(width, things.NUMBERS)

    def forward(self, x: Tensor, time: Tensor, text: Tensor, pooled: Tensor, bias: Tensor) -> Tensor:
        """See the class."""
        return self.leave(_norm(self.trunk(self.enter(x), self.condition(time, pooled), text, bias)))


class Residual(nn.Module):
    """Two convolutions, modulated by a condition where there is one."""

    def __init__(self, width: int, condition: int | None = None) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.GroupNorm(8, width)
        self.modulation = nn.Linear(condition, 2 * width) if condition is not None else None
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """B, width, H, W."""
        y = self.norm(x)
        if self.modulation is not None and condition is not None:
            scale, shift = self.modulation(condition)[:, :, None, None].chunk(2, dim=1)
            y = y * (1 + scale) + shift
        return x + self.second(F.silu(self.first(F.silu(y))))


def parts(layout: Tensor) -> Tensor:
    """Plans (B, 22, H, W) as what of which kind each cell shows (B, H, W, 13 * 36): `plan.parts` says how."""
    cells = layout.permute(0, 2, 3, 1)
    cover = ((cells[..., : plan.QUARTERS].mean(dim=-1, keepdim=True) + 1) / 2).clamp(0, 1)
    spot = (cells[..., -2:] / cover.clamp(min=plan.LEAST_COVER)).clamp(-plan.FARTHEST, plan.FARTHEST)
    turns = spot[..., None] * torch.tensor(plan.RATES, dtype=spot.dtype, device=spot.device)
    waves = torch.cat([torch.ones_like(turns[..., :1]), spot[..., None], turns.sin(), turns.cos()], dim=-1)
    over = (waves[..., 0, :, None] * waves[..., 1, None, :]).flatten(-2)
    kind = torch.cat([cover, cells[..., plan.QUARTERS : plan.QUARTERS + plan.CODE]], dim=-1)
    return (kind[..., :, None] * over[..., None, :]).flatten(-2)


class Painter(nn.Module):
    """Noised latents (B, 24, 16, 16) at a noise level (B), under a plan, to the latents."""

    def __init__(self, width: int = 104, trunk: int = 192, depth: int = 3) -> None:
        super().__init__()
        self.condition = Condition(trunk)
        self.enter = nn.Conv2d(codec.CHANNELS + plan.CHANNELS, width, 3, padding=1)
        self.parts = nn.Linear(plan.PARTS, width, bias=False)
        self.down = nn.ModuleList(Residual(width, trunk) for _ in range(2))
        self.shrink = nn.Conv2d(width, trunk, 2, stride=2)
        self.trunk = Trunk(trunk, depth, 64)
        self.grow = nn.Conv2d(trunk, 4 * width, 1)
        self.up = nn.ModuleList(Residual(width, trunk) for _ in range(2))
        self.norm = nn.GroupNorm(8, width)
        self.leave = nn.Conv2d(width, codec.CHANNELS, 3, padding=1)
        nn.init.zeros_(self.parts.weight)

    def forward(self, x: Tensor, time: Tensor, layout: Tensor, text: Tensor, pooled: Tensor, bias: Tensor) -> Tensor:
        """See the class."""
        condition = self.condition(time, pooled)
        fine = self.enter(torch.cat([x, layout], dim=1)) + self.parts(parts(layout)).permute(0, 3, 1, 2)
        for block in self.down:
            fine = block(fine, condition)
        coarse = self.shrink(fine)
        batch, width = coarse.shape[0], coarse.shape[1]
        coarse = self.trunk(coarse.reshape(batch, width, 64).transpose(1, 2), condition, text, bias)
        coarse = coarse.transpose(1, 2).reshape(batch, width, 8, 8)
        fine = fine + F.pixel_shuffle(self.grow(coarse), 2)
        for block in self.up:
            fine = block(fine, condition)
        return self.leave(F.silu(self.norm(fine)))


class Decoder(nn.Module):
    """Latents (B, 24, H, W) to pixels (B, 3, 16 H, 16 W), -1..1: the principal components, and what they lack."""

    basis: Tensor
    mean: Tensor

    def __init__(self, held: codec.Codec) -> None:
        super().__init__()
        self.enter = nn.Conv2d(codec.CHANNELS, 112, 3, padding=1)
        self.coarse = nn.ModuleList(Residual(112) for _ in range(2))
        self.middle_up = nn.Conv2d(112, 72 * 4, 1)
        self.middle = nn.ModuleList(Residual(72) for _ in range(3))
        self.fine_up = nn.Conv2d(72, 48 * 4, 1)
        self.fine = nn.ModuleList(Residual(48) for _ in range(2))
        self.leave = nn.Conv2d(48, 48, 3, padding=1)
        rows = torch.as_tensor(held.basis * held.scale[:, None]).reshape(codec.CHANNELS, 16, 16, 3)
        self.register_buffer("basis", rows.permute(0, 3, 1, 2).contiguous(), persistent=False)
        self.register_buffer(
            "mean", torch.as_tensor(held.mean).reshape(16, 16, 3).permute(2, 0, 1).contiguous(), persistent=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        base = F.conv_transpose2d(x, self.basis, stride=16)
        return base + self.mean.repeat(1, x.shape[2], x.shape[3]) + self.detail(x)

    def detail(self, x: Tensor) -> Tensor:
        """What the principal components lack."""
        y = self.enter(x)
        for block in self.coarse:
            y = block(y)
        y = F.pixel_shuffle(self.middle_up(y), 2)
        for block in self.middle:
            y = block(y)
        y = F.pixel_shuffle(self.fine_up(y), 2)
        for block in self.fine:
            y = block(y)
        return F.pixel_shuffle(self.leave(F.silu(y)), 4)


class Reader(nn.Module):
    """Latents of a picture (B, 24, 16, 16) to its plan: where a picture that is there starts from."""

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        self.enter = nn.Conv2d(codec.CHANNELS, width, 3, padding=1)
        self.blocks = nn.ModuleList(Residual(width) for _ in range(4))
        self.leave = nn.Conv2d(width, plan.CHANNELS, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y = self.enter(x)
        for block in self.blocks:
            y = block(y)
        return self.leave(F.silu(y))
