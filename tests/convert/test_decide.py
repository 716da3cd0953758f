"""Temperature and thresholds fitted again on the converted form's own scores."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.console import progress
from edgecls.contract.card import Output
from edgecls.contract.modelfile import load_model_file, parse_model_file
from edgecls.metrics import measure
from edgecls.runtimes import open_runtime
from edgecls_convert.decide import decide, score_step
from edgecls_convert.parity import compare
from edgecls_convert.subsets import open_run_pictures
from tests.support.tiny_model import TinyModel, build


@pytest.fixture(scope="module")
def pictures(digits_run):
    return open_run_pictures(digits_run, digits_run.load_card())


def with_output(classifier: Classifier, output: Output) -> Classifier:
    card = dataclasses.replace(classifier.model.card, output=output)
    return Classifier(dataclasses.replace(classifier.model, card=card), classifier.runtime)


def decision_after(classifier, pictures, output: Output):
    classifier = with_output(classifier, output)
    with progress("measuring", len(pictures.subsets["test"])) as advance:
        comparison = compare(classifier, classifier, pictures, advance)
    return decide(classifier, comparison, pictures, 0, progress)


def test_the_decision_does_not_depend_on_what_training_found(classifier, pictures):
    plain = decision_after(classifier, pictures, Output())
    other = decision_after(classifier, pictures, Output(3.0, 0.5, {"7": 0.9}))
    assert plain.output == other.output
    assert plain.metrics["fitted_on"] == 100
    assert other.comparison.in_int8.calibration_error == pytest.approx(
        plain.comparison.in_int8.calibration_error, abs=1e-4
    )


def test_quality_in_the_card_is_what_a_board_gets(conversion, pictures):
    board = Classifier(conversion.model, open_runtime(conversion.model))
    examples = pictures.subsets["test"]
    scores = np.stack([board.classify(pictures.load_frame(example)).scores for example in examples])
    targets = np.array([example.target for example in examples])
    found = measure(scores, targets, board.labels).calibration_error
    assert conversion.comparison.in_int8.calibration_error == pytest.approx(found, abs=1e-5)


def test_the_card_tells_how_the_decision_fares_on_held_out_pictures(conversion):
    card = load_model_file(conversion.path).card
    found = card.metrics["decision"]
    assert (found["images"], found["fitted_on"], found["target_precision"]) == (300, 100, 0.95)
    assert found["error_after"] == pytest.approx(
        card.metrics["int8"]["calibration_error"], abs=1e-5
    )


def test_without_validation_pictures_the_decision_stays(classifier, pictures):
    none = dataclasses.replace(pictures, subsets={**pictures.subsets, "val": ()})
    found = decision_after(classifier, none, Output(1.5, 0.25))
    assert found.output == Output(1.5, 0.25)
    assert found.metrics == {}


@pytest.mark.parametrize(
    ("model", "step"),
    [
        pytest.param(TinyModel((4, 4)), 1 / 256, id="an integer softmax"),
        pytest.param(TinyModel((4, 4), dtype="int8"), 1 / 256, id="one of int8"),
        pytest.param(TinyModel((4, 4), dtype="float32"), 0.0, id="a float softmax"),
        pytest.param(TinyModel((4, 4), has_softmax=False), 0.0, id="integer logits"),
    ],
)
def test_the_step_between_scores(model, step):
    assert score_step(parse_model_file(build(model), "m.tflite")) == step
