"""One steady label from scores that flicker, by hand arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgecls.contract.events import UNKNOWN
from edgecls.contract.labels import Labels
from edgecls.errors import InvalidValueError
from edgecls.smoothing import Change, Smoother, Steadiness

# Each frame for itself: no averaging, no margin, no hold.
JUMPY = Steadiness(time_constant_s=0.0, margin=0.0, min_hold_s=0.0)


def smoother(steadiness: Steadiness, thresholds: tuple[float, float] = (0.5, 0.5)) -> Smoother:
    return Smoother(Labels(("cat", "dog")), np.array(thresholds, np.float32), steadiness)


def scores(cat: float, dog: float) -> np.ndarray:
    return np.array([cat, dog], np.float32)


def test_it_begins_with_unknown_and_changes_to_the_first_sure_label() -> None:
    steady = smoother(Steadiness())
    assert steady.label == UNKNOWN
    assert steady.update(scores(0.75, 0.25), 0.0) == Change("cat", UNKNOWN, 0.75)
    assert steady.label == "cat"


def test_the_same_label_again_is_no_change() -> None:
    steady = smoother(JUMPY)
    steady.update(scores(1, 0), 0.0)
    assert steady.update(scores(0.75, 0.25), 0.1) is None


def test_without_averaging_every_frame_counts_for_itself() -> None:
    steady = smoother(JUMPY)
    steady.update(scores(1, 0), 0.0)
    assert steady.update(scores(0, 1), 0.1) == Change("dog", "cat", 1.0)


def test_after_one_time_constant_the_average_is_63_percent_of_the_way() -> None:
    steady = smoother(Steadiness(time_constant_s=0.4, margin=0.1, min_hold_s=0.0))
    steady.update(scores(1, 0), 0.0)
    change = steady.update(scores(0, 1), 0.4)
    assert change is not None
    assert (change.label, change.previous) == ("dog", "cat")
    assert change.score == pytest.approx(1 - 1 / math.e)


def test_the_average_follows_time_and_not_the_number_of_frames() -> None:
    steady = smoother(Steadiness(time_constant_s=0.4, margin=0.0, min_hold_s=0.0))
    steady.update(scores(1, 0), 0.0)
    # Half-way takes ln 2 time constants, 0.277 s, however many frames there are in it.
    assert [steady.update(scores(0, 1), n / 100) for n in range(1, 28)] == [None] * 27
    assert steady.update(scores(0, 1), 0.28) is not None


def test_time_that_stands_still_or_goes_back_changes_nothing() -> None:
    steady = smoother(Steadiness(time_constant_s=0.4, margin=0.0, min_hold_s=0.0))
    steady.update(scores(1, 0), 5.0)
    assert steady.update(scores(0, 1), 5.0) is None
    assert steady.update(scores(0, 1), 4.0) is None


@pytest.mark.parametrize(
    ("new", "label"),
    [
        pytest.param(
            scores(0.47, 0.53), "cat", id="6 points ahead are not enough for a margin of 10"
        ),
        pytest.param(scores(0.44, 0.56), "dog", id="12 points ahead are enough"),
    ],
)
def test_a_new_label_must_beat_the_old_one_by_the_margin(new: np.ndarray, label: str) -> None:
    steady = smoother(Steadiness(time_constant_s=0.0, margin=0.1, min_hold_s=0.0))
    steady.update(scores(1, 0), 0.0)
    steady.update(new, 0.1)
    assert steady.label == label


def test_from_unknown_no_margin_is_needed() -> None:
    steady = smoother(Steadiness(time_constant_s=0.0, margin=0.9, min_hold_s=0.0))
    assert steady.update(scores(0.51, 0.49), 0.0) is not None


@pytest.mark.parametrize(
    ("cat", "label"),
    [
        pytest.param(0.55, "cat", id="just below the threshold of 60 it stays"),
        pytest.param(0.49, "unknown", id="more than the margin of 10 below, it is unknown"),
    ],
)
def test_a_label_fades_only_clearly_below_its_threshold(cat: float, label: str) -> None:
    steady = smoother(
        Steadiness(time_constant_s=0.0, margin=0.1, min_hold_s=0.0), thresholds=(0.6, 0.6)
    )
    steady.update(scores(1, 0), 0.0)
    steady.update(scores(cat, 1 - cat), 0.1)
    assert steady.label == label


def test_fading_is_a_change_to_unknown() -> None:
    steady = smoother(JUMPY, thresholds=(0.75, 0.75))
    steady.update(scores(1, 0), 0.0)
    assert steady.update(scores(0.5, 0.5), 0.1) == Change(UNKNOWN, "cat", 0.5)


def test_each_label_has_its_own_threshold() -> None:
    steady = smoother(JUMPY, thresholds=(0.5, 0.9))
    assert steady.update(scores(0.25, 0.75), 0.0) is None
    assert steady.update(scores(0.75, 0.25), 0.1) == Change("cat", UNKNOWN, 0.75)


def test_a_label_is_held_for_its_least_time() -> None:
    steady = smoother(Steadiness(time_constant_s=0.0, margin=0.0, min_hold_s=0.5))
    steady.update(scores(1, 0), 10.0)
    assert steady.update(scores(0, 1), 10.25) is None
    assert steady.update(scores(0, 1), 10.5) == Change("dog", "cat", 1.0)


def test_a_least_time_that_is_rounded_down_by_a_hair_has_passed() -> None:
    steady = smoother(Steadiness(time_constant_s=0.0, margin=0.0, min_hold_s=0.1))
    steady.update(scores(1, 0), 6 / 30)
    # 9/30 - 6/30 is 0.09999999999999998.
    assert steady.update(scores(0, 1), 9 / 30) == Change("dog", "cat", 1.0)


def test_one_odd_frame_in_ten_changes_nothing() -> None:
    steady = smoother(Steadiness())
    flicker = [scores(0, 1) if n % 10 == 9 else scores(1, 0) for n in range(100)]
    changes = [steady.update(frame, n / 30) for n, frame in enumerate(flicker)]
    assert [change for change in changes if change] == [Change("cat", UNKNOWN, 1.0)]


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["time_constant_s", "margin", "min_hold_s"])
def test_steadiness_refuses_nonsense(name: str, value: float) -> None:
    with pytest.raises(InvalidValueError, match=f"{name} is {value}, wanted 0 or more"):
        Steadiness(**{name: value})
