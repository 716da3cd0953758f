"""Which labels are probably wrong: pictures that look like another class to all the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Features: TypeAlias = npt.NDArray[np.float32]
Indices: TypeAlias = npt.NDArray[np.int64]

# Below it nothing can be learned of a class without the picture in question.
MIN_PER_CLASS: Final = 10
_FOLDS: Final = 5
_SEED: Final = 5
_RIDGE: Final = 0.3
_NEIGHBOURS: Final = 10
# How many of the ten neighbours have the other label -> how many times likelier than the given one
# the classifier must find it. Of 2,500 digits (2,000 CIFAR-10 pictures) with 3% wrong labels these
# find 43 of 75 (19 of 60), and blame 1 (8) that were right; looser ones blame many more.
_LEAST_RATIO: Final = {8: 50.0, 9: 30.0, 10: 20.0}
_TEMPERATURES: Final = np.geomspace(0.02, 1.0, 18)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A picture whose label is probably wrong.

    Args:
        position: Of the picture.
        suggested: Class index that it looks like.
        score: Of that class, by a classifier that has not seen the picture, 0 to 1.
    """

    position: int
    suggested: int
    score: float


def find_suspects(features: Features, targets: Indices, groups: Indices) -> list[Suspect]:
    """Find pictures that two witnesses, neither of which has seen them, take for another class.

    One witness is a linear classifier, trained on four fifths of the pictures to judge the rest; it
    must be as sure of the other class as it usually is of that class's own pictures (confident
    learning). The other is the ten pictures with the most similar features: none may have the
    given label, and eight must have the suggested one; the more they are, the less sure the
    classifier must be. Copies of a picture never judge it.

    Args:
        features: (N, D), from a pretrained network.
        targets: (N,), class indices.
        groups: (N,), equal for pictures that show the same.

    Returns:
        The surest first. Pictures of classes with fewer than 10 are not judged.

    Source:
        Northcutt et al. 2021, "Confident learning" (arXiv:1911.00068).
    """
    counts = np.bincount(targets)
    kept = np.flatnonzero(counts[targets] >= MIN_PER_CLASS)
    if len(np.unique(targets[kept])) < 2:
        return []
    classes, local = np.unique(targets[kept], return_inverse=True)
    features, groups = _standardize(features[kept]), groups[kept]
    scores = score_out_of_fold(features, local, groups)
    suspects = [
        Suspect(int(kept[row]), int(classes[other]), float(scores[row, other]))
        for row, other in _doubted_by_classifier(scores, local)
        if scores[row, other]
        >= scores[row, local[row]] * _needed_ratio(features, local, groups, row, other)
    ]
    return sorted(suspects, key=lambda suspect: -suspect.score)


def score_out_of_fold(features: Features, targets: Indices, groups: Indices) -> Features:
    """Scores of pictures by linear classifiers that were trained without them: (N, classes).

    Least squares with a ridge: one matrix for all pictures, from which each fold is taken out.

    Args:
        features: (N, D), standardized.
        targets: (N,), every class from 0 to the highest.
        groups: (N,); a group is in one fold.
    """
    classes = int(targets.max()) + 1
    ones = np.ones((len(features), 1), np.float32)
    inputs = np.concatenate([features, ones], axis=1)
    wanted = np.eye(classes, dtype=np.float32)[targets]
    gram, answers = inputs.T @ inputs, inputs.T @ wanted
    ridge = _RIDGE * float(np.trace(gram)) / len(gram) * np.eye(len(gram), dtype=np.float32)
    raw = np.empty((len(features), classes), np.float32)
    for fold in _folds(targets, groups):
        held = inputs[fold]
        weights = np.linalg.solve(gram - held.T @ held + ridge, answers - held.T @ wanted[fold])
        raw[fold] = held @ weights
    return _to_scores(raw, targets)


def _standardize(features: Features) -> Features:
    deviation: Features = features - features.mean(axis=0)
    scaled: Features = deviation / np.maximum(deviation.std(axis=0), 1e-6)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.maximum(length, 1e-6), np.float32)


def _folds(targets: Indices, groups: Indices) -> Iterator[Indices]:
    """Indices of each fold; every class is spread over all, every group is in one."""
    random = np.random.default_rng(_SEED)
    numbers, firsts, inverse = np.unique(groups, return_index=True, return_inverse=True)
    order = random.permutation(len(numbers))
    order = order[np.argsort(targets[firsts[order]], kind="stable")]
    fold_of = np.empty(len(numbers), np.int64)
    fold_of[order] = np.arange(len(numbers)) % _FOLDS
    folds = fold_of[inverse.reshape(-1)]
    for fold in range(_FOLDS):
        if (folds == fold).any():
            yield np.flatnonzero(folds == fold)


def _to_scores(raw: Features, targets: Indices) -> Features:
    """Softmax, with the temperature that makes the given labels most likely."""
    best, least_loss = raw, np.inf
    for temperature in _TEMPERATURES:
        exponents = raw / np.float32(temperature)
        exponents -= exponents.max(axis=1, keepdims=True)
        scores = np.exp(exponents)
        scores /= scores.sum(axis=1, keepdims=True)
        given = scores[np.arange(len(targets)), targets]
        loss = float(-np.log(given.clip(1e-6)).mean())
        if loss < least_loss:
            best, least_loss = scores, loss
    return best.astype(np.float32)


def _doubted_by_classifier(scores: Features, targets: Indices) -> Iterator[tuple[int, int]]:
    given = scores[np.arange(len(targets)), targets]
    usual = np.array([given[targets == target].mean() for target in range(scores.shape[1])])
    others = scores.argmax(axis=1)
    best = scores[np.arange(len(targets)), others]
    is_doubted = (others != targets) & (best >= usual[others])
    for row in np.flatnonzero(is_doubted).tolist():
        yield row, int(others[row])


def _needed_ratio(
    features: Features, targets: Indices, groups: Indices, row: int, other: int
) -> float:
    """How much likelier the other label must be, if neighbours doubt its own; else infinite."""
    likeness = features @ features[row]
    likeness[groups == groups[row]] = -np.inf
    count = min(_NEIGHBOURS, len(features) - 1)
    nearest = targets[np.argpartition(-likeness, count - 1)[:count]]
    if targets[row] in nearest:
        return np.inf
    return _LEAST_RATIO.get(int((nearest == other).sum()), np.inf)
