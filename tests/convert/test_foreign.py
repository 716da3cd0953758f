"""A `.keras` model without a run: what is found out, what is doubted, what is refused."""

import collections
import shutil

import numpy as np
import pytest

from edgecls.console import progress
from edgecls.contract.labels import Labels
from edgecls.contract.modelfile import load_model_file
from edgecls.errors import AccuracyLossError, DatasetError, NotAClassifierError
from edgecls_convert.convert import Settings, convert_source
from edgecls_convert.foreign import ForeignSettings, open_foreign_source
from edgecls_convert.opening import open_source
from edgecls_convert.quiet import import_tensorflow
from tests.convert.runs import small_network

DEFAULTS = ForeignSettings()
SHUFFLED = Labels(tuple("5670123489"))


@pytest.fixture(scope="module")
def keras():
    return import_tensorflow()[1]


@pytest.fixture(scope="module")
def trained(keras, digits_run):
    return keras.models.load_model(digits_run.model_path)


def save(model, folder):
    model.save(folder / "digits.keras")
    return folder / "digits.keras"


def with_logits(keras, trained):
    """The same scores before their softmax."""
    end = trained.layers[-1]
    logits = keras.layers.Dense(10, name="logits")
    model = keras.Sequential([keras.Input((28, 28, 1)), *trained.layers[:-1], logits])
    logits.set_weights(end.get_weights())
    return model


def with_batch(keras, trained, size):
    image = keras.Input(batch_shape=(size, 28, 28, 1))
    return keras.Model(image, trained(image))


def held_out_top1(source, tmp_path):
    output = tmp_path / "model.tflite"
    found = convert_source(source, output, Settings(max_drop=5.0, calibration=60), progress)
    return found.comparison.in_float.top1, found.comparison.in_int8.top1


def test_a_model_of_others_becomes_a_model_file(trained, tmp_path):
    source = open_source(save(trained, tmp_path), "digits", DEFAULTS)
    assert source.warnings == ()
    in_float, in_int8 = held_out_top1(source, tmp_path)
    assert in_float > 0.7
    assert in_int8 == pytest.approx(in_float, abs=0.05)
    card = load_model_file(tmp_path / "model.tflite").card
    assert card.labels == Labels(tuple("0123456789"))
    assert card.preprocessing.shape == (28, 28, 1)
    assert card.provenance["model"] == "digits.keras"
    assert card.provenance["data"] == "digits"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(with_logits, id="logits"),
        pytest.param(lambda keras, trained: with_batch(keras, trained, 8), id="a batch of eight"),
    ],
)
def test_other_ends_and_batches_give_the_same_accuracy(keras, trained, tmp_path, change):
    source = open_foreign_source(save(change(keras, trained), tmp_path), "digits", DEFAULTS)
    expected = open_foreign_source(save(trained, tmp_path), "digits", DEFAULTS)
    assert held_out_top1(source, tmp_path)[0] == held_out_top1(expected, tmp_path)[0]


def counts_per_class(source):
    return {
        subset: set(collections.Counter(example.target for example in examples).values())
        for subset, examples in source.pictures.subsets.items()
    }


def test_subsets_that_the_pictures_come_with_are_kept(trained, tmp_path):
    source = open_foreign_source(save(trained, tmp_path), "digits", DEFAULTS)
    assert counts_per_class(source) == {"train": {400}, "val": set(), "test": {100}}


def test_other_pictures_are_split_by_class_and_seed(keras, colours, tmp_path):
    path = save(colour_model(keras, channel=0), tmp_path)
    source = open_foreign_source(path, colours, DEFAULTS)
    # 20 of each: a fifth to calibrate, a fifth for thresholds, the rest to measure.
    assert counts_per_class(source) == {"train": {4}, "val": {4}, "test": {12}}
    again = open_foreign_source(path, colours, DEFAULTS)
    other = open_foreign_source(path, colours, ForeignSettings(seed=1))
    assert again.pictures.subsets == source.pictures.subsets
    assert other.pictures.subsets != source.pictures.subsets


def test_a_model_that_wants_other_pixel_values_is_refused_with_the_cure(keras, colours, tmp_path):
    path = save(colour_model(keras, channel=0, rescaling=False), tmp_path)
    with pytest.raises(
        AccuracyLossError, match=r"on 50.0% .* but on 100.0% with pixels scaled"
    ) as no:
        open_foreign_source(path, colours, DEFAULTS)
    assert "(a .keras file: --rescale 0..1)" in no.value.hint


def test_the_cure_helps(keras, colours, tmp_path):
    path = save(colour_model(keras, channel=0, rescaling=False), tmp_path)
    cured = open_foreign_source(path, colours, ForeignSettings(rescale="0..1"))
    assert cured.warnings == ()
    assert held_out_top1(cured, tmp_path) == (1.0, 1.0)


def test_whoever_insists_gets_a_warning(keras, colours, tmp_path):
    path = save(colour_model(keras, channel=0, rescaling=False), tmp_path)
    (warning,) = open_foreign_source(path, colours, ForeignSettings(rescale="none")).warnings
    assert "with pixels scaled to 0..1; put a Rescaling layer to 0..1 before it" in warning


def test_labels_in_another_order_are_refused(trained, tmp_path):
    with pytest.raises(AccuracyLossError, match=r"labels stood in another order: .* '2' is '5'"):
        open_foreign_source(save(trained, tmp_path), "digits", ForeignSettings(labels=SHUFFLED))


