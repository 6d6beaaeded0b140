"""comfy: what a graph becomes, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from heddle import registry
from heddle.catalog.places import Place
from heddle.contract.orchestration import WorkflowRequest
from heddle.domain import Job, now
from heddle.errors import InvalidRequest
from heddle.settings import Settings
from heddle.steps import Facts, Plan, Result
from heddle.steps.comfy import MOST_BYTES, Comfy
from heddle.workflows.planning import Draft, Look, Planner

Graph = dict[str, Any]


def node(kind: str, **inputs: Any) -> Graph:
    return {"class_type": kind, "inputs": inputs}


def drawing(checkpoint: str = "sketch.safetensors", **more: Any) -> Graph:
    links = {"model": ["m", 0], "positive": ["t", 0], "negative": ["t", 0], "latent_image": ["l", 0]}
    return {
        "m": node("CheckpointLoaderSimple", ckpt_name=checkpoint),
        "t": node("CLIPTextEncode", text="a fox", clip=["m", 1]),
        "l": node("EmptyLatentImage", width=512, height=256, batch_size=2),
        "k": node("KSampler", **(links | {"seed": 7, "steps": 10, "cfg": 7.0} | more)),
        "d": node("VAEDecode", samples=["k", 0], vae=["m", 2]),
        "out": node("SaveImage", images=["d", 0]),
    }


def showing(*names: str) -> Graph:
    """Pictures with these names, one beside the other in a batch."""
    graph: Graph = {f"a{i}": node("LoadImage", image=name) for i, name in enumerate(names)}
    last = "a0"
    for i in range(1, len(names)):
        graph[f"b{i}"] = node("ImageBatch", image1=[last, 0], image2=[f"a{i}", 0])
        last = f"b{i}"
    return graph | {"out": node("SaveImage", images=[last, 0])}


def plan(raw: Graph, facts: Facts | None = None) -> Plan:
    return Comfy().plan(raw, lambda _: facts or Facts())


def refused(raw: Graph) -> dict[str, list[str]]:
    with pytest.raises(InvalidRequest) as refusal:
        plan(raw)
    return refusal.value.fields


def _built_in(air: str) -> Place | None:
    return Place(air=air, type="LORA", base_model="Sketch") if ":sketch:" in air else None


def draft(raw: Graph, **settings: Any) -> Draft:
    """Through the planner, with its choice of an engine and the catalog's built-in models."""
    request = WorkflowRequest.model_validate({"steps": [{"$type": "comfy", "input": raw}]})
    look = Look(find=_built_in, facts_of=lambda _: Facts())
    return Planner(Settings(**settings)).plan(request, account_id=1, look=look, at=now())


def stopped(raw: Graph) -> dict[str, list[str]]:
    with pytest.raises(InvalidRequest) as refusal:
        draft(raw)
    return refusal.value.fields


@pytest.mark.parametrize("spelling", ["workflow", "comfyWorkflow", "prompt"])
def test_the_graph_has_three_names(spelling: str) -> None:
    assert plan({spelling: drawing()}).payloads[0]["workflow"] == drawing()
    wrong = {spelling: {"1": node("Strange")}}
    assert list(stopped(wrong)) == [f"steps[0].input.{spelling}.1.class_type"]


def test_a_prompt_beside_a_graph_is_not_looked_at() -> None:
    assert plan({"workflow": drawing(), "prompt": "hello"}).payloads[0]["workflow"] == drawing()


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({}, "workflow"),
        ({"prompt": "a fox"}, "prompt"),
        ({"workflow": []}, "workflow"),
        ({"workflow": {}}, "workflow"),
        ({"workflow": drawing(), "quantity": 0}, "quantity"),
        ({"workflow": drawing(), "quantity": 101}, "quantity"),
        ({"workflow": drawing(), "images": [""]}, "images[0]"),
        ({"workflow": drawing(), "images": ["blob_1"] * 21}, "images"),
        ({"workflow": drawing(), "imageMetadata": "x" * 20_001}, "imageMetadata"),
        ({"workflow": drawing(steps=0)}, "workflow.k.inputs.steps"),
        ({"workflow": drawing() | {"note": node("Note", text="x" * MOST_BYTES)}}, "workflow"),
        ({"workflow": drawing() | {"note": node("Note", text="x" * 200_000)}, "quantity": 50}, "quantity"),
    ],
)
def test_refusals_name_the_field(raw: Graph, path: str) -> None:
    assert list(refused(raw)) == [path]


