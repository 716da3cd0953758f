"""The pictures of a training: `edgecls_train.plots`."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls.imaging.decode import decode
from edgecls.metrics import Quality, measure
from edgecls_train.fit import Epoch
from edgecls_train.plots import draw_confusion, draw_curves

EPOCHS = [Epoch(1, 2.0, 0.3, 1.5, 0.5, 1.0), Epoch(2, 1.0, 0.6, 0.9, 0.7, 1.0)]
ODD_LABELS = Labels(("$x_1$", "a very long label that never seems to end", "猫"))


def perfect(classes: int) -> Quality:
    return measure(np.eye(classes), np.arange(classes), Labels.numbered(classes))


@pytest.mark.parametrize("epochs", [1, 2])
def test_curves_are_a_picture_whatever_the_number_of_epochs(epochs):
    frame = decode(draw_curves(EPOCHS[:epochs], "training"))
    assert frame.shape[1] > frame.shape[0] > 400
    assert frame.std() > 10  # something is drawn


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_a_confusion_matrix_is_a_picture_of_bounded_size(classes):
    frame = decode(draw_confusion(perfect(classes), Labels.numbered(classes), "test"))
    assert 400 < frame.shape[0] < 2500
    assert frame.std() > 10


def test_odd_labels_are_drawn_without_a_warning(recwarn):
    picture = draw_confusion(perfect(3), ODD_LABELS, "100% of $3")
    assert decode(picture).std() > 10
    assert not recwarn.list


def test_the_same_training_gives_the_same_bytes():
    assert draw_curves(EPOCHS, "training") == draw_curves(EPOCHS, "training")
