"""A recipe: everything that decides what training makes of the same pictures."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import InvalidValueError, RecipeError
from edgecls_train.knobs import check_knobs, choice, count, text, texts
from edgecls_train.layers import Layer, follow_shapes, parse_layer
from edgecls_train.settings import (
    ALL,
    HEAD,
    Augmentation,
    Backbone,
    Loss,
    Optimizer,
    Regularization,
)

__all__ = [
    "ALL",
    "HEAD",
    "Augmentation",
    "Backbone",
    "Loss",
    "MixedPrecision",
    "Optimizer",
    "Recipe",
    "Regularization",
]

MixedPrecision = Literal["auto", "on", "off"]

MAX_EPOCHS: Final = 100_000
MAX_BATCH: Final = 65_536
MAX_SEED: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A training that refuses nonsense when built: of layers of its own or of a backbone.

    Args:
        preprocessing: The image that the network takes.
        layers: Between `Rescaling(1/255)` and the softmax over the classes, which every such
            network begins and ends with; see `layers.parse_layer` for the words.
        backbone: None when there are layers.
        optimizer: How the weights follow the gradients.
        loss: What is made small.
        regularization: What keeps the weights small.
        augmentation: How training images are changed.
    """

    name: str = text("What the recipe is called in the card.", flag="name")
    description: str = text("One line for people.", "")
    epochs: int = count(10, 1, MAX_EPOCHS, "How often every picture is seen.")
    batch_size: int = count(32, 1, MAX_BATCH, "Pictures a step.")
    seed: int = count(
        0, 0, MAX_SEED, "Decides split, first weights and order: the same seed, the same model."
    )
    layers: tuple[str, ...] = texts("Layers of a network of your own: 'conv 32, pool, flatten'.")
    mixed_precision: MixedPrecision = choice(
        "auto", get_args(MixedPrecision), "Compute in 16 bits; auto: with a GPU."
    )
    preprocessing: Preprocessing
    backbone: Backbone | None = None
    optimizer: Optimizer = field(default_factory=Optimizer)
    loss: Loss = field(default_factory=Loss)
    regularization: Regularization = field(default_factory=Regularization)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        check_knobs(self)
        if not self.name.strip() or not self.name.isprintable():
            raise RecipeError(f"name {self.name!r} is not one line of text")
        if bool(self.layers) == (self.backbone is not None):
            raise RecipeError(
                "there are both layers and a backbone" if self.layers else "there are no layers",
                hint='give either layers, such as ["conv 32", "pool", "flatten"],'
                " or the name of a [backbone]",
            )
        if self.layers:
            follow_shapes(self.parsed_layers, self.preprocessing.shape)
        if self.augmentation.color and self.preprocessing.channels == "GRAY":
            raise RecipeError(
                f"color {self.augmentation.color} cannot change gray images",
                hint="set brightness or contrast instead, or channels to RGB",
            )

    @property
    def parsed_layers(self) -> tuple[Layer, ...]:
        """The layers, understood."""
        return tuple(parse_layer(text) for text in self.layers)

    def override(
        self,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        image_side: int | None = None,
        seed: int | None = None,
    ) -> Recipe:
        """A copy with what is given; `image_side` makes the image a square of so many pixels.

        Raises:
            RecipeError: A value out of range, or an image too small for the layers.
        """
        preprocessing = self.preprocessing
        if image_side is not None:
            try:
                preprocessing = dataclasses.replace(preprocessing, size=(image_side, image_side))
            except InvalidValueError as wrong:
                raise RecipeError(wrong.problem, hint="choose another --imgsz") from wrong
        return dataclasses.replace(
            self,
            preprocessing=preprocessing,
            epochs=self.epochs if epochs is None else epochs,
            batch_size=self.batch_size if batch_size is None else batch_size,
            seed=self.seed if seed is None else seed,
        )