def test_repetitions_are_jobs_whose_seeds_never_meet() -> None:
    payloads = plan({"workflow": drawing(), "quantity": 4}).payloads
    assert [p["seedOffset"] for p in payloads] == [0, 2, 4, 6]
    assert {p["width"] for p in payloads} == {512}


def test_planning_changes_nothing_of_the_request() -> None:
    raw = {"workflow": drawing() | showing("images[0]"), "images": ["blob_1"], "quantity": 2}
    before = copy.deepcopy(raw)
    plan(raw)
    assert raw == before


# ── sources ──


def test_sources_are_blobs_members_of_images_and_files() -> None:
    graph = showing("blob_x", "images[1]", "cat.png", "dog.png", "cat.png")
    made = plan({"workflow": graph, "images": ["blob_1", "blob_2"]})
    loaded = [made.payloads[0]["workflow"][f"a{i}"]["inputs"]["image"] for i in range(5)]
    assert loaded == ["blob_x", "blob_2", "blob_1", "blob_2", "blob_1"]
    named = {source.path: source.blob_id for source in made.sources}
    assert named["images[0]"] == "blob_1"
    assert named["workflow.a0.inputs.image"] == "blob_x"
    assert all(source.media == ("image",) for source in made.sources)


def test_a_picture_of_another_step_is_passed_on() -> None:
    token = "\ufdd00:output.images[0]\ufdd1"
    made = plan({"workflow": showing(token)})
    assert [source.blob_id for source in made.sources] == [token]


def test_files_without_pictures_are_refused_one_by_one() -> None:
    fields = refused({"comfyWorkflow": showing("cat.png", "dog.png")})
    assert list(fields) == ["comfyWorkflow.a0.inputs.image", "comfyWorkflow.a1.inputs.image"]
    assert "'cat.png' is no blob id; upload the picture" in fields["comfyWorkflow.a0.inputs.image"][0]
    fields = refused({"workflow": showing("cat.png", "dog.png"), "images": ["blob_1"]})
    assert fields == {"workflow.a1.inputs.image": ["'dog.png' would be images[1], and `images` has 1"]}
    assert list(refused({"workflow": showing("images[3]"), "images": ["blob_1"]})) == ["workflow.a0.inputs.image"]


def test_what_no_output_needs_is_no_source() -> None:
    made = plan({"workflow": drawing() | {"x": node("LoadImage", image="elsewhere.png")}})
    assert made.sources == []


def test_the_size_of_the_result_follows_from_the_source() -> None:
    made = plan({"workflow": showing("blob_1")}, Facts(mime="image/png", width=640, height=480)).payloads[0]
    assert (made["width"], made["height"]) == (640, 480)
    assert "width" not in plan({"workflow": showing("blob_1")}).payloads[0]


def test_results_of_several_sizes_have_no_size() -> None:
    sizes = {"blob_1": Facts(width=640, height=480), "blob_2": Facts(width=64, height=64)}

    def planned(*names: str) -> Any:
        graph = {f"a{i}": node("LoadImage", image=name) for i, name in enumerate(names)}
        graph |= {f"w{i}": node("SaveImage", images=[f"a{i}", 0]) for i in range(len(names))}
        return Comfy().plan({"workflow": graph}, lambda name: sizes.get(name, Facts())).payloads[0]

    assert (planned("blob_1", "blob_1")["width"], planned("blob_2")["width"]) == (640, 64)
    assert "width" not in planned("blob_1", "blob_2")
    assert "width" not in planned("blob_1", "blob_unknown")


# ── prices ──


def price(raw: Graph) -> float:
    made = plan(raw).payloads[0]
    return registry.get("engines", "comfy-graph")().price({"family": "comfy-graph", **made})


