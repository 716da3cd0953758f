"""Which `.keras` files are taken, and what is said to the others."""

import dataclasses

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import ModelFileError, NotAClassifierError
from edgecls_convert.quiet import import_tensorflow, quietly
from tests.convert.networks import load_network
from tests.convert.runs import digits_card, small_network

CARD = digits_card()


@pytest.fixture(scope="module")
def keras():
    return import_tensorflow()[1]


def save(model, folder):
    model.save(folder / "model.keras")
    return folder / "model.keras"


def test_the_batch_becomes_one_and_the_scores_stay_the_same(keras, digits_run):
    network = load_network(digits_run.model_path, CARD)
    trained = keras.models.load_model(digits_run.model_path)
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28, 1)).astype(np.float32)
    assert (network.input_shape, network.output_shape) == ((1, 28, 28, 1), (1, 10))
    assert np.array_equal(np.asarray(network(image)), np.asarray(trained(image)))


@pytest.mark.fault(22)
def test_a_lambda_layer_is_never_run(keras, tmp_path):
    image = keras.Input((28, 28, 1))
    scores = keras.layers.Dense(10)(keras.layers.Flatten()(image))
    model = keras.Model(image, keras.layers.Lambda(lambda x: x * 2)(scores))
    with pytest.raises(ModelFileError, match=r"has a Lambda layer, .* edgecls does not run it"):
        load_network(save(model, tmp_path), CARD)


def test_two_outputs_are_refused(keras, tmp_path):
    image = keras.Input((28, 28, 1))
    flat = keras.layers.Flatten()(image)
    model = keras.Model(image, [keras.layers.Dense(10)(flat), keras.layers.Dense(4)(flat)])
    with pytest.raises(NotAClassifierError, match="has 1 inputs and 2 outputs, wanted one image"):
        load_network(save(model, tmp_path), CARD)


def test_two_inputs_are_refused(keras, tmp_path):
    images = [keras.Input((28, 28, 1)), keras.Input((28, 28, 1))]
    flat = keras.layers.Flatten()(keras.layers.Add()(images))
    model = keras.Model(images, keras.layers.Dense(10)(flat))
    with pytest.raises(NotAClassifierError, match="has 2 inputs and 1 outputs, wanted one image"):
        load_network(save(model, tmp_path), CARD)


def test_scores_for_every_pixel_are_refused(keras, tmp_path):
    image = keras.Input((28, 28, 1))
    model = keras.Model(image, keras.layers.Conv2D(10, 1)(image))
    with pytest.raises(
        NotAClassifierError, match=r"gives \(batch, 28, 28, 10\), but its card has 10 labels"
    ):
        load_network(save(model, tmp_path), CARD)


def test_a_network_of_another_number_of_classes_is_refused(keras, tmp_path):
    path = save(small_network(keras, classes=7), tmp_path)
    with pytest.raises(NotAClassifierError, match=r"gives \(batch, 7\), .* has 10 labels"):
        load_network(path, CARD)


@pytest.mark.parametrize(
    "preprocessing",
    [
        pytest.param(Preprocessing((28, 28), "RGB"), id="colour for a gray network"),
        pytest.param(Preprocessing((32, 32), "GRAY"), id="another size"),
    ],
)
def test_a_card_of_another_image_is_refused(digits_run, preprocessing):
    card = dataclasses.replace(CARD, preprocessing=preprocessing)
    with pytest.raises(NotAClassifierError, match=r"takes \(batch, 28, 28, 1\), but its card says"):
        load_network(digits_run.model_path, card)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="an empty file"),
        pytest.param(b"PK\x03\x04 cut off", id="a file that is cut off"),
        pytest.param(b"\x89HDF\r\n\x1a\n", id="an old .h5 file under this name"),
    ],
)
def test_what_is_no_keras_file_is_refused(tmp_path, content):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model.keras' is no sound .keras file: "):
        load_network(path, CARD)


def test_a_network_without_an_integer_form_is_refused(keras, tmp_path):
    from edgecls_convert.quantize import to_flatbuffer

    image = keras.Input((4, 4, 1))
    flat = keras.layers.Flatten()(image)
    model = keras.Model(image, keras.layers.Dense(2)(keras.ops.erf(flat)))
    card = dataclasses.replace(
        CARD,
        labels=Labels(("a", "b")),
        output=dataclasses.replace(CARD.output, class_thresholds={}),
        preprocessing=Preprocessing((4, 4), "GRAY"),
    )
    network = load_network(save(model, tmp_path), card)
    with pytest.raises(ModelFileError, match="cannot convert the network to int8"):
        to_flatbuffer(network, calibration=[np.zeros((4, 4, 1), np.uint8)])


def test_quietly_holds_back_what_python_and_c_print(capfd):
    import os
    import warnings

    with quietly():
        print("from Python")
        os.write(1, b"from C on stdout")
        os.write(2, b"from C on stderr")
        warnings.warn("a warning", stacklevel=1)
    os.write(2, b"heard again")
    assert tuple(capfd.readouterr()) == ("", "heard again")
