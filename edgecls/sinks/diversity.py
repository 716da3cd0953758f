"""Whether a frame shows something new."""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2

Thumbnail: TypeAlias = npt.NDArray[np.float32]

_SIDE: Final = 16
# Gray levels by which some sixteenth of the width and height must differ. Sensor noise and JPEG
# stay below 3 levels (noise of 20 levels, 1280x720); a thing of a tenth of the width does not.
_LEAST_DIFFERENCE: Final = 8.0
_REMEMBERED: Final = 64


class Diversity:
    """Remembers what was kept lately, and tells what is near-identical to it.

    Args:
        least_difference: In gray levels, of the 16x16 cell that differs most.
    """

    def __init__(self, least_difference: float = _LEAST_DIFFERENCE) -> None:
        self._least_difference = least_difference
        self._kept: deque[Thumbnail] = deque(maxlen=_REMEMBERED)

    def is_new(self, thumbnail: Thumbnail) -> bool:
        """Whether no picture kept lately looks the same; brightness as a whole does not count."""
        return all(np.abs(thumbnail - kept).max() >= self._least_difference for kept in self._kept)

    def remember(self, thumbnail: Thumbnail) -> None:
        """Take a picture that was kept."""
        self._kept.append(thumbnail)


def to_thumbnail(pixels: Frame) -> Thumbnail:
    """The gray of a frame in 16x16 cells, less its mean: float32, (16, 16)."""
    step = max(1, min(pixels.shape[:2]) // (_SIDE * 8))  # 64 pixels a cell average noise out
    gray = cv2.cvtColor(np.ascontiguousarray(pixels[::step, ::step]), cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(gray.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cells - cells.mean(), np.float32)
