"""Arazzo runs on the wire: what comes in, and what a run looks like."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from heddle.contract.base import Wire

Status = Literal["waiting", "running", "succeeded", "incomplete", "failed", "undecided", "exhausted", "canceled"]


class ArazzoRunSource(Wire):
    """A source on another host."""

    description: str | dict[str, Any] = Field(description="Its OpenAPI description: as text, or as an object.")
    server: str = Field(max_length=2000, description="Its base URL, on a host that the operator of the server allows.")


class ArazzoRunRequest(Wire):
    """A document to run."""

    document: str | dict[str, Any] = Field(description="The Arazzo document: YAML or JSON as text, or as an object.")
    workflow: str | None = Field(None, max_length=200, description="Which workflow, when the document has several.")
    inputs: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        description="Inputs of the Arazzo workflow. Tokens for this server are filled in; other secrets are refused.",
    )
    sources: dict[str, ArazzoRunSource] = Field(
        default_factory=dict[str, ArazzoRunSource],
        description="Sources of the document that are not APIs of this server, by name. Descriptions are not fetched.",
    )


class QueryArazzoRuns(Wire):
    """The query of a list."""

    take: int = Field(20, ge=1, le=100, description="How many at most.")
    cursor: str | None = Field(None, max_length=100, description="`nextCursor` of the page before.")


class QueryArazzoEvents(Wire):
    """The query of what a run did."""

    after: int = Field(0, ge=0, le=10**9, description="Only requests with a higher number.")


class RunEndedBy(Wire):
    """After which nothing more was to do."""

    step: str
    action: str | None = None


class StepOfRun(Wire):
    """A step over all its runs."""

    step_id: str
    runs: int
    ok: bool
    status_code: int | None = None
    reason: str | None = None


class RunLeniency(Wire):
    """A departure from the specification that the document needed."""

    name: str
    meaning: str


class ArazzoRun(Wire):
    """A run. What it came to is there when it has ended."""

    id: str
    status: Status
    workflow: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outputs: dict[str, Any] | None = Field(None, description="Every declared output; those in `missing` are null.")
    missing: list[str] | None = None
    reason: str | None = Field(None, description="Why it did not succeed.")
    ended_by: RunEndedBy | None = None
    steps: list[StepOfRun] | None = None
    warnings: list[str] | None = None
    leniencies: list[RunLeniency] | None = None
    requests: int | None = Field(None, description="How many requests it sent.")


class ArazzoRunPage(Wire):
    """A page of runs, newest first; of what they came to it has status and reason alone."""

    items: list[ArazzoRun]
    next_cursor: str | None
    next: str | None


class ArazzoRunEvent(Wire):
    """A request of a run; without `status` and `error` it is under way."""

    number: int
    seconds: float = Field(description="When it was sent, in seconds of the run.")
    step: str
    request: str = Field(description="Method and path.")
    status: int | None = None
    error: str | None = None


class ArazzoRunEvents(Wire):
    """What a run did so far."""

    items: list[ArazzoRunEvent] = Field(description="At most 1,000, in their order.")
    next: int = Field(description="What to give as `after` next time; a request that is under way comes again then.")
    ended: bool = Field(description="Whether no more will come.")
