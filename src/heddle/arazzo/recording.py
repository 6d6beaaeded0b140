"""What goes over the wire: a transport that lets every exchange through and tells it, masked and capped.

It sits below redirects, repeated reads, uploads and downloads, so each of these is an exchange of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter
from types import TracebackType
from typing import Any, Self, cast

import httpx

from heddle.arazzo.events import Event, StepEnded, StepStarted
from heddle.arazzo.masking import MASK, Secrets

DEFAULT_CAP = 1024 * 1024
BOUNDARY = "boundary-of-the-recording"
"""Every multipart body is told with this boundary: the real ones are random, and two runs shall compare."""

_SECRET_NAMES = re.compile(
    r"(authorization|cookie|(api|access|private|secret)[-_]?key|token|secret|passw(or)?d)$", re.IGNORECASE
)
_MEMBER = re.compile(r'"([^"\\]{1,80})"\s*:\s*"((?:[^"\\]|\\.)*)"')
_FIELD = re.compile(r"([^&=]{1,80})=([^&]*)")
_PARAMETER = re.compile(r"(([^?&=#/]{1,80})=)[^&#]+")
_MIN_SECRET = 8  # `"token": "fog"` in an answer is a word; what opens doors is longer

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it is told. `content` is all of it, its beginning (a long text), or nothing (long bytes).

    `size` is what travelled. `sha256` is that of the masked body, so that it gives nothing away and runs with other
    secrets compare; where an answer was too long to be kept, it is that of its bytes as they came.
    """

    size: int
    sha256: str
    content: bytes
    whole: bool

    @property
    def text(self) -> str | None:
        """None for bytes that are no text."""
        try:
            text = self.content.decode("utf-8")
        except UnicodeDecodeError:
            return None
        return None if "\0" in text else text


@dataclass(frozen=True, slots=True)
class Sent:
    """The request."""

    method: str
    url: str
    headers: Headers
    body: Body | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer; `body` is None where there was none, or nobody read it (redirects)."""

    status: int
    headers: Headers
    body: Body | None = None
    version: str = "HTTP/1.1"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no answer, or only half of one: the name of the error, and its words."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it. `step` is empty outside of steps; `wait` is the time until the headers came."""

    number: int
    step: str
    run: int
    started: datetime
    wait: float
    seconds: float
    request: Sent
    answer: Answered | None = None
    fault: Fault | None = None


