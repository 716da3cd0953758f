"""How weights follow gradients: `edgecls_train.optimizers`. Every step is checked by hand."""

from __future__ import annotations

import dataclasses
from math import cos, pi, sqrt

import numpy as np
import pytest

from edgecls_train.backend import load_keras
from edgecls_train.network import build_network
from edgecls_train.optimizers import is_kernel, make_optimizer, penalize_kernels
from edgecls_train.recipe import Optimizer, Regularization
from tests.train.made_data import stripes_recipe

STEPS_PER_EPOCH = 10
STEPS = 100


@pytest.fixture
def model():
    """Three kernels, two biases, a gamma and a beta."""
    recipe = dataclasses.replace(stripes_recipe(), layers=("conv 4 norm", "flatten", "dense 3"))
    return build_network(recipe, classes=2)


def moves(model, optimizer: Optimizer, *gradients: float, start: float = 0.0) -> list[float]:
    """Where the first kernel is after each step, when all of it begins at `start`."""
    made = make_optimizer(optimizer, model, STEPS, STEPS_PER_EPOCH)
    made.build(model.trainable_variables)
    for weight in model.trainable_variables:
        weight.assign(np.full(weight.shape, start))
    places = []
    for gradient in gradients:
        made.apply([np.full(w.shape, gradient, np.float32) for w in model.trainable_variables])
        places.append(float(np.ravel(model.trainable_variables[0])[0]))
    return places


def test_sgd_without_momentum_goes_down_the_gradient(model):
    sgd = Optimizer("sgd", learning_rate=0.1, momentum=0.0)
    assert moves(model, sgd, 1.0, 2.0) == pytest.approx([-0.1, -0.3])


def test_momentum_keeps_a_share_of_the_last_step(model):
    sgd = Optimizer("sgd", learning_rate=0.1, momentum=0.9)
    # Steps: -0.1; 0.9 x -0.1 - 0.1 = -0.19; 0.9 x -0.19 + 0 = -0.171.
    assert moves(model, sgd, 1.0, 1.0, 0.0) == pytest.approx([-0.1, -0.29, -0.461])


def test_the_first_step_of_adam_is_the_learning_rate_however_large_the_gradient(model):
    adam = Optimizer("adam", learning_rate=0.1)
    assert moves(model, adam, 50.0) == pytest.approx([-0.1], rel=1e-4)


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_the_momentum_of_adam_is_its_beta_1(model, momentum):
    first, second = moves(model, Optimizer("adam", learning_rate=0.1, momentum=momentum), 1.0, 0.0)
    # Kingma and Ba 2015, algorithm 1, for a gradient of 1 and then of 0.
    mean = momentum * (1 - momentum) / (1 - momentum**2)
    square = 0.999 * (1 - 0.999) / (1 - 0.999**2)
    assert first - second == pytest.approx(0.1 * mean / sqrt(square), rel=1e-4)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weight_decay_shrinks_kernels_by_the_rate_times_the_decay(model, name):
    optimizer = Optimizer(name, learning_rate=0.1, weight_decay=0.5)
    # 1 - 0.1 x 0.5, without any gradient.
    assert moves(model, optimizer, 0.0, start=1.0) == pytest.approx([0.95])


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weight_decay_spares_biases_and_norms(model, name):
    moves(model, Optimizer(name, learning_rate=0.1, weight_decay=0.5), 0.0, start=1.0)
    shrunk = {w.name: bool((np.asarray(w) < 1.0).all()) for w in model.trainable_variables}
    assert shrunk == {"kernel": True, "gamma": False, "beta": False, "bias": False}


def rate_at(model, optimizer: Optimizer, step: int) -> float:
    made = make_optimizer(optimizer, model, STEPS, STEPS_PER_EPOCH)
    made.build(model.trainable_variables)
    made.iterations.assign(step)
    return float(made.learning_rate)


