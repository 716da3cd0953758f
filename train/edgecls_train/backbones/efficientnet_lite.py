"""EfficientNet-Lite 0 to 2: EfficientNet without what int8 and small boards do badly.

Source:
    Tan and Le 2019 (arXiv:1905.11946); the Lite form (ReLU6, no squeeze-and-excitation, stem and
    head not widened) is of the TensorFlow TPU models, 2020, Apache-2.0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls_train.backbones.structure import Trunk
from edgecls_train.backend import load_keras

Weights: TypeAlias = Mapping[str, npt.NDArray[Any]]

_STEM_FILTERS: Final = 32
_FEATURES: Final = 1280
_EPSILON: Final = 1e-3
_MEAN, _STD = 127.0, 128.0


@dataclass(frozen=True, slots=True)
class Variant:
    """How a member of the family is scaled, and the image (pixels a side) it was trained on."""

    width: float
    depth: float
    image_side: int


VARIANTS: Final[Mapping[str, Variant]] = {
    "efficientnet-lite0": Variant(1.0, 1.0, 224),
    "efficientnet-lite1": Variant(1.0, 1.1, 240),
    "efficientnet-lite2": Variant(1.1, 1.2, 260),
}


@dataclass(frozen=True, slots=True)
class _Stage:
    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES: Final = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


@dataclass(frozen=True, slots=True)
class _Block:
    """One inverted residual: widen, look around, narrow, and add what came in where it fits."""

    number: int
    kernel: int
    stride: int
    expansion: int
    filters: int

    def __call__(self, x: Any) -> Any:
        layers = load_keras().layers
        name = f"block{self.number}"
        wide, y = x.shape[-1] * self.expansion, x
        if self.expansion != 1:
            y = layers.Conv2D(wide, 1, use_bias=False, name=f"{name}_expand")(y)
            y = _norm_relu(y, f"{name}_expand")
        y = layers.DepthwiseConv2D(
            self.kernel, self.stride, "same", use_bias=False, name=f"{name}_depthwise"
        )(y)
        y = _norm_relu(y, f"{name}_depthwise")
        y = layers.Conv2D(self.filters, 1, use_bias=False, name=f"{name}_project")(y)
        y = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_project_norm")(y)
        fits = self.stride == 1 and x.shape[-1] == self.filters
        return layers.Add(name=f"{name}_add")([x, y]) if fits else y


def build_efficientnet_lite(name: str, shape: tuple[int, int, int]) -> Trunk:
    """A new trunk with random weights; 1,280 features.

    Args:
        name: A key of `VARIANTS`.
        shape: (height, width, 3).
    """
    keras = load_keras()
    layers = keras.layers
    image = keras.Input(shape, name="image")
    x = layers.Rescaling(1 / _STD, offset=-_MEAN / _STD)(image)
    x = layers.Conv2D(_STEM_FILTERS, 3, 2, "same", use_bias=False, name="stem")(x)
    x = _norm_relu(x, "stem")
    entries = []
    for block in _blocks(VARIANTS[name]):
        entries.append(x)
        x = block(x)
    x = layers.Conv2D(_FEATURES, 1, use_bias=False, name="top")(x)
    x = _norm_relu(x, "top")
    features = layers.GlobalAveragePooling2D(name="features")(x)
    return Trunk(image, features, tuple(entries))


def load_torch_weights(model: Any, weights: Weights) -> None:
    """Put a torch `state_dict` into a model built of this trunk; other layers stay as they are.

    Args:
        model: Keras model with the layers of `build_efficientnet_lite`.
        weights: By torch name.

    Raises:
        KeyError: A tensor is missing.
        ValueError: One has another shape.
    """
    for layer in model.layers:
        if place := _torch_place(layer.name):
            layer.set_weights(_to_keras(type(layer).__name__, place, weights))


def torch_classes(weights: Weights) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Kernel (features, 1000) and bias (1000,) of the pretrained scores."""
    return weights["_fc.weight"].T.astype(np.float32), weights["_fc.bias"].astype(np.float32)


def _blocks(variant: Variant) -> list[_Block]:
    found: list[_Block] = []
    last = len(_STAGES) - 1
    for place, stage in enumerate(_STAGES):
        # The Lite form leaves the first and the last stage as deep as they are.
        repeats = stage.repeats if place in (0, last) else math.ceil(stage.repeats * variant.depth)
        filters = _widened(stage.filters, variant.width)
        for repeat in range(repeats):
            stride = stage.stride if repeat == 0 else 1
            found.append(_Block(len(found), stage.kernel, stride, stage.expansion, filters))
    return found


def _widened(filters: int, width: float) -> int:
    """The multiple of 8 next to `filters * width`, never more than 10% below it."""
    wanted = filters * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _norm_relu(x: Any, name: str) -> Any:
    layers = load_keras().layers
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_norm")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


# Layer within a block -> its torch name.
_TORCH_BLOCK: Final = {
    "expand": "_expand_conv",
    "expand_norm": "_bn0",
    "depthwise": "_depthwise_conv",
    "depthwise_norm": "_bn1",
    "project": "_project_conv",
    "project_norm": "_bn2",
}
_TORCH_ENDS: Final = {
    "stem": "_conv_stem",
    "stem_norm": "_bn0",
    "top": "_conv_head",
    "top_norm": "_bn1",
}


def _torch_place(layer: str) -> str:
    """`block3_expand` -> `_blocks.3._expand_conv`; empty for a layer without weights."""
    if layer in _TORCH_ENDS:
        return _TORCH_ENDS[layer]
    block, _, part = layer.partition("_")
    number = block.removeprefix("block")
    if not number.isdecimal() or part not in _TORCH_BLOCK:
        return ""
    return f"_blocks.{number}.{_TORCH_BLOCK[part]}"


def _to_keras(kind: str, place: str, weights: Weights) -> list[npt.NDArray[Any]]:
    if kind == "BatchNormalization":
        parts = ("weight", "bias", "running_mean", "running_var")
        return [weights[f"{place}.{part}"] for part in parts]
    # torch: (out, in, height, width); Keras: (height, width, in, out), depthwise (.., out, 1).
    order = (2, 3, 0, 1) if kind == "DepthwiseConv2D" else (2, 3, 1, 0)
    return [weights[f"{place}.weight"].transpose(order)]