def test_a_graph_costs_its_pictures_and_one() -> None:
    assert price({"workflow": drawing()}) == pytest.approx(1 + 2 * 512 * 256 / 1e6)
    assert price({"workflow": showing("blob_1")}) == 1
    # Two samplers, and what is not known counts as 1024 times 1024.
    graph = drawing() | {"a": node("LoadImage", image="blob_1"), "out2": node("PreviewImage", images=["d2", 0])}
    graph["e"] = node("VAEEncode", pixels=["a", 0], vae=["m", 2])
    graph["k2"] = node("KSampler", **{**graph["k"]["inputs"], "latent_image": ["e", 0]})
    graph["d2"] = node("VAEDecode", samples=["k2", 0], vae=["m", 2])
    assert price({"workflow": graph}) == pytest.approx(1 + 2 * 512 * 256 / 1e6 + 1024**2 / 1e6)


def test_a_stand_in_costs_what_the_family_costs() -> None:
    (step,) = draft({"workflow": drawing("sd_xl_base_1.0.safetensors")}, stand_in=True).new.workflow.steps
    (job,) = step.jobs
    # 8 Buzz for 1024 times 1024 at 20 steps.
    assert job.cost == 1 + 2 * 8 * (512 * 256 / 1024**2) * 10 / 20


# ── models ──


def test_its_own_models_run() -> None:
    graph = drawing("urn:air:sketch:checkpoint:heddle:1@1", model=["x", 0])
    graph["x"] = node("LoraLoaderModelOnly", model=["m", 0], lora_name="sketch-line-art.safetensors")
    graph["y"] = node("LoraLoaderModelOnly", model=["x", 0], lora_name="urn:air:sketch:lora:heddle:2@2")
    graph["k"]["inputs"]["model"] = ["y", 0]
    made = plan({"workflow": graph})
    assert (made.family, made.asked) == ("sketch", None)
    assert [(r.air, r.added) for r in made.resources] == [
        ("urn:air:sketch:checkpoint:heddle:1@1", False),
        ("urn:air:sketch:lora:heddle:2@2", True),
    ]
    assert draft({"workflow": graph}).new.workflow.steps[0].jobs[0].engine == "comfy-graph"


def test_a_graph_without_models_runs() -> None:
    assert draft({"workflow": showing("blob_1")}).new.workflow.cost == 1


@pytest.mark.parametrize("name", ["v1-5-pruned-emaonly.safetensors", "dreamshaper_8.safetensors",
                                  "urn:air:sdxl:checkpoint:civitai:101055@128078"])  # fmt: skip
def test_a_foreign_checkpoint_is_refused_where_it_stands_and_told_the_ways_out(name: str) -> None:
    ((path, (message,)),) = stopped({"workflow": drawing(name)}).items()
    assert path == "steps[0].input.workflow.m.inputs.ckpt_name"
    assert repr(name) in message
    assert "HEDDLE_STAND_IN" in message
    assert "comfy-graph" in message


@pytest.mark.parametrize(
    ("loader", "field"),
    [("LoraLoaderModelOnly", "lora_name"), ("VAELoader", "vae_name"), ("UpscaleModelLoader", "model_name")],
)
def test_every_foreign_model_is(loader: str, field: str) -> None:
    graph = drawing() | {"x": node(loader, **{field: "foreign.safetensors"})}
    if loader == "LoraLoaderModelOnly":
        graph["x"]["inputs"]["model"] = ["m", 0]
        graph["k"]["inputs"]["model"] = ["x", 0]
    elif loader == "VAELoader":
        graph["d"]["inputs"]["vae"] = ["x", 0]
    else:
        graph["u"] = node("ImageUpscaleWithModel", upscale_model=["x", 0], image=["d", 0])
        graph["out"]["inputs"]["images"] = ["u", 0]
    assert list(stopped({"workflow": graph})) == [f"steps[0].input.workflow.x.inputs.{field}"]


@pytest.mark.parametrize("engine", ["sketch", "comfy-graph"])
def test_engine_overrules_the_models(engine: str) -> None:
    made = draft({"workflow": drawing("dreamshaper_8.safetensors"), "engine": engine}).new.workflow
    assert made.steps[0].jobs[0].payload["family"] == "sketch"


def test_an_engine_that_is_not_here_is_refused_at_its_field() -> None:
    assert list(stopped({"workflow": drawing(), "engine": "sdxl"})) == ["steps[0].input.engine"]
    assert list(stopped({"workflow": drawing(), "engine": "magic"})) == ["steps[0].input.engine"]
    assert draft({"workflow": drawing(), "engine": "comfy"}).new.workflow.cost == 2


