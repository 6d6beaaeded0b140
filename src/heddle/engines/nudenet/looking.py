"""From a picture, or some of a video, to what is seen of bodies, and to a rating."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from heddle import media
from heddle.engines import JobContext, Made
from heddle.engines.nudenet.options import FINDS, LEVELS, Options
from heddle.errors import EngineFailed, JobError
from heddle.studio import stills

#: What one of the package's finds says.
Find = Mapping[str, Any]


class Detector(Protocol):
    """The package's own."""

    def detect(self, image_path: Any) -> list[dict[str, Any]]:
        """Its finds in an array of blue, green and red."""
        ...


def detector(options: Options) -> Detector:
    """Loaded from files alone. Raises JobError for weights that are none."""
    package: Any = import_module("nudenet")  # it has no types
    path = str(Path(options.weights).expanduser()) if options.weights else None
    try:
        return package.NudeDetector(model_path=path, inference_resolution=options.side)
    except Exception as error:  # the runtime has many errors of its own
        said = f"the weights of nudenet cannot be loaded: {str(error)[:200]}"
        raise JobError(said, reason="engine_unavailable") from error


def judged(detector: Detector, data: bytes, context: JobContext, options: Options) -> Made:
    """What was seen, as JSON."""
    looks = stills.of(data, lambda share: context.progress(0.2 * share), picture=media.shows_picture(data[:4096]))
    finds: list[Sequence[Find]] = []
    for i, look in enumerate(looks):
        context.progress(0.2 + 0.8 * i / len(looks), "looking")
        finds.append(_found(detector, np.asarray(look)))
    told = rated(finds, options)
    context.progress(1.0)
    return Made(
        data=json.dumps(told, indent=1).encode(), mime="application/json", metadata={"engine": "nudenet"}, output=told
    )


def rated(looks: Iterable[Sequence[Find]], options: Options) -> dict[str, Any]:
    """The rating is that of the worst that was found; a picture in which nothing was found is for everybody."""
    scores: dict[str, float] = {}
    for find in (find for look in looks for find in look):
        scores[find["class"]] = max(round(float(find["score"]), 4), scores.get(find["class"], 0.0))
    seen = {name: score for name, score in scores.items() if score >= options.threshold}
    levels = {**FINDS, **options.levels}
    worst = max(seen, key=lambda name: (LEVELS.index(levels.get(name, "pg")), seen[name]), default=None)
    level = "pg" if worst is None else levels.get(worst, "pg")
    blocked = level in options.blocks
    return {
        "nsfwLevel": level,
        "isBlocked": blocked,
        "blockedReason": f"rated {level}: {worst or 'nothing found'}" if blocked else None,
        "labels": [{"label": name, "score": score} for name, score in sorted(seen.items(), key=lambda pair: -pair[1])],
        "engine": "nudenet",
    }


def _found(detector: Detector, look: Any) -> list[dict[str, Any]]:
    try:
        return detector.detect(np.ascontiguousarray(look[:, :, ::-1]))
    except MemoryError:
        raise
    except Exception as error:  # OpenCV's and the runtime's own errors
        raise EngineFailed(f"media: nudenet could not look at it: {str(error)[:200]}") from error
