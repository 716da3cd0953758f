"""A Keras network -> TFLite flatbuffers: the float form and the full-integer int8 form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edgecls.errors import ModelFileError
from edgecls.imaging.prepare import Image
from edgecls_convert.quiet import import_tensorflow, quietly


def to_float_flatbuffer(network: Any) -> bytes:
    """The network in float32, with raw pixels (0-255) as its input: what int8 is compared with.

    Args:
        network: From `load_network`.

    Raises:
        ModelFileError: TFLite has no operator for something in it.
    """
    tensorflow, _ = import_tensorflow()
    converter = tensorflow.lite.TFLiteConverter.from_keras_model(network)
    return _convert(converter, "float")


def to_int8_flatbuffer(network: Any, calibration: Sequence[Image]) -> bytes:
    """The network with int8 weights and activations, uint8 image and uint8 scores.

    The input is uint8, since that is what cameras give, MediaPipe takes (it refuses int8) and
    Coral's tools expect. The output is uint8 too: scale 1/256 and zero point 0, so that a stored
    score reads as score * 256 for every older reader; the one QUANTIZE at the end that it takes
    costs nothing beside the network.

    Args:
        network: From `load_network`; its own first layer normalises, and stays in the graph.
        calibration: uint8 images; the ranges of all tensors are the minima and maxima over them.

    Raises:
        ModelFileError: TFLite cannot compute something in it with integers.
    """
    tensorflow, _ = import_tensorflow()

    def representative() -> Iterator[list[Any]]:
        for image in calibration:
            yield [image[np.newaxis].astype(np.float32)]

    converter = tensorflow.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tensorflow.uint8
    converter.inference_output_type = tensorflow.uint8
    # Per-channel Dense weights keep operator version 4, so runtimes from before 2.10 load them
    # without an error and answer at chance level (10.7% instead of 99.7%).
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return _convert(converter, "int8")


def _convert(converter: Any, form: str) -> bytes:
    try:
        with quietly():
            flatbuffer: bytes = converter.convert()
    # The converter raises its own ConverterError, but also RuntimeError, ValueError and others
    # from the passes below it; all mean that this network does not go into this form.
    except Exception as wrong:
        raise ModelFileError(
            f"TensorFlow cannot convert the network to {form}: {' '.join(str(wrong).split()):.300}",
            hint="use layers that TFLite has: convolutions, pooling, Dense, ReLU, softmax",
        ) from wrong
    return flatbuffer
