"""A real .tflite classifier of a few kilobytes: the brighter the image, the higher the class.

Its arithmetic is that of `edgecls.runtimes.fake`: an image of mean brightness b (0 to 255) belongs
to class floor(b / 256 * classes). It is built without TensorFlow, so it works on a board too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgecls.classifier import Classifier
from edgecls.contract.card import ModelCard, Output
from edgecls.contract.golden import GoldenFrame, GoldenVectors, fingerprint
from edgecls.contract.labels import Labels
from edgecls.contract.modelfile import ModelFile, parse_model_file, write_model_file
from edgecls.contract.preprocessing import Channels, Crop, Preprocessing
from edgecls.imaging.decode import decode
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import prepare
from edgecls.runtimes import open_runtime
from edgecls.verification import prepare_scaled

Dtype = Literal["uint8", "int8", "float32"]
Array = npt.NDArray[Any]

MAX_CLASSES: Final = 100
_TYPES: Final = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "uint8": schema.TensorType.UINT8,
    "int8": schema.TensorType.INT8,
}
_SHIFT: Final = {"uint8": 128, "int8": 0}  # the stored weight that means 0
_LOWEST: Final = {"uint8": 0, "int8": -128}


@dataclass(frozen=True, slots=True)
class TinyModel:
    """What to build.

    Args:
        size: (height, width) of the image.
        channels: `RGB` or `GRAY`.
        classes: 2 to 100; more than about 20 are too close to tell apart in 8 bits.
        dtype: Of input, weights and scores.
        has_softmax: Whether it ends in SOFTMAX, or in the logits.
        weight_of_nan: Whether a float model's weights are not numbers.
        extra_outputs: How many more outputs to claim, as a detector would.
    """

    size: tuple[int, int] = (28, 28)
    channels: Channels = "GRAY"
    classes: int = 10
    dtype: Dtype = "uint8"
    has_softmax: bool = True
    weight_of_nan: bool = False
    extra_outputs: int = 0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the input tensor."""
        return (1, *self.size, 3 if self.channels == "RGB" else 1)

    @property
    def pixels(self) -> int:
        """Number of input values."""
        return int(np.prod(self.shape))

    @property
    def sharpness(self) -> float:
        """Logits are this times -(brightness - centre of the class)^2: 95% at a centre."""
        return 4.0 * self.classes**2


def tiny_model_bytes(
    size: tuple[int, int] = (28, 28),
    channels: Channels = "GRAY",
    classes: int = 10,
    *,
    dtype: Dtype = "uint8",
    **more: Any,
) -> bytes:
    """A plain .tflite flatbuffer, RESHAPE -> FULLY_CONNECTED -> SOFTMAX, without card or labels.

    Args:
        size: (height, width) of the image.
        channels: `RGB` or `GRAY`.
        classes: 2 to 100.
        dtype: Of input and scores; `uint8` is what edgecls itself writes.
        **more: Other fields of `TinyModel`.
    """
    return build(TinyModel(size, channels, classes, dtype, **more))


def write_tiny_model(
    path: Path,
    size: tuple[int, int] = (28, 28),
    channels: Channels = "GRAY",
    classes: int = 10,
    *,
    labels: Sequence[str] = (),
    crop: Crop = "stretch",
    output: Output | None = None,
) -> ModelFile:
    """Write a complete model file: flatbuffer, labels, card and golden vectors.

    Args:
        path: Where to.
        size: (height, width) of the image.
        channels: `RGB` or `GRAY`.
        classes: 2 to 100; ignored when labels are given.
        labels: Names of the classes, darkest first; `level 0`, `level 1`, ... by default.
        crop: As in `Preprocessing`.
        output: Temperature and thresholds of the card.
    """
    names = tuple(labels) or tuple(f"level {level}" for level in range(classes))
    flatbuffer = tiny_model_bytes(size, channels, len(names))
    card = ModelCard(
        Labels(names),
        Preprocessing(size, channels, crop),
        output or Output(),
        provenance={"recipe": "tiny"},
        metrics={"int8": {"top1": 1.0}},
    )
    return write_model_file(path, flatbuffer, card, tiny_golden(flatbuffer, card.preprocessing))


