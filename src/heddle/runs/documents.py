"""A document that a caller gave, made ready to run here: on our own API, with the rights of the caller.

Nothing of this machine is read for it: descriptions are those that come with the package, and inputs are JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

#: What our own API is called in a plan; it stays when the address of the server changes.
OURS = "http://this-heddle"

#: Reading YAML is slow work, and nobody writes more by hand.
MOST_CHARACTERS = 256 * 1024


@dataclass(frozen=True, slots=True)
class Ready:
    """A plan with its inputs."""

    plan: Plan
    inputs: Mapping[str, Any]
    secrets: Secrets


def kept(text: str, workflow: str | None, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs to write down, when all is well: tokens for our API are left out, as it gives one itself.

    Raises InvalidRequest.
    """
    plan = _plan(text, workflow)
    own = plan.bearer_inputs()
    stored = {name: value for name, value in inputs.items() if name not in own}
    secret = next((name for name in stored if plan.is_secret(name)), None)
    if secret is not None:
        raise InvalidRequest.of(f"inputs.{secret}", "is a secret, and the server keeps none; run it with `heddle run`")
    _bound(plan, stored, "a-token")
    return stored


def ready(text: str, workflow: str | None, inputs: Mapping[str, Any], token: str) -> Ready:
    """To be run now, with a token that our API takes. Raises InvalidRequest."""
    plan = _plan(text, workflow)
    return Ready(plan, _bound(plan, inputs, token), Secrets([token]))


def _bound(plan: Plan, inputs: Mapping[str, Any], token: str) -> Mapping[str, Any]:
    try:
        return plan.main.inputs.bind({**inputs, **dict.fromkeys(plan.bearer_inputs(), token)})
    except UsageError as error:
        raise InvalidRequest.of("inputs", error.message) from error


def _plan(text: str, workflow: str | None) -> Plan:
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequest.of("document", f"has {len(text)} characters, and the server takes {MOST_CHARACTERS}")
    try:
        document = document_of(Tree("document", text), Path("/nonexistent"))
        _check_schemas(document)
        return make_plan(document, workflow, _descriptions(document), Leniency())
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


def _descriptions(document: Document) -> dict[str, Description]:
    return {source.name: _description(document, source) for source in document.sources}


def _description(document: Document, source: Source) -> Description:
    """By the file name of its URL alone: nothing is fetched, and no file beside the package is looked at."""
    folder = resources.files("heddle.arazzo") / "descriptions"
    names = [one.name for one in folder.iterdir() if one.name.endswith(".yml")]
    name = PurePosixPath(urlsplit(source.url).path).name
    if source.kind == "arazzo" or name not in names:
        raise document.tree.error(
            (*source.way, "url"),
            f"the source {source.name!r} is no API of this server",
            f"a run on the server has the sources: {', '.join(sorted(names))}",
        )
    tree = Tree(f"heddle:{name}", (folder / name).read_text(encoding="utf-8"))
    own = Description(source.name, tree)
    return Description(source.name, tree, relocated(own.own_server(), OURS))
