"""What is added to a model for one job: LoRAs, embeddings, another VAE, ControlNets; afterwards it is as before."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engines.diffusers.conftest import draw, payload, picture, pixels
from tests.moving import Watcher
from tests.torch import WITHOUT, needs_torch

from heddle import air
from heddle.domain import JSON
from heddle.engines.diffusers import Diffusers, added
from heddle.engines.diffusers.families import FAMILIES
from heddle.errors import EngineFailed, JobCanceled

if WITHOUT is None:
    import diffusers
    import torch
    from safetensors.torch import load_file, save_file
    from tests.engines.diffusers import extras
    from tests.torch import tiny

    from heddle.engines.diffusers import controls

pytestmark = needs_torch

KINDS = ("sd1", "sdxl", "flux1")


@pytest.fixture(scope="module")
def engine() -> Diffusers:
    made = Diffusers()
    made.configure({"device": "cpu"})
    return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("added")


class Job:
    """A job, and what is added to it: `Job("sd1").lora(path, 0.5).payload`."""

    def __init__(self, kind: str, **more: Any) -> None:
        self.payload = payload(kind, tiny.folder(kind), **more)

    def _named(self, kind: str, path: Path, *words: str) -> str:
        name = f"urn:air:{self.payload['family']}:{kind}:heddle:{len(self.payload['weights']) + 1}@1"
        self.payload["weights"][name] = {"path": str(path), "folder": path.is_dir(), "words": list(words)}
        return name

    def lora(self, path: Path, strength: float = 1.0, kind: str = "lora") -> Job:
        self.payload["networks"].append({"air": self._named(kind, path), "strength": strength})
        return self

    def embedding(self, path: Path, *words: str, strength: float = 1.0) -> Job:
        self.payload["networks"].append({"air": self._named("embedding", path, *words), "strength": strength})
        return self

    def vae(self, path: Path) -> Job:
        self.payload["vae"] = self._named("vae", path)
        return self

    def control(self, path: Path, **more: Any) -> Job:
        given = {"model": self._named("controlnet", path), "image": "blob_source"} | more
        self.payload.setdefault("controlNets", []).append(given)
        return self

    def drawn(self, engine: Diffusers) -> np.ndarray:
        return pixels(draw(engine, self.payload).data)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one == other).all())


def loras_of(engine: Diffusers, kind: str) -> list[str]:
    """Those that are on the model."""
    [resident] = [r for r in engine._residents.values() if r.row.name == kind]
    return sorted({name for names in resident.pipeline.get_list_adapters().values() for name in names})


# ── LoRAs ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_a_lora_changes_a_picture_and_leaves_nothing_behind(engine: Diffusers, place: Path, kind: str) -> None:
    base = Job(kind).drawn(engine)
    lora = extras.lora(kind, place / f"{kind}.safetensors")
    drawn = Job(kind).lora(lora).drawn(engine)
    assert not same(drawn, base)
    assert same(Job(kind).drawn(engine), base)
    assert same(Job(kind).lora(lora, 0.0).drawn(engine), base)
    assert same(Job(kind).lora(lora).drawn(engine), drawn)
    negative = Job(kind).lora(lora, -1.0).drawn(engine)
    assert not same(negative, drawn)
    assert not same(negative, base)


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_the_form_of_a_file_makes_no_difference(engine: Diffusers, place: Path, kind: str) -> None:
    peft = extras.lora(kind, place / f"{kind}.safetensors")
    kohya = extras.kohya(kind, place / f"{kind}-kohya.safetensors")
    assert same(Job(kind).lora(kohya).drawn(engine), Job(kind).lora(peft).drawn(engine))


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_alpha_is_heard(engine: Diffusers, place: Path, kind: str) -> None:
    peft = extras.lora(kind, place / f"{kind}.safetensors")
    half = extras.kohya(kind, place / f"{kind}-half.safetensors", alpha=2)
    assert same(Job(kind).lora(half).drawn(engine), Job(kind).lora(peft, 0.5).drawn(engine))
    set_up = place / f"{kind}-settings.safetensors"
    settings = {f"{part}.{name}": 2 for part in ("unet", "text_encoder", "text_encoder_2") for name in ("lora_alpha",)}
    save_file(load_file(peft), set_up, metadata={"lora_adapter_metadata": json.dumps(settings)})
    assert same(Job(kind).lora(set_up).drawn(engine), Job(kind).lora(peft, 0.5).drawn(engine))


def test_alphas_beside_the_layers_are_heard(engine: Diffusers, place: Path) -> None:
    peft = extras.lora("flux1", place / "flux1.safetensors")
    alphas = {f"{layer}.alpha": torch.tensor(2.0) for layer in extras.LAYERS["flux1"]}
    half = extras.save(load_file(peft) | alphas, place / "flux1-half.safetensors")
    assert same(Job("flux1").lora(half).drawn(engine), Job("flux1").lora(peft, 0.5).drawn(engine))


def test_a_lora_is_as_if_its_product_were_in_the_weights(engine: Diffusers, place: Path) -> None:
    lora = extras.lora("sdxl", place / "melted.safetensors", seed=5)
    drawn = Job("sdxl").lora(lora, 0.5).drawn(engine)
    pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(tiny.folder("sdxl"), local_files_only=True)
    state = load_file(lora)
    for layer in extras.LAYERS["sdxl"]:
        part, _, name = layer.partition(".")
        model = getattr(pipeline, part)
        name = name if hasattr(model, "text_model") else name.removeprefix("text_model.")
        with torch.no_grad():
            change = state[f"{layer}.lora_B.weight"] @ state[f"{layer}.lora_A.weight"]
            model.get_submodule(name).weight += 0.5 * change
    melted = bare(pipeline)
    assert np.abs(melted.astype(int) - drawn).max() <= 1


def bare(pipeline: Any, **more: Any) -> np.ndarray:
    """What diffusers alone draws."""
    given = {"prompt": "a red fox", "num_inference_steps": 3, "guidance_scale": 4.0, "width": 64, "height": 64}
    given |= {"generator": torch.Generator().manual_seed(7)} | more
    pipeline.set_progress_bar_config(disable=True)
    return np.asarray(pipeline(**given).images[0])


@pytest.mark.parametrize("kind", ["sd1", "flux1"])
def test_loras_stack(engine: Diffusers, place: Path, kind: str) -> None:
    one = extras.lora(kind, place / f"{kind}.safetensors")
    two = extras.lora(kind, place / f"{kind}-two.safetensors", seed=2, rank=8)
    both = Job(kind).lora(one).lora(two, 0.5).drawn(engine)
    assert not same(both, Job(kind).lora(one).drawn(engine))
    assert not same(both, Job(kind).lora(two, 0.5).drawn(engine))
    other = Job(kind).lora(two, 0.5).lora(one).drawn(engine)
    assert np.abs(both.astype(int) - other).max() <= 2, "their order is the order of a sum"
    assert same(Job(kind).lora(one).lora(two, 0.5).drawn(engine), both)


def test_one_that_is_named_twice_is_as_strong_as_both(engine: Diffusers, place: Path) -> None:
    lora = extras.lora("sd1", place / "sd1.safetensors")
    job = Job("sd1").lora(lora, 0.25)
    job.payload["networks"] *= 2
    assert same(job.drawn(engine), Job("sd1").lora(lora, 0.5).drawn(engine))


def test_one_for_text_encoders_alone(engine: Diffusers, place: Path) -> None:
    layers = [layer for layer in extras.LAYERS["sdxl"] if layer.startswith("text_encoder")]
    lora = extras.lora("sdxl", place / "spoken.safetensors", layers=layers)
    base = Job("sdxl").drawn(engine)
    assert not same(Job("sdxl").lora(lora).drawn(engine), base)
    assert same(Job("sdxl").drawn(engine), base)


def test_convolutions_and_unequal_ranks(engine: Diffusers, place: Path) -> None:
    chance = torch.Generator().manual_seed(3)
    conv, linear = "down_blocks_0_resnets_0_conv1", "mid_block_attentions_0_transformer_blocks_0_attn1_to_v"
    locon = {
        f"lora_unet_{conv}.lora_down.weight": torch.randn(2, 16, 3, 3, generator=chance),
        f"lora_unet_{conv}.lora_up.weight": torch.randn(16, 2, 1, 1, generator=chance),
        f"lora_unet_{conv}.alpha": torch.tensor(1.0),
        f"lora_unet_{linear}.lora_down.weight": torch.randn(8, 32, generator=chance),
        f"lora_unet_{linear}.lora_up.weight": torch.randn(32, 8, generator=chance),
        f"lora_unet_{linear}.alpha": torch.tensor(8.0),
    }
    path = extras.save(locon, place / "locon.safetensors")
    drawn = Job("sd1").lora(path, kind="lycoris").drawn(engine)
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(tiny.folder("sd1"), local_files_only=True)
    with torch.no_grad():
        down, up = locon[f"lora_unet_{conv}.lora_down.weight"], locon[f"lora_unet_{conv}.lora_up.weight"]
        change = torch.einsum("orxy,rihw->oihw", up, down)
        pipeline.unet.down_blocks[0].resnets[0].conv1.weight += change / 2
        down, up = locon[f"lora_unet_{linear}.lora_down.weight"], locon[f"lora_unet_{linear}.lora_up.weight"]
        pipeline.unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_v.weight += up @ down
    assert np.abs(bare(pipeline).astype(int) - drawn).max() <= 1


def test_a_dora_in_the_form_of_peft_is_whole_and_one_of_kohya_says_what_it_lacks(
    engine: Diffusers, place: Path
) -> None:
    layer = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    plain = load_file(extras.lora("sd1", place / "plain.safetensors", layers=[layer]))
    magnitude = torch.full((plain[f"{layer}.lora_B.weight"].shape[0],), 3.0)
    whole = extras.save(plain | {f"{layer}.lora_magnitude_vector": magnitude}, place / "dora.safetensors")
    without = Job("sd1").lora(place / "plain.safetensors").drawn(engine)
    assert not same(Job("sd1").lora(whole, kind="dora").drawn(engine), without)
    kohya = load_file(extras.kohya("sd1", place / "kohya.safetensors"))
    scales = {name.replace("lora_up.weight", "dora_scale"): torch.ones(1, 4) for name in kohya if "lora_up" in name}
    path = extras.save(kohya | scales, place / "old-dora.safetensors")
    made = draw(engine, Job("sd1").lora(path, kind="dora").payload)
    assert made.metadata["approximations"] == ["old-dora.safetensors: a DoRA without its magnitudes"]
    assert same(pixels(made.data), Job("sd1").lora(place / "kohya.safetensors").drawn(engine))


def test_the_picture_says_what_was_added(engine: Diffusers, place: Path) -> None:
    lora = extras.lora("sd1", place / "sd1.safetensors")
    made = draw(engine, Job("sd1").lora(lora, 0.75).payload)
    assert made.metadata["networks"] == [{"air": "urn:air:sd1:lora:heddle:2@1", "strength": 0.75}]
    assert 'Networks: "urn:air:sd1:lora:heddle:2@1 (0.75)"' in made.metadata["parameters"]


def test_with_a_source_and_within_a_mask_too(engine: Diffusers, place: Path) -> None:
    lora = extras.lora("sd1", place / "sd1.safetensors")
    for operation in ("variant", "inpaint"):
        more = {"operation": operation, "images": ["blob_source"], "mask": "blob_mask", "strength": 0.7}
        base = Job("sd1", **more).drawn(engine)
        assert not same(Job("sd1", **more).lora(lora).drawn(engine), base)
        assert same(Job("sd1", **more).drawn(engine), base)


# ── what stays loaded ─────────────────────────────────────────────────────────


def test_what_was_loaded_stays_up_to_a_bound(place: Path) -> None:
    paths = [extras.lora("sd1", place / f"kept-{seed}.safetensors", seed=seed) for seed in range(3)]
    small = Diffusers()
    size = paths[0].stat().st_size
    small.configure({"device": "cpu", "added_mb": 2.2 * size / 1e6})
    base = Job("sd1").drawn(small)
    first = [Job("sd1").lora(path).drawn(small) for path in paths[:2]]
    assert loras_of(small, "sd1") == ["lora1", "lora2"]
    Job("sd1").lora(paths[0]).drawn(small)
    Job("sd1").lora(paths[2]).drawn(small)
    assert loras_of(small, "sd1") == ["lora1", "lora3"], "the one that was not used for longest went"
    assert same(Job("sd1").lora(paths[1]).drawn(small), first[1])
    stacked = Job("sd1")
    for path in paths:
        stacked.lora(path)
    stacked.drawn(small)
    assert len(loras_of(small, "sd1")) == 2, "a job has all of its own, whatever the bound"
    assert same(Job("sd1").drawn(small), base)


def test_nothing_stays_with_a_bound_of_nothing(place: Path) -> None:
    none = Diffusers()
    none.configure({"device": "cpu", "added_mb": 0})
    job = Job("sd1").lora(extras.lora("sd1", place / "sd1.safetensors"))
    once = job.drawn(none)
    assert loras_of(none, "sd1") == []
    [resident] = none._residents.values()
    assert not any("lora" in name for name, _ in resident.pipeline.unet.named_modules())
    assert same(job.drawn(none), once)


def test_a_file_that_is_put_there_anew_is_read_anew(engine: Diffusers, place: Path) -> None:
    path = extras.lora("sd1", place / "changing.safetensors", seed=1)
    first = Job("sd1").lora(path).drawn(engine)
    extras.lora("sd1", path, seed=2, rank=5)
    assert not same(Job("sd1").lora(path).drawn(engine), first)


def test_a_cancel_while_it_is_read_leaves_nothing(engine: Diffusers, place: Path) -> None:
    base = Job("sd1").drawn(engine)

    class Canceled(Watcher):
        def preview(self, draw: object) -> None: ...

        def progress(self, fraction: float, note: str = "") -> None:
            if note.startswith("loading"):
                raise JobCanceled("canceled")

    job = Job("sd1").lora(extras.lora("sd1", place / "canceled.safetensors", seed=9))
    with pytest.raises(JobCanceled):
        draw(engine, job.payload, Canceled())
    assert same(Job("sd1").drawn(engine), base)
    assert not same(job.drawn(engine), base)


# ── files that are something else ─────────────────────────────────────────────


def _wider(place: Path) -> Path:
    return extras.lora("sdxl", place / "wide.safetensors")


def _too_wide(place: Path) -> Path:
    layer = extras.LAYERS["sd1"][0]
    return extras.save(
        {f"{layer}.lora_A.weight": torch.ones(4, 48), f"{layer}.lora_B.weight": torch.ones(48, 4)},
        place / "too-wide.safetensors",
    )


def _half(place: Path) -> Path:
    return extras.save({f"{extras.LAYERS['sd1'][0]}.lora_A.weight": torch.ones(4, 32)}, place / "half.safetensors")


def _elsewhere(place: Path) -> Path:
    layer = "unet.down_blocks.7.attentions.0.to_q"
    return extras.save(
        {f"{layer}.lora_A.weight": torch.ones(4, 32), f"{layer}.lora_B.weight": torch.ones(32, 4)},
        place / "elsewhere.safetensors",
    )


def _ranks(place: Path) -> Path:
    layer = extras.LAYERS["sd1"][0]
    return extras.save(
        {f"{layer}.lora_A.weight": torch.ones(4, 32), f"{layer}.lora_B.weight": torch.ones(32, 3)},
        place / "ranks.safetensors",
    )


def _more(place: Path) -> Path:
    state = load_file(extras.lora("sd1", place / "sd1.safetensors"))
    return extras.save(state | {"unet.conv_in.diff": torch.ones(3)}, place / "more.safetensors")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_wider, "is not for this model"),
        (_too_wide, "is 48 to 48 wide, and in the model 32 to 32"),
        (_half, "has one half only"),
        (_elsewhere, "which the model does not have"),
        (_ranks, "ranks 4 and 3"),
        (_more, "1 tensors that are not of a LoRA, such as unet.conv_in.diff"),
    ],
)
def test_a_lora_that_does_not_fit_fails_its_own_job_alone(
    engine: Diffusers, place: Path, make: Callable[[Path], Path], said: str
) -> None:
    base = Job("sd1").drawn(engine)
    good = extras.lora("sd1", place / "sd1.safetensors")
    drawn = Job("sd1").lora(good).drawn(engine)
    bad = make(place)
    for job in (Job("sd1").lora(bad), Job("sd1").lora(good).lora(bad)):
        with pytest.raises(EngineFailed, match=said) as failure:
            draw(engine, job.payload)
        assert bad.name in str(failure.value)
        assert same(Job("sd1").drawn(engine), base)
        assert same(Job("sd1").lora(good).drawn(engine), drawn)


def problems(job: Job) -> dict[str, str]:
    made = Diffusers()
    made.configure({"device": "cpu"})
    return dict(made.problems(job.payload))


def _named(place: Path, name: str, *keys: str, shape: tuple[int, ...] = (4, 4)) -> Path:
    return extras.save({key: torch.ones(shape) for key in keys}, place / name)


def test_what_can_be_told_by_a_header_is_refused_at_submit(place: Path) -> None:
    unet, flow = "lora_unet_mid_block_attentions_0_", "lora_unet_double_blocks_0_img_attn_proj"
    wide = _named(place, "sdxl.safetensors", f"{unet}transformer_blocks_0_attn2_to_k.lora_down.weight", shape=(4, 2048))
    cut = place / "cut.safetensors"
    cut.write_bytes(wide.read_bytes()[:40])
    pickled = place / "pickled.safetensors"
    pickled.write_bytes(pickle.dumps({"lora_unet_x.lora_down.weight": [1.0] * 100}))
    for kind, path, said in [
        (
            "sd1",
            _named(place, "other.safetensors", "some.weight"),
            "is no LoRA: it holds 1 tensors, such as some.weight",
        ),
        ("sd1", _named(place, "loha.safetensors", f"{unet}proj_in.hada_w1_a"), "is a LoHa"),
        ("sd1", _named(place, "lokr.safetensors", f"{unet}proj_in.lokr_w1"), "is a LoKr"),
        ("sd1", _named(place, "flow.safetensors", f"{flow}.lora_down.weight"), "is a LoRA for a transformer"),
        ("sd1", wide, "is a LoRA for sdxl, and the model is sd1"),
        ("flux1", wide, "is a LoRA for a U-Net"),
        ("z-image", _named(place, "te.safetensors", "lora_te_a.lora_down.weight"), "changes text encoders alone"),
        ("sd1", cut, "'cut.safetensors'"),
        ("sd1", pickled, "'pickled.safetensors' is no safetensors file"),
        ("sd1", place / "gone.safetensors", "'gone.safetensors'"),
    ]:
        found = problems(Job(kind).lora(path))
        assert list(found) == ["additionalNetworks[0].air"], path
        assert said in found["additionalNetworks[0].air"]
    odd = problems(Job("sd1").lora(wide, kind="hypernet"))
    assert "is a hypernet; this engine takes LoRA" in odd["additionalNetworks[0].air"]
    odd = problems(Job("sd1").lora(wide, kind="controlnet"))
    assert "`controlNets`" in odd["additionalNetworks[0].air"]


def test_a_file_that_was_cut_off_after_submit_fails_clearly(engine: Diffusers, place: Path) -> None:
    path = extras.lora("sd1", place / "shorter.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EngineFailed, match=r"'shorter\.safetensors' cannot be read"):
        draw(engine, Job("sd1").lora(path).payload)


# ── embeddings ────────────────────────────────────────────────────────────────

WIDTHS = {"sd1": {"emb_params": (3, 32)}, "sdxl": {"clip_l": (3, 32), "clip_g": (3, 64)}}


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_an_embedding_is_heard_where_its_word_is(engine: Diffusers, place: Path, kind: str) -> None:
    path = extras.embedding(place / f"{kind}-embedding.safetensors", WIDTHS[kind])
    base = Job(kind).drawn(engine)
    called = Job(kind, prompt="a red fox, Blurb").drawn(engine)
    assert same(Job(kind).embedding(path, "blurb").drawn(engine), base), "the word is not there"
    heard = Job(kind, prompt="a red fox, Blurb").embedding(path, "blurb").drawn(engine)
    assert not same(heard, called)
    negative = Job(kind, negativePrompt="blurb").embedding(path, "blurb").drawn(engine)
    assert not same(negative, Job(kind, negativePrompt="blurb").drawn(engine))
    assert same(Job(kind, prompt="a red fox, Blurb").drawn(engine), called), "afterwards it is a word as others"
    without = Job(kind, prompt="a red fox, Blurb").embedding(path, "blurb", strength=0.0)
    assert same(without.drawn(engine), called)


def test_an_embedding_is_as_diffusers_has_it(engine: Diffusers, place: Path) -> None:
    path = extras.embedding(place / "blurb.safetensors", WIDTHS["sd1"])
    heard = Job("sd1", prompt="a blurb fox").embedding(path).drawn(engine)
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(tiny.folder("sd1"), local_files_only=True)
    pipeline.load_textual_inversion(load_file(path), token="<blurb>")
    assert same(heard, bare(pipeline, prompt="a <blurb> fox"))


def test_the_end_of_a_prompt_is_not_taken_for_an_embedding(engine: Diffusers, place: Path) -> None:
    """The picture of SDXL hangs on the last word's vector, which CLIP looks for by the largest number of a word."""
    path = extras.embedding(place / "end.safetensors", {"clip_l": (1, 32), "clip_g": (1, 64)})
    [resident] = [r for r in engine._residents.values() if r.row.name == "sdxl"]
    pipeline = resident.pipeline
    words = pipeline.tokenizer_2
    # One vector that is that of a known word: then nothing may differ.
    number = words.convert_tokens_to_ids("cat</w>")
    tables = {
        "clip_l": pipeline.text_encoder.get_input_embeddings().weight[number : number + 1],
        "clip_g": pipeline.text_encoder_2.get_input_embeddings().weight[number : number + 1],
    }
    extras.save({name: table.detach() for name, table in tables.items()}, path)
    known = Job("sdxl", prompt="a cat sits").drawn(engine)
    assert same(Job("sdxl", prompt="a blurb sits").embedding(path, "blurb").drawn(engine), known)
    assert pipeline.text_encoder.get_input_embeddings().weight.shape[0] == words.vocab_size