def brightness_of(label_index: int, classes: int = 10) -> int:
    """The gray value (0-255) in the middle of a class: a frame of it is classified as that one."""
    return int(256 * (label_index + 0.5) / classes)


def frame_of(label_index: int, classes: int = 10, size: tuple[int, int] = (48, 64)) -> Array:
    """A frame (uint8 RGB, (height, width, 3)) that is classified as `label_index`."""
    return np.full((*size, 3), brightness_of(label_index, classes), np.uint8)


def tiny_golden(flatbuffer: bytes, preprocessing: Preprocessing) -> GoldenVectors:
    """Golden vectors of a dark, a gray, a bright and a coloured frame, larger than the image."""
    height, width = (side * 5 // 2 for side in preprocessing.size)
    frames = [np.full((height, width, 3), level, np.uint8) for level in (0, 128, 255)]
    frames.append(np.zeros((height, width, 3), np.uint8))
    frames[3][:, :, 0] = np.linspace(0, 255, width, dtype=np.uint8)
    frames[3][:, :, 1] = np.linspace(0, 255, height, dtype=np.uint8)[:, None]
    return golden_of(flatbuffer, preprocessing, [to_jpeg(frame) for frame in frames])


def golden_of(
    flatbuffer: bytes, preprocessing: Preprocessing, jpegs: Sequence[bytes]
) -> GoldenVectors:
    """Golden vectors of given JPEGs, as the default engine answers them."""
    model = parse_model_file(flatbuffer, "tiny.tflite")
    classifier = Classifier(model, open_runtime(model))
    decoded = [decode(jpeg) for jpeg in jpegs]
    images = np.stack([prepare(frame, preprocessing) for frame in decoded])
    outputs = np.stack([classifier.run_image(image) for image in images])
    classifier.close()
    frames = (
        GoldenFrame(jpeg, fingerprint(frame), fingerprint(prepare_scaled(jpeg, preprocessing)))
        for jpeg, frame in zip(jpegs, decoded, strict=True)
    )
    return GoldenVectors(images, outputs, tuple(frames))


def to_jpeg(frame: Array) -> bytes:
    """A frame (uint8 RGB) as a camera's JPEG."""
    content: bytes = cv2.imencode(".jpg", frame[:, :, ::-1])[1].tobytes()
    return content


def build(model: TinyModel) -> bytes:
    """The flatbuffer of a described model."""
    if not 2 <= model.classes <= MAX_CLASSES:
        raise ValueError(f"{model.classes} classes, wanted 2 to {MAX_CLASSES}")
    graph = _Graph()
    weights, bias = _line_coefficients(model)
    unit = model.sharpness / (256 * model.pixels * model.classes)  # logits per weighted gray level
    # The winner's logit is between -1/4 sharpness and 0; what is far below may saturate.
    step = 0.375 * model.sharpness / 255
    if model.dtype == "float32":
        weights, bias = weights * np.float32(unit), bias * np.float32(unit)
        if model.weight_of_nan:
            weights = np.full_like(weights, np.nan)
        scales, zeros = {}, {}
    else:
        lowest = _LOWEST[model.dtype]
        scales = {"in": 1.0, "weights": unit, "bias": unit, "logits": step, "scores": 1 / 256}
        zeros = {"in": lowest, "logits": lowest + 255, "scores": lowest}
        zeros |= {"weights": _SHIFT[model.dtype], "bias": 0}

    def add(name: str, shape: Sequence[int], dtype: str, content: Array | None = None) -> int:
        key = {"image": "in", "flat": "in"}.get(name, name)
        quantization = (scales[key], zeros[key]) if key in scales else None
        return graph.add_tensor(name, shape, dtype, quantization, content)

    dtype, flat = model.dtype, (1, model.pixels)
    bias_dtype = "float32" if dtype == "float32" else "int32"
    stored = weights + _SHIFT[dtype] if dtype in _SHIFT else weights
    image = add("image", model.shape, dtype)
    target = add("shape", (2,), "int32", np.array(flat, np.int32))
    filters = add("weights", weights.shape, dtype, stored.astype(dtype))
    offsets = add("bias", bias.shape, bias_dtype, bias.astype(bias_dtype))
    flattened = add("flat", flat, dtype)
    logits = add("logits", (1, model.classes), dtype)
    dense_version = 4 if dtype == "int8" else 1  # symmetric int8 weights came with version 4
    graph.add_operator("RESHAPE", [image, target], flattened)
    graph.add_operator("FULLY_CONNECTED", [flattened, filters, offsets], logits, dense_version)
    last = logits
    if model.has_softmax:
        last = add("scores", (1, model.classes), dtype)
        graph.add_operator("SOFTMAX", [logits], last, 2 if dtype == "int8" else 1)
    return graph.to_bytes([image], [last, *[flattened, logits][: model.extra_outputs]])


def with_custom_operator(model: TinyModel, name: str) -> bytes:
    """The model with its SOFTMAX replaced by a custom operator, as a compiler for a chip does."""
    plain = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(build(model), 0))
    code = plain.operatorCodes[-1]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = name
    operator = plain.subgraphs[0].operators[-1]
    operator.builtinOptionsType, operator.builtinOptions = 0, None
    return _pack(plain)


