"""What a picture looks like: how bright, how sharp, and whether it is like another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2
from edgecls.sinks.diversity import Diversity, Thumbnail, to_thumbnail

# Sharpness depends on the scale: all pictures are looked at with about so many pixels a side.
_SIDE: Final = 160
_DARK: Final = 40.0
_BRIGHT: Final = 225.0
_BLUR_SHARE: Final = 0.2
# Below it a set says nothing of what is usual in it.
_LEAST_USUAL: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is remembered of a picture.

    Args:
        cells: Its gray in 16x16 cells, less its mean.
        brightness: Mean gray level, 0-255.
        sharpness: Variance of the Laplacian; of no unit.
    """

    cells: Thumbnail
    brightness: float
    sharpness: float

    @property
    def is_dark(self) -> bool:
        """Whether little can be seen for want of light."""
        return self.brightness < _DARK

    @property
    def is_glaring(self) -> bool:
        """Whether little can be seen for too much light."""
        return self.brightness > _BRIGHT


def look_at(pixels: Frame) -> Look:
    """Look at a picture.

    Args:
        pixels: uint8 RGB, (height, width, 3).
    """
    gray = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    if max(gray.shape) > _SIDE:
        size = fit(pixels, _SIDE)
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    sharpness = float(cv2.Laplacian(gray, cv2.CV_32F).var())
    return Look(to_thumbnail(pixels), float(gray.mean()), sharpness)


def fit(pixels: Frame, side: int) -> tuple[int, int]:
    """(width, height), as OpenCV wants it, of a picture with at most `side` pixels a side."""
    scale = min(1.0, side / max(pixels.shape[:2]))
    return max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))


def count_alike(looks: Sequence[Look]) -> int:
    """How many pictures are near-identical to one before them."""
    seen = Diversity()
    alike = 0
    for look in looks:
        if seen.is_new(look.cells):
            seen.remember(look.cells)
        else:
            alike += 1
    return alike


def least_sharp(usual: Sequence[Look]) -> float:
    """Below which sharpness a picture is far less sharp than what is usual; 0 of too few."""
    if len(usual) < _LEAST_USUAL:
        return 0.0
    return _BLUR_SHARE * float(np.median([look.sharpness for look in usual]))
