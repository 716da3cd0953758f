"""Graphs of a few operators, built from nothing: for what is read from a file and never run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_TYPES: Final = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int8": schema.TensorType.INT8,
}
_OPTIONS: Final = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "PACK": "PackOptions",
    "SPLIT": "SplitOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
}
_STRIDES: Final = {"strideW": 1, "strideH": 1}
_USUAL: Final = {
    "CONV_2D": _STRIDES,
    "DEPTHWISE_CONV_2D": _STRIDES,
    "AVERAGE_POOL_2D": {**_STRIDES, "filterWidth": 1, "filterHeight": 1},
    "MAX_POOL_2D": {**_STRIDES, "filterWidth": 1, "filterHeight": 1},
}


class Sketch:
    """A .tflite graph that grows by tensors and operators."""

    def __init__(self) -> None:
        self._tensors: list[Any] = []
        self._buffers = [schema.BufferT()]
        self._operators: list[Any] = []
        self._codes: list[Any] = []

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        content: Any = None,
        *,
        scales: Sequence[float] = (1.0,),
        signature: Sequence[int] = (),
    ) -> int:
        """Add a tensor; with `content` (numbers, repeated to fill it) it is a constant."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = (
            f"t{len(self._tensors)}",
            list(shape),
            _TYPES[dtype],
        )
        tensor.shapeSignature = list(signature) or None
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = list(scales)
        tensor.quantization.zeroPoint = [0] * len(scales)
        tensor.buffer = 0
        if content is not None:
            buffer = schema.BufferT()
            filled = np.empty(tuple(shape), dtype)
            filled.flat = content
            buffer.data = np.frombuffer(filled.tobytes(), np.uint8)  # bytes are packed one by one
            self._buffers.append(buffer)
            tensor.buffer = len(self._buffers) - 1
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def operator(
        self, name: str, inputs: Sequence[int], output: int, version: int = 1, **options: Any
    ) -> None:
        """Add an operator; options as the schema names them."""
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = version
        self._codes.append(code)
        operator.opcodeIndex = len(self._codes) - 1
        operator.inputs, operator.outputs = list(inputs), [output]
        if name in _OPTIONS:
            operator.builtinOptions = getattr(schema, _OPTIONS[name] + "T")()
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, _OPTIONS[name])
            for option, value in {**_USUAL.get(name, {}), **options}.items():
                setattr(operator.builtinOptions, option, value)
        self._operators.append(operator)

    def to_bytes(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The flatbuffer."""
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        model.version, model.operatorCodes = 3, self._codes
        model.subgraphs, model.buffers = [graph], self._buffers
        size = sum(len(buffer.data) for buffer in self._buffers if buffer.data is not None)
        builder = flatbuffers.Builder(size + 4096)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def single(
    name: str,
    image: Sequence[int],
    output: Sequence[int],
    constants: Sequence[tuple[Sequence[int], str, Any]] = (),
    *,
    dtype: str = "int8",
    signature: Sequence[int] = (),
    scales: Sequence[float] = (1.0,),
    constants_first: bool = False,
    version: int = 1,
    **options: Any,
) -> bytes:
    """A graph of one operator: an image and constants (shape, dtype, content) in, one out."""
    sketch = Sketch()
    start = sketch.tensor(image, dtype, signature=signature)
    fixed = [sketch.tensor(s, t, c, scales=scales) for s, t, c in constants]
    end = sketch.tensor(output, dtype)
    inputs = [*fixed, start] if constants_first else [start, *fixed]
    sketch.operator(name, inputs, end, version, **options)
    return sketch.to_bytes([start], [end])
