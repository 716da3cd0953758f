"""Cost by operator, and memory from the lifetimes of tensors."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edgecls.contract.cost import arena_bytes, operator_costs, to_cost
from edgecls.contract.structure import Operator, Structure, Tensor, read_structure
from tests.support.tiny_model import tiny_model_bytes


def chain(sizes: Sequence[int], joins: Sequence[tuple[tuple[int, ...], int]]) -> Structure:
    """Tensors of so many bytes, joined by operators (inputs, output); 0 goes in, the last out."""
    tensors = tuple(Tensor(f"t{i}", (1, n), "int8", (), (), False) for i, n in enumerate(sizes))
    operators = tuple(Operator("ADD", 1, inputs, (output,)) for inputs, output in joins)
    return Structure(tensors, operators, (0,), (len(sizes) - 1,), {})


@pytest.mark.parametrize(
    ("sizes", "joins", "total"),
    [
        pytest.param([64, 128], [((0,), 1)], 192, id="input and output live together"),
        pytest.param(
            [64, 640, 320, 64],
            [((0,), 1), ((1,), 2), ((2,), 3)],
            640 + 320 + 64,
            id="the input lives to the end, the output takes the place of what is dead",
        ),
        pytest.param(
            [64, 640, 640, 640, 64],
            [((0,), 1), ((1,), 2), ((2,), 3), ((3,), 4)],
            2 * 640 + 64,
            id="three in a row need two places",
        ),
        pytest.param(
            [64, 640, 640, 640, 64],
            [((0,), 1), ((1,), 2), ((2,), 3), ((3, 1), 4)],
            3 * 640 + 64,
            id="a branch keeps its tensor alive",
        ),
        pytest.param([10, 100], [((0,), 1)], 128 + 10, id="each begins at a multiple of 64"),
    ],
)
def test_arena(sizes: list[int], joins: list[tuple[tuple[int, ...], int]], total: int) -> None:
    assert arena_bytes(chain(sizes, joins)) == total


def test_operators_of_the_tiny_model() -> None:
    reshape, dense, softmax = operator_costs(read_structure(tiny_model_bytes()))
    assert (reshape.name, reshape.inputs, reshape.outputs) == (
        "RESHAPE", ((1, 28, 28, 1),), ((1, 784),),
    )  # fmt: skip
    assert (dense.macs, dense.parameter_bytes) == (7840, 7840 + 10 * 4)
    assert (dense.version, dense.inputs, dense.outputs) == (1, ((1, 784),), ((1, 10),))
    assert (softmax.macs, softmax.parameter_bytes, softmax.dtype) == (0, 0, "uint8")


def test_totals_are_the_sums_of_the_operators() -> None:
    structure = read_structure(tiny_model_bytes((16, 16), "RGB"))
    costs = operator_costs(structure)
    total = to_cost(structure)
    assert total["macs"] == sum(cost.macs for cost in costs) == 16 * 16 * 3 * 10
    assert total["parameter_bytes"] == sum(cost.parameter_bytes for cost in costs)
    assert total["operators"]["SOFTMAX"] == {"count": 1, "version": 1}


def test_a_constant_that_two_operators_share_counts_once() -> None:
    tensors = (
        Tensor("in", (1, 4), "int8", (), (), False),
        Tensor("weights", (1, 4), "int8", (), (), True),
        Tensor("between", (1, 4), "int8", (), (), False),
        Tensor("out", (1, 4), "int8", (), (), False),
    )
    operators = (Operator("ADD", 1, (0, 1), (2,)), Operator("MUL", 1, (2, 1), (3,)))
    costs = operator_costs(Structure(tensors, operators, (0,), (3,), {}))
    assert [cost.parameter_bytes for cost in costs] == [4, 0]
