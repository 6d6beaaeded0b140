"""A server that others can reach needs a token that somebody has."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from heddle import accounts, server
from heddle.db import Database, Tx
from heddle.db.sqlite import SQLite
from heddle.domain import now
from heddle.errors import UsageError
from heddle.settings import Settings


def revoke_all(tx: Tx, items: Sequence[Any]) -> list[None]:
    for token in accounts.list_tokens(tx):
        accounts.revoke_token(tx, token.id, now())
    return [None for _ in items]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.test"])
def test_no_open_bind_without_a_token(settings: Settings, host: str) -> None:
    wide = replace(settings, host=host)
    first = server.prepare(wide)
    assert first.first_token is not None
    first.db.close()
    again = server.prepare(wide)
    assert again.first_token is None
    again.db.close()
    with closing(Database(SQLite(settings.folder / "heddle.db"))) as db:
        db.apply(revoke_all, None)
    with pytest.raises(UsageError, match="would leave the server open"):
        server.prepare(wide)
    local = server.prepare(replace(settings, host="127.0.0.1"))
    assert local.first_token is not None
    local.db.close()
