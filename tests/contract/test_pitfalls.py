"""What older runtimes would answer wrongly, seen in the file."""

from __future__ import annotations

from typing import Any

import pytest

from edgecls.contract.pitfalls import find_pitfalls
from edgecls.contract.structure import read_structure
from tests.support.edited_model import edited
from tests.support.tiny_model import tiny_model_bytes

DENSE_WEIGHTS, DENSE = 2, 1  # tensor and operator code of the tiny model


def dense(scales: int, version: int) -> Any:
    """A change of the dense layer: so many scales, this version."""

    def change(model: Any) -> None:
        quantization = model.subgraphs[0].tensors[DENSE_WEIGHTS].quantization
        quantization.scale = [0.01] * scales
        quantization.zeroPoint = [0] * scales
        model.operatorCodes[DENSE].version = version

    return change


@pytest.mark.parametrize(
    ("scales", "version", "is_found"),
    [
        pytest.param(1, 4, False, id="one scale: every runtime is right"),
        pytest.param(10, 4, True, id="a scale a channel at version 4: old ones answer at chance"),
        pytest.param(10, 12, False, id="a scale a channel at version 12: old ones refuse it"),
    ],
)
def test_a_dense_layer(scales: int, version: int, is_found: bool) -> None:
    content = edited(tiny_model_bytes(dtype="int8"), dense(scales, version))
    assert bool(find_pitfalls(read_structure(content))) == is_found


def test_the_runtimes_are_named() -> None:
    content = edited(tiny_model_bytes(dtype="int8"), dense(10, 4))
    (found,) = find_pitfalls(read_structure(content))
    assert found.startswith("1 FULLY_CONNECTED layer has one scale a channel but claims a version")
    assert "tflite-runtime 2.5 to 2.9" in found
    assert "at chance without an error" in found
