"""Temperature and thresholds: `edgecls.calibration`."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.calibration import (
    calibrate,
    choose_threshold,
    fit_temperature,
    measure_certainty,
    thresholds_of,
)
from edgecls.contract.card import Output
from edgecls.contract.labels import Labels
from edgecls.metrics import calibration_error, wilson_interval

LABELS = Labels.numbered(5)


def made_scores(count: int, seed: int, *, sharpness: float = 1.0, skill: float = 2.0):
    """Scores of a classifier that is exactly `sharpness` times too sure of itself.

    The labels are drawn from softmax(logits), the scores are softmax(sharpness * logits).
    """
    random = np.random.default_rng(seed)
    logits = random.normal(0.0, skill, (count, len(LABELS)))
    truth = softmax(logits)
    targets = (truth.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    return softmax(sharpness * logits).astype(np.float32), targets


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("sharpness", [0.5, 2.0, 3.0])
def test_the_temperature_is_how_much_too_sure_the_scores_are(sharpness):
    found = fit_temperature(*made_scores(5000, 1, sharpness=sharpness))
    assert found == pytest.approx(sharpness, rel=0.1)


def test_scores_that_are_honest_already_keep_their_temperature():
    assert fit_temperature(*made_scores(2000, 2)) == 1.0


def in_8_bits(scores):
    return np.clip(np.rint(scores * 256), 0, 255).astype(np.float32) / 256


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_scores_in_steps_of_8_bits_give_the_temperature_that_exact_ones_give(sharpness):
    scores, targets = made_scores(5000, 1, sharpness=sharpness)
    found = fit_temperature(in_8_bits(scores), targets, step=1 / 256)
    assert found == pytest.approx(sharpness, rel=0.1)


@pytest.mark.parametrize("sharpness", [2.0, 3.0])
def test_scores_in_steps_become_as_honest_on_other_pictures(sharpness):
    scores, targets = made_scores(2000, 4, sharpness=sharpness)
    output = calibrate(in_8_bits(scores), targets, LABELS, step=1 / 256).output
    scores, targets = made_scores(2000, 5, sharpness=sharpness)
    found = measure_certainty(in_8_bits(scores), targets, LABELS, output)
    assert found.error_after < 0.5 * found.error_before


def test_a_thousand_scores_of_zero_weigh_nothing():
    scores = np.zeros((300, 1000), np.float32)
    scores[:, 7], scores[:, 8] = 0.5, 0.5
    targets = np.array([7, 8] * 150)
    assert fit_temperature(scores, targets, step=1 / 256) == 1.0


def test_the_temperature_counts_every_class_of_a_large_sorted_set():
    scores, targets = made_scores(30_000, 3, sharpness=2.0)
    order = np.argsort(targets, kind="stable")
    assert fit_temperature(scores[order], targets[order]) == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize(
    ("scores", "targets"),
    [
        pytest.param([[0.9, 0.1]] * 4, [0] * 4, id="four right answers"),
        pytest.param([[1.0, 0.0]] * 4, [1] * 4, id="certain and always wrong"),
        pytest.param([[0.5, 0.5]] * 4, [0, 1, 0, 1], id="no opinion at all"),
    ],
)
def test_a_few_pictures_give_a_temperature_within_reason(scores, targets):
    found = fit_temperature(np.array(scores, np.float32), np.array(targets))
    assert 0.25 <= found <= 10.0


def test_four_right_answers_are_no_proof_of_certainty():
    scores = np.array([[0.9, 0.1]] * 4, np.float32)
    assert fit_temperature(scores, np.zeros(4, np.int64)) == 1.0


@pytest.mark.parametrize("sharpness", [2.0, 4.0])
def test_the_temperature_lowers_the_calibration_error_of_other_pictures(sharpness):
    output = calibrate(*made_scores(1000, 4, sharpness=sharpness), LABELS).output
    scores, targets = made_scores(1000, 5, sharpness=sharpness)
    found = measure_certainty(scores, targets, LABELS, output)
    assert found.error_before == calibration_error(scores, targets)
    assert found.error_after < 0.5 * found.error_before


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("target", [0.90, 0.95])
def test_the_threshold_keeps_its_promise_on_other_pictures(seed, target):
    scores, targets = made_scores(1500, seed, sharpness=2.0, skill=6.0)
    found = calibrate(scores, targets, LABELS, target)
    assert found.is_reached
    others = made_scores(1500, seed + 100, sharpness=2.0, skill=6.0)
    rejection = measure_certainty(*others, LABELS, found.output).rejection
    assert wilson_interval(rejection.right, rejection.answered)[1] >= target
    assert rejection.coverage > 0.5
    assert rejection.precision > np.mean(others[0].argmax(axis=1) == others[1])


def test_nothing_is_rejected_where_the_accuracy_is_good_enough():
    best = np.linspace(0.1, 1.0, 100)
    right = np.arange(100) >= 5  # 95% are right
    assert choose_threshold(best, right, 0.95) == 0.0


def test_the_threshold_lies_below_the_last_answer_that_can_be_kept():
    best = np.array([0.9] * 60 + [0.2] * 40)
    right = np.array([True] * 60 + [False] * 40)
    assert choose_threshold(best, right, 0.95) == pytest.approx(0.9)
    assert choose_threshold(best, right, 0.95) <= 0.9


def test_answers_of_one_score_are_kept_or_rejected_together():
    best = np.full(100, 0.7)
    right = np.array([True] * 60 + [False] * 40)
    assert choose_threshold(best, right, 0.95) is None


@pytest.mark.parametrize(
    ("best", "right"),
    [
        pytest.param([0.9] * 40 + [0.2] * 60, [True] * 40 + [False] * 60, id="40 of 100 remain"),
        pytest.param([0.9] * 6 + [0.2], [True] * 6 + [False], id="six are too few to be sure of"),
        pytest.param([0.9, 0.8, 0.7, 0.6], [False] * 4, id="all are wrong"),
    ],
)
def test_a_target_that_costs_too_much_is_not_reached(best, right):
    assert choose_threshold(np.array(best), np.array(right), 0.95) is None


def test_without_a_threshold_that_helps_every_picture_is_answered():
    scores, targets = made_scores(500, 6, skill=0.3)
    found = calibrate(scores, targets, LABELS)
    assert not found.is_reached
    assert found.output.reject_threshold == 0.0
    assert found.val.coverage == 1.0


def scores_of(winner: int, score: float) -> list[float]:
    rest = (1.0 - score) / 4
    return [score if index == winner else rest for index in range(5)]


def test_a_class_that_is_wrong_too_often_gets_a_threshold_of_its_own():
    sure = [scores_of(winner, 0.99) for winner in range(5) for _ in range(200)]
    doubtful = [scores_of(2, 0.60)] * 40
    scores = np.array(sure + doubtful, np.float32)
    targets = np.array([winner for winner in range(5) for _ in range(200)] + [1] * 40)
    output = calibrate(scores, targets, LABELS).output
    assert output.reject_threshold == 0.0  # 1,000 of 1,040 are right
    assert list(output.class_thresholds) == ["class 2"]
    assert output.class_thresholds["class 2"] > 0.60


def test_two_unlucky_answers_are_no_reason_for_a_threshold_of_its_own():
    scores = np.array([scores_of(i % 5, 0.9) for i in range(100)], np.float32)
    targets = np.arange(100) % 5
    targets[[2, 7]] = 0  # two of the 20 answers 'class 2' are wrong
    assert calibrate(scores, targets, LABELS).output.class_thresholds == {}


def test_thresholds_are_in_the_order_of_the_labels():
    output = Output(1.0, 0.25, {"class 3": 0.75})
    assert thresholds_of(output, LABELS).tolist() == [0.25, 0.25, 0.25, 0.75, 0.25]
