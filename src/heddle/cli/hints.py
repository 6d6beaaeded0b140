"""What a run says once when it seems to wait for something that only its user can give."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from heddle.arazzo.events import Event, StepEnded, Waiting

if TYPE_CHECKING:
    from heddle.arazzo.plan import Plan
    from heddle.arazzo.transfers import Upload


class UploadHint:
    """Follows a run that waits although a step gave a URL to upload to, and nobody was asked to put a file there."""

    def __init__(self, tell: Callable[[str], None], plan: Plan, uploads: Collection[Upload]) -> None:
        produced = {(step.id, name) for step in plan.main.steps for name, _ in step.outputs}
        self._tell = tell
        self._places = {one for one in produced if _is_upload(one[1])} - {(one.step, one.output) for one in uploads}
        self._open = ""

    def follow(self, event: Event) -> None:
        if isinstance(event, StepEnded) and event.ok:
            for name, value in event.outputs.items():
                if (event.step, name) in self._places and str(value).startswith(("http://", "https://")):
                    self._open = f"{event.step}.{name}"
        elif isinstance(event, Waiting) and self._open:
            self._tell(f"no file was put to {self._open}, and the run may wait for it: --upload {self._open}=@FILE")
            self._open = ""
            self._places.clear()


def _is_upload(name: str) -> bool:
    """`uploadUrl`, but not `uploadedUrl`."""
    return re.search(r"upload(?!ed)", name, re.IGNORECASE) is not None
