"""OpenAPI 3 descriptions (and Swagger 2.0, translated), as far as making a request needs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from heddle.arazzo.expressions import ABSENT, ExpressionError, follow, pointer_tokens
from heddle.arazzo.security import Alternatives, Keys, Lock, demanded, scheme_of
from heddle.arazzo.servers import first_server, variables
from heddle.arazzo.swagger import is_swagger, operation_of, translated
from heddle.arazzo.tree import Tree
from heddle.errors import UsageError

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MAX_REFS = 30


@dataclass(frozen=True, slots=True)
class ParameterShape:
    """How one parameter is written into a request; `media` is the content type of one that has `content`."""

    name: str
    where: str
    style: str
    explode: bool
    required: bool = False
    allow_reserved: bool = False
    media: str = ""


@dataclass(frozen=True, slots=True)
class BodyShape:
    """One content type of a request body.

    `binary` names the parts that are files; `styles` has those that are written like a parameter of a query.
    """

    content_type: str
    binary: frozenset[str] = frozenset()
    part_types: Mapping[str, str] = field(default_factory=dict[str, str])
    styles: Mapping[str, ParameterShape] = field(default_factory=dict[str, ParameterShape])


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one path of one source."""

    source: str
    id: str
    method: str
    path: str
    server: str
    parameters: Mapping[tuple[str, str], ParameterShape]
    bodies: tuple[BodyShape, ...]
    body_required: bool = False
    security: Alternatives = ()

    def shape(self, name: str, where: str) -> ParameterShape:
        """The declared shape, or the default one of its place."""
        key = (name.lower() if where == "header" else name, where)
        return self.parameters.get(key) or default_shape(name, where)

    def body(self, content_type: str) -> BodyShape:
        """The one of this type, else of the narrowest range (`image/*`, `*/*`) with it, else an empty one."""
        wanted = media_type(content_type)
        fitting = [body for body in self.bodies if fits(wanted, body.content_type)]
        ordered = sorted(fitting, key=lambda body: body.content_type.count("*"))
        return replace(ordered[0], content_type=wanted) if ordered else BodyShape(wanted)


