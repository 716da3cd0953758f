"""Where a classifier looks: Grad-CAM for Keras networks, occlusion for anything that scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.errors import NotAClassifierError
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import Image
from edgecls_train.backend import load_keras

# float32 (height, width) of the image; 0 is of no weight, 1 the most there is, all 0 where no
# part of the image speaks for the label.
HeatMap: TypeAlias = npt.NDArray[np.float32]
# (N, height, width, channels) uint8 -> (N, classes), 0 to 1.
ScoreImages: TypeAlias = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]

# The patch has a fifth of each side and moves by half of itself: 81 positions.
_PATCHES_A_SIDE: Final = 5
_OCCLUSION_BATCH: Final = 64
# Of log-odds: a score of 50.0% that becomes 47.5%.
_LEAST_FALL: Final = 0.1
_STRONGEST_TINT: Final = 0.75


class GradCam:
    """Which parts of an image raise the score of a class, asked of one Keras network.

    The last feature maps of the network, weighted by how much the class's logit grows with each.
    It runs on TensorFlow and on JAX.

    Args:
        model: Keras network with one image input, 0..255, ending in scores.

    Raises:
        NotAClassifierError: It has no feature maps, or runs on a backend without gradients here.

    Source:
        Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks", eq. 1 and 2.
    """

    def __init__(self, model: Any) -> None:
        self._keras = load_keras()
        self._backend = self._keras.backend.backend()
        if self._backend not in ("tensorflow", "jax"):
            raise NotAClassifierError(
                f"Grad-CAM runs on TensorFlow and JAX, Keras runs on {self._backend!r} here",
                hint="use occlusion instead: --method occlusion",
            )
        self._features_of, self._logits_of = _cut(self._keras, model)

    def __call__(self, image: Image, target: int) -> HeatMap:
        """Explain one class.

        Args:
            image: uint8, as prepared.
            target: Class index.
        """
        features = self._features_of(image[None].astype(np.float32), training=False)
        slopes = _slopes(self._backend, self._logits_of, features, target)
        maps = np.asarray(self._keras.ops.convert_to_numpy(features), np.float32)[0]
        weights = slopes[0].mean(axis=(0, 1))
        return _to_heat_map(np.maximum(maps @ weights, 0.0), image.shape[:2])


def occlusion_map(
    score_images: ScoreImages,
    image: Image,
    target: int,
    advance: Callable[[int], None] = lambda _: None,
    *,
    resolution: float = 1e-6,
) -> HeatMap:
    """How far the odds of a class fall when a gray patch hides each part of the image.

    All 0 where no patch makes a difference.

    Args:
        score_images: The classifier, any engine.
        image: uint8, (height, width, channels), as prepared.
        target: Class index.
        advance: Told how many positions are done, of `occlusion_positions`.
        resolution: Smallest score that can be told from 0, as from 1.

    Source:
        Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2;
        by odds, because the score of a network that is certain hardly moves.
    """
    boxes = _boxes(image.shape[:2])
    # Its own mean: the patch is neither a bright nor a dark object.
    gray = np.uint8(round(float(image.mean())))
    whole = _log_odds(score_images(image[None])[:, target], resolution)[0]
    fallen = np.zeros(image.shape[:2], np.float32)
    covers = np.zeros(image.shape[:2], np.float32)
    for start in range(0, len(boxes), _OCCLUSION_BATCH):
        batch = boxes[start : start + _OCCLUSION_BATCH]
        hidden = np.repeat(image[None], len(batch), axis=0)
        for number, (rows, columns) in enumerate(batch):
            hidden[number, rows, columns] = gray
        falls = whole - _log_odds(score_images(hidden)[:, target], resolution)
        for fall, (rows, columns) in zip(falls, batch, strict=True):
            fallen[rows, columns] += fall
            covers[rows, columns] += 1.0
        advance(start + len(batch))
    mean_fall = fallen / covers
    return _to_heat_map(np.where(mean_fall < _LEAST_FALL, 0.0, mean_fall), image.shape[:2])


def occlusion_positions(size: tuple[int, int]) -> int:
    """How many times `occlusion_map` hides a part of an image of `size`, (height, width)."""
    return len(_boxes(size))


def overlay(image: Image, heat: HeatMap) -> npt.NDArray[np.uint8]:
    """The image in gray tones with the heat laid over it, uint8 RGB of the image's size."""
    levels = np.round(255 * heat).astype(np.uint8)
    colors = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    gray = image.astype(np.float32).mean(axis=2, keepdims=True)
    tint = _STRONGEST_TINT * heat[:, :, None]
    mixed: npt.NDArray[np.float32] = (1.0 - tint) * gray + tint * colors
    return np.round(mixed).astype(np.uint8)


