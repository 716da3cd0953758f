"""What a remedy proposes, and how it is judged."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

from edgecls.classifier import Classifier
from edgecls.contract.run import Subset
from edgecls_convert.calibration import CalibrationSet
from edgecls_convert.forms import Target
from edgecls_convert.parity import Comparison
from edgecls_convert.remedies.graph import Graph
from edgecls_convert.subsets import RunPictures, choose_stratified

# Enough to tell a point from luck, few enough for a minute.
MOST_JUDGED: Final = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """What a remedy proposes to convert.

    Args:
        network: Keras, batch of one.
        calibration: For its ranges.
        target: The form.
        graph: The network as a graph without normalisations, where the remedy made one.
    """

    network: Any
    calibration: CalibrationSet
    target: Target
    graph: Graph | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A candidate on an engine, and how good it is on the pictures that remedies are judged on."""

    candidate: Candidate
    classifier: Classifier
    comparison: Comparison

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: top-1 first, then agreement with float."""
        return -self.comparison.drop, self.comparison.agreement


def pictures_to_judge_on(pictures: RunPictures, seed: int) -> tuple[RunPictures, Subset]:
    """The validation pictures, not too many of them; the held-out ones where there are none."""
    subset: Subset = "val" if pictures.subsets["val"] else "test"
    chosen = tuple(choose_stratified(pictures.subsets[subset], MOST_JUDGED, seed))
    return dataclasses.replace(pictures, subsets={**pictures.subsets, subset: chosen}), subset
