"""The step type `training`: a LoRA from a zip of pictures with captions."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, model_validator

from heddle import air, prices
from heddle.contract.base import Wire, at_most, validate
from heddle.domain import JSON
from heddle.errors import CallerError, InvalidRequest
from heddle.steps import FactsOf, Plan, Resource, Result, Source

_ALIASES = {"flux": "flux1", "sd15": "sd1", "zimageturbo": "z-image", "zimagebase": "z-image", "flux2klein": "flux2"}


#: What `engine` may say of the program that trains, which is no family of models.
_TRAINERS = frozenset({"lora", "ai-toolkit"})


class TrainingData(Wire):
    """The pictures to learn from: a zip, in which `name.txt` beside `name.png` is its caption."""

    type: Literal["zip"] = "zip"
    source_url: str = Field(min_length=1, description="The zip: a blob id or a URL.")
    count: int | None = Field(None, ge=1, le=10_000, description="How many pictures there are in it.")


#: Files that one training may give: those of the epochs, their samples, and the loss curve.
MOST_FILES = 100

#: The learning rate where the caller says none: small models take larger steps.
_RATE, _RATES = 1e-4, {"mini": 1e-3}

#: How long a step may take at most where the caller sets no timeout: what a slow machine needs for a large picture.
_STEP_S = 60.0


class Samples(Wire):
    """Pictures that are made after each epoch, to see how far it is."""

    prompts: Annotated[list[Annotated[str, Field(max_length=10_000)]], Field(max_length=10), at_most(10)] = Field(
        default_factory=list[str]
    )
    negative_prompt: str | None = Field(None, max_length=10_000)
    cfg_scale: float | None = Field(None, ge=0, le=30, description="Default: the family's own.")


class TrainingInput(Wire):
    """Every input of `training`."""

    engine: str | None = Field(None, max_length=64, description="A model family such as `sdxl`.")
    ecosystem: str | None = Field(None, max_length=64, description="The same, where `engine` names a trainer.")
    model: str | None = Field(None, max_length=500, description="The base model by its AIR.")
    training_data: TrainingData | None = None
    images: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=1), at_most(1)] = Field(
        default_factory=list[str], description="The zip as a blob id, instead of `trainingData`."
    )
    lora_name: str | None = Field(
        None, min_length=1, max_length=200, description="Its name in the catalog; default: the trigger word."
    )
    trigger_word: str | None = Field(
        None, max_length=200, description="A word of the captions that is to mean what is learned."
    )
    steps: int | None = Field(None, ge=1, le=10_000, description="Training steps.")
    epochs: int = Field(10, ge=1, le=200, description="How many checkpoints are kept on the way.")
    batch_size: int = Field(1, ge=1, le=4)
    learning_rate: float | None = Field(
        None, gt=0, le=1, validation_alias=AliasChoices("lr", "learningRate", "learning_rate"),
        description="Default: 0.0001; for `mini` 0.001.",
    )  # fmt: skip
    lr_scheduler: Literal["constant", "constant_with_warmup", "cosine", "linear", "step"] = Field(
        "constant", description="How the learning rate goes on; engines say which of these they have."
    )
    optimizer_type: Literal[
        "adamw", "adamw8bit", "adam8bit", "lion", "lion8bit", "adafactor", "adagrad", "prodigy", "prodigy8bit",
        "automagic",
    ] = Field("adamw", description="Engines say which of these they have.")  # fmt: skip
    train_text_encoder: bool = False
    text_encoder_learning_rate: float | None = Field(
        None, ge=0, le=1, validation_alias=AliasChoices("textEncoderLr", "textEncoderLearningRate"),
        description="Where the text encoder is trained.",
    )  # fmt: skip
    resolution: int | None = Field(
        None, ge=64, le=2048, description="Pictures are scaled to about as many pixels as this squared."
    )
    num_repeats: int = Field(1, ge=1, le=5000, description="How often a round shows each picture.")
    noise_offset: float = Field(0.0, ge=0, le=1)
    min_snr_gamma: float = Field(0.0, ge=0, le=20, description="0: every noise level counts alike.")
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
    families = tuple(prices.TRAINING)
    media: Mapping[str, tuple[str, ...]] = {
        "trainingData.sourceUrl": ("application/zip",),
        "images[*]": ("application/zip",),
    }
    gives: Mapping[str, str] = {"epochs": "data", "model": "blob", "air": "text", "lossCurve": "image"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        given = validate(TrainingInput, raw)
        family = _family(given)
        if family is None:
            raise InvalidRequest.of(
                "engine", f"name the model family to train for, or its model: {', '.join(prices.TRAINING)}"
            )
        data = given.training_data
        path, source = ("trainingData.sourceUrl", data.source_url) if data else ("images[0]", given.images[0])
        steps = given.steps or prices.TRAINING.get(family, prices.TRAINING["mini"])[0]
        _check_files(given, min(given.epochs, steps))
        payload: dict[str, Any] = {
            "family": family,
            "model": given.model,
            "data": source,
            "name": given.lora_name,
            "triggerWord": given.trigger_word,
            "steps": steps,
            "epochs": min(given.epochs, steps),
            "batchSize": given.batch_size,
            "learningRate": given.learning_rate or _RATES.get(family, _RATE),
            "lrScheduler": given.lr_scheduler,
            "optimizerType": given.optimizer_type,
            "trainTextEncoder": given.train_text_encoder,
            "textEncoderLr": given.text_encoder_learning_rate,
            "resolution": given.resolution,
            "numRepeats": given.num_repeats,
            "noiseOffset": given.noise_offset,
            "minSnrGamma": given.min_snr_gamma,
            "networkDim": given.network_dim,
            "networkAlpha": given.network_alpha or given.network_dim,
            "flip": given.flip_augmentation,
            "shuffleTokens": given.shuffle_tokens,
            "keepTokens": given.keep_tokens,
            "continueFrom": given.continue_from,
            "samples": list(given.samples.prompts) if given.samples else [],
            "negativePrompt": given.samples.negative_prompt if given.samples else None,
            "sampleCfgScale": given.samples.cfg_scale if given.samples else None,
            "seed": secrets.randbelow(2**32) if given.seed in {None, -1} else given.seed,
        }
        return Plan(
            family=family,
            operation="lora",
            payloads=[{name: value for name, value in payload.items() if value is not None}],
            sources=[Source(blob_id=source, path=path, media=("application/zip",))],
            resources=_resources(given),
            ecosystems=prices.IMAGE[family].ecosystems if family in prices.IMAGE else (),
            timeout_s=steps * _STEP_S,
        )

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        """Epochs with their model, its AIR and samples, as the engine numbered them; the last model is the result."""
        epochs: dict[int, dict[str, Any]] = {}
        shown: dict[str, Any] = {}
        for r in results:
            number = r.output.get("epoch")
            if isinstance(number, int):
                epoch = epochs.setdefault(number, {"epochNumber": number, "samples": []})
                if r.role == "sample":
                    epoch["samples"].append(r.blob)
                else:
                    epoch |= {"model": r.blob} | {name: r.output[name] for name in _TOLD if name in r.output}
            elif r.role == "loss-curve":
                shown |= {"lossCurve": r.blob} | {name: r.output[name] for name in _COUNTED if name in r.output}
        listed = [epochs[number] for number in sorted(epochs)]
        last = next((e for e in reversed(listed) if "model" in e), dict[str, Any]())
        result = {name: last[name] for name in ("model", "air") if name in last}
        return {"moderationStatus": "approved", "epochs": listed} | result | shown


#: What is told of an epoch beside its files, and of the dataset beside the curve.
_TOLD = ("air", "steps", "loss")
_COUNTED = ("images", "skipped", "skippedCount")


def _check_files(given: TrainingInput, epochs: int) -> None:
    samples = len(given.samples.prompts) if given.samples else 0
    if (count := epochs * (1 + samples) + 1) > MOST_FILES:
        each = f"{epochs} epochs with {samples} samples each" if samples else f"{epochs} epochs"
        raise InvalidRequest.of("epochs", f"{each} make {count} files; a training may give {MOST_FILES}")


def _family(given: TrainingInput) -> str | None:
    named = given.ecosystem or (None if given.engine in _TRAINERS else given.engine)
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
