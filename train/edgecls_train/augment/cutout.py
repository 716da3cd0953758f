"""A hole in an image, so that a network looks at more than the one telling spot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgecls.imaging.opencv import cv2


def cut_out(image: npt.NDArray[np.uint8], share: float, numbers: npt.NDArray[np.float64]) -> None:
    """Paint a square of the image's mean colour.

    Args:
        image: (height, width, channels), changed in place.
        share: Side of the square over the image's shorter one; it may lie partly outside.
        numbers: Two, in -1 to 1: where its middle is.

    Source:
        DeVries and Taylor 2017, "Improved regularization of convolutional neural networks with
        cutout" (arXiv:1708.04552).
    """
    height, width, channels = image.shape
    side = max(1, round(share * min(height, width)))
    middle = (numbers + 1.0) / 2.0 * (height, width)
    top, left = (round(float(place - side / 2)) for place in middle)
    mean = np.array(cv2.mean(image)[:channels]).round()
    image[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = mean
