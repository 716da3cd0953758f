"""The gate: how float and int8 are compared, and when a model is refused."""

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls.errors import AccuracyLossError, InvalidValueError
from edgecls.metrics import measure
from edgecls_convert.parity import Comparison, check_max_drop, refuse_loss, top1_interval
from edgecls_convert.quiet import import_tensorflow, quietly
from edgecls_convert.subsets import open_run_pictures

LABELS = Labels(("cat", "dog"))
# 100 cats, then 100 dogs.
TARGETS = np.repeat([0, 1], 100)


def quality(cats_right, dogs_right):
    answers = np.ones(200, np.int64)
    answers[:cats_right] = 0
    answers[200 - (100 - dogs_right) :] = 0
    return measure(np.eye(2)[answers], TARGETS, LABELS)


def comparison(before, after):
    return Comparison(quality(*before), quality(*after), agreement=0.5)


@pytest.mark.parametrize(
    ("before", "after", "drop"),
    [
        pytest.param((90, 90), (90, 90), 0.0, id="nothing lost"),
        pytest.param((90, 90), (90, 88), 0.01, id="2 of 200 pictures are 1 point"),
        pytest.param((90, 90), (94, 90), -0.02, id="a gain is a negative drop"),
        pytest.param((90, 90), (100, 80), 0.0, id="a gain elsewhere makes up for a loss"),
    ],
)
def test_drop(before, after, drop):
    assert comparison(before, after).drop == drop


@pytest.mark.parametrize(
    ("before", "after", "max_drop"),
    [
        pytest.param((90, 90), (90, 88), 1.0, id="as much as is allowed passes"),
        pytest.param((70, 70), (70, 56), 7.0, id="also where division does not come out even"),
        pytest.param((90, 90), (90, 92), 0.0, id="a gain passes"),
        pytest.param((90, 90), (90, 94), -2.0, id="a gain that was demanded passes"),
    ],
)
def test_what_passes(before, after, max_drop):
    assert refuse_loss(comparison(before, after), max_drop) is None


@pytest.mark.parametrize(
    ("before", "after", "max_drop"),
    [
        pytest.param((90, 90), (90, 87), 1.0, id="one picture more than allowed"),
        pytest.param((90, 90), (90, 89), 0.0, id="one picture where none is allowed"),
        pytest.param((90, 90), (90, 91), -1.0, id="a gain smaller than demanded"),
    ],
)
def test_what_is_refused(before, after, max_drop):
    with pytest.raises(AccuracyLossError):
        refuse_loss(comparison(before, after), max_drop)


def test_the_refusal_names_figures_class_and_remedy():
    with pytest.raises(AccuracyLossError) as refused:
        refuse_loss(comparison((90, 80), (85, 55)), 1.0)
    # 170 and 140 of 200 are 85% and 70%.
    assert refused.value.problem == (
        "the int8 model is right on 70.0% of 200 held-out pictures, the float model on 85.0%:"
        " 15.0 points less, at most 1 are allowed; 'dog' lost most: 80.0% of its pictures,"
        " now 55.0%; no model was written"
    )
    assert "--calibration" in refused.value.hint
    assert "--max-drop 15" in refused.value.hint


@pytest.mark.parametrize("max_drop", [float("nan"), float("inf"), 101.0, -100.5])
def test_a_tolerance_that_is_no_share_of_pictures_is_refused(max_drop):
    with pytest.raises(InvalidValueError, match=r"--max-drop .* percentage points"):
        check_max_drop(max_drop)


def test_the_interval_is_wilsons():
    # Newcombe 1998 (Stat Med 17:857), table I: 81 of 263 give 0.2553 to 0.3662.
    answers = np.zeros(263, np.int64)
    answers[81:] = 1
    found = measure(np.eye(2)[answers], np.zeros(263, np.int64), LABELS)
    assert top1_interval(found) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def held_out_images(run):
    pictures = open_run_pictures(run, run.load_card())
    return np.stack([pictures.load_image(example) for example in pictures.subsets["test"]])


def test_float_accuracy_is_that_of_keras(digits_run, conversion):
    _, keras = import_tensorflow()
    scores = keras.models.load_model(digits_run.model_path).predict(
        held_out_images(digits_run), verbose=0
    )
    pictures = open_run_pictures(digits_run, digits_run.load_card())
    targets = [example.target for example in pictures.subsets["test"]]
    assert conversion.comparison.in_float.top1 == np.mean(scores.argmax(axis=1) == targets)


def test_int8_scores_are_those_of_tensorflows_own_engine(digits_run, conversion, classifier):
    tensorflow, _ = import_tensorflow()
    with quietly():
        interpreter = tensorflow.lite.Interpreter(model_content=conversion.model.flatbuffer)
        interpreter.allocate_tensors()
    image_index = interpreter.get_input_details()[0]["index"]
    scores_index = interpreter.get_output_details()[0]["index"]
    found, wanted = [], []
    for image in held_out_images(digits_run)[:50]:
        interpreter.set_tensor(image_index, image[np.newaxis])
        interpreter.invoke()
        wanted.append(interpreter.get_tensor(scores_index)[0].astype(int))
        found.append(classifier.run_image(image).astype(int))
    assert np.abs(np.subtract(found, wanted)).max() <= 1


def test_int8_keeps_the_accuracy_of_a_sound_model(conversion):
    assert conversion.comparison.in_float.top1 > 0.7
    assert conversion.comparison.agreement > 0.95
    assert abs(conversion.comparison.drop) < 0.03
