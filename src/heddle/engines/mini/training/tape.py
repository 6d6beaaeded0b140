"""Numbers that remember how they were made, so that gradients can go back through them: what `mini` needs, in numpy.

An operation works on values or on plain arrays. It is remembered where something that went in learns; everything else
costs its result and nothing more. Pictures have their channels last, and all is in single precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

#: In single precision. Any, because numpy's types take products of singles for doubles.
Floats = npt.NDArray[Any]

#: What a layer norm and a group norm add to the variance, and what is added to the squared length of a query or key.
_NORM = 1e-5
_LENGTH = 1e-6

_GELU, _CUBE = 0.7978845608028654, 0.044715


class Value:
    """Numbers. `gradient` is there after `learn`, for those that were made with `learns`."""

    __slots__ = ("back", "gradient", "learns", "numbers", "sources")

    def __init__(self, numbers: Floats, *, learns: bool = False) -> None:
        self.numbers = numbers
        self.learns = learns
        self.gradient: Floats | None = None
        #: What it was made of, and how a gradient goes back to that.
        self.sources: Sequence[Value] = ()
        self.back: Callable[[Floats], Sequence[Floats | None]] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the numbers."""
        return self.numbers.shape

    def learn(self, gradient: Floats) -> None:
        """Let the gradient of something by these numbers go back to everything that learns."""
        self.gradient = gradient
        for value in reversed(_order(self)):
            if value.back is None or value.gradient is None:
                continue
            for source, part in zip(value.sources, value.back(value.gradient), strict=True):
                if part is not None and source.learns:
                    source.gradient = part if source.gradient is None else source.gradient + part
            value.gradient = None


#: What operations take.
Given = Value | Floats

#: From the gradient by a result to those by what went in; None where it is not wanted.
Back = Callable[[Floats], Sequence[Floats | None]]


def _order(last: Value) -> list[Value]:
    """All that a value was made of, each behind its sources."""
    found: list[Value] = []
    seen: set[int] = set()
    waiting: list[tuple[Value, bool]] = [(last, False)]
    while waiting:
        value, ready = waiting.pop()
        if ready:
            found.append(value)
        elif id(value) not in seen:
            seen.add(id(value))
            waiting.append((value, True))
            waiting += [(source, False) for source in value.sources if source.learns]
    return found


def numbers(given: Given) -> Floats:
    """Without the memory."""
    return given.numbers if isinstance(given, Value) else given


def _learns(given: Given | None) -> bool:
    return isinstance(given, Value) and given.learns


def _made(result: Floats, sources: Sequence[Given], back: Back) -> Value:
    made = Value(result)
    if any(map(_learns, sources)):
        made.learns = True
        made.sources = [source if isinstance(source, Value) else Value(source) for source in sources]
        made.back = back
    return made


# ── sums and shapes ───────────────────────────────────────────────────────────


def add(one: Given, other: Given) -> Value:
    """Of the same shape."""
    return _made(numbers(one) + numbers(other), (one, other), lambda gradient: (gradient, gradient))


def stretched(x: Given, factor: Floats, shift: Floats | None = None) -> Value:
    """`x * factor + shift`, both of which do not learn."""
    made = numbers(x) * factor
    if shift is not None:
        made += shift
    return _made(made, (x,), lambda gradient: (gradient * factor,))


def turned(x: Given, split: Sequence[int], axes: Sequence[int], joined: Sequence[int]) -> Value:
    """Reshaped, its axes in another order, and reshaped again."""
    held = numbers(x)
    back = np.argsort(axes)
    between = tuple(split[axis] for axis in axes)

    def pulled(gradient: Floats) -> tuple[Floats]:
        return (np.ascontiguousarray(gradient.reshape(between).transpose(back)).reshape(held.shape),)

    return _made(np.ascontiguousarray(held.reshape(split).transpose(axes)).reshape(joined), (x,), pulled)


# ── layers ────────────────────────────────────────────────────────────────────


def linear(x: Given, weight: Floats, bias: Floats | None = None) -> Value:
    """`weight` is outputs by inputs, as files have it, and does not learn."""
    made = numbers(x) @ weight.T
    if bias is not None:
        made += bias
    return _made(made, (x,), lambda gradient: (gradient @ weight,))


