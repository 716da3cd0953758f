"""Images made of two: `edgecls_train.augment.mixing`."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls_train.augment.mixing import cutmix, mix, mixup
from edgecls_train.recipe import Augmentation

# An image of zeros of class 0, and one of hundreds of class 1.
IMAGES = np.stack([np.zeros((4, 4, 1)), np.full((4, 4, 1), 100.0)]).astype(np.float32)
SHARES = np.eye(2, dtype=np.float32)
SWAPPED = np.array([1, 0])


def test_mixup_blends_images_and_answers_alike():
    kept = np.array([0.75, 0.6], np.float32)
    images, shares = mixup(IMAGES, SHARES, SWAPPED, kept)
    # 0.25 of 100, and 0.6 of 100.
    assert np.unique(images[0]).tolist() == [25.0]
    assert np.unique(images[1]).tolist() == pytest.approx([60.0])
    assert shares.tolist() == [pytest.approx([0.75, 0.25]), pytest.approx([0.4, 0.6])]


def test_cutmix_pastes_a_rectangle_and_shares_the_answer_by_its_area():
    # A quarter of the area in the middle: 2 x 2 of 4 x 4 pixels.
    middles = np.full((2, 2), 0.5)
    images, shares = cutmix(IMAGES, SHARES, SWAPPED, np.array([0.75, 0.75]), middles)
    assert images[0, :, :, 0].tolist() == [
        [0, 0, 0, 0],
        [0, 100, 100, 0],
        [0, 100, 100, 0],
        [0, 0, 0, 0],
    ]
    assert shares.tolist() == [[0.75, 0.25], [0.25, 0.75]]


def test_cutmix_counts_only_what_was_pasted():
    # The same rectangle around a corner: one pixel of sixteen.
    middles = np.zeros((2, 2))
    images, shares = cutmix(IMAGES, SHARES, SWAPPED, np.array([0.75, 0.75]), middles)
    assert (images[0] == 100).sum() == 1
    assert shares[0].tolist() == [15 / 16, 1 / 16]


@pytest.mark.parametrize("knob", ["mixup", "cutmix"])
def test_the_given_images_are_not_changed(knob):
    before = IMAGES.copy()
    mix(IMAGES, SHARES, Augmentation(**{knob: 1.0}), np.random.default_rng(0))
    assert np.array_equal(IMAGES, before)


def mixed_shares(augmentation: Augmentation) -> np.ndarray:
    """Of 2,000 images of two classes, how much of the first class is in each."""
    images = np.zeros((2000, 4, 4, 1), np.float32)
    shares = np.eye(2, dtype=np.float32).repeat(1000, axis=0)
    return mix(images, shares, augmentation, np.random.default_rng(5))[1][:, 0]


def test_a_small_alpha_leaves_most_images_nearly_alone():
    # Beta(0.1, 0.1) is beyond 0.05 and 0.95 with a probability of 0.74, Beta(5, 5) never.
    def nearly_pure(share: np.ndarray) -> float:
        return float(((share < 0.05) | (share > 0.95)).mean())

    assert nearly_pure(mixed_shares(Augmentation(mixup=0.1))) > 0.7
    # Half of the images meet one of their own class.
    assert 0.45 < nearly_pure(mixed_shares(Augmentation(mixup=5.0))) < 0.55


def test_mixing_keeps_the_classes_in_balance():
    assert mixed_shares(Augmentation(mixup=1.0)).mean() == pytest.approx(0.5, abs=0.03)


def test_with_both_every_batch_gets_one_of_them():
    images = np.random.default_rng(6).integers(0, 256, (8, 4, 4, 1)).astype(np.float32)
    pasted = 0
    for seed in range(100):
        both = Augmentation(mixup=1.0, cutmix=1.0)
        mixed, _ = mix(images, np.eye(8, dtype=np.float32), both, np.random.default_rng(seed))
        pasted += set(mixed.ravel()) <= set(images.ravel())
    assert 30 <= pasted <= 70  # four standard deviations around 50
