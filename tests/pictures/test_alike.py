"""Copies of one picture are found, and others are not: what is checked here, boards can do, too."""

import cv2
import numpy as np
import pytest

from edgecls.imaging.prepare import prepare
from edgecls.pictures.alike import THUMBNAIL, equal_pairs, find_copies


def photo(seed):
    """A picture like no other: blurred noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(noise, (96, 96), interpolation=cv2.INTER_CUBIC)


def copies_of(pictures):
    thumbnails = np.stack([prepare(picture, THUMBNAIL) for picture in pictures])
    sizes = np.array([picture.shape[:2] for picture in pictures], np.int32)
    return sorted(map(tuple, find_copies(thumbnails, sizes).tolist()))


OTHERS = [photo(seed) for seed in range(10, 30)]


def test_different_pictures_are_no_copies():
    assert copies_of([photo(0), *OTHERS]) == []


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(lambda picture: picture.copy(), id="the same pixels"),
        pytest.param(lambda picture: picture // 2 + 20, id="darker"),
        pytest.param(lambda picture: picture[2:, 2:], id="cropped a little"),
        pytest.param(lambda picture: cv2.resize(picture, (60, 60)), id="smaller"),
    ],
)
def test_a_copy_is_found(copy):
    assert copies_of([photo(0), *OTHERS, copy(photo(0))]) == [(0, 21)]


def test_rows_pair_with_the_first_that_equals_them():
    rows = np.array([[1, 2], [3, 4], [1, 2], [1, 2]], np.uint8)
    assert equal_pairs(rows).tolist() == [[0, 2], [0, 3]]


def test_no_rows_have_no_pairs():
    assert equal_pairs(np.empty((0, 2), np.uint8)).tolist() == []
