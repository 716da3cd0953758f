"""Which operators an Edge TPU computes, and by which rule it leaves the others to the CPU.

Source:
    coral.ai, "TensorFlow models on the Edge TPU", table of supported operations, runtime 14.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from edgecls.contract.flatbuffer import Table
from edgecls.contract.operators import EDGETPU
from edgecls.contract.structure import Operator, Structure, Tensor

MOST_SOFTMAX_VALUES: Final = 16_000
_8_BITS: Final = ("uint8", "int8")


class Rule(Enum):
    """Why an operator stays on the CPU, in words."""

    OPERATION = "the Edge TPU has no such operation"
    VERSION = "the compiler is older than this version of the operation"
    FIXED_SHAPE = "all shapes must be fixed"
    DATA_TYPE = "activations must be uint8 or int8"
    INNERMOST = "only the three innermost dimensions may be larger than 1"
    DILATION = "the dilation must be the same in x and y"
    FUSED_ACTIVATION = "no activation function may be fused into it"
    ZERO_PADDING = "a constant may be joined only as two inputs of which one is all zeros"
    DENSE_OUTPUT = "its output must be one-dimensional"
    DENSE_WEIGHTS = "its weights must have the default format and one scale for all channels"
    BATCH = "it must leave the batch dimension alone"
    DEPTH = "the depth must be a multiple of 4"
    ALPHA = "alpha must be one-dimensional"
    SIZE = "whether it fits depends on its sizes, which only the compiler can tell"
    ONE_DIMENSION = "its input must be one-dimensional"
    MOST_VALUES = "its input may have at most 16,000 values"
    STRIDES = "all strides must be 1, without ellipsis and new axes"
    ONE_SUBGRAPH = "the compiler maps one subgraph, and this is behind an operator on the CPU"


@dataclass(frozen=True, slots=True)
class Node:
    """An operator with everything its rules look at.

    Args:
        operator: Its name, version and tensor indices.
        inputs: Its input tensors; None for one that is left out.
        outputs: Its output tensors.
        options: Its options in the flatbuffer; None when absent.
        read_integers: Gives the int32 values of the constant input at a position; empty when that
            input is no int32 constant.
        is_all_zero: Whether the constant input at a position holds zero points only.
        is_open: Whether a shape of one of its tensors may vary.
    """

    operator: Operator
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Table | None
    read_integers: Callable[[int], list[int]]
    is_all_zero: Callable[[int], bool]
    is_open: bool

    @property
    def image(self) -> Tensor | None:
        """Its first input."""
        return self.input(0)

    def input(self, position: int) -> Tensor | None:
        """An input; None for one that is left out."""
        return self.inputs[position] if position < len(self.inputs) else None

    def option(self, field: int, kind: str, default: int = 0) -> int:
        """A number among its options."""
        return self.options.number(field, kind, default) if self.options else default


Check: TypeAlias = Callable[[Node], Rule | None]


def broken_rule(node: Node) -> Rule | None:
    """The first rule that keeps an operator off the Edge TPU; None for one that it computes."""
    name = node.operator.name
    if name == EDGETPU:
        return None
    if name not in _TABLE or not node.outputs:
        return Rule.OPERATION
    if node.operator.version > _NEWEST.get(name, node.operator.version):
        return Rule.VERSION
    if node.is_open:
        return Rule.FIXED_SHAPE
    tensors = [tensor for tensor in (*node.inputs, *node.outputs) if tensor is not None]
    if any(_has_wrong_type(tensor) for tensor in tensors):
        return Rule.DATA_TYPE
    for check in _TABLE[name]:
        if rule := check(node):
            return rule
    # Last, since an operator that widens the batch breaks a rule of its own, which says more.
    activations = [tensor for tensor in tensors if not tensor.is_constant]
    is_deep = any(side > 1 for tensor in activations for side in tensor.shape[:-3])
    return Rule.INNERMOST if is_deep else None


def _depth_of(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def _is_line(tensor: Tensor) -> bool:
    return tensor.elements == _depth_of(tensor)


def _has_wrong_type(tensor: Tensor) -> bool:
    # Constants may also be 32-bit: biases, axes and shapes.
    return tensor.dtype not in _8_BITS and not (tensor.is_constant and tensor.dtype == "int32")


def _dilation(width: int, height: int) -> Check:
    def check(node: Node) -> Rule | None:
        is_equal = node.option(width, "i", 1) == node.option(height, "i", 1)
        return None if is_equal else Rule.DILATION

    return check


def _no_activation(field: int) -> Check:
    return lambda node: Rule.FUSED_ACTIVATION if node.option(field, "b") else None


def _dense(node: Node) -> Rule | None:
    weights = node.input(1)
    if not _is_line(node.outputs[0]):
        return Rule.DENSE_OUTPUT
    # The compiler's engine, of TensorFlow 2.5's age, takes the first of several scales for all.
    if node.option(1, "b") or weights is None or len(weights.scales) > 1:
        return Rule.DENSE_WEIGHTS
    return None


def _concatenation(node: Node) -> Rule | None:
    constants = [i for i, tensor in enumerate(node.inputs) if tensor and tensor.is_constant]
    if not constants:
        return None
    is_padding = len(node.inputs) == 2 and all(node.is_all_zero(i) for i in constants)
    return None if is_padding else Rule.ZERO_PADDING


def _axes(node: Node, position: int) -> list[int]:
    """The axes that a constant names, counted from the front."""
    rank = len(node.image.shape) if node.image else 0
    return [axis % rank if rank else axis for axis in node.read_integers(position)]


def _reduction(node: Node) -> Rule | None:
    axes = _axes(node, 1)
    return Rule.BATCH if not axes or 0 in axes else None


def _depth(node: Node) -> Rule | None:
    return Rule.DEPTH if node.image and _depth_of(node.image) % 4 else None


def _padding(node: Node) -> Rule | None:
    amounts = node.read_integers(1)  # (rank, 2): before and behind, by dimension
    has_batch = node.image is not None and len(node.image.shape) > 3
    return Rule.BATCH if not amounts or (has_batch and any(amounts[:2])) else None


def _packing(node: Node) -> Rule | None:
    axis = node.option(1, "i")
    return Rule.BATCH if axis % len(node.outputs[0].shape or (1,)) == 0 else None


def _splitting(node: Node) -> Rule | None:
    axes = node.read_integers(0)
    rank = len(node.outputs[0].shape or (1,))
    return Rule.BATCH if not axes or axes[0] % rank == 0 else None


def _alpha(node: Node) -> Rule | None:
    alpha = node.input(1)
    return Rule.ALPHA if alpha is None or not _is_line(alpha) else None


def _softmax(node: Node) -> Rule | None:
    values = node.image
    if values is None or not _is_line(values):
        return Rule.ONE_DIMENSION
    return Rule.MOST_VALUES if values.elements > MOST_SOFTMAX_VALUES else None


def _strides(node: Node) -> Rule | None:
    steps = node.read_integers(3)
    has_masks = node.option(2, "i") or node.option(3, "i")
    return Rule.STRIDES if has_masks or not steps or any(step != 1 for step in steps) else None


def _size(_node: Node) -> Rule | None:
    return Rule.SIZE


# Numbers are the fields of the options in the schema.
_TABLE: Final[dict[str, tuple[Check, ...]]] = {
    **dict.fromkeys(
        """ADD SUB MUL MINIMUM MAXIMUM LOGISTIC TANH RELU RELU6 RELU_N1_TO_1 QUANTIZE EXPAND_DIMS
        L2_NORMALIZATION SLICE SPACE_TO_DEPTH RESHAPE SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM
        TRANSPOSE TRANSPOSE_CONV SQUARED_DIFFERENCE RSQRT""".split(),
        (),
    ),
    "CONV_2D": (_dilation(4, 5),),
    "DEPTHWISE_CONV_2D": (_dilation(5, 6),),
    "AVERAGE_POOL_2D": (_no_activation(5),),
    "MAX_POOL_2D": (_no_activation(5),),
    "CONCATENATION": (_no_activation(1), _concatenation),
    "FULLY_CONNECTED": (_dense,),
    "MEAN": (_reduction, _depth),
    "SUM": (_reduction,),
    "REDUCE_MAX": (_reduction,),
    "REDUCE_MIN": (_reduction,),
    "PAD": (_padding,),
    "PACK": (_packing,),
    "SPLIT": (_splitting,),
    "PRELU": (_alpha,),
    "RESIZE_BILINEAR": (_size,),
    "RESIZE_NEAREST_NEIGHBOR": (_size,),
    "SOFTMAX": (_softmax,),
    "STRIDED_SLICE": (_strides,),
}
# "Didn't find op for builtin opcode", as users of compiler 16.0 report it for the next version.
_NEWEST: Final = {"QUANTIZE": 2, "TRANSPOSE_CONV": 3}


def read_nodes(flatbuffer: bytes, structure: Structure) -> list[Node]:
    """The operators of a model with their options and constants.

    Args:
        flatbuffer: As `structure` was read from.
        structure: Of the same bytes.
    """
    model = Table.root(flatbuffer)
    graph = model.tables(2)[0]
    tensors, buffers = graph.tables(0), model.tables(4)
    signatures = [tensor.integers(7) for tensor in tensors]  # -1 where a side may vary

    def content_of(index: int) -> bytes:
        if index < 0 or not structure.tensors[index].is_constant:
            return b""
        return buffers[tensors[index].number(2, "I")].raw(0)

    def make(operator: Operator, table: Table) -> Node:
        def read_integers(position: int) -> list[int]:
            index = operator.inputs[position] if position < len(operator.inputs) else -1
            if index < 0 or structure.tensors[index].dtype != "int32":
                return []
            content = content_of(index)
            return list(struct.unpack(f"<{len(content) // 4}i", content))

        def is_all_zero(position: int) -> bool:
            index = operator.inputs[position]
            zeros = structure.tensors[index].zero_points or (0,)
            return set(content_of(index)) <= {zeros[0] & 0xFF}

        used = [index for index in (*operator.inputs, *operator.outputs) if index >= 0]
        return Node(
            operator,
            tuple(structure.tensors[i] if i >= 0 else None for i in operator.inputs),
            tuple(structure.tensors[i] for i in operator.outputs),
            table.table(4),
            read_integers,
            is_all_zero,
            any(side < 1 for index in used for side in signatures[index]),
        )

    return [make(o, t) for o, t in zip(structure.operators, graph.tables(3), strict=True)]
