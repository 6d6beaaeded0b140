"""The reference page, made from the OpenAPI document: one self-contained HTML file without scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any, cast

from heddle.engines import Offer
from heddle.errors import CallerError

Node = Mapping[str, Any]

#: Nothing is loaded and nothing runs; the page is text and its own style.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

#: What the bytes that an operation answers are written to.
_FILES = {"openBlob": "picture.png", "getJobPreview": "preview.webp"}

_EXAMPLES: dict[str, str] = {
    "submitWorkflow": json.dumps(
        {"steps": [{"$type": "imageGen", "input": {"engine": "sketch", "prompt": "a red fox in fresh snow"}}]}
    ),
    "updateWorkflow": json.dumps({"status": "canceled"}),
    "patchWorkflow": json.dumps([{"op": "add", "path": "/tags/-", "value": "favorite"}]),
    "createArazzoRun": json.dumps({"document": "arazzo: 1.0.1 …", "inputs": {"prompt": "a red fox in fresh snow"}}),
}

_PLACES = {"workflowId": "wf_01J…", "blobId": "blob_01J…", "id": "1", "runId": "run_01J…"}


def page(document: Node, offers: Mapping[str, Offer]) -> str:
    """The whole page."""
    operations = [
        (method, path, op)
        for path, item in sorted(document["paths"].items(), key=_collections_first)
        for method, op in cast("dict[str, Node]", item).items()
    ]
    body = [
        _head(document),
        *(_tag(tag, operations, document) for tag in document["tags"]),
        _part("Step types", "steps", "What a step's `$type` names, and the input it takes.", _steps(document)),
        _part("Engines", "engines", "What runs the steps on this server, and what it can do.", _engines(offers)),
        _part("Objects", "objects", "What goes in and comes out.", _objects(document)),
    ]
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><style>{_style()}</style></head><body>'
        f"{_contents(document, operations)}<main>{''.join(body)}</main></body></html>"
    )


def _collections_first(item: tuple[str, Node]) -> tuple[int, bool]:
    path, _ = item
    return path.count("/"), "{" in path


def _style() -> str:
    return files("heddle.api").joinpath("reference.css").read_text("utf-8")


# ── parts of the page ─────────────────────────────────────────────────────────


def _contents(document: Node, operations: Iterable[tuple[str, str, Node]]) -> str:
    listed = list(operations)
    parts = [f'<nav aria-label="Contents"><a class="brand" href="#top">{escape(document["info"]["title"])}</a>']
    for tag in document["tags"]:
        links = "".join(
            f'<li><a href="#{op["operationId"]}"><b class="{method}">{method.upper()}</b>'
            f"{escape(op['summary'])}</a></li>"
            for method, _, op in listed
            if tag["name"] in op["tags"]
        )
        parts.append(f'<h4><a href="#tag-{tag["name"]}">{tag["name"]}</a></h4><ul>{links}</ul>')
    parts.append('<h4>Reference</h4><ul><li><a href="#errors">Errors</a></li><li><a href="#steps">Step types</a></li>')
    parts.append('<li><a href="#engines">Engines</a></li><li><a href="#objects">Objects</a></li></ul></nav>')
    return "".join(parts)


def _head(document: Node) -> str:
    info, server = document["info"], escape(document["servers"][0]["url"])
    return (
        f'<header id="top"><h1>{escape(info["title"])} API <small>{escape(info["version"])}</small></h1>'
        f"<p>{_prose(info['description'])}</p>"
        f'<dl class="facts"><dt>Server</dt><dd><code>{server}</code></dd>'
        f"<dt>Token</dt><dd><code>Authorization: Bearer $HEDDLE_TOKEN</code></dd>"
        f'<dt>Document</dt><dd><a href="/openapi.json">openapi.json</a> (OpenAPI {document["openapi"]})</dd></dl>'
        "</header>"
        f"{_errors(document)}"
    )


def _errors(document: Node) -> str:
    numbers = {error.__name__: error.status for error in CallerError.__subclasses__()}
    rows = "".join(
        f'<tr><th class="bad">{numbers.get(name, 503)}</th><td>{_prose(response["description"])}</td></tr>'
        for name, response in document["components"]["responses"].items()
    )
    about = 'Every error has one shape, <a href="#Error">Error</a>. Which ones to expect stands at each operation.'
    return f'<section id="errors"><h2>Errors</h2><p>{about}</p><div class="wide"><table>{rows}</table></div></section>'


def _tag(tag: Node, operations: Iterable[tuple[str, str, Node]], document: Node) -> str:
    shown = [_operation(m, p, op, document) for m, p, op in operations if tag["name"] in op["tags"]]
    return _part(tag["name"], f"tag-{tag['name']}", tag["description"], shown)


def _part(title: str, anchor: str, about: str, blocks: Iterable[str]) -> str:
    return f'<section id="{anchor}"><h2>{escape(title)}</h2><p>{_prose(about)}</p>{"".join(blocks)}</section>'


def _operation(method: str, path: str, op: Node, document: Node) -> str:
    where = escape(path)
    for name in re.findall(r"\{\w+\}", path):
        where = where.replace(name, f"<i>{name}</i>")
    security = op.get("security")
    auth = "" if security is None else " token optional" if security else " no token: the link itself authorizes"
    badge = f'<span class="auth">{auth}</span>' if auth else ""
    about = f"<p>{_prose(op['description'])}</p>" if "description" in op else ""
    return (
        f'<article id="{op["operationId"]}"><h3>{escape(op["summary"])} <small>{op["operationId"]}</small></h3>'
        f'<p class="route"><b class="{method}">{method.upper()}</b><code>{where}</code>{badge}</p>{about}'
        f"{_parameters(op)}{_body(op, document)}{_answers(op, document)}"
        f"<h4>Try it</h4><pre><code>{escape(_curl(method, path, op, document))}</code></pre></article>"
    )


def _parameters(op: Node) -> str:
    rows = "".join(
        _row(
            p["name"],
            f"{_kind(p['schema'])} <em>in {p['in']}</em>",
            p["schema"],
            p.get("description", ""),
            p.get("required"),
        )
        for p in op.get("parameters", ())
    )
    return f"<h4>Parameters</h4>{_table(rows)}" if rows else ""


def _body(op: Node, document: Node) -> str:
    content: Node = op.get("requestBody", {}).get("content", {})
    if not content:
        return ""
    described = [(mime, c["schema"]) for mime, c in content.items() if "$ref" in c["schema"]]
    plain = [mime for mime, c in content.items() if "$ref" not in c["schema"]]
    parts: list[str] = []
    for mime, schema in described:
        parts.append(f"<h4>Body <small>{escape(mime)}</small></h4>{_fields(schema, document)}")
    if plain:
        lead = "or the bytes themselves, as" if described else "the bytes, as"
        parts.append(f"<h4>Body <small>{lead} {escape(', '.join(plain))}</small></h4>")
    return "".join(parts)


def _answers(op: Node, document: Node) -> str:
    rows = ""
    for status, answer in op["responses"].items():
        error = "$ref" in answer
        found: Node = document["components"]["responses"][_name(answer)] if error else answer
        schemas = [c["schema"] for c in found.get("content", {}).values()]
        kind = _kind(schemas[0]) if schemas else ""
        css = "bad" if error else "good"
        rows += f'<tr><th class="{css}">{status}</th><td>{kind}</td><td>{_prose(found["description"])}</td></tr>'
    return f'<h4>Answers</h4><div class="wide"><table>{rows}</table></div>'


def _curl(method: str, path: str, op: Node, document: Node) -> str:
    """A command that can be pasted into a shell."""
    signed = op.get("security") == []
    address = document["servers"][0]["url"] + re.sub(r"\{(\w+)\}", lambda m: _PLACES.get(m[1], m[1]), path)
    required = [p for p in op.get("parameters", ()) if p["in"] == "query" and p.get("required") and not signed]
    if required:
        address += "?" + "&".join(f"{p['name']}=image/png" for p in required)
    if signed:
        address = "$URL"
    verb = {"get": "curl", "head": "curl --head"}.get(method, f"curl -X {method.upper()}")
    lines = [f'{verb} "{address}"']
    if not signed:
        lines.append('-H "Authorization: Bearer $HEDDLE_TOKEN"')
    lines += _curl_body(op)
    if op["operationId"] in _FILES:
        lines.append(f"-o {_FILES[op['operationId']]}")
    return " \\\n  ".join(lines)


def _curl_body(op: Node) -> list[str]:
    content: Node = op.get("requestBody", {}).get("content", {})
    if not content:
        return []
    first = next(iter(content))
    if first == "multipart/form-data":
        return ["-F file=@picture.png"]
    if op["operationId"] in _EXAMPLES:
        return [f'-H "Content-Type: {first}"', f"-d '{_EXAMPLES[op['operationId']]}'"]
    return [f'-H "Content-Type: {first}"', "--data-binary @picture.png"]


def _steps(document: Node) -> Iterator[str]:
    schemas = document["components"]["schemas"]
    for ref in schemas.get("StepRequest", {}).get("oneOf", ()):
        step = schemas[_name(ref)]["properties"]
        yield f'<article id="{_name(ref)}"><h3><code>{escape(step["$type"]["const"])}</code></h3>'
        yield f"<h4>Input</h4>{_fields(step['input'], document)}</article>"


def _engines(offers: Mapping[str, Offer]) -> Iterator[str]:
    for name, offer in offers.items():
        facts = {
            "Step types": ", ".join(sorted(offer.step_types)),
            "Families": ", ".join(sorted(offer.families)),
            "Operations": ", ".join(sorted(offer.operations)),
            "Sides": f"{offer.sides[0]} to {offer.sides[1]} pixels",
            "Samplers": ", ".join(sorted(offer.samplers)) or "any",
            "Quality": "a preview, which runs only where it is named" if offer.preview else "",
            "Stand-in": "may stand in for other families where HEDDLE_STAND_IN allows it" if offer.stand_in else "",
        }
        rows = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in facts.items() if v)
        yield f'<article><h3><code>{escape(name)}</code></h3><div class="wide"><table>{rows}</table></div></article>'


def _objects(document: Node) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        if "enum" in schema:
            values = " ".join(f"<code>{escape(str(v))}</code>" for v in schema["enum"])
            yield f'<article id="{name}"><h3>{name}</h3><p>{_prose(schema["description"])}</p><p>{values}</p></article>'
        elif "oneOf" not in schema and not name.endswith("Step"):
            about = _prose(schema.get("description", ""))
            yield f'<article id="{name}"><h3>{name}</h3><p>{about}</p>{_members(schema)}</article>'
        elif "oneOf" in schema:
            kinds = " or ".join(_kind(ref) for ref in schema["oneOf"])
            yield f'<article id="{name}"><h3>{name}</h3><p>{_prose(schema["description"])} {kinds}.</p></article>'


# ── schemas as tables ─────────────────────────────────────────────────────────


def _fields(schema: Node, document: Node) -> str:
    return _members(document["components"]["schemas"][_name(schema)])


def _members(schema: Node) -> str:
    if schema.get("type") == "array":
        return f"<p>A list of {_kind(schema['items'])}, {escape(_range(schema))}.</p>"
    required = schema.get("required", ())
    rows = "".join(
        _row(name, _kind(member), member, member.get("description", ""), name in required)
        for name, member in schema.get("properties", {}).items()
    )
    return _table(rows)


def _row(name: str, kind: str, schema: Node, about: str, required: bool | None) -> str:
    must = ' <span class="must" title="required">required</span>' if required else ""
    default = schema.get("default")
    said = f" Default <code>{escape(json.dumps(default))}</code>." if default is not None else ""
    limits = _range(schema)
    limit = f'<br><span class="range">{escape(limits)}</span>' if limits else ""
    return f"<tr><th><code>{escape(name)}</code>{must}</th><td>{kind}{limit}</td><td>{_prose(about)}{said}</td></tr>"


def _table(rows: str) -> str:
    return f'<div class="wide"><table>{rows}</table></div>' if rows else ""


def _kind(schema: Node) -> str:
    """What a value is, as HTML."""
    if "$ref" in schema:
        name = _name(schema)
        return f'<a href="#{name}">{escape(name)}</a>'
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " ".join(f"<code>{escape(str(value))}</code>" for value in values)
    if several := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(_kind(one) for one in several)
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return escape(" ".join(str(part) for part in (schema.get("format"), schema.get("type", "any value")) if part))


def _range(schema: Node) -> str:
    """The limits of a value, in words."""
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    words = [
        f"{low} to {high}" if low is not None and high is not None else "",
        f"at least {low}" if low is not None and high is None else "",
        f"at most {high}" if high is not None and low is None else "",
        f"more than {above}" if above is not None else "",
        f"less than {below}" if below is not None else "",
        _span(schema.get("minLength"), schema.get("maxLength"), "characters"),
        _span(schema.get("minItems"), schema.get("maxItems"), "items"),
    ]
    return ", ".join(word for word in words if word)


def _span(low: int | None, high: int | None, unit: str) -> str:
    if low and high:
        return f"{low} to {high} {unit}"
    return f"at most {high} {unit}" if high else f"at least {low} {unit}" if low else ""


def _name(schema: Node) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _prose(text: str) -> str:
    """Escaped, with `code` set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
