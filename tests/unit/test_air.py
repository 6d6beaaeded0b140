"""AIR: what clients send is understood, what we send is one form, and nothing else passes."""

from __future__ import annotations

import re
from typing import Annotated

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ValidationError

from heddle import air as airs
from heddle.air import Air, NotAnAir, ecosystem_of, parse, type_of
from heddle.catalog.models import TYPES
from heddle.errors import InvalidRequest

#: The pattern that the API publishes.
PUBLISHED = re.compile(
    r"^(?:urn:)?(?:air:)?(?:([a-zA-Z0-9_\-\/]+):)?(?:([a-zA-Z0-9_\-\/]+):)?([a-zA-Z0-9_\-\/]+):([a-zA-Z0-9_\-\/\.]+)"
    r"(?:@([a-zA-Z0-9_\-\/.=,%:]+))?"
)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("urn:air:sdxl:lora:civitai:12345@67890", "urn:air:sdxl:lora:civitai:12345@67890"),
        ("air:sdxl:lora:civitai:12345@67890", "urn:air:sdxl:lora:civitai:12345@67890"),
        ("sdxl:lora:civitai:12345@67890", "urn:air:sdxl:lora:civitai:12345@67890"),
        ("civitai:101055@128078", "urn:air:civitai:101055@128078"),
        ("civitai:101055", "urn:air:civitai:101055"),
        ("URN:AIR:SDXL:LORA:CIVITAI:1@2", "urn:air:sdxl:lora:civitai:1@2"),
        ("urn:air:sd15:checkpoint:civitai:4201@501240", "urn:air:sd1:checkpoint:civitai:4201@501240"),
        ("urn:air:illustrious:lora:civitai:1@2", "urn:air:sdxl:lora:civitai:1@2"),
        ("urn:air:pony:lora:civitai:1@2", "urn:air:sdxl:lora:civitai:1@2"),
        ("urn:air:noobai:lora:civitai:1@2", "urn:air:sdxl:lora:civitai:1@2"),
        ("urn:air:zimage:lora:civitai:1@2", "urn:air:zimageturbo:lora:civitai:1@2"),
        ("urn:air:flux1:textencoder:civitai:1@2", "urn:air:flux1:text_encoders:civitai:1@2"),
        ("lora:civitai:1@2", "urn:air:lora:civitai:1@2"),
        ("urn:air:sdxl:civitai:1@2", "urn:air:sdxl:civitai:1@2"),
        ("urn:air:sketch:checkpoint:heddle:1@1", "urn:air:sketch:checkpoint:heddle:1@1"),
    ],
)
def test_every_form_is_written_in_one(text: str, written: str) -> None:
    assert str(parse(text)) == written


def test_a_numbered_version_is_split() -> None:
    whole = parse("urn:air:sdxl:checkpoint:civitai:101055@128078+77.safetensors")
    assert (whole.version, whole.file_id, whole.format) == ("128078", "77", "safetensors")
    assert parse("civitai:101055.safetensors").format == "safetensors"


@pytest.mark.parametrize("version", ["main/checkpoints/x.safetensors", "main.tar", "sha256:0a1b", "a=b,c%20d"])
def test_other_sources_keep_their_versions_whole(version: str) -> None:
    found = parse(f"urn:air:flux1:repository:huggingface:Some-Body/Model.X@{version}")
    assert (found.id, found.version, found.format) == ("Some-Body/Model.X", version, None)


@pytest.mark.parametrize(
    "text",
    [
        *("https://x/y.png", "http://127.0.0.1:8000/a", "s3://bucket/key", "file:///etc/passwd"),
        *("", ":", "5", "128713", "@civitai/128713", "urn:air:5", "air:5", "urn:5", "civitai:", "civitai:1@"),
        *("a:b:c:d:e", "civitai:x@1", "civitai:1@x", "civitai:1.safetensors@2", "civitai:1@2\n", " civitai:1@2"),
        *("civitai:1@2 ", "civitai:\u0661@\u0662", "civitai:1@2+", "urn:air:sd xl:lora:civitai:1@2"),
        "c:1@" + "x" * 2000,
    ],
)
def test_what_is_not_an_air_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(NotAnAir, match=r"AIR") as refused:
        parse(text)
    assert repr(text)[1:40].rstrip("'") in str(refused.value)


