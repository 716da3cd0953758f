"""Would more pictures help? The same training with a quarter and a half of them tells."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecls.console import ShowProgress
from edgecls.metrics import wilson_interval
from edgecls_train.dataset import Dataset
from edgecls_train.fit import predict
from edgecls_train.progress import no_progress
from edgecls_train.recipe import Recipe
from edgecls_train.split import Positions, Split

SHARES: Final = (0.25, 0.5)
# Expected gain, in shares of 1, from which collecting twice as many pictures is worth the work.
_WORTH_IT: Final = 0.005


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One training.

    Args:
        share: Of the training pictures that it had.
        pictures: How many those are.
        measured: Pictures that it was measured on.
        right: How many of these it got right.
    """

    share: float
    pictures: int
    measured: int
    right: int

    @property
    def accuracy(self) -> float:
        """Share of the measured pictures that is right."""
        return self.right / self.measured

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        low, high = wilson_interval(self.right, self.measured)
        return {
            "share": self.share,
            "pictures": self.pictures,
            "top1": round(self.accuracy, 6),
            "top1_interval": [round(low, 6), round(high, 6)],
        }


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Accuracy over the number of training pictures; the last two points are half and all."""

    points: tuple[CurvePoint, ...]

    @property
    def expected_gain(self) -> float:
        """Accuracy that twice the pictures would add, if the error goes on falling as it did.

        Source:
            Errors fall as a power of the number of pictures: Hestness et al. 2017, "Deep Learning
            Scaling is Predictable, Empirically" (arXiv:1712.00409).
        """
        half, full = (1.0 - point.accuracy for point in self.points[-2:])
        return full * (1.0 - full / half) if half > 0.0 else 0.0

    @property
    def verdict(self) -> str:
        """Whether more pictures would help, in a sentence or two."""
        half, full = self.points[-2:]
        gained = full.accuracy - half.accuracy
        doubt = _standard_error(half, full)
        seen = (
            f"From {half.pictures:,} to {full.pictures:,} training pictures the accuracy went from"
            f" {half.accuracy:.1%} to {full.accuracy:.1%}"
        )
        if gained > doubt and self.expected_gain >= _WORTH_IT:
            return (
                f"{seen}: more pictures would help. Twice as many may bring about"
                f" {100 * self.expected_gain:.1f} points more."
            )
        if gained + doubt < 2 * _WORTH_IT or self.expected_gain + doubt < _WORTH_IT:
            return (
                f"{seen}: more pictures of the same kind would not help much. Look at its mistakes,"
                " or take a larger network."
            )
        return (
            f"{seen}: whether more pictures would help cannot be said from"
            f" {full.measured:,} measured ones, which leave {100 * 2 * doubt:.1f} points either way"
            " open."
        )

    def to_json(self) -> dict[str, Any]:
        """As `metrics.json` holds it."""
        return {
            "points": [point.to_json() for point in self.points],
            "expected_gain": round(self.expected_gain, 6),
            "verdict": self.verdict,
        }


def measure_learning_curve(
    model: Any,
    dataset: Dataset,
    split: Split,
    recipe: Recipe,
    fit: Callable[[Dataset, Split, Recipe], Any],
    *,
    known: Sequence[CurvePoint] = (),
    keep: Callable[[Sequence[CurvePoint]], None] = lambda _: None,
    progress: ShowProgress = no_progress,
) -> LearningCurve:
    """Train again on a quarter and on half of the training pictures.

    The small trainings take as many steps as the whole one, so that only the pictures differ; the
    smaller sets are parts of the larger. All are measured on the validation and test pictures
    together, which none was trained on; nothing is chosen by it.

    Args:
        model: Trained on all training pictures.
        dataset: The pictures.
        split: Who is who.
        recipe: What `model` was trained with.
        fit: Trains a network; `edgecls_train.fit.fit` without its history.
        known: Points that were measured before, by the same recipe: the first of `SHARES`.
        keep: Takes the points so far after each training, which may be as long as the whole one.
        progress: Shows how many trainings are done.
    """
    points = list(known)
    with progress("learning curve", len(SHARES)) as advance:
        for number, share in enumerate(SHARES, start=1):
            if number <= len(points):
                continue
            part = dataclasses.replace(split, train=draw_share(dataset, split, share, recipe.seed))
            longer = dataclasses.replace(recipe, epochs=round(recipe.epochs / share))
            trained = fit(dataset, part, longer)
            points.append(_measure(trained, dataset, part, share))
            keep(points)
            advance(number, f"{len(part.train)} pictures: {points[-1].accuracy:.1%}")
    points.append(_measure(model, dataset, split, 1.0))
    return LearningCurve(tuple(points))


def draw_share(dataset: Dataset, split: Split, share: float, seed: int) -> Positions:
    """A share of every class of the training pictures, at least one; more holds all of less."""
    random = np.random.default_rng(seed)
    targets = dataset.targets[split.train]
    drawn: list[Positions] = []
    for target in np.unique(targets):
        members = random.permutation(split.train[targets == target])
        drawn.append(members[: max(1, round(len(members) * share))])
    return np.sort(np.concatenate(drawn))


def _measure(model: Any, dataset: Dataset, split: Split, share: float) -> CurvePoint:
    unseen = np.concatenate([split.val, split.test])
    right = predict(model, dataset, unseen).argmax(axis=1) == dataset.targets[unseen]
    return CurvePoint(share, len(split.train), len(unseen), int(right.sum()))


def _standard_error(*points: CurvePoint) -> float:
    variances: Sequence[float] = [
        point.accuracy * (1.0 - point.accuracy) / point.measured for point in points
    ]
    return float(np.sqrt(sum(variances)))
