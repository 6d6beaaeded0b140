"""The models that a step names, and the one that it runs where it names none, as the catalog has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from heddle import air
from heddle.catalog.places import Place
from heddle.engines import Chooser, Engine, Offer
from heddle.errors import CallerError, InvalidRequest
from heddle.steps import Plan, Resource

#: What the catalog has under an AIR; None when it has nothing.
Find = Callable[[str], Place | None]

#: The first that was added to the catalog, of these ecosystems and types of models.
First = Callable[[Sequence[str], Sequence[str]], Place | None]


def none(_ecosystems: Sequence[str], _types: Sequence[str]) -> Place | None:
    """The catalog of those who have none."""
    return None


#: AIR types of what is added to a base model.
_ADDED = frozenset({"lora", "lycoris", "dora", "embedding", "hypernet", "controlnet"})


class Foreign(InvalidRequest):
    """A model that a step names is for other engines than the one that is asked."""


class Absent(InvalidRequest):
    """A model that a step names, or the one that it would run, is not here; `why` says so without the field."""

    def __init__(self, path: str, why: str, *, named: bool) -> None:
        super().__init__(f"{path}: {why}", {path: [why]})
        self.why = why
        self.named = named


@dataclass(frozen=True, slots=True)
class Models:
    """What each text that names a model means, and the model that is run where none is named."""

    named: Mapping[str, Place] = field(default_factory=dict[str, Place])
    default: Place | None = None

    def air(self, text: str) -> str:
        """In the catalog's words."""
        return self.named[text].air if text in self.named else text

    def weights(self) -> dict[str, Any]:
        """Where they lie, by AIR."""
        every = [*self.named.values(), *([self.default] if self.default else [])]
        return {place.air: shown for place in every if (shown := place.shown()) is not None}


def resolve(plan: Plan, engine: Engine, name: str, find: Find, first: First) -> Models:
    """The models of a step that the engine `name` runs. Raises InvalidRequest.

    Every model that is named must be in the catalog and fit the family; so must the default, where one is needed.
    """
    offer = engine.offer()
    family = plan.family or name
    fits = plan.ecosystems or (family,)
    named: dict[str, Place] = {}
    for resource in plan.resources:
        place = _find(resource, find)
        if place is not None:
            _check_fits(resource, place, fits, family)
            if (offer.loads or (offer.adds and resource.added)) and place.path is None:
                raise Absent(resource.path, f"the catalog has {resource.air!r} without its weights", named=True)
            if resource.path == "model" and offer.adds and place.path is not None:
                why = f"{resource.air!r} has weights of its own, and {name} runs those of the install"
                raise Absent(resource.path, why, named=True)
            if resource.path == "model" and not _reads(offer, place):
                raise Absent(resource.path, _unread(name, offer, place), named=True)
            named[resource.air] = place
        elif not offer.elsewhere:
            why = f"{resource.air!r} is not in the catalog; `heddle models list` shows what is"
            raise Absent(resource.path, why, named=True)
    has_base = any(not resource.added and resource.path == "model" for resource in plan.resources)
    if has_base or not offer.loads:
        return Models(named)
    default = _default(plan, engine, family, fits, find, first)
    if not _reads(offer, default):
        raise Absent("model", _unread(name, offer, default), named=False)
    return Models(named, default)


def _reads(offer: Offer, place: Place) -> bool:
    return not offer.formats or place.format in offer.formats


def _unread(name: str, offer: Offer, place: Place) -> str:
    return f"{place.air!r} has the format {place.format}, and {name} reads {' or '.join(sorted(offer.formats))}"


def _find(resource: Resource, find: Find) -> Place | None:
    try:
        air.parse(resource.air)
    except CallerError as error:
        raise InvalidRequest.of(resource.path, error.message) from error
    return find(resource.air)


def _check_fits(resource: Resource, place: Place, fits: Sequence[str], family: str) -> None:
    named = air.parse(place.air)
    if not any(fnmatchcase(named.ecosystem or "", pattern) for pattern in fits):
        raise Foreign.of(
            resource.path, f"{resource.air!r} is a model for {named.ecosystem!r}, and this step runs {family!r}"
        )
    if resource.types and named.type not in resource.types:
        wanted = " or ".join(resource.types)
        raise InvalidRequest.of(resource.path, f"{resource.air!r} is a {named.type}, and this must be a {wanted}")
    if not resource.types and (named.type in _ADDED) is not resource.added:
        wanted = "a LoRA or its like" if resource.added else "a checkpoint"
        raise InvalidRequest.of(resource.path, f"{resource.air!r} is a {named.type}, and this must be {wanted}")


def _default(plan: Plan, engine: Engine, family: str, fits: Sequence[str], find: Find, first: First) -> Place:
    """The model of a step that names none."""
    chosen = engine.default_model(family) if isinstance(engine, Chooser) else None
    place = first(fits, plan.bases) if chosen is None else find(chosen)
    if place is not None and place.path is not None:
        return place
    if chosen is not None:
        why = f"{chosen!r}, which engines.toml names for {family!r}, is not in the catalog with its weights"
    else:
        kinds = " or ".join(plan.bases)
        why = f"the catalog has no model for {family!r}, of the type {kinds}; `heddle models add` adds one"
    raise Absent("model", why, named=False)
