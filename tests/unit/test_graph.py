"""Graphs: what is checked, and that nothing which is called a graph breaks the checker."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.errors import InvalidRequest
from heddle.graph import Graph, Size, checker, sizes, weights
from heddle.graph.table import CLASSES, NOTES
from heddle.steps import Facts
from heddle.steps.comfy import Comfy

#: The graph that ComfyUI shows at its first start.
DEFAULT: dict[str, Any] = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 5, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sketch.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 384, "batch_size": 2}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "text", "clip": ["4", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "fox", "images": ["8", 0]}},
}  # fmt: skip


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def changed(name: str, **inputs: Any) -> dict[str, Any]:
    """The default graph with other inputs at one node; None takes one away."""
    graph = copy.deepcopy(DEFAULT)
    graph[name]["inputs"] |= inputs
    graph[name]["inputs"] = {n: v for n, v in graph[name]["inputs"].items() if v is not None}
    return graph


def shown(**nodes: dict[str, Any]) -> dict[str, Any]:
    """Nodes, and an output for the one that is called `last`."""
    return {**nodes, "out": node("PreviewImage", images=["last", 0])}


def problems(raw: object) -> dict[str, list[str]]:
    with pytest.raises(InvalidRequest) as refused:
        checker.checked(raw)
    return refused.value.fields


def only(raw: object) -> tuple[str, str]:
    """The only problem."""
    ((path, (message,)),) = problems(raw).items()
    return path, message


def size(kind: str, **inputs: Any) -> Size | None:
    """Of what a node gives that stands between a source of 300x200 and an output."""
    graph = checker.checked(
        shown(source=node("LoadImage", image="blob_1"), last=node(kind, **inputs)),
        size_of=lambda _: Size(width=300, height=200),
    )
    return graph.sizes["last"]


def test_the_default_graph_is_in_order() -> None:
    graph = checker.checked(DEFAULT)
    order = list(graph.nodes)
    assert sorted(order) == sorted(DEFAULT)
    for made in graph.nodes.values():
        assert all(order.index(link.node) < order.index(made.id) for link in made.links.values())
    assert graph.sizes["8"] == Size(width=512, height=384, count=2)


def test_class_type_is_spelled_in_two_ways_and_ids_may_be_numbers() -> None:
    renamed = {
        name: {"classType": n["class_type"], "meta": {"title": "T"},
               "inputs": {k: [int(v[0]), v[1]] if isinstance(v, list) else v for k, v in n["inputs"].items()}}
        for name, n in DEFAULT.items()
    }  # fmt: skip
    graph = checker.checked(renamed)
    assert graph.nodes["3"].links == checker.checked(DEFAULT).nodes["3"].links
    assert graph.nodes["3"].title == "T"


@pytest.mark.parametrize(
    ("raw", "path", "says"),
    [
        ([], "workflow", "must be an object"),
        ({}, "workflow", "has no output"),
        ({"nodes": [], "links": []}, "workflow", "editor's format"),
        ({"1": 5}, "workflow.1", "must be an object"),
        ({"1": {}}, "workflow.1.class_type", "must name the class"),
        ({"1": {"class_type": "SaveImage", "inputs": 5}}, "workflow.1.inputs", "must be an object"),
        ({"x" * 101: node("SaveImage")}, f"workflow.{'x' * 100}", "at most 100 characters"),
        (changed("3", latent_image=None), "workflow.3.inputs.latent_image", "is missing; it takes a link to a LATENT"),
        (changed("6", text=None), "workflow.6.inputs.text", "is missing; it takes a text"),
        (changed("3", latent_image=["50", 0]), "workflow.3.inputs.latent_image", "'50', which is not in the graph"),
        (changed("3", latent_image=["5", 1]), "workflow.3.inputs.latent_image", "output 1 of node '5', which gives: 0"),
        (changed("3", latent_image=["9", 0]), "workflow.3.inputs.latent_image", "which gives: nothing"),
        (changed("3", latent_image=["4", 0]), "workflow.3.inputs.latent_image", "takes a LATENT, and node '4' gives"),
        (changed("3", latent_image=["5"]), "workflow.3.inputs.latent_image", "a link is [nodeId, outputIndex]"),
        (changed("3", latent_image=["5", "0"]), "workflow.3.inputs.latent_image", "not the number of an output"),
        (changed("3", latent_image=7), "workflow.3.inputs.latent_image", "must be a link to a LATENT, not 7"),
        (changed("3", steps=["5", 0]), "workflow.3.inputs.steps", "takes an INT, and node '5' gives a LATENT"),
        (changed("3", steps=0), "workflow.3.inputs.steps", "must be from 1 to 150, not 0"),
        (changed("3", steps=1.5), "workflow.3.inputs.steps", "must be a whole number, not 1.5"),
        (changed("3", steps="many"), "workflow.3.inputs.steps", "must be a whole number, not 'many'"),
        (changed("3", steps=True), "workflow.3.inputs.steps", "must be a whole number, not True"),
        (changed("3", seed=2**64), "workflow.3.inputs.seed", "must be from 0 to 18446744073709551615"),
        (changed("3", cfg=float("nan")), "workflow.3.inputs.cfg", "must be from 0 to 100"),
        (changed("3", denoise=1.1), "workflow.3.inputs.denoise", "must be from 0 to 1"),
        (changed("3", sampler_name="magic"), "workflow.3.inputs.sampler_name", "is not one of: euler,"),
        (changed("6", text=5), "workflow.6.inputs.text", "must be a text, not 5"),
        (changed("6", text="x" * 20_001), "workflow.6.inputs.text", "has 20001 characters"),
        (changed("4", ckpt_name=" "), "workflow.4.inputs.ckpt_name", "must name a model"),
        (changed("5", width=9000), "workflow.5.inputs.width", "must be from 16 to 8192"),
    ],
)  # fmt: skip
def test_each_problem_is_named_with_its_place(raw: object, path: str, says: str) -> None:
    found = only(raw)
    assert found[0] == path
    assert says in found[1]


def test_all_problems_come_at_once() -> None:
    graph = changed("3", latent_image=["50", 0], steps=0, cfg="high")
    graph["6"]["inputs"] = {}
    assert set(problems(graph)) == {
        "workflow.3.inputs.latent_image", "workflow.3.inputs.steps", "workflow.3.inputs.cfg",
        "workflow.6.inputs.text", "workflow.6.inputs.clip",
    }  # fmt: skip


def test_every_unknown_class_is_listed_and_the_known_ones_once() -> None:
    found = problems({**DEFAULT, "20": node("FaceDetailer"), "21": node("WAS Suite")})
    assert list(found) == ["workflow.20.class_type", "workflow.21.class_type"]
    assert "'FaceDetailer'" in found["workflow.20.class_type"][0]
    assert all(name in found["workflow.20.class_type"][0] for name in CLASSES)
    assert "it has" not in found["workflow.21.class_type"][0]


def test_a_circle_is_shown() -> None:
    graph = {
        "1": node("ImageInvert", image=["2", 0]), "2": node("ImageInvert", image=["3", 0]),
        "3": node("ImageInvert", image=["1", 0]), "4": node("SaveImage", images=["1", 0]),
    }  # fmt: skip
    path, says = only(graph)
    assert path.startswith("workflow.")
    assert path.endswith(".inputs.image")
    assert "goes in a circle: " in says
    assert set(says.partition(": ")[2].split(" from ")) == {"1", "2", "3"}


def test_circles_of_reroutes_and_primitives_end() -> None:
    reroutes = shown(a=node("Reroute", **{"": ["b", 0]}), b=node("Reroute", **{"": ["a", 0]}),
                     last=node("ImageInvert", image=["a", 0]))  # fmt: skip
    assert "circle" in only(reroutes)[1]
    numbers = shown(a=node("PrimitiveInt", value=["b", 0]), b=node("PrimitiveInt", value=["a", 0]),
                    last=node("EmptyImage", width=["a", 0]))  # fmt: skip
    assert "circle" in only(numbers)[1]


def test_reroutes_and_primitives_are_resolved() -> None:
    graph = checker.checked(
        shown(
            wide=node("PrimitiveInt", value=["more", 0]), more=node("PrimitiveInt", value=640),
            way=node("Reroute", **{"": ["wide", 0]}), hold=node("Reroute", x=["last", 0]),
            last=node("EmptyImage", width=["way", 0], height=64), note=node("Note", text="hello"),
        )
        | {"two": node("SaveImage", images=["hold", 0])}
    )  # fmt: skip
    assert graph.nodes["last"].values["width"] == 640
    assert graph.nodes["two"].links["images"].node == "last"
    assert set(graph.nodes) == {"last", "out", "two"}


def test_a_whole_number_may_stand_for_any_number_and_not_the_reverse() -> None:
    graph = changed("3", cfg=["n", 0]) | {"n": node("PrimitiveInt", value=3)}
    assert checker.checked(graph).nodes["3"].values["cfg"] == 3.0
    graph = changed("3", steps=["n", 0]) | {"n": node("PrimitiveFloat", value=3)}
    assert only(graph)[1] == "takes an INT, and node 'n' gives a FLOAT"


def test_what_comes_from_a_primitive_is_bounded_as_well() -> None:
    graph = changed("3", steps=["n", 0]) | {"n": node("PrimitiveInt", value=151)}
    assert only(graph) == ("workflow.3.inputs.steps", "must be from 1 to 150, not 151")


def test_defaults_fill_what_is_left_out() -> None:
    values = checker.checked(changed("3", steps=None, sampler_name=None)).nodes["3"].values
    assert (values["steps"], values["sampler_name"]) == (20, "euler")


def test_what_no_output_needs_is_left_alone() -> None:
    graph = checker.checked({**DEFAULT, "30": node("KSampler"), "31": node("LoadImage")})
    assert set(graph.nodes) == set(DEFAULT)


def test_too_many_nodes() -> None:
    assert "501 nodes" in only({str(i): node("Note") for i in range(501)})[1]


def test_a_long_chain_is_no_trouble() -> None:
    chain = {str(i): node("ImageInvert", image=[str(i + 1), 0]) for i in range(497)}
    graph = checker.checked({**chain, "497": node("EmptyImage"), "out": node("SaveImage", images=["0", 0])})
    assert next(iter(graph.nodes)) == "497"
    assert len(graph.nodes) == 499


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (shown(last=node("EmptyImage", width=8192, height=4096)), "gives 8192x4096"),
        (shown(last=node("EmptyImage", width=2048, height=2048, batch_size=17)), "gives 2048x2048 times 17"),
        (changed("5", width=4096, height=1024, batch_size=1), "draws 4096x1024; the picture engine draws 64 to 2048"),
        (changed("5", width=32, batch_size=1), "draws 32x384"),
        (shown(big=node("EmptyImage", width=4096, height=4096, batch_size=4),
               a=node("ImageInvert", image=["big", 0]), b=node("ImageInvert", image=["a", 0]),
               c=node("ImageInvert", image=["b", 0]), last=node("ImageInvert", image=["c", 0])), "together; at most"),
        (shown(last=node("EmptyImage", width=8, height=8, batch_size=64))
         | {"two": node("SaveImage", images=["last", 0])}, "gives 128 pictures; at most 100"),
    ],
)  # fmt: skip
def test_limits_of_size_and_work(raw: dict[str, Any], says: str) -> None:
    assert says in "; ".join(message for messages in problems(raw).values() for message in messages)


@pytest.mark.parametrize(
    ("kind", "inputs", "wanted"),
    [
        ("ImageInvert", {}, (300, 200, 1)),
        ("ImageScale", {"width": 600, "height": 100}, (600, 100, 1)),
        ("ImageScale", {"width": 600, "height": 0}, (600, 400, 1)),
        ("ImageScale", {"width": 0, "height": 100}, (150, 100, 1)),
        ("ImageScale", {"width": 0, "height": 0}, (300, 200, 1)),
        ("ImageScaleBy", {"scale_by": 1.5}, (450, 300, 1)),
        ("ImageScaleToTotalPixels", {"megapixels": 0.5}, (887, 591, 1)),
        ("ImageCrop", {"width": 100, "height": 500, "x": 250, "y": 10}, (50, 190, 1)),
        ("ImageCrop", {"width": 100, "height": 50, "x": 999, "y": 0}, (1, 50, 1)),
        ("ImagePadForOutpaint", {"left": 10, "bottom": 5}, (310, 205, 1)),
    ],
)
def test_sizes(kind: str, inputs: dict[str, Any], wanted: tuple[int, int, int]) -> None:
    found = size(kind, image=["source", 0], **inputs)
    assert found is not None
    assert (found.width, found.height, found.count) == wanted


def test_a_size_that_is_not_known_stays_so() -> None:
    graph = checker.checked(shown(source=node("LoadImage", image="b"), last=node("ImageInvert", image=["source", 0])))
    assert graph.sizes["last"] is None


@pytest.mark.parametrize(
    ("name", "factor"),
    [("4x-UltraSharp.pth", 4), ("RealESRGAN_x2plus.pth", 2), ("RealESRGAN_x4plus_anime_6B.pth", 4),
     ("8x_NMKD-Superscale.pth", 8), ("lanczos-3x", 3), ("ESRGAN.pth", 4), ("foo16x.pth", 4)],
)  # fmt: skip
def test_the_factor_of_an_upscaler_is_in_its_name(name: str, factor: int) -> None:
    assert sizes.factor_of(name) == factor


@pytest.mark.parametrize(
    ("name", "family"),
    [("sketch", "sketch"), ("Sketch.safetensors", "sketch"), ("urn:air:sketch:checkpoint:heddle:1@1", "sketch"),
     ("v1-5-pruned-emaonly.safetensors", "sd1"), ("sd_xl_base_1.0.safetensors", "sdxl"),
     ("ponyDiffusionV6XL.safetensors", "sdxl"), ("flux1-dev.safetensors", "flux1"), ("qwen_image.gguf", "qwen"),
     ("urn:air:sdxl:checkpoint:civitai:101055@128078", "sdxl"), ("dreamshaper_8.safetensors", "other"),
     ("urn:air:", "other")],
)  # fmt: skip
def test_families_are_told_from_names(name: str, family: str) -> None:
    assert weights.Weights(kind="checkpoint", name=name, path="").family == family


# ── anything ──────────────────────────────────────────────────────────────────

_IDS = st.sampled_from([*"1234567", "12:3"])
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from([1, 64, 512, 10**400])
)
_LINKS = st.tuples(_IDS, st.integers(0, 2)).map(list)
_JUNK = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@st.composite
def _nodes(draw: st.DrawFn) -> object:
    kind = draw(st.sampled_from([*CLASSES, *NOTES, "Strange"]))
    names = [i.name for i in CLASSES[kind].inputs] if kind in CLASSES else []
    inputs = {name: draw(st.one_of(_LINKS, _LINKS, _SCALARS)) for name in [*names, "value", ""]}
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": draw(_SCALARS)}}


_GRAPHS = st.dictionaries(_IDS, st.one_of(_nodes(), _nodes(), _nodes(), _JUNK), max_size=8)


def outcome(raw: object) -> Graph | dict[str, list[str]]:
    """A graph, or what is wrong with it; never another error."""
    try:
        return checker.checked(raw, size_of=lambda _: Size(width=100, height=80))
    except InvalidRequest as error:
        return error.fields


def check_anything(raw: object) -> None:
    graph = outcome(raw)
    if not isinstance(graph, Graph):
        assert graph
        assert all(path.startswith("workflow") and messages for path, messages in graph.items())
        return
    seen: set[str] = set()
    for made in graph.nodes.values():
        assert all(link.node in seen for link in made.links.values())
        for wanted in made.kind.inputs:
            assert wanted.optional or wanted.name in (made.values if wanted.written else made.links)
        seen.add(made.id)


@given(_GRAPHS)
@settings(max_examples=400, deadline=None)
def test_any_graph_is_refused_or_can_run(raw: object) -> None:
    check_anything(raw)


@given(_GRAPHS, st.lists(st.sampled_from(["blob_1", "blob_2"]), max_size=2), st.integers(1, 100))
@settings(max_examples=200, deadline=None)
def test_any_graph_is_refused_or_planned(raw: object, images: list[str], quantity: int) -> None:
    try:
        made = Comfy().plan({"workflow": raw, "images": images, "quantity": quantity}, lambda _: Facts())
    except InvalidRequest:
        return
    assert len(made.payloads) == quantity
    # The engine checks what it is given again, and finds the same; a ComfyUI server gets what has the shape of a graph.
    check = checker.checked if made.refusal is None else checker.shaped
    check(made.payloads[0]["workflow"])


@given(_JUNK)
@settings(max_examples=200, deadline=None)
def test_anything_is_refused_or_can_run(raw: object) -> None:
    check_anything(raw)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_graphs_of_pictures_without_circles_can_run(data: st.DataObject) -> None:
    """Built in order, from classes that take pictures and give pictures: nothing may be refused but sizes."""
    kinds = [k for k in CLASSES.values() if k.outputs[:1] == ("IMAGE",) and all(
        i.type == "IMAGE" or i.written or i.optional for i in k.inputs)]  # fmt: skip
    raw: dict[str, Any] = {"0": node("EmptyImage", width=64, height=48)}
    for i in range(1, data.draw(st.integers(1, 12))):
        kind = data.draw(st.sampled_from(kinds))
        links = {x.name: [str(data.draw(st.integers(0, i - 1))), 0] for x in kind.inputs if x.type == "IMAGE"}
        raw[str(i)] = node(kind.name, **links, **({"image": "blob_1"} if kind.name == "LoadImage" else {}))
    raw["out"] = node("SaveImage", images=[str(len(raw) - 1), 0])
    found = outcome(raw)
    if isinstance(found, Graph):
        assert found.sizes[found.nodes["out"].links["images"].node] is not None
    else:
        assert all("pixels" in m or "pictures" in m for messages in found.values() for m in messages)