def test_words_are_whole_words() -> None:
    path = Path("/nowhere/blurb.safetensors")
    network = added.Network(air="urn:air:sd1:embedding:heddle:1@1", at=0, strength=1, path=path)
    assert added.triggers(network) == ("blurb",)
    assert added.tokens(1, 2) == ["<heddle-1-0>", "<heddle-1-1>"]


def test_words_in_a_prompt(place: Path) -> None:
    path = extras.embedding(place / "bad-hands.safetensors", {"emb_params": (2, 32)})
    one = added.Network(air="urn:air:sd1:embedding:heddle:1@1", at=0, strength=1, path=path)
    assert added.say("Bad-Hands, bad-handsome, (bad-hands:1.2)", [one]) == (
        "<heddle-0-0> <heddle-0-1>, bad-handsome, (<heddle-0-0> <heddle-0-1>:1.2)"
    )
    two = added.Network(air="a", at=1, strength=1, path=path, words=("bad", "bad hands"))
    assert added.say("bad hands", [two]) == "<heddle-0-0> <heddle-0-1>"
    assert added.say("none of it", [one, two]) == "none of it"


def test_embeddings_that_do_not_fit(engine: Diffusers, place: Path) -> None:
    both = extras.embedding(place / "both.safetensors", WIDTHS["sdxl"])
    one = extras.embedding(place / "one.safetensors", WIDTHS["sd1"])
    odd = extras.embedding(place / "odd.safetensors", {"emb_params": (2, 48)})
    uneven = extras.embedding(place / "uneven.safetensors", {"clip_l": (1, 32), "clip_g": (2, 64)})
    at = "additionalNetworks[0].air"
    assert "is an embedding for sdxl" in problems(Job("sd1").embedding(both))[at]
    assert "has no clip_l, no clip_g" in problems(Job("sdxl").embedding(one))[at]
    assert "unequal counts" in problems(Job("sdxl").embedding(uneven))[at]
    assert "flux1 takes no embeddings" in problems(Job("flux1").embedding(one))[at]
    lora = extras.lora("sd1", place / "sd1.safetensors")
    assert "is no embedding: it holds 10 tensors" in problems(Job("sd1").embedding(lora))[at]
    assert "0.5" in problems(Job("sd1").embedding(one, strength=0.5))["additionalNetworks[0].strength"]
    base = Job("sd1").drawn(engine)
    with pytest.raises(EngineFailed, match="its vectors have 48 numbers, and those of this model 32"):
        draw(engine, Job("sd1").embedding(odd).payload)
    assert same(Job("sd1").drawn(engine), base)


