"""EfficientNet-Lite with its 1,000 ImageNet classes, as it was published."""

from __future__ import annotations

from typing import Any

from edgecls.errors import RecipeError
from edgecls_train.backbones.efficientnet_lite import (
    VARIANTS,
    build_efficientnet_lite,
    load_torch_weights,
    torch_classes,
)
from edgecls_train.backbones.pretrained import IMAGENET_CLASSES, find_weights
from edgecls_train.backend import load_keras


def build_imagenet_classifier(name: str, shape: tuple[int, int, int]) -> Any:
    """The whole published network.

    Args:
        name: A key of `efficientnet_lite.VARIANTS`.
        shape: (height, width, 3); it was trained on the variant's own, others cost accuracy.

    Returns:
        `keras.Model`: float32 (N, height, width, 3) with 0..255 -> scores (N, 1000), 0 to 1.

    Raises:
        RecipeError: There is no such network, or it takes no such image.
        NotInstalledError: Its weights are not installed.
    """
    if name not in VARIANTS or shape[2] != 3:
        raise RecipeError(
            f"there is no ready classifier {name!r} for images of {shape[2]} channels",
            hint=f"known: {', '.join(VARIANTS)}, all for RGB",
        )
    weights = find_weights(name).load()
    keras = load_keras()
    trunk = build_efficientnet_lite(name, shape)
    scores = keras.layers.Dense(IMAGENET_CLASSES, activation="softmax", name="scores")
    model = keras.Model(trunk.image, scores(trunk.features), name="classifier")
    load_torch_weights(model, weights)
    scores.set_weights(torch_classes(weights))
    return model