def test_a_model_that_knows_nothing_is_doubted(keras, tmp_path):
    keras.utils.set_random_seed(0)
    path = save(small_network(keras), tmp_path)
    (warning,) = open_foreign_source(path, "digits", DEFAULTS).warnings
    assert "as guessing would be (10.0%)" in warning


def colour_model(keras, *, channel, rescaling=True):
    """Says 'red' where this channel is bright in pixels of 0..1, and else 'teal'."""
    image = keras.Input((8, 8, 3))
    pixels = keras.layers.Rescaling(1 / 255)(image) if rescaling else image
    mean = keras.layers.GlobalAveragePooling2D()(pixels)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(mean))
    weights = np.zeros((3, 2), np.float32)
    weights[channel] = [6, -6]
    model.layers[-1].set_weights([weights, np.float32([-3, 3])])
    return model


@pytest.fixture
def colours(tmp_path):
    """20 pictures of red and 20 of teal, in RGB."""
    import cv2

    for label, color in (("red", (200, 20, 20)), ("teal", (20, 200, 200))):
        (tmp_path / "colours" / label).mkdir(parents=True)
        for number in range(20):
            picture = np.full((8, 8, 3), color, np.uint8) + np.uint8(number)
            file = tmp_path / "colours" / label / f"{number}.png"
            cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return str(tmp_path / "colours")


def test_a_model_of_rgb_pictures_is_taken(keras, colours, tmp_path):
    path = save(colour_model(keras, channel=0), tmp_path)
    assert open_foreign_source(path, colours, DEFAULTS).warnings == ()


def test_a_model_of_bgr_pictures_is_refused(keras, colours, tmp_path):
    path = save(colour_model(keras, channel=2), tmp_path)
    with pytest.raises(AccuracyLossError, match=r"but on 100.0% with red and blue swapped"):
        open_foreign_source(path, colours, DEFAULTS)


@pytest.mark.parametrize(
    ("shape", "end", "message"),
    [
        pytest.param(
            (28, 28, 2), "scores", r"takes \(batch, 28, 28, 2\), wanted", id="two channels"
        ),
        pytest.param((28, 28), "scores", r"takes \(batch, 28, 28\), wanted", id="no channels"),
        pytest.param((None, None, 1), "pooled", "takes pictures of any size", id="any size"),
        pytest.param((28, 28, 1), "pixels", r"gives \(batch, 28, 28, 2\), wanted", id="a mask"),
        pytest.param((28, 28, 1), "single", "gives a single score, wanted one for", id="one score"),
        pytest.param((28, 28, 1), "sequence", r"gives \(batch, 28, 28\), wanted", id="a sequence"),
    ],
)
def test_what_is_no_classifier_of_pictures_is_refused(keras, tmp_path, shape, end, message):
    layers = keras.layers
    image = keras.Input(shape)
    ends = {
        "scores": lambda x: layers.Dense(2)(layers.Flatten()(x)),
        "single": lambda x: layers.Dense(1)(layers.Flatten()(x)),
        "pooled": lambda x: layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(x)),
        "pixels": layers.Conv2D(2, 3, padding="same"),
        "sequence": layers.Reshape((28, 28)),
    }
    path = save(keras.Model(image, ends[end](image)), tmp_path)
    with pytest.raises(NotAClassifierError, match=message):
        open_foreign_source(path, "digits", DEFAULTS)


def test_two_inputs_are_refused(keras, tmp_path):
    images = [keras.Input((28, 28, 1)), keras.Input((28, 28, 1))]
    flat = keras.layers.Flatten()(keras.layers.Add()(images))
    path = save(keras.Model(images, keras.layers.Dense(10)(flat)), tmp_path)
    with pytest.raises(NotAClassifierError, match="has 2 inputs and 1 outputs"):
        open_foreign_source(path, "digits", DEFAULTS)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        pytest.param(Labels(("a", "b")), "gives 10 scores, but the label file has 2", id="few"),
        pytest.param(
            Labels(tuple("012345678x")), "has pictures of '9', which is none of", id="other names"
        ),
    ],
)
def test_labels_of_something_else_are_refused(trained, tmp_path, labels, message):
    with pytest.raises(DatasetError, match=message):
        open_foreign_source(save(trained, tmp_path), "digits", ForeignSettings(labels=labels))


def test_folders_of_another_number_of_classes_are_refused(trained, colours, tmp_path):
    with pytest.raises(DatasetError, match=r"gives 10 scores, but .* has folders of 2 lab"):
        open_foreign_source(save(trained, tmp_path), colours, DEFAULTS)


def test_a_model_without_pictures_is_told_to_bring_some(trained, tmp_path):
    with pytest.raises(DatasetError, match="without pictures to calibrate and measure") as refused:
        open_source(save(trained, tmp_path), None, DEFAULTS)
    assert refused.value.hint.endswith("digits.keras --data FOLDER")


def test_the_model_of_a_run_is_the_run(digits_run):
    source = open_source(digits_run.model_path, None, DEFAULTS)
    assert source.path == digits_run.path
    assert len(source.pictures.subsets["train"]) == 1500


def test_pictures_of_a_run_may_have_moved(folder_run, keras, tmp_path):
    colour_model(keras, channel=0).save(folder_run.model_path)
    shutil.move(tmp_path / "pictures", tmp_path / "moved")
    source = open_source(folder_run.path, str(tmp_path / "moved"), DEFAULTS)
    assert [example.name for example in source.pictures.subsets["test"]] == [
        "dark/3.png",
        "light/3.png",
    ]