# ── another VAE ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["sd1", "flux1"])
def test_another_vae_is_there_for_one_job(engine: Diffusers, place: Path, kind: str) -> None:
    base = Job(kind).drawn(engine)
    path = extras.vae(kind, place / f"{kind}-vae.safetensors", seed=11)
    drawn = Job(kind).vae(path).drawn(engine)
    assert same(Job(kind).drawn(engine), base)
    name = FAMILIES[kind].pipelines["create"]
    pipeline = getattr(diffusers, name).from_pretrained(tiny.folder(kind), local_files_only=True)
    pipeline.vae.load_state_dict(load_file(path))
    assert same(drawn, bare(pipeline))
    pipeline.vae.save_pretrained(place / f"{kind}-vae")
    assert same(Job(kind).vae(place / f"{kind}-vae").drawn(engine), drawn)


def test_a_vae_that_does_not_fit_fails_its_own_job_alone(engine: Diffusers, place: Path) -> None:
    base = Job("sd1").drawn(engine)
    other = diffusers.AutoencoderKL.from_config({**extras.pipeline("sd1").vae.config, "latent_channels": 16})
    path = extras.save(dict(other.state_dict()), place / "wide-vae.safetensors")
    less = extras.save(
        {name: t for name, t in extras.pipeline("sd1").vae.state_dict().items() if "mid_block" not in name},
        place / "less-vae.safetensors",
    )
    other.save_pretrained(place / "wide-vae")
    for bad in (path, place / "wide-vae", less):
        with pytest.raises(EngineFailed, match=f"{bad.name}' is no VAE for this model"):
            draw(engine, Job("sd1").vae(bad).payload)
        assert same(Job("sd1").drawn(engine), base)
    lora = extras.lora("sd1", place / "sd1.safetensors")
    assert "is no VAE" in problems(Job("sd1").vae(lora))["vae"]


