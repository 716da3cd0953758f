"""What pixels become: brightness, contrast, colour, cutout and RandAugment."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls_train.augment import augment
from edgecls_train.augment.color import recolor
from edgecls_train.augment.cutout import cut_out
from edgecls_train.augment.randaugment import CHANGES, randaugment
from edgecls_train.recipe import Augmentation


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(1)


def plain(value: int, count: int = 1, channels: int = 1) -> np.ndarray:
    return np.full((count, 8, 8, channels), value, np.uint8)


def halves(dark: int, bright: int, count: int = 1, channels: int = 1) -> np.ndarray:
    images = plain(dark, count, channels)
    images[:, :, 4:] = bright
    return images


def colored(red: int, green: int, blue: int, count: int = 1) -> np.ndarray:
    return np.broadcast_to(np.array([red, green, blue], np.uint8), (count, 8, 8, 3)).copy()


def test_brightness_adds_at_most_its_share_of_white_either_way(random):
    changed = augment(plain(100, 200), Augmentation(brightness=0.2), random)
    # 0.2 of 255 is 51.
    assert 49 <= changed.min() <= 55
    assert 145 <= changed.max() <= 151


def test_brightness_stops_at_black_and_white(random):
    changed = augment(halves(5, 250, 50), Augmentation(brightness=0.5), random)
    assert changed.min() == 0
    assert changed.max() == 255


@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_scales_the_distance_from_the_mean(channels):
    (image,) = halves(80, 120, channels=channels)
    recolor(image, contrast=1.5)
    # The mean is 100: 100 - 1.5 x 20 and 100 + 1.5 x 20.
    assert np.unique(image).tolist() == [70, 130]


def test_contrast_changes_by_at_most_its_share(random):
    changed = augment(halves(80, 120, 200), Augmentation(contrast=0.5), random).astype(int)
    spread = changed[:, 0, -1, 0] - changed[:, 0, 0, 0]
    assert 20 <= spread.min() <= 22
    assert 58 <= spread.max() <= 60
    assert abs(changed.mean(axis=(1, 2, 3)) - 100).max() <= 1


def test_without_saturation_a_pixel_becomes_its_gray():
    (image,) = colored(200, 100, 50)
    recolor(image, saturation=0.0)
    # ITU-R BT.601: 0.299 x 200 + 0.587 x 100 + 0.114 x 50 = 124.2.
    assert np.unique(image).tolist() == [124]


def test_saturation_moves_a_pixel_away_from_its_gray():
    (image,) = colored(150, 100, 100)
    recolor(image, saturation=2.0)
    # Gray is 114.95: 2 x 150 - 114.95 and 2 x 100 - 114.95.
    assert image[0, 0].tolist() == [185, 85, 85]


def test_the_balance_multiplies_red_green_and_blue():
    (image,) = colored(100, 100, 100)
    recolor(image, balance=np.array([1.2, 1.0, 0.5]))
    assert image[0, 0].tolist() == [120, 100, 50]


def test_color_changes_each_channel_of_a_gray_picture_by_a_quarter_of_it_at_most(random):
    changed = augment(plain(100, 200, channels=3), Augmentation(color=0.4), random)
    assert len(np.unique(changed[:, 0, 0], axis=0)) > 100
    assert 90 <= changed.min() <= 92
    assert 108 <= changed.max() <= 110


def test_cutout_leaves_a_square_hole_of_the_mean_colour():
    (image,) = halves(0, 200)
    cut_out(image, 0.5, np.array([0.0, 0.0]))
    hole = np.zeros((8, 8), bool)
    hole[2:6, 2:6] = True
    assert (image[hole] == 100).all()
    assert not (image[~hole] == 100).any()


def test_a_hole_may_lie_partly_outside():
    (image,) = halves(0, 200)
    cut_out(image, 0.5, np.array([-1.0, -1.0]))
    assert (image == 100).sum() == 4


def test_every_image_gets_its_own_hole(random):
    changed = augment(halves(0, 200, 500), Augmentation(cutout=0.25), random)
    holes = changed[..., 0] == 100
    assert len({hole.tobytes() for hole in holes}) > 20
    assert holes.sum(axis=(1, 2)).max() == 4
    assert holes.any(axis=0).all()


def texture(channels: int) -> np.ndarray:
    return np.random.default_rng(2).integers(20, 200, (16, 16, channels)).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_change_but_one_changes_an_image(channels):
    changed = []
    for change in CHANGES:
        image = texture(channels)
        change(image, 0.5)
        assert image.shape == (16, 16, channels)
        changed.append(not np.array_equal(image, texture(channels)))
    # The first is to leave it as it is; gray images have no saturation.
    assert changed.count(False) == (1 if channels == 3 else 2)
    assert not changed[0]


def test_a_stronger_randaugment_changes_more():
    def change(strength: float) -> float:
        changed = augment(
            np.repeat(texture(3)[None], 300, axis=0),
            Augmentation(randaugment=strength),
            np.random.default_rng(3),
        )
        return float(abs(changed.astype(int) - texture(3)).mean())

    assert 0 < change(1.0) < change(5.0) < change(10.0)


def test_randaugment_picks_two_changes_and_their_ways_by_its_numbers():
    image = texture(1)
    # -1 is the first change, which keeps the image; 1 the last, which moves it down.
    randaugment(image, 10.0, np.array([-1.0, 1.0, 1.0, 1.0]))
    # 0.3 of 16 rows is 4.8, so row 10 lies between the old rows 5 and 6.
    old = texture(1).astype(float)
    wanted = 0.8 * old[5] + 0.2 * old[6]
    assert abs(image[10] - wanted).max() <= 8


def test_randaugment_never_mirrors():
    ramp = np.broadcast_to(np.arange(16, dtype=np.uint8)[None, :, None] * 8 + 40, (16, 16, 1))
    changed = augment(
        np.repeat(ramp[None], 300, axis=0),
        Augmentation(randaugment=3.0),
        np.random.default_rng(3),
    ).astype(int)
    # Solarizing turns bright and dark around, but at this strength only right of the middle.
    rises = changed[:, 8, 8, 0] - changed[:, 8, 2, 0]
    assert (rises > 0).all()
