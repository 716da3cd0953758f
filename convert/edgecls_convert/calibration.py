"""The calibration set: real training pictures from which the ranges of all tensors are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecls.console import Advance
from edgecls.errors import InvalidValueError
from edgecls.imaging.prepare import Image
from edgecls_convert.distinct import choose_distinct
from edgecls_convert.ranges import InputRange, measure_range
from edgecls_convert.subsets import RunPictures, count_per_class

# 50 real pictures give the same accuracy; 200 leave some for each class of larger label sets, and
# cost a digits model under a second.
CALIBRATION_IMAGES: Final = 200
# Below it, single pictures decide the ranges.
_FEW: Final = 50
_UNBALANCED: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """Prepared training pictures.

    Args:
        images: uint8, (height, width, depth) each.
        names: Of the pictures, in the same order.
        per_class: Label -> how many.
        seed: That they were chosen with.
        duplicates: How many were left out since another one shows nearly the same.
    """

    images: tuple[Image, ...]
    names: tuple[str, ...]
    per_class: dict[str, int]
    seed: int
    duplicates: int = 0

    def __post_init__(self) -> None:
        if not self.images or len(self.images) != len(self.names):
            raise InvalidValueError(
                f"a calibration set needs at least one picture and a name for each, this has"
                f" {len(self.images)} and {len(self.names)}"
            )

    @property
    def input_range(self) -> InputRange:
        """Which pixel values the pictures have, before the ends are pinned."""
        return measure_range(self.images)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why ranges taken from these pictures may not be those of others, in plain words."""
        return (
            *_warn_of_number(len(self.images), self.duplicates),
            *_warn_of_classes(self.per_class),
            *self.input_range.warnings,
        )

    def to_json(self) -> dict[str, Any]:
        """As the command reports it."""
        return {
            "images": len(self.images),
            "per_class": self.per_class,
            "duplicates": self.duplicates,
            "input_range": self.input_range.to_json(),
        }

    def to_provenance(self) -> dict[str, Any]:
        """As the card keeps it."""
        return {
            "calibration_images": len(self.images),
            "calibration_per_class": self.per_class,
            "calibration_duplicates": self.duplicates,
            "calibration_input_range": self.input_range.to_json(),
            "seed": self.seed,
        }

    def describe(self) -> str:
        """How many pictures of each class, and which values they have, in one line."""
        counts = [count for count in self.per_class.values() if count]
        least, most = min(counts), max(counts)
        each = f"{least} of each" if least == most else f"{least} to {most} of each"
        left_out = f", {self.duplicates} near-duplicates left out" if self.duplicates else ""
        seen = self.input_range
        return (
            f"{len(self.images)} training pictures ({each} of {len(counts)} classes{left_out}),"
            f" values {min(seen.lowest)} to {max(seen.highest)}, mean {seen.brightness:.0f}"
        )

    def to_representative(self) -> list[Image]:
        """The images that the converter shall see: these, and two that pin the input's range."""
        return [*self.images, *_pin_range(self.images[0])]


def load_calibration_set(
    pictures: RunPictures, count: int, seed: int, advance: Advance
) -> CalibrationSet:
    """Choose, read and prepare training pictures; validation and test pictures are never used.

    Of each class as many as of any other while it has some, none that shows what another one
    shows already.

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
    chosen = choose_distinct(pictures, pictures.subsets["train"], count, seed, advance)
    return CalibrationSet(
        images=chosen.images,
        names=tuple(example.name for example in chosen.examples),
        per_class=count_per_class(chosen.examples, pictures.card),
        seed=seed,
        duplicates=chosen.duplicates,
    )


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


def _warn_of_number(images: int, duplicates: int) -> tuple[str, ...]:
    if images >= _FEW:
        return ()
    others = f" ({duplicates} more show nearly the same)" if duplicates else ""
    return (
        f"only {images} calibration pictures{others}: single ones decide the ranges;"
        f" {_FEW} that differ are enough",
    )


def _warn_of_classes(per_class: dict[str, int]) -> tuple[str, ...]:
    seen = {label: count for label, count in per_class.items() if count}
    missing = [label for label, count in per_class.items() if not count]
    # With fewer pictures than classes some are always missing; of those seen, each has one.
    if len(seen) > 1 and sum(seen.values()) < len(per_class):
        return ()
    if missing:
        return (
            f"no calibration picture of {_listed(missing)}: what only these show may be clipped",
        )
    most, least = max(seen, key=lambda label: seen[label]), min(seen, key=lambda label: seen[label])
    if seen[most] >= _UNBALANCED * seen[least]:
        return (
            f"the calibration pictures are skewed: {seen[most]} of {most!r}, but {seen[least]} of"
            f" {least!r}; more pictures of the rare classes would help",
        )
    return ()


def _listed(labels: list[str], most: int = 3) -> str:
    shown = ", ".join(repr(label) for label in labels[:most])
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more classes"
