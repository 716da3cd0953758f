"""Small Keras networks with what makes int8 hard, their weights set by hand or by a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecls.contract.card import ModelCard
from edgecls_convert.network import check_keeps_card, load_model, to_network
from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.remedies.graph import Graph, read_graph

SHAPE: Final = (12, 12, 3)


def depthwise_network(*, uneven: float = 1.0, limit: float | None = 6.0) -> Any:
    """Convolution, normalisation, ReLU6, depthwise convolution and so on, and a residual.

    Args:
        uneven: How much larger the weights of every fourth depthwise channel are; the layers
            around make up for it, so that the network's scores do not depend on it.
        limit: Of its ReLUs; None for none.
    """
    _, keras = import_tensorflow()
    keras.utils.set_random_seed(1)
    layers = keras.layers
    image = keras.Input(SHAPE)
    x = layers.Rescaling(1 / 128, offset=-1.0)(image)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU(limit)(layers.BatchNormalization(name="stem_norm")(x))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    y = layers.ReLU(limit)(layers.BatchNormalization(name="depthwise_norm")(y))
    y = layers.Conv2D(8, 1, name="project")(y)
    x = layers.Add()([x, y])
    x = layers.Conv2D(16, 3, strides=2, activation="relu", name="last")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(4, activation="softmax", name="scores")(x))
    random = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, 8) for _ in range(4)])
    kernel = model.get_layer("depthwise").get_weights()[0]
    norm = model.get_layer("depthwise_norm")
    gamma, beta, mean, variance = norm.get_weights()
    factor = np.where(np.arange(8) % 4 == 0, uneven, 1.0)
    # What the normalisation enlarges, the layer after it makes small again.
    norm.set_weights([gamma * factor, beta * factor, mean, variance])
    project = model.get_layer("project")
    kernel, bias = project.get_weights()
    project.set_weights([kernel / factor[:, None], bias])
    return model


def graph_of(model: Any) -> Graph:
    """The model as it is converted, as a graph."""
    return read_graph(to_network(model, tuple(model.inputs[0].shape[1:])))


def pictures(count: int = 16, seed: int = 2) -> list[Any]:
    """Soft blobs of all colours: uint8, of `SHAPE`."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 4, 4, 3))
    return list(coarse.repeat(3, axis=1).repeat(3, axis=2).astype(np.uint8))


def scores_of(model: Any, images: list[Any]) -> Any:
    """(N, classes) of a Keras model."""
    return np.asarray(model(np.stack(images).astype(np.float32), training=False))


def load_network(path: Path, card: ModelCard) -> Any:
    """A `.keras` file as it is converted, checked against its card."""
    model = load_model(path)
    check_keeps_card(path, model, card)
    return to_network(model, card.preprocessing.shape)
