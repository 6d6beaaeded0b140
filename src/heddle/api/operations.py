"""What an operation is: a row of the route table, from which routes, OpenAPI and the docs page are all made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of an API."""

    id: str
    method: str
    path: str
    tag: str
    handler: Handler
    #: The answer in the good case, and the model that describes its body.
    status: int = 200
    shows: type[BaseModel] | None = None
    #: The media types of the body where it is not JSON, with commas between them.
    gives: str = ""
    #: The model of the query and of the JSON body.
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    #: The media type of the body where it is not JSON.
    body_type: str = "application/json"
    #: Path parameters: name -> what it is.
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Other statuses that a caller must expect.
    errors: tuple[int, ...] = (400, 401)
    #: `bearer`, `optional` or `signature` (the link itself authorizes).
    auth: str = "bearer"

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.handler.__doc__ or self.id).strip().splitlines()[0]
