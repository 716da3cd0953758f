"""What the pixels of an image become: brighter, flatter, paler, warmer, in one step."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.imaging.opencv import cv2
from edgecls_train.recipe import Augmentation

Image = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float64]

# ITU-R BT.601, as the gray of `imaging.prepare`.
_LUMA: Final = np.array([0.299, 0.587, 0.114])
# White balances of cameras differ less than saturations do.
_BALANCE_SHARE: Final = 0.25


def change_color(image: Image, augmentation: Augmentation, numbers: Numbers) -> None:
    """Change brightness, contrast and colour of one image.

    Args:
        image: (height, width, channels), changed in place.
        augmentation: How far; `color` scales the saturation and, a quarter as far, each channel.
        numbers: Six, in -1 to 1.
    """
    if not (augmentation.brightness or augmentation.contrast or augmentation.color):
        return
    bright, contrast, saturation = numbers[:3]
    recolor(
        image,
        brightness=255.0 * bright * augmentation.brightness,
        contrast=1.0 + contrast * augmentation.contrast,
        saturation=1.0 + saturation * augmentation.color,
        balance=1.0 + _BALANCE_SHARE * augmentation.color * numbers[3:],
    )


def recolor(
    image: Image,
    *,
    brightness: float = 0.0,
    contrast: float = 1.0,
    saturation: float = 1.0,
    balance: Numbers | None = None,
) -> None:
    """Change the pixels of one image in place; 0, 1, 1 and ones leave them as they are.

    Args:
        image: (height, width, channels).
        brightness: Added, in 0..255.
        contrast: Times the distance from the image's mean.
        saturation: Times the distance from the pixel's gray.
        balance: (3,), times red, green and blue.
    """
    channels = image.shape[2]
    linear = np.eye(channels)
    if channels == len(_LUMA):
        linear = saturation * linear + (1.0 - saturation) * _LUMA
        if balance is not None:
            linear = balance[:, None] * linear
    linear *= contrast
    mean = np.array(cv2.mean(image)[:channels])
    added = (1.0 - contrast) * mean + brightness
    changed = cv2.transform(image, np.column_stack([linear, added]))
    image[:] = changed.reshape(image.shape)
