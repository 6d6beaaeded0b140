"""Chat completions over HTTP: one request an answer, streamed, so that a cancel stops the server within a token."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Literal, Protocol, Self

import httpx
import msgspec

from heddle.domain import JSON
from heddle.errors import EngineFailed
from heddle.studio import remote

#: What all choices together may be long, in bytes of JSON: the first stands in the output up to three times (as a
#: choice, as the text, and as what was parsed or the enhanced prompt), and the output is kept with the workflow.
_MOST_BYTES = 80_000
#: And a line of the stream.
_LINE_BYTES = 1_000_000

_ENHANCE = (
    "You improve prompts for pictures{family}. Rewrite what the user sends as one vivid, concrete prompt: subject,"
    " setting, composition, light, style. Keep what the user asked for. Answer with the prompt alone."
)


class Watcher(Protocol):
    """What a chat needs to know of the job that it is for."""

    job_id: str

    def progress(self, fraction: float, note: str = "") -> None:
        """Hear how far it is, and let a cancel through."""
        ...


class Chat:
    """A connection to the server at `url`, for one job of an engine."""

    def __init__(self, url: str, *, engine: str, tokens: int, silence_s: float, key: str = "") -> None:
        self._engine = engine
        self._tokens = tokens
        self._client = remote.client(url, silence_s=silence_s, key=key)
        self._speaking = remote.Speaking(self._client, "chat completions")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def answer(self, payload: JSON, context: Watcher, model: str) -> dict[str, Any]:
        """All choices in the shape of a chat completion, with the first text beside it. Raises JobError.

        `payload` is a job's of textGen, and `model` is the server's name for what answers.
        """
        context.progress(0.0, "asking")
        asked = self._request(payload, model)
        made = [self._choice(asked, payload, i, context) for i in range(payload["n"])]
        shown: dict[str, Any] = {
            "id": f"chatcmpl-{context.job_id}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": asked["model"],
            "choices": [
                {"index": i, "message": {"role": "assistant", "content": one.text}, "finishReason": one.finish}
                for i, one in enumerate(made)
            ],
            "usage": _usage(made),
            "text": made[0].text,
        }
        if payload["json"]:
            shown["parsed"] = _parsed(made[0])
        if payload["enhance"]:
            shown["enhancedPrompt"] = made[0].text
        return {name: value for name, value in shown.items() if value is not None}

    def _request(self, payload: JSON, model: str) -> dict[str, Any]:
        asked = {
            "model": model,
            "messages": _messages(payload),
            "temperature": payload["temperature"],
            "top_p": payload.get("topP"),
            "max_tokens": payload.get("maxWords") or self._tokens,
            "stop": payload["stop"] or None,
            "response_format": _format(payload),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return {name: value for name, value in asked.items() if value is not None}

    def models(self) -> list[str]:
        """The server's models, by its names."""
        with self._speaking:
            answer = self._client.get("/models")
            self._check(answer)
            return [one.id for one in msgspec.json.decode(answer.content, type=_Models).data]

    def _check(self, answer: httpx.Response) -> None:
        remote.check(answer, self._engine, _reason)

    def _choice(self, asked: dict[str, Any], payload: JSON, index: int, context: Watcher) -> _Choice:
        choice, most = _Choice(), _MOST_BYTES // payload["n"]
        body = asked | {"seed": (payload["seed"] + index) % 2**31}
        with self._speaking, self._client.stream("POST", "/chat/completions", json=body) as answer:
            if answer.is_error:
                answer.read()
            self._check(answer)
            for event in _events(answer):
                choice.take(event)
                if choice.size > most:
                    choice.cut(most)
                    break
                done = (index + min(0.99, choice.pieces / asked["max_tokens"])) / payload["n"]
                context.progress(done, f"{choice.pieces} tokens")
        if not choice.ended:
            raise remote.away(
                f"the server at {self._client.base_url.netloc.decode()} broke off in the middle of an answer"
            )
        return choice


