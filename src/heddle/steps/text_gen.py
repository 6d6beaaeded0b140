"""The step type `textGen`: text from a prompt or a conversation. One job makes all the choices."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from heddle import prices
from heddle.contract.base import Said, Wire, at_most, validate
from heddle.domain import JSON
from heddle.errors import InvalidRequest
from heddle.steps import FactsOf, Plan, Resource, Result

_SEEDS = 2**32

Stop = Annotated[str, Field(min_length=1, max_length=200)]


class Part(Wire):
    """A part of a message's content; those that are no text are passed over."""

    type: str = "text"
    text: str = Field("", max_length=100_000)


#: What AIRs call a language model: they have no type for it.
_TYPES = ("unknown", "other", "checkpoint")


class ChatMessage(Wire):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[str, Field(max_length=100_000)] | Annotated[list[Part], Field(max_length=100), at_most(100)] = ""

    @property
    def text(self) -> str:
        """All of its text."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if part.text)


class ResponseFormat(Wire):
    """What the answer is to look like."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: dict[str, Any] | None = Field(None, description="`{name, schema}`, or the schema itself.")


class TextGenInput(Wire):
    """Every input of `textGen`."""

    engine: str | None = Field(None, max_length=64, description="A model family, or an engine such as `scribe`.")
    model: str | None = Field(None, max_length=500, description="A model by its AIR or its name.")
    prompt: Said | None = Field(
        None, min_length=1, max_length=100_000, description="What is asked, or what to work on."
    )
    messages: Annotated[list[ChatMessage], Field(max_length=200), at_most(200)] = Field(
        default_factory=list[ChatMessage], description="A conversation instead of a prompt; the last user speaks."
    )
    ecosystem: str | None = Field(None, max_length=64, description="Improve a picture prompt for this model family.")
    instruction: str | None = Field(None, max_length=10_000, description="What is to be done with the prompt.")
    negative_prompt: str | None = Field(None, max_length=10_000, description="Of a picture prompt to improve.")
    temperature: float = Field(1.0, ge=0, le=2, description="0: always the likeliest; higher: more varied.")
    top_p: float = Field(1.0, ge=0, le=1, description="Of what is likely, so much is considered.")
    max_tokens: int | None = Field(None, ge=1, le=128_000, description="The longest answer; `scribe` counts words.")
    n: int = Field(1, ge=1, le=4, description="How many answers.")
    stop: Annotated[list[Stop], Field(max_length=4), at_most(4)] | Stop = Field(
        default_factory=list[str], description="The answer ends before any of these."
    )
    seed: int | None = Field(None, ge=-1, lt=2**63, description="The same seed gives the same answer; -1: random.")
    response_format: ResponseFormat | None = Field(None, description="Plain text, or JSON.")

    @model_validator(mode="after")
    def _has_one(self) -> TextGenInput:
        if (self.prompt is None) is (not self.messages):
            raise ValueError("give one of: `prompt`, `messages`")
        return self


def _family(given: TextGenInput) -> str | None:
    """As `engine` says; without it, the one that the model's name begins with."""
    if given.engine is not None or given.model is None or not given.model.isprintable():
        return given.engine
    name = given.model.lower().removeprefix("urn:air:").rpartition("/")[2]
    return next((family for family in ("scribe", *prices.TEXT) if name.startswith(family)), prices.OTHER)


def _resources(model: str | None) -> list[Resource]:
    """The model, where it is named by its AIR; all other names are those of another server."""
    if model is None or not model.lower().startswith(("urn:air:", "air:")):
        return []
    return [Resource(air=model, path="model", types=_TYPES)]


def _ecosystems(family: str | None) -> tuple[str, ...]:
    """Those of a family begin with its name: `qwen3` is of `qwen`."""
    return (f"{family}*",) if family in prices.TEXT and family != prices.OTHER else ("*",)


class TextGen:
    """Plans answers."""

    model = TextGenInput
    families = ("scribe", "transformers-text", *prices.TEXT)
    media: Mapping[str, tuple[str, ...]] = {}
    gives: Mapping[str, str] = {
        "text": "text",
        "choices": "data",
        "parsed": "data",
        "model": "text",
        "enhancedPrompt": "text",
    }

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        given = validate(TextGenInput, raw)
        if given.prompt is None and not any(m.role == "user" and m.text.strip() for m in given.messages):
            raise InvalidRequest.of("messages", "no message of the role 'user' has a text, so nobody asks anything")
        wanted = given.response_format
        if wanted is not None and wanted.type == "json_schema" and wanted.json_schema is None:
            raise InvalidRequest.of("responseFormat.jsonSchema", "is needed where `type` is 'json_schema'")
        family = _family(given)
        payload: dict[str, Any] = {
            "family": family,
            "messages": [{"role": m.role, "text": m.text} for m in given.messages]
            or [{"role": "user", "text": given.prompt}],
            "model": given.model,
            "enhance": given.ecosystem is not None,
            "ecosystem": given.ecosystem,
            "instruction": given.instruction,
            "negativePrompt": given.negative_prompt,
            "temperature": given.temperature,
            "topP": given.top_p,
            "maxWords": given.max_tokens,
            "n": given.n,
            "stop": [given.stop] if isinstance(given.stop, str) else list(given.stop),
            "json": wanted is not None and wanted.type != "text",
            "schema": None if wanted is None else wanted.json_schema,
            "seed": secrets.randbelow(_SEEDS) if given.seed in {None, -1} else given.seed,
        }
        return Plan(
            family=family,
            resources=_resources(given.model),
            ecosystems=_ecosystems(family),
            bases=("unknown",),
            asked=("model", given.model) if given.engine is None and given.model is not None else None,
            operation="chat",
            payloads=[{name: value for name, value in payload.items() if value is not None}],
        )

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        return dict(results[0].output) if results else {}
