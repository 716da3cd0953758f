"""Comparisons of two forms, made from how many pictures of each class they are right on."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls_convert.parity import Comparison, compare_scores

LABELS: Final = Labels(("cat", "dog"))
# 100 cats, then 100 dogs.
TARGETS: Final = np.repeat([0, 1], 100)


def answers(cats_right: int, dogs_right: int) -> npt.NDArray[np.int64]:
    """Of the first pictures of each class the label is right; of the others it is the other one."""
    best = np.ones(200, np.int64)
    best[:cats_right] = 0
    best[100 + dogs_right :] = 0
    return best


def comparison(before: tuple[int, int], after: tuple[int, int], form: str = "int8") -> Comparison:
    """(cats, dogs) that float and the converted form are right on, of 100 each."""
    scores = (np.eye(2, dtype=np.float32)[answers(*right)] for right in (before, after))
    return compare_scores(next(scores), next(scores), TARGETS, LABELS, form)
