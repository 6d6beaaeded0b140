"""Whole graphs: what they draw, what their files say, how a run is told of and stopped."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from heddle.engines import Made
from heddle.engines.comfy_graph import ComfyGraph
from heddle.engines.comfy_graph.execution import Execution
from heddle.engines.sketch import Sketch
from heddle.errors import EngineFailed, JobCanceled
from heddle.graph import Size, checker
from heddle.graph.table import CLASSES

from .conftest import Watcher, node, noise, pixels, plan, png, psnr, run, sampled


def texts(made: Made) -> dict[str, str]:
    with Image.open(io.BytesIO(made.data)) as image:
        image.load()
        return dict(image.text)  # type: ignore[attr-defined]


def drawn(prompt: str, seed: int, **more: Any) -> np.ndarray:
    """What the picture engine draws by itself."""
    job = {
        "family": "sketch", "operation": "create", "prompt": prompt, "negativePrompt": "people", "width": 128,
        "height": 96, "steps": 8, "cfgScale": 7.0, "seed": seed, "sampler": "euler", "networks": [], "images": [],
    }  # fmt: skip
    (made,) = Sketch().run(job | more, Watcher())
    return pixels(made)


# ── text to image ──


def test_the_default_graph_draws_what_the_picture_engine_draws() -> None:
    (made,) = run(sampled())
    assert (made.mime, made.width, made.height, made.role) == ("image/png", 128, 96, "")
    assert psnr(pixels(made), drawn("a red fox in the snow", 5)) == 99.0


def test_the_file_holds_the_graph_and_the_parameters() -> None:
    (made,) = run(sampled())
    said = texts(made)
    assert json.loads(said["prompt"]) == sampled()
    assert said["parameters"].startswith("a red fox in the snow\nNegative prompt: people\nSteps: 8, Sampler: euler")
    assert made.metadata["seed"] == 5
    assert made.metadata["engine"] == "comfy-graph"
    assert "standInFor" not in made.metadata


def test_the_caller_may_say_what_the_file_says() -> None:
    (made,) = run(sampled(), imageMetadata="made by hand ✓")
    assert texts(made)["parameters"] == "made by hand ✓"


def test_a_batch_counts_its_seeds_up() -> None:
    graph = sampled()
    graph["5"]["inputs"]["batch_size"] = 3
    made = run(graph)
    assert [one.metadata["seed"] for one in made] == [5, 6, 7]
    assert psnr(pixels(made[2]), drawn("a red fox in the snow", 7)) == 99.0


def test_repetitions_have_other_seeds_and_say_so() -> None:
    graph = sampled()
    graph["5"]["inputs"]["batch_size"] = 2
    seeds = [made.metadata["seed"] for job in range(3) for made in run(graph, job=job, quantity=3)]
    assert seeds == [5, 6, 7, 8, 9, 10]
    made = run(graph, job=2, quantity=3)
    assert json.loads(texts(made[0])["prompt"])["3"]["inputs"]["seed"] == 9


def test_seeds_run_over_at_the_end() -> None:
    graph = sampled(seed=2**64 - 1)
    assert [run(graph, job=job, quantity=2)[0].metadata["seed"] for job in range(2)] == [2**63 - 1, 0]


def test_the_same_graph_gives_the_same_bytes() -> None:
    assert run(sampled())[0].data == run(sampled())[0].data


def test_prompts_are_put_together() -> None:
    graph = sampled(positive=["both", 0], negative=["none", 0])
    graph["2"] = node("CLIPTextEncode", text="at night", clip=["4", 1])
    graph["both"] = node("ConditioningConcat", conditioning_to=["6", 0], conditioning_from=["2", 0])
    graph["none"] = node("ConditioningZeroOut", conditioning=["7", 0])
    (made,) = run(graph)
    assert made.metadata["prompt"] == "a red fox in the snow, at night"
    assert made.metadata["negativePrompt"] == ""
    graph["both"] = node("ConditioningAverage", conditioning_to=["6", 0], conditioning_from=["2", 0],
                         conditioning_to_strength=0.25)  # fmt: skip
    assert run(graph)[0].metadata["prompt"] == "(at night:0.75), (a red fox in the snow:0.25)"


def test_clip_skip_reaches_the_picture_engine() -> None:
    graph = sampled()
    graph["skip"] = node("CLIPSetLastLayer", clip=["4", 1], stop_at_clip_layer=-2)
    graph["6"]["inputs"]["clip"] = ["skip", 0]
    assert "Clip skip: 2" in texts(run(graph)[0])["parameters"]


def test_loras_reach_the_picture_engine() -> None:
    graph = sampled(model=["b", 0])
    graph["a"] = node("LoraLoader", model=["4", 0], clip=["4", 1], lora_name="sketch-watercolor.safetensors",
                      strength_model=0.9, strength_clip=1.0)  # fmt: skip
    graph["b"] = node("LoraLoaderModelOnly", model=["a", 0], lora_name="urn:air:sketch:lora:heddle:4@4",
                      strength_model=0.2)  # fmt: skip
    (made,) = run(graph)
    assert made.metadata["style"] == "watercolor"
    assert 'heddle:2@2 (0.9), urn:air:sketch:lora:heddle:4@4 (0.2)"' in texts(made)["parameters"]
    assert psnr(pixels(made), pixels(run(sampled())[0])) < 25


# ── image to image ──


def photo() -> np.ndarray:
    """A source with broad shapes: blue above, green below."""
    picture = np.zeros((96, 128, 3), dtype=np.uint8)
    picture[:48], picture[48:] = (60, 90, 200), (40, 160, 60)
    return picture


def from_picture(denoise: float) -> np.ndarray:
    graph = sampled(latent_image=["e", 0], denoise=denoise) | {
        "a": node("LoadImage", image="blob_p"),
        "e": node("VAEEncode", pixels=["a", 0], vae=["4", 2]),
    }
    (made,) = run(graph, {"blob_p": png(photo())})
    return pixels(made)


def test_denoise_is_how_far_the_result_leaves_the_source() -> None:
    kept = [psnr(from_picture(strength), photo()) for strength in (0.1, 0.5, 0.9)]
    assert kept[0] > kept[1] > kept[2]
    assert kept[0] > 25
    assert psnr(from_picture(1.0), drawn("a red fox in the snow", 5)) == 99.0


def test_only_what_is_masked_is_drawn_anew() -> None:
    hole = np.full((96, 128, 4), 255, dtype=np.uint8)
    hole[:, :, :3] = photo()
    hole[20:60, 30:80, 3] = 0
    graph = sampled(latent_image=["e", 0]) | {
        "a": node("LoadImage", image="blob_p"),
        "e": node("VAEEncodeForInpaint", pixels=["a", 0], vae=["4", 2], mask=["a", 1], grow_mask_by=4),
    }
    (made,) = run(graph, {"blob_p": png(hole)})
    found = pixels(made)
    outside = np.ones((96, 128), dtype=bool)
    outside[16:64, 26:84] = False
    assert (found[outside] == photo()[outside]).all()
    inside = drawn("a red fox in the snow", 5)[16:64, 26:84]
    assert (found[16:64, 26:84] == inside).all()


def test_a_second_pass_keeps_the_scene_whatever_its_seed() -> None:
    graph = sampled()
    graph["up"] = node("LatentUpscaleBy", samples=["3", 0], upscale_method="bislerp", scale_by=1.5)
    graph["again"] = node("KSampler", **{**graph["3"]["inputs"], "latent_image": ["up", 0], "denoise": 0.5, "seed": 11})
    graph["8"]["inputs"]["samples"] = ["again", 0]
    (made,) = run(graph)
    assert (made.width, made.height, made.metadata["seed"]) == (192, 144, 5)
    first = Image.fromarray(drawn("a red fox in the snow", 5)).resize((192, 144), Image.Resampling.BICUBIC)
    assert psnr(pixels(made), np.asarray(first)) > 22
    # Another prompt is another scene.
    graph["again"]["inputs"]["positive"] = ["7", 0]
    assert run(graph)[0].metadata["seed"] == 11


def test_a_base_and_a_refiner() -> None:
    graph = sampled()
    shared = {name: value for name, value in graph["3"]["inputs"].items() if name not in {"seed", "denoise"}}
    graph["3"] = node("KSamplerAdvanced", **shared, noise_seed=5, add_noise="enable", start_at_step=0, end_at_step=6,
                      return_with_leftover_noise="enable")  # fmt: skip
    graph["r"] = node("KSamplerAdvanced", **(shared | {"latent_image": ["3", 0]}), noise_seed=5, add_noise="disable",
                      start_at_step=6, end_at_step=10_000)  # fmt: skip
    graph["8"]["inputs"]["samples"] = ["r", 0]
    (made,) = run(graph)
    assert made.metadata["strength"] == 0.25
    assert psnr(pixels(made), drawn("a red fox in the snow", 5)) > 20


def test_outpainting_keeps_the_middle() -> None:
    graph = sampled(latent_image=["e", 0]) | {
        "a": node("LoadImage", image="blob_p"),
        "pad": node("ImagePadForOutpaint", image=["a", 0], left=64, right=64, feathering=0),
        "e": node("VAEEncodeForInpaint", pixels=["pad", 0], vae=["4", 2], mask=["pad", 1], grow_mask_by=0),
    }
    (made,) = run(graph, {"blob_p": png(photo())})
    found = pixels(made)
    assert found.shape == (96, 256, 3)
    assert (found[:, 64:192] == photo()).all()
    assert (found[:, :64] != 128).any()


# ── models of others ──


def test_engine_lets_it_stand_in_for_any_model_and_the_file_says_so() -> None:
    graph = sampled()
    graph["4"]["inputs"]["ckpt_name"] = "dreamshaper_8.safetensors"
    (made,) = run(graph, engine="sketch")
    assert made.metadata["standInFor"] == "dreamshaper_8.safetensors"
    assert "Stand-in for: dreamshaper_8.safetensors" in texts(made)["parameters"]


# ── results ──


def test_previews_are_beside_what_is_saved() -> None:
    graph = sampled() | {"p": node("PreviewImage", images=["8", 0])}
    assert sorted(made.role for made in run(graph)) == ["", "preview"]
    del graph["9"]
    assert [made.role for made in run(graph)] == [""]


def test_what_was_changed_after_drawing_is_not_told_as_drawn() -> None:
    graph = sampled() | {"i": node("ImageInvert", image=["8", 0])}
    graph["9"]["inputs"]["images"] = ["i", 0]
    (made,) = run(graph)
    assert set(texts(made)) == {"prompt"}
    assert "seed" not in made.metadata
    assert (pixels(made) == 255 - drawn("a red fox in the snow", 5)).all()


def test_results_come_as_they_are_made() -> None:
    graph = sampled() | {"q": node("EmptyImage", width=8, height=8), "q2": node("SaveImage", images=["q", 0])}
    made = ComfyGraph().run(plan(graph).payloads[0], Watcher())
    assert next(iter(made)).width in (8, 128)


# ── the run ──


def test_progress_rises_and_names_the_nodes() -> None:
    graph = sampled()
    graph["3"]["_meta"] = {"title": "Draw the fox"}
    graph["5"]["inputs"]["batch_size"] = 2
    watcher = Watcher()
    run(graph, watcher=watcher)
    fractions = [fraction for fraction, _ in watcher.reported]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    notes = [note for _, note in watcher.reported]
    assert {"4: CheckpointLoaderSimple", "3: Draw the fox", "3: Draw the fox: composing", "9: SaveImage"} <= set(notes)
    # Sampling is most of the work.
    inside = [fraction for fraction, note in watcher.reported if note.startswith("3: ")]
    assert max(inside) - min(inside) > 0.6


@pytest.mark.parametrize("at", ["8: VAEDecode", "3: KSampler: drawing"])
def test_a_cancel_comes_through(at: str) -> None:
    class Canceling(Watcher):
        def preview(self, draw: object) -> None: ...

        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            if note == at:
                raise JobCanceled("enough")

    watcher = Canceling()
    with pytest.raises(JobCanceled):
        run(sampled(), watcher=watcher)
    assert watcher.reported[-1][1] == at


def test_each_node_runs_once() -> None:
    graph = sampled() | {"i": node("ImageBlend", image1=["8", 0], image2=["8", 0])}
    graph |= {"s": node("SaveImage", images=["i", 0]), "t": node("SaveImage", images=["i", 0])}
    watcher = Watcher()
    assert len(run(graph, watcher=watcher)) == 3
    assert [note for _, note in watcher.reported].count("i: ImageBlend") == 1


def test_values_are_let_go() -> None:
    most = 0

    class Counting(Watcher):
        def preview(self, draw: object) -> None: ...

        def progress(self, fraction: float, note: str = "") -> None:
            nonlocal most
            most = max(most, len(execution._results))

    chain = {str(i): node("ImageInvert", image=[str(i + 1), 0]) for i in range(50)}
    graph = {**chain, "50": node("EmptyImage", width=16, height=16), "out": node("SaveImage", images=["0", 0])}
    execution = Execution(plan(graph).payloads[0], Counting(), Sketch())
    (made,) = execution.made()
    assert (pixels(made) == 0).all()
    assert most == 1


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ({"x": node("ImageScaleBy", image=["a", 0], scale_by=8.0),
          "y": node("ImageScaleBy", image=["x", 0], scale_by=8.0)},
         r"workflow\.y: gives 6400x6400; a picture has at most"),
        ({"y": node("ImagePadForOutpaint", image=["a", 0], left=8192, top=8192)}, r"workflow\.y: gives 8292x8292"),
        ({"v": node("VAELoader", vae_name="sketch"), "e": node("VAEEncode", pixels=["a", 0], vae=["v", 0]),
          "r": node("RepeatLatentBatch", samples=["e", 0], amount=64),
          "q": node("RepeatLatentBatch", samples=["r", 0], amount=64),
          "y": node("VAEDecode", samples=["q", 0], vae=["v", 0])}, r"workflow\.q: gives 96x96 times 4096; a batch has"),
    ],
)  # fmt: skip
def test_sizes_that_show_only_when_a_picture_is_read_are_bounded_too(nodes: dict[str, Any], says: str) -> None:
    graph = {"a": node("LoadImage", image="blob_a"), **nodes, "out": node("SaveImage", images=["y", 0])}
    tracemalloc.start()
    with pytest.raises(EngineFailed, match=says):
        run(graph, {"blob_a": png(noise(1, 100, 100))})
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_prompts_that_double_are_bounded() -> None:
    graph = sampled(positive=["c40", 0]) | {"c0": node("CLIPTextEncode", text="a red fox", clip=["4", 1])}
    for i in range(40):
        both = [f"c{i}", 0]
        graph[f"c{i + 1}"] = node("ConditioningCombine", conditioning_1=both, conditioning_2=both)
    with pytest.raises(EngineFailed, match=r"workflow\.c11: the prompts have 22526 characters together"):
        run(graph)


def test_a_long_prompt_is_whole_in_the_file_and_cut_in_the_metadata() -> None:
    graph = sampled()
    graph["6"]["inputs"]["text"] = "a red fox \u2713 " * 1500
    graph["7"]["inputs"]["text"] = "people \u2713 " * 1500
    (made,) = run(graph)
    assert len(json.dumps(made.metadata, ensure_ascii=False).encode()) < 64 * 1024
    assert len(texts(made)["parameters"]) > 30_000


def test_a_graph_that_was_changed_since_is_checked_again() -> None:
    payload = dict(plan(sampled()).payloads[0])
    payload["workflow"] = payload["workflow"] | {"6": node("CLIPTextEncode", text="x" * 30_000, clip=["4", 1])}
    with pytest.raises(EngineFailed, match=r"workflow\.6\.inputs\.text: has 30000 characters"):
        list(ComfyGraph().run(payload, Watcher()))


_FLOW = ("IMAGE", "MASK")
_KINDS = [
    kind
    for kind in CLASSES.values()
    if kind.outputs and kind.outputs[0] in _FLOW and all(i.type in _FLOW or i.written for i in kind.inputs)
]


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, Any]:
    """Nodes of pictures and masks in any order that has no circles, with any small values."""
    graph: dict[str, Any] = {
        "0": node("EmptyImage", width=40, height=24), "1": node("LoadImage", image="blob_a"),
        "2": node("SolidMask", width=30, height=30, value=0.5),
    }  # fmt: skip
    gives = {"IMAGE": ["0", "1"], "MASK": ["2"]}
    for i in range(3, draw(st.integers(4, 9))):
        kind = draw(st.sampled_from(_KINDS))
        inputs: dict[str, Any] = {}
        for wanted in kind.inputs:
            if wanted.type in gives:
                inputs[wanted.name] = [draw(st.sampled_from(gives[wanted.type])), 0]
            elif wanted.type == "INT":
                assert wanted.low is not None
                assert wanted.high is not None
                low = int(max(wanted.low, -9))
                inputs[wanted.name] = draw(st.integers(low, int(min(wanted.high, low + 48))))
            elif wanted.name == "scale_by":
                inputs[wanted.name] = draw(st.sampled_from([0.05, 0.5, 1.0, 1.7]))
            elif wanted.name == "megapixels":
                inputs[wanted.name] = 0.01
        inputs |= {"image": "blob_b"} if kind.name in {"LoadImage", "LoadImageMask"} else {}
        graph[str(i)] = node(kind.name, **inputs)
        gives[kind.outputs[0]].append(str(i))
    graph["out"] = node("SaveImage", images=[gives["IMAGE"][-1], 0])
    graph["see"] = node("MaskToImage", mask=[gives["MASK"][-1], 0])
    graph["mask"] = node("SaveImage", images=["see", 0])
    return graph


@given(pipelines())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pictures_are_as_large_as_was_worked_out_before(graph: dict[str, Any]) -> None:
    a, b = noise(1, 37, 21), noise(2, 50, 50)
    known = {"blob_a": Size(width=37, height=21), "blob_b": Size(width=50, height=50)}
    foreseen = checker.checked(graph, size_of=known.__getitem__)
    made = run(graph, {"blob_a": png(a), "blob_b": png(b)})
    for output in ("out", "mask"):
        size = foreseen.size(foreseen.nodes[output], "images")
        found = [(one.width, one.height) for one in made if one.metadata["node"] == output]
        assert size is not None
        assert found == [(size.width, size.height)] * size.count
