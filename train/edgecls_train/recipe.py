"""A recipe: everything that decides what training makes of the same pictures."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import InvalidValueError, RecipeError
from edgecls_train.layers import Layer, follow_shapes, parse_layer

Loss = Literal["sparse_categorical_crossentropy"]
OptimizerName = Literal["adam"]
Schedule = Literal["constant", "cosine"]

MAX_EPOCHS: Final = 100_000
MAX_BATCH: Final = 65_536
MAX_SEED: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How the weights follow the gradients.

    Args:
        name: `adam` (Kingma and Ba 2015).
        learning_rate: Of the first step.
        schedule: `constant`, or `cosine`: falls to 0 over the whole training.
    """

    name: OptimizerName = "adam"
    learning_rate: float = 1e-3
    schedule: Schedule = "constant"

    def __post_init__(self) -> None:
        _need_choice("optimizer name", self.name, get_args(OptimizerName))
        _need_choice("schedule", self.schedule, get_args(Schedule))
        if not (math.isfinite(self.learning_rate) and 0.0 < self.learning_rate <= 10.0):
            raise RecipeError(f"learning_rate {self.learning_rate!r} is not in 0 to 10")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far training may change each image, at random and anew in every epoch.

    Args:
        shift: Of each side, 0 to 0.5, in either direction.
        rotation_degrees: In either direction, 0 to 180.
        zoom: Share by which it grows or shrinks, 0 to 0.5.
        flip: Whether half of the images are mirrored, left to right.
    """

    shift: float = 0.0
    rotation_degrees: float = 0.0
    zoom: float = 0.0
    flip: bool = False

    def __post_init__(self) -> None:
        for name, limit in (("shift", 0.5), ("rotation_degrees", 180.0), ("zoom", 0.5)):
            value = getattr(self, name)
            if not 0.0 <= value <= limit:
                raise RecipeError(f"{name} {value!r} is not in 0 to {limit:g}")

    @property
    def is_active(self) -> bool:
        """Whether it changes anything."""
        return self != Augmentation()


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training that refuses nonsense when built.

    Args:
        name: What it is called in the card.
        description: One line for people.
        preprocessing: The image that the network takes.
        layers: Between `Rescaling(1/255)` and the softmax over the classes, which every network
            begins and ends with; see `layers.parse_layer` for the words.
        optimizer: How the weights follow the gradients.
        loss: What is made small.
        batch_size: Images a step.
        epochs: How often every training image is seen.
        seed: Decides the split, the first weights, the order and the augmentation.
        augmentation: How training images are changed.
    """

    name: str
    preprocessing: Preprocessing
    layers: tuple[str, ...]
    description: str = ""
    optimizer: Optimizer = field(default_factory=Optimizer)
    loss: Loss = "sparse_categorical_crossentropy"
    batch_size: int = 32
    epochs: int = 10
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.name.isprintable():
            raise RecipeError(f"name {self.name!r} is not one line of text")
        _need_choice("loss", self.loss, get_args(Loss))
        for name, least, most in (
            ("batch_size", 1, MAX_BATCH),
            ("epochs", 1, MAX_EPOCHS),
            ("seed", 0, MAX_SEED),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise RecipeError(f"{name} {value!r} is not in {least} to {most}")
        follow_shapes(self.parsed_layers, self.preprocessing.shape)

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


def _need_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise RecipeError(f"{name} {value!r} is none of {', '.join(map(repr, choices))}")
