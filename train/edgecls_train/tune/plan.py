"""What is to be tried: recipes as they are, and variants of them drawn at random.

A search of a handful of trials needs no library: the Bayesian samplers of Optuna draw their first
ten trials at random too, and what there is to win at this scale comes from not training weak
candidates to the end. So variants are drawn with a seed, and successive halving trains all of
them for a part of their epochs, then the best third for longer.

Source:
    Bergstra and Bengio 2012, "Random Search for Hyper-Parameter Optimization"; Jamieson and
    Talwalkar 2016, "Non-stochastic Best Arm Identification" (successive halving).
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edgecls.errors import RecipeError
from edgecls.pictures import DIGITS, FASHION_MNIST
from edgecls_train.backbones.pretrained import has_weights
from edgecls_train.knobs import knobs_of
from edgecls_train.recipe import Augmentation, Recipe
from edgecls_train.recipe_file import load_recipe
from edgecls_train.settings import READY

_GRAY_RECIPES: Final = {
    DIGITS: ("cnn", "cnn-dense", "cnn-deep"),
    FASHION_MNIST: ("cnn", "fashion", "cnn-deep"),
}
_PHOTO_RECIPES: Final = ("efficientnet-lite0-quick", "efficientnet-lite0", "photos-small")
_SCRATCH_RECIPES: Final = ("photos-small", "mobilenet-v1-0.25", "mobilenet-v2-0.35")

# How much of each knob a variant takes.
_RATE_FACTOR: Final = 4.0  # divided or multiplied by up to this
_WIDTHS: Final = (0.5, 0.75, 1.0, 1.5)
_SIZES: Final = (0.75, 1.0, 1.25)
_STRENGTHS: Final = (0.0, 0.5, 1.0, 1.5)
_LARGE_SIDE: Final = 128
_HALVING: Final = 3
_DRAWS_PER_VARIANT: Final = 20


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipe to be tried, and in words what makes it differ from the one of its name."""

    recipe: Recipe
    changes: str = ""


def default_recipes(origin: str) -> list[Recipe]:
    """Recipes worth comparing on data that no one chose recipes for.

    Args:
        origin: What `open_pictures` opens the data by.
    """
    names = _GRAY_RECIPES.get(origin)
    if names is None:
        names = _PHOTO_RECIPES if has_weights("efficientnet-lite0") else _SCRATCH_RECIPES
    return [load_recipe(name) for name in names]


def plan_candidates(recipes: Sequence[Recipe], count: int, seed: int) -> list[Candidate]:
    """The recipes as they are, then variants of them in turn until there are `count`.

    Args:
        recipes: At least one.
        count: Fewer than there are recipes draws no variant.
        seed: The same seed draws the same variants.

    Raises:
        RecipeError: A recipe trains nothing, or the same is given twice.
    """
    for number, recipe in enumerate(recipes):
        if recipe.backbone is not None and recipe.backbone.finetune == READY:
            raise RecipeError(
                f"the recipe {recipe.name!r} trains nothing, so there is nothing to tune",
                hint="leave it out",
            )
        if recipe in recipes[:number]:
            raise RecipeError(f"the recipe {recipe.name!r} is given twice", hint="leave one out")
    candidates = [Candidate(recipe) for recipe in recipes]
    tried = list(recipes)
    draw = random.Random(seed)
    for attempt in range(_DRAWS_PER_VARIANT * max(0, count - len(recipes))):
        if len(candidates) >= count:
            break
        try:
            variant = draw_variant(recipes[attempt % len(recipes)], draw)
        except RecipeError:
            continue  # such as an image too small for the layers
        if variant.recipe not in tried:
            tried.append(variant.recipe)
            candidates.append(variant)
    return candidates


def draw_variant(recipe: Recipe, draw: random.Random) -> Candidate:
    """A recipe with another learning rate, width, image size and strength of augmentation.

    Raises:
        RecipeError: What was drawn does not go together.
    """
    rate = round(_RATE_FACTOR ** draw.uniform(-1.0, 1.0), 3)
    width, size, strength = draw.choice(_WIDTHS), draw.choice(_SIZES), draw.choice(_STRENGTHS)
    varied = scale_size(scale_width(scale_rate(recipe, rate), width), size)
    varied = dataclasses.replace(varied, augmentation=_strengthen(recipe.augmentation, strength))
    return Candidate(varied, describe_changes(recipe, varied, width, strength))


