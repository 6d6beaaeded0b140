"""The built-in entries: what the embedded engines answer to. They are part of the install, and have no files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from heddle import registry
from heddle.catalog import entries, models, versions
from heddle.catalog.entries import NewEntry
from heddle.db import Tx
from heddle.errors import Conflict

#: The base model of everything that the illustrator draws.
BASE_MODEL = "Sketch"

#: Who made them.
CREATOR = "heddle"

#: Ids below this are kept for built-in entries.
FIRST_FREE_ID = 100


def _style(number: int, name: str, words: tuple[str, ...], description: str) -> NewEntry:
    return NewEntry(
        name=name,
        type="LORA",
        base_model=BASE_MODEL,
        creator=CREATOR,
        model_id=number,
        version_id=number,
        trained_words=words,
        description=description,
        tags=("style",),
    )


#: The illustrator and its styles, in the order of their ids: model n has the one version n.
ENTRIES: Sequence[NewEntry] = (
    NewEntry(
        name="Sketch",
        type="Checkpoint",
        base_model=BASE_MODEL,
        creator=CREATOR,
        model_id=1,
        version_id=1,
        description="The embedded illustrator: draws what it reads in the prompt. A program, not a trained model.",
        tags=("illustration",),
    ),
    _style(2, "Sketch Watercolor", ("watercolor",), "Washes and soft edges for the embedded illustrator."),
    _style(3, "Sketch Pixel Art", ("pixel art",), "Coarse pixels and few colors for the embedded illustrator."),
    _style(4, "Sketch Line Art", ("line art",), "Ink outlines on paper for the embedded illustrator."),
)


#: The model of the engine `mini`.
MINI = NewEntry(
    name="Mini",
    type="Checkpoint",
    base_model="Mini",
    creator=CREATOR,
    model_id=5,
    version_id=5,
    description="The embedded model: small, trained on nothing but drawings of the embedded illustrator.",
    tags=("illustration",),
)


def here() -> list[NewEntry]:
    """Those whose engines are offered here."""
    offered = not registry.engine("mini").missing()
    return [*ENTRIES, MINI] if offered else list(ENTRIES)


def ensure(tx: Tx, at: datetime) -> int:
    """Add the built-in entries that are missing; how many were. Doing it again changes nothing."""
    missing = [new for new in here() if new.version_id is not None and versions.of_id(tx, new.version_id) is None]
    added = 0
    for new in missing:
        # Another server that starts at this moment may be first.
        with suppress(Conflict):
            entries.add(tx, new, at)
            added += 1
    return added


def is_builtin(model: models.Model) -> bool:
    """Whether a start of the server would bring this model back."""
    return model.id < FIRST_FREE_ID and model.creator == CREATOR
