"""Exact tests for two classifiers on the same pictures."""

from __future__ import annotations

import pytest

from edgecls.paired import adjust_for_several, mcnemar_p


@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [
        pytest.param(0, 0, 1.0, id="nothing was lost or won"),
        pytest.param(3, 3, 1.0, id="as much was lost as won"),
        pytest.param(1, 0, 1.0, id="one picture says nothing"),
        pytest.param(5, 0, 2 / 2**5, id="five tosses of one kind: 2 of 32"),
        pytest.param(0, 10, 2 / 2**10, id="ten of the other kind: 2 of 1,024"),
        pytest.param(1, 9, 2 * (1 + 10) / 2**10, id="nine of ten, or more"),
        pytest.param(2, 8, 2 * (1 + 10 + 45) / 2**10, id="eight of ten, or more"),
    ],
)
def test_mcnemars_exact_test(lost: int, won: int, p: float) -> None:
    assert mcnemar_p(lost, won) == p
    assert mcnemar_p(won, lost) == p


def test_thousands_of_changes_are_counted_exactly() -> None:
    assert mcnemar_p(2500, 2500) == 1.0
    assert mcnemar_p(5000, 5000) == 1.0
    # A normal distribution with the binomial's own width: z = (5100 - 4900) / sqrt(10000) = 2.
    assert mcnemar_p(4900, 5100) == pytest.approx(0.0466, abs=0.001)
    assert mcnemar_p(0, 5000) == 0.0  # 2 in 2**5000 is no float


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        pytest.param([], [], id="no test"),
        pytest.param([0.03], [0.03], id="one test needs no correction"),
        pytest.param([0.04, 0.01, 0.03], [0.06, 0.03, 0.06], id="the smallest times three, ..."),
        pytest.param([0.6, 0.7], [1.0, 1.0], id="never above 1"),
    ],
)
def test_holms_correction(p_values: list[float], adjusted: list[float]) -> None:
    assert adjust_for_several(p_values) == pytest.approx(adjusted)
