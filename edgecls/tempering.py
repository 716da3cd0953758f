"""The temperature that makes scores as certain as a model is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.floating[Any]]


def temper(scores: Scores, temperature: float) -> Scores:
    """Divide the logarithm of scores by a temperature, and make them add up to 1 again.

    Args:
        scores: (..., classes), 0 or more: softmax outputs, exact or quantized.
        temperature: Above 1 makes them less certain, below 1 more; 1 only makes them add up.

    Returns:
        Same shape and dtype; scores that are all zero stay zero.

    Source:
        Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 9.
    """
    if temperature != 1.0:
        scores = scores ** (1.0 / temperature)
    total = scores.sum(axis=-1, keepdims=True)
    # A quantized softmax does not add up to exactly 1.
    tempered: Scores = np.divide(scores, total, out=np.zeros_like(scores), where=total > 0)
    return tempered
