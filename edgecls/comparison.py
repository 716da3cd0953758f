"""Two model files on the same labelled pictures: agreement, what changed, and how fast each is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.classifier import Classifier, Scores
from edgecls.console import Advance
from edgecls.contract.labels import Labels
from edgecls.errors import FrameFailedError, InvalidValueError
from edgecls.evaluation import Examples, check_any, open_examples, read_frames
from edgecls.imaging.decode import Frame
from edgecls.metrics import Quality, measure
from edgecls.paired import adjust_for_several, mcnemar_p
from edgecls.runtimes.failures import Failures
from edgecls.timing import percentiles

# The first runs of an engine are slower: they fill caches and settle its plan.
_WARM_UP: Final = 3


@dataclass(frozen=True, slots=True)
class Change:
    """One picture to which the models give different labels.

    Args:
        name: In its picture set.
        label: The true one.
        first: What the first model says.
        second: What the second model says.
    """

    name: str
    label: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class PairedCount:
    """Pictures of one class, or of all, under both models.

    Args:
        label: Of the class; empty for all.
        images: How many.
        changed: Those that get another label from the second model.
        only_first: Those that only the first answers rightly.
        only_second: Those that only the second answers rightly.
        p: McNemar's exact test, two-sided: how likely a difference as large is by chance.
        adjusted_p: `p` after a correction for testing several classes (Holm).
    """

    label: str
    images: int
    changed: int
    only_first: int
    only_second: int
    p: float
    adjusted_p: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "label": self.label,
            "images": self.images,
            "changed": self.changed,
            "only_a_right": self.only_first,
            "only_b_right": self.only_second,
            "p": _significant(self.p),
            "adjusted_p": _significant(self.adjusted_p),
        }


@dataclass(frozen=True, slots=True, eq=False)
class ModelComparison:
    """Both models over the same pictures.

    Args:
        qualities: Of the first and the second.
        overall: All pictures.
        per_class: Classes that have pictures, in the order of the labels.
        changes: Every picture with another label.
        latency_ms: p50, p95 and p99 of preparing and running, of the first and the second.
        unreadable: Pictures that were left out, and why.
    """

    qualities: tuple[Quality, Quality]
    overall: PairedCount
    per_class: tuple[PairedCount, ...]
    changes: tuple[Change, ...]
    latency_ms: tuple[dict[str, float], dict[str, float]]
    unreadable: tuple[str, ...]

    @property
    def agreement(self) -> float:
        """Share of the pictures to which both give the same label."""
        return 1.0 - self.overall.changed / self.overall.images

    def to_json(self, most_changes: int) -> dict[str, Any]:
        """As `edgecls compare --json` prints it, with so many changed pictures."""
        models = {
            name: {
                "top1": round(quality.top1, 6),
                "macro_f1": round(quality.macro_f1, 6),
                "calibration_error": round(quality.calibration_error, 6),
                "latency_ms": latency,
            }
            for name, quality, latency in zip("ab", self.qualities, self.latency_ms, strict=True)
        }
        return {
            "images": self.overall.images,
            "unreadable": len(self.unreadable),
            **models,
            "agreement": round(self.agreement, 6),
            "overall": self.overall.to_json(),
            "per_class": [count.to_json() for count in self.per_class],
            "changed": [
                {"name": c.name, "label": c.label, "a": c.first, "b": c.second}
                for c in self.changes[:most_changes]
            ],
        }


def compare_models(
    first: Classifier,
    second: Classifier,
    origin: str,
    start: Callable[[int], Advance] | None = None,
) -> ModelComparison:
    """Run both models over a set of labelled pictures, in turns, so that noise hits both alike.

    Args:
        first: An open model.
        second: Another, with the same labels in any order.
        origin: As for `evaluate`.
        start: As for `evaluate`.

    Raises:
        InvalidValueError: The models have different labels.
        DatasetError: A folder's name is no label, or no picture can be read.
    """
    order = match_models(first.labels, second.labels)
    examples = open_examples(origin, first.labels)
    runner = _Runner((first, second))
    scores: list[tuple[Scores, Scores]] = []
    read: list[int] = []
    unreadable: list[str] = []
    failed: list[str] = []
    failures = Failures()
    for index, frame in read_frames(examples, unreadable, start):
        try:
            in_first, in_second = runner.classify(frame)
        except FrameFailedError as wrong:
            failed.append(f"{examples.names[index]!r}: {wrong.problem}")
            failures.add(wrong, runner.asked)
            continue
        failures.end()
        scores.append((in_first, in_second[order]))
        read.append(index)
    check_any(scores, failed, runner.asked)
    left_out = (*unreadable, *failed)
    return _summarize(np.array(scores), read, examples, first.labels, runner, left_out)


def match_models(first: Labels, second: Labels) -> npt.NDArray[np.int64]:
    """Where each label of the first model stands among those of the second.

    Raises:
        InvalidValueError: One has a label that the other has not.
    """
    places = {label: place for place, label in enumerate(second)}
    only_first = [label for label in first if label not in places]
    only_second = sorted(set(second) - set(first))
    if only_first or only_second:
        examples = [
            f"only the {which} has {names[0]!r}"
            + (f" and {len(names) - 1} more" if len(names) > 1 else "")
            for which, names in (("first", only_first), ("second", only_second))
            if names
        ]
        raise InvalidValueError(
            f"the models have different labels: {', '.join(examples)}",
            hint="compare models of the same classes; give a label file with --labels to models"
            " that carry none",
        )
    return np.array([places[label] for label in first], np.int64)


class _Runner:
    """Both models on one frame after another, timed; who begins changes from frame to frame."""

    def __init__(self, classifiers: tuple[Classifier, Classifier]) -> None:
        self._classifiers = classifiers
        self.asked = ""  # the name of the model that ran last, or failed
        self.latency_ms: tuple[list[float], list[float]] = ([], [])
        self._is_warm = False

    def classify(self, frame: Frame) -> tuple[Scores, Scores]:
        """Scores of the first and the second model, each in the order of its own labels."""
        if not self._is_warm:
            for index in (0, 1) * _WARM_UP:
                self._ask(index, frame)
            self._is_warm = True
        found: dict[int, Scores] = {}
        begins = len(self.latency_ms[0]) % 2
        for index in (begins, 1 - begins):
            before = time.perf_counter()
            found[index] = self._ask(index, frame)
            self.latency_ms[index].append((time.perf_counter() - before) * 1e3)
        return found[0], found[1]

    def _ask(self, index: int, frame: Frame) -> Scores:
        self.asked = self._classifiers[index].model.name
        return self._classifiers[index].classify(frame).scores


def _summarize(
    scores: npt.NDArray[np.float32],
    read: Sequence[int],
    examples: Examples,
    labels: Labels,
    runner: _Runner,
    unreadable: Sequence[str],
) -> ModelComparison:
    """`scores` are (pictures, 2, classes) in the order of the first model's labels."""
    targets = np.array([examples.targets[index] for index in read], np.int64)
    best = scores.argmax(axis=2)
    overall, per_class = count_pairs(best, targets, labels)
    names = examples.names
    changes = (
        Change(
            names[read[i]],
            labels[int(targets[i])],
            labels[int(best[i, 0])],
            labels[int(best[i, 1])],
        )
        for i in np.flatnonzero(best[:, 0] != best[:, 1]).tolist()
    )
    return ModelComparison(
        qualities=(measure(scores[:, 0], targets, labels), measure(scores[:, 1], targets, labels)),
        overall=overall,
        per_class=per_class,
        changes=tuple(changes),
        latency_ms=(percentiles(runner.latency_ms[0]), percentiles(runner.latency_ms[1])),
        unreadable=tuple(unreadable),
    )


