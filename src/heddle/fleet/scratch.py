"""Folders in which attempts leave things for the next attempt of their job, on this machine."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

#: What an attempt left behind is kept so long for the next one.
_KEPT_S = 7 * 86_400.0
#: And so long after an attempt that is done.
_RECORDED_S = 3600.0


class Scratch:
    """Folders in which attempts leave things for the next attempt of their job, on this machine."""

    def __init__(self, root: str) -> None:
        #: None: a temporary one, when it is first asked for.
        self._root = Path(root) if root else None

    def of(self, job_id: str) -> Path:
        """The folder of a job. Those of jobs that never came back go when the next one is asked for."""
        root = self._root = self._made()
        for old in root.iterdir():
            with suppress(OSError):
                if old.stat().st_mtime < time.time() - _KEPT_S:
                    shutil.rmtree(old, ignore_errors=True)
        folder = root / job_id
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    def _made(self) -> Path:
        if self._root is not None:
            with suppress(OSError):  # the server's data folder is not on this machine
                self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
                return self._root
        return _temporary()

    def let_go(self, job_id: str) -> None:
        """The attempt is done, and soon the job: where that is lost on the way, another attempt is glad of it."""
        if self._root is not None:
            with suppress(OSError):
                os.utime(self._root / job_id, times=(time.time(), time.time() - _KEPT_S + _RECORDED_S))

    def drop(self, job_id: str) -> None:
        """The job has ended."""
        if self._root is not None:
            shutil.rmtree(self._root / job_id, ignore_errors=True)


def _temporary() -> Path:
    """A folder that nobody else can look into. Everybody may make one of its name first: then it is another one."""
    folder = Path(tempfile.gettempdir()) / f"heddle-scratch-{os.getuid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        facts = folder.lstat()
        if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and stat.S_IMODE(facts.st_mode) == 0o700:
            return folder
    except OSError:  # something else has the name
        pass
    return Path(tempfile.mkdtemp(prefix="heddle-scratch-"))
