"""The contact sheet of augmented images: `edgecls_train.augment.sheet`."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from edgecls_train.augment import draw_sheet, pick_examples
from edgecls_train.recipe import Augmentation
from tests.train.made_data import stripes, stripes_recipe

# 8 pixels enlarged 12 times; 4 between rows, 16 beside the originals, 4 between the others.
SIDE, GAP, WIDE = 96, 4, 16


def sheet_of(augmentation: Augmentation, rows: int = 3) -> np.ndarray:
    recipe = dataclasses.replace(stripes_recipe(), augmentation=augmentation)
    content = np.frombuffer(draw_sheet(stripes().images[:rows], recipe), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_COLOR)


def test_a_row_is_an_image_and_nine_changes_of_it():
    sheet = sheet_of(Augmentation(shift=0.2))
    assert sheet.shape == (3 * SIDE + 2 * GAP, 10 * SIDE + WIDE + 8 * GAP, 3)


def test_the_originals_stand_on_the_left():
    sheet = sheet_of(Augmentation(shift=0.2))
    enlarged = stripes().images[1].repeat(12, axis=0).repeat(12, axis=1)
    second_row = sheet[SIDE + GAP : 2 * SIDE + GAP, :SIDE]
    assert np.array_equal(second_row, enlarged.repeat(3, axis=2))


@pytest.mark.parametrize(
    "augmentation",
    [
        pytest.param(Augmentation(shift=0.2), id="shift"),
        pytest.param(Augmentation(mixup=1.0), id="mixup"),
        pytest.param(Augmentation(cutmix=1.0), id="cutmix"),
    ],
)
def test_the_changes_beside_them_are_seen(augmentation):
    def others(sheet: np.ndarray) -> np.ndarray:
        return sheet[:, SIDE + WIDE :]

    assert not np.array_equal(others(sheet_of(augmentation)), others(sheet_of(Augmentation())))


def test_the_same_seed_draws_the_same_sheet():
    augmentation = Augmentation(shift=0.2, cutout=0.3)
    assert np.array_equal(sheet_of(augmentation), sheet_of(augmentation))


def test_examples_are_of_as_many_classes_as_can_be():
    targets = np.array([0, 0, 0, 0, 0, 0, 1, 2, 2])
    assert pick_examples(targets, 5) == [0, 6, 7, 1, 8]


def test_there_are_no_more_examples_than_images():
    assert pick_examples(np.array([0, 1])) == [0, 1]
