"""The Site API's first operations: a model version by id, and who asks."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from heddle.api.auth import account
from heddle.api.deps import answer, deps
from heddle.catalog import entries
from heddle.contract import site
from heddle.errors import InvalidRequest, NotFound


async def get_model_version(request: Request) -> Response:
    """One version of a catalog model. Open to everybody; a token that is sent must be good."""
    if "authorization" in request.headers:
        await account(request)
    version_id = _id(request)
    found = await deps(request).db.read(entries.of_version, version_id)
    if found is None:
        raise NotFound(f"the catalog has no model version {version_id}")
    return answer(site.model_version(found.version, found.model, found.files))


async def get_current_user(request: Request) -> Response:
    """The account of the token."""
    return answer(site.user(await account(request)))


def _id(request: Request) -> int:
    """The id in the path; the route may have converted it already."""
    text = str(request.path_params["id"])
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidRequest.of("id", f"{text[:80]!r} is not the number of a model version")
    return int(text)
