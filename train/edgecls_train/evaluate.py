"""How good a trained network is: measured on pictures that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.calibration import Calibration, Certainty, calibrate, measure_certainty
from edgecls.contract.labels import Labels
from edgecls.metrics import Quality, ScoreBin, bin_scores, measure
from edgecls.tempering import temper
from edgecls_train.dataset import Dataset
from edgecls_train.fit import predict
from edgecls_train.split import Positions, Split

# Enough to tell 5 points of overfitting from luck; more would cost slow networks minutes.
_TRAIN_SAMPLE: Final = 500


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Scores of some pictures, as a board would give them, and how good they are.

    Args:
        positions: In the data set.
        targets: (N,), class indices.
        scores: float32 (N, classes), after the temperature.
        quality: Of `scores`.
        bins: Score against accuracy, for the reliability diagram.
    """

    positions: Positions
    targets: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    quality: Quality
    bins: tuple[ScoreBin, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything that is measured once a training has ended.

    Args:
        train: On up to 500 training pictures, unchanged by augmentation: what was learned by heart.
        val: On the validation pictures, on which calibration is chosen.
        test: On pictures that nothing was chosen on.
        calibration: The decision for the card.
        certainty: What that decision does for the test pictures.
    """

    train: Measured
    val: Measured
    test: Measured
    calibration: Calibration
    certainty: Certainty

    def calibration_json(self) -> dict[str, Any]:
        """As `metrics.json` holds it."""
        output = self.calibration.output
        return {
            "temperature": output.temperature,
            "target_precision": self.calibration.target_precision,
            "reached": self.calibration.is_reached,
            "reject_threshold": output.reject_threshold,
            "class_thresholds": dict(output.class_thresholds),
            "val": self.calibration.val.to_json(),
            "test": self.certainty.to_json(),
        }


def evaluate_model(model: Any, dataset: Dataset, split: Split, seed: int = 0) -> Evaluation:
    """Score the pictures, choose temperature and thresholds, and measure what they are worth.

    Args:
        model: Keras network that gives scores.
        dataset: The pictures.
        split: Who is who.
        seed: Of the choice of training pictures.
    """
    labels = dataset.labels
    val_scores = predict(model, dataset, split.val)
    calibration = calibrate(val_scores, dataset.targets[split.val], labels)
    temperature = calibration.output.temperature
    test_scores = predict(model, dataset, split.test)
    sample = _sample(split.train, seed)

    def measured(positions: Positions, scores: npt.NDArray[np.float32]) -> Measured:
        return _measure(positions, dataset.targets[positions], scores, labels, temperature)

    return Evaluation(
        train=measured(sample, predict(model, dataset, sample)),
        val=measured(split.val, val_scores),
        test=measured(split.test, test_scores),
        calibration=calibration,
        certainty=measure_certainty(
            test_scores, dataset.targets[split.test], labels, calibration.output
        ),
    )


def _measure(
    positions: Positions,
    targets: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    labels: Labels,
    temperature: float,
) -> Measured:
    tempered = temper(scores, temperature).astype(np.float32)
    quality = measure(tempered, targets, labels)
    return Measured(positions, targets, tempered, quality, bin_scores(tempered, targets))


def _sample(positions: Positions, seed: int) -> Positions:
    random = np.random.default_rng((seed, len(positions)))
    return np.sort(random.permutation(positions)[:_TRAIN_SAMPLE])
