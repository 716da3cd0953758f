"""What the figures of a training mean, in words, and what to try next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from edgecls.metrics import Quality, wilson_interval
from edgecls_train.findings import Figures, Finding
from edgecls_train.history import Epoch

# Below these nobody should be alarmed: they are the usual play between pictures.
_GAP: Final = 0.05
_LOW_TRAIN_ACCURACY: Final = 0.80
_LOSS_FALL: Final = 0.10
_GOOD_ENOUGH: Final = 0.98
_WEAK_BY: Final = 0.05
_PAIR_SHARE: Final = 0.08
_PAIR_COUNT: Final = 3
_FEW_PICTURES: Final = 20
_SOME_PICTURES: Final = 100
_UNBALANCED: Final = 3.0
_WIDE_INTERVAL: Final = 0.10
_NAMED: Final = 3
# Among many classes the weakest is always far below the mean, by chance alone.
_MANY_CLASSES: Final = 20
_CLASS_Z, _MANY_CLASSES_Z = 1.96, 2.58


def diagnose(figures: Figures) -> tuple[Finding, ...]:
    """Findings, the most important first; none for a healthy training."""
    if finding := _nothing_learned(figures):
        return (finding, *_about_data(figures))
    found = (
        _overfitting(figures),
        _underfitting(figures),
        _still_improving(figures),
        *_weak_classes(figures),
        _confused_pairs(figures),
        *_about_data(figures),
        _too_uncertain(figures),
    )
    return tuple(finding for finding in found if finding)


def _about_data(figures: Figures) -> Iterator[Finding]:
    for finding in (_little_data(figures), _unbalanced(figures), _small_test_set(figures)):
        if finding:
            yield finding


def _nothing_learned(figures: Figures) -> Finding | None:
    test = figures.test
    counts = test.confusion.sum(axis=1)
    commonest = int(counts.argmax())
    share = counts[commonest] / test.images
    if wilson_interval(test.right, test.images)[0] > share:
        return None
    return Finding(
        "nothing-learned",
        f"It is no better than always answering '{figures.labels[commonest]}': {test.top1:.1%} of"
        f" the test pictures are right, that answer alone would get {share:.1%}.",
        (
            "look at the pictures with 'edgecls check': are the labels right, can you tell the"
            " classes apart yourself at this size?",
            "train for more epochs, or with a ten times higher or lower --learning-rate",
            "begin from a pretrained backbone (--backbone)",
        ),
    )


def _overfitting(figures: Figures) -> Finding | None:
    train, val = figures.train, figures.val
    if train.top1 - val.top1 < _GAP or _interval(train)[0] <= _interval(val)[1]:
        return None
    turn = _turning_point(figures.history)
    later = (
        f" The validation loss was lowest in epoch {turn} of {len(figures.history)} and has risen"
        " since."
        if turn
        else ""
    )
    return Finding(
        "overfitting",
        f"It knows its training pictures by heart: {train.top1:.1%} of them are right, but only"
        f" {val.top1:.1%} of the validation pictures (overfitting).{later}",
        (
            "add pictures, above all of what it gets wrong",
            "strengthen the augmentation; --preview shows it",
            *(("train for fewer epochs, or stop early: --early-stopping 5",) if turn else ()),
            "take a smaller network, or add --weight-decay or --dropout",
            "begin from a pretrained backbone (--backbone)",
        ),
    )


def _turning_point(history: Sequence[Epoch]) -> int | None:
    """The epoch of the lowest validation loss, if it has clearly risen since."""
    if len(history) < 4:
        return None
    lowest = min(history, key=lambda epoch: epoch.val_loss)
    return lowest.epoch if history[-1].val_loss > 1.25 * lowest.val_loss else None


def _underfitting(figures: Figures) -> Finding | None:
    train, val = figures.train, figures.val
    if _interval(train)[1] >= _LOW_TRAIN_ACCURACY or train.top1 - val.top1 >= _GAP:
        return None
    return Finding(
        "underfitting",
        f"It does not even get its training pictures right: {train.top1:.1%} of them, and"
        f" {val.top1:.1%} of the validation pictures (underfitting).",
        (
            "train for more epochs",
            "take a larger network or a pretrained backbone (--backbone)",
            "use larger images (--imgsz), if small things tell the classes apart",
            "weaken the augmentation and the regularization",
        ),
    )


def _still_improving(figures: Figures) -> Finding | None:
    history = figures.history
    length = max(1, len(history) // 4)
    late, early = history[-length:], history[-2 * length : -length]
    if not early or figures.val.top1 >= _GOOD_ENOUGH:
        return None
    before, after = (float(np.mean([e.val_loss for e in part])) for part in (early, late))
    gained = np.mean([e.val_accuracy for e in late]) - np.mean([e.val_accuracy for e in early])
    if after > (1.0 - _LOSS_FALL) * before or gained <= 0.0:
        return None
    return Finding(
        "still-improving",
        f"It was still improving when it ended: in the last {_count(length, 'epoch')} the"
        f" validation loss fell from {before:.3f} to {after:.3f}.",
        (f"train longer: --epochs {2 * len(history)}",),
    )


def _weak_classes(figures: Figures) -> Iterator[Finding]:
    test = figures.test
    z = _CLASS_Z if len(figures.labels) <= _MANY_CLASSES else _MANY_CLASSES_Z
    weak = [
        entry
        for entry in test.per_class
        if entry.images
        and wilson_interval(round(entry.recall * entry.images), entry.images, z)[1]
        < test.macro_recall - _WEAK_BY
    ]
    for entry in sorted(weak, key=lambda entry: entry.recall)[:_NAMED]:
        index = figures.labels.names.index(entry.label)
        answers = test.confusion[index].copy()
        answers[index] = 0
        taken = int(answers.argmax())
        yield Finding(
            "weak-class",
            f"'{entry.label}' is found far less often than the others:"
            f" {round(entry.recall * entry.images)} of {entry.images} test pictures"
            f" ({entry.recall:.1%}, the mean of all classes is {test.macro_recall:.1%}). It is"
            f" mostly taken for '{figures.labels[taken]}' ({answers[taken]} times).",
            (
                f"add pictures of '{entry.label}' as the camera will see it (it has"
                f" {figures.train_counts[index]} to train on)",
                "look at its pictures for wrong labels: 'edgecls check'",
            ),
        )


def _confused_pairs(figures: Figures) -> Finding | None:
    confusion, labels = figures.test.confusion, figures.labels
    totals = confusion.sum(axis=1)
    mixed = np.triu(confusion + confusion.T, 1)
    shares = mixed / np.maximum(totals[:, None] + totals[None, :], 1)
    is_clear = (mixed >= _PAIR_COUNT) & (shares >= _PAIR_SHARE)
    pairs = sorted(np.argwhere(is_clear).tolist(), key=lambda pair: -int(mixed[*pair]))
    if not pairs:
        return None
    sentences = (
        f"'{labels[one]}' is taken for '{labels[other]}' in {confusion[one, other]} of"
        f" {totals[one]} test pictures, the other way round in {confusion[other, one]} of"
        f" {totals[other]}."
        for one, other in pairs[:_NAMED]
    )
    return Finding(
        "confused-pair",
        f"Some classes are mixed up. {' '.join(sentences)}",
        (
            "add pictures that show what tells them apart",
            "look at both for wrong labels: 'edgecls check'",
            "use larger images (--imgsz) or crop closer, if the difference is small",
            "make them one class, if the difference does not matter to you",
        ),
    )


def _little_data(figures: Figures) -> Finding | None:
    counts = figures.train_counts
    smallest = int(counts.argmin())
    least, typical = int(counts[smallest]), int(np.median(counts))
    is_few = least < _FEW_PICTURES
    if not is_few and (typical >= _SOME_PICTURES or figures.test.top1 >= 0.95):
        return None
    found = (
        f"'{figures.labels[smallest]}' has only {_count(least, 'picture')} to train on."
        if is_few
        else f"There are few pictures to train on: {typical} in a typical class."
    )
    return Finding(
        "little-data",
        found,
        (
            "take more pictures: other days, other light, other backgrounds, other examples",
            "begin from a pretrained backbone (--backbone), which needs fewer",
            "see whether more would help: --learning-curve",
        ),
    )


def _unbalanced(figures: Figures) -> Finding | None:
    counts = figures.train_counts
    most, least = int(counts.argmax()), int(counts.argmin())
    ratio = counts[most] / max(int(counts[least]), 1)
    if ratio <= _UNBALANCED:
        return None
    return Finding(
        "unbalanced",
        f"The classes are unbalanced: '{figures.labels[most]}' has {counts[most]} training"
        f" pictures, '{figures.labels[least]}' has {counts[least]} ({ratio:.1f} times fewer). What"
        " is rare is easily overlooked, and the accuracy hides it: look at the macro F1.",
        (
            f"add pictures of '{figures.labels[least]}'",
            "make rare classes count more: --balance weights, or --balance sampling",
        ),
    )


def _small_test_set(figures: Figures) -> Finding | None:
    low, high = _interval(figures.test)
    if high - low <= _WIDE_INTERVAL:
        return None
    return Finding(
        "small-test-set",
        f"With {_count(figures.test.images, 'test picture')} the true accuracy may lie anywhere"
        f" between {low:.1%} and {high:.1%}. Differences smaller than that between two trainings"
        " mean nothing.",
        ("put more pictures aside for testing: some hundreds make the figure sharp",),
    )


def _too_uncertain(figures: Figures) -> Finding | None:
    if figures.is_reached:
        return None
    return Finding(
        "too-uncertain",
        f"Its scores do not tell right from wrong well enough: to be right in"
        f' {figures.target_precision:.0%} of its answers it would have to say "unknown" more'
        f" often than not. So it answers always, and {figures.rejection.precision:.1%} are right.",
        (
            "improve the accuracy first, as said above",
            "set a threshold of your own on the board: edgecls camera --threshold 0.9",
        ),
    )


def _interval(quality: Quality) -> tuple[float, float]:
    return wilson_interval(quality.right, quality.images)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
