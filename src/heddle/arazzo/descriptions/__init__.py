"""OpenAPI descriptions that a document may point at without bringing them along."""

from __future__ import annotations