def test_the_operator_may_let_it_stand_in() -> None:
    payload = (
        draft({"workflow": drawing("dreamshaper_8.safetensors")}, stand_in=True).new.workflow.steps[0].jobs[0].payload
    )
    assert payload["standInFor"] == "other"


# ── graphs for a ComfyUI server ──


def elsewhere(raw: Graph) -> Job:
    """The job of a graph where a server is set up."""
    registry.configure({"comfyui": {"url": "http://127.0.0.1:1"}})
    try:
        return draft(raw).new.workflow.steps[0].jobs[0]
    finally:
        registry.configure({})


def test_what_is_not_known_here_goes_there() -> None:
    strange = drawing() | {"x": node("Strange", image=["d", 0])}
    assert elsewhere({"workflow": strange}).engine == "comfyui"
    # What is too much here may be little there.
    assert elsewhere({"workflow": drawing("a.safetensors", steps=1000)}).engine == "comfyui"
    job = elsewhere({"workflow": drawing("sd_xl_base_1.0.safetensors")})
    assert (job.engine, job.payload["family"]) == ("comfyui", "sdxl")
    assert elsewhere({"workflow": drawing(), "engine": "comfyui"}).engine == "comfyui"
    assert elsewhere({"workflow": drawing()}).engine == "comfy-graph"


def test_models_by_air_need_not_be_in_the_catalog_of_this_server() -> None:
    named = drawing("urn:air:sdxl:checkpoint:civitai:101055@128078")
    assert elsewhere({"workflow": named}).payload["workflow"]["m"]["inputs"]["ckpt_name"].endswith("@128078")


def test_nothing_stands_in_for_a_class_that_is_not_there() -> None:
    with pytest.raises(InvalidRequest, match="'Strange' is not a node class of this server"):
        draft({"workflow": drawing() | {"x": node("Strange", image=["d", 0])}}, stand_in=True)


def test_sources_are_found_by_the_names_of_inputs() -> None:
    blob, token = "blob_00000000000000000000000001", "\ufdd00:output.video\ufdd1"
    graph = {
        "1": node("VHS_LoadVideo", video=token),
        "2": node("Strange", image=["1", 0], anything=blob, text=f"{token} in words", mode="image"),
        "3": node("LoadImage", image="cat.png"),
    }
    made = plan({"workflow": graph, "images": ["blob_1"]})
    assert made.payloads[0]["uploads"] == [["1", "video"], ["2", "anything"], ["3", "image"]]
    assert {source.path: source.media for source in made.sources} == {
        "images[0]": ("image",),
        "workflow.1.inputs.video": ("video",),
        "workflow.2.inputs.anything": ("image", "video", "audio"),
        "workflow.3.inputs.image": ("image",),
    }
    assert made.payloads[0]["workflow"]["3"]["inputs"]["image"] == "blob_1"
    assert graph["3"]["inputs"]["image"] == "cat.png"


@pytest.mark.parametrize(
    ("graph", "path"),
    [
        ({}, "workflow"),
        ([], "workflow"),
        ({"nodes": [], "links": []}, "workflow"),
        ({"1": node("Strange", image=["2", 0])}, "workflow.1.inputs.image"),
        ({"1": {"inputs": {}}}, "workflow.1.class_type"),
        ({"1": {"class_type": "Strange", "inputs": []}}, "workflow.1.inputs"),
        ({"1" * 101: node("Strange")}, f"workflow.{'1' * 100}"),
        ({str(i): node("Strange") for i in range(501)}, "workflow"),
        ({"1": node("LoadImage", image="images[3]")}, "workflow.1.inputs.image"),
    ],
)
def test_what_has_no_shape_is_refused_for_every_engine(graph: Any, path: str) -> None:
    assert list(refused({"workflow": graph, "engine": "comfyui"})) == [path]


# ── output ──


def test_blobs_are_what_was_saved() -> None:
    results = [
        Result(job=0, role=role, blob={"id": name}, output={})
        for role, name in (("", "a"), ("preview", "b"), ("", "c"))
    ]
    assert Comfy().output(results) == {"blobs": [{"id": "a"}, {"id": "c"}]}
