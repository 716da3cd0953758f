"""A Keras network -> TFLite flatbuffers of every form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edgecls.errors import InvalidValueError, ModelFileError
from edgecls.imaging.prepare import Image
from edgecls_convert.forms import INT8, Target
from edgecls_convert.quiet import import_tensorflow, quietly

FLOAT: Target = Target("float32")


def to_flatbuffer(network: Any, target: Target = INT8, calibration: Sequence[Image] = ()) -> bytes:
    """The network in one form, from raw pixels (0-255) to scores.

    The input of integer forms is uint8 unless asked otherwise, since that is what cameras give,
    MediaPipe takes (it refuses int8) and Coral's tools expect. The output is uint8 too: scale
    1/256 and zero point 0, so that a stored score reads as score * 256 for every older reader; the
    one QUANTIZE at the end that it takes costs nothing beside the network.

    Args:
        network: From `to_network`; its own first layer normalises, and stays in the graph.
        target: The form and its types.
        calibration: uint8 images; the ranges of all tensors are the minima and maxima over them.
            Unused by forms that are not calibrated.

    Raises:
        InvalidValueError: The form needs a calibration set and got none.
        ModelFileError: TFLite has no operator for something in it, or none with integers.
    """
    if target.is_calibrated and not calibration:
        raise InvalidValueError(f"the form {target.form} needs pictures to take ranges from")
    tensorflow, _ = import_tensorflow()
    converter = tensorflow.lite.TFLiteConverter.from_keras_model(network)
    lite = tensorflow.lite
    if target.form != "float32":
        converter.optimizations = [lite.Optimize.DEFAULT]
    if target.form == "float16":
        converter.target_spec.supported_types = [tensorflow.float16]
    if target.is_calibrated:
        converter.representative_dataset = lambda: _to_batches(calibration)
        converter.inference_input_type = tensorflow.as_dtype(target.input_type)
        converter.inference_output_type = tensorflow.as_dtype(target.output_type)
    if target.is_integer:
        converter.target_spec.supported_ops = [lite.OpsSet.TFLITE_BUILTINS_INT8]
    if target.form == "int16x8":
        converter.target_spec.supported_ops = [
            lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    converter._experimental_disable_per_channel = target.form == "per-tensor"
    # Per-channel Dense weights keep operator version 4, so runtimes from before 2.10 load them
    # without an error and answer at chance level (10.7% instead of 99.7%).
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return _convert(converter, target)


def _to_batches(calibration: Sequence[Image]) -> Iterator[list[Any]]:
    for image in calibration:
        yield [image[np.newaxis].astype(np.float32)]


def _convert(converter: Any, target: Target) -> bytes:
    try:
        with quietly():
            flatbuffer: bytes = converter.convert()
    # The converter raises its own ConverterError, but also RuntimeError, ValueError and others
    # from the passes below it; all mean that this network does not go into this form.
    except Exception as wrong:
        raise ModelFileError(
            f"TensorFlow cannot convert the network to {target.form}:"
            f" {' '.join(str(wrong).split()):.300}",
            hint="choose another form: --form int8"
            if target.form in ("dynamic", "int16x8")
            else "use layers that TFLite has: convolutions, pooling, Dense, ReLU, softmax",
        ) from wrong
    return flatbuffer
