"""What training makes small: `edgecls_train.losses`."""

from __future__ import annotations

import dataclasses
from math import log

import numpy as np
import pytest

from edgecls_train.losses import class_weights, make_accuracy, make_loss, needs_shares, to_shares
from edgecls_train.network import build_network, compile_network
from edgecls_train.recipe import Augmentation, Loss, Optimizer
from tests.train.made_data import stripes, stripes_recipe

# Scores of one image of three classes; the first is the right one.
SCORES = np.array([[0.7, 0.2, 0.1]], np.float32)


def recipe_with(loss: Loss, **changes):
    return dataclasses.replace(stripes_recipe(), loss=loss, **changes)


def loss_of_scores(recipe) -> float:
    targets = np.array([0])
    answers = to_shares(targets, 3) if needs_shares(recipe) else targets
    return float(make_loss(recipe)(answers, SCORES))


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        pytest.param(Loss("cross-entropy"), -log(0.7), id="cross-entropy"),
        pytest.param(
            # 0.3 of the truth is spread: 0.8, 0.1 and 0.1.
            Loss("cross-entropy", label_smoothing=0.3),
            -(0.8 * log(0.7) + 0.1 * log(0.2) + 0.1 * log(0.1)),
            id="cross-entropy with label smoothing",
        ),
        pytest.param(Loss("focal"), 0.3**2 * -log(0.7), id="focal"),
        pytest.param(Loss("focal", focal_gamma=0.5), 0.3**0.5 * -log(0.7), id="focal, gamma 0.5"),
        pytest.param(
            Loss("focal", label_smoothing=0.3),
            -(0.8 * 0.3**2 * log(0.7) + 0.1 * 0.8**2 * log(0.2) + 0.1 * 0.9**2 * log(0.1)),
            id="focal with label smoothing",
        ),
        pytest.param(Loss("mse"), (0.3**2 + 0.2**2 + 0.1**2) / 3, id="mse"),
        pytest.param(Loss("mae"), (0.3 + 0.2 + 0.1) / 3, id="mae"),
    ],
)
def test_a_loss_is_what_its_formula_says(loss, value):
    assert loss_of_scores(recipe_with(loss)) == pytest.approx(value, rel=1e-5)


def test_cross_entropy_is_the_same_of_class_indices_and_of_shares():
    plain = recipe_with(Loss())
    mixing = recipe_with(Loss(), augmentation=Augmentation(mixup=0.2))
    assert needs_shares(mixing)
    assert not needs_shares(plain)
    assert loss_of_scores(mixing) == pytest.approx(loss_of_scores(plain))


@pytest.mark.parametrize("loss", [Loss(), Loss("mse")], ids=["of indices", "of shares"])
def test_accuracy_is_the_share_of_images_whose_highest_score_is_right(loss):
    recipe = recipe_with(loss)
    targets = np.array([0, 2, 0, 0])
    answers = to_shares(targets, 3) if needs_shares(recipe) else targets
    accuracy = make_accuracy(recipe)
    accuracy.update_state(answers, SCORES.repeat(4, axis=0))
    assert float(accuracy.result()) == 0.75


@pytest.mark.parametrize("name", ["cross-entropy", "focal", "mse", "mae"])
def test_training_makes_each_loss_smaller(name):
    recipe = recipe_with(Loss(name), optimizer=Optimizer(learning_rate=0.01))
    model = build_network(recipe, classes=2)
    compile_network(model, recipe, steps_per_epoch=20)
    data = stripes()
    images = data.images.astype(np.float32)
    answers = to_shares(data.targets, 2) if needs_shares(recipe) else data.targets
    first, *_, last = (
        model.train_on_batch(images, answers, return_dict=True)["loss"] for _ in range(20)
    )
    assert last < 0.7 * first


def test_class_weights_make_every_class_count_alike_and_images_one_on_average():
    # Three images of class 0 and one of class 1: 4 / (2 x 3) and 4 / (2 x 1).
    weights = class_weights(np.array([0, 0, 1, 0]), classes=2)
    assert weights.tolist() == pytest.approx([2 / 3, 2.0])


def test_a_class_that_is_never_met_weighs_nothing():
    assert class_weights(np.array([0, 2]), classes=3).tolist() == [1.0, 0.0, 1.0]
