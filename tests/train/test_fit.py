"""The training itself: `edgecls_train.fit`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.errors import RecipeError
from edgecls_train.backend import has_gpu
from edgecls_train.fit import choose_policy, fit, predict
from edgecls_train.recipe import Augmentation, Loss, Optimizer, Regularization
from edgecls_train.split import Split
from tests.train.made_data import stripes, stripes_recipe

# 40 pictures: 20 to train, 10 to validate, 10 to test, both classes in each.
SPLIT = Split(
    train=np.arange(0, 40, 2),
    val=np.arange(1, 40, 4),
    test=np.arange(3, 40, 4),
)

# 8 pictures of one class to train on, 2 of the other.
UNEVEN = dataclasses.replace(SPLIT, train=np.array([0, 2, 4, 6, 8, 10, 12, 14, 30, 32]))


def test_it_learns_what_can_be_learned():
    recipe = stripes_recipe().override(epochs=30)
    model, history = fit(stripes(), SPLIT, recipe)
    scores = predict(model, stripes(), SPLIT.test)
    assert scores.shape == (10, 2)
    assert (scores.argmax(axis=1) == stripes().targets[SPLIT.test]).all()
    assert history[-1].loss < history[0].loss


def test_every_epoch_is_reported_and_kept():
    reported = []
    _, history = fit(stripes(), SPLIT, stripes_recipe().override(epochs=3), reported.append)
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    assert tuple(reported) == history
    assert all(0.0 <= epoch.val_accuracy <= 1.0 and epoch.seconds > 0.0 for epoch in history)


def weights_for(seed: int) -> list[bytes]:
    recipe = dataclasses.replace(stripes_recipe(), augmentation=Augmentation(shift=0.1))
    model, _ = fit(stripes(), SPLIT, recipe.override(seed=seed))
    return [weights.tobytes() for weights in model.get_weights()]


def test_the_same_seed_gives_the_same_weights():
    assert weights_for(seed=4) == weights_for(seed=4)


def test_another_seed_gives_other_weights():
    assert weights_for(seed=4) != weights_for(seed=5)


def test_a_training_that_breaks_down_says_so():
    # Every step moves each weight by about 10: over ten layers of 64 that overflows.
    recipe = dataclasses.replace(
        stripes_recipe(),
        layers=("flatten", *["dense 64"] * 15),
        optimizer=Optimizer(learning_rate=10.0),
    )
    with pytest.raises(RecipeError, match=r"broke down in epoch 1(.|\n)*lower learning_rate"):
        fit(stripes(), SPLIT, recipe)


@pytest.fixture(scope="module")
def plain_weights() -> list[np.ndarray]:
    """What the recipe makes of uneven classes with every knob at rest."""
    return fit(stripes(), UNEVEN, stripes_recipe())[0].get_weights()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"optimizer": Optimizer("sgd")}, id="another optimizer"),
        pytest.param({"optimizer": Optimizer(momentum=0.5)}, id="another momentum"),
        pytest.param({"optimizer": Optimizer(schedule="cosine")}, id="another schedule"),
        pytest.param({"optimizer": Optimizer(warmup_epochs=1)}, id="a warm-up"),
        pytest.param({"optimizer": Optimizer("adamw", weight_decay=0.1)}, id="weight decay"),
        pytest.param({"loss": Loss("focal")}, id="another loss"),
        pytest.param({"loss": Loss(label_smoothing=0.1)}, id="label smoothing"),
        pytest.param({"loss": Loss(balance="weights")}, id="class weights"),
        pytest.param({"loss": Loss(balance="sampling")}, id="balanced sampling"),
        pytest.param({"regularization": Regularization(l1=0.01)}, id="l1"),
        pytest.param({"regularization": Regularization(l2=0.01)}, id="l2"),
        pytest.param({"augmentation": Augmentation(flip=True)}, id="an augmentation"),
        pytest.param({"augmentation": Augmentation(mixup=0.4)}, id="mixup"),
        pytest.param({"mixed_precision": "on"}, id="mixed precision"),
        pytest.param({"layers": ("conv 4", "pool", "flatten", "dropout 0.5")}, id="dropout"),
    ],
)
def test_a_knob_changes_the_weights_that_come_out(changes, plain_weights):
    recipe = dataclasses.replace(stripes_recipe(), **changes)
    weights = fit(stripes(), UNEVEN, recipe)[0].get_weights()
    assert [w.shape for w in weights] == [w.shape for w in plain_weights]
    assert not np.array_equal(weights[0], plain_weights[0])


def test_early_stopping_ends_before_the_last_epoch_with_the_best_weights():
    # All validation labels are wrong: the more is learned, the worse it looks.
    targets = stripes().targets.copy()
    targets[SPLIT.val] = 1 - targets[SPLIT.val]
    data = dataclasses.replace(stripes(), targets=targets)
    recipe = dataclasses.replace(
        stripes_recipe(),
        optimizer=Optimizer("sgd", learning_rate=0.01),
        regularization=Regularization(early_stopping=2),
    )
    model, history = fit(data, SPLIT, recipe.override(epochs=60))
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    assert history[0].val_loss < history[1].val_loss
    first, _ = fit(data, SPLIT, recipe.override(epochs=1))
    for one, other in zip(model.get_weights(), first.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_without_early_stopping_all_epochs_are_trained():
    _, history = fit(stripes(), SPLIT, stripes_recipe().override(epochs=5))
    assert len(history) == 5


def test_what_was_trained_in_16_bits_is_a_network_in_32():
    recipe = dataclasses.replace(stripes_recipe(), epochs=20, mixed_precision="on")
    model, _ = fit(stripes(), SPLIT, recipe)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    scores = predict(model, stripes(), SPLIT.test)
    assert (scores.argmax(axis=1) == stripes().targets[SPLIT.test]).all()


@pytest.mark.parametrize(
    ("mixed_precision", "policy"), [("on", "mixed_float16"), ("off", "float32")]
)
def test_mixed_precision_is_a_policy_of_keras(mixed_precision, policy):
    assert choose_policy(mixed_precision) == policy


def test_mixed_precision_is_by_itself_only_where_a_gpu_is():
    wanted = "mixed_float16" if has_gpu() else "float32"
    assert choose_policy("auto") == wanted


def test_the_last_epochs_loss_is_the_mean_over_all_images():
    # Without training, every batch has the same weights: 8 + 8 + 4 images count alike.
    recipe = dataclasses.replace(
        stripes_recipe(), epochs=1, optimizer=Optimizer("sgd", learning_rate=1e-9)
    )
    model, (epoch,) = fit(stripes(), SPLIT, recipe)
    scores = predict(model, stripes(), SPLIT.train)
    right = scores[np.arange(20), stripes().targets[SPLIT.train]]
    assert epoch.loss == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert epoch.accuracy == pytest.approx((right > 0.5).mean())
