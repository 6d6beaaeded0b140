"""Security schemes of OpenAPI: which credential an operation asks for, and where it stands in the request.

A credential comes from the person who starts the run and never passes through the document: no expression can read it,
so no step can carry it to another server.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast
from urllib.parse import quote

from heddle.errors import UsageError

#: What may stand in a cookie as it is.
_COOKIE_SAFE = "!#$%&'()*+-./:<=>?@[]^_`{|}~"
VARIABLE = "HEDDLE_AUTH_"


@dataclass(frozen=True, slots=True)
class Scheme:
    """One scheme. `kind` is bearer, basic or apiKey, else what Heddle does not carry out."""

    name: str
    kind: str
    where: str = "header"
    parameter: str = "Authorization"

    @property
    def carried_out(self) -> bool:
        return self.kind in ("bearer", "basic", "apiKey")

    @property
    def place(self) -> tuple[str, str]:
        """Where its parameter stands, and its name; those of headers in lower case."""
        return self.where, self.parameter.lower() if self.where == "header" else self.parameter


@dataclass(frozen=True, slots=True)
class Key:
    """What the user gave for a scheme, and how: `--auth` or a variable."""

    value: str = field(repr=False)
    origin: str

    def check(self, scheme: Scheme) -> None:
        """Raises UsageError where it cannot be a credential of this scheme; the message does not show it."""
        if not scheme.carried_out:
            raise UsageError(
                f"{self.origin}: the security scheme {scheme.name!r} is {scheme.kind}, which cannot be carried out",
                "known are http bearer, http basic, apiKey, and tokens for oauth2 and openIdConnect",
            )
        if not self.value or re.search(r"[\x00-\x1f\x7f]", self.value):
            raise UsageError(f"{self.origin} is empty or holds a control character", "give it as one line")
        if scheme.kind == "basic" and ":" not in self.value:
            raise UsageError(f"{self.origin} is not user:password", f"{scheme.name!r} is http basic")


@dataclass(frozen=True, slots=True)
class Lock:
    """A scheme that an operation asks for; `key` is None where the user gave none."""

    scheme: Scheme
    key: Key | None = None

    def text(self) -> str:
        """As it stands in the request."""
        assert self.key is not None
        value = self.key.value
        if self.scheme.kind == "basic":
            return basic(value)
        if self.scheme.kind == "bearer":
            return f"Bearer {re.sub('^bearer +', '', value, flags=re.IGNORECASE)}"
        return value

    def secrets(self) -> Iterator[str]:
        """Every text that would give it away."""
        assert self.key is not None
        yield from (self.key.value, self.text())
        if self.scheme.kind != "apiKey":
            yield self.text().partition(" ")[2]
        if self.scheme.kind == "basic":
            yield self.key.value.partition(":")[2]


Alternatives: TypeAlias = tuple[tuple[Lock, ...], ...]
"""Any of them will do; of one, all locks are needed. One without locks asks for nothing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a request carries: locks that are opened for it, schemes that the document serves itself, and what lacks."""

    opened: tuple[Lock, ...] = ()
    by_document: tuple[Scheme, ...] = ()
    missing: tuple[Scheme, ...] = ()


def choose(alternatives: Alternatives, taken: Collection[tuple[str, str]]) -> Choice:
    """The first alternative that can be met; the document's own parameters (`taken`) go first, doing without last."""
    wanted = [one for one in alternatives if one]
    for alternative in wanted:
        if all(lock.scheme.place in taken for lock in alternative):
            return Choice(by_document=_schemes(alternative))
    for alternative in wanted:
        own = [lock for lock in alternative if lock.scheme.place not in taken]
        if all(lock.key is not None for lock in own):
            return Choice(tuple(own), _schemes(lock for lock in alternative if lock not in own))
    if len(wanted) < len(alternatives) or not wanted:
        return Choice()
    return Choice(missing=_schemes(lock for lock in wanted[0] if lock.key is None and lock.scheme.place not in taken))


def _schemes(locks: Iterable[Lock]) -> tuple[Scheme, ...]:
    return tuple(lock.scheme for lock in locks)


def place(name: str, where: str) -> tuple[str, str]:
    """A parameter as `choose` looks for it."""
    return where, name.lower() if where == "header" else name


