"""Random changes to training images, so that a network sees each one differently every time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgecls.imaging.opencv import cv2
from edgecls_train.recipe import Augmentation

Images = npt.NDArray[np.uint8]


def augment(images: Images, augmentation: Augmentation, random: np.random.Generator) -> Images:
    """Shift, turn, zoom and mirror each image by its own random amount.

    What comes in from outside the image is its mirrored border.

    Args:
        images: (N, height, width, channels), not changed.
        augmentation: How far each may be changed.
        random: Drawn from alike whatever the augmentation, so one knob leaves the others be.

    Returns:
        A new array of the same shape.
    """
    count, height, width, _ = images.shape
    drawn = random.uniform(-1.0, 1.0, (count, 5))
    changed = np.empty_like(images)
    for image, out, numbers in zip(images, changed, drawn, strict=True):
        matrix = _matrix(augmentation, numbers, (height, width))
        warped = cv2.warpAffine(
            image,
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        out[:] = warped.reshape(out.shape)  # OpenCV drops a single channel
    return changed


def _matrix(
    augmentation: Augmentation, numbers: npt.NDArray[np.float64], size: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """The (2, 3) affine matrix for five numbers in -1 to 1."""
    height, width = size
    turn, zoom, down, right, side = numbers
    center = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(
        center, turn * augmentation.rotation_degrees, 1.0 + zoom * augmentation.zoom
    )
    matrix[:, 2] += (right * augmentation.shift * width, down * augmentation.shift * height)
    if augmentation.flip and side < 0.0:
        mirror = np.array([[-1.0, 0.0, width - 1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        matrix = matrix @ mirror
    return np.asarray(matrix, np.float64)
