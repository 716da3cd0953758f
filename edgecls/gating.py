"""Motion gating: where nothing moves, few frames are classified."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.errors import InvalidValueError
from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2

# Cells of the small gray picture that is compared: coarse enough that a camera's noise averages
# out (a cell of a 640x480 frame has 400 pixels), fine enough for a hand at the frame's edge.
_GRID: Final = (24, 32)
# After a movement everything is classified for so long, so that the steady label can settle.
_LINGER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """When a frame counts as moved.

    Args:
        threshold: Gray levels (0-255) by which the mean of a cell, of 32x24 in the frame, must
            differ from the frame that was classified last.
        idle_fps: Frames classified a second where nothing moves; 0 for none.
    """

    threshold: float = 10.0
    idle_fps: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 255:
            raise InvalidValueError(
                f"the motion threshold is {self.threshold}, wanted more than 0, up to 255 levels"
            )
        if not 0 <= self.idle_fps <= 1000:
            raise InvalidValueError(f"the idle rate is {self.idle_fps}, wanted 0 to 1000 a second")


class MotionGate:
    """Lets frames through that differ from the last one that it let through."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._seen: npt.NDArray[np.int16] | None = None
        self._moved_s = -math.inf
        self._passed_s = -math.inf

    def passes(self, frame: Frame, time_s: float) -> bool:
        """Whether to classify a frame.

        Args:
            frame: uint8 RGB, (height, width, 3).
            time_s: When it was captured, never earlier than the one before.
        """
        seen = _shrink(frame)
        if self._has_moved(seen):
            self._moved_s = time_s
        idle_fps = self._settings.idle_fps
        is_active = time_s - self._moved_s <= _LINGER_S
        is_turn = idle_fps > 0 and time_s - self._passed_s >= 1 / idle_fps
        if not is_active and not is_turn:
            return False
        self._seen, self._passed_s = seen, time_s
        return True

    def _has_moved(self, seen: npt.NDArray[np.int16]) -> bool:
        if self._seen is None or self._seen.shape != seen.shape:
            return True
        return bool(np.abs(seen - self._seen).max() >= self._settings.threshold)


def _shrink(frame: Frame) -> npt.NDArray[np.int16]:
    """The means of a frame's cells, gray, (24, 32) or fewer."""
    height, width = frame.shape[:2]
    size = (min(_GRID[1], width), min(_GRID[0], height))
    # Only compared with each other here, so that it differs between machines does not matter.
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.int16)