class Recorder(httpx.AsyncBaseTransport):
    """Wraps a transport and tells each exchange to `tell`, as soon as it is over, whatever ended it."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        secrets: Secrets,
        tell: Callable[[Exchange], None],
        cap: int = DEFAULT_CAP,
    ) -> None:
        self._transport = transport
        self._veil = Veil(secrets)
        self._tell = tell
        self._cap = cap
        self._count = 0
        self._steps: list[StepStarted] = []

    def follow(self, event: Event) -> None:
        """Keep up with the run, to know the step of an exchange."""
        if isinstance(event, StepStarted):
            self._steps.append(event)
        elif isinstance(event, StepEnded) and self._steps:
            self._steps.pop()

    @property
    def step(self) -> str:
        """The step that the run is in; empty outside of steps."""
        return self._steps[-1].step if self._steps else ""

    def mask(self, value: Any) -> Any:
        """With what was found in answers masked as well."""
        return self._veil.mask(value)

    def again(self, exchange: Exchange) -> Exchange:
        """Masked once more, with what has been learned since."""
        veil, sent, answer = self._veil, exchange.request, exchange.answer
        request = replace(
            sent,
            url=veil.url(sent.url),
            headers=veil.headers(sent.headers),
            body=veil.body(sent.body, sent.headers),
        )
        if answer is not None:
            headers = veil.headers(answer.headers)
            answer = replace(answer, headers=headers, body=veil.body(answer.body, headers))
        return replace(exchange, request=request, answer=answer)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._transport.__aexit__(exc_type, exc_value, traceback)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        self._count += 1
        taken = _Taken(self, self._count, self._steps[-1] if self._steps else None, request, content)
        try:
            response = await self._transport.handle_async_request(request)
        except BaseException as error:
            taken.fail(error)
            taken.end()
            raise
        taken.answer(response)
        if response.is_closed:  # it came whole, as from a transport that asks nobody
            taken.take(response.content)
            taken.complete()
            taken.end()
            return response
        response.stream = _Watched(cast("httpx.AsyncByteStream", response.stream), taken)
        return response

    def told(self, taken: _Taken) -> None:
        """Called once for each exchange, when it is over."""
        self._tell(taken.exchange(self._veil, self._cap))

    def keeps(self) -> int:
        """How much of an answer must be held, for a secret across the cap to be seen."""
        return self._cap + self._veil.longest()


class Veil:
    """The secrets of the run, and those that answers brought: their members called token, secret and the like."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._found = Secrets()

    def mask(self, value: Any) -> Any:
        return self._found.mask(self._secrets.mask(value))

    def mask_bytes(self, content: bytes) -> bytes:
        return self._found.mask_bytes(self._secrets.mask_bytes(content))

    def longest(self) -> int:
        return max(self._secrets.longest, self._found.longest)

    def learn(self, content: bytes, headers: Sequence[tuple[str, str]]) -> None:
        """Look for secrets in an answer before it is told: a token is used only later."""
        kind = _content_type(headers)
        if "json" in kind:
            try:
                self._found.add(*_named_secrets(json.loads(content)))
            except (ValueError, RecursionError):  # an answer that is told in part is cut somewhere
                self._found.add(*_written_secrets(_MEMBER, content))
        elif "x-www-form-urlencoded" in kind:
            self._found.add(*_written_secrets(_FIELD, content))

    def url(self, url: str) -> str:
        """Also without what its parameters called token, key and the like hold."""
        masked = str(self.mask(url))
        return _PARAMETER.sub(lambda pair: pair[1] + MASK if _SECRET_NAMES.search(pair[2]) else pair[0], masked)

    def content(self, content: bytes, headers: Sequence[tuple[str, str]]) -> bytes:
        """A whole body. JSON stays JSON where a secret stands inside a number: the number becomes a text."""
        masked = self.mask_bytes(content)
        if masked == content or "json" not in _content_type(headers) or _is_json(masked):
            return masked
        try:
            return json.dumps(self._in_json(json.loads(content)), ensure_ascii=False).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            return masked

    def _in_json(self, value: Any) -> Any:
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value).items()
            return {str(self.mask(name)): self._in_json(member) for name, member in members}
        if isinstance(value, list):
            return [self._in_json(item) for item in cast("list[Any]", value)]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value if self.mask(str(value)) == str(value) else MASK
        return self.mask(value)

    def body(self, body: Body | None, headers: Sequence[tuple[str, str]]) -> Body | None:
        if body is None:
            return None
        masked = self.content(body.content, headers) if body.whole else self.mask_bytes(body.content)
        return replace(body, content=masked)

    def headers(self, pairs: Sequence[tuple[str, str]]) -> Headers:
        return tuple((name, MASK if _SECRET_NAMES.search(name) else str(self.mask(value))) for name, value in pairs)


class _Taken:
    """An exchange that goes on."""

    def __init__(
        self, recorder: Recorder, number: int, step: StepStarted | None, request: httpx.Request, content: bytes
    ) -> None:
        self._recorder = recorder
        self._number = number
        self._step = step
        self._request = request
        self._content = content
        self._response: httpx.Response | None = None
        self._fault: Fault | None = None
        self._kept = bytearray()
        self._size = 0
        self._hash = hashlib.sha256()
        self._complete = False
        self._over = False
        self._at = datetime.now(UTC)
        self._started = perf_counter()
        self._wait = 0.0
        self._seconds = 0.0

    def answer(self, response: httpx.Response) -> None:
        self._response = response
        self._wait = perf_counter() - self._started

    def take(self, chunk: bytes) -> None:
        self._size += len(chunk)
        self._hash.update(chunk)
        room = self._recorder.keeps() - len(self._kept)
        if room > 0:
            self._kept += chunk[:room]

    def complete(self) -> None:
        self._complete = True

    def fail(self, error: BaseException) -> None:
        self._fault = Fault(type(error).__name__, str(error))

    def end(self) -> None:
        if not self._over:
            self._over = True
            self._seconds = perf_counter() - self._started
            self._recorder.told(self)

    def exchange(self, veil: Veil, cap: int) -> Exchange:
        answer = self._answered(veil, cap)
        fault = self._fault
        return Exchange(
            number=self._number,
            step=self._step.step if self._step else "",
            run=self._step.run if self._step else 0,
            started=self._at,
            wait=self._wait or self._seconds,
            seconds=self._seconds,
            request=self._sent(veil, cap),
            answer=answer,
            fault=Fault(fault.kind, str(veil.mask(fault.message))) if fault else None,
        )

    def _sent(self, veil: Veil, cap: int) -> Sent:
        request = self._request
        headers = list(request.headers.multi_items())
        content, headers = _with_known_boundary(self._content, headers)
        body = None
        if content:
            masked = veil.content(content, headers)
            body = _body(masked, len(self._content), hashlib.sha256(masked).hexdigest(), cap, whole=True)
        return Sent(request.method, veil.url(str(request.url)), veil.headers(headers), body)

    def _answered(self, veil: Veil, cap: int) -> Answered | None:
        response = self._response
        if response is None:
            return None
        headers = list(response.headers.multi_items())
        body = self._answer_body(veil, headers, cap) if self._size else None
        version = response.extensions.get("http_version", b"HTTP/1.1").decode("ascii", "replace")
        return Answered(response.status_code, veil.headers(headers), body, version)

    def _answer_body(self, veil: Veil, headers: Sequence[tuple[str, str]], cap: int) -> Body:
        held = self._complete and self._size <= len(self._kept)
        content, fits = _decoded(bytes(self._kept), headers, self._recorder.keeps())
        veil.learn(content, headers)
        if held and fits:
            masked = veil.content(content, headers)
            return _body(masked, self._size, hashlib.sha256(masked).hexdigest(), cap, whole=True)
        masked = veil.mask_bytes(content)
        certain = masked[: max(0, len(masked) - veil.longest())]  # its end may be the beginning of a secret
        return _body(certain, self._size, self._hash.hexdigest(), cap, whole=False)


