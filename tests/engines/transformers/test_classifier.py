"""`classifier`: the same scores as the library's own call, in the words of the step."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.engines.transformers.conftest import AIR, Bench, Context
from tests.torch import needs_torch
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from heddle.errors import EngineFailed, UsageError
from heddle.registry import get
from heddle.steps import Facts
from heddle.studio import video

pytestmark = needs_torch

Tiny = Callable[..., Path]

TEXTS = ("toxic", "hate", "safe")
PICTURES = ("porn", "sexy", "normal")


def logits_of_text(folder: Path, text: str) -> torch.Tensor:
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(**AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")).logits[0]


def picture(color: tuple[int, int, int], kind: str = "PNG") -> bytes:
    rng = np.random.default_rng(3)
    noisy = np.clip(rng.normal(color, 40, (70, 90, 3)), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noisy).save(out, kind)
    return out.getvalue()


def scores(folder: Path, data: bytes) -> dict[str, float]:
    model: Any = AutoModelForImageClassification.from_pretrained(folder).eval()
    reads: Any = AutoImageProcessor.from_pretrained(folder)
    with torch.inference_mode():
        found = model(**reads(images=Image.open(io.BytesIO(data)).convert("RGB"), return_tensors="pt")).logits[0]
    return dict(zip(PICTURES, torch.softmax(found, -1).tolist(), strict=True))


@pytest.mark.parametrize("apart", [False, True])
def test_texts_are_judged_as_the_library_does(tiny: Tiny, apart: bool) -> None:
    folder = tiny("text_judge", TEXTS, apart=apart)
    found = Bench("classifier", folder).make(text="you are a fox", threshold=0.3).output
    logits = logits_of_text(folder, "you are a fox")
    shares = (torch.sigmoid(logits) if apart else torch.softmax(logits, -1)).tolist()
    assert {r["label"]: r["score"] for r in found["results"]} == {
        label: pytest.approx(share, abs=1e-4) for label, share in zip(TEXTS, shares, strict=True)
    }
    told = [r["score"] for r in found["results"]]
    assert told == sorted(told, reverse=True)
    bad = {label for label, share in zip(TEXTS, shares, strict=True) if share >= 0.3 and label != "safe"}
    assert (set(found["triggeredLabels"]), found["blocked"]) == (bad, bool(bad))
    assert {r["label"] for r in found["results"] if r["triggered"]} == bad


def test_long_texts_are_read_in_parts(tiny: Tiny) -> None:
    folder = tiny("text_judge", TEXTS, apart=True)
    bench, context = Bench("classifier", folder), Context()
    text = "fox " * 15 + "you are bad"
    found = bench.run(bench.payload(text=text), context)[0].output
    parts = [text[:60], text[60:]]  # 62 tokens, of which two are marks
    each = [torch.sigmoid(logits_of_text(folder, part)) for part in parts]
    assert {r["label"]: r["score"] for r in found["results"]} == {
        label: pytest.approx(float(max(e[i] for e in each)), abs=1e-4) for i, label in enumerate(TEXTS)
    }
    assert "part 2 of 2" in [note for _, note in context.said]
    with pytest.raises(EngineFailed, match="judge it in parts"):
        bench.make(text="fox " * 2000)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_are_judged_as_the_library_does(tiny: Tiny, kind: str) -> None:
    folder, data = tiny("picture_judge", PICTURES), picture((200, 40, 30), kind)
    bench = Bench("classifier", folder)
    found = bench.run(bench.payload(media="m"), Context({"m": data}))[0].output
    wanted = scores(folder, data)
    assert {one["label"]: one["score"] for one in found["labels"]} == {
        label: pytest.approx(share, abs=1e-4) for label, share in wanted.items()
    }
    levels = {"porn": "xxx", "sexy": "r", "normal": "pg"}
    assert found["nsfwLevel"] == levels[max(wanted, key=lambda label: wanted[label])]
    assert (found["isBlocked"], found["blockedReason"]) == (False, None)


def test_the_operator_says_what_labels_mean(tiny: Tiny) -> None:
    folder, data = tiny("picture_judge", PICTURES), picture((200, 40, 30))
    wanted = scores(folder, data)
    surest = max(wanted, key=lambda label: wanted[label])
    strict = Bench("classifier", folder, levels={surest: "x"}, blocks=["x", "xxx"])
    found = strict.run(strict.payload(media="m"), Context({"m": data}))[0].output
    assert (found["nsfwLevel"], found["isBlocked"], found["blockedReason"]) == ("x", True, f"rated x: {surest}")
    silent = Bench("classifier", folder, levels={"something": "x"})
    found = silent.run(silent.payload(media="m"), Context({"m": data}))[0].output
    assert found["nsfwLevel"] == "na"
    assert repr(surest) in found["unratedReason"]
    text = Bench("classifier", tiny("text_judge", TEXTS), safe=["toxic", "hate", "safe"]).make(text="a", threshold=0)
    assert text.output["triggeredLabels"] == []


def test_a_video_is_as_bad_as_its_worst_picture(tiny: Tiny) -> None:
    folder = tiny("picture_judge", PICTURES)
    colors = [(20, 20, 20)] * 30 + [(240, 200, 180)] * 30
    frames = [np.full((64, 64, 3), color, np.uint8) for color in colors]
    clip = video.write(iter(frames), fps=Fraction(10), file_format="mp4")
    bench = Bench("classifier", folder)
    found = bench.run(bench.payload(media="m"), Context({"m": getattr(clip, "data", clip)}))[0].output
    each = []
    for color in (colors[0], colors[-1]):
        out = io.BytesIO()
        Image.new("RGB", (64, 64), color).save(out, "PNG")
        each.append(scores(folder, out.getvalue()))
    for one in found["labels"]:
        assert one["score"] == pytest.approx(max(e[one["label"]] for e in each), abs=0.05)


def test_models_are_for_texts_or_for_pictures(tiny: Tiny) -> None:
    texts = Bench("classifier", tiny("text_judge", TEXTS))
    pictures = Bench("classifier", tiny("picture_judge", PICTURES))
    assert "a classifier of pictures" in texts.problems(media="m")["model"]
    assert "a classifier of texts" in pictures.problems(text="a")["model"]


def test_what_is_no_picture_fails(tiny: Tiny) -> None:
    bench = Bench("classifier", tiny("picture_judge", PICTURES))
    with pytest.raises(EngineFailed, match="no picture"):
        bench.run(bench.payload(media="m"), Context({"m": picture((1, 2, 3))[:60]}))


@pytest.mark.parametrize("options", [{"levels": {"a": "y"}}, {"modell": AIR}, {"model": "http://a"}])
def test_options_are_checked(tiny: Tiny, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"engines\.toml"):
        get("engines", "classifier")().configure(options)


def test_whoever_names_a_model_gets_it() -> None:
    plan = get("steps", "moderation")().plan({"text": "a fox", "model": AIR}, lambda _: Facts())
    assert (plan.family, plan.resources[0].air) == ("classifier", AIR)
    assert get("steps", "moderation")().plan({"text": "a fox"}, lambda _: Facts()).family is None
