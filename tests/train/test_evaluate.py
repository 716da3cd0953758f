"""What is measured once a training has ended: `edgecls_train.evaluate`."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgecls.calibration import calibrate
from edgecls.contract.run import RunFolder
from edgecls.tempering import temper
from edgecls_train.evaluate import evaluate_model
from edgecls_train.fit import fit, predict
from edgecls_train.split import Split
from tests.train.made_data import stripes, stripes_recipe

SPLIT = Split(train=np.arange(0, 40, 2), val=np.arange(1, 40, 4), test=np.arange(3, 40, 4))


@pytest.fixture(scope="module")
def model():
    return fit(stripes(), SPLIT, stripes_recipe())[0]


def test_each_subset_is_measured_with_the_temperature_of_the_validation_pictures(model):
    dataset = stripes()
    found = evaluate_model(model, dataset, SPLIT)
    raw = predict(model, dataset, SPLIT.val)
    decision = calibrate(raw, dataset.targets[SPLIT.val], dataset.labels)
    assert found.calibration == decision
    expected = temper(predict(model, dataset, SPLIT.test), decision.output.temperature)
    assert found.test.scores == pytest.approx(expected, abs=1e-6)
    assert found.test.targets.tolist() == dataset.targets[SPLIT.test].tolist()
    assert (found.train.quality.images, found.val.quality.images) == (20, 10)
    assert sum(entry.images for entry in found.test.bins) == found.test.quality.images == 10


def test_the_decision_is_reported_as_json_on_validation_and_test_pictures(model):
    found = evaluate_model(model, stripes(), SPLIT).calibration_json()
    assert set(found) == {
        "temperature",
        "target_precision",
        "reached",
        "reject_threshold",
        "class_thresholds",
        "val",
        "test",
    }
    assert found["target_precision"] == 0.95
    assert {"error_before", "error_after", "coverage", "precision_interval"} <= set(found["test"])
    json.dumps(found, allow_nan=False)


def test_a_run_carries_its_decision_in_card_and_metrics(digit_run):
    run = RunFolder(digit_run.run.path)
    output = run.load_card().output
    decision = run.load_metrics()["calibration"]
    assert output.temperature == decision["temperature"]
    assert output.reject_threshold == decision["reject_threshold"]
    assert dict(output.class_thresholds) == decision["class_thresholds"]


def test_the_temperature_brings_the_test_scores_of_a_trained_network_nearer_to_the_truth(digit_run):
    decision = digit_run.metrics["calibration"]
    # Two epochs leave a network less sure of itself than it could be.
    assert decision["temperature"] < 1.0
    assert decision["test"]["error_after"] < decision["test"]["error_before"]


def test_a_run_has_a_report_and_says_what_it_found(digit_run):
    page = (digit_run.run.path / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    for finding in digit_run.metrics["findings"]:
        assert finding["summary"].split("'")[0] in page
