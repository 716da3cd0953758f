"""What is measured of an image: one thing changes, and one number follows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from edgecls.imaging.opencv import cv2
from edgecls.imaging.statistics import measure_image


def checkered(dark: int, bright: int, side: int = 8) -> npt.NDArray[np.uint8]:
    """A board of 64x64 pixels, half of it dark."""
    rows, columns = np.indices((64, 64)) // side
    gray = np.where((rows + columns) % 2, bright, dark).astype(np.uint8)
    return np.repeat(gray[:, :, None], 3, axis=2)


def test_brightness_is_the_mean_gray_level_and_contrast_its_deviation() -> None:
    found = measure_image(checkered(100, 140))
    assert (found["brightness"], found["contrast"]) == (120.0, 20.0)


def test_less_light_is_no_less_sharp() -> None:
    bright, dark = (measure_image(checkered(*levels)) for levels in ((40, 200), (10, 50)))
    assert dark["sharpness"] == pytest.approx(bright["sharpness"])
    assert dark["brightness"] == bright["brightness"] / 4


def test_blur_is_less_sharp() -> None:
    board = checkered(40, 200)
    blurred = cv2.GaussianBlur(board, (0, 0), 2.0).astype(np.uint8)
    assert measure_image(blurred)["sharpness"] < measure_image(board)["sharpness"] / 3


@pytest.mark.parametrize(
    ("color", "saturation", "red", "blue"),
    [
        pytest.param((90, 90, 90), 0.0, 1 / 3, 1 / 3, id="gray"),
        pytest.param((194, 94, 94), 100.0, 0.5, 0.25, id="reddish"),
        pytest.param((94, 94, 194), 100.0, 0.25, 0.5, id="bluish"),
        pytest.param((0, 0, 0), 0.0, 1 / 3, 1 / 3, id="black has no colour"),
    ],
)
def test_colour(color: tuple[int, int, int], saturation: float, red: float, blue: float) -> None:
    found = measure_image(np.full((16, 16, 3), color, np.uint8))
    assert found["saturation"] == saturation
    assert (found["red"], found["blue"]) == pytest.approx((red, blue))


def test_a_gray_image_has_no_colour() -> None:
    found = measure_image(np.full((16, 16, 1), 7, np.uint8))
    assert found == {"brightness": 7.0, "contrast": 0.0, "sharpness": 0.0}
