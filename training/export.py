"""The networks as ONNX graphs without weights: those lie in `mini.safetensors`, and the graphs say where.

A graph depends on the shapes alone, because in that file every tensor has its place (`training/pack.py`): graphs are
written anew when a network changes, and not when it has learned more. Weights are halves there and are computed with
as floats.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from heddle.engines.mini import codec, plan, things, tokens
from heddle.engines.mini.codec import Codec
from training.networks import WIDTH, Decoder, Layout, Painter, Reader, Text
from training.pack import tensors
from training.shipped import FILE, Place, places

#: Where the package keeps them.
GRAPHS = Path(__file__).parent.parent / "src/heddle/engines/mini/graphs"
_OPSET = 18
_TOLD = ("text", "pooled", "bias")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A network and how it is called."""

    network: nn.Module
    inputs: Sequence[str]
    outputs: Sequence[str]
    examples: tuple[Tensor, ...]
    #: Axes of any length: of every input and output, the first ones beside the channels.
    free: Mapping[int, str]


class Decoding(nn.Module):
    """The decoder with the codec's numbers as they lie in the file."""

    def __init__(self, decoder: Decoder, held: Codec) -> None:
        super().__init__()
        self.inner = decoder
        self.patches = nn.ParameterDict(
            {"basis": _parameter(held.basis), "mean": _parameter(held.mean), "scale": _parameter(held.scale)}
        )

    def forward(self, x: Tensor) -> Tensor:
        """As `Decoder`; the mean is added by one more component that is 1 everywhere."""
        basis = self.patches["basis"] * self.patches["scale"][:, None]
        rows = torch.cat([basis, self.patches["mean"][None]]).reshape(-1, codec.PATCH, codec.PATCH, 3)
        ones = torch.ones_like(x[:, :1])
        base = nn.functional.conv_transpose2d(torch.cat([x, ones], dim=1), rows.permute(0, 3, 1, 2), stride=codec.PATCH)
        return base + self.inner.detail(x)


def _parameter(values: codec.Floats) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(values)), requires_grad=False)


def graphs() -> dict[str, Graph]:
    """Every network with random weights, which are thrown away."""
    held = _codec()
    told = (torch.randn(2, tokens.LENGTH, WIDTH), torch.randn(2, WIDTH), torch.zeros(2, 1, 1, tokens.LENGTH))
    plans, latents = torch.randn(2, plan.CHANNELS, 16, 16), torch.randn(2, codec.CHANNELS, 16, 16)
    time, batch = torch.rand(2), {0: "batch"}
    anywhere = {0: "batch", 2: "high", 3: "wide"}
    return {
        "text": Graph(
            network=Text(), inputs=("ids",), outputs=_TOLD, free=batch,
            examples=(torch.ones(2, tokens.LENGTH, dtype=torch.int64),),
        ),
        "layout": Graph(
            network=Layout(), inputs=("x", "time", *_TOLD), outputs=("clean",), free=batch,
            examples=(torch.randn(2, *things.SHAPE), time, *told),
        ),
        "painter": Graph(
            network=Painter(), inputs=("x", "time", "plan", *_TOLD), outputs=("clean",), free=batch,
            examples=(latents, time, plans, *told),
        ),
        "decoder": Graph(
            network=Decoding(Decoder(held), held), inputs=("x",), outputs=("pixels",), free=anywhere,
            examples=(latents,),
        ),
        "reader": Graph(network=Reader(), inputs=("x",), outputs=("plan",), free=anywhere, examples=(latents,)),
    }  # fmt: skip


def _codec() -> Codec:
    size = codec.PATCH**2 * 3
    return Codec(
        np.zeros((codec.CHANNELS, size), dtype=np.float32), np.zeros(size, dtype=np.float32),
        np.ones(codec.CHANNELS, dtype=np.float32),
    )  # fmt: skip


def export(folder: Path) -> None:
    """Write the graphs, and `tensors.json`, which says which tensors the file of weights holds, and where."""
    folder.mkdir(parents=True, exist_ok=True)
    made = graphs()
    networks: dict[str, nn.Module] = {name: graph.network for name, graph in made.items()}
    decoding = made["decoder"].network
    assert isinstance(decoding, Decoding)
    held = tensors(networks | {"decoder": decoding.inner}, _codec())
    rows = places({key: values.shape for key, values in held.items()})
    for name, graph in made.items():
        (folder / f"{name}.onnx").write_bytes(_without_weights(_model(graph), name, rows).SerializeToString())
    lines = [f"{json.dumps(key)}: {json.dumps([list(row.shape), row.start])}" for key, row in rows.items()]
    (folder / "tensors.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _key(name: str, key: str) -> str:
    """The name in the file of a network's weight."""
    if name == "decoder":
        part, _, rest = key.partition(".")
        return f"{_PARTS[part]}.{rest}"
    return f"{name}.{key}"


#: What `Decoding` is made of.
_PARTS = {"inner": "decoder", "patches": "codec"}


def _model(graph: Graph) -> onnx.ModelProto:
    """By tracing: that exporter keeps the names of weights, and wants no further package."""
    for weight in graph.network.parameters():
        # Weights that are equal, as they are before training, would become one.
        nn.init.uniform_(weight)
    axes = {
        name: {axis: said for axis, said in graph.free.items() if axis == 0 or name not in _TOLD}
        for name in (*graph.inputs, *graph.outputs)
    }
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            graph.network.eval(), graph.examples, path, dynamo=False, do_constant_folding=False, opset_version=_OPSET,
            input_names=list(graph.inputs), output_names=list(graph.outputs), dynamic_axes=axes,
        )  # fmt: skip
        return onnx.load(path)


def _without_weights(model: onnx.ModelProto, name: str, rows: Mapping[str, Place]) -> onnx.ModelProto:
    graph = model.graph
    casts, kept = [], []
    for held in graph.initializer:
        place = rows.get(_key(name, held.name))
        if place is None:
            kept.append(held)
            continue
        kept.append(_elsewhere(_key(name, held.name), place))
        casts.append(helper.make_node("Cast", [kept[-1].name], [held.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    for node in nodes:
        node.ClearField("name")
        node.ClearField("doc_string")
    for field, values in (("initializer", kept), ("node", nodes)):
        graph.ClearField(field)
        getattr(graph, field).extend(values)
    graph.ClearField("value_info")
    # Which library wrote it would be all that differs between two of them.
    model.ClearField("producer_name")
    model.ClearField("producer_version")
    return model


def _elsewhere(key: str, place: Place) -> TensorProto:
    made = TensorProto(name=key, dims=place.shape, data_type=TensorProto.FLOAT16, data_location=TensorProto.EXTERNAL)
    for said, value in (("location", FILE), ("offset", place.start), ("length", place.size)):
        made.external_data.add(key=said, value=str(value))
    return made
