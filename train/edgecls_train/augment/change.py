"""Every change that a recipe asks for, one image at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgecls_train.augment.color import change_color
from edgecls_train.augment.cutout import cut_out
from edgecls_train.augment.geometry import change_geometry
from edgecls_train.augment.randaugment import randaugment
from edgecls_train.recipe import Augmentation

Images = npt.NDArray[np.uint8]


def augment(images: Images, augmentation: Augmentation, random: np.random.Generator) -> Images:
    """Move, turn, mirror, recolour and cover each image by its own random amount.

    Args:
        images: (N, height, width, channels), not changed.
        augmentation: How far each may be changed; mixing is not done here.
        random: Drawn from alike whatever the augmentation, so one knob leaves the others be.

    Returns:
        A new array of the same shape.
    """
    drawn = random.uniform(-1.0, 1.0, (len(images), 21))
    changed = images.copy()
    for image, numbers in zip(changed, drawn, strict=True):
        change_geometry(image, augmentation, numbers[:9])
        if augmentation.randaugment:
            randaugment(image, augmentation.randaugment, numbers[9:13])
        change_color(image, augmentation, numbers[13:19])
        if augmentation.cutout:
            cut_out(image, augmentation.cutout, numbers[19:21])
    return changed
