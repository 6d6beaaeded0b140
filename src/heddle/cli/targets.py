"""Where a run goes: to servers of the command line or the last login, to one that is started, or nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle.cli import auth, credentials
from heddle.cli.asked import Asked, leniency_of, pairs

if TYPE_CHECKING:
    from heddle.arazzo.document import Document
    from heddle.arazzo.masking import Secrets
    from heddle.arazzo.plan import Plan
    from heddle.arazzo.sources import Servers

_PLACEHOLDER = "http://embedded.invalid"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a run goes: servers for its sources, tokens by origin, and what to call the place."""

    servers: Servers
    name: str
    tokens: Mapping[str, str] = field(default_factory=dict[str, str])


def nowhere() -> Target:
    """The server that would be started."""
    from heddle.arazzo.sources import Servers  # noqa: PLC0415

    return Target(Servers(default=_PLACEHOLDER), "the embedded server", {_PLACEHOLDER: "token-of-the-embedded-server"})


def made_up() -> Target:
    """The server that answers in a run with --mock."""
    from heddle.arazzo.mocking import SERVER  # noqa: PLC0415
    from heddle.arazzo.sources import Servers  # noqa: PLC0415

    return Target(Servers(default=SERVER), "the made-up server", {SERVER: "token-of-the-made-up-server"})


def target_of(asked: Asked) -> AbstractContextManager[Target] | None:
    """The servers of the command line, else of the last login; None asks for an embedded one."""
    from heddle.arazzo.sources import Servers  # noqa: PLC0415

    if asked.servers:
        named, default = _servers(asked.servers)
        return _known(Servers(named, default), ", ".join([*named.values(), *([default] if default else [])]))
    stored = None if asked.embedded else credentials.load().default
    return _known(Servers(default=stored), stored) if stored else None


@contextmanager
def _known(servers: Servers, name: str) -> Generator[Target]:
    stored = credentials.load()
    urls = [*servers.named.values(), *([servers.default] if servers.default else [])]
    found = {credentials.origin_of(url): stored.token_for(url) for url in urls}
    yield Target(servers, name, {origin: token for origin, token in found.items() if token})


@contextmanager
def embedded_target() -> Generator[Target]:
    from heddle.arazzo.sources import Servers  # noqa: PLC0415
    from heddle.cli.embedded import embedded  # noqa: PLC0415 - brings the whole server along

    start: Callable[[], AbstractContextManager[tuple[str, str]]] = embedded
    with start() as (url, token):
        yield Target(Servers(default=url), "the embedded server", {credentials.origin_of(url): token})


def _servers(texts: Sequence[str]) -> tuple[dict[str, str], str | None]:
    named: dict[str, str] = {}
    default: str | None = None
    for text in texts:
        match = re.fullmatch(r"([A-Za-z0-9_\-]+)=(.+)", text)
        url = match[2] if match else text
        credentials.origin_of(url)
        if match:
            named[match[1]] = url.rstrip("/")
        else:
            default = url.rstrip("/")
    return named, default


def servers_of(asked: Asked, target: Target) -> Servers:
    """With the variables of the command line."""
    return replace(target.servers, variables=dict(pairs(asked.server_vars, "--server-var", "NAME=VALUE")))


def secrets_of(plan: Plan, values: Mapping[str, Any], target: Target) -> Secrets:
    """What must not be shown of a run with these inputs, bound or not."""
    from heddle.arazzo.secrecy import known_secrets  # noqa: PLC0415

    return known_secrets(plan, values, target.servers, target.tokens.values())


def filled_in(plan: Plan, given: Mapping[str, Any], target: Target) -> dict[str, str]:
    """Tokens for missing inputs that are bearer tokens and nothing else, where all their servers share one."""
    filled: dict[str, str] = {}
    for name, origins in plan.bearer_inputs().items():
        tokens = {target.tokens.get(credentials.origin_of(origin)) for origin in origins}
        token = tokens.pop() if len(tokens) == 1 else None
        if name not in given and token is not None:
            filled[name] = token
    return filled


def plan_of(asked: Asked, document: Document, target: Target) -> Plan:
    from heddle.arazzo.plan import make_plan  # noqa: PLC0415
    from heddle.arazzo.session import check_covered  # noqa: PLC0415
    from heddle.arazzo.sources import load_linked  # noqa: PLC0415

    paths = {name: Path(path) for name, path in pairs(asked.sources, "--source", "NAME=PATH")}
    linked = load_linked(document, servers_of(asked, target), paths, auth.keys_of(asked.auths))
    plan = make_plan(document, asked.workflow, linked.descriptions, leniency_of(asked), linked.others)
    check_covered(plan, target.servers, "add --server SOURCE=URL, or --server URL for all")
    return plan
