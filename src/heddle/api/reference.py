"""The reference page, made from the OpenAPI document: one self-contained HTML file without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

#: Nothing is loaded and nothing runs; the page is text and its own style.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def page(document: Mapping[str, Any], engines: Mapping[str, str]) -> str:
    """The whole page."""
    rows = "".join(
        f"<li>{escape(method.upper())} {escape(path)} {escape(op['summary'])}</li>"
        for path, item in document["paths"].items()
        for method, op in item.items()
    )
    return f"<!doctype html><title>Heddle API</title><ul>{rows}</ul>{escape(', '.join(engines))}"