def _line_coefficients(model: TinyModel) -> tuple[Array, Array]:
    """Weights (classes, pixels) and bias (classes,), whole numbers, of one line a class.

    With x the brightness in 0..1 and m = (2k + 1) / 2K the centre of class k, -(x - m)^2 and
    2mx - m^2 differ by the same for every class, and so do 2mx - m^2 and (2m - 1)x - m^2, which
    stays small. Times 256 * pixels * K this is whole: (2k + 1 - K) * sum of pixels, and the bias.
    """
    odd = 2 * np.arange(model.classes) + 1
    weights = np.repeat((odd - model.classes)[:, None], model.pixels, axis=1)
    bias = -np.rint(odd.astype(np.float64) ** 2 * 64 * model.pixels / model.classes)
    return weights.astype(np.float32), bias.astype(np.float32 if model.dtype == "float32" else int)


class _Graph:
    """A .tflite graph that grows by tensors and operators."""

    def __init__(self) -> None:
        self._buffers = [schema.BufferT()]  # the first one is empty by convention
        self._tensors: list[Any] = []
        self._codes: list[Any] = []
        self._operators: list[Any] = []

    def add_tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        quantization: tuple[float, int] | None,
        content: Array | None,
    ) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), _TYPES[dtype]
        tensor.buffer = 0
        if content is not None:
            buffer = schema.BufferT()
            buffer.data = content.tobytes()
            self._buffers.append(buffer)
            tensor.buffer = len(self._buffers) - 1
        if quantization is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [quantization[0]]
            tensor.quantization.zeroPoint = [quantization[1]]
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def add_operator(self, name: str, inputs: list[int], output: int, version: int = 1) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        code.version = version
        self._codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._codes) - 1
        operator.inputs, operator.outputs = inputs, [output]
        options = {
            "RESHAPE": schema.ReshapeOptionsT,
            "FULLY_CONNECTED": schema.FullyConnectedOptionsT,
            "SOFTMAX": schema.SoftmaxOptionsT,
        }[name]()
        if name == "SOFTMAX":
            options.beta = 1.0
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(
            schema.BuiltinOptions, type(options).__name__.removesuffix("T")
        )
        self._operators.append(operator)

    def to_bytes(self, inputs: list[int], outputs: list[int]) -> bytes:
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = inputs, outputs
        model = schema.ModelT()
        model.version, model.description = 3, "tiny"
        model.operatorCodes, model.subgraphs, model.buffers = self._codes, [graph], self._buffers
        return _pack(model)


def _pack(model: Any) -> bytes:
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