@pytest.mark.parametrize("step", [0, 1, 25, 50, 99, 100])
def test_the_cosine_falls_to_zero_at_the_last_step(model, step):
    cosine = Optimizer(learning_rate=0.2, schedule="cosine")
    wanted = 0.2 * (1 + cos(pi * step / STEPS)) / 2
    assert rate_at(model, cosine, step) == pytest.approx(wanted, abs=1e-7)


@pytest.mark.parametrize(
    ("schedule", "step", "rate"),
    [
        # Two epochs of ten steps: from 0.2/20 in a line to 0.2.
        pytest.param("cosine", 0, 0.01, id="it begins with a twentieth"),
        pytest.param("cosine", 10, 0.01 + 0.19 / 2, id="half way up"),
        pytest.param("cosine", 20, 0.2, id="the top"),
        pytest.param("cosine", 60, 0.1, id="half way down"),
        pytest.param("cosine", 100, 0.0, id="the end"),
        pytest.param("constant", 10, 0.01 + 0.19 / 2, id="half way up, then constant"),
        pytest.param("constant", 20, 0.2, id="the top, then constant"),
        pytest.param("constant", 99, 0.2, id="the end, constant"),
    ],
)
def test_a_warm_up_rises_in_a_line(model, schedule, step, rate):
    optimizer = Optimizer(learning_rate=0.2, schedule=schedule, warmup_epochs=2)
    assert rate_at(model, optimizer, step) == pytest.approx(rate, abs=1e-7)


def test_a_constant_rate_stays(model):
    assert rate_at(model, Optimizer(learning_rate=0.25), 77) == 0.25


@pytest.mark.parametrize(
    ("regularization", "penalty"),
    [
        pytest.param(Regularization(l1=0.5), lambda kernel: 0.5 * np.abs(kernel).sum(), id="l1"),
        pytest.param(Regularization(l2=0.25), lambda kernel: 0.25 * (kernel**2).sum(), id="l2"),
    ],
)
def test_kernels_and_nothing_else_are_penalized(model, regularization, penalty):
    penalize_kernels(model, regularization)
    kernels = [np.asarray(w) for w in model.trainable_variables if is_kernel(w)]
    assert len(kernels) == 3
    wanted = sum(penalty(kernel) for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(wanted, rel=1e-5)


def test_without_penalty_nothing_is_added_to_the_loss(model):
    penalize_kernels(model, Regularization())
    assert model.losses == []


@pytest.mark.parametrize(
    ("regularization", "end"),
    [
        # The gradient of 0.5 k^2 is k: one step of 0.1 leaves 0.9 of every kernel.
        pytest.param(Regularization(l2=0.5), lambda kernel: 0.9 * kernel, id="l2"),
        pytest.param(
            Regularization(l1=0.01), lambda kernel: kernel - 0.001 * np.sign(kernel), id="l1"
        ),
    ],
)
def test_a_penalty_shrinks_the_kernels_in_training(model, regularization, end):
    penalize_kernels(model, regularization)
    sgd = make_optimizer(
        Optimizer("sgd", learning_rate=0.1, momentum=0.0), model, STEPS, STEPS_PER_EPOCH
    )
    model.compile(optimizer=sgd, loss=lambda answers, scores: 0.0 * (scores[:, 0] - answers))
    kernels = [weight for weight in model.trainable_variables if is_kernel(weight)]
    before = [np.array(kernel) for kernel in kernels]
    model.train_on_batch(np.zeros((2, 8, 8, 1), np.float32), np.zeros(2))
    for kernel, old in zip(kernels, before, strict=True):
        assert np.allclose(np.asarray(kernel), end(old), atol=1e-6)


def test_the_saved_network_knows_nothing_of_the_penalty(model, tmp_path):
    penalize_kernels(model, Regularization(l2=0.5))
    model.save(tmp_path / "model.keras")
    assert load_keras().saving.load_model(tmp_path / "model.keras").losses == []
