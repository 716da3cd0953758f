"""RandAugment: two random changes of one strength, so that only one figure is to be chosen.

Source:
    Cubuk et al. 2020, "RandAugment: practical automated data augmentation" (arXiv:1909.13719).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.imaging.opencv import cv2
from edgecls_train.augment.color import recolor
from edgecls_train.augment.geometry import warp

Image = npt.NDArray[np.uint8]
# Changes an image in place; takes it and a strength of -1 to 1.
Change: TypeAlias = Callable[[Image, float], None]

STRONGEST: Final = 10.0
_ROTATION_DEGREES: Final = 30.0
_SHEAR: Final = 0.3
_TRANSLATION: Final = 0.3
_ENHANCEMENT: Final = 0.9


def randaugment(image: Image, strength: float, numbers: npt.NDArray[np.float64]) -> None:
    """Apply two of `CHANGES`, each forwards or backwards; no image is mirrored.

    Args:
        image: (height, width, channels), changed in place.
        strength: 0 to 10, of the paper's scale.
        numbers: Four, in -1 to 1: which change and which way, twice.
    """
    for which, way in numbers.reshape(2, 2):
        index = min(len(CHANGES) - 1, int((which + 1.0) / 2.0 * len(CHANGES)))
        CHANGES[index](image, float(np.copysign(strength / STRONGEST, way)))


def _keep(image: Image, strength: float) -> None:
    del image, strength


def _rotate(image: Image, strength: float) -> None:
    height, width = image.shape[:2]
    matrix = np.eye(3)
    center = ((width - 1) / 2, (height - 1) / 2)
    matrix[:2] = cv2.getRotationMatrix2D(center, strength * _ROTATION_DEGREES, 1.0)
    warp(image, matrix)


def _shear(image: Image, strength: float, axis: int) -> None:
    matrix = np.eye(3)
    matrix[axis, 1 - axis] = strength * _SHEAR
    # The middle stays where it is.
    matrix[axis, 2] = -strength * _SHEAR * (image.shape[axis] - 1) / 2
    warp(image, matrix)


def _translate(image: Image, strength: float, axis: int) -> None:
    matrix = np.eye(3)
    matrix[axis, 2] = strength * _TRANSLATION * image.shape[1 - axis]
    warp(image, matrix)


def _autocontrast(image: Image, strength: float) -> None:
    del strength
    low, high = int(image.min()), int(image.max())
    if high > low:
        levels = (np.arange(256) - low).clip(0) * (255.0 / (high - low))
        image[:] = levels.clip(0, 255).round().astype(np.uint8)[image]


def _equalize(image: Image, strength: float) -> None:
    del strength
    for channel in range(image.shape[2]):
        image[..., channel] = cv2.equalizeHist(np.ascontiguousarray(image[..., channel]))


def _solarize(image: Image, strength: float) -> None:
    bright = image >= 256.0 * (1.0 - abs(strength))
    image[bright] = 255 - image[bright]


def _posterize(image: Image, strength: float) -> None:
    image &= 0xFF << round(4.0 * abs(strength)) & 0xFF


def _sharpen(image: Image, strength: float) -> None:
    blurred = cv2.GaussianBlur(image, (3, 3), 0).reshape(image.shape)
    factor = 1.0 + _ENHANCEMENT * strength
    image[:] = cv2.addWeighted(image, factor, blurred, 1.0 - factor, 0.0).reshape(image.shape)


def _change_brightness(image: Image, strength: float) -> None:
    # As in the paper's code, black stays black: contrast around 0 instead of a sum.
    image[:] = cv2.convertScaleAbs(image, alpha=1.0 + _ENHANCEMENT * strength).reshape(image.shape)


def _change_contrast(image: Image, strength: float) -> None:
    recolor(image, contrast=1.0 + _ENHANCEMENT * strength)


def _change_saturation(image: Image, strength: float) -> None:
    recolor(image, saturation=1.0 + _ENHANCEMENT * strength)


CHANGES: Final[tuple[Change, ...]] = (
    _keep,
    _autocontrast,
    _equalize,
    _rotate,
    _solarize,
    _posterize,
    _sharpen,
    _change_brightness,
    _change_contrast,
    _change_saturation,
    lambda image, strength: _shear(image, strength, 0),
    lambda image, strength: _shear(image, strength, 1),
    lambda image, strength: _translate(image, strength, 0),
    lambda image, strength: _translate(image, strength, 1),
)
