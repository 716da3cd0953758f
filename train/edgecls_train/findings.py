"""What a diagnosis is made from, and what it consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls.metrics import Quality, Rejection
from edgecls_train.history import Epoch

Kind = Literal[
    "nothing-learned",
    "overfitting",
    "underfitting",
    "still-improving",
    "weak-class",
    "confused-pair",
    "little-data",
    "unbalanced",
    "small-test-set",
    "too-uncertain",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth knowing.

    Args:
        kind: For programs.
        summary: What was found, with figures, in one or two sentences.
        advice: What to try, the most promising first.
    """

    kind: Kind
    summary: str
    advice: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"kind": self.kind, "summary": self.summary, "advice": list(self.advice)}


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """What a diagnosis is made from.

    Args:
        labels: The classes.
        history: One entry an epoch; may be empty.
        train: Quality on training pictures without augmentation.
        val: On validation pictures.
        test: On test pictures.
        train_counts: (classes,), training pictures of each class.
        rejection: What thresholds leave of the test pictures.
        target_precision: What they were chosen for.
        is_reached: Whether they reach it on validation pictures.
    """

    labels: Labels
    history: Sequence[Epoch]
    train: Quality
    val: Quality
    test: Quality
    train_counts: npt.NDArray[np.int64]
    rejection: Rejection
    target_precision: float
    is_reached: bool
