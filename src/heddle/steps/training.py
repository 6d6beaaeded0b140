"""The step type `training`: a LoRA from a zip of pictures with captions."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, model_validator

from heddle import air
from heddle.contract.base import Wire, at_most, validate
from heddle.domain import JSON
from heddle.errors import CallerError, InvalidRequest
from heddle.steps import FactsOf, Plan, Resource, Result, Source

#: Model families that a LoRA can be trained for, somewhere: steps and Buzz by default, Buzz per step and per epoch.
FAMILIES: Mapping[str, tuple[int, float, float, float]] = {
    "mini": (400, 10, 0.02, 1),
    "sd1": (2000, 500, 0.20, 10),
    "sdxl": (2000, 500, 0.20, 10),
    "flux1": (2000, 2000, 0.9, 20),
    "flux2": (2000, 2000, 0.20, 10),
    "qwen": (2000, 2000, 0.95, 10),
    "chroma": (2000, 2000, 0.95, 10),
    "z-image": (2000, 2000, 0.45, 10),
    "ltx2": (3000, 2750, 0.75, 50),
    "wan": (2000, 3000, 0.5, 200),
}
_ALIASES = {"flux": "flux1", "sd15": "sd1", "zimageturbo": "z-image", "zimagebase": "z-image", "flux2klein": "flux2"}


class TrainingData(Wire):
    """The pictures to learn from: a zip, in which `name.txt` beside `name.png` is its caption."""

    type: Literal["zip"] = "zip"
    source_url: str = Field(min_length=1, description="The zip: a blob id or a URL.")
    count: int | None = Field(None, ge=1, le=10_000, description="How many pictures there are in it.")


class Samples(Wire):
    """Pictures that are made after each epoch, to see how far it is."""

    prompts: Annotated[list[Annotated[str, Field(max_length=10_000)]], Field(max_length=10), at_most(10)] = Field(
        default_factory=list[str]
    )
    negative_prompt: str | None = Field(None, max_length=10_000)


class TrainingInput(Wire):
    """Every input of `training`."""

    engine: str | None = Field(None, max_length=64, description="A model family such as `sdxl`.")
    ecosystem: str | None = Field(None, max_length=64, description="The same, where `engine` names a trainer.")
    model: str | None = Field(None, max_length=500, description="The base model by its AIR.")
    training_data: TrainingData | None = None
    images: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=1), at_most(1)] = Field(
        default_factory=list[str], description="The zip as a blob id, instead of `trainingData`."
    )
    trigger_word: str | None = Field(
        None, max_length=200, description="A word of the captions that is to mean what is learned."
    )
    steps: int | None = Field(None, ge=1, le=10_000, description="Training steps.")
    epochs: int = Field(10, ge=1, le=200, description="How many checkpoints are kept on the way.")
    batch_size: int = Field(1, ge=1, le=4)
    learning_rate: float = Field(1e-4, gt=0, le=1, validation_alias=AliasChoices("lr", "learningRate", "learning_rate"))
    network_dim: int = Field(32, ge=1, le=256, description="The rank of the LoRA.")
    network_alpha: int | None = Field(None, ge=1, le=256, description="Default: the rank.")
    flip_augmentation: bool = False
    shuffle_tokens: bool = False
    keep_tokens: int = Field(0, ge=0, le=10)
    continue_from: str | None = Field(None, max_length=500, description="A LoRA by its AIR to go on from.")
    samples: Samples | None = None
    seed: int | None = Field(None, ge=-1, lt=2**63)

    @model_validator(mode="after")
    def _has_data(self) -> TrainingInput:
        if (self.training_data is None) is (not self.images):
            raise ValueError("give the zip as `trainingData.sourceUrl`, or as the one item of `images`")
        return self


class Training:
    """Plans one training."""

    model = TrainingInput
    families = tuple(FAMILIES)
    media: Mapping[str, tuple[str, ...]] = {
        "trainingData.sourceUrl": ("application/zip",),
        "images[*]": ("application/zip",),
    }
    gives: Mapping[str, str] = {"epochs": "data", "model": "blob"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        given = validate(TrainingInput, raw)
        family = _family(given)
        data = given.training_data
        path, source = ("trainingData.sourceUrl", data.source_url) if data else ("images[0]", given.images[0])
        steps = given.steps or FAMILIES.get(family or "mini", FAMILIES["mini"])[0]
        payload: dict[str, Any] = {
            "family": family,
            "model": given.model,
            "data": source,
            "triggerWord": given.trigger_word,
            "steps": steps,
            "epochs": min(given.epochs, steps),
            "batchSize": given.batch_size,
            "learningRate": given.learning_rate,
            "networkDim": given.network_dim,
            "networkAlpha": given.network_alpha or given.network_dim,
            "flip": given.flip_augmentation,
            "shuffleTokens": given.shuffle_tokens,
            "keepTokens": given.keep_tokens,
            "continueFrom": given.continue_from,
            "samples": list(given.samples.prompts) if given.samples else [],
            "negativePrompt": given.samples.negative_prompt if given.samples else None,
            "seed": secrets.randbelow(2**32) if given.seed in {None, -1} else given.seed,
        }
        return Plan(
            family=family,
            operation="lora",
            payloads=[{name: value for name, value in payload.items() if value is not None}],
            sources=[Source(blob_id=source, path=path, media=("application/zip",))],
            resources=_resources(given),
        )

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        """Epochs with their model and samples, as the engine numbered them; the last one's model is the result."""
        epochs: dict[int, dict[str, Any]] = {}
        for r in results:
            number = r.output.get("epoch")
            if isinstance(number, int):
                epoch = epochs.setdefault(number, {"epochNumber": number, "samples": []})
                if r.role == "sample":
                    epoch["samples"].append(r.blob)
                else:
                    epoch["model"] = r.blob
        listed = [epochs[number] for number in sorted(epochs)]
        last = next((e["model"] for e in reversed(listed) if "model" in e), None)
        return {"moderationStatus": "approved", "epochs": listed} | ({"model": last} if last else {})


def price(family: str, steps: int, epochs: int) -> float:
    """Buzz for a training: by steps and epochs, and most of the family's usual price at least."""
    _, usual, per_step, per_epoch = FAMILIES[family]
    return max(0.8 * usual, round(steps * per_step + epochs * per_epoch))


def _family(given: TrainingInput) -> str | None:
    named = given.ecosystem or given.engine
    if named is None and given.model is not None:
        try:
            named = air.parse(given.model).ecosystem
        except CallerError as error:
            raise InvalidRequest.of("model", error.message) from error
    return None if named is None else _ALIASES.get(named, named)


def _resources(given: TrainingInput) -> list[Resource]:
    base = [Resource(air=given.model, path="model")] if given.model else []
    earlier = [Resource(air=given.continue_from, path="continueFrom", added=True)] if given.continue_from else []
    return base + earlier
