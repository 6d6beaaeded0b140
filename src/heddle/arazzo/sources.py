"""Where the descriptions of a document are found, and at which servers its operations live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urlsplit

from heddle.arazzo.document import Document, Source
from heddle.arazzo.openapi import Description, relocated
from heddle.arazzo.tree import Tree, read_tree
from heddle.errors import UsageError


@dataclass(frozen=True, slots=True)
class Servers:
    """Base URLs: `named` is taken as it is; under `default` every source keeps the path of its own server URL."""

    named: Mapping[str, str] = field(default_factory=dict[str, str])
    default: str | None = None

    def base(self, source: str, own_server: str) -> str | None:
        if source in self.named:
            return self.named[source]
        return relocated(own_server, self.default) if self.default else None


def load_descriptions(document: Document, servers: Servers, paths: Mapping[str, Path]) -> dict[str, Description]:
    """The OpenAPI descriptions of a document by source name. `paths` wins over every other place."""
    _check_names(document, "--source", paths)
    _check_names(document, "--server", servers.named)
    found: dict[str, Description] = {}
    for source in document.sources:
        if source.kind == "openapi":
            tree = find_tree(document, source, paths.get(source.name))
            own = Description(source.name, tree)
            found[source.name] = Description(source.name, tree, servers.base(source.name, own.own_server()))
    return found


def find_tree(document: Document, source: Source, given: Path | None) -> Tree:
    """The text of a source: at `given`, near the document, or in the package."""
    if given is not None:
        return read_tree(given)
    for candidate in _candidates(document, source):
        if candidate.is_file():
            return read_tree(candidate)
    packaged = resources.files("heddle.arazzo") / "descriptions" / Path(urlsplit(source.url).path).name
    if packaged.is_file():
        return Tree(f"heddle:{packaged.name}", packaged.read_text(encoding="utf-8"))
    raise document.tree.error(
        (*source.way, "url"),
        f"the description {source.url!r} of the source {source.name!r} was not found",
        f"put it beside the document or name it with --source {source.name}=PATH",
        "missing-description",
    )


def _candidates(document: Document, source: Source) -> Iterator[Path]:
    """The place that the URL names, then the same file name beside the document. Nothing is fetched."""
    parts = urlsplit(source.url)
    path = Path(unquote(parts.path))
    if parts.scheme in ("", "file"):
        yield document.folder / path
    if path.name:
        yield document.folder / path.name


def _check_names(document: Document, option: str, names: Mapping[str, object]) -> None:
    known = [source.name for source in document.sources]
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise UsageError(
            f"{option} names the source {unknown!r}, which the document does not have",
            f"its sources are: {', '.join(known)}",
        )
