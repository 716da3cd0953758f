"""How float and int8 are compared on held-out pictures."""

import numpy as np
import pytest

from edgecls.metrics import measure
from edgecls_convert.parity import ClassChange, compare_scores, top1_interval
from edgecls_convert.quiet import import_tensorflow, quietly
from edgecls_convert.subsets import open_run_pictures
from tests.convert.comparisons import LABELS, comparison


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


def test_what_each_class_lost_and_gained_is_counted():
    # Three cats and two dogs; float misses the last of each, int8 the first cat alone.
    targets = np.array([0, 0, 0, 1, 1])
    before, after = np.eye(2)[[0, 0, 1, 1, 0]], np.eye(2)[[1, 0, 0, 1, 1]]
    found = compare_scores(before, after, targets, LABELS)
    assert found.changes == (
        ClassChange("cat", images=3, before=2, lost=1, gained=1),
        ClassChange("dog", images=2, before=1, lost=0, gained=1),
    )
    assert [change.after for change in found.changes] == [2, 2]
    assert found.agreement == 2 / 5


def test_the_class_that_lost_the_largest_share_is_the_worst():
    assert comparison((90, 80), (85, 55)).worst_class.label == "dog"
    assert comparison((90, 80), (90, 81)).worst_class is None


def test_json_has_intervals_for_top1_and_for_every_recall():
    found = comparison((90, 80), (85, 55)).to_json()
    assert found["int8"]["top1_interval"][0] < 0.7 < found["int8"]["top1_interval"][1]
    dog = found["int8"]["per_class"][1]
    # Wilson 1927 for 55 of 100.
    assert dog["recall_interval"] == pytest.approx([0.4524, 0.6439], abs=1e-3)
    assert (dog["lost"], dog["gained"]) == (25, 0)
    assert "lost" not in found["float"]["per_class"][1]


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
