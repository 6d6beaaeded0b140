"""The other server over HTTP. Raises JobError, retryable where it is away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self, cast

import httpx
import msgspec

from heddle.engines.orchestrator.options import Options
from heddle.errors import EngineFailed, JobError
from heddle.studio import remote

_WORKFLOWS = "/v2/consumer/workflows"
_BLOBS = "/v2/consumer/blobs"
_LANGUAGE = "the orchestration API"

_MOST_JSON = 16 * 1024 * 1024

#: How long one answer may take: while it does, a cancel is not heard.
_ANSWER_S = 20.0

_MOST_REDIRECTS = 3


class There:
    """A connection, for one job."""

    def __init__(self, options: Options) -> None:
        self._most = options.most_mb * 1024 * 1024
        wait_s = min(options.silence_s, _ANSWER_S)
        self._client = remote.client(options.url, silence_s=wait_s, key=options.token)
        # Links are signed, and may lead to a storage elsewhere: the token stays here.
        self._files = httpx.Client(
            timeout=httpx.Timeout(wait_s), trust_env=False, follow_redirects=True, max_redirects=_MOST_REDIRECTS
        )
        self._speaking = remote.Speaking(self._client, _LANGUAGE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._files.close()

    def upload(self, data: bytes, mime: str) -> str:
        """A source; its blob id there."""
        found = self._json("POST", _BLOBS, content=data, headers={"Content-Type": mime}).get("id")
        if not isinstance(found, str):
            raise EngineFailed("the other server took a source and gave it no id")
        return found

    def tagged(self, tag: str) -> list[dict[str, Any]]:
        """The workflows there that have a tag, the newest first."""
        found = self._json("GET", _WORKFLOWS, params={"tags": tag, "take": "20"})
        return [one for item in remote.items(found.get("items")) if (one := remote.members(item)).get("id")]

    def submit(self, workflow: Mapping[str, Any], key: str) -> dict[str, Any] | None:
        """A new workflow, or the one that the key made before; None when that was for another request."""
        headers = {"Idempotency-Key": key}
        with self._speaking:
            answer = self._client.post(_WORKFLOWS, json={**workflow, "externalId": key}, headers=headers)
            if answer.status_code == 409:
                return None
            if answer.status_code == 402:
                raise JobError(
                    f"the account at the other server cannot pay: {_reason(answer)}", reason="engine_unavailable"
                )
            remote.check(answer, "orchestrator", _reason, "token")
            return _object(answer.content)

    def workflow(self, workflow_id: str) -> dict[str, Any]:
        """As it is now."""
        return self._json("GET", f"{_WORKFLOWS}/{workflow_id}")

    def cancel(self, workflow_id: str) -> None:
        """Nobody waits for it any more."""
        with self._speaking:
            self._client.put(f"{_WORKFLOWS}/{workflow_id}", json={"status": "canceled"})

    def file(self, url: str, tick: Callable[[], None]) -> tuple[bytes, str]:
        """What a link leads to, and its media type."""
        where = httpx.URL(self._client.base_url).join(url)
        with self._speaking, self._files.stream("GET", where) as answer:
            if answer.is_error:
                answer.read()
            remote.check(answer, "orchestrator", _reason, "token")
            data = remote.read(answer, self._most, "a result of the other server", tick)
        return data, answer.headers.get("content-type", "").partition(";")[0].strip().lower()

    def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        with self._speaking, self._client.stream(method, path, **more) as answer:
            if answer.is_error:
                answer.read()
            remote.check(answer, "orchestrator", _reason, "token")
            return _object(remote.read(answer, _MOST_JSON, f"the answer to {path}"))


def _object(data: bytes) -> dict[str, Any]:
    """Raises ValueError for what is no JSON object."""
    found = msgspec.json.decode(data)
    if not isinstance(found, dict):
        raise ValueError("it answered with JSON that is no object")  # noqa: TRY004 - read as all else that is not JSON
    return cast("dict[str, Any]", found)


def _reason(answer: httpx.Response) -> str:
    """Its message, or the first bad field, whichever dialect it speaks."""
    try:
        said = remote.members(msgspec.json.decode(answer.content))
    except ValueError:
        return answer.text
    return str(said.get("message") or said.get("detail") or said.get("title") or answer.text)
