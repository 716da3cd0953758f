"""Float against int8, measured on held-out pictures with the board's own engine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecls.classifier import Classifier
from edgecls.console import Advance
from edgecls.errors import AccuracyLossError, InvalidValueError
from edgecls.metrics import Quality, measure, wilson_interval
from edgecls_convert.subsets import RunPictures


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Both forms over the same held-out pictures.

    Args:
        in_float: Quality of the float model.
        in_int8: Quality of the converted one.
        agreement: Share of the pictures to which both give the same best label.
    """

    in_float: Quality
    in_int8: Quality
    agreement: float

    @property
    def drop(self) -> float:
        """Top-1 that int8 lost, as a share of 1; negative where it gained."""
        return (right_answers(self.in_float) - right_answers(self.in_int8)) / self.in_float.images

    def to_metrics(self) -> dict[str, Any]:
        """As the card holds it: shares of 1; without confusion, which grows with classes squared.

        Returns:
            `{"float", "int8", "agreement", "drop"}`.
        """
        return {
            "float": _without_confusion(self.in_float),
            "int8": _without_confusion(self.in_int8),
            "agreement": round(self.agreement, 6),
            "drop": round(self.drop, 6),
        }


def compare(
    float_model: Classifier, int8_model: Classifier, pictures: RunPictures, advance: Advance
) -> Comparison:
    """Run both over every test picture; each picture is prepared once, for both.

    Args:
        float_model: The float form on the board's engine.
        int8_model: The int8 form on the same engine.
        pictures: Of the run.
        advance: Told after each picture.

    Raises:
        DatasetError: A picture cannot be read any more.
        EngineError: An engine failed.
    """
    held_out = pictures.subsets["test"]
    labels = pictures.card.labels
    scores = np.empty((2, len(held_out), len(labels)), np.float32)
    for number, example in enumerate(held_out):
        image = pictures.load_image(example)
        for form, classifier in enumerate((float_model, int8_model)):
            scores[form, number] = classifier.to_scores(classifier.run_image(image))
        advance(number + 1)
    targets = np.array([example.target for example in held_out], np.int64)
    best = scores.argmax(axis=2)
    return Comparison(
        in_float=measure(scores[0], targets, labels),
        in_int8=measure(scores[1], targets, labels),
        agreement=np.mean(best[0] == best[1]).item(),
    )


def check_max_drop(max_drop: float) -> None:
    """Refuse a tolerance that no loss can be compared with.

    Raises:
        InvalidValueError: It is not a number of percentage points in -100 to 100.
    """
    if not (math.isfinite(max_drop) and -100.0 <= max_drop <= 100.0):
        raise InvalidValueError(
            f"--max-drop {max_drop!r} is not in -100 to 100 percentage points",
            hint="1.0 lets int8 be right on one picture in a hundred fewer than float",
        )


def refuse_loss(comparison: Comparison, max_drop: float) -> None:
    """Let no model pass that lost more than allowed.

    Args:
        comparison: Of both forms.
        max_drop: Percentage points of top-1.

    Raises:
        AccuracyLossError: With both figures, the class that lost most, and what to try.
    """
    # A loss of exactly `max_drop` passes, whatever the rounding of the division says.
    if 100 * comparison.drop <= max_drop + 1e-9:
        return
    before, after = comparison.in_float, comparison.in_int8
    raise AccuracyLossError(
        f"the int8 model is right on {after.top1:.1%} of {after.images} held-out pictures,"
        f" the float model on {before.top1:.1%}: {100 * comparison.drop:.1f} points less,"
        f" at most {max_drop:g} are allowed{_worst_class(comparison)}; no model was written",
        hint="try more calibration pictures (--calibration 1000), train longer or with another"
        f" backbone; or allow the loss: --max-drop {math.ceil(100 * comparison.drop)}",
    )


def right_answers(quality: Quality) -> int:
    """Number of pictures whose best label is right."""
    return int(np.trace(quality.confusion))


def top1_interval(quality: Quality) -> tuple[float, float]:
    """95% confidence interval of top-1, as shares of 1."""
    return wilson_interval(right_answers(quality), quality.images)


def _worst_class(comparison: Comparison) -> str:
    pairs = zip(comparison.in_float.per_class, comparison.in_int8.per_class, strict=True)
    before, after = max(pairs, key=lambda pair: pair[0].recall - pair[1].recall)
    if before.recall <= after.recall:
        return ""
    return (
        f"; {before.label!r} lost most: {before.recall:.1%} of its pictures, now {after.recall:.1%}"
    )


def _without_confusion(quality: Quality) -> dict[str, Any]:
    return {name: value for name, value in quality.to_json().items() if name != "confusion"}
