"""What a training gives, and what it sees of its job. Engines have wider words for both; these lie below them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A LoRA, a sample or the curve: its bytes and what is known of them."""

    data: bytes
    mime: str
    width: int | None = None
    height: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    #: What it is beside the LoRA.
    role: str = ""
    output: dict[str, Any] = field(default_factory=dict[str, Any])


def sample(picture: Image.Image, *, epoch: int, prompt: str, seed: int, steps: int, cfg: float) -> Piece:
    """A picture that shows what was learned."""
    out = io.BytesIO()
    picture.save(out, "PNG")
    return Piece(
        data=out.getvalue(),
        mime="image/png",
        width=picture.width,
        height=picture.height,
        role="sample",
        output={"epoch": epoch, "prompt": prompt},
        metadata={"prompt": prompt, "seed": seed, "steps": steps, "cfgScale": cfg},
    )


class Job(Protocol):
    """What a training sees of its job, as engines do."""

    def progress(self, fraction: float, note: str = "") -> None:
        """Report how far the job is, and let a cancel through."""
        ...

    def log(self, text: str) -> None:
        """A line for the people who operate the server."""
        ...

    def read(self, blob_id: str) -> bytes:
        """The bytes of an input."""
        ...

    def scratch(self) -> Path:
        """A folder that the next attempt finds."""
        ...