def adapted(x: Given, weight: Floats, bias: Floats | None, down: Given, up: Given, scale: float) -> Value:
    """A linear layer with two small matrices beside it, which learn: rank by inputs, and outputs by rank."""
    held, narrow, wide = numbers(x), numbers(down), numbers(up)
    between = held @ narrow.T
    made = held @ weight.T
    made += (between * np.float32(scale)) @ wide.T
    if bias is not None:
        made += bias

    def pulled(gradient: Floats) -> tuple[Floats | None, Floats, Floats]:
        flat = gradient.reshape(-1, gradient.shape[-1])
        inner = (gradient @ wide) * np.float32(scale)
        of_down = inner.reshape(-1, inner.shape[-1]).T @ held.reshape(-1, held.shape[-1])
        of_up = (flat.T @ between.reshape(-1, between.shape[-1])) * np.float32(scale)
        of_x = gradient @ weight + inner @ narrow if _learns(x) else None
        return of_x, of_down, of_up

    return _made(made, (x, down, up), pulled)


def attend(query: Given, both: Given, sharpness: Floats, bias: Floats | None = None) -> Value:
    """Attention with normed queries and keys. `both` are keys and values in one; `sharpness` has one number a head.

    B, N, width and B, M, 2 width to B, N, width; `bias` (B, 1, 1, M) is added to the scores.
    """
    heads = len(sharpness)
    q, q_size = _unit(_parted(numbers(query), heads))
    key, value = np.split(numbers(both), 2, axis=-1)
    k, k_size = _unit(_parted(key, heads))
    v = _parted(value, heads)
    scores = q @ k.swapaxes(-1, -2)
    scores *= sharpness.reshape(-1, 1, 1)
    if bias is not None:
        scores += bias
    scores -= scores.max(axis=-1, keepdims=True)
    shares = np.exp(scores, out=scores)
    shares /= shares.sum(axis=-1, keepdims=True)

    def pulled(gradient: Floats) -> tuple[Floats, Floats]:
        given = _parted(gradient, heads)
        of_shares = given @ v.swapaxes(-1, -2)
        of_scores = shares * (of_shares - (of_shares * shares).sum(axis=-1, keepdims=True))
        of_scores *= sharpness.reshape(-1, 1, 1)
        of_q = _unit_back(of_scores @ k, q, q_size)
        of_k = _unit_back(of_scores.swapaxes(-1, -2) @ q, k, k_size)
        of_v = shares.swapaxes(-1, -2) @ given
        return _joined(of_q), np.concatenate([_joined(of_k), _joined(of_v)], axis=-1)

    return _made(_joined(shares @ v), (query, both), pulled)


