"""A document that a caller gave, made ready to run here: on our own API, with the rights of the caller.

Nothing of this machine is read for it, and nothing is fetched: descriptions come with the package or with the document,
and inputs are JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, cast
from urllib.parse import urlsplit

from heddle.arazzo.document import Document, Source, document_of
from heddle.arazzo.inputs import InputSchema
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.masking import Secrets
from heddle.arazzo.openapi import Description, relocated
from heddle.arazzo.plan import Plan, make_plan
from heddle.arazzo.tree import Tree
from heddle.errors import InvalidRequest, UsageError
from heddle.runs.hosts import OURS, RunHosts
from heddle.runs.results import as_text

#: Reading YAML is slow work, and nobody writes more by hand. Descriptions may have as much, together.
MOST_CHARACTERS = 256 * 1024


@dataclass(frozen=True, slots=True)
class Sources:
    """Sources that the caller gave, by name as `{description, server}`, and the hosts that they may be on."""

    given: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    hosts: RunHosts = field(default_factory=RunHosts)


@dataclass(frozen=True, slots=True)
class Ready:
    """A plan with its inputs."""

    plan: Plan
    inputs: Mapping[str, Any]
    secrets: Secrets


def kept(text: str, workflow: str | None, inputs: Mapping[str, Any], sources: Sources | None = None) -> dict[str, Any]:
    """The inputs to write down, when all is well: tokens for our API are left out, as it gives one itself.

    Raises InvalidRequest.
    """
    plan = _plan(text, workflow, sources or Sources())
    own = _own_tokens(plan)
    stored = {name: value for name, value in inputs.items() if name not in own}
    secret = next((name for name in stored if plan.is_secret(name) or _holds_secrets(plan, name, stored[name])), None)
    if secret is not None:
        raise InvalidRequest.of(f"inputs.{secret}", "is a secret, and the server keeps none; run it with `heddle run`")
    _bound(plan, stored, "a-token")
    return stored


def _holds_secrets(plan: Plan, name: str, value: Any) -> bool:
    return any(True for _ in plan.main.inputs.secrets({name: value}))


def ready(
    text: str, workflow: str | None, inputs: Mapping[str, Any], token: str, sources: Sources | None = None
) -> Ready:
    """To be run now, with a token that our API takes. Raises InvalidRequest."""
    plan = _plan(text, workflow, sources or Sources())
    return Ready(plan, _bound(plan, inputs, token), Secrets([token]))


def _bound(plan: Plan, inputs: Mapping[str, Any], token: str) -> Mapping[str, Any]:
    try:
        return plan.main.inputs.bind({**inputs, **dict.fromkeys(_own_tokens(plan), token)})
    except UsageError as error:
        raise InvalidRequest.of("inputs", error.message) from error


def _own_tokens(plan: Plan) -> list[str]:
    """Inputs that are tokens for our API, which other hosts must not see. Raises InvalidRequest."""
    found: list[str] = []
    for name, origins in plan.bearer_inputs().items():
        others = sorted(origins - {OURS})
        if others and OURS in origins:
            raise InvalidRequest.of(
                f"inputs.{name}", f"is a token for this server and for {others[0]}; each needs an input of its own"
            )
        found += [] if others else [name]
    return found


def _plan(text: str, workflow: str | None, sources: Sources) -> Plan:
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequest.of("document", f"has {len(text)} characters, and the server takes {MOST_CHARACTERS}")
    try:
        tree = Tree("document", text)
        if as_text(tree.value) != tree.value:
            raise UsageError("it holds half a character, as \\ud800 without its second half is")
        document = document_of(tree, Path("/nonexistent"))
        _check_schemas(document)
        return make_plan(document, workflow, _descriptions(document, sources), Leniency())
    except UsageError as error:
        raise InvalidRequest.of(
            "document", f"{error.message}; {error.hint}" if error.hint else error.message
        ) from error


def _check_schemas(document: Document) -> None:
    """No regular expressions in the schemas of inputs, nor in what they refer to: they have no bound of time here."""
    waiting: list[Any] = [InputSchema(one.inputs, document.tree.value).schema for one in document.workflows]
    waiting.append(document.components)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            if isinstance(members.get("pattern"), str) or isinstance(members.get("patternProperties"), dict):
                raise UsageError("the schema of an input has a pattern, and the server searches for none")
            waiting += members.values()
        elif isinstance(value, list):
            waiting += cast("list[Any]", value)


def _descriptions(document: Document, sources: Sources) -> dict[str, Description]:
    _check_given(document, sources)
    return {
        one.name: _given(one, sources.given[one.name]) if one.name in sources.given else _own(document, one)
        for one in document.sources
    }


def _check_given(document: Document, sources: Sources) -> None:
    known = [one.name for one in document.sources]
    for name, one in sources.given.items():
        if name not in known:
            raise InvalidRequest.of(f"sources.{name}", f"is no source of the document; it has: {', '.join(known)}")
        if refused := sources.hosts.refused_base(one["server"]):
            raise InvalidRequest.of(f"sources.{name}.server", f"{one['server']!r}: {refused}")
    length = sum(len(one["description"]) for one in sources.given.values())
    if length > MOST_CHARACTERS:
        raise InvalidRequest.of(
            "sources", f"have {length} characters of descriptions, and the server takes {MOST_CHARACTERS}"
        )


def _given(source: Source, given: Mapping[str, str]) -> Description:
    where = f"sources.{source.name}.description"
    if source.kind == "arazzo":
        raise InvalidRequest.of(f"sources.{source.name}", "is an Arazzo document; a run on the server has one document")
    try:
        return Description(source.name, Tree(where, given["description"]), given["server"])
    except UsageError as error:
        raise InvalidRequest.of(where, error.message) from error


def _own(document: Document, source: Source) -> Description:
    """By the file name of its URL alone: nothing is fetched, and no file beside the package is looked at."""
    folder = resources.files("heddle.arazzo") / "descriptions"
    names = [one.name for one in folder.iterdir() if one.name.endswith(".yml")]
    name = PurePosixPath(urlsplit(source.url).path).name
    if source.kind == "arazzo" or name not in names:
        raise document.tree.error(
            (*source.way, "url"),
            f"the source {source.name!r} is no API of this server",
            f"a run on the server has the sources: {', '.join(sorted(names))}; others are given in `sources`",
        )
    tree = Tree(f"heddle:{name}", (folder / name).read_text(encoding="utf-8"))
    own = Description(source.name, tree)
    return Description(source.name, tree, relocated(own.own_server(), OURS))
