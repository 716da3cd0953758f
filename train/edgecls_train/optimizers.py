"""How the weights follow the gradients: a recipe's optimizer, schedule and penalties in Keras."""

from __future__ import annotations

from typing import Any

from edgecls_train.backend import load_keras
from edgecls_train.recipe import Optimizer, Regularization


def make_optimizer(optimizer: Optimizer, model: Any, steps: int, steps_per_epoch: int) -> Any:
    """A Keras optimizer for a model.

    Args:
        optimizer: The recipe's.
        model: Its kernels decay; its biases and norms do not.
        steps: How many the whole training has; the schedule ends there.
        steps_per_epoch: To count the warm-up in.
    """
    optimizers = load_keras().optimizers
    warmup = min(optimizer.warmup_epochs * steps_per_epoch, steps)
    rate = _make_schedule(optimizer, steps, warmup)
    decay = optimizer.weight_decay or None
    match optimizer.name:
        case "sgd":
            made = optimizers.SGD(rate, momentum=optimizer.momentum, weight_decay=decay)
        case "adam":
            made = optimizers.Adam(rate, beta_1=optimizer.momentum)
        case "adamw":
            made = optimizers.AdamW(rate, beta_1=optimizer.momentum, weight_decay=decay)
    if decay:
        spared = [weight for weight in model.trainable_variables if not is_kernel(weight)]
        if spared:
            made.exclude_from_weight_decay(var_list=spared)
    return made


def penalize_kernels(model: Any, regularization: Regularization) -> None:
    """Add L1 and L2 to the loss of every model, whoever built it; biases and norms are spared.

    The model that is saved knows nothing of it.
    """
    if not (regularization.l1 or regularization.l2):
        return
    penalty = load_keras().regularizers.L1L2(regularization.l1, regularization.l2)
    for weight in model.trainable_variables:
        if is_kernel(weight):
            weight.regularizer = penalty


def is_kernel(weight: Any) -> bool:
    """Whether a Keras variable multiplies values of several inputs; biases and norms have one."""
    return len(weight.shape) > 1


def _make_schedule(optimizer: Optimizer, steps: int, warmup: int) -> Any:
    if optimizer.schedule == "constant" and not warmup:
        return optimizer.learning_rate
    largest = optimizer.learning_rate
    return load_keras().optimizers.schedules.CosineDecay(
        # The first step of a warm-up already moves: 1/n of the rate, then 2/n.
        initial_learning_rate=largest / warmup if warmup else largest,
        decay_steps=max(1, steps - warmup),
        # A fall to all of the rate is none.
        alpha=1.0 if optimizer.schedule == "constant" else 0.0,
        warmup_target=largest if warmup else None,
        warmup_steps=warmup,
    )
