"""A run whose float model is worse than its training measured is refused, with the reason."""

import pytest

from edgecls.console import progress
from edgecls.contract.labels import Labels
from edgecls.errors import AccuracyLossError
from edgecls_convert.convert import Settings, convert_run
from edgecls_convert.quiet import import_tensorflow
from tests.convert.runs import with_card, with_network

TOLERANT = Settings(max_drop=5.0, calibration=20)


@pytest.fixture(scope="module")
def measured_run(digits_run, conversion, tmp_path_factory):
    """The digits as training leaves them: the card says how right the float model is."""
    top1 = round(conversion.comparison.in_float.top1, 6)
    folder = tmp_path_factory.mktemp("measured") / "1"
    return with_card(digits_run, folder, metrics={"float": {"images": 300, "top1": top1}})


def refused(run, tmp_path):
    with pytest.raises(AccuracyLossError, match="no model was written") as wrong:
        convert_run(run, tmp_path / "model.tflite", TOLERANT, progress)
    assert not (tmp_path / "model.tflite").exists()
    return wrong.value


def test_a_run_as_it_was_trained_passes(measured_run, tmp_path):
    convert_run(measured_run, tmp_path / "model.tflite", TOLERANT, progress)
    assert (tmp_path / "model.tflite").exists()


def test_shuffled_labels_are_told(measured_run, tmp_path):
    shuffled = Labels(tuple("1234567890"))
    output = measured_run.load_card().output
    run = with_card(measured_run, tmp_path / "1", labels=shuffled, output=output)
    assert "if its labels stood in another order: what it calls '2' is '1'" in (
        refused(run, tmp_path).problem
    )


def test_a_wrong_rescaling_is_told(measured_run, tmp_path):
    _, keras = import_tensorflow()
    trained = keras.models.load_model(measured_run.model_path)
    wrong = keras.layers.Rescaling(1 / 127.5, -1.0)
    network = keras.Sequential([keras.Input((28, 28, 1)), wrong, *trained.layers[1:]])
    run = with_network(measured_run, tmp_path / "1", network)
    found = refused(run, tmp_path)
    assert "with pixels squeezed to 127..255" in found.problem
    assert found.hint.startswith("its first layers were trained on other pixel values")


@pytest.mark.fault(158)
def test_a_float_model_that_guesses_is_told_for_it_has_nothing_to_lose(digits_run, tmp_path):
    _, keras = import_tensorflow()
    untrained = keras.models.clone_model(keras.models.load_model(digits_run.model_path))
    run = with_network(digits_run, tmp_path / "1", untrained)
    lenient = Settings(max_drop=100.0, max_class_drop=100.0, min_agreement=0.0, calibration=20)
    said = []
    found = convert_run(run, tmp_path / "model.tflite", lenient, progress, said.append)
    assert said[-1].startswith("the float model is right on ")
    assert "held-out pictures, as guessing would be (1" in said[-1]
    assert found.to_json()["warnings"][-1] == said[-1]


def test_a_float_model_that_has_learnt_something_is_not_said_to_guess(conversion):
    assert not any("guessing" in warning for warning in conversion.warnings)


def test_a_network_of_another_training_is_told(measured_run, tmp_path):
    _, keras = import_tensorflow()
    network = keras.models.clone_model(keras.models.load_model(measured_run.model_path))
    run = with_network(measured_run, tmp_path / "1", network)
    assert "and its training measured 8" in refused(run, tmp_path).problem
