"""Draws docs/pictures/video-frames.webp: six frames each of a few videos. `python scripts/video_sheet.py`"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from heddle.engines.sketch import Sketch
from heddle.steps import Facts
from heddle.steps.video_gen import VideoGen

PROMPTS = (
    "two sailboats on the sea at sunset, clouds drift",
    "a red fox running through the snow",
    "rain over a city street at night, zoom in",
    "three hot air balloons rising over a meadow",
    "a lighthouse on a cliff, day to night",
    "a blue car driving past, pan right",
)
SIZE = (240, 144)
FILE = Path(__file__).parents[1] / "docs" / "pictures" / "video-frames.webp"


class _Job:
    """Nobody watches."""

    job_id = "job_0"
    attempt = 1

    def progress(self, fraction: float, note: str = "") -> None:
        pass

    def log(self, text: str) -> None:
        print(text)

    def read(self, blob_id: str) -> bytes:
        raise KeyError(blob_id)


def frames(prompt: str) -> list[Image.Image]:
    import av

    given = {"engine": "sketch", "prompt": prompt, "duration": 4, "fps": 12, "seed": 3}
    [payload] = VideoGen().plan(given, lambda _: Facts()).payloads
    [made] = Sketch().run(payload, _Job())
    with av.open(io.BytesIO(made.data), "r") as file:
        every = [frame.to_image() for frame in file.decode(video=0)]
    return [every[round(k * (len(every) - 1) / 5)].resize(SIZE) for k in range(6)]


def main() -> None:
    sheet = Image.new("RGB", (6 * SIZE[0], len(PROMPTS) * SIZE[1]))
    for row, prompt in enumerate(PROMPTS):
        for column, frame in enumerate(frames(prompt)):
            sheet.paste(frame, (column * SIZE[0], row * SIZE[1]))
    sheet.save(FILE, quality=82, method=6)


if __name__ == "__main__":
    main()
