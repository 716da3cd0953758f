"""What a card says about the pictures that a model has learnt from."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from edgecls.contract.learnt import SHARES, STATISTICS, Learnt, learn, to_deviations
from edgecls.errors import InvalidValueError

# Quantiles of a score that is evenly spread from 0 to 1.
EVEN = SHARES
LEARNT = Learnt(EVEN, -0.5, 0.5, 1.0)


def test_what_was_learnt_comes_back_from_its_json() -> None:
    assert Learnt.from_json(LEARNT.to_json()) == LEARNT


def test_the_median_and_what_is_usual_are_quantiles() -> None:
    assert LEARNT.median == 0.5
    assert LEARNT.usual == (0.025, 0.975)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        pytest.param("quantiles", [1.0, 2.0], "are no 9", id="too few quantiles"),
        pytest.param("quantiles", [*SHARES[:8], float("nan")], "are no 9", id="not a number"),
        pytest.param("quantiles", sorted(SHARES, reverse=True), "do not ascend", id="descending"),
        pytest.param("quantiles", [*SHARES[:8], 1e300], "are no 9", id="beyond all values"),
        pytest.param("spread", "1.0", "learnt statistics are", id="a number in quotes"),
        pytest.param("low", True, "learnt statistics are", id="true is not 1"),
        pytest.param("quantiles", 5, "learnt statistics are", id="a number for a list"),
        pytest.param("quantiles", ["a"] * 9, "learnt statistics are", id="words for numbers"),
        pytest.param("low", 1.0, "wanted low <= high", id="low above high"),
        pytest.param("low", None, "learnt statistics are", id="nothing"),
        pytest.param("spread", 0.0, "a spread above 0", id="no spread"),
    ],
)
def test_nonsense_is_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Learnt.from_json({**LEARNT.to_json(), field: value})


@pytest.mark.parametrize(
    ("score", "deviations"),
    [
        pytest.param(0.5, 0.0, id="the median"),
        pytest.param(0.975, 1.96, id="above 97.5 percent"),
        pytest.param(0.025, -1.96, id="below 97.5 percent"),
        pytest.param(100.0, 8.0, id="far outside it ends at 8"),
        pytest.param(-100.0, -8.0, id="on the other side too"),
    ],
)
def test_values_are_told_in_deviations(score: float, deviations: float) -> None:
    found = to_deviations("score", np.array([score]), EVEN)
    assert found.tolist() == pytest.approx([deviations], abs=0.001)


@pytest.mark.parametrize("share", SHARES)
def test_quantiles_are_those_of_a_normal_distribution(share: float) -> None:
    found = to_deviations("score", np.array([share]), EVEN)
    assert found.tolist() == pytest.approx([NormalDist().inv_cdf(share)], abs=1e-6)


def test_pictures_that_are_all_the_same_make_no_alarm_of_a_tiny_change() -> None:
    learnt = learn("brightness", np.full(50, 120.0), np.zeros(50, np.int64))
    within = to_deviations("brightness", np.array([118.0, 120.0, 122.0]), learnt.quantiles)
    assert np.abs(within).max() < 0.5


@pytest.mark.parametrize("name", STATISTICS)
def test_deviations_grow_with_the_value(name: str) -> None:
    values = np.linspace(0.0, 1.0, 400)
    learnt = learn(name, values, np.arange(400) % 2)
    found = to_deviations(name, np.linspace(-1.0, 3.0, 100), learnt.quantiles)
    assert (np.diff(found) >= 0).all()


def test_the_means_of_the_classes_are_told() -> None:
    random = np.random.default_rng(0)
    targets = np.repeat([0, 1], 500)
    learnt = learn("score", random.normal(targets * 2.0, 1.0), targets)
    # In units of the whole, whose deviation is sqrt(2), the classes lie one below and above 0.
    assert (learnt.low, learnt.high) == pytest.approx((-0.7, 0.7), abs=0.1)
    assert learnt.spread == pytest.approx(2**0.5, abs=0.05)


def test_classes_of_one_picture_each_are_no_news() -> None:
    learnt = learn("score", np.random.default_rng(0).normal(size=100), np.arange(100))
    assert learnt.high - learnt.low < 0.7
