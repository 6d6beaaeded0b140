"""Arazzo documents that the server runs for an account: durable, by the journal that the runner keeps."""

from __future__ import annotations
