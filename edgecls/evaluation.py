"""How good a model file is on labelled pictures, measured on this machine's engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecls.classifier import Classifier
from edgecls.console import Advance
from edgecls.contract.labels import Labels
from edgecls.errors import DatasetError, EngineError, FrameFailedError, PictureError
from edgecls.imaging.decode import Frame
from edgecls.metrics import Quality, measure
from edgecls.pictures import PictureSet, open_pictures
from edgecls.runtimes.failures import Failures


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Measured quality, and which pictures were left out (name and reason).

    Args:
        quality: On the others.
        unreadable: Could not be read.
        failed: The model failed on them.
    """

    quality: Quality
    unreadable: tuple[str, ...]
    failed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `edgecls evaluate --json` prints it."""
        left_out = {"unreadable": len(self.unreadable)}
        if self.failed:
            left_out["failed"] = len(self.failed)
        return {**self.quality.to_json(), **left_out}


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """The pictures of a set that a model is measured on.

    Args:
        pictures: The whole set.
        positions: Of the pictures that count, in it.
        targets: The class of each of these, as an index into the model's labels.
    """

    pictures: PictureSet
    positions: tuple[int, ...]
    targets: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def names(self) -> list[str]:
        """Of the pictures that count."""
        return [self.pictures.names[position] for position in self.positions]

    def load_frame(self, index: int) -> Frame:
        """Decode one of them; raises PictureError when it cannot be read."""
        return self.pictures.load_frame(self.positions[index])


def open_examples(origin: str, labels: Labels) -> Examples:
    """Open labelled pictures and match their classes with a model's labels.

    Args:
        origin: As for `evaluate`.
        labels: Of the model.

    Raises:
        DatasetError: There are none, or a folder's name is no label.
    """
    pictures = open_pictures(origin)
    positions = tuple(_positions(pictures).tolist())
    class_of = _match_labels(pictures.labels, labels)
    return Examples(
        pictures, positions, tuple(class_of[int(pictures.targets[i])] for i in positions)
    )


def read_frames(
    examples: Examples, unreadable: list[str], start: Callable[[int], Advance] | None = None
) -> Iterator[tuple[int, Frame]]:
    """Decode the pictures of a set, one after the other, with their index among the examples.

    Args:
        examples: Of the set.
        unreadable: Takes why a picture was left out.
        start: Called with the number of pictures; gives what to call after each.

    Raises:
        DatasetError: Nothing was read; the first reason is in the hint.
    """
    advance = start(len(examples)) if start else None
    for index in range(len(examples)):
        try:
            frame = examples.load_frame(index)
        except PictureError as wrong:
            unreadable.append(wrong.problem)
        else:
            yield index, frame
        if advance:
            advance(index + 1)
    if len(unreadable) == len(examples):
        raise DatasetError(
            f"none of the {len(examples)} pictures in {examples.pictures.origin!r} can be read",
            hint=f"the first: {unreadable[0]}",
        )


def evaluate(
    classifier: Classifier, origin: str, start: Callable[[int], Advance] | None = None
) -> Evaluation:
    """Classify every picture of a set and compare with its label.

    Args:
        classifier: An open model.
        origin: What `open_pictures` opens, classes named by label or by class number; of a set
            with test pictures (as the digits have) only these count.
        start: Called with the number of pictures; gives what to call after each.

    Raises:
        DatasetError: A folder's name is no label of the model, or no picture can be read.
        EngineError: The model fails on all pictures, or on very many in a row.
    """
    examples = open_examples(origin, classifier.labels)
    scores, targets = [], []
    unreadable: list[str] = []
    failed: list[str] = []
    failures = Failures()
    for index, frame in read_frames(examples, unreadable, start):
        try:
            scores.append(classifier.classify(frame).scores)
        except FrameFailedError as wrong:
            failed.append(f"{examples.names[index]!r}: {wrong.problem}")
            failures.add(wrong, classifier.model.name)
        else:
            failures.end()
            targets.append(examples.targets[index])
    check_any(scores, failed, classifier.model.name)
    quality = measure(np.stack(scores), np.array(targets, np.int64), classifier.labels)
    return Evaluation(quality, tuple(unreadable), tuple(failed))


def check_any(scores: Sequence[Any], failed: Sequence[str], model: str) -> None:
    """Refuse to measure nothing.

    Raises:
        EngineError: The model failed on all pictures.
    """
    if not scores:
        raise EngineError(
            f"{model!r} failed on all {len(failed)} pictures that can be read",
            hint=f"the first: {failed[0]}",
        )


def _positions(pictures: PictureSet) -> npt.NDArray[np.int64]:
    """The test pictures of a set that says which these are; else all."""
    given = pictures.given_subsets
    if given is None or "test" not in given:
        return np.arange(len(pictures))
    return np.flatnonzero(np.array(given) == "test")


def _match_labels(folders: Labels, labels: Labels) -> list[int]:
    """The class index of each folder, by the label's name or its number."""
    by_name = {name: index for index, name in enumerate(labels)}
    by_number = {str(index): index for index in range(len(labels))}
    if all(name in by_name for name in folders):
        return [by_name[name] for name in folders]
    if all(name in by_number for name in folders):
        return [by_number[name] for name in folders]
    strangers = [name for name in folders if name not in by_name]
    raise DatasetError(
        f"the folder {strangers[0]!r} is no label of the model"
        + (f" (and {len(strangers) - 1} more)" if len(strangers) > 1 else ""),
        hint=f"name the folders as the labels ({', '.join(labels.names[:5])}, ...)"
        f" or as class numbers (0 to {len(labels) - 1})",
    )
