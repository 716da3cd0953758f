"""The layers a recipe may name, as words: what they mean and what they make of an image's shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from edgecls.errors import RecipeError

# (height, width, channels), or (features,) once the image is flat.
Shape: TypeAlias = tuple[int, ...]

KERNEL: Final = 3
POOL: Final = 2
MAX_UNITS: Final = 8192


@dataclass(frozen=True, slots=True)
class Conv:
    """`conv 32 [same] [norm]`: 3x3 convolution and ReLU, with batch normalization between them.

    Args:
        filters: Number of channels that come out.
        same: Whether the border is padded, so that height and width stay.
        norm: Whether the sums are normalized before the ReLU.
    """

    filters: int
    same: bool = False
    norm: bool = False

    def shape_after(self, shape: Shape) -> Shape:
        """Without padding every side loses two pixels."""
        height, width, _ = _need_image(shape)
        trim = 0 if self.same else KERNEL - 1
        return height - trim, width - trim, self.filters


@dataclass(frozen=True, slots=True)
class Pool:
    """`pool`: the largest of every 2x2 pixels."""

    def shape_after(self, shape: Shape) -> Shape:
        """Half of every side, rounded down."""
        height, width, channels = _need_image(shape)
        return height // POOL, width // POOL, channels


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """`global-pool`: the mean of every channel."""

    def shape_after(self, shape: Shape) -> Shape:
        """One feature a channel."""
        return (_need_image(shape)[2],)


@dataclass(frozen=True, slots=True)
class Flatten:
    """`flatten`: every pixel of every channel becomes a feature."""

    def shape_after(self, shape: Shape) -> Shape:
        """As many features as there were values."""
        return (math.prod(_need_image(shape)),)


@dataclass(frozen=True, slots=True)
class Dense:
    """`dense 64`: fully connected, and ReLU."""

    units: int

    def shape_after(self, shape: Shape) -> Shape:
        """As many features as units."""
        if len(shape) != 1:
            raise ValueError("needs 'flatten' or 'global-pool' before it")
        return (self.units,)


@dataclass(frozen=True, slots=True)
class Dropout:
    """`dropout 0.3`: in training, this share of the values is set to zero."""

    rate: float

    def shape_after(self, shape: Shape) -> Shape:
        """Unchanged."""
        return shape


Layer: TypeAlias = Conv | Pool | GlobalPool | Flatten | Dense | Dropout


def parse_layer(text: str) -> Layer:
    """Read one layer, such as `conv 32 same norm`.

    Raises:
        RecipeError: An unknown word or a figure that no such layer may have; lists what there is.
    """
    kind, *words = text.split() or [""]
    try:
        return _PARSERS[kind](words)
    except (KeyError, ValueError, IndexError) as wrong:
        raise RecipeError(
            f"layer {text!r} is not known",
            hint="layers are " + ", ".join(_FORMS) + f" (N is 1 to {MAX_UNITS}, P 0 to below 1)",
        ) from wrong


def follow_shapes(layers: Sequence[Layer], shape: Shape) -> Shape:
    """The shape after all layers.

    Args:
        layers: From the image to the last one before the classes.
        shape: (height, width, channels) of the image.

    Returns:
        (features,).

    Raises:
        RecipeError: The layers do not fit one another, or the image is too small for them.
    """
    for number, layer in enumerate(layers, start=1):
        try:
            after = layer.shape_after(shape)
        except ValueError as wrong:
            raise RecipeError(f"layer {number} ({_name(layer)}) {wrong}") from wrong
        if min(after) < 1:
            raise RecipeError(
                f"layer {number} ({_name(layer)}) leaves nothing of {shape[0]}x{shape[1]} pixels",
                hint="use larger images (--imgsz) or fewer layers",
            )
        shape = after
    if len(shape) != 1:
        raise RecipeError(
            "the layers end with an image, not with features",
            hint="put 'flatten' or 'global-pool' after the last 'conv' or 'pool'",
        )
    return shape


def _name(layer: Layer) -> str:
    return "global-pool" if isinstance(layer, GlobalPool) else type(layer).__name__.lower()


def _need_image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError("needs an image, but stands after 'flatten' or 'global-pool'")
    return shape[0], shape[1], shape[2]


def _parse_conv(words: list[str]) -> Conv:
    options = words[1:]
    if set(options) - {"same", "norm"} or len(set(options)) != len(options):
        raise ValueError(options)
    return Conv(_parse_count(words[0]), "same" in options, "norm" in options)


def _parse_count(word: str) -> int:
    count = int(word)
    if not 1 <= count <= MAX_UNITS:
        raise ValueError(word)
    return count


def _parse_rate(word: str) -> float:
    rate = float(word)
    if not 0.0 <= rate < 1.0:
        raise ValueError(word)
    return rate


def _bare(make: Callable[[], Layer]) -> Callable[[list[str]], Layer]:
    def parse(words: list[str]) -> Layer:
        if words:
            raise ValueError(words)
        return make()

    return parse


def _with(words: list[str]) -> str:
    (word,) = words
    return word


_PARSERS: Final[dict[str, Callable[[list[str]], Layer]]] = {
    "conv": _parse_conv,
    "pool": _bare(Pool),
    "global-pool": _bare(GlobalPool),
    "flatten": _bare(Flatten),
    "dense": lambda words: Dense(_parse_count(_with(words))),
    "dropout": lambda words: Dropout(_parse_rate(_with(words))),
}
_FORMS: Final = (
    "'conv N [same] [norm]'",
    "'pool'",
    "'global-pool'",
    "'flatten'",
    "'dense N'",
    "'dropout P'",
)
