"""Models that pass every check of their bytes, and then crash, starve or outlast an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

_FLOAT, _INT = schema.TensorType.FLOAT32, schema.TensorType.INT32


@dataclass(frozen=True, slots=True, eq=False)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    content: npt.NDArray[Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Operator:
    name: str
    inputs: Sequence[str]
    output: str
    options: Any = None


IMAGE: Final = _Tensor("image", (1, 4, 4, 3))
SCORES: Final = _Tensor("scores", (3,))
AXES: Final = _Tensor("axes", (3,), np.array([0, 1, 2], np.int32))


def crashing_model() -> bytes:
    """LiteRT 2.3.0 reads far beyond the image: normalisation over 10^9 neighbours is a SIGSEGV."""
    options = schema.LocalResponseNormalizationOptionsT()
    options.radius = 1_000_000_000
    return _build(
        [IMAGE, _Tensor("normalized", IMAGE.shape), AXES, SCORES],
        [
            _Operator("LOCAL_RESPONSE_NORMALIZATION", ["image"], "normalized", options),
            _Operator("MEAN", ["normalized", "axes"], "scores", schema.ReducerOptionsT()),
        ],
    )


def starving_model() -> bytes:
    """A tensor that is small in the file and is filled to 18 GiB when it runs."""
    sides = np.array([40_000, 40_000, 3], np.int32)
    return _build(
        [
            IMAGE,
            _Tensor("sides", (3,), sides),
            _Tensor("one", (), np.ones((), np.float32)),
            _Tensor("filled", (1, 1, 3)),
            _Tensor("two axes", (2,), np.array([0, 1], np.int32)),
            _Tensor("mean", (3,)),
            AXES,
            _Tensor("color", (3,)),
            SCORES,
        ],
        [
            _Operator("FILL", ["sides", "one"], "filled", schema.FillOptionsT()),
            _Operator("MEAN", ["filled", "two axes"], "mean", schema.ReducerOptionsT()),
            _Operator("MEAN", ["image", "axes"], "color", schema.ReducerOptionsT()),
            _Operator("ADD", ["mean", "color"], "scores", schema.AddOptionsT()),
        ],
    )


def endless_model() -> bytes:
    """Twenty products of large matrices, 10^12 multiplications: minutes; hours on a board."""
    side, times = 4096, 20
    products = [f"product {number}" for number in range(times)]
    before = ["matrix", *products]
    return _build(
        [
            IMAGE,
            _Tensor("size", (2,), np.array([side, side], np.int32)),
            _Tensor("large", (1, side, side, 3)),
            _Tensor("outer axes", (2,), np.array([0, 3], np.int32)),
            _Tensor("matrix", (side, side)),
            *(_Tensor(name, (side, side)) for name in products),
            _Tensor("first axis", (1,), np.array([0], np.int32)),
            _Tensor("scores", (side,)),
        ],
        [
            _Operator(
                "RESIZE_NEAREST_NEIGHBOR",
                ["image", "size"],
                "large",
                schema.ResizeNearestNeighborOptionsT(),
            ),
            _Operator("MEAN", ["large", "outer axes"], "matrix", schema.ReducerOptionsT()),
            *(
                _Operator("BATCH_MATMUL", [each, each], result, schema.BatchMatMulOptionsT())
                for each, result in zip(before, products, strict=False)
            ),
            _Operator("MEAN", [products[-1], "first axis"], "scores", schema.ReducerOptionsT()),
        ],
    )


def _build(tensors: Sequence[_Tensor], operators: Sequence[_Operator]) -> bytes:
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, "hostile"
    model.buffers, model.operatorCodes, model.subgraphs = [schema.BufferT()], [], [graph]
    graph.name = "main"
    graph.tensors = [_to_tensor(tensor, model) for tensor in tensors]
    places = {tensor.name: place for place, tensor in enumerate(tensors)}
    graph.operators = [_to_operator(operator, model, places) for operator in operators]
    graph.inputs, graph.outputs = [places["image"]], [places["scores"]]
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _to_tensor(described: _Tensor, model: Any) -> Any:
    tensor, content = schema.TensorT(), described.content
    tensor.name, tensor.shape = described.name, list(described.shape)
    tensor.type = _INT if content is not None and content.dtype == np.int32 else _FLOAT
    tensor.buffer = 0
    if content is not None:
        buffer = schema.BufferT()
        buffer.data = content.tobytes()
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
    return tensor


def _to_operator(described: _Operator, model: Any, places: dict[str, int]) -> Any:
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = getattr(schema.BuiltinOperator, described.name)
    code.deprecatedBuiltinCode = min(127, code.builtinCode)
    code.version = 1
    operator.opcodeIndex = len(model.operatorCodes)
    model.operatorCodes.append(code)
    operator.inputs = [places[name] for name in described.inputs]
    operator.outputs = [places[described.output]]
    if described.options is not None:
        kind = type(described.options).__name__.removesuffix("T")
        operator.builtinOptions = described.options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
    return operator
