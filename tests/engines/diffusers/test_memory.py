"""A lack of memory ends an attempt and not a job, wherever it comes up."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
from tests.engines.diffusers.conftest import draw, payload
from tests.moving import Watcher
from tests.torch import WITHOUT, needs_torch

from heddle.engines.diffusers import Diffusers, asked
from heddle.errors import EngineFailed

if WITHOUT is None:
    import torch
    from tests.engines.diffusers.media import Job, tiny
    from tests.engines.diffusers.test_videos import payload as video
    from tests.torch import tiny as pictures
    from tests.torch import tiny_video

    from heddle.engines.diffusers import memory
    from heddle.engines.diffusers.videos import DiffusersVideo

pytestmark = needs_torch


def too_much(*_: Any, **__: Any) -> Any:
    """More than any machine has: the allocator itself refuses."""
    return torch.empty(1 << 58)


def test_what_is_a_lack_of_memory() -> None:
    with pytest.raises(MemoryError, match="allocate memory"), memory.told():
        too_much()
    with pytest.raises(MemoryError, match="CUDA out of memory"), memory.told():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    with pytest.raises(MemoryError, match="cannot be loaded"), memory.told():
        raise EngineFailed("'model' cannot be loaded") from torch.OutOfMemoryError("CUDA out of memory")
    for other in (RuntimeError("shapes do not go together"), EngineFailed("the file says: out of memory")):
        with pytest.raises(type(other)) as caught, memory.told():
            raise other
        assert caught.value is other


@pytest.mark.parametrize("where", ["decode", "prepare"])
def test_a_picture(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    engine, job = Diffusers(), payload("sd1", pictures.folder("sd1"))
    engine.configure({"device": "cpu"})
    before = draw(engine, job).data
    resident = engine._residents[asked.model(job).name]
    with monkeypatch.context() as patch:
        if where == "decode":
            patch.setattr(resident.pipeline.vae, "decode", too_much)
        else:
            patch.setattr(resident, "_hook", too_much)
        with pytest.raises(MemoryError):
            list(engine.run(job, Watcher()))
    assert draw(engine, job).data == before


def test_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, job = Diffusers(), payload("sd1", pictures.folder("sd1"))
    engine.configure({"device": "cpu"})
    needs = engine.needs(job)
    assert needs is not None
    monkeypatch.setattr("diffusers.StableDiffusionPipeline.from_pretrained", too_much)
    with pytest.raises(MemoryError):
        engine.load(needs.model, Watcher())


def test_what_is_unloaded_is_gone() -> None:
    engine, job = Diffusers(), payload("sd1", pictures.folder("sd1"))
    engine.configure({"device": "cpu"})
    draw(engine, job)
    draw(engine, job | {"operation": "variant", "images": ["blob_source"], "strength": 0.7})
    [name] = engine._residents
    resident = engine._residents[name]
    parts = [weakref.ref(part) for part in (resident.pipeline.unet, resident.pipeline.text_encoder)]
    engine.unload(name)
    assert [part() for part in parts] == [None, None], "whoever still holds the model, its parts are gone"
    assert resident.pipeline is None


def test_a_video(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, job = DiffusersVideo(), video(tiny(tiny_video.wan))
    engine.configure({"device": "cpu"})
    needs = engine.needs(job)
    assert needs is not None
    engine.load(needs.model, Job())
    monkeypatch.setattr(engine._models[needs.model].pipeline.vae, "decode", too_much)
    with pytest.raises(MemoryError):
        list(engine.run(job, Job()))
