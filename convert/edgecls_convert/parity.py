"""Float against a converted form, measured on held-out pictures with the board's own engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecls.classifier import Classifier
from edgecls.console import Advance
from edgecls.contract.labels import Labels
from edgecls.contract.run import Subset
from edgecls.metrics import Quality, Scores, Targets, measure, wilson_interval
from edgecls_convert.subsets import RunPictures


@dataclass(frozen=True, slots=True)
class ClassChange:
    """What happened to the pictures of one class.

    Args:
        label: Of the class.
        images: Held-out pictures of it.
        before: How many float is right on.
        lost: How many of these the converted form is wrong on.
        gained: How many float is wrong on and the converted form right.
    """

    label: str
    images: int
    before: int
    lost: int
    gained: int

    @property
    def after(self) -> int:
        """How many the converted form is right on."""
        return self.before - self.lost + self.gained

    @property
    def drop(self) -> float:
        """Recall lost, as a share of 1; negative where it gained."""
        return (self.lost - self.gained) / self.images if self.images else 0.0

    def describe(self) -> str:
        """`80.0% of its 100 pictures, now 55.0%`."""
        return (
            f"{self.before / self.images:.1%} of its {self.images} pictures,"
            f" now {self.after / self.images:.1%}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Both forms over the same held-out pictures.

    Args:
        in_float: Quality of the float model.
        in_int8: Quality of the converted one.
        agreement: Share of the pictures to which both give the same best label.
        changes: By class, in the order of the labels.
        form: Name of the converted form, under which its quality is reported.
        scores: Of the converted form, (N, classes), as measured; None where they were not kept.
        float_scores: The same of the float form.
    """

    in_float: Quality
    in_int8: Quality
    agreement: float
    changes: tuple[ClassChange, ...]
    form: str = "int8"
    scores: Scores | None = None
    float_scores: Scores | None = None

    @property
    def drop(self) -> float:
        """Top-1 that the converted form lost, as a share of 1; negative where it gained."""
        return (self.in_float.right - self.in_int8.right) / self.in_float.images

    @property
    def worst_class(self) -> ClassChange | None:
        """The class that lost the largest share of its pictures; None where none lost any."""
        worst = max(self.changes, key=lambda change: change.drop)
        return worst if worst.drop > 0 else None

    def to_metrics(self) -> dict[str, Any]:
        """As the card holds it: shares of 1; without confusion, which grows with classes squared.

        Returns:
            `{"float", FORM, "agreement", "drop"}`; FORM is `int8` unless another was made.
        """
        return {
            "float": _without_confusion(self.in_float),
            self.form: _without_confusion(self.in_int8),
            "agreement": round(self.agreement, 6),
            "drop": round(self.drop, 6),
        }

    def to_json(self) -> dict[str, Any]:
        """The same with 95% confidence intervals, and what each class lost and gained."""
        found = self.to_metrics()
        for form, quality in (("float", self.in_float), (self.form, self.in_int8)):
            found[form]["top1_interval"] = _rounded(top1_interval(quality))
            hits = quality.confusion.diagonal()
            for entry, right in zip(found[form]["per_class"], hits, strict=True):
                interval = wilson_interval(int(right), entry["images"])
                entry["recall_interval"] = _rounded(interval)
        for entry, change in zip(found[self.form]["per_class"], self.changes, strict=True):
            entry.update(lost=change.lost, gained=change.gained)
        return found


def compare(
    float_model: Classifier,
    int8_model: Classifier,
    pictures: RunPictures,
    advance: Advance,
    form: str = "int8",
) -> Comparison:
    """Run both over every test picture; each picture is prepared once, for both.

    Args:
        float_model: The float form on the board's engine.
        int8_model: The converted form on the same engine.
        pictures: Of the run.
        advance: Told after each picture.
        form: Name of the converted form.

    Raises:
        DatasetError: A picture cannot be read any more.
        EngineError: An engine failed.
    """
    scores = score_pictures((float_model, int8_model), pictures, "test", advance)
    targets = targets_of(pictures, "test")
    return compare_scores(scores[0], scores[1], targets, pictures.card.labels, form)


def score_pictures(
    classifiers: Sequence[Classifier], pictures: RunPictures, subset: Subset, advance: Advance
) -> npt.NDArray[np.float32]:
    """Scores of several models for all pictures of a subset.

    Args:
        classifiers: On the board's engine.
        pictures: Of the run.
        subset: Which of them.
        advance: Told after each picture.

    Returns:
        (models, N, classes), 0 to 1.
    """
    examples = pictures.subsets[subset]
    scores = np.empty((len(classifiers), len(examples), len(pictures.card.labels)), np.float32)
    for number, example in enumerate(examples):
        image = pictures.load_image(example)
        for form, classifier in enumerate(classifiers):
            scores[form, number] = classifier.to_scores(classifier.run_image(image))
        advance(number + 1)
    return scores


def targets_of(pictures: RunPictures, subset: Subset) -> npt.NDArray[np.int64]:
    """(N,), the class of each picture of a subset."""
    return np.array([example.target for example in pictures.subsets[subset]], np.int64)


def compare_scores(
    in_float: Scores, converted: Scores, targets: Targets, labels: Labels, form: str = "int8"
) -> Comparison:
    """Compare what two forms gave for the same pictures.

    Args:
        in_float: (N, classes), 0 to 1.
        converted: The same shape.
        targets: (N,), class indices.
        labels: Names of the classes.
        form: Name of the converted form.
    """
    best = in_float.argmax(axis=1), converted.argmax(axis=1)
    was_right, is_right = best[0] == targets, best[1] == targets

    def count(of: npt.NDArray[np.bool_]) -> list[int]:
        counts: list[int] = np.bincount(targets[of], minlength=len(labels)).tolist()
        return counts

    images, before = count(np.ones(len(targets), np.bool_)), count(was_right)
    changes = zip(
        labels,
        images,
        before,
        count(was_right & ~is_right),
        count(~was_right & is_right),
        strict=True,
    )
    return Comparison(
        in_float=measure(in_float, targets, labels),
        in_int8=measure(converted, targets, labels),
        agreement=np.mean(best[0] == best[1]).item(),
        changes=tuple(ClassChange(*change) for change in changes),
        form=form,
        scores=converted,
        float_scores=in_float,
    )


def top1_interval(quality: Quality) -> tuple[float, float]:
    """95% confidence interval of top-1, as shares of 1."""
    return wilson_interval(quality.right, quality.images)


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(share, 6) for share in interval]


def _without_confusion(quality: Quality) -> dict[str, Any]:
    return {name: value for name, value in quality.to_json().items() if name != "confusion"}
