"""What training makes small, and what the right answers have to look like for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgecls_train.backend import load_keras
from edgecls_train.recipe import Loss, Recipe

Targets = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float32]


def needs_shares(recipe: Recipe) -> bool:
    """Whether the right answer is a share of every class instead of one class index.

    The textbook's sparse categorical cross-entropy takes the index; everything else, and images
    made of two, needs shares. Where both would do they give the same loss.
    """
    is_plain = recipe.loss.name == "cross-entropy" and not recipe.loss.label_smoothing
    return not is_plain or recipe.augmentation.is_mixing


def to_shares(targets: Targets, classes: int) -> Shares:
    """Class indices (N,) as shares (N, classes): 1 for the class, 0 for the others."""
    return np.eye(classes, dtype=np.float32)[targets]


def make_loss(recipe: Recipe) -> Any:
    """The Keras loss of a recipe; its answers are indices or shares as `needs_shares` says."""
    losses = load_keras().losses
    if not needs_shares(recipe):
        return losses.SparseCategoricalCrossentropy()
    return _of_shares(recipe.loss, losses)


def make_accuracy(recipe: Recipe) -> Any:
    """The Keras metric `accuracy` for the answers that the recipe's loss takes."""
    metrics = load_keras().metrics
    if needs_shares(recipe):
        return metrics.CategoricalAccuracy(name="accuracy")
    return metrics.SparseCategoricalAccuracy(name="accuracy")


def class_weights(targets: Targets, classes: int) -> Shares:
    """Weights (classes,) with which every class counts alike, and an image 1 on average.

    Args:
        targets: (N,), of the training images.
        classes: How many there are.
    """
    counts = np.bincount(targets, minlength=classes)
    # A class without an image weighs nothing, since it is never met.
    weights = len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0.0).astype(np.float32)


def _of_shares(loss: Loss, losses: Any) -> Any:
    match loss.name:
        case "cross-entropy":
            return losses.CategoricalCrossentropy(label_smoothing=loss.label_smoothing)
        case "focal":
            # With an alpha of 1 and a gamma of 0 it is the cross-entropy.
            return losses.CategoricalFocalCrossentropy(
                alpha=1.0, gamma=loss.focal_gamma, label_smoothing=loss.label_smoothing
            )
        case "mse":
            return losses.MeanSquaredError()
        case "mae":
            return losses.MeanAbsoluteError()