def _cut(keras: Any, model: Any) -> tuple[Any, Any]:
    """Two networks: image -> last feature maps, and those -> logits."""
    maps = _last_maps(keras, model.outputs[0])
    if maps is None or len(model.inputs) != 1:
        raise NotAClassifierError(
            f"the network {model.name!r} has no feature maps that Grad-CAM could weigh",
            hint="use occlusion instead: --method occlusion",
        )
    return keras.Model(model.inputs[0], maps), keras.Model(maps, _logits(keras, model.outputs[0]))


def _last_maps(keras: Any, tensor: Any) -> Any:
    """The tensor nearest to the scores that still has height and width; None if there is none."""
    layers = keras.layers
    while tensor is not None:
        # What is pooled away can still be seen before the pooling, in finer steps.
        is_pooled = isinstance(
            tensor._keras_history.operation, (layers.MaxPooling2D, layers.AveragePooling2D)
        )
        if len(tensor.shape) == 4 and max(tensor.shape[1:3]) > 1 and not is_pooled:
            return tensor
        inputs = _made_from(tensor)
        tensor = inputs[0] if len(inputs) == 1 else None
    return None


def _logits(keras: Any, scores: Any) -> Any:
    """What the softmax is taken of: its slopes do not vanish where the network is certain."""
    layer = scores._keras_history.operation
    if isinstance(layer, keras.layers.Softmax):
        return _made_from(scores)[0]
    activation = getattr(layer, "activation", None)
    if activation is not keras.activations.softmax:
        return scores
    if isinstance(layer, keras.layers.Activation):
        return _made_from(scores)[0]
    settings = {**layer.get_config(), "activation": "linear", "name": f"{layer.name}_logits"}
    linear = type(layer).from_config(settings)
    logits = linear(_made_from(scores)[0])
    linear.set_weights(layer.get_weights())
    return logits


def _made_from(tensor: Any) -> list[Any]:
    history = tensor._keras_history
    return list(history.operation._inbound_nodes[history.node_index].input_tensors)


def _slopes(backend: str, logits_of: Any, features: Any, target: int) -> npt.NDArray[np.float32]:
    """How the logit of a class changes with each value of the feature maps."""
    if backend == "tensorflow":
        import tensorflow as tf

        features = tf.convert_to_tensor(features)
        with tf.GradientTape() as tape:
            tape.watch(features)
            logit = logits_of(features, training=False)[:, target]
        return np.asarray(tape.gradient(logit, features), np.float32)
    import jax

    def logit_of(values: Any) -> Any:
        return logits_of(values, training=False)[:, target].sum()

    return np.asarray(jax.grad(logit_of)(features), np.float32)


def _log_odds(scores: npt.NDArray[np.float32], resolution: float) -> npt.NDArray[np.float64]:
    shares = np.clip(scores.astype(np.float64), resolution, 1.0 - resolution)
    odds: npt.NDArray[np.float64] = np.log(shares / (1.0 - shares))
    return odds


def _boxes(size: tuple[int, ...]) -> list[tuple[slice, slice]]:
    rows, columns = (_slices(side) for side in size)
    return [(row, column) for row in rows for column in columns]


def _slices(side: int) -> list[slice]:
    """Overlapping stretches that cover a side to its very end."""
    length = max(1, -(-side // _PATCHES_A_SIDE))
    step = max(1, length // 2)
    starts = [*range(0, side - length, step), side - length]
    return [slice(start, start + length) for start in starts]


def _to_heat_map(values: npt.NDArray[np.float32], size: tuple[int, ...]) -> HeatMap:
    height, width = size
    if values.shape != (height, width):
        values = cv2.resize(
            values.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
        ).astype(np.float32)
    strongest = float(values.max())
    if not strongest > 0.0:
        return np.zeros((height, width), np.float32)
    return (values / strongest).astype(np.float32)
