"""From a recipe to a Keras network."""

from __future__ import annotations

from typing import Any, Final

from edgecls_train.backbones import build_backbone_classifier
from edgecls_train.backend import load_keras, needs_compiler
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
from edgecls_train.losses import make_accuracy, make_loss
from edgecls_train.optimizers import make_optimizer, penalize_kernels
from edgecls_train.recipe import Recipe

# Keras' 0.99 averages over hundreds of steps; a few hundred photos give some ten an epoch.
_NORM_MOMENTUM: Final = 0.9


def build_network(recipe: Recipe, classes: int) -> Any:
    """A new network with random weights, not yet compiled.

    Args:
        recipe: Its layers, or its backbone, and its image.
        classes: How many scores come out.

    Returns:
        `keras.Model`: float32 (N, height, width, channels) with 0..255 -> scores (N, classes),
        0 to 1. Its first layer brings the bytes to 0..1, so nobody else ever has to.
    """
    if recipe.backbone is not None:
        return build_backbone_classifier(recipe, classes)
    keras = load_keras()
    layers = [
        keras.Input(recipe.preprocessing.shape, name="image"),
        keras.layers.Rescaling(1 / 255),
    ]
    for layer in recipe.parsed_layers:
        layers += _keras_layers(keras.layers, layer)
    # Scores are float32 even where the layers before compute in 16 bits.
    scores = keras.layers.Dense(classes, activation="softmax", name="scores", dtype="float32")
    return keras.Sequential([*layers, scores], name="classifier")


def compile_network(model: Any, recipe: Recipe, steps_per_epoch: int) -> None:
    """Make a network trainable by the recipe's optimizer, loss and regularization.

    Args:
        model: From `build_network`.
        recipe: What to train with.
        steps_per_epoch: How many batches an epoch has; the schedule ends with the last one.
    """
    penalize_kernels(model, recipe.regularization)
    steps = steps_per_epoch * recipe.epochs
    model.compile(
        optimizer=make_optimizer(recipe.optimizer, model, steps, steps_per_epoch),
        loss=make_loss(recipe),
        metrics=[make_accuracy(recipe)],
        jit_compile=needs_compiler(),
    )


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
