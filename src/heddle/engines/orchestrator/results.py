"""From what the other server shows of a step to artifacts of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from heddle.engines import Made
from heddle.errors import EngineFailed
from heddle.studio import remote

Fetch = Callable[[str], tuple[bytes, str]]


def step_of(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """The one step of a workflow."""
    return remote.members(next(iter(remote.items(workflow.get("steps"))), None))


def jobs_of(step: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its jobs, as they are."""
    return [remote.members(job) for job in remote.items(step.get("jobs"))]


def made(step: Mapping[str, Any], fetch: Fetch, told: Mapping[str, Any], media: Collection[str]) -> Iterator[Made]:
    """Everything that it made; `media` are the members of its output that hold blobs. Others come with the first."""
    shown = remote.members(step.get("output"))
    found = [
        remote.members(b) for job in jobs_of(step) for b in remote.items(remote.members(job.get("result")).get("blobs"))
    ]
    # A server of the live dialect shows blobs in the output alone. In its other members stands what a model wrote, or
    # whoever asked it: links there are texts, and nothing is fetched from them.
    found = found or list(_blobs([shown.get(name) for name in media]))
    output = {name: value for name, value in shown.items() if name not in media and not _is_media(value)}
    if not found and output and not media:
        yield Made(data=json.dumps(output).encode(), mime="application/json", metadata=told, output=output)
        return
    if not found:
        raise EngineFailed("the other server says that the step succeeded, and shows no result")
    for blob in sorted(found, key=lambda one: bool(one.get("role"))):
        yield _one(blob, fetch, told, output)
        output = {}


def _one(blob: Mapping[str, Any], fetch: Fetch, told: Mapping[str, Any], output: Mapping[str, Any]) -> Made:
    url = blob.get("url")
    if not isinstance(url, str):
        raise EngineFailed(f"the other server gives no link to {remote.short(blob.get('blobId') or blob.get('id'))}")
    data, said = fetch(url)
    seconds = blob.get("duration")
    lasts = blob.get("durationMs")
    if lasts is None and isinstance(seconds, int | float):
        lasts = round(seconds * 1000)
    return Made(
        data=data,
        mime=str(blob.get("mimeType") or said or "application/octet-stream"),
        width=blob.get("width"),
        height=blob.get("height"),
        duration_ms=lasts,
        metadata={**_metadata(blob), **told},
        role=str(blob.get("role") or ""),
        output=dict(output),
    )


def _metadata(blob: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of it there, and by which engine it was made."""
    said = remote.members(blob.get("metadata"))
    made = {name: value for name, value in said.items() if name != "blurhash"}
    if "engine" in made:
        made["ranBy"] = made.pop("engine")
    return made | {name: blob[name] for name in ("seed", "nsfwLevel") if isinstance(blob.get(name), int)}


def _blobs(value: object) -> Iterator[dict[str, Any]]:
    """Those anywhere in an output, each once."""
    seen: set[str] = set()
    waiting = [value]
    while waiting:
        here = waiting.pop(0)
        if _is_blob(here):
            one = remote.members(here)
            if one["url"] not in seen:
                seen.add(one["url"])
                yield one
        else:
            waiting += [*remote.members(here).values(), *remote.items(here)]


def _is_blob(value: object) -> bool:
    one = remote.members(value)
    return isinstance(one.get("url"), str) and isinstance(one.get("id"), str)


def _is_media(value: object) -> bool:
    return _is_blob(value) or any(_is_blob(one) for one in remote.items(value))