def count_pairs(
    best: npt.NDArray[np.int64], targets: npt.NDArray[np.int64], labels: Labels
) -> tuple[PairedCount, tuple[PairedCount, ...]]:
    """Count changed answers, overall and by true class.

    Args:
        best: (N, 2), what the first and the second model answer.
        targets: (N,), class indices.
        labels: Names of the classes.
    """
    right = best == targets[:, None]
    rows = []
    for index in np.unique(targets):
        members = targets == index
        rows.append((labels[int(index)], *_count(best[members], right[members])))
    p_values = [mcnemar_p(row[3], row[4]) for row in rows]
    # A class without a lost or won picture cannot differ, whatever is true: it is no test.
    tested = [i for i, row in enumerate(rows) if row[3] + row[4]]
    adjusted = [1.0] * len(rows)
    for i, p in zip(tested, adjust_for_several([p_values[i] for i in tested]), strict=True):
        adjusted[i] = p
    per_class = tuple(
        PairedCount(*row, p, holm) for row, p, holm in zip(rows, p_values, adjusted, strict=True)
    )
    images, changed, lost, won = _count(best, right)
    p = mcnemar_p(lost, won)
    return PairedCount("", images, changed, lost, won, p, p), per_class


def _count(best: npt.NDArray[np.int64], right: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Pictures, changed ones, and those that only the first or only the second has right."""
    return (
        len(best),
        int((best[:, 0] != best[:, 1]).sum()),
        int((right[:, 0] & ~right[:, 1]).sum()),
        int((right[:, 1] & ~right[:, 0]).sum()),
    )


def _significant(p: float) -> float:
    return float(f"{p:.4g}")