# ── ControlNets ───────────────────────────────────────────────────────────────

STEERED = [
    ("sd1", "create", "StableDiffusionControlNetPipeline"),
    ("sd1", "variant", "StableDiffusionControlNetImg2ImgPipeline"),
    ("sd1", "inpaint", "StableDiffusionControlNetInpaintPipeline"),
    ("sdxl", "create", "StableDiffusionXLControlNetPipeline"),
    ("flux1", "create", "FluxControlNetPipeline"),
]


@pytest.mark.parametrize(("kind", "operation", "name"), STEERED)
def test_a_controlnet_steers_as_in_the_bare_pipeline(
    engine: Diffusers, place: Path, kind: str, operation: str, name: str
) -> None:
    source, more = picture(), {}
    job: dict[str, Any] = {"operation": operation}
    if operation != "create":
        job |= {"images": ["blob_source"], "mask": "blob_mask", "strength": 0.7}
    base = Job(kind, **job).drawn(engine)
    if kind == "flux1":
        path = extras.flux_control(place / "flux-control")
        network = diffusers.FluxControlNetModel.from_pretrained(path, local_files_only=True)
    else:
        path = extras.control(kind, place / f"{kind}-control.safetensors")
        network = diffusers.ControlNetModel.from_pretrained(
            extras.control(kind, place / f"{kind}-control", folder=True), local_files_only=True
        )
    drawn = Job(kind, **job).control(path, weight=0.5, startStep=0.0, endStep=0.8).drawn(engine)
    assert not same(drawn, base)
    assert same(Job(kind, **job).drawn(engine), base)
    loaded = {"controlnet": network, "local_files_only": True}
    pipeline = getattr(diffusers, name).from_pretrained(tiny.folder(kind), **loaded)
    more = {"control_image" if operation != "create" or kind == "flux1" else "image": source}
    more |= {"controlnet_conditioning_scale": 0.5, "control_guidance_start": 0.0, "control_guidance_end": 0.8}
    if operation != "create":
        more |= {"image": source, "strength": 0.7}
    if operation == "inpaint":
        from tests.engines.diffusers.conftest import mask  # noqa: PLC0415 - only here

        more |= {"mask_image": mask()}
    assert same(drawn, bare(pipeline, **more))


