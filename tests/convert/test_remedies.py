"""Remedies: when they are tried, on what they are judged, and what is reported."""

import dataclasses
import json

import pytest

from edgecls.console import progress
from edgecls.contract.modelfile import load_model_file
from edgecls.errors import AccuracyLossError
from edgecls_convert.convert import Settings, convert_run
from edgecls_convert.forms import Target
from edgecls_convert.page import PAGE_NAME, draw_page
from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.remedies import Outcome
from edgecls_convert.remedies.finetune import Schedule
from tests.convert.comparisons import comparison
from tests.convert.runs import with_network

QUICK = Schedule(steps=5, batch=8)
ALL = Settings(max_drop=5.0, calibration=60, remedy="all", shows_layers=True, schedule=QUICK)


@pytest.fixture(scope="module")
def treated(digits_run, tmp_path_factory):
    """A sound run with all remedies, its layers looked at."""
    folder = tmp_path_factory.mktemp("treated")
    _, keras = import_tensorflow()
    network = keras.models.load_model(digits_run.model_path)
    run = with_network(digits_run, folder / "1", network)
    return run, convert_run(run, folder / "model.tflite", ALL, progress)


def test_nothing_is_tried_where_nothing_is_lost(conversion):
    assert conversion.admitted.outcomes == ()
    assert "remedies" not in conversion.to_json()


def test_all_are_tried_in_order_where_that_is_asked_for(treated):
    outcomes = treated[1].admitted.outcomes
    assert [outcome.remedy for outcome in outcomes] == [
        "calibration",
        "bias",
        "equalize",
        "fine-tune",
    ]


def test_they_are_judged_on_validation_pictures(treated):
    assert {(outcome.subset, outcome.images) for outcome in treated[1].admitted.outcomes} == {
        ("val", 100)
    }


def test_what_each_gained_is_in_json_and_in_the_card(treated):
    found = json.loads(json.dumps(treated[1].to_json()))
    card = load_model_file(treated[1].path).card
    recorded = card.provenance["conversion"]["remedies"]
    assert [entry["remedy"] for entry in recorded] == [e["remedy"] for e in found["remedies"]]
    assert set(found["remedies"][0]) - set(recorded[0]) == {"seconds"}
    assert {"top1", "gained_points", "drop", "agreement", "kept"} <= set(recorded[0])
    assert set(found["before_remedies"]) == {"top1", "drop", "agreement"}


def test_what_is_written_is_what_was_measured(treated):
    conversion = treated[1]
    assert conversion.model.card.metrics["int8"]["images"] == 300
    assert conversion.comparison.drop <= 0.05


def test_layers_are_shown_on_a_page_beside_the_run(treated):
    run, conversion = treated
    assert conversion.admitted.page == run.path / PAGE_NAME
    page = conversion.admitted.page.read_text()
    assert "<svg" in page
    assert "cross-layer equalization" in page
    assert [entry["layer"] for entry in conversion.to_json()["layers"]][-2:] == [
        "scores",
        "softmax",
    ]


@pytest.fixture(scope="module")
def hopeless_run(digits_run, tmp_path_factory):
    """One unit at 100,000 that weighs nothing: its layer's other units are rounded to zero."""
    _, keras = import_tensorflow()
    network = keras.models.load_model(digits_run.model_path)
    kernel, bias = network.get_layer("hidden").get_weights()
    bias[0] = 100_000
    network.get_layer("hidden").set_weights([kernel, bias])
    kernel, bias = network.get_layer("scores").get_weights()
    kernel[0] = 0
    network.get_layer("scores").set_weights([kernel, bias])
    return with_network(digits_run, tmp_path_factory.mktemp("hopeless") / "1", network)


def test_where_none_helps_all_are_told_and_nothing_is_written(hopeless_run, tmp_path):
    settings = Settings(calibration=20, schedule=QUICK)
    with pytest.raises(AccuracyLossError) as refused:
        convert_run(hopeless_run, tmp_path / "model.tflite", settings, progress)
    problem = refused.value.problem
    assert "remedies were not enough (other calibration pictures, and more: " in problem
    assert "a short fine-tune with rounded weights: " in problem
    assert "most is lost in layer hidden (FULLY_CONNECTED)" in problem
    assert "its output has a range" in problem
    assert f"drawn in {hopeless_run.path / PAGE_NAME}" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_form_that_needs_no_calibration_has_no_remedies(digits_run, tmp_path):
    settings = dataclasses.replace(ALL, target=Target("float16"), shows_layers=False)
    conversion = convert_run(digits_run, tmp_path / "model.tflite", settings, progress)
    assert conversion.admitted.outcomes == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, "bias correction: 87.0%, +2.0 points", id="tried"),
        pytest.param({"is_kept": True}, "bias correction: 87.0%, +2.0 points, kept", id="kept"),
        pytest.param(
            {"top1": None, "note": "not possible, it computes in Python"},
            "bias correction: not possible, it computes in Python",
            id="not possible",
        ),
    ],
)
def test_the_words_for_a_remedy(changes, words):
    outcome = Outcome("bias", "bias correction", images=200, top1=0.87, gained=4)
    assert dataclasses.replace(outcome, **changes).describe() == words


def test_a_page_shows_labels_as_text():
    found = comparison((90, 80), (85, 55))
    change = dataclasses.replace(found.changes[0], label="<script>\u202e\x1b")
    page = draw_page(dataclasses.replace(found, changes=(change, found.changes[1])), (), ())
    assert "<script>" not in page
    assert r"&lt;script&gt;\u202e\x1b" in page
    assert "default-src 'none'" in page
