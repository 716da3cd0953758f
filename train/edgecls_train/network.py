"""From a recipe to a Keras network."""

from __future__ import annotations

from typing import Any, Final

from edgecls_train.backend import load_keras
from edgecls_train.layers import (
    KERNEL,
    POOL,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    Pool,
)
from edgecls_train.recipe import Optimizer, Recipe

# Keras' 0.99 averages over hundreds of steps; a few hundred photos give some ten an epoch.
_NORM_MOMENTUM: Final = 0.9


def build_network(recipe: Recipe, classes: int) -> Any:
    """A new network with random weights, not yet compiled.

    Args:
        recipe: Its layers and its image.
        classes: How many scores come out.

    Returns:
        `keras.Model`: float32 (N, height, width, channels) with 0..255 -> scores (N, classes),
        0 to 1. Its first layer brings the bytes to 0..1, so nobody else ever has to.
    """
    keras = load_keras()
    layers = [
        keras.Input(recipe.preprocessing.shape, name="image"),
        keras.layers.Rescaling(1 / 255),
    ]
    for layer in recipe.parsed_layers:
        layers += _keras_layers(keras.layers, layer)
    layers.append(keras.layers.Dense(classes, activation="softmax", name="scores"))
    return keras.Sequential(layers, name="classifier")


def compile_network(model: Any, recipe: Recipe, steps: int) -> None:
    """Make a network trainable by the recipe's optimizer and loss.

    Args:
        model: From `build_network`.
        recipe: What to train with.
        steps: How many batches the whole training has; the schedule ends there.
    """
    model.compile(
        optimizer=_keras_optimizer(recipe.optimizer, steps),
        loss=recipe.loss,
        metrics=["accuracy"],
        # XLA makes small networks on a CPU 1.5 times slower.
        jit_compile=False,
    )


def _keras_optimizer(optimizer: Optimizer, steps: int) -> Any:
    optimizers = load_keras().optimizers
    rate: Any = optimizer.learning_rate
    if optimizer.schedule == "cosine":
        rate = optimizers.schedules.CosineDecay(rate, decay_steps=steps)
    return optimizers.Adam(rate)


def _keras_layers(keras_layers: Any, layer: Layer) -> list[Any]:
    match layer:
        case Conv(filters, same, norm):
            padding = "same" if same else "valid"
            if not norm:
                return [keras_layers.Conv2D(filters, KERNEL, padding=padding, activation="relu")]
            # Before the ReLU: there conversion folds it into the convolution, for nothing.
            return [
                keras_layers.Conv2D(filters, KERNEL, padding=padding, use_bias=False),
                keras_layers.BatchNormalization(momentum=_NORM_MOMENTUM),
                keras_layers.ReLU(),
            ]
        case Pool():
            return [keras_layers.MaxPooling2D(POOL)]
        case GlobalPool():
            return [keras_layers.GlobalAveragePooling2D()]
        case Flatten():
            return [keras_layers.Flatten()]
        case Dense(units):
            return [keras_layers.Dense(units, activation="relu")]
        case Dropout(rate):
            return [keras_layers.Dropout(rate)]