class Description:
    """One OpenAPI description.

    `server` replaces its own first server where given, `keys` open its security schemes, `variables` are those of
    servers.
    """

    def __init__(
        self,
        source: str,
        tree: Tree,
        server: str | None = None,
        keys: Keys | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.source = source
        self._keys = keys or Keys()
        self._variables = variables or {}
        self.tree = tree
        self._root = _object(tree.value)
        self._old = is_swagger(self._root)
        if self._old:
            self._root = translated(self._root)
        elif not str(self._root.get("openapi", "")).startswith(("3.0", "3.1", "3.2")):
            raise UsageError(f"{tree.name} is {_version(self._root)}", "descriptions are OpenAPI 3 or Swagger 2.0")
        self._index: tuple[dict[str, tuple[str, str, Mapping[str, Any]]], UsageError | None] | None = None
        self._built: dict[str, Operation] = {}
        self._moved = server is not None
        self.server = server or self.own_server()

    def own_server(self) -> str:
        """The first server that the description names."""
        return first_server(self._root, self._variables) or "/"

    def server_variables(self) -> set[str]:
        """Of its own servers, and of those of paths and operations."""
        items = map(self._resolved, _object(self._root.get("paths")).values())
        return set(variables([self._root, *items, *(fields for _, _, fields in self._operations())]))

    def schemes(self) -> list[str]:
        """Names of its security schemes."""
        return list(_object(_object(self._root.get("components")).get("securitySchemes")))

    def operation_ids(self) -> Iterator[str]:
        known, broken = self._by_id()
        yield from known
        if broken is not None:
            raise broken

    def operations(self) -> Iterator[tuple[Operation, Mapping[str, Any]]]:
        """Each that can be read, with the Operation Object that describes it."""
        for path, method, fields in self._operations():
            try:
                operation = self._build(path, method, fields)
            except UsageError:  # whoever needs it has been told by `operation`
                continue
            yield operation, fields

    def operation(self, name: str) -> Operation | None:
        known, broken = self._by_id()
        if name not in known:
            if broken is not None:
                raise broken
            return None
        if name not in self._built:
            self._built[name] = self._build(*known[name])
        return self._built[name]

    def operation_at(self, pointer: str) -> Operation | None:
        """`/paths/~1models~1{id}/get`."""
        try:
            tokens = pointer_tokens(pointer)
        except ExpressionError:
            return None
        if len(tokens) != 3 or tokens[0] != "paths" or not tokens[1].startswith("/") or tokens[2] not in METHODS:
            return None
        item = self._resolved(follow(self._root.get("paths", {}), tokens[1:2]))
        fields = item.get(tokens[2])
        return self._build(tokens[1], tokens[2], self._resolved(fields)) if isinstance(fields, dict) else None

    def may_answer(self, operation: Operation, pointer: Sequence[str]) -> bool:
        """Whether some described answer may have something at a JSON Pointer; also where the description is silent."""
        item = self._resolved(follow(self._root.get("paths", {}), (operation.path,)))
        _, fields = self._modern(item, self._resolved(item.get(operation.method.lower())))
        schemas = list(self._answers(fields))
        return not schemas or any(self._may_have(schema, tuple(pointer), set()) for schema in schemas)

    def _answers(self, fields: Mapping[str, Any]) -> Iterator[Any]:
        """The schema of every answer, True for one that is not described."""
        for response in _object(fields.get("responses")).values():
            content = _object(self._resolved(response).get("content"))
            for media in content.values():
                yield _object(media).get("schema", True)

    def _may_have(self, schema: Any, pointer: tuple[str, ...], seen: set[tuple[int, int]]) -> bool:
        """A schema without `properties` says nothing; one with them means these, unless it says otherwise."""
        if not pointer or not isinstance(schema, dict):
            return schema is not False
        fields = self._resolved(cast("dict[str, Any]", schema))
        if (id(fields), len(pointer)) in seen:
            return False  # a schema inside itself adds nothing at the same depth
        seen.add((id(fields), len(pointer)))
        choices = [one for name in ("allOf", "anyOf", "oneOf") for one in _items(fields, name)]
        return any(self._may_have(one, pointer, seen) for one in choices) or self._may_itself(fields, pointer, seen)

    def _may_itself(self, fields: Mapping[str, Any], pointer: tuple[str, ...], seen: set[tuple[int, int]]) -> bool:
        """Without a look at what it is combined with."""
        key, rest = pointer[0], pointer[1:]
        properties = _object(fields.get("properties"))
        if "items" in fields or fields.get("type") == "array":
            return key.isdigit() and self._may_have(fields.get("items", True), rest, seen)
        if key in properties:
            return self._may_have(properties[key], rest, seen)
        if properties:
            return fields.get("additionalProperties") not in (None, False) or "patternProperties" in fields
        combined = any(name in fields for name in ("allOf", "anyOf", "oneOf"))
        return not combined and fields.get("type") not in ("string", "number", "integer", "boolean")

    def _by_id(self) -> tuple[dict[str, tuple[str, str, Mapping[str, Any]]], UsageError | None]:
        """The first operation of each id, read once however many steps ask; and what is broken behind them."""
        if self._index is None:
            found: dict[str, tuple[str, str, Mapping[str, Any]]] = {}
            broken = None
            try:
                for path, method, fields in self._operations():
                    if isinstance(name := fields.get("operationId"), str):
                        found.setdefault(name, (path, method, fields))
            except UsageError as error:
                broken = error
            self._index = found, broken
        return self._index

    def _operations(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        for path, item in _object(self._root.get("paths")).items():
            if not path.startswith("/"):
                continue  # an extension; as a path it would become part of the host
            fields = self._resolved(item)
            for method in METHODS:
                if isinstance(fields.get(method), dict):
                    yield path, method, fields[method]

    def _build(self, path: str, method: str, fields: Mapping[str, Any]) -> Operation:
        item = self._resolved(follow(self._root.get("paths", {}), (path,)))
        item, fields = self._modern(item, fields)
        shapes = [_shape(self._resolved(one)) for one in (*_items(item, "parameters"), *_items(fields, "parameters"))]
        return Operation(
            source=self.source,
            id=str(fields.get("operationId") or f"{method.upper()} {path}"),
            method=method.upper(),
            path=path,
            server=self._server_of(item, fields),
            parameters={_key(shape): shape for shape in shapes},
            bodies=tuple(self._bodies(fields)),
            body_required=self._resolved(fields.get("requestBody")).get("required") is True,
            security=tuple(tuple(map(self._lock, names)) for names in demanded(self._root, fields)),
        )

    def _modern(
        self, item: Mapping[str, Any], fields: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A path item and its operation, in the words of OpenAPI 3."""
        if not self._old:
            return item, fields
        return {}, operation_of(self._root, item, fields, self._resolved)

    def _lock(self, name: str) -> Lock:
        described = _object(_object(self._root.get("components")).get("securitySchemes"))
        return self._keys.lock(self.source, scheme_of(name, self._resolved(described.get(name))))

    def _server_of(self, item: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
        """A server named at the operation or its path wins; where the source was moved, only its path counts."""
        own = first_server(fields, self._variables) or first_server(item, self._variables)
        if own is None:
            return self.server
        return relocated(own, origin(self.server)) if self._moved else own

    def _bodies(self, fields: Mapping[str, Any]) -> Iterator[BodyShape]:
        content = _object(self._resolved(fields.get("requestBody")).get("content"))
        for name, media in content.items():
            schema = self._resolved(_object(media).get("schema"))
            properties = self._properties(schema)
            binary = frozenset(part for part, one in properties.items() if self._is_binary(one))
            encoding = {part: _object(one) for part, one in _object(_object(media).get("encoding")).items()}
            types = {part: str(one["contentType"]) for part, one in encoding.items() if "contentType" in one}
            styles = {part: _styled(part, one) for part, one in encoding.items() if _STYLING & one.keys()}
            yield BodyShape(media_type(name), binary, types, styles)

    def _properties(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Also of the schemas that it is combined of, each looked at once; its own win."""
        found: dict[str, Any] = {}
        looked_at: dict[int, Mapping[str, Any]] = {}
        waiting = [schema]
        while waiting:
            fields = waiting.pop()
            if id(fields) in looked_at:
                continue
            looked_at[id(fields)] = fields
            found = {**_object(fields.get("properties")), **found}
            waiting += (self._resolved(one) for name in ("allOf", "anyOf", "oneOf") for one in _items(fields, name))
        return found

    def _is_binary(self, schema: Any) -> bool:
        """Bytes that are written as text, `contentEncoding: base64`, are a text."""
        fields = self._resolved(schema)
        if "items" in fields or fields.get("type") == "array":
            fields = self._resolved(fields.get("items") or {})
        return fields.get("format") == "binary" or ("contentMediaType" in fields and "contentEncoding" not in fields)

    def _resolved(self, value: Any) -> Mapping[str, Any]:
        """The object at the end of its local `$ref`s."""
        for _ in range(_MAX_REFS):
            if not isinstance(value, dict):
                return {}
            fields = cast("dict[str, Any]", value)
            reference = fields.get("$ref")
            if not isinstance(reference, str):
                return fields
            value = self._referred(reference)
        raise UsageError(f"{self.tree.name}: a $ref refers to itself")

    def _referred(self, reference: str) -> Any:
        if not reference.startswith("#"):
            raise UsageError(
                f"{self.tree.name}: the reference {reference!r} leads to another file", "bundle the description"
            )
        pointer = unquote(reference[1:])
        found = follow(self._root, pointer_tokens(pointer)) if pointer[:1] in ("", "/") else ABSENT
        if found is ABSENT:
            raise UsageError(f"{self.tree.name}: the reference {reference!r} leads nowhere")
        return found


def default_shape(name: str, where: str) -> ParameterShape:
    """What OpenAPI assumes where a parameter is not described."""
    form = where in ("query", "cookie")
    return ParameterShape(name, where, "form" if form else "simple", form)


def relocated(url: str, server: str) -> str:
    """`url`'s path at the place of `server`: scheme and host are replaced, the path is kept.

    Every path starts with a slash: `.example.org` or `@example.org` would else make another host of the server's.
    """
    base = urlsplit(server)
    path = (urlsplit(url).path if "://" in url else url).strip("/")
    return f"{base.scheme}://{base.netloc}{base.path.rstrip('/')}{'/' if path else ''}{path}"


def origin(url: str) -> str:
    """Scheme and host of a URL; what only looks like one has nothing in common with anything else."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.scheme}://{parts.netloc}".lower()


def without_user(url: str) -> str:
    """Without a name and password before the host; what only looks like a URL as it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def is_xml(content_type: str) -> bool:
    kind = media_type(content_type)
    return kind in ("application/xml", "text/xml") or kind.endswith("+xml")


def fits(kind: str, wanted: str) -> bool:
    """Whether a media type is `wanted`, which may be a range: `image/*`."""
    kind, wanted = media_type(kind), media_type(wanted)
    return wanted in (kind, "*/*", f"{kind.partition('/')[0]}/*")


def _version(root: Mapping[str, Any]) -> str:
    named = [f"{name} {root[key]}" for key, name in (("openapi", "OpenAPI"), ("swagger", "Swagger")) if key in root]
    return named[0] if named else "no OpenAPI description"


#: What says that a field of a form is written like a query parameter.
_STYLING = {"style", "explode", "allowReserved"}


def _styled(name: str, encoding: Mapping[str, Any]) -> ParameterShape:
    return _shape({**encoding, "name": name, "in": "query"})


def _shape(fields: Mapping[str, Any]) -> ParameterShape:
    default = default_shape(str(fields.get("name")), str(fields.get("in")))
    style = str(fields.get("style") or default.style)
    return ParameterShape(
        name=default.name,
        where=default.where,
        style=style,
        explode=bool(fields.get("explode", style == "form")),
        required=bool(fields.get("required", False)),
        allow_reserved=bool(fields.get("allowReserved", False)),
        media=media_type(next(iter(_object(fields.get("content"))), "")),
    )


def _key(shape: ParameterShape) -> tuple[str, str]:
    return (shape.name.lower() if shape.where == "header" else shape.name), shape.where


def _object(value: Any) -> dict[str, Any]:
    """An object, or an empty one where the description has something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _items(fields: Mapping[str, Any], name: str) -> list[Any]:
    items = fields.get(name)
    return cast("list[Any]", items) if isinstance(items, list) else []
