"""What is measured on scores: temperature, rejection, and agreement with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.contract.card import Output
from edgecls.contract.labels import Labels
from edgecls.contract.modelfile import load_model_file
from edgecls.metrics import (
    Rejection,
    ScoreBin,
    bin_scores,
    calibration_error,
    measure,
    measure_rejection,
)
from edgecls.runtimes import open_runtime
from edgecls.tempering import temper
from tests.support.tiny_model import write_tiny_model


@pytest.mark.parametrize(
    ("scores", "temperature", "expected"),
    [
        pytest.param([0.8, 0.2], 1.0, [0.8, 0.2], id="1 changes nothing"),
        pytest.param([0.8, 0.2], 2.0, [2 / 3, 1 / 3], id="2 takes roots: 4 to 1 becomes 2 to 1"),
        pytest.param([0.8, 0.2], 0.5, [16 / 17, 1 / 17], id="a half squares: 16 to 1"),
        pytest.param([0.4, 0.1], 1.0, [0.8, 0.2], id="the sum becomes 1"),
        pytest.param([0.0, 0.0], 2.0, [0.0, 0.0], id="nothing stays nothing"),
    ],
)
def test_temperature(scores, temperature, expected):
    found = temper(np.array([scores], np.float32), temperature)
    assert found.dtype == np.float32
    assert found[0] == pytest.approx(expected)


def test_a_board_applies_the_temperature_that_training_measured(tmp_path):
    write_tiny_model(tmp_path / "model.tflite", output=Output(temperature=1.7))
    model = load_model_file(tmp_path / "model.tflite")
    classifier = Classifier(model, open_runtime(model))
    raw = classifier.run_image(np.full((28, 28, 1), 90, np.uint8))
    params = model.output.to_quant_params()
    assert params is not None
    expected = temper(params.dequantize(raw), 1.7)
    assert classifier.to_scores(raw).tolist() == expected.tolist()


SCORES = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.45, 0.55]])
TARGETS = np.array([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("thresholds", "answered", "right"),
    [
        pytest.param([0.0, 0.0], 4, 2, id="no threshold answers all"),
        pytest.param([0.65, 0.65], 2, 2, id="a common one keeps the sure ones"),
        pytest.param([0.9, 0.9], 1, 1, id="a score that equals it is enough"),
        pytest.param([0.65, 0.0], 3, 2, id="each answer has to reach the one of its own class"),
        pytest.param([1.0, 1.0], 0, 0, id="the highest rejects all"),
    ],
)
def test_rejection(thresholds, answered, right):
    found = measure_rejection(SCORES, TARGETS, np.array(thresholds))
    assert (found.images, found.answered, found.right) == (4, answered, right)


def test_rejection_as_json_has_intervals():
    found = Rejection(images=200, answered=100, right=90).to_json()
    assert (found["coverage"], found["precision"]) == (0.5, 0.9)
    # Wilson's interval of 90 in 100, as R's binom::binom.wilson gives it.
    assert found["precision_interval"] == pytest.approx([0.8256, 0.9448], abs=1e-3)


def test_of_no_answer_none_is_wrong():
    assert Rejection(images=3, answered=0, right=0).precision == 1.0


def test_bins_hold_pictures_by_their_best_score():
    assert bin_scores(SCORES, TARGETS, bins=2) == (
        ScoreBin(images=4, score=pytest.approx(0.6875), accuracy=0.5),
    )
    assert [entry.images for entry in bin_scores(SCORES, TARGETS, bins=10)] == [1, 1, 1, 1]


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    assert calibration_error(SCORES, TARGETS, bins=2) == pytest.approx(0.1875)


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
def test_every_figure_agrees_with_scikit_learn():
    peer = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the peer here")
    random = np.random.default_rng(11)
    scores = random.dirichlet(np.ones(7), 600)
    targets = random.integers(0, 6, 600)  # the seventh class has no picture
    found = measure(scores, targets, Labels.numbered(7))
    predicted = scores.argmax(axis=1)
    options = {"labels": range(7), "zero_division": 0}
    precision, recall, f1, _ = peer.precision_recall_fscore_support(targets, predicted, **options)
    assert [entry.precision for entry in found.per_class] == pytest.approx(precision)
    assert [entry.recall for entry in found.per_class] == pytest.approx(recall)
    assert [entry.f1 for entry in found.per_class] == pytest.approx(f1)
    means = peer.precision_recall_fscore_support(
        targets, predicted, labels=range(6), average="macro", zero_division=0
    )
    assert (found.macro_precision, found.macro_recall, found.macro_f1) == pytest.approx(means[:3])
    assert found.top1 == pytest.approx(peer.accuracy_score(targets, predicted))
    assert found.macro_recall == pytest.approx(peer.balanced_accuracy_score(targets, predicted))
    top5 = peer.top_k_accuracy_score(targets, scores, k=5, labels=range(7))
    assert found.top5 == pytest.approx(top5)
    expected = peer.confusion_matrix(targets, predicted, labels=range(7))
    assert found.confusion.tolist() == expected.tolist()
    assert found.right == found.confusion.trace()


def test_the_json_has_the_means_of_the_classes():
    found = measure(SCORES, TARGETS, Labels(("a", "b"))).to_json()
    assert (found["macro_precision"], found["macro_recall"], found["macro_f1"]) == (0.5, 0.5, 0.5)