def _parted(x: Floats, heads: int) -> Floats:
    batch, count, width = x.shape
    return x.reshape(batch, count, heads, width // heads).transpose(0, 2, 1, 3)


def _joined(x: Floats) -> Floats:
    batch, heads, count, each = x.shape
    return np.ascontiguousarray(x.transpose(0, 2, 1, 3)).reshape(batch, count, heads * each)


def _unit(x: Floats) -> tuple[Floats, Floats]:
    """Of length 1, and what it was multiplied by."""
    size = 1 / np.sqrt(np.einsum("...i,...i->...", x, x)[..., None] + np.float32(_LENGTH))
    return x * size, size


def _unit_back(gradient: Floats, unit: Floats, size: Floats) -> Floats:
    along = np.einsum("...i,...i->...", gradient, unit)[..., None]
    return (gradient - unit * along) * size


def norm(x: Given) -> Value:
    """Layer norm without weights, over the last axis."""
    made, size = _normed(numbers(x), (-1,))
    return _made(made, (x,), lambda gradient: (_normed_back(gradient, made, size, (-1,)),))


def group_norm(x: Given, weight: Floats, bias: Floats, groups: int = 8) -> Value:
    """Of pictures."""
    held = numbers(x)
    batch, high, wide, channels = held.shape
    parted = (batch, high * wide, groups, channels // groups)
    made, size = _normed(held.reshape(parted), (1, 3))

    def pulled(gradient: Floats) -> tuple[Floats]:
        return (_normed_back((gradient * weight).reshape(parted), made, size, (1, 3)).reshape(held.shape),)

    return _made(made.reshape(held.shape) * weight + bias, (x,), pulled)


def _normed(x: Floats, axes: tuple[int, ...]) -> tuple[Floats, Floats]:
    centred = x - x.mean(axis=axes, keepdims=True)
    size = 1 / np.sqrt((centred * centred).mean(axis=axes, keepdims=True) + np.float32(_NORM))
    centred *= size
    return centred, size


def _normed_back(gradient: Floats, made: Floats, size: Floats, axes: tuple[int, ...]) -> Floats:
    along = (gradient * made).mean(axis=axes, keepdims=True)
    return (gradient - gradient.mean(axis=axes, keepdims=True) - made * along) * size


def gelu(x: Given) -> Value:
    """By the tangent."""
    held = numbers(x)
    square = held * held
    bent = np.tanh(held * (square * np.float32(_GELU * _CUBE) + np.float32(_GELU)))

    def pulled(gradient: Floats) -> tuple[Floats]:
        slope = (1 - bent * bent) * held * (square * np.float32(3 * _GELU * _CUBE) + np.float32(_GELU))
        slope += 1 + bent
        slope *= gradient
        slope *= np.float32(0.5)
        return (slope,)

    return _made(held * (bent + 1) * np.float32(0.5), (x,), pulled)


def silu(x: Given) -> Value:
    """x times its sigmoid."""
    held = numbers(x)
    share = 1 / (1 + np.exp(-held))
    return _made(held * share, (x,), lambda gradient: (gradient * share * (1 + held * (1 - share)),))


# ── convolutions ──────────────────────────────────────────────────────────────


class Kernel:
    """The weights of a convolution by 3 x 3, in the forms that matrices are multiplied in."""

    def __init__(self, weight: Floats, bias: Floats) -> None:
        """`weight`: outputs, inputs, 3, 3, as files have it."""
        self.bias = bias
        #: Inputs of nine places by outputs.
        self.there = np.ascontiguousarray(weight.transpose(2, 3, 1, 0)).reshape(-1, weight.shape[0])
        self._weight = weight

    @property
    def back(self) -> Floats:
        """Outputs of nine places by inputs, for gradients."""
        turned = self._weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)
        return np.ascontiguousarray(turned).reshape(-1, self._weight.shape[1])


def conv(x: Given, kernel: Kernel) -> Value:
    """3 x 3, with zeros around."""
    held = numbers(x)
    made = _around(held) @ kernel.there
    made += kernel.bias
    shape = (*held.shape[:3], -1)

    def pulled(gradient: Floats) -> tuple[Floats]:
        return ((_around(gradient) @ kernel.back).reshape(held.shape),)

    return _made(made.reshape(shape), (x,), pulled)


def adapted_conv(x: Given, kernel: Kernel, down: Given, up: Given, scale: float) -> Value:
    """The same with a small convolution beside it and a matrix behind that, which learn.

    `down` is rank, inputs, 3, 3 and `up` outputs, rank, 1, 1, as files have them.
    """
    held, narrow, wide = numbers(x), numbers(down), numbers(up)[:, :, 0, 0]
    rank, inputs = narrow.shape[:2]
    columns = _around(held)
    flat = narrow.transpose(2, 3, 1, 0).reshape(-1, rank)
    between = columns @ flat
    made = columns @ kernel.there
    made += (between * np.float32(scale)) @ wide.T
    made += kernel.bias

    def pulled(gradient: Floats) -> tuple[Floats | None, Floats, Floats]:
        rows = gradient.reshape(-1, gradient.shape[-1])
        inner = (rows @ wide) * np.float32(scale)
        of_down = (columns.T @ inner).reshape(3, 3, inputs, rank).transpose(3, 2, 0, 1)
        of_up = ((rows.T @ between) * np.float32(scale))[:, :, None, None]
        of_x = None
        if _learns(x):
            beside = narrow[:, :, ::-1, ::-1].transpose(2, 3, 0, 1).reshape(-1, inputs)
            small = inner.reshape(*gradient.shape[:3], rank)
            of_x = (_around(gradient) @ kernel.back + _around(small) @ beside).reshape(held.shape)
        return of_x, of_down, of_up

    return _made(made.reshape(*held.shape[:3], -1), (x, down, up), pulled)


def _around(x: Floats) -> Floats:
    """For each place of pictures what stands on the nine places around it, in rows."""
    batch, high, wide, channels = x.shape
    padded = np.zeros((batch, high + 2, wide + 2, channels), dtype=np.float32)
    padded[:, 1:-1, 1:-1] = x
    seen = sliding_window_view(padded, (3, 3), axis=(1, 2))
    return seen.transpose(0, 1, 2, 4, 5, 3).reshape(batch * high * wide, 9 * channels)
