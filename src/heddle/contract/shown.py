"""What goes out, described: handlers answer plain dicts, and these models say what is in them.

Nothing is checked against them at run time; the OpenAPI document and the docs page are made from them, and tests hold
real answers against them. What is unknown is absent, never null, unless a field says otherwise.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, RootModel, WithJsonSchema

from heddle.contract.base import Wire
from heddle.contract.orchestration import CallbackEvent
from heddle.contract.site import ModelVersion, User
from heddle.domain import Priority, Status

__all__ = (
    "Blob",
    "BlobUpload",
    "Error",
    "JsonPatch",
    "ModelVersion",
    "UploadUrl",
    "User",
    "Workflow",
    "WorkflowLog",
    "WorkflowPage",
)

Bytes = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]
_NSFW = "0 unrated, 1 everybody, 2 teenagers, 4 restricted, 8 explicit, 16 more than that, 32 blocked."

Uri = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"})]


class Cost(Wire):
    """What a workflow was charged, in whole Buzz."""

    base: int = Field(ge=0, description="The price of the steps together.")
    total: int = Field(ge=0, description="What was taken from the account.")
    currency: Literal["BUZZ"]


class JobBlob(Wire):
    """One thing that a job made."""

    blob_id: str = Field(description="The id under which the blob operations know it.")
    url: Uri = Field(description="A signed link to the bytes; it is made afresh whenever the workflow is shown.")
    mime_type: str
    width: int | None = Field(None, ge=1, description="Pixels.")
    height: int | None = Field(None, ge=1, description="Pixels.")
    duration_ms: int | None = Field(None, ge=0, description="For sound and video.")
    nsfw_level: int = Field(description=_NSFW)
    seed: int | None = Field(None, description="The seed that makes this very picture again.")
    role: str | None = Field(None, description="What it is beside the thing asked for, such as `midi` or `srt`.")
    preview_blob_id: str | None = Field(None, description="A small picture of it, which is a blob as well.")
    preview_url: Uri | None = Field(None, description="A link to that picture.")
    metadata: dict[str, Any] | None = Field(None, description="Whatever else the engine says of it.")


class JobResult(Wire):
    """What a job made."""

    blobs: list[JobBlob]


class QueuePosition(Wire):
    """Where a waiting job stands in the queue."""

    support: Literal["available"]
    preceding_jobs: int = Field(ge=0, le=1000, description="How many are before it; 1000: that many or more.")
    start_at: datetime | None = Field(None, description="An estimate, from how long jobs took lately.")
    complete_at: datetime | None = None


class SlotSays(Wire):
    """What one slot says to a waiting job."""

    slot: str
    code: str = Field(description="`engine`, `memory`, `busy`, `cap`, `held`, `turn` or `next`.")
    text: str = Field(description="The same as a sentence for people.")


class Waits(Wire):
    """Why a job waits. Heddle's own."""

    earliest_start: datetime | None = Field(None, description="It will probably start between these two.")
    latest_start: datetime | None = None
    slots: list[SlotSays] | None = Field(None, description="With `why=true`, of the first job that waits.")


class JobNotes(Wire):
    """What only Heddle says of a job."""

    waiting: Waits


class Job(Wire):
    """One unit that an engine runs; another attempt after a loss is the same job."""

    id: str
    status: Status
    engine: str = Field(description="The name of the engine that runs it.")
    attempt: int = Field(ge=0, description="Which attempt this is; 0 before the first.")
    started_at: datetime | None = None
    completed_at: datetime | None = None
    estimated_progress_rate: float | None = Field(None, ge=0, le=1, description="How far it is, while it runs.")
    preview_url: Uri | None = Field(
        None,
        description="Where a small picture of what there is so far can be fetched, with the token of the account, while"
        " it runs. Not all engines make one. Heddle's own.",
    )
    queue_position: QueuePosition | None = Field(None, description="While it waits for a slot; not in lists.")
    heddle: JobNotes | None = Field(None, description="While it waits for a slot; not in lists.")
    reason: str | None = Field(None, description="Why it did not succeed, as a stable word for programs.")
    message: str | None = Field(None, description="Why it did not succeed, as a sentence for people.")
    result: JobResult | None = Field(None, description="There when the job succeeded.")


