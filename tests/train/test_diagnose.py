"""What figures mean, in words: `edgecls_train.diagnose`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls.metrics import Quality, Rejection, measure
from edgecls_train.diagnose import diagnose
from edgecls_train.findings import Figures
from edgecls_train.history import Epoch

LABELS = Labels(("cat", "dog", "fox"))


def quality(confusion) -> Quality:
    """As measured where row `i`, column `j` is how often `i` was answered with `j`."""
    counts = np.array(confusion)
    targets, answers = (
        np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1)
    )
    return measure(np.eye(len(counts))[answers], targets, Labels(LABELS.names[: len(counts)]))


def right(share: float, images: int = 300) -> Quality:
    """Three classes, each right so often, and mistakes spread evenly."""
    each = images // 3
    hits = round(share * each)
    rest = each - hits
    one, other = rest // 2, rest - rest // 2
    return quality([[hits, one, other], [one, hits, other], [one, other, hits]])


def history(*pairs) -> list[Epoch]:
    """From (validation loss, validation accuracy) of each epoch."""
    return [Epoch(n, loss, acc, loss, acc, 1.0) for n, (loss, acc) in enumerate(pairs, start=1)]


CONVERGED = history(
    (1.0, 0.6),
    (0.5, 0.85),
    (0.25, 0.94),
    (0.20, 0.95),
    (0.19, 0.95),
    (0.19, 0.96),
    (0.18, 0.96),
    (0.18, 0.96),
)
HEALTHY = Figures(
    labels=LABELS,
    history=CONVERGED,
    train=right(0.98, 450),
    val=right(0.96),
    test=right(0.96, 600),
    train_counts=np.array([400, 380, 420]),
    rejection=Rejection(600, 600, 576),
    target_precision=0.95,
    is_reached=True,
)


def findings(**changes):
    return diagnose(dataclasses.replace(HEALTHY, **changes))


def kinds(**changes) -> list[str]:
    return [finding.kind for finding in findings(**changes)]


def test_a_healthy_training_alarms_nobody():
    assert findings() == ()


def test_learning_by_heart_is_told_with_both_figures():
    (finding,) = findings(train=right(1.0, 450), val=right(0.84), test=right(0.84, 600))[:1]
    assert finding.kind == "overfitting"
    assert "100.0%" in finding.summary
    assert "84.0%" in finding.summary
    assert any("augmentation" in advice for advice in finding.advice)


def test_a_validation_loss_that_has_risen_since_is_told_with_its_epoch():
    rising = history((0.9, 0.7), (0.5, 0.84), (0.6, 0.84), (0.7, 0.84), (0.8, 0.84))
    (finding, *_) = findings(train=right(1.0, 450), val=right(0.84), history=rising)
    assert "lowest in epoch 2 of 5" in finding.summary
    assert any("--early-stopping" in advice for advice in finding.advice)


@pytest.mark.parametrize(
    ("train", "val"),
    [
        pytest.param(right(0.99, 450), right(0.96), id="three points are usual"),
        pytest.param(right(1.0, 30), right(0.90, 30), id="thirty pictures do not prove ten points"),
    ],
)
def test_a_small_or_doubtful_gap_is_not_overfitting(train, val):
    assert "overfitting" not in kinds(train=train, val=val)


def test_training_pictures_that_are_not_learned_are_underfitting():
    found = kinds(train=right(0.6, 450), val=right(0.58), test=right(0.58, 600))
    assert found[0] == "underfitting"
    assert "overfitting" not in found


def test_a_network_that_has_learned_nothing_is_compared_with_one_answer():
    always_cat = quality([[50, 0, 0], [30, 0, 0], [20, 0, 0]])
    (finding, *_) = findings(train=always_cat, val=always_cat, test=always_cat)
    assert finding.kind == "nothing-learned"
    assert "always answering 'cat'" in finding.summary
    assert "50.0%" in finding.summary


def test_a_loss_that_still_falls_asks_for_more_epochs():
    falling = history((1.0, 0.5), (0.8, 0.6), (0.6, 0.7), (0.4, 0.8))
    (finding,) = (
        f for f in findings(history=falling, val=right(0.8)) if f.kind == "still-improving"
    )
    assert "from 0.600 to 0.400" in finding.summary
    assert finding.advice == ("train longer: --epochs 8",)


@pytest.mark.parametrize(
    "epochs",
    [
        pytest.param(CONVERGED, id="it has converged"),
        pytest.param(history((0.5, 0.8)), id="one epoch has no trend"),
        pytest.param([], id="there is no history"),
        pytest.param(
            history((1.0, 0.9), (0.8, 0.9), (0.6, 0.9), (0.4, 0.9)), id="only the loss falls"
        ),
    ],
)
def test_what_no_longer_improves_does_not_ask_for_epochs(epochs):
    assert "still-improving" not in kinds(history=epochs)


def test_one_weak_class_is_named_with_what_it_is_taken_for():
    test = quality([[195, 3, 2], [2, 196, 2], [1, 79, 120]])
    found = {finding.kind: finding for finding in findings(test=test)}
    weak = found["weak-class"].summary
    assert "'fox'" in weak
    assert "120 of 200" in weak
    assert "'dog' (79 times)" in weak
    assert "420 to train on" in found["weak-class"].advice[0]


def test_two_classes_that_are_mixed_up_are_named_in_both_directions():
    test = quality([[170, 30, 0], [20, 180, 0], [0, 0, 200]])
    (finding,) = findings(test=test)
    assert finding.kind == "confused-pair"
    assert "'cat' is taken for 'dog' in 30 of 200" in finding.summary
    assert "the other way round in 20 of 200" in finding.summary


def test_few_pictures_are_told_with_the_smallest_class():
    (finding,) = findings(train_counts=np.array([30, 12, 25]))
    assert finding.kind == "little-data"
    assert "'dog' has only 12 pictures" in finding.summary


@pytest.mark.parametrize(
    ("accuracy", "found"),
    [
        pytest.param(0.97, [], id="few are enough where it is right"),
        pytest.param(0.90, ["little-data"], id="where it is not more may help"),
    ],
)
def test_some_tens_of_pictures_matter_only_while_there_are_mistakes(accuracy, found):
    assert kinds(train_counts=np.array([60, 50, 55]), test=right(accuracy, 600)) == found


def test_unbalanced_classes_are_told_with_their_ratio():
    (finding,) = findings(train_counts=np.array([900, 100, 300]))
    assert finding.kind == "unbalanced"
    assert "'cat' has 900" in finding.summary
    assert "'dog' has 100 (9.0 times fewer)" in finding.summary


def test_a_small_test_set_is_told_with_its_interval():
    (finding,) = findings(test=right(0.9, 30))
    assert finding.kind == "small-test-set"
    # 27 of 30 by Wilson: 74.4% to 96.5% (R's binom::binom.wilson).
    assert "between 74.4% and 96.5%" in finding.summary


def test_scores_that_cannot_reach_the_target_are_told():
    (finding,) = findings(is_reached=False, rejection=Rejection(600, 600, 480))
    assert finding.kind == "too-uncertain"
    assert "95%" in finding.summary
    assert "80.0%" in finding.summary


def test_a_finding_is_plain_json():
    (finding,) = findings(train_counts=np.array([900, 100, 300]))
    assert finding.to_json() == {
        "kind": "unbalanced",
        "summary": finding.summary,
        "advice": list(finding.advice),
    }
