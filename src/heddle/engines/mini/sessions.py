"""The networks in onnxruntime: one session each for the weights as they are, and some for stacks of LoRAs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from heddle.engines.mini import loras, tokens, weights
from heddle.engines.mini.codec import Codec, Pixels
from heddle.engines.mini.loras import Network
from heddle.engines.mini.sampling import Floats, Told

if TYPE_CHECKING:
    from heddle.engines.mini.weights import Halves

#: Stacks of LoRAs that stay, beside the weights as they are; one that changes all networks takes some 50 MB.
MOST_STACKS = 3

_Inputs = Mapping[str, npt.NDArray[Any]]
_Key = tuple[tuple[tuple[str, int, int], float], ...]


class Sessions:
    """What is loaded, of one file of weights."""

    def __init__(self, path: Path, threads: int) -> None:
        self._threads = threads
        self._weights = weights.read(path)
        self._base: dict[str, _Session] = {}
        self._stacks: OrderedDict[_Key, dict[str, _Session]] = OrderedDict()

    @property
    def codec(self) -> Codec:
        """What encodes pictures."""
        basis, mean, scale = (self._weights[f"codec.{name}"].astype(np.float32) for name in ("basis", "mean", "scale"))
        return Codec(basis, mean, scale)

    def networks(self, stack: Sequence[Network], before: Callable[[], None]) -> Networks:
        """All of them with a stack of LoRAs; `before` is called before each is run. Raises Unusable."""
        changed = self._changed(stack) if stack else {}
        return Networks(lambda name: changed.get(name) or self._own(name), before)

    def _own(self, name: str) -> _Session:
        if name not in self._base:
            self._base[name] = _Session(name, self._weights, self._threads)
        return self._base[name]

    def _changed(self, stack: Sequence[Network]) -> dict[str, _Session]:
        key: _Key = tuple((network.stamp, network.strength) for network in stack)
        if key not in self._stacks:
            merged = loras.merged(self._weights, stack)
            names = sorted({weight.partition(".")[0] for weight in merged})
            together = self._weights | merged
            self._stacks[key] = {name: _Session(name, together, self._threads) for name in names}
        self._stacks.move_to_end(key)
        while len(self._stacks) > MOST_STACKS:
            self._stacks.popitem(last=False)
        return self._stacks[key]


class _Session:
    """One network."""

    def __init__(self, name: str, held: Mapping[str, Halves], threads: int) -> None:
        runtime: Any = import_module("onnxruntime")
        options: Any = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Threads that wait by spinning take what other jobs of the machine need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        parts = (name, "codec") if name == "decoder" else (name,)
        names = [key for key in held if key.partition(".")[0] in parts]
        # They are the session's own memory where it does not fold them into others.
        self._held = [runtime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(held[key])) for key in names]
        options.add_external_initializers(names, self._held)
        graph = (weights.GRAPHS / f"{name}.onnx").read_bytes()
        self._session: Any = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(self, inputs: _Inputs) -> list[Floats]:
        return self._session.run(None, dict(inputs))


class Networks:
    """The networks as `sampling.py` calls them, and those around them."""

    def __init__(self, session: Callable[[str], _Session], before: Callable[[], None]) -> None:
        self._session = session
        self._before = before

    def _run(self, name: str, **inputs: npt.NDArray[Any]) -> list[Floats]:
        self._before()
        return self._session(name)(inputs)

    def told(self, prompts: Sequence[str]) -> list[Told]:
        """Each prompt by itself."""
        rows = self._run("text", ids=np.stack([tokens.encode(prompt) for prompt in prompts]))
        return [Told(*(values[at : at + 1] for values in rows)) for at in range(len(prompts))]

    def layout(self, x: Floats, level: Floats, told: Told) -> Floats:
        """See `sampling.Layout`."""
        return self._run("layout", x=x, time=level, text=told.features, pooled=told.pooled, bias=told.bias)[0]

    def painter(self, x: Floats, level: Floats, plan: Floats, told: Told) -> Floats:
        """See `sampling.Painter`."""
        under = np.ascontiguousarray(plan)
        return self._run(
            "painter", x=np.ascontiguousarray(x), time=level, plan=under, text=told.features, pooled=told.pooled,
            bias=told.bias,
        )[0]  # fmt: skip

    def read(self, latents: Floats) -> Floats:
        """The plan of latents."""
        return self._run("reader", x=latents)[0]

    def decoded(self, latents: Floats) -> Pixels:
        """Height, width, 3, of the first latents."""
        made = self._run("decoder", x=np.ascontiguousarray(latents))[0][0]
        # What is not a number would be any colour.
        values = np.nan_to_num((made.transpose(1, 2, 0) + 1) * 127.5 + 0.5)
        return np.clip(values, 0, 255).astype(np.uint8)