class WorkflowStepResult(Wire):
    """A step as it is now."""

    name: str
    type: str = Field(alias="$type", description="The step type.")
    status: Status
    priority: Priority
    started_at: datetime | None = None
    completed_at: datetime | None = None
    input: dict[str, Any] = Field(description="As submitted.")
    output: dict[str, Any] | None = Field(
        None, description="What the step gave, by its type: `images`, `video`, `text`, ... There when it succeeded."
    )
    jobs: list[Job] = Field(description="Those that succeeded first.")


class Workflow(Wire):
    """A workflow as it is now."""

    id: str = Field(description="`wf_` and a ULID; later ids sort after earlier ones.")
    status: Status
    tags: list[str]
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    cost: Cost
    steps: list[WorkflowStepResult]
    reason: str | None = Field(None, description="Why it did not succeed, as a stable word for programs.")
    callback_url: str | None = Field(None, description="Where its events are posted.")
    callback_events: list[CallbackEvent] | None = Field(None, description="Which events are posted.")


class WorkflowPage(Wire):
    """Some of the account's workflows, newest first."""

    items: list[Workflow]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last.")
    next: str | None = Field(description="The same, under its other name.")


class LogEntry(Wire):
    """What was logged for one job."""

    job_id: str = Field(description="The job.")
    lines: list[str]


class WorkflowLog(Wire):
    """What the engines wrote while they ran."""

    items: list[LogEntry]


class PatchOperation(Wire):
    """One operation of a JSON Patch (RFC 6902)."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: str = Field(description="`/tags`, `/tags/0`, `/tags/-` or `/status`.")
    from_: str | None = Field(None, alias="from", description="For move and copy.")
    value: Any = Field(None, description="For add, replace and test.")


class JsonPatch(RootModel[Annotated[list[PatchOperation], Field(max_length=100)]]):
    """Changes to `/tags` and `/status`, applied in order, all or none."""


class Blob(Wire):
    """A stored thing, or one that is promised and not yet uploaded."""

    id: str
    mime_type: str
    size_bytes: int | None = Field(None, ge=0)
    url: Uri | None = Field(None, description="A signed link to the bytes; there once they are.")
    url_expires_at: datetime | None = Field(None, description="When the link ends; refresh makes a new one.")
    sha256: str | None = Field(None, description="64 lower-case hexadecimal digits.")
    nsfw_level: int = Field(description=_NSFW)
    nsfw_reason: str | None = Field(None, description="What it was rated for.")
    created_at: datetime
    available: bool = Field(description="Whether the bytes are there.")
    width: int | None = Field(None, ge=1, description="Pixels.")
    height: int | None = Field(None, ge=1, description="Pixels.")
    duration_ms: int | None = Field(None, ge=0, description="For sound and video.")
    job_id: str | None = Field(None, description="The job that made it; absent for an upload.")


class BlobUpload(Wire):
    """An upload as a form."""

    file: Bytes = Field(description="The bytes.")
    moderate: bool = Field(True, description="Accepted, and without effect as long as nothing moderates.")


class UploadUrl(Wire):
    """Where to send the bytes of a promised blob."""

    blob_id: str = Field(description="May be used in a workflow at once; its step waits for the bytes.")
    upload_url: Uri = Field(description="PUT or POST the bytes here; the link itself is the permission.")
    expires_at: datetime = Field(description="Until when the bytes are awaited.")
    headers: dict[str, str] = Field(description="Send these with the bytes.")


class Error(Wire):
    """The one error object: problem details (RFC 9457) with a code, a message and a trace id."""

    type: str = Field(description="`urn:heddle:problem:` and the code.")
    title: str = Field(description="The phrase of the HTTP status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="The same as `message`.")
    instance: str = Field(description="The path that was asked for.")
    code: str = Field(description="A stable word for programs.")
    message: str = Field(description="One sentence for people: what was wrong, and what would be right.")
    trace_id: str = Field(description="Stands in the server's log, too, when the error is the server's.")
    error: str | None = Field(None, description="The same as `message`, under the Site API's own name; only there.")
    errors: dict[str, list[str]] | None = Field(
        None, description="Every bad field, by its path such as `steps[0].input.width`."
    )