def with_credentials(
    url: str, headers: Sequence[tuple[str, str]], opened: Iterable[Lock]
) -> tuple[str, list[tuple[str, str]]]:
    """URL and headers as they are sent."""
    sent = list(headers)
    for lock in opened:
        scheme = lock.scheme
        if scheme.where == "query":
            joint = "&" if "?" in url else "?"
            url = f"{url}{joint}{quote(scheme.parameter, safe='')}={quote(lock.text(), safe='')}"
        elif scheme.where == "cookie":
            sent = _with_cookie(sent, f"{scheme.parameter}={quote(lock.text(), safe=_COOKIE_SAFE)}")
        else:
            sent.append((scheme.parameter, lock.text()))
    return url, sent


def _with_cookie(headers: Sequence[tuple[str, str]], pair: str) -> list[tuple[str, str]]:
    """A request has one Cookie header."""
    before = [value for name, value in headers if name.lower() == "cookie"]
    others = [(name, value) for name, value in headers if name.lower() != "cookie"]
    return [*others, ("Cookie", "; ".join([*before, pair]))]


def basic(text: str) -> str:
    """`name:password` as a header."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"


# Keys


class Keys:
    """Credentials by scheme: `--auth` first, then the environment; a name with its source wins over one without."""

    def __init__(self, given: Mapping[str, str] | None = None, variables: Mapping[str, str] | None = None) -> None:
        self._given = given or {}
        self._variables = variables or {}

    def key(self, source: str, scheme: str) -> Key | None:
        for name in (f"{source}.{scheme}", scheme):
            if name in self._given:
                return Key(self._given[name], f"--auth {name}")
        for name in (variable(source, scheme), variable(scheme)):
            if self._variables.get(name):
                return Key(self._variables[name], name)
        return None

    def lock(self, source: str, scheme: Scheme) -> Lock:
        key = self.key(source, scheme.name)
        if key is not None:
            key.check(scheme)
        return Lock(scheme, key)

    def check(self, schemes: Iterable[tuple[str, str, str]]) -> None:
        """Over every (source, origin of its server, scheme): each key has a use, and goes to one server only."""
        known = list(schemes)
        names = {name for source, _, scheme in known for name in (scheme, f"{source}.{scheme}")}
        for name in self._given:
            if name not in names:
                listed = ", ".join(dict.fromkeys(scheme for _, _, scheme in known)) or "none"
                raise UsageError(f"--auth names {name!r}, which is no security scheme here", f"there are: {listed}")
        self._check_servers(known)

    def _check_servers(self, known: Sequence[tuple[str, str, str]]) -> None:
        """A secret for one server must not reach another because both call their scheme the same."""
        uses: dict[str, dict[str, str]] = {}
        for source, server, scheme in known:
            key = self.key(source, scheme)
            if key is not None:
                uses.setdefault(key.origin, {})[server] = f"{source}.{scheme}"
        for origin, servers in uses.items():
            if len(servers) > 1:
                raise UsageError(
                    f"{origin} would go to {' and '.join(servers)}",
                    f"give one for each with --auth {'=… and --auth '.join(servers.values())}=…",
                )


def variable(*names: str) -> str:
    """`HEDDLE_AUTH_<SCHEME>` or `HEDDLE_AUTH_<SOURCE>_<SCHEME>`."""
    return VARIABLE + "_".join(re.sub(r"[^A-Z0-9]", "_", name.upper()) for name in names)


# Descriptions


def scheme_of(name: str, fields: Mapping[str, Any]) -> Scheme:
    """One entry of `components.securitySchemes`."""
    kind = str(fields.get("type", "not described"))
    if kind == "apiKey":
        where = str(fields.get("in"))
        known = where in ("header", "query", "cookie") and bool(fields.get("name"))
        return Scheme(name, kind if known else f"an apiKey in {where!r}", where, str(fields.get("name", "")))
    if kind == "http":
        how = str(fields.get("scheme", "")).lower()
        return Scheme(name, how if how in ("bearer", "basic") else f"http {how}")
    return Scheme(name, "bearer" if kind in ("oauth2", "openIdConnect") else kind)


def demanded(root: Mapping[str, Any], fields: Mapping[str, Any]) -> list[list[str]]:
    """Names of schemes, alternative by alternative. What the operation says replaces what the description says."""
    listed: Any = fields.get("security", root.get("security"))
    items = cast("list[Any]", listed) if isinstance(listed, list) else []
    return [list(cast("dict[str, Any]", one)) for one in items if isinstance(one, dict)]
