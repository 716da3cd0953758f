"""What a .tflite file says of itself: tensors, operators, cost; read without any engine."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from edgecls.contract.dynamic import is_data_dependent
from edgecls.contract.flatbuffer import Table, damaged
from edgecls.contract.operators import CUSTOM, EDGETPU, operator_name
from edgecls.contract.quantization import QuantParams
from edgecls.errors import ModelFileError

# Beyond these no classifier for a board goes; a damaged file easily does.
MAX_TENSOR_BYTES: Final = 256 << 20
MAX_RANK: Final = 8
MAX_STEP: Final = 4096
# Fields of the options that are strides and filter sizes: by a 0 an engine would divide.
_STRIDED: Final = {
    "CONV_2D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "AVERAGE_POOL_2D": (1, 2, 3, 4),
    "MAX_POOL_2D": (1, 2, 3, 4),
}

_DTYPES: Final = {
    0: ("float32", 4),
    1: ("float16", 2),
    2: ("int32", 4),
    3: ("uint8", 1),
    4: ("int64", 8),
    6: ("bool", 1),
    7: ("int16", 2),
    9: ("int8", 1),
    15: ("uint32", 4),
    16: ("uint16", 2),
    17: ("int4", 1),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: its name, shape, dtype and quantization."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    is_constant: bool

    @property
    def elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def to_quant_params(self) -> QuantParams | None:
        """Per-tensor quantization; None for a float tensor."""
        if self.dtype not in ("int8", "uint8", "int16") or len(self.scales) != 1:
            return None
        zero_point = self.zero_points[0] if self.zero_points else 0
        return QuantParams(self.scales[0], zero_point, self.dtype)


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: its name, version and the tensors (by index, -1 for none) it joins."""

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Structure:
    """The one graph of a .tflite file.

    Args:
        tensors: All of them; operators and `inputs`, `outputs` refer by index.
        operators: In order of execution.
        inputs: Of the graph.
        outputs: Of the graph.
        metadata: Name -> content of each metadata buffer.
        minimum_runtime: As the converter noted it, such as `1.14.0`; empty when absent.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: dict[str, bytes]

    @cached_property
    def minimum_runtime(self) -> str:
        """As the converter noted it, such as `1.14.0`; empty when absent."""
        return (
            self.metadata.get("min_runtime_version", b"").rstrip(b"\0").decode("ascii", "replace")
        )

    @cached_property
    def operator_counts(self) -> dict[str, tuple[int, int]]:
        """Operator name -> (how many, highest version), most frequent first."""
        counts = Counter(operator.name for operator in self.operators)
        return {
            name: (count, max(o.version for o in self.operators if o.name == name))
            for name, count in counts.most_common()
        }

    @property
    def is_compiled(self) -> bool:
        """Whether the model is compiled for the Edge TPU, whatever its file is called."""
        return EDGETPU in self.operator_counts

    @cached_property
    def is_data_dependent(self) -> bool:
        """Whether how much memory it takes, or where it reads, depends on the pixels."""
        dtypes = [tensor.dtype for tensor in self.tensors]
        return is_data_dependent(self.operators, self.inputs, dtypes)

    @cached_property
    def parameters(self) -> int:
        """Number of trained values: the elements of all float and integer constants but shapes."""
        weights = {
            index
            for operator in self.operators
            for index in operator.inputs
            if index >= 0 and operator.name not in _SHAPE_TAKERS
        }
        return sum(self.tensors[i].elements for i in weights if self.tensors[i].is_constant)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one inference, in convolutions and dense layers."""
        return sum(self.macs_of(operator) for operator in self.operators)

    def macs_of(self, operator: Operator) -> int:
        """Multiply-accumulates of one operator; 0 for all but convolutions and dense layers."""
        if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            return 0
        weights = self.tensors[operator.inputs[1]].shape
        outputs = self.tensors[operator.outputs[0]].elements
        if operator.name == "DEPTHWISE_CONV_2D":  # weights (1, kh, kw, channels)
            return outputs * math.prod(weights[1:3])
        return outputs * math.prod(weights[1:])  # (out, kh, kw, in) or (out, in)


_SHAPE_TAKERS = {"RESHAPE", "PAD", "TRANSPOSE", "MEAN", "SLICE", "STRIDED_SLICE", "SUM"}


def read_structure(content: bytes) -> Structure:
    """Walk a .tflite file from end to end, checking every offset, index and shape.

    Raises:
        ModelFileError: It is not a .tflite file (or no graph that one board program can run).
        DamagedModelError: It was one, but is cut off or damaged.
    """
    if content[4:8] != b"TFL3":
        raise ModelFileError("it is not a .tflite file (the mark TFL3 is missing)")
    model = Table.root(content)
    if (version := model.number(0, "I")) != 3:
        raise damaged(f"schema version {version}, wanted 3")
    buffers = [_buffer_length(buffer, content) for buffer in model.tables(4)]
    graphs = model.tables(2)
    if len(graphs) != 1:
        raise ModelFileError(
            f"the model has {len(graphs)} graphs, wanted 1",
            hint="export one plain inference function",
        )
    graph = graphs[0]
    tensors = tuple(_read_tensor(table, buffers) for table in graph.tables(0))
    codes = [_read_code(code) for code in model.tables(1)]
    operators = tuple(_read_operator(table, codes, len(tensors)) for table in graph.tables(3))
    if not operators:
        raise damaged("it has no operators")
    inputs, outputs = (tuple(graph.integers(field)) for field in (1, 2))
    for index in (*inputs, *outputs):
        if not 0 <= index < len(tensors):
            raise damaged(f"the graph refers to tensor {index} of {len(tensors)}")
    _check_data_flow(tensors, operators, inputs, outputs)
    return Structure(tensors, operators, inputs, outputs, _read_metadata(model))