class _Delta(msgspec.Struct):
    content: str | None = None


class _Part(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Event(msgspec.Struct):
    """What is read of a line of the stream."""

    choices: list[_Part] | None = None
    usage: _Usage | None = None
    error: Any = None


#: The line after the last one.
_END = _Event()


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class _Refusal(msgspec.Struct):
    error: Any


class _Choice:
    """An answer as it comes in."""

    def __init__(self) -> None:
        self.text = ""
        self.pieces = 0
        #: Bytes of the text as it will stand in JSON.
        self.size = 0
        #: Whether the server said that this is all.
        self.ended = False
        self.finish: Literal["stop", "length"] = "stop"
        self.usage = _Usage()

    def take(self, event: _Event) -> None:
        """A part of it. What is of another kind (reasoning, tools) is passed over."""
        self.ended = self.ended or event is _END
        if event.error is not None:
            raise EngineFailed(f"the server broke off: {remote.said(event.error)}")
        for one in event.choices or []:
            piece = one.delta.content or ""
            self.text += piece
            self.size += len(msgspec.json.encode(piece)) - 2
            self.pieces += 1
            self.ended = self.ended or one.finish_reason is not None
            if one.finish_reason == "length":
                self.finish = "length"
        self.usage = event.usage or self.usage

    def cut(self, most: int) -> None:
        """To so many bytes."""
        while self.size > most:
            cut = max(1, (self.size - most) // 12)  # a character takes twelve at most
            self.size -= len(msgspec.json.encode(self.text[-cut:])) - 2
            self.text = self.text[:-cut]
        self.finish, self.ended = "length", True


def _reason(answer: httpx.Response) -> str:
    try:
        return remote.said(msgspec.json.decode(answer.content, type=_Refusal).error)
    except ValueError:
        return answer.text


def _events(answer: httpx.Response) -> Iterator[_Event]:
    """Of the stream. Raises ValueError for what is none."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise ValueError(f"it sent {kind or 'something without a type'!r} where a text/event-stream was asked for")
    left = b""
    for piece in answer.iter_bytes():
        *lines, left = (left + piece).split(b"\n")
        if len(left) > _LINE_BYTES:
            raise ValueError("a line without end")
        for line in lines:
            data = line.strip().removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
            if data == b"[DONE]":
                yield _END
                return
            if data:
                yield msgspec.json.decode(data, type=_Event)


def _messages(payload: JSON) -> list[dict[str, str]]:
    said = [{"role": m["role"], "content": m["text"]} for m in payload["messages"]]
    if payload["enhance"]:
        family = f" made by models of the family {payload['ecosystem']}" if payload.get("ecosystem") else ""
        task = " ".join(filter(None, [_ENHANCE.format(family=family), payload.get("instruction")]))
    else:
        task = payload.get("instruction")
    return [{"role": "system", "content": task}, *said] if task else said


def _format(payload: JSON) -> dict[str, Any] | None:
    if not payload["json"]:
        return None
    schema = payload.get("schema")
    if schema is None:
        return {"type": "json_object"}
    named = schema if isinstance(schema.get("schema"), dict) else {"schema": schema}
    return {"type": "json_schema", "json_schema": {"name": "answer", **named}}


def _parsed(choice: _Choice) -> Any:
    if choice.finish == "length":
        return None
    try:
        return json.loads(choice.text)
    except ValueError as error:
        raise EngineFailed(f"responseFormat: the model's answer is no JSON: {remote.short(choice.text)!r}") from error


def _usage(made: list[_Choice]) -> dict[str, int]:
    """Of the whole; what a server did not count is counted by the pieces that it sent."""
    prompt = max(one.usage.prompt_tokens or 0 for one in made)
    said = sum(one.pieces if one.usage.completion_tokens is None else one.usage.completion_tokens for one in made)
    return {"promptTokens": prompt, "completionTokens": said, "totalTokens": prompt + said}
