"""How attempts end."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from heddle.fleet.messages import Done, Failed, Log, Started


async def test_artifacts_are_in_storage(fleet: Any) -> None:
    async with fleet() as f:
        run = f.run("Echo", {"texts": ["one", "two"]})
        done = await f.done(run)
        for artifact, text in zip(done.artifacts, [b"one", b"two"], strict=True):
            with f.storage.open(artifact.key) as file:
                assert file.read() == text
            assert (artifact.size, artifact.sha256) == (3, sha256(text).hexdigest())
            assert artifact.key == f"jobs/{run.job_id[-2:]}/{run.job_id}/1/{artifact.blob_id}"
            assert artifact.mime == "text/plain"
        assert [type(event) for event in f.of(run, object)] == [Started, Done]