def _buffer_length(buffer: Table, content: bytes) -> int:
    offset, size = buffer.number(1, "Q"), buffer.number(2, "Q")
    if offset > 1:  # stored behind the flatbuffer, as in files over 2 GB
        if offset + size > len(content):
            raise damaged("a buffer lies beyond its end")
        return size
    return buffer.length(0)


def _read_tensor(table: Table, buffers: list[int]) -> Tensor:
    name, shape, buffer = table.text(3), tuple(table.integers(0)), table.number(2, "I")
    code = table.number(1, "b")
    if code not in _DTYPES:
        raise ModelFileError(f"tensor {name!r:.60} has a type (code {code}) no classifier needs")
    dtype, item_bytes = _DTYPES[code]
    if len(shape) > MAX_RANK or any(side < 1 for side in shape):
        raise damaged(f"tensor {name!r:.60} has the shape {list(shape)}")
    if math.prod(shape) * item_bytes > MAX_TENSOR_BYTES:
        raise ModelFileError(
            f"tensor {name!r:.60} of shape {list(shape)} needs"
            f" {math.prod(shape) * item_bytes >> 20} MiB, at most {MAX_TENSOR_BYTES >> 20} MiB"
        )
    if buffer >= len(buffers):
        raise damaged(f"tensor {name!r:.60} refers to buffer {buffer} of {len(buffers)}")
    is_constant = buffers[buffer] > 0
    if is_constant and dtype != "int4" and buffers[buffer] != math.prod(shape) * item_bytes:
        raise damaged(
            f"tensor {name!r:.60} needs {math.prod(shape) * item_bytes} bytes,"
            f" its buffer holds {buffers[buffer]}"
        )
    quantization = table.table(4)
    scales = tuple(quantization.numbers(2, "<f4")) if quantization else ()
    zero_points = tuple(quantization.integers(3, "<i8")) if quantization else ()
    if len(zero_points) not in (0, len(scales)):
        raise damaged(f"tensor {name!r:.60} has {len(scales)} scales, {len(zero_points)} zeros")
    if not all(math.isfinite(scale) and scale >= 0 for scale in scales):
        raise damaged(f"tensor {name!r:.60} has a scale that is no positive number")
    return Tensor(name, shape, dtype, scales, zero_points, is_constant)


def _read_code(code: Table) -> tuple[str, int]:
    # Codes above 127 stand in the newer field; the older one is then 127 or 0.
    number = max(code.number(0, "b"), code.number(3, "i"))
    name = operator_name(number)
    if number == CUSTOM:
        name = code.text(1)
        if not name:
            raise damaged("a custom operator has no name")
    return name, code.number(2, "i", 1)


def _read_operator(table: Table, codes: list[tuple[str, int]], tensors: int) -> Operator:
    code = table.number(0, "I")
    if code >= len(codes):
        raise damaged(f"an operator has code {code} of {len(codes)}")
    inputs, outputs = (tuple(table.integers(field)) for field in (1, 2))
    for index, least in (*((i, -1) for i in inputs), *((o, 0) for o in outputs)):
        if not least <= index < tensors:
            raise damaged(f"an operator refers to tensor {index} of {tensors}")
    name, version = codes[code]
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") and (
        len(inputs) < 2 or min(inputs[:2]) < 0 or len(outputs) != 1
    ):
        raise damaged(f"a {name} has {len(inputs)} inputs and {len(outputs)} outputs")
    if name in _STRIDED:
        options = table.table(4)
        steps = [options.number(field, "i") if options else 0 for field in _STRIDED[name]]
        if not all(1 <= step <= MAX_STEP for step in steps):
            raise damaged(f"a {name} has the strides and filter sizes {steps}")
    return Operator(name, version, inputs, outputs)


def _check_data_flow(
    tensors: tuple[Tensor, ...],
    operators: tuple[Operator, ...],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
) -> None:
    written = [tensor.is_constant for tensor in tensors]
    for index in inputs:
        if written[index]:
            raise damaged("an input of the graph is a constant or is given twice")
        written[index] = True
    for operator in operators:
        if not all(written[index] for index in operator.inputs if index >= 0):
            raise damaged(f"a {operator.name:.40} reads a tensor that nothing wrote")
        for index in operator.outputs:
            if written[index]:
                raise damaged(f"a {operator.name:.40} writes a tensor that is already written")
            written[index] = True
    made = {index for operator in operators for index in operator.outputs}
    if not made.issuperset(outputs):
        raise damaged("an output of the graph is made by no operator")


def _read_metadata(model: Table) -> dict[str, bytes]:
    buffers = model.tables(4)
    entries = {}
    for entry in model.tables(6):
        if (buffer := entry.number(1, "I")) >= len(buffers):
            raise damaged(f"metadata refers to buffer {buffer} of {len(buffers)}")
        entries[entry.text(0)] = buffers[buffer].raw(0)
    return entries
