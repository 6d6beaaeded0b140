"""Moving pictures that tests make and measure, and a job context that remembers."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from heddle.studio import video


class Watcher:
    """A job context that remembers what it was told."""

    job_id = "job_test"
    attempt = 1
    memory_mb = 0

    def __init__(self, **blobs: bytes) -> None:
        self.blobs = blobs
        self.reported: list[float] = []

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        self.reported.append(fraction)

    def log(self, text: str) -> None:
        return

    def read(self, blob_id: str) -> bytes:
        return self.blobs[blob_id]


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Likeness in decibels."""
    difference = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(difference, 1e-9)))


def brightness(pixels: np.ndarray) -> np.ndarray:
    """What video is judged by: its colors are kept at half the size."""
    return pixels @ np.array([0.299, 0.587, 0.114])


def texture(side: int, seed: int) -> np.ndarray:
    """Noise with the spectrum of a photograph: detail in the brightness, colors in broad masses."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.rfftfreq(side)[None, :], np.fft.fftfreq(side)[:, None])
    radius[0, 0] = 1
    fine, *broad = (
        np.fft.irfft2(np.fft.rfft2(rng.standard_normal((side, side))) / radius**power) for power in (1.5, 2.4, 2.4, 2.4)
    )
    planes = [120 + 30 * fine / fine.std() + 22 * plane / plane.std() for plane in broad]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def moving(count: int, *, side: int = 256, seed: int = 3) -> list[np.ndarray]:
    """A pan of 1.5 pixels a frame over a texture, and two shaded discs that cross it at 2 pixels a frame."""
    ground = Image.fromarray(texture(1024, seed))
    y, x = np.mgrid[0:side, 0:side]
    made: list[np.ndarray] = []
    for i in range(count):
        shift = (1, 0, 40 + 1.5 * i, 0, 1, 60 + 0.75 * i)
        frame = ground.transform((side, side), Image.Transform.AFFINE, shift, Image.Resampling.BICUBIC)
        pixels = np.asarray(frame).astype(float)
        for left, top, across, down, radius, color in (
            (60, 80, 2.0, 0.7, 26, (230, 80, 60)),
            (190, 150, -1.7, 0.4, 32, (60, 120, 220)),
        ):
            away = np.hypot(x - left - across * i, y - top - down * i)
            cover = np.clip(radius - away + 0.5, 0, 1)[..., None]
            shade = np.array(color) * (1 - 0.4 * np.clip(away / radius, 0, 1))[..., None]
            pixels = pixels * (1 - cover) + cover * shade
        made.append(pixels.astype(np.uint8))
    return made


def tone(seconds: float, pitch: float = 440.0) -> video.Sound:
    """A sine."""
    t = np.arange(int(48_000 * seconds)) / 48_000
    return video.Sound(samples=(0.4 * np.sin(2 * np.pi * pitch * t)).astype(np.float32)[:, None], rate=48_000)


def file_of(
    frames: list[np.ndarray], fps: Fraction = Fraction(24), sound: video.Sound | None = None, crf: int = 8
) -> bytes:
    """An MP4 of near perfect quality."""
    return video.write(frames, fps=fps, sound=sound, crf=crf)


class Seen:
    """A video as a player sees it."""

    def __init__(self, data: bytes) -> None:
        with av.open(io.BytesIO(data)) as container:
            track = container.streams.video[0]
            self.codec = track.codec_context.name
            self.fps = Fraction(track.average_rate or 0)
            self.tags = dict(container.metadata)
            self.frames, self.times = [], []
            for frame in container.decode(track):
                self.frames.append(frame.to_ndarray(format="rgb24"))
                self.times.append(frame.pts * frame.time_base)
        heard = video.sound(data)
        self.sound = None if heard is None else heard.samples
