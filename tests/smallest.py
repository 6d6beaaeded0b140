"""The smallest input of each step type, and the sources that it names."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from heddle.studio import audio, video

#: Blob ids that stand for a picture, a video and a sound.
IMAGE, VIDEO, AUDIO, ZIP = (f"blob_0000000000000000000000000{n}" for n in "1234")

SMALLEST: Mapping[str, Mapping[str, Any]] = {
    "imageGen": {"prompt": "a red fox in the snow", "width": 64, "height": 64, "seed": 1},
    "audioGen": {"prompt": "gentle rain and one bell", "duration": 1, "seed": 1},
    "music": {"musicDescription": "calm piano", "duration": 2, "seed": 1},
    "moderation": {"text": "a red fox in the snow"},
    "textGen": {"prompt": "a red fox in the snow", "seed": 1},
    "videoGen": {"prompt": "a sailboat on the sea", "width": 128, "height": 96, "duration": 1, "fps": 8, "seed": 1},
    "upscale": {"image": IMAGE},
    "interpolate": {"video": VIDEO},
    "transcribe": {"media": AUDIO},
    "tts": {"text": "One red fox."},
    "training": {"images": [ZIP], "engine": "mini", "steps": 1, "epochs": 1, "seed": 1},
    "comfy": {
        "workflow": {
            "1": {"class_type": "LoadImage", "inputs": {"image": IMAGE}},
            "2": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sketch"}},
            "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["2", 1]}},
            "4": {"class_type": "ImageScale", "inputs": {"image": ["1", 0], "width": 64, "height": 64}},
            "5": {"class_type": "VAEEncode", "inputs": {"pixels": ["4", 0], "vae": ["2", 2]}},
            "6": {
                "class_type": "KSampler",
                "inputs": {
                    "model": ["2", 0],
                    "positive": ["3", 0],
                    "negative": ["3", 0],
                    "latent_image": ["5", 0],
                    "denoise": 0.5,
                },
            },
            "7": {"class_type": "VAEDecode", "inputs": {"samples": ["6", 0], "vae": ["2", 2]}},
            "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0]}},
        }
    },
}


@cache
def picture() -> bytes:
    """A gradient, 64 by 48."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(file, "PNG")
    return file.getvalue()


@cache
def clip() -> bytes:
    """A second of a bright bar that moves, 64 by 48, 12 frames."""
    frames = [np.zeros((48, 64, 3), np.uint8) for _ in range(12)]
    for i, frame in enumerate(frames):
        frame[:, 4 * i : 4 * i + 8] = 200
    return video.write(frames, fps=Fraction(12))


@cache
def tone() -> bytes:
    """A second of a tone."""
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    return audio.encode(wave.astype(np.float32)[:, None], 16_000, "wav")


@cache
def pictures() -> bytes:
    """The picture with a caption, as a dataset."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("one.png", picture())
        archive.writestr("one.txt", "a gradient")
    return file.getvalue()


SOURCES: Mapping[str, Callable[[], bytes]] = {IMAGE: picture, VIDEO: clip, AUDIO: tone, ZIP: pictures}
