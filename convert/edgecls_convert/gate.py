"""The gate: how much a converted model may lose, and what is said when it lost more."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.errors import AccuracyLossError, InvalidValueError
from edgecls.metrics import wilson_interval
from edgecls.paired import chance_of_loss
from edgecls_convert.parity import ClassChange, Comparison

MAX_DROP_POINTS: Final = 1.0
MAX_CLASS_DROP_POINTS: Final = 5.0
# Sound int8 forms agree on 95 to 100 of 100 pictures, those of hard tasks on some 85. Below this
# the converted model is another one, however right either of them is.
MIN_AGREEMENT_PERCENT: Final = 75.0
_CHANCE: Final = 0.05
# A label that gets a fifth of all answers more than it has pictures is where a model falls to.
_COLLAPSE: Final = 0.2
# A loss of exactly what is allowed passes, whatever the rounding of the division says.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a converted model may lose on held-out pictures, in percentage points.

    Args:
        max_drop: Of top-1. Negative: it must gain.
        max_class_drop: Of the recall of any class. A larger loss counts only where chance does not
            explain it, so that small classes do not trip over a picture or two.
        min_agreement: Least share of the pictures, in percent, to which both forms give the same
            answer. It counts where the 95% interval is below it, so that a few pictures do not
            decide. Two models that guess may be right equally often and have nothing in common.

    Raises:
        InvalidValueError: Not a number that a loss can be compared with.
    """

    max_drop: float = MAX_DROP_POINTS
    max_class_drop: float = MAX_CLASS_DROP_POINTS
    min_agreement: float = MIN_AGREEMENT_PERCENT

    def __post_init__(self) -> None:
        if not (math.isfinite(self.max_drop) and -100.0 <= self.max_drop <= 100.0):
            raise InvalidValueError(
                f"--max-drop {self.max_drop!r} is not in -100 to 100 percentage points",
                hint="1.0 lets int8 be right on one picture in a hundred fewer than float",
            )
        if not (math.isfinite(self.max_class_drop) and 0.0 <= self.max_class_drop <= 100.0):
            raise InvalidValueError(
                f"--max-class-drop {self.max_class_drop!r} is not in 0 to 100 percentage points",
                hint="5.0 lets int8 recognise one in twenty pictures of a class fewer than float",
            )
        if not (math.isfinite(self.min_agreement) and 0.0 <= self.min_agreement <= 100.0):
            raise InvalidValueError(
                f"--min-agreement {self.min_agreement!r} is not in 0 to 100 percent",
                hint="75 wants the same answer to three of four pictures",
            )


def passes(comparison: Comparison, tolerance: Tolerance) -> bool:
    """Whether a converted model lost no more than allowed."""
    return not (
        loses_too_much(comparison, tolerance)
        or disagrees(comparison, tolerance)
        or lost_classes(comparison, tolerance)
    )


def loses_too_much(comparison: Comparison, tolerance: Tolerance) -> bool:
    """Whether top-1 fell further than allowed."""
    return 100 * comparison.drop > tolerance.max_drop + _ROUNDING


def disagrees(comparison: Comparison, tolerance: Tolerance) -> bool:
    """Whether both forms answer too many pictures differently, beyond what chance explains."""
    images = comparison.in_float.images
    most = wilson_interval(round(comparison.agreement * images), images)[1]
    return 100 * most < tolerance.min_agreement - _ROUNDING


def lost_classes(comparison: Comparison, tolerance: Tolerance) -> list[ClassChange]:
    """Classes that lost more recall than allowed, and more than chance explains, worst first.

    Both forms saw the same pictures, so only those count of which one form was right and the other
    wrong. If int8 were as good as float, each of these would be a loss or a gain with the same
    probability (McNemar's exact test, one-sided, 5%). With many classes some would seem to lose by
    chance, so the 5% are shared among those classes in which enough pictures changed for any
    result to be significant.

    Source:
        McNemar 1947, Psychometrika 12:153; Tarone 1990, Biometrics 46:515.
    """
    changed = [change.lost + change.gained for change in comparison.changes]
    sharing = 1
    while sum(0.5**count <= _CHANCE / sharing for count in changed) > sharing:
        sharing += 1
    lost = [
        change
        for change in comparison.changes
        if 100 * change.drop > tolerance.max_class_drop + _ROUNDING
        and chance_of_loss(change.lost, change.gained) <= _CHANCE / sharing
    ]
    return sorted(lost, key=lambda change: -change.drop)


