"""The line between stored integers and real values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecls.errors import InvalidValueError

IntTensor = npt.NDArray[np.integer[Any]]
Reals = npt.NDArray[np.float32]

_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


@dataclass(frozen=True, slots=True)
class QuantParams:
    """Per-tensor quantization: real = scale * (stored - zero_point).

    Args:
        scale: Finite and above 0.
        zero_point: The stored value that means 0.0; inside the range of `dtype`.
        dtype: `int8`, `uint8` or `int16`.

    Source:
        Jacob et al. 2018, eq. 1 (arXiv:1712.05877).
    """

    scale: float
    zero_point: int
    dtype: str = "uint8"

    def __post_init__(self) -> None:
        if self.dtype not in _RANGES:
            raise InvalidValueError(f"dtype {self.dtype!r} is none of {', '.join(_RANGES)}")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise InvalidValueError(f"scale {self.scale!r} is not a finite number above 0")
        low, high = _RANGES[self.dtype]
        if not low <= self.zero_point <= high:
            raise InvalidValueError(
                f"zero point {self.zero_point} is outside {self.dtype} ({low} to {high})"
            )

    def dequantize(self, stored: IntTensor) -> Reals:
        """Turn stored integers (any shape) into real values, float32 of the same shape."""
        # Widen first: uint8 minus a zero point of 128 would wrap around.
        widened = stored.astype(np.int32) - self.zero_point
        return (np.float32(self.scale) * widened).astype(np.float32)

    def quantize(self, real: npt.NDArray[np.floating[Any]]) -> IntTensor:
        """Turn real values (any shape) into stored integers; half to even, clipped to the range."""
        low, high = _RANGES[self.dtype]
        steps = np.rint(real / self.scale) + self.zero_point
        stored: IntTensor = np.clip(steps, low, high).astype(self.dtype)
        return stored
