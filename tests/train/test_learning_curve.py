"""Would more pictures help? `edgecls_train.learning_curve`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.imaging.decode import decode
from edgecls_train.fit import fit
from edgecls_train.learning_curve import (
    CurvePoint,
    LearningCurve,
    draw_share,
    measure_learning_curve,
)
from edgecls_train.plots import draw_learning_curve
from edgecls_train.split import Split
from tests.train.made_data import stripes, stripes_recipe

SPLIT = Split(train=np.arange(0, 40, 2), val=np.arange(1, 40, 4), test=np.arange(3, 40, 4))


def curve(quarter: int, half: int, full: int, measured: int = 1000) -> LearningCurve:
    """Right answers of three trainings on 100, 200 and 400 pictures."""
    rights = ((0.25, 100, quarter), (0.5, 200, half), (1.0, 400, full))
    return LearningCurve(tuple(CurvePoint(s, n, measured, right) for s, n, right in rights))


def test_the_error_goes_on_falling_as_it_did():
    # 20% wrong, then 10%: the next doubling may halve it again, to 5%.
    assert curve(600, 800, 900).expected_gain == pytest.approx(0.05)


def test_a_curve_that_still_rises_asks_for_more_pictures():
    verdict = curve(600, 800, 900).verdict
    assert "more pictures would help" in verdict
    assert "From 200 to 400" in verdict
    assert "from 80.0% to 90.0%" in verdict
    assert "about 5.0 points more" in verdict


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(curve(8700, 9000, 9000, 10_000), id="nothing gained"),
        pytest.param(curve(8700, 9010, 9000, 10_000), id="a little lost"),
        pytest.param(curve(990, 1000, 1000), id="all of them right"),
    ],
)
def test_a_curve_that_has_flattened_does_not(found):
    assert "would not help much" in found.verdict


def test_a_curve_of_few_measured_pictures_admits_that_it_does_not_know():
    assert "cannot be said from 30 measured ones" in curve(20, 24, 25, 30).verdict


def test_smaller_shares_are_parts_of_larger_ones_with_every_class():
    dataset = stripes()
    quarter, half = (draw_share(dataset, SPLIT, share, 3) for share in (0.25, 0.5))
    assert set(quarter) < set(half) < set(SPLIT.train)
    assert np.bincount(dataset.targets[quarter]).tolist() == [2, 2]
    assert np.bincount(dataset.targets[half]).tolist() == [5, 5]


def test_the_smaller_trainings_take_as_many_steps_and_never_see_a_measured_picture():
    recipe = dataclasses.replace(stripes_recipe(), epochs=2)
    trained = []

    def remember(dataset, split, longer):
        trained.append((len(split.train), longer.epochs, set(split.train)))
        return fit(dataset, split, longer)[0]

    model = fit(stripes(), SPLIT, recipe)[0]
    found = measure_learning_curve(model, stripes(), SPLIT, recipe, remember)
    assert [(pictures, epochs) for pictures, epochs, _ in trained] == [(4, 8), (10, 4)]
    assert not set().union(*(seen for *_, seen in trained)) & {*SPLIT.val, *SPLIT.test}
    assert [point.pictures for point in found.points] == [4, 10, 20]
    assert {point.measured for point in found.points} == {20}


def test_the_curve_as_json_has_points_and_verdict():
    found = curve(600, 800, 900).to_json()
    assert [point["top1"] for point in found["points"]] == [0.6, 0.8, 0.9]
    assert found["expected_gain"] == 0.05
    assert found["verdict"].startswith("From 200")


def test_the_curve_is_a_picture():
    assert decode(draw_learning_curve(curve(600, 800, 900))).std() > 10