def test_two_controlnets_and_a_lora_at_once(engine: Diffusers, place: Path) -> None:
    one = extras.control("sd1", place / "one-control.safetensors", seed=1)
    two = extras.control("sd1", place / "two-control.safetensors", seed=2)
    lora = extras.lora("sd1", place / "sd1.safetensors")
    base = Job("sd1").drawn(engine)
    alone = Job("sd1").control(one).drawn(engine)
    both = Job("sd1").control(one).control(two, preprocessor="canny").drawn(engine)
    assert not same(both, alone)
    every = Job("sd1").control(one).control(two, preprocessor="canny").lora(lora).drawn(engine)
    assert not same(every, both)
    assert same(Job("sd1").control(one).control(two, weight=0.0).drawn(engine), alone)
    assert same(Job("sd1").drawn(engine), base)
    made = draw(engine, Job("sd1").control(one, preprocessor="gray").payload)
    assert made.metadata["controlNets"][0]["preprocessor"] == "gray"


def test_controlnets_that_cannot_be(engine: Diffusers, place: Path) -> None:
    one = extras.control("sd1", place / "one-control.safetensors")
    lora = extras.lora("sd1", place / "sd1.safetensors")
    assert "is no ControlNet" in problems(Job("sd1").control(lora))["controlNets[0].model"]
    said = problems(Job("sd1").control(one, preprocessor="openpose"))["controlNets[0].preprocessor"]
    assert "'openpose' is not one of: none, canny, gray" in said
    assert "z-image takes no ControlNet" in problems(Job("z-image").control(one))["controlNets[0].model"]
    assert "loaded from folders" in problems(Job("flux1").control(one))["controlNets[0].model"]
    with pytest.raises(EngineFailed, match=r"'one-control\.safetensors' is no ControlNet for this model"):
        draw(engine, Job("sdxl").control(one).payload)
    base = Job("sd1").drawn(engine)
    with pytest.raises(EngineFailed, match="controlNets: 'blob_text' is not a picture"):
        draw(engine, Job("sd1").control(one, image="blob_text").payload, Watcher(blob_text=b"words"))
    assert same(Job("sd1").drawn(engine), base)


def test_edges_are_thin_and_where_the_brightness_changes() -> None:
    from PIL import Image  # noqa: PLC0415 - only here

    square = np.zeros((32, 32), np.uint8)
    square[8:24, 8:24] = 255
    edges = np.asarray(controls.canny(Image.fromarray(square)))
    assert set(np.unique(edges)) == {0, 255}
    assert 56 <= (edges == 255).sum() <= 72, "one pixel wide, around a square of 16"
    assert not edges[12:20, 12:20].any()
    assert not np.asarray(controls.canny(Image.new("L", (32, 32), 128))).any()


def test_airs_tell_what_is_added() -> None:
    job: JSON = {
        "networks": [{"air": "urn:air:sd1:lora:heddle:1@1"}, {"air": "urn:air:sd1:embedding:heddle:2@1"}],
        "weights": {f"urn:air:sd1:{kind}:heddle:{n}@1": {"path": "/x"} for n, kind in [(1, "lora"), (2, "embedding")]},
    }
    found = added.of(job)
    assert [air.parse(network.air).type for network in found.loras] == ["lora"]
    assert len(found.embeddings) == 1
    assert bool(found)
    assert not added.of({"networks": [], "weights": {}})
