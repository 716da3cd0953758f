"""Which pixel values were seen, and what is said when they are narrow."""

import numpy as np
import pytest

from edgecls_convert.ranges import measure_range

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)


def plain(*channels):
    """A picture of one colour."""
    return np.full((4, 4, len(channels)), channels, np.uint8)


def test_the_ends_are_told_by_channel():
    seen = measure_range([plain(10, 20, 30), plain(40, 20, 250)])
    assert (seen.lowest, seen.highest) == ((10, 20, 30), (40, 20, 250))


def test_the_brightness_is_the_mean_of_all_values():
    assert measure_range([plain(0), plain(100)]).brightness == 50.0


def test_pictures_that_span_everything_give_no_warning():
    assert measure_range([RAMP]).warnings == ()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        pytest.param(RAMP // 2, "are dark: nearly all of their values are at most 127", id="dark"),
        pytest.param(
            RAMP // 2 + 128, "are pale: nearly all of their values are at least 128", id="pale"
        ),
    ],
)
def test_a_narrow_range_is_told(image, words):
    (warning,) = measure_range([image]).warnings
    assert words in warning


def test_one_lamp_in_the_dark_is_still_dark():
    room = np.tile(RAMP // 4, (8, 8, 1))
    room[0, 0] = 255
    (warning,) = measure_range([room]).warnings
    assert "at most 63 of 255" in warning


def test_noise_is_told():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    (warning,) = measure_range([noise]).warnings
    assert "look like noise" in warning


def test_plain_pictures_are_no_noise():
    assert measure_range([plain(0), plain(255)]).smoothness == 1.0
