"""How good a classifier is: the one set of measures for boards, training and conversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls.errors import ShapeError

Scores = npt.NDArray[np.floating[Any]]
Targets = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """One class: how many pictures, and precision, recall and F1 as shares of 1."""

    label: str
    images: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Measured quality over a set of pictures.

    Args:
        images: How many.
        top1: Share whose best label is right.
        top5: Share whose right label is among the five best.
        macro_f1: Mean F1 over the classes that have pictures.
        calibration_error: Expected difference between score and accuracy, over 15 bins.
        per_class: In the order of the labels.
        confusion: (true class, predicted class) counts.
    """

    images: int
    top1: float
    top5: float
    macro_f1: float
    calibration_error: float
    per_class: tuple[ClassQuality, ...]
    confusion: npt.NDArray[np.int64]

    @property
    def right(self) -> int:
        """How many pictures were answered rightly."""
        return int(self.confusion.trace())

    @property
    def macro_precision(self) -> float:
        """Mean precision over the classes that have pictures."""
        return _mean([quality.precision for quality in self.per_class if quality.images])

    @property
    def macro_recall(self) -> float:
        """Mean recall over the classes that have pictures: the balanced accuracy."""
        return _mean([quality.recall for quality in self.per_class if quality.images])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, shares of 1 rounded to six digits."""
        return {
            "images": self.images,
            "top1": round(self.top1, 6),
            "top5": round(self.top5, 6),
            "macro_precision": round(self.macro_precision, 6),
            "macro_recall": round(self.macro_recall, 6),
            "macro_f1": round(self.macro_f1, 6),
            "calibration_error": round(self.calibration_error, 6),
            "per_class": [
                {
                    "label": quality.label,
                    "images": quality.images,
                    "precision": round(quality.precision, 6),
                    "recall": round(quality.recall, 6),
                    "f1": round(quality.f1, 6),
                }
                for quality in self.per_class
            ],
            "confusion": self.confusion.tolist(),
        }


def measure(scores: Scores, targets: Targets, labels: Labels) -> Quality:
    """Compare scores with the truth.

    Args:
        scores: (N, classes), 0 to 1; N at least 1.
        targets: (N,), class indices.
        labels: Names of the classes.

    Raises:
        ShapeError: The three do not fit.
    """
    if scores.ndim != 2 or scores.shape != (len(targets), len(labels)) or not len(targets):
        raise ShapeError(
            f"scores of shape {scores.shape} do not fit {len(targets)} targets"
            f" and {len(labels)} labels"
        )
    if targets.min() < 0 or targets.max() >= len(labels):
        raise ShapeError(
            f"targets from {targets.min()} to {targets.max()} do not fit {len(labels)} labels"
        )
    predicted = scores.argmax(axis=1)
    confusion = count_confusion(targets, predicted, len(labels))
    per_class = tuple(_class_quality(labels[i], i, confusion) for i in range(len(labels)))
    return Quality(
        images=len(targets),
        top1=float(np.mean(predicted == targets)),
        top5=top_k_accuracy(scores, targets, 5),
        macro_f1=_mean([quality.f1 for quality in per_class if quality.images]),
        calibration_error=calibration_error(scores, targets),
        per_class=per_class,
        confusion=confusion,
    )


def count_confusion(targets: Targets, predicted: Targets, classes: int) -> npt.NDArray[np.int64]:
    """(classes, classes) counts: row is the truth, column the answer."""
    pairs = targets.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def top_k_accuracy(scores: Scores, targets: Targets, k: int) -> float:
    """Share of pictures whose right label is among the `k` best (1.0 when there are fewer)."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float(np.mean((best == targets[:, None]).any(axis=1)))


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """The pictures whose best score lies in one range.

    Args:
        images: How many.
        score: The mean of their best scores, 0 to 1.
        accuracy: The share of them that is right.
    """

    images: int
    score: float
    accuracy: float


def bin_scores(scores: Scores, targets: Targets, bins: int = 15) -> tuple[ScoreBin, ...]:
    """Group pictures by their best score, in equal ranges from 0 to 1; empty ones are left out.

    Args:
        scores: (N, classes), 0 to 1.
        targets: (N,), class indices.
        bins: Number of ranges.

    Source:
        The reliability diagram of Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    confidence = scores.max(axis=1)
    right = scores.argmax(axis=1) == targets
    edges = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(edges, minlength=bins)
    hits = np.bincount(edges, weights=right, minlength=bins)
    totals = np.bincount(edges, weights=confidence, minlength=bins)
    return tuple(
        ScoreBin(int(count), float(total / count), float(hit / count))
        for count, total, hit in zip(counts, totals, hits, strict=True)
        if count
    )


def calibration_error(scores: Scores, targets: Targets, bins: int = 15) -> float:
    """Expected calibration error: mean gap between the best score and being right.

    Source:
        Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3.
    """
    found = bin_scores(scores, targets, bins)
    gaps = sum(entry.images * abs(entry.accuracy - entry.score) for entry in found)
    return float(gaps / len(targets))


@dataclass(frozen=True, slots=True)
class Rejection:
    """What remains of a set of pictures when uncertain answers become "unknown".

    Args:
        images: All pictures.
        answered: Those that got a label.
        right: Those that got the right one.
    """

    images: int
    answered: int
    right: int

    @property
    def coverage(self) -> float:
        """Share of the pictures that got a label."""
        return self.answered / self.images if self.images else 0.0

    @property
    def precision(self) -> float:
        """Share of the labels that are right; 1.0 where none was given."""
        return self.right / self.answered if self.answered else 1.0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, with 95% confidence intervals."""
        return {
            "images": self.images,
            "answered": self.answered,
            "right": self.right,
            "coverage": round(self.coverage, 6),
            "coverage_interval": _rounded(wilson_interval(self.answered, self.images)),
            "precision": round(self.precision, 6),
            "precision_interval": _rounded(wilson_interval(self.right, self.answered)),
        }


def measure_rejection(
    scores: Scores, targets: Targets, thresholds: npt.NDArray[np.floating[Any]]
) -> Rejection:
    """Count what is answered, and rightly, when each class must reach its threshold.

    Args:
        scores: (N, classes), 0 to 1.
        targets: (N,), class indices.
        thresholds: (classes,), 0 to 1.
    """
    predicted = scores.argmax(axis=1)
    is_sure = scores.max(axis=1) >= thresholds[predicted]
    return Rejection(
        images=len(targets),
        answered=int(is_sure.sum()),
        right=int((is_sure & (predicted == targets)).sum()),
    )


def wilson_interval(successes: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Confidence interval (95% for z = 1.96) of a share, sound for small numbers.

    Source:
        Wilson 1927, JASA 22(158):209-212.
    """
    if total <= 0:
        return 0.0, 1.0
    share = successes / total
    center = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total**2))
    return max(0.0, float(center - half)), min(1.0, float(center + half))


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(share, 6) for share in interval]


def _class_quality(label: str, index: int, confusion: npt.NDArray[np.int64]) -> ClassQuality:
    hits = int(confusion[index, index])
    images = int(confusion[index].sum())
    answered = int(confusion[:, index].sum())
    return ClassQuality(
        label,
        images,
        precision=hits / answered if answered else 0.0,
        recall=hits / images if images else 0.0,
        f1=2 * hits / (images + answered) if images + answered else 0.0,
    )
