"""What must not be shown of a run, as far as it is known before the run begins. The rest is learned on the way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from heddle.arazzo.files import FileValue
from heddle.arazzo.masking import Secrets
from heddle.arazzo.plan import Plan
from heddle.arazzo.security import basic
from heddle.arazzo.sources import Servers


def known_secrets(plan: Plan, values: Mapping[str, Any], servers: Servers, tokens: Iterable[str] = ()) -> Secrets:
    """Secret inputs, passwords in addresses of servers, and `tokens` that may fill an input.

    Raises UsageError for a file with a secret that cannot be read.
    """
    secret = plan.main.inputs.secrets(values, plan.bearer_inputs())
    return Secrets([*(text for value in secret for text in _texts(value)), *_passwords(servers), *tokens])


def _texts(value: str | float | FileValue) -> Iterator[str]:
    if isinstance(value, FileValue):
        yield value.read().decode("utf-8", "ignore").strip()
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def _passwords(servers: Servers) -> Iterator[str]:
    """Of servers that are given as `https://name:password@host`: as they stand there, as meant, and as sent."""
    for url in (*servers.named.values(), servers.default or ""):
        parts = urlsplit(url)
        name, password = parts.username or "", parts.password or ""
        if password:
            sent = basic(f"{unquote(name)}:{unquote(password)}")
            yield from (password, unquote(password), sent.partition(" ")[2])
