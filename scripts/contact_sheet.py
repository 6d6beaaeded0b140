"""Draws a contact sheet: many prompts, one small picture each.

python scripts/contact_sheet.py docs/pictures/sketch-sheet.webp
python scripts/contact_sheet.py out.png --styles
python scripts/contact_sheet.py out.png --prompts prompts.txt --tile 384 --columns 6
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from heddle.engines.sketch import Sketch

PROMPTS = (
    "a red house next to a blue car in a meadow",
    "three red balloons in the sky over the beach",
    "a lighthouse on a rocky coast at sunset",
    "an orange cat sitting on a chair in a cozy room",
    "a sailboat on the sea at dawn",
    "an astronaut on the moon",
    "a wizard in a dark forest at night",
    "two white rabbits in a flower garden, spring",
    "a castle on a hill, rainbow, watercolor",
    "a fox in a snowy forest, snow falling",
    "a yellow school bus on a city street in the rain",
    "five colorful fish underwater",
    "a hot air balloon over the mountains at golden hour",
    "a steam train crossing the hills, autumn",
    "portrait of a woman with long black hair and green eyes",
    "a robot holding a red balloon, cyberpunk city at night",
    "a cup of coffee and a book on a wooden table",
    "an elephant and a giraffe on the savanna at sunset",
    "a penguin family in antarctica",
    "a camel and two pyramids in the desert",
    "a campfire and a tent by a lake at night, starry sky",
    "a green dragon flying above a castle, stormy sky",
    "a boy flying a kite on the beach, sunny day",
    "a whale in the ocean, pastel colors",
    "pixel art of a knight in front of a castle",
    "neon owl, night forest",
    "line art of a cat under a tree",
    "oil painting of sunflowers in a field",
    "pencil sketch of an old lighthouse",
    "papercut mountains with a deer, foggy morning",
    "blueprint of a rocket",
    "travel poster, palm tree and a sailboat, tropical beach",
    "vintage bicycle in front of a bench in the park",
    "a snowman wearing a hat, village at night, snowing",
    "a birthday cake with gifts, pink background",
    "a black horse running in a field, dramatic sunset",
    "a pirate ship and a treasure chest on a tropical island",
    "rocket flying between planets in space",
    "a windmill in a tulip garden, blue sky, white clouds",
    "a panda eating in a bamboo jungle",
    "a duck and five tiny ducklings on a pond",
    "spooky halloween pumpkins in front of a house at night, full moon",
    "a ladybug on a leaf, close-up",
    "a lone tree on a hill under the stars",
    "red apple, green pear and bananas, still life",
    "ufo above a farm with three cows at night",
    "a man in a red coat under an umbrella, foggy street",
    "masterpiece, best quality, 1girl, blonde hair, blue dress, flower garden",
    "crystal cave with a purple crystal",
    "a lion with a golden crown, savanna",
    "an octopus and a submarine in the deep sea",
    "melancholy of forgotten gardens",
    "zxqv blorf",
    "a pagoda by a lake with cherry blossoms, spring morning",
    "minimalist flat mountains, pink sky",
    "noir detective, city street, rain, night",
)  # fmt: skip
STYLES = (
    "illustration", "flat", "line art", "watercolor", "pixel art", "neon", "pencil sketch", "travel poster",
    "oil painting", "papercut", "blueprint", "vintage", "noir",
)  # fmt: skip


class Quiet:
    """A job context for a job that nobody watches."""

    job_id = "job_sheet"
    attempt = 1

    def progress(self, fraction: float, note: str = "") -> None:
        return

    def log(self, text: str) -> None:
        return

    def read(self, blob_id: str) -> bytes:
        raise KeyError(blob_id)


def draw(prompt: str, width: int, height: int, seed: int) -> Image.Image:
    """One picture through the engine itself."""
    payload = {"family": "sketch", "operation": "create", "prompt": prompt, "width": width, "height": height,
               "steps": 30, "cfgScale": 7.0, "seed": seed, "networks": [], "images": []}  # fmt: skip
    made = next(iter(Sketch().run(payload, Quiet())))
    return Image.open(io.BytesIO(made.data)).convert("RGB")


def sheet(prompts: Sequence[str], tile: tuple[int, int], columns: int, seed: int, scale: float) -> Image.Image:
    """All prompts in a grid, each drawn larger and then reduced."""
    rows = -(-len(prompts) // columns)
    gap = 8
    page = Image.new("RGB", (columns * (tile[0] + gap) + gap, rows * (tile[1] + gap) + gap), "#f4f1ec")
    for index, prompt in enumerate(prompts):
        picture = draw(prompt, int(tile[0] * scale), int(tile[1] * scale), seed + index).resize(
            tile, Image.Resampling.LANCZOS
        )
        page.paste(picture, (gap + index % columns * (tile[0] + gap), gap + index // columns * (tile[1] + gap)))
    return page


def main() -> int:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description="Draw a contact sheet with the engine sketch.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--prompts", type=Path, help="a file with one prompt per line")
    parser.add_argument("--styles", action="store_true", help="one scene in every style")
    parser.add_argument(
        "--subject", default="a fox and a small house by a lake, mountains", help="the scene for --styles"
    )
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--tall", type=int, help="tile height; default: --tile")
    parser.add_argument("--columns", type=int, default=7)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--scale", type=float, default=2.0, help="drawn this much larger than shown")
    given = parser.parse_args()
    prompts: Sequence[str] = given.prompts.read_text().splitlines() if given.prompts else PROMPTS
    if given.styles:
        prompts = [f"{given.subject}, {style}" for style in STYLES]
    prompts = prompts[given.first : given.first + given.count]
    page = sheet(prompts, (given.tile, given.tall or given.tile), given.columns, given.seed, given.scale)
    page.save(given.out, quality=82, method=4)
    print(f"{given.out}: {len(prompts)} pictures, {given.out.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
