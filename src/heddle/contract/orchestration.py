"""The Orchestration API on the wire: what a caller may submit, and how a workflow is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, WithJsonSchema, field_validator, model_validator

from heddle.contract.base import Wire, at_most, count_values
from heddle.domain import JSON, Artifact, Job, Priority, Status, Step, Workflow

CallbackEvent = Literal[
    "workflow:*",
    "workflow:unassigned",
    "workflow:processing",
    "workflow:succeeded",
    "workflow:failed",
    "workflow:expired",
    "workflow:canceled",
    "step:*",
    "step:unassigned",
    "step:processing",
    "step:succeeded",
    "step:failed",
    "step:expired",
    "step:canceled",
    "job:*",
    "job:unassigned",
    "job:processing",
    "job:succeeded",
    "job:failed",
    "job:expired",
    "job:canceled",
]
Tag = Annotated[str, Field(min_length=1, max_length=200)]
Tags = Annotated[list[Tag], Field(max_length=50), at_most(50)]

#: A step's input is kept, and shown with its workflow, as it came.
_INPUT_BYTES, _INPUT_VALUES = 256 * 1024, 10_000

_TIMESPAN = re.compile(r"^(?:(\d{1,5})\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.\d+)?$")
_ISO = re.compile(r"^PT(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5}(?:\.\d{1,9})?)S)?$")

#: The texts that are a second to a day, as the documents show them; what is read is a little more.
_TIMESPANS = r"^(?:1\.00:00:00|(?!0?0:00:00)(?:[01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])$"
_ISOS = r"^PT(?:[1-9]|1[0-9]|2[0-4])H$|^PT[1-9][0-9]{0,2}M$|^PT[1-9][0-9]{0,3}S$|^PT[1-9]H[1-9][0-9]?M$"

#: Seconds; the texts are turned into them before the range is looked at. One at least, because an attempt that takes
#: longer costs its worker process, and a new one takes about as long to come up.
Duration = Annotated[
    float,
    Field(ge=1, le=86_400),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 1, "maximum": 86_400},
                {"type": "string", "pattern": f"{_TIMESPANS}|{_ISOS}"},
            ]
        }
    ),
]


def small(value: dict[str, Any]) -> dict[str, Any]:
    """An object that may be kept with its workflow. Raises ValueError."""
    check_size(len(msgspec.json.encode(value)), count_values(value))
    return value


def check_size(size: int, count: int) -> None:
    """Whether so many bytes of JSON and so many values are few enough. Raises ValueError."""
    if size > _INPUT_BYTES:
        raise ValueError(f"is {size} bytes of JSON; at most {_INPUT_BYTES} are taken")
    if count > _INPUT_VALUES:
        raise ValueError(f"has {count} values; at most {_INPUT_VALUES} are taken")


class StepRequest(Wire):
    """One step: its type and an input that the type understands."""

    type: str = Field(alias="$type", max_length=100, description="The step type, for example `imageGen`.")
    input: dict[str, Any] = Field(description="The step type's own input.")
    name: str | None = Field(
        None, min_length=1, max_length=100, description="Unique in the workflow; default: its index."
    )
    priority: Priority = Field(Priority.NORMAL, description="Served before or after others.")
    timeout: Duration | None = Field(None, description='Seconds, "hh:mm:ss" or ISO 8601, per attempt; 1 s to a day.')

    @field_validator("input")
    @classmethod
    def _is_small(cls, value: dict[str, Any]) -> dict[str, Any]:
        return small(value)

    @field_validator("timeout", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        """Accept "00:10:00" and "PT10M" beside a number of seconds."""
        if not isinstance(value, str):
            return value
        if match := _TIMESPAN.match(value):
            days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
            return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        if match := _ISO.match(value):
            hours, minutes, seconds = (float(part or 0) for part in match.groups())
            return (hours * 60 + minutes) * 60 + seconds
        return value


class WorkflowRequest(Wire):
    """The body of a submit."""

    steps: Annotated[list[StepRequest], Field(min_length=1, max_length=100), at_most(100)]
    tags: Tags = Field(default_factory=list[str])
    callback_url: str | None = Field(None, max_length=2000, description="Where events are posted.")
    callback_events: Annotated[list[CallbackEvent], Field(max_length=50), at_most(50)] = Field(
        default_factory=list["CallbackEvent"]
    )
    detailed: bool = Field(False, description="Put the steps with their outputs into the events.")
    arguments: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        description='Values that inputs refer to: `{"$ref": "$arguments", "path": "prompt"}`.',
    )

    @field_validator("arguments")
    @classmethod
    def _is_small(cls, value: dict[str, Any]) -> dict[str, Any]:
        return small(value)

    @model_validator(mode="after")
    def _names_are_unique(self) -> WorkflowRequest:
        names = [step.name if step.name is not None else str(i) for i, step in enumerate(self.steps)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two steps are named {twice[0]!r}; a step's name is unique in its workflow")
        return self


class WorkflowUpdate(Wire):
    """The body of an update: cancel, or give other tags."""

    status: Literal["canceled"] | None = None
    tags: Tags | None = None


class GetWorkflow(Wire):
    """The query of one workflow."""

    why: bool = Field(False, description="Also say what each slot says to the first job that waits. Heddle's own.")


class QueryWorkflows(Wire):
    """The query of a list."""

    take: int = Field(20, ge=1, le=100, description="How many at most.")
    cursor: str | None = Field(None, max_length=100, description="`nextCursor` of the page before.")
    tags: Tags = Field(default_factory=list[str], description="Only workflows that have all of these.")
    status: Status | None = Field(None, description="Only workflows in this status.")

    @field_validator("tags", mode="before")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        return list(dict.fromkeys(value))


#: How an artifact's link is made; it is signed afresh each time it is shown.
Link = Callable[[Artifact], str]


#: What a succeeded step gave, by its type.
OutputOf = Callable[[Step, Link], JSON | None]


def workflow(
    value: Workflow, link: Link, output_of: OutputOf, notes: Mapping[str, JSON] | None = None
) -> dict[str, Any]:
    """A workflow as the API shows it. `notes`: what else is to be said of jobs that wait or run, by their ids."""
    shown: dict[str, Any] = {
        "id": value.id,
        "status": value.status,
        "tags": list(value.tags),
        "createdAt": moment(value.created_at),
        "startedAt": moment(value.started_at),
        "completedAt": moment(value.completed_at),
        "cost": {"base": value.cost, "total": charged(value), "currency": "BUZZ"},
        "steps": [step(s, link, output_of, notes) for s in value.steps],
        "reason": value.reason,
    }
    if value.callbacks:
        shown["callbackUrl"] = value.callbacks[0].url
        shown["callbackEvents"] = sorted(value.callbacks[0].events)
    return present(shown)


def charged(value: Workflow) -> int:
    """What is held while it runs; what was spent once it has ended."""
    if not value.status.terminal:
        return value.cost
    return sum(job.cost for step in value.steps for job in step.jobs if job.status is Status.SUCCEEDED)


def step(value: Step, link: Link, output_of: OutputOf, notes: Mapping[str, JSON] | None = None) -> dict[str, Any]:
    """A step; jobs that succeeded come first, so that `jobs[0]` of a succeeded step has blobs."""
    jobs = sorted(value.jobs, key=lambda j: (j.status != Status.SUCCEEDED, j.index))
    return present(
        {
            "name": value.name,
            "$type": value.type,
            "status": value.status,
            "priority": value.priority,
            "startedAt": moment(value.started_at),
            "completedAt": moment(value.completed_at),
            "input": value.input,
            "output": output_of(value, link) if value.status is Status.SUCCEEDED else None,
            "jobs": [{**job(j, link), **(notes or {}).get(j.id, {})} for j in jobs],
        }
    )


def job(value: Job, link: Link) -> dict[str, Any]:
    """A job with its blobs."""
    result = {"blobs": [blob(a, link) for a in value.artifacts]} if value.status is Status.SUCCEEDED else None
    return present(
        {
            "id": value.id,
            "status": value.status,
            "engine": value.engine,
            "attempt": value.attempt,
            "startedAt": moment(value.started_at),
            "completedAt": moment(value.completed_at),
            "estimatedProgressRate": value.progress,
            "reason": value.reason,
            "message": value.message,
            "result": result,
        }
    )


def blob(value: Artifact, link: Link) -> dict[str, Any]:
    """What a job made, with a fresh link."""
    return present(
        {
            "blobId": value.blob_id,
            "url": link(value),
            "mimeType": value.mime,
            "width": value.width,
            "height": value.height,
            "durationMs": value.duration_ms,
            "nsfwLevel": value.metadata.get("nsfwLevel", 1),
            "seed": value.metadata.get("seed"),
            "role": value.role or None,
            "previewBlobId": value.preview and value.preview.blob_id,
            "previewUrl": value.preview and link(value.preview),
            "metadata": value.metadata or None,
        }
    )


def media(value: Artifact, job_id: str, link: Link) -> dict[str, Any]:
    """The same as a step's `output` shows it."""
    return present(
        {
            "type": _media_type(value.mime),
            "id": value.blob_id,
            "available": True,
            "url": link(value),
            "mimeType": value.mime,
            "jobId": job_id,
            "nsfwLevel": _LEVELS.get(value.metadata.get("nsfwLevel", 1), "na"),
            "width": value.width,
            "height": value.height,
            "duration": None if value.duration_ms is None else value.duration_ms / 1000,
            "previewUrl": value.preview and link(value.preview),
            "blurhash": value.metadata.get("blurhash"),
        }
    )


_LEVELS = {1: "pg", 2: "pg13", 4: "r", 8: "x", 16: "xxx"}


def _media_type(mime: str) -> str:
    kind = mime.partition("/")[0]
    return kind if kind in {"image", "video", "audio", "text"} else "file"


def page(items: Sequence[Mapping[str, Any]], next_cursor: str | None) -> dict[str, Any]:
    """A page of a list; the cursors are there even at the end, where they are null."""
    return {"items": list(items), "nextCursor": next_cursor, "next": next_cursor}


def present(members: JSON) -> dict[str, Any]:
    """Without what is absent: the API leaves members out rather than sending null."""
    return {name: value for name, value in members.items() if value is not None}


def moment(value: datetime | None) -> str | None:
    """`2026-01-31T12:00:00.123Z`."""
    return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
