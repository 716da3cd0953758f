"""ResNet-8, the image classification network of MLPerf Tiny.

Source:
    Banbury et al. 2021, "MLPerf Tiny Benchmark" (arXiv:2106.07597); its reference training code,
    Apache-2.0, gives the layers: 77,706 parameters and 12.5 million multiplications for ten
    classes of 32x32 colour pictures.
"""

from __future__ import annotations

from typing import Any, Final

from edgecls_train.backbones.structure import Trunk
from edgecls_train.backend import load_keras

_FILTERS: Final = (16, 32, 64)
# Keras' 0.99 averages over hundreds of steps: validation in mid-training would dip by 30 points.
_MOMENTUM: Final = 0.9


def build_resnet8(shape: tuple[int, int, int], width: float) -> Trunk:
    """A new trunk with random weights; `64 * width` features.

    Args:
        shape: (height, width, channels).
        width: Multiplies the filters of all three stages.
    """
    keras = load_keras()
    image = keras.Input(shape, name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = _norm_relu(_conv(x, _widened(_FILTERS[0], width), 3))
    entries = []
    for stage, filters in enumerate(_FILTERS):
        entries.append(x)
        x = _residual(x, _widened(filters, width), stride=1 if stage == 0 else 2)
    features = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return Trunk(image, features, tuple(entries))


def _residual(x: Any, filters: int, *, stride: int) -> Any:
    layers = load_keras().layers
    y = _norm_relu(_conv(x, filters, 3, stride))
    y = layers.BatchNormalization(momentum=_MOMENTUM)(_conv(y, filters, 3))
    if stride != 1:
        x = _conv(x, filters, 1, stride)
    return layers.ReLU()(layers.Add()([x, y]))


def _conv(x: Any, filters: int, kernel: int, stride: int = 1) -> Any:
    keras = load_keras()
    return keras.layers.Conv2D(
        filters, kernel, stride, padding="same", kernel_initializer="he_normal"
    )(x)


def _norm_relu(x: Any) -> Any:
    layers = load_keras().layers
    return layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(x))


def _widened(filters: int, width: float) -> int:
    return max(1, round(filters * width))
