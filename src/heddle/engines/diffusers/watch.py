"""A look into a pipeline while it runs, so that a cancel stops it in the middle of a step and progress is told.

Every part of every part of the pipeline (a layer of the text encoder, a block of the transformer, a stage of the
decoder) asks before it begins. Nothing of what is computed changes. The scheduler is left alone: LTX-2 copies it for
its sound, and a wrapper on it would be copied too.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

#: Takes how far it is (0..1) and what it does; raises what is to end the run.
Report = Callable[[float, str], None]

#: How the time is shared out: the prompt is read until the first, and the steps are done at the second.
_READ, _STEPPED = 0.04, 0.9


@contextmanager
def watched(pipeline: Any, report: Report, steps: int) -> Generator[None]:
    """Have it report from all its parts. `steps` as they were asked for; a scheduler may do more."""
    hooks = [
        block.register_forward_pre_hook(hook)
        for name, part in pipeline.components.items()
        if hasattr(part, "register_forward_pre_hook")
        for hook in [_hook(pipeline, name, report, steps)]
        for block in (part, *_blocks(part))
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _blocks(part: Any) -> Iterator[Any]:
    """The members of its lists of layers, at every depth."""
    for module in part.modules():
        if type(module).__name__ == "ModuleList":
            yield from module


def _hook(pipeline: Any, name: str, report: Report, steps: int) -> Callable[[Any, Any], None]:
    def hook(_module: Any, _inputs: Any) -> None:
        if name.startswith("transformer"):
            report(*_stepping(pipeline.scheduler, steps))
        elif name.startswith(("vae", "audio_vae", "vocoder")):
            # Sources are encoded before the first step, results decoded after the last.
            done = _done(pipeline.scheduler) > 0
            report(_STEPPED if done else _READ, "decoding" if done else "reading the source")
        else:
            report(0.0, "reading the prompt")

    return hook


def _stepping(scheduler: Any, steps: int) -> tuple[float, str]:
    total = max(steps, len(scheduler.timesteps))
    done = min(_done(scheduler), total - 1)
    return _READ + (_STEPPED - _READ) * done / total, f"step {done + 1} of {total}"


def _done(scheduler: Any) -> int:
    return getattr(scheduler, "step_index", None) or 0
