"""Which pixel values pictures have: what a network that is calibrated on them will expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecls.imaging.prepare import Image

# One value in a thousand may be brighter or darker: a lamp in a dark room widens nothing inside.
_OUTLIERS: Final = 0.001
_BRIGHT_ENOUGH: Final = 200
_DARK_ENOUGH: Final = 55
# Neighbouring pixels of photos, drawings and digits correlate by 0.7 and more.
_LEAST_SMOOTHNESS: Final = 0.3


@dataclass(frozen=True, slots=True)
class InputRange:
    """Pixel values (0-255) over a set of images.

    Args:
        lowest: Of each channel.
        highest: Of each channel.
        brightness: The mean of all values.
        dark: Nearly all values (999 of 1,000) are at least this.
        bright: Nearly all values are at most this.
        smoothness: Correlation of pixels with their right-hand neighbours; 0 for noise.
    """

    lowest: tuple[int, ...]
    highest: tuple[int, ...]
    brightness: float
    dark: int
    bright: int
    smoothness: float

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is narrow or strange about them, in plain words."""
        found = []
        if self.bright < _BRIGHT_ENOUGH:
            found.append(
                f"the calibration pictures are dark: nearly all of their values are at most"
                f" {self.bright} of 255 (mean {self.brightness:.0f}); in brighter pictures the"
                " converted network would clip what it sees"
            )
        if self.dark > _DARK_ENOUGH:
            found.append(
                f"the calibration pictures are pale: nearly all of their values are at least"
                f" {self.dark} of 255 (mean {self.brightness:.0f}); in darker pictures the"
                " converted network would clip what it sees"
            )
        if self.smoothness < _LEAST_SMOOTHNESS:
            found.append(
                "the calibration pictures look like noise: neighbouring pixels have nothing to do"
                " with each other; ranges taken from noise cost many points"
            )
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """`{"lowest", "highest", "brightness"}`, the first two by channel."""
        return {
            "lowest": list(self.lowest),
            "highest": list(self.highest),
            "brightness": round(self.brightness, 1),
        }


def measure_range(images: Sequence[Image]) -> InputRange:
    """Look at every value of every image.

    Args:
        images: uint8, (height, width, depth), all of one depth; at least one.
    """
    counts = np.zeros((images[0].shape[2], 256), np.int64)
    for image in images:
        for channel in range(len(counts)):
            counts[channel] += np.bincount(image[:, :, channel].reshape(-1), minlength=256)
    share = np.cumsum(counts.sum(axis=0)) / counts.sum()
    seen = [np.flatnonzero(histogram) for histogram in counts]
    return InputRange(
        lowest=tuple(int(values[0]) for values in seen),
        highest=tuple(int(values[-1]) for values in seen),
        brightness=float(counts.sum(axis=0) @ np.arange(256) / counts.sum()),
        dark=int(np.searchsorted(share, _OUTLIERS)),
        bright=int(np.searchsorted(share, 1.0 - _OUTLIERS)),
        smoothness=_measure_smoothness(images),
    )


def _measure_smoothness(images: Sequence[Image]) -> float:
    """1 where there is nothing to correlate: plain pictures, or one pixel wide."""
    pairs = []
    for image in images:
        pixels = image.astype(np.float32)
        pixels -= pixels.mean(axis=(0, 1))
        left, right = pixels[:, :-1], pixels[:, 1:]
        pairs.append((np.vdot(left, right), np.vdot(left, left), np.vdot(right, right)))
    both, of_left, of_right = np.array(pairs, np.float64).sum(axis=0).tolist()
    length = float(np.sqrt(of_left * of_right))
    return float(both) / length if length > 0 else 1.0
