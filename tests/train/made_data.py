"""Small data sets for the tests of training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls_train.dataset import Dataset
from edgecls_train.recipe import Recipe

SHAPES = ("circle", "cross", "square")
SHAPE_SIZE = (40, 56)
PER_SHAPE = 12

Frame = npt.NDArray[np.uint8]


def write_shapes(root: Path, per_class: int = PER_SHAPE) -> Path:
    """JPEG photos of red circles, green crosses and blue squares, one folder a class."""
    random = np.random.default_rng(7)
    for label in SHAPES:
        (root / label).mkdir(parents=True)
        for number in range(per_class):
            frame = random.integers(0, 60, (*SHAPE_SIZE, 3)).astype(np.uint8)
            center = (int(random.integers(20, 36)), int(random.integers(16, 24)))
            _PAINTERS[label](frame, center)
            bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(root / label / f"{number:02d}.jpg"), bgr)
    return root


def stripes(per_class: int = 20) -> Dataset:
    """8x8 gray images: the left half is bright in class `left`, the right in class `right`."""
    random = np.random.default_rng(3)
    images = random.integers(0, 100, (2 * per_class, 8, 8, 1)).astype(np.uint8)
    images[:per_class, :, :4] += 150
    images[per_class:, :, 4:] += 150
    return Dataset(
        origin="stripes",
        labels=Labels(("left", "right")),
        names=tuple(f"{number:03d}" for number in range(2 * per_class)),
        images=images,
        targets=np.repeat(np.arange(2), per_class),
        unreadable=(),
        fingerprint="0" * 64,
    )


def stripes_recipe() -> Recipe:
    """Learns `stripes` in a few steps."""
    return Recipe(
        name="stripes",
        preprocessing=Preprocessing(size=(8, 8), channels="GRAY"),
        layers=("conv 4", "pool", "flatten"),
        batch_size=8,
        epochs=2,
    )


def _paint_circle(frame: Frame, center: tuple[int, int]) -> None:
    cv2.circle(frame, center, 12, (230, 30, 30), thickness=-1)


def _paint_cross(frame: Frame, center: tuple[int, int]) -> None:
    cv2.drawMarker(frame, center, (30, 230, 30), cv2.MARKER_CROSS, 24, thickness=7)


def _paint_square(frame: Frame, center: tuple[int, int]) -> None:
    x, y = center
    cv2.rectangle(frame, (x - 11, y - 11), (x + 11, y + 11), (30, 30, 230), thickness=-1)


_PAINTERS: dict[str, Callable[[Frame, tuple[int, int]], None]] = {
    "circle": _paint_circle,
    "cross": _paint_cross,
    "square": _paint_square,
}
