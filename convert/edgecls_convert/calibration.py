"""The calibration set: real training pictures from which the ranges of all tensors are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from edgecls.console import Advance
from edgecls.errors import InvalidValueError
from edgecls.imaging.prepare import Image
from edgecls_convert.subsets import RunPictures, choose_stratified, count_per_class

# 50 real pictures give the same accuracy; 200 leave some for each class of larger label sets, and
# cost a digits model under a second.
CALIBRATION_IMAGES: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """Prepared training pictures.

    Args:
        images: uint8, (height, width, depth) each.
        names: Of the pictures, in the same order.
        per_class: Label -> how many.
        seed: That they were chosen with.
    """

    images: tuple[Image, ...]
    names: tuple[str, ...]
    per_class: dict[str, int]
    seed: int

    def __post_init__(self) -> None:
        if not self.images or len(self.images) != len(self.names):
            raise InvalidValueError(
                f"a calibration set needs at least one picture and a name for each, this has"
                f" {len(self.images)} and {len(self.names)}"
            )

    def to_representative(self) -> list[Image]:
        """The images that the converter shall see: these, and two that pin the input's range."""
        return [*self.images, *_pin_range(self.images[0])]


def load_calibration_set(
    pictures: RunPictures, count: int, seed: int, advance: Advance
) -> CalibrationSet:
    """Choose, read and prepare training pictures; validation and test pictures are never used.

    Args:
        pictures: Of the run.
        count: How many, at least 1; all there are when there are fewer.
        seed: Of the choice.
        advance: Told after each picture.

    Raises:
        InvalidValueError: `count` is below 1.
        DatasetError: A picture cannot be read any more.
    """
    if count < 1:
        raise InvalidValueError(
            f"{count} calibration pictures were asked for, wanted at least 1",
            hint=f"--calibration {CALIBRATION_IMAGES}",
        )
    chosen = choose_stratified(pictures.subsets["train"], count, seed)
    images = []
    for done, example in enumerate(chosen, start=1):
        images.append(pictures.load_image(example))
        advance(done)
    names = tuple(example.name for example in chosen)
    return CalibrationSet(tuple(images), names, count_per_class(chosen, pictures.card), seed)


def _pin_range(image: Image) -> list[Image]:
    """Two copies of an image: in one the darkest value is 0, in the other the brightest is 255.

    They make the input's scale exactly 1.0 and its zero point 0, whatever the pictures. Pictures
    of half brightness alone give the scale 0.498, and every bright pixel on the board is then
    clipped (-12 points). One value of a real picture is changed, and not a synthetic one added,
    since that would widen the ranges of the inner tensors too.
    """
    dark, bright = image.copy(), image.copy()
    dark.flat[int(np.argmin(image))] = 0
    bright.flat[int(np.argmax(image))] = 255
    return [dark, bright]
