"""Heddle: a self-hosted generation cloud, and a runner for Arazzo documents."""

from __future__ import annotations

__version__ = "0.1.0"
