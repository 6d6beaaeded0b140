"""What the camera sees at every moment, and how much larger than the frame the scene is that it moves over."""

from __future__ import annotations

from dataclasses import dataclass

from heddle.engines.sketch.motion.script import Camera

#: A pan goes over a scene this much longer than the frame.
_LONGER = 1.5
_CLOSE = 0.62

#: x, y, width, height in scene units.
View = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A camera move over a scene."""

    #: The scene's size and the frame's, in scene units.
    scene: tuple[float, float]
    frame: tuple[float, float]
    move: Camera
    #: How much of the frame is left at the near end of a zoom.
    close: float = _CLOSE
    #: What a zoom goes toward.
    toward: tuple[float, float] = (0.0, 0.0)

    @property
    def moves(self) -> bool:
        """Whether it does at all."""
        return self.move != "still"

    @property
    def nearest(self) -> float:
        """The least share of the frame that is ever seen: how much finer still layers must be."""
        return self.close if self.move in ("in", "out") else 1.0

    def view(self, share_done: float, depth: float = 1.0) -> View:
        """What is seen. `depth`: 1 near; what is far away moves less."""
        s = _eased(share_done)
        width, height = self.frame
        room = (self.scene[0] - width, self.scene[1] - height)
        if self.move in ("in", "out"):
            return self._zoomed(s if self.move == "in" else 1 - s, depth)
        across = {"left": 1 - s, "right": s}.get(self.move, 0.5)
        down = {"up": 1 - s, "down": s}.get(self.move, 0.5)
        return (room[0] * (0.5 + (across - 0.5) * depth), room[1] * (0.5 + (down - 0.5) * depth), width, height)

    def _zoomed(self, s: float, depth: float) -> View:
        share = 1 - (1 - self.close) * s * depth
        width, height = self.frame[0] * share, self.frame[1] * share
        x = min(max(0.0, self.toward[0] - width / 2), self.scene[0] - width)
        y = min(max(0.0, self.toward[1] - height / 2), self.scene[1] - height)
        # From the whole frame to there in a straight line.
        whole = (1 - share) / (1 - self.close)
        return (x * min(1.0, whole), y * min(1.0, whole), width, height)


def scene_size(width: int, height: int, move: Camera | None) -> tuple[int, int]:
    """The size of the scene in pixels for a frame in pixels."""
    if move in ("left", "right"):
        return (round(width * _LONGER), height)
    return (width, round(height * 1.3)) if move in ("up", "down") else (width, height)


def _eased(share_done: float) -> float:
    """Starts and ends softly."""
    s = min(1.0, max(0.0, share_done))
    return 0.35 * s + 0.65 * s * s * (3 - 2 * s)
