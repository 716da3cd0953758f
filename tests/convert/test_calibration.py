"""The calibration set: training pictures alone, and a pinned input range."""

import numpy as np
import pytest

from edgecls.errors import InvalidValueError
from edgecls_convert.calibration import CalibrationSet, load_calibration_set
from edgecls_convert.subsets import open_run_pictures


def say_nothing(done, note=""):
    pass


def calibrate(run, count, seed=0):
    pictures = open_run_pictures(run, run.load_card())
    return load_calibration_set(pictures, count, seed, say_nothing)


def names_of(run, *subsets):
    return {entry.name for entry in run.load_split() if entry.subset in subsets}


def test_only_training_pictures_are_used(digits_run):
    names = calibrate(digits_run, 10_000).names
    assert set(names) == names_of(digits_run, "train")
    assert not set(names) & names_of(digits_run, "val", "test")


def test_every_digit_is_there_as_often_as_the_others(digits_run):
    assert calibrate(digits_run, 60).per_class == dict.fromkeys("0123456789", 6)


def test_the_seed_decides(digits_run):
    assert calibrate(digits_run, 60, seed=1).names == calibrate(digits_run, 60, seed=1).names
    assert calibrate(digits_run, 60, seed=1).names != calibrate(digits_run, 60, seed=2).names


def test_pictures_are_prepared_as_the_card_says(digits_run):
    image = calibrate(digits_run, 1).images[0]
    assert (image.shape, image.dtype) == ((28, 28, 1), np.uint8)


def test_no_picture_at_all_is_refused(digits_run):
    with pytest.raises(InvalidValueError, match="0 calibration pictures were asked for"):
        calibrate(digits_run, 0)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param([[100, 110], [120, 130]], id="of half brightness"),
        pytest.param([[100, 100], [100, 100]], id="of one brightness"),
        pytest.param([[0, 1], [2, 255]], id="that span it already"),
        pytest.param([[7]], id="of a single pixel"),
    ],
)
def test_the_input_range_is_pinned_whatever_the_pictures(image):
    pixels = np.array(image, np.uint8)[:, :, None]
    shown = CalibrationSet((pixels,), ("only",), {"a": 1}, seed=0).to_representative()
    assert np.min(shown) == 0
    assert np.max(shown) == 255
    assert [int(np.sum(each != pixels)) <= 1 for each in shown] == [True, True, True]
    assert pixels[:, :, 0].tolist() == image
