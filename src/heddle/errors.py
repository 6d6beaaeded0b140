"""Every error of Heddle.

HeddleError
├── CallerError                 the caller must change something; has an HTTP status and a code
│   ├── InvalidRequest          400  every bad field, by path
│   ├── Unauthorized            401
│   ├── InsufficientBuzz        402
│   ├── Forbidden               403
│   ├── NotFound                404
│   ├── NotAllowed              405
│   ├── Conflict                409
│   ├── TooLarge                413
│   ├── UnsupportedMedia        415
│   ├── UnsatisfiableRange      416
│   └── TooManyRequests         429
├── Unavailable                 503  try again later; nothing was written
├── JobError                    a job ended badly; says whether another attempt may help
│   ├── JobCanceled
│   ├── EngineFailed
│   └── AttemptLost             retryable: the worker died, hung or ran out of memory
└── UsageError                  a command line that cannot be carried out: one sentence and a hint
"""

from __future__ import annotations

from collections.abc import Mapping


class HeddleError(Exception):
    """The root; `message` is one sentence for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class CallerError(HeddleError):
    """The caller must change something."""

    status = 400
    code = "bad_request"


class InvalidRequest(CallerError):
    """A request with bad fields. `fields` maps a path such as `steps[0].input.width` to its problems."""

    code = "invalid_request"

    def __init__(self, message: str, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})

    @classmethod
    def of(cls, path: str, problem: str) -> InvalidRequest:
        """One bad field."""
        return cls(f"{path}: {problem}", {path: [problem]})


class Unauthorized(CallerError):
    """No token, or one that is not known here."""

    status = 401
    code = "unauthorized"


class InsufficientBuzz(CallerError):
    """The account cannot pay for the workflow; nothing was written."""

    status = 402
    code = "insufficient_buzz"


class Forbidden(CallerError):
    """The signature of a link is wrong or has expired, or the act is not allowed to this account."""

    status = 403
    code = "forbidden"


class NotFound(CallerError):
    """There is no such thing, or it belongs to another account."""

    status = 404
    code = "not_found"


class NotAllowed(CallerError):
    """The method does not exist at this address."""

    status = 405
    code = "method_not_allowed"


class Conflict(CallerError):
    """The thing is in a state that does not allow the act."""

    status = 409
    code = "conflict"


class TooLarge(CallerError):
    """More bytes, pixels or items than this server takes."""

    status = 413
    code = "too_large"


class UnsupportedMedia(CallerError):
    """A media type that this server does not take, or bytes that are not what they are said to be."""

    status = 415
    code = "unsupported_media"


class UnsatisfiableRange(CallerError):
    """A Range that lies outside the blob."""

    status = 416
    code = "unsatisfiable_range"


class TooManyRequests(CallerError):
    """Slow down; `retry_after` is in seconds."""

    status = 429
    code = "too_many_requests"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(HeddleError):
    """The server cannot do this now; the caller may try again."""


class JobError(HeddleError):
    """A job ended badly. `reason` is a stable word for programs, `message` a sentence for people."""

    retryable = False
    reason = "failed"

    def __init__(self, message: str, *, reason: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason
        if retryable is not None:
            self.retryable = retryable


class JobCanceled(JobError):
    """Raised inside an engine when somebody canceled its job; an engine lets it fly."""

    reason = "canceled"


class EngineFailed(JobError):
    """The engine says that it cannot make this."""

    reason = "engine_failed"


class AttemptLost(JobError):
    """The worker died, hung or ran out of memory; another attempt may succeed."""

    reason = "attempt_lost"
    retryable = True


class UsageError(HeddleError):
    """A command that cannot be carried out; `hint` says what to do instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
