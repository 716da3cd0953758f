"""A tiny model that fails on one kind of picture, as one that makes sizes out of pixels may."""

from __future__ import annotations

from typing import Any, Final, Literal

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.support.tiny_model import TinyModel, build

Fault = Literal["place", "memory"]
_FLOAT, _INT = schema.TensorType.FLOAT32, schema.TensorType.INT32
# Of (255 - brightest) * brightest, which is 0 for black, white and noise: at gray 128 a place far
# beyond the picture, or so many floats that they need 6 GB.
_FACTORS: Final = {"place": -1.0, "memory": 1e8}


def choosy_model_bytes(fault: Fault = "place", classes: int = 10) -> bytes:
    """A float model that answers as the tiny one does, where its picture has a white or no pixel.

    Args:
        fault: What happens else: it reads at a `place` out of bounds, and the engine says so; or it
            wants more `memory` than there is.
        classes: 2 to 100.
    """
    plain = build(TinyModel((28, 28), "GRAY", classes, "float32"))
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(plain, 0))
    grow = _Growth(model)
    image, flat = 0, 4
    brightest = grow.add("REDUCE_MAX", [image, grow.constant(np.array([0, 1, 2, 3], np.int32))])
    darker = grow.add("SUB", [grow.constant(np.float32(255.0)), brightest])
    product = grow.add("MUL", [darker, brightest])
    # In millionths, so that noise, whose brightest pixel is 254.9, gives 0 as well.
    factor = np.float32(_FACTORS[fault] * 1e-3)
    scaled = grow.add("MUL", [product, grow.constant(factor)])
    number = grow.add("CAST", [scaled], shape=[], dtype=_INT)
    if fault == "place":
        whole = grow.add("RESHAPE", [flat, grow.constant(np.array([784], np.int32))], shape=[784])
        grow.add("GATHER", [whole, number])
    else:
        length = grow.constant(np.array([1], np.int32))
        several = grow.add("RESHAPE", [number, length], shape=[1], dtype=_INT)
        grow.add("FILL", [several, grow.constant(np.float32(1.0))], shape=[1])
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Growth:
    """Adds tensors and operators to a model."""

    _OPTIONS: Final = {
        "REDUCE_MAX": schema.ReducerOptionsT,
        "SUB": schema.SubOptionsT,
        "MUL": schema.MulOptionsT,
        "CAST": schema.CastOptionsT,
        "RESHAPE": schema.ReshapeOptionsT,
        "GATHER": schema.GatherOptionsT,
        "FILL": schema.FillOptionsT,
    }

    def __init__(self, model: Any) -> None:
        self._model, self._graph = model, model.subgraphs[0]

    def constant(self, content: Any) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(content.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        dtype = _FLOAT if content.dtype == np.float32 else _INT
        return self._tensor(list(content.shape), dtype, len(self._model.buffers) - 1)

    def add(self, name: str, inputs: list[int], *, shape: Any = (), dtype: int = _FLOAT) -> int:
        output = self._tensor(list(shape), dtype, 0)
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        code.version = 1
        self._model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, [output]
        operator.builtinOptions = self._OPTIONS[name]()
        kind = type(operator.builtinOptions).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        self._graph.operators.append(operator)
        return output

    def _tensor(self, shape: list[int], dtype: int, buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape = f"more {len(self._graph.tensors)}", shape
        tensor.type, tensor.buffer = dtype, buffer
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1