def scale_rate(recipe: Recipe, factor: float) -> Recipe:
    """A recipe with its learning rates times a factor, rounded to three digits."""
    optimizer = recipe.optimizer
    rate = float(f"{optimizer.learning_rate * factor:.3g}")
    changed = dataclasses.replace(optimizer, learning_rate=rate)
    backbone = recipe.backbone
    if backbone is not None:
        finest = float(f"{backbone.finetune_learning_rate * factor:.3g}")
        backbone = dataclasses.replace(backbone, finetune_learning_rate=finest)
    return dataclasses.replace(recipe, optimizer=changed, backbone=backbone)


def scale_width(recipe: Recipe, factor: float) -> Recipe:
    """A recipe with more or fewer channels, in steps of eight; pretrained ones stay as they are."""
    backbone = recipe.backbone
    if backbone is not None:
        if backbone.weights == "none":
            width = round(backbone.width * factor, 3)
            backbone = dataclasses.replace(backbone, width=width)
        return dataclasses.replace(recipe, backbone=backbone)
    return dataclasses.replace(
        recipe, layers=tuple(_scale_layer(layer, factor) for layer in recipe.layers)
    )


def scale_size(recipe: Recipe, factor: float) -> Recipe:
    """A recipe with larger or smaller images, in steps that halve well."""
    size = recipe.preprocessing.size
    step = 32 if min(size) >= _LARGE_SIDE else 4
    height, width = (max(step, step * round(side * factor / step)) for side in size)
    preprocessing = dataclasses.replace(recipe.preprocessing, size=(height, width))
    return dataclasses.replace(recipe, preprocessing=preprocessing)


def plan_rungs(count: int) -> tuple[float, ...]:
    """Shares of the epochs: all are trained for the first, the best third for the next, and so on.

    Args:
        count: How many candidates there are.
    """
    rungs = max(0, math.ceil(math.log(count, _HALVING) - 1e-9) - 1) if count > 1 else 0
    return tuple(float(_HALVING) ** -rung for rung in range(rungs, -1, -1))


def count_survivors(count: int) -> int:
    """How many of a rung go on to the next."""
    return math.ceil(count / _HALVING)


def shorten(recipe: Recipe, share: float) -> Recipe:
    """A recipe of fewer epochs, its warm-up and the epochs of its head with them."""
    epochs = math.ceil(recipe.epochs * share)
    warmup = min(recipe.optimizer.warmup_epochs, math.floor(recipe.optimizer.warmup_epochs * share))
    backbone = recipe.backbone
    if backbone is not None:
        head = math.ceil(backbone.head_epochs * share)
        backbone = dataclasses.replace(backbone, head_epochs=head)
    optimizer = dataclasses.replace(recipe.optimizer, warmup_epochs=warmup)
    return dataclasses.replace(recipe, epochs=epochs, optimizer=optimizer, backbone=backbone)


def describe_changes(recipe: Recipe, varied: Recipe, width: float, strength: float) -> str:
    """What a variant does differently, in words; empty when it is the same."""
    words = []
    if varied.optimizer != recipe.optimizer:
        words.append(f"rate {varied.optimizer.learning_rate:g}")
    is_wider = varied.layers != recipe.layers or (
        varied.backbone is not None
        and recipe.backbone is not None
        and varied.backbone.width != recipe.backbone.width
    )
    if is_wider:
        words.append(f"width x{width:g}")
    if varied.preprocessing.size != recipe.preprocessing.size:
        height, side = varied.preprocessing.size
        words.append(f"image {height}" if height == side else f"image {height}x{side}")
    if varied.augmentation != recipe.augmentation:
        words.append(f"augmentation x{strength:g}")
    return ", ".join(words)


def _scale_layer(layer: str, factor: float) -> str:
    kind, *words = layer.split()
    if kind not in ("conv", "dense"):
        return layer
    units = max(8, 8 * round(int(words[0]) * factor / 8))
    return " ".join([kind, str(units), *words[1:]])


def _strengthen(augmentation: Augmentation, factor: float) -> Augmentation:
    """Every strength times a factor, within what it may be; what is off stays off."""
    changed = {
        name: min(knob.most, round(factor * getattr(augmentation, name), 4))
        for name, knob in knobs_of(Augmentation)
        if knob.type is float
    }
    return dataclasses.replace(augmentation, **changed)
