"""What every converted model is: integers only, raw bytes in, a fixed batch of one."""

import numpy as np
import pytest

from edgecls.contract.flatbuffer import Table
from edgecls.contract.modelfile import parse_model_file, to_bytes
from edgecls.contract.quantization import QuantParams
from edgecls.errors import ModelFileError
from edgecls_convert.quantize import FLOAT, to_flatbuffer
from edgecls_convert.quiet import import_tensorflow, quietly
from edgecls_convert.rules import check_rules
from tests.convert.networks import load_network


@pytest.fixture(scope="module")
def network(digits_run):
    return load_network(digits_run.model_path, digits_run.load_card())


@pytest.fixture(scope="module")
def images(conversion):
    return list(conversion.calibration.images)


def as_model(flatbuffer, conversion):
    return parse_model_file(to_bytes(flatbuffer, conversion.model.card, None), "model")


def test_a_byte_of_the_picture_is_a_stored_value(conversion):
    assert conversion.model.input.to_quant_params() == QuantParams(1.0, 0, "uint8")


def test_a_score_is_stored_in_steps_of_a_256th(conversion):
    assert conversion.model.output.to_quant_params() == QuantParams(1 / 256, 0, "uint8")


def test_every_tensor_is_of_integers(conversion):
    dtypes = {tensor.dtype for tensor in conversion.model.structure.tensors}
    assert dtypes == {"uint8", "int8", "int32"}


def test_dense_weights_have_one_scale_and_convolutions_one_a_channel(conversion):
    structure = conversion.model.structure
    scales = {
        name: [
            len(structure.tensors[operator.inputs[1]].scales)
            for operator in structure.operators
            if operator.name == name
        ]
        for name in ("FULLY_CONNECTED", "CONV_2D")
    }
    assert scales == {"FULLY_CONNECTED": [1, 1], "CONV_2D": [8, 16]}


def test_the_batch_is_one_in_every_shape_and_signature(conversion):
    structure = conversion.model.structure
    activations = [tensor for tensor in structure.tensors if not tensor.is_constant]
    graph = Table.root(conversion.model.flatbuffer).tables(2)[0]
    signatures = [tensor.integers(7) for tensor in graph.tables(0)]
    assert {tensor.shape[0] for tensor in activations} == {1}
    assert [signature for signature in signatures if -1 in signature] == []


def test_the_float_form_is_refused_as_int8(network, conversion):
    model = as_model(to_flatbuffer(network, FLOAT), conversion)
    with pytest.raises(
        ModelFileError, match=r"its input is float32 .* wanted uint8 with scale 1.0"
    ):
        check_rules(model)


def test_calibration_at_half_brightness_is_refused(network, conversion, images):
    # 127 of 255 brightness levels seen: 127 / 255 = 0.498.
    dim = [image // 2 for image in images]
    model = as_model(to_flatbuffer(network, calibration=dim), conversion)
    assert model.input.to_quant_params().scale == pytest.approx(127 / 255)
    with pytest.raises(ModelFileError, match=r"scale \[0.498\d*\] .* wanted .* scale 1.0"):
        check_rules(model)


def test_the_pinned_range_cures_half_brightness(network, conversion, images):
    dim = images[0] // 2
    dark, bright = dim.copy(), dim.copy()
    dark.flat[0], bright.flat[0] = 0, 255
    model = as_model(to_flatbuffer(network, calibration=[dim, dark, bright]), conversion)
    check_rules(model)
    assert model.input.to_quant_params() == QuantParams(1.0, 0, "uint8")


def convert_carelessly(model, images, tensorflow):
    """As TensorFlow's own guide does it: neither batch nor Dense layers are cared for."""

    def representative():
        for image in images:
            yield [image[np.newaxis].astype(np.float32)]

    converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tensorflow.uint8
    with quietly():
        return converter.convert()


def test_dense_weights_with_a_scale_a_channel_are_refused(network, conversion):
    tensorflow, _ = import_tensorflow()
    shown = conversion.calibration.to_representative()
    model = as_model(convert_carelessly(network, shown, tensorflow), conversion)
    with pytest.raises(ModelFileError, match="FULLY_CONNECTED has weights with 32 scales"):
        check_rules(model)


def test_an_open_batch_is_refused(digits_run, conversion):
    tensorflow, keras = import_tensorflow()
    open_network = keras.models.load_model(digits_run.model_path, compile=False)
    shown = conversion.calibration.to_representative()
    content = convert_carelessly(without_dense(keras, open_network), shown, tensorflow)
    with pytest.raises(ModelFileError, match=r"has the open shape \[-1, 28, 28, 1\]"):
        check_rules(as_model(content, conversion))


def without_dense(keras, model):
    """The same convolutions with a head that has no Dense layer, so that only the batch is open."""
    features = model.layers[-4].output
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(features)
    scores = keras.layers.Flatten()(keras.layers.Conv2D(10, 1)(mean))
    return keras.Model(model.inputs, keras.layers.Softmax()(scores))