def test_a_refusal_is_the_callers_and_a_validator_may_let_it_fly() -> None:
    class Request(BaseModel):
        model: Annotated[str, AfterValidator(lambda text: str(parse(text)))]

    assert Request(model="civitai:1@2").model == "urn:air:civitai:1@2"
    with pytest.raises(ValidationError, match="'nope' is not an AIR"):
        Request(model="nope")
    assert issubclass(NotAnAir, InvalidRequest)


_segment = st.from_regex(r"[a-z0-9_\-/]{1,12}", fullmatch=True)
_digits = st.from_regex(r"[0-9]{1,12}", fullmatch=True)
_word = st.from_regex(r"[A-Za-z0-9_]{1,8}", fullmatch=True)
_numbered = st.builds(
    Air,
    source=st.sampled_from(sorted(airs.NUMBERED)),
    id=_digits,
    version=_digits,
    ecosystem=_segment,
    type=_segment,
    file_id=st.none() | _digits,
    format=st.none() | _word,
)
_other = st.builds(
    Air,
    source=_segment,
    id=st.from_regex(r"[A-Za-z0-9_\-/.]{1,20}", fullmatch=True),
    version=st.none() | st.from_regex(r"[A-Za-z0-9_\-/.=,%+:]{1,20}", fullmatch=True),
    ecosystem=_segment,
    type=_segment,
)


@given(_numbered | _other)
def test_what_is_written_reads_back(air: Air) -> None:
    assume(air.source not in ("urn", "air") and (air.source not in airs.NUMBERED or air.file_id or air.version))
    assume(air.source not in airs.NUMBERED or air.id.isdigit())
    assume(air.ecosystem not in airs.ECOSYSTEM_ALIASES and air.type != "textencoder")
    assert parse(str(air)) == air


@given(_numbered)
def test_what_we_write_fits_the_published_pattern(air: Air) -> None:
    match = PUBLISHED.match(str(air))
    assert match is not None
    assert match.groups()[:4] == (air.ecosystem, air.type, air.source, air.id)


@given(st.text(max_size=60) | st.from_regex(r"(urn:)?(air:)?[a-z:@+./0-9]{0,30}", fullmatch=True))
def test_any_text_is_an_air_or_is_refused(text: str) -> None:
    try:
        found = parse(text)
    except NotAnAir:
        return
    assert parse(str(found)) == found


@pytest.mark.parametrize(
    ("base_model", "ecosystem"),
    [
        *(("SD 1.5", "sd1"), ("SD 1.5 LCM", "sd1"), ("SD 2.1 768", "sd2"), ("SD 3.5 Large", "sd3")),
        *(("SD 3.5 Medium", "sd3_5m"), ("SDXL 1.0", "sdxl"), ("sdxl lightning", "sdxl"), ("Pony", "sdxl")),
        *(("Illustrious", "sdxl"), ("NoobAI", "sdxl"), ("Pony V7", "auraflow"), ("Flux.1 D", "flux1")),
        *(("Flux.1 Kontext", "flux1kontext"), ("Flux.2 Klein 9B", "flux2"), ("Qwen 2", "qwen2")),
        *(("ZImageTurbo", "zimageturbo"), ("HiDream-O1", "hidream-o1"), ("Hunyuan Video", "hyv1"), ("LTXV", "ltxv")),
        *(("Wan Video 14B i2v 720p", "wanvideo14b_i2v_720p"), ("Wan Video 2.2 TI2V-5B", "wanvideo-22-ti2v-5b")),
        *(("Nano Banana", "nanobanana"), ("Sora 2", "sora2"), ("Upscaler", "other"), ("Other", "other")),
        *(("Sketch", "sketch"), ("Somebody's New Model 3.1", "somebodysnewmodel31"), ("模型", "other")),
    ],
)
def test_base_models_have_ecosystems(base_model: str, ecosystem: str) -> None:
    assert ecosystem_of(base_model) == ecosystem


@given(st.text(max_size=40))
def test_any_base_model_gives_a_segment_that_reads_back(base_model: str) -> None:
    air = Air(ecosystem=ecosystem_of(base_model), type="lora", source="heddle", id="1", version="2")
    assert parse(str(air)).type == "lora"


def test_every_model_type_has_a_type_that_an_air_may_name() -> None:
    assert {type_of(name) for name in TYPES} <= airs.TYPES
    assert (type_of("LORA"), type_of("LoCon"), type_of("Checkpoint")) == ("lora", "lycoris", "checkpoint")
    assert type_of("Poses") == "unknown"
