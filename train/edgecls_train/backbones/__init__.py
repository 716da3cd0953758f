"""Networks that know pictures already, or whose form the field has agreed on."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from edgecls.errors import RecipeError
from edgecls_train.backbones import (
    applications,
    efficientnet_lite,
    mobilenet,
    pretrained,
    resnet8,
)
from edgecls_train.backbones.structure import Trunk
from edgecls_train.backend import load_keras
from edgecls_train.recipe import Backbone, Recipe

Shape: TypeAlias = tuple[int, int, int]
_Build: TypeAlias = Callable[[Shape, float], Trunk]

KERAS_PREFIX: Final = "keras:"
# Name -> how its trunk is built for an image's shape and a width.
_SCALABLE: Final[dict[str, _Build]] = {
    "resnet8": resnet8.build_resnet8,
    "mobilenet-v1": mobilenet.build_mobilenet_v1,
    "mobilenet-v2": mobilenet.build_mobilenet_v2,
}
_MOBILENETS: Final = {"mobilenet-v1": "MobileNet", "mobilenet-v2": "MobileNetV2"}


def known_backbones() -> list[str]:
    """Names of the backbones that ship; those of Keras come on top."""
    return [*_SCALABLE, *efficientnet_lite.VARIANTS]


def build_trunk(backbone: Backbone, shape: Shape) -> Trunk:
    """A backbone without classes, with the weights that it asks for.

    Args:
        backbone: The recipe's.
        shape: (height, width, channels) of the image.

    Raises:
        RecipeError: An unknown name, or weights, width or channels that it does not have.
        NotInstalledError: Its weights are not on this machine.
    """
    is_pretrained = backbone.weights == "imagenet"
    if is_pretrained and shape[2] != 3:
        raise RecipeError(
            f"the ImageNet weights of {backbone.name!r} are for colour images, not gray ones",
            hint='set channels = "RGB" in [image], or weights = "none" in [backbone]',
        )
    if backbone.name.startswith(KERAS_PREFIX):
        name = backbone.name.removeprefix(KERAS_PREFIX)
        _need_full_width(backbone)
        return applications.build_application(name, shape, is_pretrained=is_pretrained)
    if backbone.name in efficientnet_lite.VARIANTS:
        _need_full_width(backbone)
        return _build_efficientnet_lite(backbone.name, shape, is_pretrained=is_pretrained)
    if backbone.name in _SCALABLE:
        trunk = _SCALABLE[backbone.name](shape, backbone.width)
        if is_pretrained:
            _load_mobilenet_weights(trunk, backbone)
        return trunk
    raise RecipeError(
        f"there is no backbone {backbone.name!r}",
        hint=f"known: {', '.join(known_backbones())}, and keras:NAME for keras.applications",
    )


def build_backbone_classifier(recipe: Recipe, classes: int) -> Any:
    """A network on the recipe's backbone, not yet compiled.

    Args:
        recipe: One with a backbone.
        classes: How many scores come out.

    Returns:
        `keras.Model`: float32 (N, height, width, channels) with 0..255 -> scores (N, classes),
        0 to 1.

    Raises:
        RecipeError: As `build_trunk`.
        NotInstalledError: As `build_trunk`.
    """
    backbone = need_backbone(recipe)
    trunk = build_trunk(backbone, recipe.preprocessing.shape)
    return add_classes(trunk, classes, backbone.dropout)


def add_classes(trunk: Trunk, classes: int, dropout: float) -> Any:
    """The classifier on a trunk: dropout, one dense layer, softmax."""
    keras = load_keras()
    x = keras.layers.Dropout(dropout)(trunk.features)
    scores = keras.layers.Dense(classes, activation="softmax", name="scores", dtype="float32")(x)
    return keras.Model(trunk.image, scores, name="classifier")


def need_backbone(recipe: Recipe) -> Backbone:
    """The backbone of a recipe that must have one."""
    if recipe.backbone is None:
        raise RecipeError(f"the recipe {recipe.name!r} has no backbone", hint="use one that has")
    return recipe.backbone


def weights_identity(backbone: Backbone) -> str:
    """What tells the trunk's weights from any others, for keys of caches."""
    digest = ""
    if backbone.weights == "imagenet" and backbone.name in efficientnet_lite.VARIANTS:
        digest = pretrained.find_weights(backbone.name).digest
    return f"{backbone.name} {backbone.width} {backbone.weights} {digest}"


def _build_efficientnet_lite(name: str, shape: Shape, *, is_pretrained: bool) -> Trunk:
    # Asked first: without the weights nobody waits for the network.
    weights = pretrained.find_weights(name).load() if is_pretrained else None
    trunk = efficientnet_lite.build_efficientnet_lite(name, shape)
    if weights is not None:
        model = load_keras().Model(trunk.image, trunk.features)
        efficientnet_lite.load_torch_weights(model, weights)
    return trunk


def _need_full_width(backbone: Backbone) -> None:
    if backbone.width != 1.0:
        raise RecipeError(
            f"the backbone {backbone.name!r} has no width {backbone.width:g}, only 1.0",
            hint=f"those with a width: {', '.join(_SCALABLE)}",
        )


def _load_mobilenet_weights(trunk: Trunk, backbone: Backbone) -> None:
    """Copy the weights that Keras downloads for the same network."""
    widths = mobilenet.PRETRAINED_WIDTHS.get(backbone.name)
    if widths is None:
        raise RecipeError(
            f"there are no ImageNet weights of {backbone.name!r}",
            hint='set weights = "none" in [backbone]',
        )
    if backbone.width not in widths:
        raise RecipeError(
            f"there are no ImageNet weights of {backbone.name!r} with width {backbone.width:g}",
            hint=f"widths: {', '.join(f'{width:g}' for width in widths)}",
        )
    keras = load_keras()
    application = getattr(keras.applications, _MOBILENETS[backbone.name])
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where Keras shows its download
            source = application(
                input_shape=(224, 224, 3),
                alpha=backbone.width,
                include_top=False,
                weights="imagenet",
            )
    # Keras raises a bare Exception when its download fails.
    except Exception as wrong:
        raise applications.no_weights(backbone.name, wrong) from wrong
    keras.Model(trunk.image, trunk.features).set_weights(source.get_weights())


__all__ = [
    "Trunk",
    "add_classes",
    "build_backbone_classifier",
    "build_trunk",
    "known_backbones",
    "need_backbone",
    "weights_identity",
]
