"""What a model costs: multiply-accumulates, parameters and memory, for each operator and in all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from edgecls.contract.structure import Operator, Structure, Tensor

# TFLite aligns every tensor for the widest vector registers (kDefaultTensorAlignment).
_ALIGNMENT: Final = 64
_ITEM_BYTES: Final = {
    "float32": 4,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "int4": 0.5,
} | dict.fromkeys(("float16", "int16", "uint16"), 2)


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """One operator.

    Args:
        name: Such as `CONV_2D`.
        version: As in the file.
        inputs: Shapes of what flows in; constants (weights, biases, shapes) are left out.
        outputs: Shapes of what flows out.
        dtype: Of the first output.
        macs: Multiply-accumulates.
        parameter_bytes: Of its constants.
    """

    name: str
    version: int
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    dtype: str
    macs: int
    parameter_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "inputs": [list(shape) for shape in self.inputs],
            "outputs": [list(shape) for shape in self.outputs],
            "dtype": self.dtype,
            "macs": self.macs,
            "parameter_bytes": self.parameter_bytes,
        }


def operator_costs(structure: Structure) -> tuple[OperatorCost, ...]:
    """One entry an operator, in order of execution.

    A constant that several operators share counts for the first of them, so that the bytes add up.
    """
    counted: set[int] = set()
    costs = []
    for operator in structure.operators:
        own = {i for i in operator.inputs if i >= 0 and structure.tensors[i].is_constant} - counted
        counted |= own
        costs.append(_cost_of(structure, operator, own))
    return tuple(costs)


def to_cost(structure: Structure) -> Mapping[str, Any]:
    """What a card says of a network: plain JSON."""
    return {
        "macs": structure.macs,
        "parameters": structure.parameters,
        "parameter_bytes": sum(cost.parameter_bytes for cost in operator_costs(structure)),
        "arena_bytes": arena_bytes(structure),
        "minimum_runtime": structure.minimum_runtime,
        "operators": {
            name: {"count": count, "version": version}
            for name, (count, version) in structure.operator_counts.items()
        },
    }


def arena_bytes(structure: Structure) -> int:
    """Memory for everything that is not constant while the model runs.

    Engines do not tell, so it is computed from the lifetimes of the tensors, by the greedy plan of
    TFLite: the largest first, each at the lowest place that is free while it lives. Without what
    kernels keep for themselves.

    Source:
        Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net Inference",
        "greedy by size for offset calculation" (arXiv:2001.03288); TFLite's arena_planner.cc.
    """
    lives = _lifetimes(structure)
    order = sorted(lives, key=lambda i: (-tensor_bytes(structure.tensors[i]), lives[i][0], i))
    placed: list[tuple[int, int, int, int]] = []  # begin, end in bytes; first, last operator
    for index in order:
        first, last = lives[index]
        begin, size = 0, tensor_bytes(structure.tensors[index])
        for other_begin, other_end, other_first, other_last in sorted(placed):
            if other_last < first or last < other_first:
                continue
            if begin + size <= other_begin:
                break
            begin = max(begin, math.ceil(other_end / _ALIGNMENT) * _ALIGNMENT)
        placed.append((begin, begin + size, first, last))
    return max((end for _, end, _, _ in placed), default=0)


def tensor_bytes(tensor: Tensor) -> int:
    """What its values take."""
    return math.ceil(tensor.elements * _ITEM_BYTES.get(tensor.dtype, 1))


def _lifetimes(structure: Structure) -> dict[int, tuple[int, int]]:
    """Tensor -> the first and the last operator it lives for; those of the graph always live."""
    end = len(structure.operators)
    lives: dict[int, tuple[int, int]] = {}
    for number, operator in enumerate(structure.operators):
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0 and not structure.tensors[index].is_constant:
                lives[index] = (lives.get(index, (number, number))[0], number)
    # TFLite keeps the graph's inputs to the end, and its outputs from where they are written.
    for index in structure.inputs:
        lives[index] = (0, end)
    for index in structure.outputs:
        if index in lives:
            lives[index] = (lives[index][0], end)
    return lives


def _cost_of(structure: Structure, operator: Operator, constants: set[int]) -> OperatorCost:
    tensors = structure.tensors
    flowing = [i for i in operator.inputs if i >= 0 and not tensors[i].is_constant]
    return OperatorCost(
        operator.name,
        operator.version,
        inputs=tuple(tensors[i].shape for i in flowing),
        outputs=tuple(tensors[i].shape for i in operator.outputs),
        dtype=tensors[operator.outputs[0]].dtype if operator.outputs else "",
        macs=structure.macs_of(operator),
        parameter_bytes=sum(tensor_bytes(tensors[i]) for i in constants),
    )
