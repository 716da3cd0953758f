"""Whether a model makes sizes or places in memory out of its picture."""

from __future__ import annotations

import pytest

from edgecls.contract.dynamic import is_data_dependent
from edgecls.contract.modelfile import parse_model_file
from edgecls.contract.structure import Operator
from tests.support.choosy_model import choosy_model_bytes
from tests.support.tiny_model import tiny_model_bytes

PICTURE, FIXED = 0, 9
DTYPES = ["float32"] * 3 + ["int32"] * 7


def graph(*steps: tuple[str, tuple[int, ...], int]) -> bool:
    operators = [Operator(name, 1, inputs, (output,)) for name, inputs, output in steps]
    return is_data_dependent(operators, (PICTURE,), DTYPES)


@pytest.mark.fault(129)
@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([("RESHAPE", (PICTURE, FIXED), 1)], False, id="a fixed shape"),
        pytest.param(
            [("SHAPE", (PICTURE,), 3), ("PACK", (3, FIXED), 4), ("RESHAPE", (PICTURE, 4), 1)],
            False,
            id="a shape out of the picture's shape, as Keras writes it",
        ),
        pytest.param(
            [("CAST", (PICTURE,), 3), ("RESHAPE", (PICTURE, 3), 1)], True, id="a shape of pixels"
        ),
        pytest.param([("CAST", (PICTURE,), 3), ("FILL", (3, FIXED), 1)], True, id="FILL"),
        pytest.param([("CAST", (PICTURE,), 3), ("TILE", (FIXED, 3), 1)], True, id="TILE"),
        pytest.param([("CAST", (PICTURE,), 3), ("PAD", (PICTURE, 3), 1)], True, id="PAD"),
        pytest.param([("CAST", (PICTURE,), 3), ("GATHER", (PICTURE, 3), 1)], True, id="GATHER"),
        pytest.param([("GATHER", (PICTURE, FIXED), 1)], False, id="GATHER at fixed places"),
        pytest.param([("WHERE", (PICTURE,), 3)], True, id="WHERE"),
        pytest.param([("DIV", (FIXED, PICTURE), 1)], False, id="a division of floats"),
        pytest.param(
            [("CAST", (PICTURE,), 3), ("FLOOR_MOD", (FIXED, 3), 4)],
            True,
            id="a division of whole numbers",
        ),
        pytest.param([("ADD", (PICTURE, -1), 1)], False, id="an input that is left out"),
    ],
)
def test_sizes_and_places_out_of_pixels(
    steps: list[tuple[str, tuple[int, ...], int]], expected: bool
) -> None:
    assert graph(*steps) is expected


def test_a_whole_model_says_so() -> None:
    plain = parse_model_file(tiny_model_bytes((6, 6), "GRAY", 4), "tiny.tflite")
    choosy = parse_model_file(choosy_model_bytes(), "choosy.tflite")
    assert (plain.structure.is_data_dependent, choosy.structure.is_data_dependent) == (False, True)
