"""Where pixels of training images go, and what all changes keep to: `edgecls_train.augment`."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls_train.augment import augment
from edgecls_train.recipe import Augmentation

STRONG = Augmentation(
    shift=0.3,
    rotation_degrees=30,
    zoom=0.3,
    crop=0.5,
    flip=True,
    brightness=0.3,
    contrast=0.3,
    cutout=0.3,
    randaugment=5,
)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(1)


def noise(count: int, channels: int = 1) -> np.ndarray:
    shape = (count, 8, 8, channels)
    return np.random.default_rng(2).integers(0, 256, shape).astype(np.uint8)


def dot(row: int, column: int, count: int = 1) -> np.ndarray:
    images = np.zeros((count, 21, 21, 1), np.uint8)
    images[:, row, column] = 255
    return images


def where_bright(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns where any image has at least a third of the dot."""
    rows, columns = np.nonzero(images.max(axis=0)[:, :, 0] >= 85)
    return rows, columns


def test_without_any_amount_images_stay_as_they_are(random):
    images = noise(6)
    assert np.array_equal(augment(images, Augmentation(), random), images)


@pytest.mark.parametrize("channels", [1, 3])
def test_shape_and_dtype_stay(channels, random):
    changed = augment(noise(4, channels), STRONG, random)
    assert changed.shape == (4, 8, 8, channels)
    assert changed.dtype == np.uint8


def test_the_given_images_are_not_changed(random):
    images = noise(4)
    before = images.copy()
    augment(images, STRONG, random)
    assert np.array_equal(images, before)


def test_every_image_is_changed_in_its_own_way(random):
    first, second = augment(np.repeat(noise(1), 2, axis=0), STRONG, random)
    assert not np.array_equal(first, second)


def test_the_same_random_numbers_change_images_alike():
    once, again = (augment(noise(5), STRONG, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(once, again)


def test_flip_mirrors_half_of_the_images_left_to_right(random):
    images = np.repeat(noise(1), 200, axis=0)
    changed = augment(images, Augmentation(flip=True), random)
    mirrored = (changed == images[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (changed == images).all(axis=(1, 2, 3))
    assert (mirrored | kept).all()
    assert 70 <= mirrored.sum() <= 130  # four standard deviations around 100


def test_shift_moves_a_dot_by_at_most_its_share_of_the_side(random):
    changed = augment(dot(10, 10, count=50), Augmentation(shift=0.2), random)
    rows, columns = np.nonzero(changed.max(axis=0)[:, :, 0])
    # 0.2 of 21 pixels is 4.2, and a dot between two pixels touches both.
    assert 14 <= rows.max() <= 15
    assert 5 <= rows.min() <= 6
    assert 14 <= columns.max() <= 15
    assert 5 <= columns.min() <= 6


def test_a_shift_alone_moves_whole_pixels_and_blurs_nothing(random):
    changed = augment(dot(10, 10, count=50), Augmentation(shift=0.2), random)
    assert np.unique(changed).tolist() == np.unique(dot(10, 10)).tolist()


def test_rotation_keeps_the_distance_from_the_middle(random):
    changed = augment(dot(10, 14, count=50), Augmentation(rotation_degrees=180), random)
    rows, columns = where_bright(changed)
    assert abs(np.hypot(rows - 10, columns - 10) - 4).max() < 1
    assert columns.min() == 6  # it has been all the way round


def test_zoom_moves_what_is_off_the_middle_to_and_fro(random):
    changed = augment(dot(10, 15, count=50), Augmentation(zoom=0.3), random)
    rows, columns = where_bright(changed)
    # Five pixels off the middle become 3.5 to 6.5.
    assert columns.min() in (13, 14)
    assert columns.max() in (16, 17)
    assert set(rows) == {10}


def ramp(count: int = 1) -> np.ndarray:
    """From 0 on the left to 200 on the right, all rows alike."""
    row = np.arange(0, 201, 10, dtype=np.uint8)
    return np.broadcast_to(row[None, None, :, None], (count, 21, 21, 1)).copy()


def test_a_crop_shows_a_part_of_the_image_and_nothing_from_outside(random):
    changed = augment(ramp(60), Augmentation(crop=0.5), random)
    # From one side to the other, brightness rises by what was kept of the 200.
    kept = (changed[:, 10, -1, 0].astype(int) - changed[:, 10, 0, 0]) / 200
    # Half of the area, and a third wider or narrower: sqrt(0.5 / (4/3)) = 0.61 at least.
    assert 0.58 < kept.min() < 0.75
    assert kept.max() <= 1.0
    assert (np.diff(changed[:, 10, :, 0].astype(int), axis=1) >= 0).all()


def test_a_crop_is_taken_from_anywhere(random):
    changed = augment(ramp(60), Augmentation(crop=0.5), random)
    left = changed[:, 10, 0, 0]
    assert left.min() < 10
    assert left.max() > 40


@pytest.mark.parametrize(
    "knob",
    ["shift", "rotation_degrees", "zoom", "crop", "flip", "brightness", "contrast", "cutout"],
)
def test_one_knob_draws_no_random_numbers_from_the_others(knob):
    """After any augmentation the generator stands at the same place."""
    random = np.random.default_rng(4)
    value = True if knob == "flip" else 0.3
    augment(noise(3), Augmentation(**{knob: value}), random)
    untouched = np.random.default_rng(4)
    augment(noise(3), Augmentation(), untouched)
    assert random.random() == untouched.random()
