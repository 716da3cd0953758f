"""A training that came to its end: what the run folder and the report are written from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecls.metrics import Quality
from edgecls_train.dataset import Dataset
from edgecls_train.diagnose import diagnose
from edgecls_train.evaluate import Evaluation
from edgecls_train.findings import Figures, Finding
from edgecls_train.history import Epoch
from edgecls_train.learning_curve import LearningCurve
from edgecls_train.recipe import Recipe
from edgecls_train.split import Split


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A training that came to its end.

    Args:
        model: The Keras model.
        recipe: As resolved: the file and the flags.
        dataset: All pictures.
        split: What each was used for.
        history: One entry an epoch.
        evaluation: What the model is worth.
        seconds: From the first picture read to the last one scored.
        learning_curve: Accuracy over the number of pictures, where it was asked for.
        changes: What the recipe was changed in on the way, in words.
    """

    model: Any
    recipe: Recipe
    dataset: Dataset
    split: Split
    history: tuple[Epoch, ...]
    evaluation: Evaluation
    seconds: float
    learning_curve: LearningCurve | None = None
    changes: tuple[str, ...] = ()

    @property
    def val(self) -> Quality:
        """Quality on the validation pictures."""
        return self.evaluation.val.quality

    @property
    def test(self) -> Quality:
        """Quality on the test pictures."""
        return self.evaluation.test.quality

    def diagnose(self) -> tuple[Finding, ...]:
        """What the figures mean, in words."""
        labels = self.dataset.labels
        train_targets = self.dataset.targets[self.split.train]
        return diagnose(
            Figures(
                labels=labels,
                history=self.history,
                train=self.evaluation.train.quality,
                val=self.val,
                test=self.test,
                train_counts=np.bincount(train_targets, minlength=len(labels)),
                rejection=self.evaluation.certainty.rejection,
                target_precision=self.evaluation.calibration.target_precision,
                is_reached=self.evaluation.calibration.is_reached,
            )
        )
