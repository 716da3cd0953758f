"""Which labels are probably wrong: `edgecls_train.suspects`."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls_train.suspects import MIN_PER_CLASS, find_suspects, score_out_of_fold

CLASSES = 3
PER_CLASS = 60


def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Features around one corner of a cube for each class."""
    random = np.random.default_rng(6)
    targets = np.repeat(np.arange(CLASSES), PER_CLASS)
    features = 2.0 * np.eye(CLASSES, 8)[targets] + random.normal(0, 0.2, (len(targets), 8))
    return features.astype(np.float32), targets


def alone(targets: np.ndarray) -> np.ndarray:
    return np.arange(len(targets))


def test_right_labels_are_not_suspected():
    features, targets = blobs()
    assert find_suspects(features, targets, alone(targets)) == []


def test_wrong_labels_are_suspected_with_the_right_one():
    features, targets = blobs()
    wrong = targets.copy()
    wrong[[3, 70, 130]] = [1, 2, 0]
    suspects = find_suspects(features, wrong, alone(targets))
    assert sorted((s.position, s.suggested) for s in suspects) == [(3, 0), (70, 1), (130, 2)]
    assert all(0.5 < suspect.score <= 1.0 for suspect in suspects)


def test_the_surest_comes_first():
    features, targets = blobs()
    targets[[3, 70, 130]] = [1, 2, 0]
    scores = [suspect.score for suspect in find_suspects(features, targets, alone(targets))]
    assert scores == sorted(scores, reverse=True)


def test_pictures_that_no_one_can_tell_apart_are_not_suspected():
    features = np.random.default_rng(2).normal(size=(180, 8)).astype(np.float32)
    targets = np.repeat(np.arange(CLASSES), PER_CLASS)
    assert find_suspects(features, targets, alone(targets)) == []


def test_copies_do_not_vouch_for_a_wrong_label():
    features, targets = blobs()
    groups = alone(targets)
    features[4:14] = features[3]
    targets[3:14] = 1
    groups[3:14] = 3
    suspects = find_suspects(features, targets, groups)
    assert {suspect.position for suspect in suspects} == set(range(3, 14))


@pytest.mark.parametrize(
    ("small", "judged"),
    [
        pytest.param(MIN_PER_CLASS, True, id="ten are judged"),
        pytest.param(MIN_PER_CLASS - 1, False, id="nine are not"),
    ],
)
def test_a_class_needs_enough_pictures_to_be_judged(small, judged):
    features, targets = blobs()
    kept = np.concatenate([np.arange(2 * PER_CLASS), 2 * PER_CLASS + np.arange(small)])
    features, targets = features[kept], targets[kept]
    features[-1] = features[0]
    found = [suspect.position for suspect in find_suspects(features, targets, alone(targets))]
    assert found == ([len(targets) - 1] if judged else [])


def test_one_class_alone_gives_no_suspects():
    features, targets = blobs()
    assert (
        find_suspects(features[:PER_CLASS], targets[:PER_CLASS], alone(targets)[:PER_CLASS]) == []
    )


def test_scores_are_shares_of_one_and_mostly_right():
    features, targets = blobs()
    scores = score_out_of_fold(features, targets, alone(targets))
    assert scores.shape == (CLASSES * PER_CLASS, CLASSES)
    assert np.allclose(scores.sum(axis=1), 1.0, atol=1e-5)
    assert (scores.argmax(axis=1) == targets).mean() > 0.95


def test_a_score_does_not_know_the_label_it_judges():
    features, targets = blobs()
    features = np.random.default_rng(2).normal(size=features.shape).astype(np.float32)
    scores = score_out_of_fold(features, targets, alone(targets))
    # Guessing gives 1/3, with a standard deviation of 3.5 points on 180 pictures.
    assert (scores.argmax(axis=1) == targets).mean() < 1 / 3 + 3 * 0.035
