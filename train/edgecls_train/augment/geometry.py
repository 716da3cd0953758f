"""Where the pixels of an image go: turned, zoomed, moved, cropped and mirrored in one step."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.imaging.opencv import cv2
from edgecls_train.recipe import Augmentation

Image = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float64]
# (3, 3), from the old place (x, y, 1) of a pixel to the new one.
Matrix = npt.NDArray[np.float64]

# Of a random crop: wider or narrower than the image by a third (Szegedy et al. 2015).
_LARGEST_RATIO: Final = 4 / 3


def change_geometry(image: Image, augmentation: Augmentation, numbers: Numbers) -> None:
    """Move the pixels of one image; what comes in from outside is its mirrored border.

    Args:
        image: (height, width, channels), changed in place.
        augmentation: How far.
        numbers: Nine, in -1 to 1.
    """
    height, width = image.shape[:2]
    matrix = _matrix(augmentation, numbers, (height, width))
    if matrix is not None:
        warp(image, matrix)


def warp(image: Image, matrix: Matrix) -> None:
    """Move the pixels of one image, in place, as a matrix says."""
    height, width = image.shape[:2]
    warped = cv2.warpAffine(
        image,
        matrix[:2],
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    image[:] = warped.reshape(image.shape)  # OpenCV drops a single channel


def _matrix(augmentation: Augmentation, numbers: Numbers, size: tuple[int, int]) -> Matrix | None:
    """All moves in one; None when there is none."""
    turn, zoom, down, right, side, *crop_numbers = numbers
    is_mirrored = augmentation.flip and side < 0.0
    moves = (augmentation.rotation_degrees, augmentation.zoom, augmentation.shift)
    if not (is_mirrored or any(moves) or augmentation.crop):
        return None
    height, width = size
    matrix = np.eye(3)
    if any(moves):
        center = ((width - 1) / 2, (height - 1) / 2)
        matrix[:2] = cv2.getRotationMatrix2D(
            center, turn * augmentation.rotation_degrees, 1.0 + zoom * augmentation.zoom
        )
        moved = np.array([right * augmentation.shift * width, down * augmentation.shift * height])
        # By whole pixels where nothing else resamples: half a pixel would blur a small image.
        is_turned = augmentation.rotation_degrees or augmentation.zoom
        matrix[:2, 2] += moved if is_turned else np.rint(moved)
    if is_mirrored:
        matrix = matrix @ np.array([[-1.0, 0.0, width - 1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    if augmentation.crop:
        matrix = _crop_matrix(augmentation.crop, crop_numbers, size) @ matrix
    return matrix


def _crop_matrix(crop: float, numbers: list[float], size: tuple[int, int]) -> Matrix:
    """Stretch a random part of the image over all of it."""
    height, width = size
    area, ratio, down, right = _to_units(*numbers)
    kept = 1.0 - crop * area
    # No side may be longer than the image's, or more would be cut off than allowed.
    most = math.log(min(_LARGEST_RATIO, 1.0 / kept))
    stretch = math.exp(most * (2.0 * ratio - 1.0))
    part_height, part_width = height * math.sqrt(kept / stretch), width * math.sqrt(kept * stretch)
    top, left = down * (height - part_height), right * (width - part_width)
    across, along = width / part_width, height / part_height
    # The corner (-0.5, -0.5) of the first pixel is where a picture begins.
    return np.array(
        [
            [across, 0.0, (0.5 - left) * across - 0.5],
            [0.0, along, (0.5 - top) * along - 0.5],
            [0.0, 0.0, 1.0],
        ]
    )


def _to_units(*numbers: float) -> list[float]:
    """From -1 to 1 to 0 to 1."""
    return [(number + 1.0) / 2.0 for number in numbers]
