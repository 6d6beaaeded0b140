"""Where the descriptions of a document are found, and at which servers its operations live."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from heddle.arazzo.document import Document, Source, document_of
from heddle.arazzo.openapi import Description, origin, relocated
from heddle.arazzo.security import Keys
from heddle.arazzo.servers import given_for
from heddle.arazzo.tree import Tree, read_tree
from heddle.errors import UsageError


@dataclass(frozen=True, slots=True)
class Servers:
    """Base URLs: `named` is taken as it is; under `default` every source keeps the path of its own server URL.

    `variables` are those of the URLs in descriptions, by `NAME` or `SOURCE.NAME`.
    """

    named: Mapping[str, str] = field(default_factory=dict[str, str])
    default: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    def base(self, source: str, own_server: str) -> str | None:
        if source in self.named:
            return self.named[source]
        return relocated(own_server, self.default) if self.default else None

    def covers(self, source: str) -> bool:
        """Whether somebody said where the operations of `source` live."""
        return self.default is not None or source in self.named


@dataclass(frozen=True, slots=True)
class Linked:
    """A document with what it points at, by source name: OpenAPI descriptions and other Arazzo documents."""

    document: Document
    descriptions: Mapping[str, Description]
    others: Mapping[str, Linked]


def load_linked(document: Document, servers: Servers, paths: Mapping[str, Path], keys: Keys | None = None) -> Linked:
    """Everything that a document leads to, also by way of others. `paths` wins over every other place."""
    loader = _Loader(servers, paths, keys or Keys())
    linked = loader.load(document)
    loader.check_names(document)
    loader.check_variables()
    loader.check_keys()
    return linked


def load_descriptions(document: Document, servers: Servers, paths: Mapping[str, Path]) -> Mapping[str, Description]:
    """The OpenAPI descriptions of a document by source name."""
    return load_linked(document, servers, paths).descriptions


class _Loader:
    """Loads each document once, so that two that name each other do not go on for ever."""

    def __init__(self, servers: Servers, paths: Mapping[str, Path], keys: Keys) -> None:
        self._keys = keys
        self._servers = servers
        self._paths = paths
        self._loaded: dict[str, Linked] = {}
        self._names: dict[str, None] = {}

    def load(self, document: Document) -> Linked:
        descriptions: dict[str, Description] = {}
        others: dict[str, Linked] = {}
        linked = Linked(document, descriptions, others)
        self._loaded[_identity(document.tree)] = linked
        for source in document.sources:
            self._names[source.name] = None
            tree = find_tree(document, source, self._paths.get(source.name))
            if is_arazzo(source, tree):
                others[source.name] = self._loaded.get(_identity(tree)) or self.load(_other(tree, document))
            else:
                descriptions[source.name] = self._description(source.name, tree)
        return linked

    def check_names(self, document: Document) -> None:
        for option, names in (("--source", self._paths), ("--server", self._servers.named)):
            unknown = next((name for name in names if name not in self._names), None)
            if unknown is not None:
                raise UsageError(
                    f"{option} names the source {unknown!r}, which the document does not have",
                    f"its sources are: {', '.join(self._names)}",
                )

    def check_variables(self) -> None:
        if not self._servers.variables:
            return
        known = {one.source: one.server_variables() for one in self._described()}
        names = {name for source, own in known.items() for plain in own for name in (plain, f"{source}.{plain}")}
        unknown = next((name for name in self._servers.variables if name not in names), None)
        if unknown is not None:
            listed = ", ".join(sorted({plain for own in known.values() for plain in own})) or "none"
            raise UsageError(f"--server-var names {unknown!r}, which no server has", f"there are: {listed}")

    def _described(self) -> list[Description]:
        return [one for linked in self._loaded.values() for one in linked.descriptions.values()]

    def check_keys(self) -> None:
        described = self._described()
        self._keys.check((one.source, origin(one.server), scheme) for one in described for scheme in one.schemes())

    def _description(self, name: str, tree: Tree) -> Description:
        variables = given_for(name, self._servers.variables)
        own = Description(name, tree, variables=variables)
        return Description(name, tree, self._servers.base(name, own.own_server()), self._keys, variables)


def is_arazzo(source: Source, tree: Tree) -> bool:
    """By its type, else by what its text is."""
    value: Any = tree.value
    return source.kind == "arazzo" or (not source.kind and isinstance(value, dict) and "arazzo" in value)


def _other(tree: Tree, document: Document) -> Document:
    """Its own relative URLs start where it lies, and reach as far as those of the document that names it."""
    path = Path(tree.name)
    if not path.is_file():
        return document_of(tree, document.folder, document.home)
    folder = path.resolve().parent
    return document_of(tree, folder, document.home if _is_inside(folder, document.home) else folder)


def _identity(tree: Tree) -> str:
    path = Path(tree.name)
    return str(path.resolve()) if path.is_file() else tree.name


def find_tree(document: Document, source: Source, given: Path | None) -> Tree:
    """The text of a source: at `given`, near the document, or in the package."""
    if given is not None:
        return read_tree(given)
    for candidate in _candidates(document, source):
        if _is_inside(candidate, document.home) and _is_file(candidate):
            return read_tree(candidate)
    packaged = resources.files("heddle.arazzo") / "descriptions" / source.url.partition("?")[0].rpartition("/")[2]
    if re.fullmatch(r"[\w\-][\w.\-]{0,100}", packaged.name) and packaged.is_file():
        return Tree(f"heddle:{packaged.name}", packaged.read_text(encoding="utf-8"))
    outside = any(not _is_inside(candidate, document.home) for candidate in _candidates(document, source))
    why = "leads out of the folder of the document, and nothing is read there" if outside else "was not found"
    raise document.tree.error(
        (*source.way, "url"),
        f"the description {source.url!r} of the source {source.name!r} {why}",
        f"put it beside the document or name it with --source {source.name}=PATH",
        "missing-description",
    )


def _candidates(document: Document, source: Source) -> Iterator[Path]:
    """The place that the URL names, then the same file name beside the document. Nothing is fetched."""
    try:
        parts = urlsplit(source.url)
    except ValueError:
        return
    path = Path(unquote(parts.path).replace("\0", ""))
    if parts.scheme in ("", "file") and parts.netloc in ("", "localhost"):
        yield document.folder / path
    if path.name:
        yield document.folder / path.name


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # a name that is too long


def _is_inside(path: Path, home: Path) -> bool:
    """A document reads nothing above its folder, also not by a link; who runs it can, with --source."""
    try:
        return path.resolve().is_relative_to(home.resolve())
    except (OSError, RuntimeError, ValueError):
        return False  # a link to itself, or half a character