def refuse_loss(
    comparison: Comparison,
    tolerance: Tolerance,
    *,
    layers: Sequence[str] = (),
    causes: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    page: Path | None = None,
) -> None:
    """Let no model pass that lost more than allowed.

    Args:
        comparison: Of both forms.
        tolerance: What may be lost.
        layers: What the worst layers do, in words.
        causes: What is known to be wrong, in words.
        outcomes: What each remedy gained, in words; empty where none was tried.
        page: Where more is shown; None where it is not.

    Raises:
        AccuracyLossError: With both figures, the class that lost most, the layers, and what to
            try.
    """
    if passes(comparison, tolerance):
        return
    found = [_describe_loss(comparison, tolerance), *describe_collapse(comparison), *causes]
    if layers:
        found.append(f"most is lost in {'; in '.join(layers)}")
    if outcomes:
        found.append(f"remedies were not enough ({'; '.join(outcomes)})")
    shown = f"; layers and classes are drawn in {page}" if page else ""
    raise AccuracyLossError(
        f"{'; '.join(found)}; no model was written",
        hint=_advise(comparison, tolerance, is_remedied=bool(outcomes)) + shown,
    )


def describe_collapse(comparison: Comparison) -> Iterator[str]:
    """Say it where a converted model answers one label to all kinds of pictures."""
    confusion = comparison.in_int8.confusion
    answered = confusion.sum(axis=0) / comparison.in_int8.images
    before = comparison.in_float.confusion.sum(axis=0) / comparison.in_float.images
    share = confusion.sum(axis=1) / comparison.in_int8.images
    for index, change in enumerate(comparison.changes):
        if answered[index] > max(before[index], share[index]) + _COLLAPSE:
            yield (
                f"it answers {change.label!r} to {answered[index]:.0%} of the pictures, and only"
                f" {share[index]:.0%} are {change.label!r}"
            )
    silent = [
        repr(change.label)
        for index, change in enumerate(comparison.changes)
        if change.images and before[index] and not answered[index]
    ]
    if silent:
        more = f" and {len(silent) - 3} others" if len(silent) > 3 else ""
        yield f"it never answers {', '.join(silent[:3])}{more} any more"


def _describe_loss(comparison: Comparison, tolerance: Tolerance) -> str:
    before, after = comparison.in_float, comparison.in_int8
    figures = (
        f"the {comparison.form} model is right on {after.top1:.1%} of {after.images} held-out"
        f" pictures, the float model on {before.top1:.1%}"
    )
    if loses_too_much(comparison, tolerance):
        figures += (
            f": {100 * comparison.drop:.1f} points less, at most {tolerance.max_drop:g} are allowed"
        )
        worst = comparison.worst_class
        return f"{figures}; {worst.label!r} lost most: {worst.describe()}" if worst else figures
    if disagrees(comparison, tolerance):
        return (
            f"{figures}, but both give the same answer to only {comparison.agreement:.1%} of them,"
            f" at least {tolerance.min_agreement:g}% are wanted"
        )
    lost = lost_classes(comparison, tolerance)
    named = ", ".join(f"{change.label!r} ({change.describe()})" for change in lost[:3])
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    return (
        f"{figures}, but {len(lost)} of its classes lost more than the"
        f" {tolerance.max_class_drop:g} points that are allowed: {named}{more}"
    )


def _advise(comparison: Comparison, tolerance: Tolerance, *, is_remedied: bool) -> str:
    tries = ["more calibration pictures (--calibration 1000)"]
    if not is_remedied:
        tries.insert(0, "its remedies (--remedy)")
    if comparison.form == "per-tensor":
        tries.append("one scale a channel (--form int8)")
    tries.append("longer training or another backbone")
    lost = sum(change.lost for change in comparison.changes)
    gained = sum(change.gained for change in comparison.changes)
    chance = chance_of_loss(lost, gained)
    doubt = (
        f"; on so few pictures this may be chance ({chance:.0%}), hold out more"
        if loses_too_much(comparison, tolerance) and chance > _CHANCE
        else ""
    )
    return (
        f"try {', '.join(tries)}; or allow the loss:"
        f" {' '.join(_allow(comparison, tolerance))}{doubt}"
    )


def _allow(comparison: Comparison, tolerance: Tolerance) -> Iterator[str]:
    """The options with which this very loss would pass."""
    if loses_too_much(comparison, tolerance):
        yield f"--max-drop {math.ceil(100 * comparison.drop)}"
    if disagrees(comparison, tolerance):
        yield f"--min-agreement {math.floor(100 * comparison.agreement)}"
    if lost := lost_classes(comparison, tolerance):
        yield f"--max-class-drop {math.ceil(100 * lost[0].drop)}"
