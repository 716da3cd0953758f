"""MobileNet V1 and V2 with their width multiplier.

The layers are in the order of `keras.applications`, so that its ImageNet weights fit. Padding is
`same` instead of a layer of zeros before each stride: for even sides that is the same sum, and one
operator less on the board.

Source:
    Howard et al. 2017 (arXiv:1704.04861); Sandler et al. 2018 (arXiv:1801.04381).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edgecls_train.backbones.structure import Trunk
from edgecls_train.backend import load_keras

# (filters, stride) of each depthwise-separable block.
_V1: Final = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
# (expansion, filters, repeats, stride of the first) of each stage.
_V2: Final = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# Widths for which there are ImageNet weights.
PRETRAINED_WIDTHS: Final[Mapping[str, tuple[float, ...]]] = {
    "mobilenet-v1": (0.25, 0.5, 0.75, 1.0),
    "mobilenet-v2": (0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
}
_V2_TOP: Final = 1280


def build_mobilenet_v1(shape: tuple[int, int, int], width: float) -> Trunk:
    """A new trunk with random weights; `1024 * width` features.

    Args:
        shape: (height, width, channels).
        width: Multiplies the filters of every layer.
    """
    layers, image, x = _begin(shape)
    x = layers.Conv2D(int(32 * width), 3, 2, "same", use_bias=False)(x)
    x = _norm_relu(x, 1e-3)
    entries = []
    for filters, stride in _V1:
        entries.append(x)
        x = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x)
        x = _norm_relu(x, 1e-3)
        x = layers.Conv2D(int(filters * width), 1, use_bias=False)(x)
        x = _norm_relu(x, 1e-3)
    return Trunk(image, layers.GlobalAveragePooling2D(name="features")(x), tuple(entries))


def build_mobilenet_v2(shape: tuple[int, int, int], width: float) -> Trunk:
    """A new trunk with random weights; 1,280 features, more for a width above 1.

    Args:
        shape: (height, width, channels).
        width: Multiplies the filters of every layer.
    """
    layers, image, x = _begin(shape)
    x = layers.Conv2D(_by_eight(32 * width), 3, 2, "same", use_bias=False)(x)
    x = _norm_relu(x, 1e-3)
    entries = []
    for expansion, filters, repeats, first_stride in _V2:
        for repeat in range(repeats):
            entries.append(x)
            stride = first_stride if repeat == 0 else 1
            x = _inverted_residual(x, expansion, _by_eight(filters * width), stride)
    x = layers.Conv2D(_by_eight(_V2_TOP * max(1.0, width)), 1, use_bias=False)(x)
    x = _norm_relu(x, 1e-3)
    return Trunk(image, layers.GlobalAveragePooling2D(name="features")(x), tuple(entries))


def _begin(shape: tuple[int, int, int]) -> tuple[Any, Any, Any]:
    keras = load_keras()
    image = keras.Input(shape, name="image")
    return keras.layers, image, keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)


def _inverted_residual(x: Any, expansion: int, filters: int, stride: int) -> Any:
    layers = load_keras().layers
    y = x
    if expansion != 1:
        y = layers.Conv2D(x.shape[-1] * expansion, 1, use_bias=False)(y)
        y = _norm_relu(y, 1e-3)
    y = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(y)
    y = _norm_relu(y, 1e-3)
    y = layers.Conv2D(filters, 1, use_bias=False)(y)
    y = layers.BatchNormalization(epsilon=1e-3)(y)
    return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == filters else y


def _norm_relu(x: Any, epsilon: float) -> Any:
    layers = load_keras().layers
    return layers.ReLU(6.0)(layers.BatchNormalization(epsilon=epsilon)(x))


def _by_eight(filters: float) -> int:
    """The multiple of 8 next to `filters`, never more than 10% below it."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
