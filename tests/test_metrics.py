"""Measures of quality: by hand, against scikit-learn, and against published intervals."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls.errors import ShapeError
from edgecls.metrics import (
    calibration_error,
    count_confusion,
    measure,
    top_k_accuracy,
    wilson_interval,
)

LABELS = Labels(("cat", "dog", "cow"))
# Four pictures: cat taken for cat, cat for dog, dog for dog, dog for dog. No cow.
SCORES = np.array([[0.9, 0.1, 0.0], [0.3, 0.6, 0.1], [0.2, 0.8, 0.0], [0.1, 0.7, 0.2]])
TARGETS = np.array([0, 0, 1, 1])


def test_quality_by_hand() -> None:
    quality = measure(SCORES, TARGETS, LABELS)
    assert quality.images == 4
    assert quality.top1 == 3 / 4
    assert quality.confusion.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    cat, dog, cow = quality.per_class
    assert (cat.label, cat.images, cat.precision, cat.recall) == ("cat", 2, 1.0, 0.5)
    assert (dog.label, dog.images, dog.precision, dog.recall) == ("dog", 2, 2 / 3, 1.0)
    assert (cat.f1, dog.f1) == (2 / 3, 4 / 5)
    assert (cow.images, cow.precision, cow.recall, cow.f1) == (0, 0.0, 0.0, 0.0)


def test_the_mean_f1_is_over_the_classes_that_have_pictures() -> None:
    assert measure(SCORES, TARGETS, LABELS).macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)


def random_answers() -> tuple[Any, Any]:
    """Scores of 500 pictures of 12 classes, right about half of the time."""
    random = np.random.default_rng(9)
    targets = random.integers(0, 12, 500)
    logits = random.normal(size=(500, 12))
    logits[np.arange(500), targets] += 1.7
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return scores, targets


def test_quality_agrees_with_scikit_learn() -> None:
    peer = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the peer here")
    scores, targets = random_answers()
    predicted = scores.argmax(axis=1)
    quality = measure(scores, targets, Labels.numbered(12))
    precision, recall, f1, support = peer.precision_recall_fscore_support(targets, predicted)
    assert quality.confusion.tolist() == peer.confusion_matrix(targets, predicted).tolist()
    assert quality.top1 == pytest.approx(peer.accuracy_score(targets, predicted))
    assert quality.top5 == pytest.approx(peer.top_k_accuracy_score(targets, scores, k=5))
    assert quality.macro_f1 == pytest.approx(peer.f1_score(targets, predicted, average="macro"))
    assert [c.precision for c in quality.per_class] == pytest.approx(precision.tolist())
    assert [c.recall for c in quality.per_class] == pytest.approx(recall.tolist())
    assert [c.f1 for c in quality.per_class] == pytest.approx(f1.tolist())
    assert [c.images for c in quality.per_class] == support.tolist()


@pytest.mark.parametrize(
    ("k", "share"),
    [
        pytest.param(1, 0.0, id="the best alone is wrong twice"),
        pytest.param(2, 0.5, id="the second best is right once"),
        pytest.param(3, 1.0, id="among all three it is always there"),
        pytest.param(5, 1.0, id="more than there are is as good as all"),
    ],
)
def test_top_k(k: int, share: float) -> None:
    scores = np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]])
    assert top_k_accuracy(scores, np.array([1, 0]), k) == share


def test_a_tie_goes_to_the_first_as_in_the_best_answer() -> None:
    scores = np.array([[0.5, 0.5, 0.0]])
    assert top_k_accuracy(scores, np.array([0]), 1) == 1.0
    assert top_k_accuracy(scores, np.array([1]), 1) == 0.0


@pytest.mark.parametrize(
    ("scores", "targets", "error"),
    [
        pytest.param([[1.0, 0.0]], [0], 0.0, id="sure and right"),
        pytest.param([[1.0, 0.0]], [1], 1.0, id="sure and wrong"),
        pytest.param([[0.75, 0.25]] * 4, [0, 0, 0, 1], 0.0, id="75% sure and right 3 times of 4"),
        pytest.param([[0.75, 0.25]] * 4, [0, 0, 1, 1], 0.25, id="75% sure and right half the time"),
        # Two bins: |1 - 0.9| of one picture and |0 - 0.6| of the other, in the mean 0.35.
        pytest.param([[0.9, 0.1], [0.6, 0.4]], [0, 1], 0.35, id="two bins weigh by their pictures"),
    ],
)
def test_calibration_error(scores: Any, targets: Any, error: float) -> None:
    assert calibration_error(np.array(scores), np.array(targets)) == pytest.approx(error)


# Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3.
@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        pytest.param(81, 263, 0.2553, 0.3662, id="81 of 263"),
        pytest.param(15, 148, 0.0624, 0.1605, id="15 of 148"),
        pytest.param(0, 20, 0.0000, 0.1611, id="none of 20"),
        pytest.param(1, 29, 0.0061, 0.1718, id="1 of 29"),
    ],
)
def test_the_interval_of_wilson_agrees_with_the_literature(
    successes: int, total: int, low: float, high: float
) -> None:
    assert wilson_interval(successes, total, z=1.959964) == pytest.approx((low, high), abs=5e-5)


def test_an_interval_is_symmetric_and_inside_0_to_1() -> None:
    low, high = wilson_interval(20, 20)
    mirrored = wilson_interval(0, 20)
    assert (low, high) == pytest.approx((1 - mirrored[1], 1 - mirrored[0]))
    assert high == 1.0


def test_of_nothing_nothing_is_known() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_confusion_counts_small_integers_without_overflow() -> None:
    targets = np.full(3, 200, np.uint8)
    assert count_confusion(targets, targets, 201)[200, 200] == 3


@pytest.mark.parametrize(
    ("scores", "targets"),
    [
        pytest.param(SCORES, TARGETS[:3], id="a target too few"),
        pytest.param(SCORES[:, :2], TARGETS, id="a class too few"),
        pytest.param(SCORES[0], TARGETS[:1], id="one dimension"),
        pytest.param(SCORES[:0], TARGETS[:0], id="no pictures"),
        pytest.param(SCORES, TARGETS + 2, id="a class that does not exist"),
        pytest.param(SCORES, TARGETS - 1, id="a class below 0"),
    ],
)
def test_what_does_not_fit_is_refused(scores: Any, targets: Any) -> None:
    with pytest.raises(ShapeError, match="do not fit"):
        measure(scores, targets, LABELS)


def test_quality_is_plain_json() -> None:
    value = json.loads(json.dumps(measure(SCORES, TARGETS, LABELS).to_json()))
    assert (value["images"], value["top1"], value["top5"]) == (4, 0.75, 1.0)
    assert value["per_class"][0] == {
        "label": "cat",
        "images": 2,
        "precision": 1.0,
        "recall": 0.5,
        "f1": 0.666667,
    }
    assert value["confusion"] == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
