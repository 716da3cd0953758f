"""What to make of scores: a temperature and thresholds, found on validation pictures.

Training fits them to the network's scores, conversion again to those of the int8 model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.card import Output
from edgecls.contract.labels import Labels
from edgecls.metrics import (
    Rejection,
    Scores,
    Targets,
    calibration_error,
    measure_rejection,
    wilson_interval,
)
from edgecls.tempering import temper

TARGET_PRECISION: Final = 0.95
# A camera that says "unknown" more often than not is of no use to anybody.
MIN_COVERAGE: Final = 0.5
_MIN_TEMPERATURE: Final = 0.25
_MAX_TEMPERATURE: Final = 10.0
# How far log T may lie from 0 before any picture was seen. It matters for tens of pictures, where
# "all of them right" would ask for endless certainty, and vanishes for hundreds.
_PRIOR_WIDTH: Final = math.log(2.0)
# Chi-squared with one degree of freedom at 95%: below it, T = 1 explains the pictures as well.
_LIKELIHOOD_RATIO: Final = 3.84
_MOST_PICTURES: Final = 10_000
# Softmax in float32 underflows to 0; Keras' own cross-entropy is cut at the same value.
_SMALLEST_SCORE: Final = 1e-7
# One-sided 90% confidence: a threshold that only just holds on these pictures would, on others,
# miss its target every other time.
_SAFETY_Z: Final = 1.28


@dataclass(frozen=True, slots=True)
class Calibration:
    """The decision for a model's card, and how it fared on the pictures it was made on.

    Args:
        output: Temperature and thresholds.
        target_precision: The share of answers that should be right.
        is_reached: Whether it is, on the validation pictures, with at least half of them answered.
        val: What remains of the validation pictures.
    """

    output: Output
    target_precision: float
    is_reached: bool
    val: Rejection


def calibrate(
    scores: Scores,
    targets: Targets,
    labels: Labels,
    target_precision: float = TARGET_PRECISION,
    step: float = 0.0,
) -> Calibration:
    """Find temperature and thresholds on validation pictures.

    Args:
        scores: (N, classes), 0 to 1, as the network gives them.
        targets: (N,), class indices.
        labels: Names of the classes.
        target_precision: Share of the answers that should be right. Where it is reached without
            rejecting anything, the threshold is 0; where no threshold reaches it, too.
        step: As for `fit_temperature`.
    """
    temperature = fit_temperature(scores, targets, step)
    tempered = temper(scores, temperature)
    winners, best = tempered.argmax(axis=1), tempered.max(axis=1)
    right = winners == targets
    found = choose_threshold(best, right, target_precision)
    common = found or 0.0
    by_class = _choose_class_thresholds(best, right, winners, labels, common, target_precision)
    output = Output(temperature, common, by_class)
    val = measure_rejection(tempered, targets, thresholds_of(output, labels))
    return Calibration(output, target_precision, found is not None, val)


def fit_temperature(scores: Scores, targets: Targets, step: float = 0.0) -> float:
    """The temperature that makes the true labels most likely.

    Found by minimising the negative log-likelihood over log T, with a weak preference for 1. It
    stays 1 where the pictures do not clearly ask for another. Of quantized scores, the likelihood
    is that of the best label being right or wrong: most others are 0 there, which says little.

    Args:
        scores: (N, classes), 0 to 1.
        targets: (N,), class indices.
        step: Between two scores that the model can give, such as 1/256; 0 for float scores.

    Returns:
        0.25 to 10, three digits.

    Source:
        Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    stride = -(-len(targets) // _MOST_PICTURES)  # sets are sorted by class, so none is cut off
    scores, answers = scores[::stride].astype(np.float64), targets[::stride, None]
    logs = np.log(np.maximum(scores, _SMALLEST_SCORE))

    def cost(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        if step:
            surprise = _best_label_surprise(temper(scores, temperature), answers, step / 2)
        else:
            surprise = negative_log_likelihood(logs / temperature, answers)
        return surprise + 0.5 * (log_temperature / _PRIOR_WIDTH) ** 2

    found = _minimize(cost, math.log(_MIN_TEMPERATURE), math.log(_MAX_TEMPERATURE))
    if 2.0 * (cost(0.0) - cost(found)) < _LIKELIHOOD_RATIO:
        return 1.0
    return round(math.exp(found), 3)


def negative_log_likelihood(logits: npt.NDArray[np.float64], answers: Targets) -> float:
    """Sum over the pictures of -log softmax(logits) at the true class.

    Args:
        logits: (N, classes).
        answers: (N, 1), class indices.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    own = np.take_along_axis(shifted, answers, axis=1)[:, 0]
    return float((np.log(np.exp(shifted).sum(axis=1)) - own).sum())


def choose_threshold(
    best: npt.NDArray[np.floating[Any]], right: npt.NDArray[np.bool_], target: float
) -> float | None:
    """The lowest score from which on answers are right often enough.

    Args:
        best: (N,), the winning score of each picture.
        right: (N,), whether the winner is the true class.
        target: Share of the answers that should be right.

    Returns:
        0 where that holds for all of them; otherwise a score that reaches the target with 90%
        confidence; None where none does for at least half of the pictures.
    """
    if right.mean() >= target:
        return 0.0
    order = np.argsort(-best, kind="stable")
    hits = np.cumsum(right[order])
    ordered = best[order]
    # Pictures of equal score are answered together or not at all.
    is_last_of_score = np.append(ordered[1:] < ordered[:-1], True)
    for index in np.flatnonzero(is_last_of_score)[::-1]:
        answered = int(index) + 1
        if answered < MIN_COVERAGE * len(best):
            return None
        if wilson_interval(int(hits[index]), answered, _SAFETY_Z)[0] >= target:
            return _below(float(ordered[index]))
    return None


def thresholds_of(output: Output, labels: Labels) -> npt.NDArray[np.float32]:
    """The score that each class must reach, (classes,)."""
    own = output.class_thresholds
    return np.array([own.get(label, output.reject_threshold) for label in labels], np.float32)


@dataclass(frozen=True, slots=True)
class Certainty:
    """What calibration did for pictures that it had not seen.

    Args:
        error_before: Calibration error of the network's own scores.
        error_after: After the temperature.
        rejection: What remains of the pictures under the thresholds.
    """

    error_before: float
    error_after: float
    rejection: Rejection

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "error_before": round(self.error_before, 6),
            "error_after": round(self.error_after, 6),
            **self.rejection.to_json(),
        }


def measure_certainty(
    scores: Scores, targets: Targets, labels: Labels, output: Output
) -> Certainty:
    """Apply a decision to pictures; `scores` (N, classes) are the network's own."""
    tempered = temper(scores, output.temperature)
    return Certainty(
        error_before=calibration_error(scores, targets),
        error_after=calibration_error(tempered, targets),
        rejection=measure_rejection(tempered, targets, thresholds_of(output, labels)),
    )


def _choose_class_thresholds(
    best: npt.NDArray[np.floating[Any]],
    right: npt.NDArray[np.bool_],
    winners: npt.NDArray[np.int64],
    labels: Labels,
    common: float,
    target: float,
) -> dict[str, float]:
    """Higher thresholds for labels that are clearly too often wrong under the common one."""
    own: dict[str, float] = {}
    for index, label in enumerate(labels):
        members = (winners == index) & (best >= common)
        answered, hits = int(members.sum()), int(right[members].sum())
        if wilson_interval(hits, answered)[1] >= target:
            continue
        found = choose_threshold(best[members], right[members], target)
        if found is not None:
            own[label] = max(found, common)
    return own


def _best_label_surprise(scores: Scores, answers: Targets, smallest: float) -> float:
    """Sum over the pictures of -log(score) where the best label is right, else -log(1 - score)."""
    best = scores.max(axis=1)
    right = scores.argmax(axis=1) == answers[:, 0]
    return float(-np.log(np.maximum(np.where(right, best, 1.0 - best), smallest)).sum())


def _below(score: float) -> float:
    """Six digits that `score` itself still reaches: the card is for people, too."""
    return math.floor(score * 1e6) / 1e6


def _minimize(cost: Callable[[float], float], low: float, high: float) -> float:
    """The lowest point of a smooth curve: a grid finds the valley, golden sections its bottom."""
    grid = np.linspace(low, high, 17)
    lowest = int(np.argmin([cost(float(point)) for point in grid]))
    left, right = float(grid[max(lowest - 1, 0)]), float(grid[min(lowest + 1, len(grid) - 1)])
    ratio = (math.sqrt(5.0) - 1.0) / 2.0
    for _ in range(25):
        inner_left, inner_right = right - ratio * (right - left), left + ratio * (right - left)
        if cost(inner_left) <= cost(inner_right):
            right = inner_right
        else:
            left = inner_left
    return (left + right) / 2.0
