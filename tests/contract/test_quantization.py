"""Quantization: real = scale * (stored - zero point), by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecls.contract.quantization import QuantParams
from edgecls.errors import InvalidValueError

HALF_STEPS = QuantParams(scale=0.5, zero_point=128, dtype="uint8")
SOFTMAX = QuantParams(scale=1 / 256, zero_point=-128, dtype="int8")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"scale": 0.0}, "not a finite number above 0", id="a scale of 0"),
        pytest.param({"scale": -1.0}, "not a finite number above 0", id="a negative scale"),
        pytest.param({"scale": float("inf")}, "not a finite number above 0", id="infinity"),
        pytest.param({"scale": float("nan")}, "not a finite number above 0", id="NaN"),
        pytest.param({"zero_point": 256}, r"256 is outside uint8 \(0 to 255\)", id="beyond uint8"),
        pytest.param({"zero_point": -1}, "-1 is outside uint8", id="below uint8"),
        pytest.param(
            {"zero_point": 128, "dtype": "int8"}, r"outside int8 \(-128 to 127\)", id="beyond int8"
        ),
        pytest.param({"dtype": "float32"}, "'float32' is none of", id="a dtype without steps"),
    ],
)
def test_quantization_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        QuantParams(**{"scale": 1.0, "zero_point": 0, **fields})


@pytest.mark.parametrize(
    ("stored", "real"),
    [
        pytest.param(128, 0.0, id="the zero point means zero"),
        pytest.param(130, 1.0, id="two half-steps above it mean one"),
        pytest.param(127, -0.5, id="one below it does not wrap around"),
        pytest.param(0, -64.0, id="the smallest uint8 does not wrap around"),
        pytest.param(255, 63.5, id="the largest uint8"),
    ],
)
def test_dequantize_uint8(stored: int, real: float) -> None:
    assert HALF_STEPS.dequantize(np.array([stored], np.uint8)).tolist() == [real]


@pytest.mark.parametrize(
    ("stored", "real"),
    [
        pytest.param(-128, 0.0, id="the zero point means zero"),
        pytest.param(127, 255 / 256, id="the largest int8 does not wrap around"),
        pytest.param(0, 0.5, id="a stored zero is not zero"),
    ],
)
def test_dequantize_int8(stored: int, real: float) -> None:
    assert SOFTMAX.dequantize(np.array([stored], np.int8)).tolist() == [real]


@pytest.mark.parametrize(
    ("real", "stored"),
    [
        pytest.param(0.0, 128, id="zero is the zero point"),
        pytest.param(0.25, 128, id="half a step goes to the even number"),
        pytest.param(0.75, 130, id="one and a half steps go to the even number"),
        pytest.param(-1000.0, 0, id="what is too small stops at the lowest"),
        pytest.param(1000.0, 255, id="what is too large stops at the highest"),
    ],
)
def test_quantize(real: float, stored: int) -> None:
    assert HALF_STEPS.quantize(np.array([real])).tolist() == [stored]


def test_every_stored_value_survives_the_way_to_real_and_back() -> None:
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    again = HALF_STEPS.quantize(HALF_STEPS.dequantize(stored))
    assert again.dtype == np.uint8
    assert again.tolist() == stored.tolist()


def test_real_values_are_float32_of_the_same_shape() -> None:
    real = SOFTMAX.dequantize(np.zeros((2, 3), np.int8))
    assert (real.dtype, real.shape) == (np.dtype(np.float32), (2, 3))
