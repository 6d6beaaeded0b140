"""A job's picture is the bare pipeline's, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.engines.diffusers.conftest import draw, mask, payload, picture, pixels
from tests.moving import Watcher
from tests.torch import WITHOUT, needs_torch

from heddle.engines.diffusers import Diffusers
from heddle.engines.diffusers.families import FAMILIES
from heddle.errors import JobCanceled

if WITHOUT is None:
    import diffusers
    import torch
    from tests.torch import tiny

pytestmark = needs_torch

#: Kinds, what each can do, and what the bare call is given beside the usual.
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    *(("sd1", operation, {}) for operation in ("create", "variant", "inpaint")),
    *(("sd2-768", operation, {}) for operation in ("create",)),
    *(("sdxl", operation, {}) for operation in ("create", "variant", "inpaint")),
    *(("flux1", operation, {}) for operation in ("create", "variant", "inpaint")),
]


#: Base models of kinds that files do not tell.
BASES = {"sd2-768": "SD 2.1 768"}


@pytest.fixture(scope="module")
def engine() -> Diffusers:
    made = Diffusers()
    made.configure({"device": "cpu"})
    return made


def bare(kind: str, operation: str, **more: Any) -> np.ndarray:
    """The same by diffusers alone."""
    row = FAMILIES[kind]
    pipeline = getattr(diffusers, row.pipelines[operation]).from_pretrained(tiny.folder(kind), local_files_only=True)
    given = {"prompt": "a red fox", "num_inference_steps": 3, row.cfg: 4.0, "width": 64, "height": 64}
    if operation != "create":
        given["image"] = picture()
    if operation in {"variant", "inpaint"}:
        given["strength"] = 0.7
    if operation == "inpaint":
        given["mask_image"] = mask()
    if kind.startswith("sd") and operation == "variant":  # these take the source's size
        del given["width"], given["height"]
    return np.asarray(pipeline(**given | more, generator=torch.Generator("cpu").manual_seed(7)).images[0])


@pytest.mark.parametrize(("kind", "operation", "more"), CALLS, ids=lambda value: str(value) if value else "")
def test_the_picture_is_the_bare_pipelines(engine: Diffusers, kind: str, operation: str, more: dict[str, Any]) -> None:
    sources: dict[str, Any] = {} if operation == "create" else {"images": ["blob_source"], "strength": 0.7}
    if operation == "inpaint":
        sources["mask"] = "blob_mask"
    made = draw(
        engine, payload(kind, tiny.folder(kind), operation=operation, base_model=BASES.get(kind, ""), **sources)
    )
    expected = bare(kind, operation, **more)
    assert np.array_equal(pixels(made.data), expected)
    assert expected.std() > 1, "a picture of one color would prove nothing"
    assert made.metadata["operation"] == operation


def test_a_cancel_ends_a_job_within_a_step_and_the_next_one_is_whole(engine: Diffusers) -> None:
    class Impatient(Watcher):
        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            if note.startswith("step 3"):
                raise JobCanceled("enough")

    job = payload("sd1", tiny.folder("sd1"), steps=10)
    first = draw(engine, job)
    watcher = Impatient()
    with pytest.raises(JobCanceled):
        draw(engine, job, watcher)
    assert len(watcher.reported) == 4  # preparing, and three steps
    assert watcher.reported == sorted(watcher.reported)
    assert draw(engine, job).data == first.data
