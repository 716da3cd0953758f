"""Pairs that belong together -> groups."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Pairs: TypeAlias = npt.NDArray[np.int64]
Groups: TypeAlias = npt.NDArray[np.int64]


def group_pairs(count: int, pairs: Pairs) -> Groups:
    """Number the sets of indices that pairs connect, each by its lowest index.

    Args:
        count: Indices are 0 to `count` - 1.
        pairs: (M, 2).
    """
    parents = list(range(count))

    def find(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for first, second in pairs.tolist():
        low, high = sorted((find(first), find(second)))
        parents[high] = low
    return np.array([find(index) for index in range(count)], np.int64)