class _Watched(httpx.AsyncByteStream):
    """An answer on its way."""

    def __init__(self, stream: httpx.AsyncByteStream, taken: _Taken) -> None:
        self._stream = stream
        self._taken = taken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._taken.take(chunk)
                yield chunk
        except GeneratorExit:
            raise  # nobody wants the rest
        except BaseException as error:
            self._taken.fail(error)
            raise
        self._taken.complete()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._taken.end()


def _body(content: bytes, size: int, sha256: str, cap: int, *, whole: bool) -> Body:
    if whole and len(content) <= cap:
        return Body(size, sha256, content, whole)
    beginning = _whole_characters(content[:cap])
    return Body(size, sha256, beginning if _is_text(beginning) else b"", whole=False)


def _whole_characters(content: bytes) -> bytes:
    """Without half a character at the end."""
    for cut in range(min(4, len(content))):
        beginning = content[: len(content) - cut]
        if _is_text(beginning):
            return beginning
    return content


def _is_text(content: bytes) -> bool:
    return Body(0, "", content, whole=True).text is not None


def _decoded(content: bytes, headers: Sequence[tuple[str, str]], limit: int) -> tuple[bytes, bool]:
    """Without its content encoding, and whether that is all of it; a small answer may hold a huge one.

    Of what is packed in a way that cannot be undone here nothing is left: no secret could be seen in it.
    """
    encoding = next((value.strip().lower() for name, value in headers if name == "content-encoding"), "identity")
    if encoding in ("", "identity"):
        return content, True
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return b"", False
    for kind in (_GZIP_OR_ZLIB, _RAW_DEFLATE):
        with suppress(zlib.error):
            plain = zlib.decompressobj(kind).decompress(content, limit + 1)
            return plain[:limit], len(plain) <= limit
    return b"", False


_GZIP_OR_ZLIB, _RAW_DEFLATE = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS


def _content_type(headers: Sequence[tuple[str, str]]) -> str:
    return next((value.lower() for name, value in headers if name == "content-type"), "")


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def _with_known_boundary(content: bytes, headers: list[tuple[str, str]]) -> tuple[bytes, list[tuple[str, str]]]:
    kind = next((value for name, value in headers if name == "content-type"), "")
    boundary = re.search(r'multipart/.*;\s*boundary="?([^";]+)"?', kind)
    if boundary is None:
        return content, headers
    plain = [(name, value.replace(boundary[1], BOUNDARY)) for name, value in headers]
    return content.replace(boundary[1].encode(), BOUNDARY.encode()), plain


def _written_secrets(pair: re.Pattern[str], content: bytes) -> Iterator[str]:
    """The same in a text that is no whole JSON value."""
    for name, value in pair.findall(content.decode("utf-8", "surrogateescape")):
        if len(value) >= _MIN_SECRET and _SECRET_NAMES.search(name):
            yield value


def _named_secrets(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, member in cast("Mapping[str, Any]", value).items():
            if isinstance(member, str) and len(member) >= _MIN_SECRET and _SECRET_NAMES.search(name):
                yield member
            else:
                yield from _named_secrets(member)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _named_secrets(item)
