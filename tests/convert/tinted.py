"""Digits in colour, a network that needs the colour, and ways to spoil either."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.console import Advance
from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.imaging.decode import Frame
from edgecls.pictures.digits import DigitPictures
from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.source import ConversionSource
from edgecls_convert.subsets import Example, RunPictures

SIZE: Final = (28, 28)
# Of each digit; the digits are in the order of their classes.
_TRAIN, _VAL, _TEST, _ALL = 150, 20, 30, 500
# 0 to 4 are orange, 5 to 9 blue.
_TINTS: Final = np.array([[1.0, 0.6, 0.2], [0.2, 0.6, 1.0]], np.float32)

Spoil = Callable[[Frame], Frame]


@contextmanager
def silence(_title: str, _total: int) -> Iterator[Advance]:
    """A progress that shows nothing."""

    def advance(done: int, note: str = "") -> None:
        """Hear, and say nothing."""

    yield advance


class TintedPictures(DigitPictures):
    """The built-in digits, tinted; then spoiled, those of some positions."""

    def __init__(self, spoil: Spoil = lambda frame: frame, only: frozenset[int] | None = None):
        super().__init__()
        self._spoil, self._only = spoil, only

    def load_frame(self, index: int) -> Frame:
        tint = _TINTS[int(self.targets[index]) // 5]
        frame = (super().load_frame(index) * tint).astype(np.uint8)
        return self._spoil(frame) if self._only is None or index in self._only else frame


def split() -> dict[Any, tuple[Example, ...]]:
    """Training, validation and test pictures, the same number of each digit."""
    ends = {"train": (0, _TRAIN), "val": (_TRAIN, _TRAIN + _VAL), "test": (_ALL - _TEST, _ALL)}
    return {
        subset: tuple(
            Example(f"{digit * _ALL + n:04d}", digit * _ALL + n, digit)
            for digit in range(10)
            for n in range(*bounds)
        )
        for subset, bounds in ends.items()
    }


def tinted_source() -> ConversionSource:
    """A network with depthwise convolutions, trained for some seconds, and its pictures."""
    _, keras = import_tensorflow()
    keras.utils.set_random_seed(5)
    card = ModelCard(
        Labels(tuple("0123456789")),
        Preprocessing(SIZE, crop="stretch"),
        provenance={"data": "digits", "seed": 0},
    )
    pictures = RunPictures(TintedPictures(), card, split())
    model = _network(keras)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    images, targets = _load(pictures, "train")
    model.fit(images, targets, batch_size=32, epochs=4, verbose=0)
    images, targets = _load(pictures, "test")
    top1 = float(np.mean(model.predict(images, verbose=0).argmax(axis=1) == targets))
    card = dataclasses.replace(card, metrics={"float": {"images": len(targets), "top1": top1}})
    pictures = dataclasses.replace(pictures, card=card)
    return ConversionSource(Path("tinted.keras"), model, card, pictures)


def with_training_pictures(source: ConversionSource, spoil: Spoil) -> ConversionSource:
    """The same, its training pictures spoiled: those that are calibrated on."""
    only = frozenset(example.index for example in source.pictures.subsets["train"])
    pictures = dataclasses.replace(source.pictures, pictures=TintedPictures(spoil, only))
    return dataclasses.replace(source, pictures=pictures)


def with_all_pictures(source: ConversionSource, spoil: Spoil) -> ConversionSource:
    """The same, all pictures spoiled: also those that are measured with."""
    pictures = dataclasses.replace(source.pictures, pictures=TintedPictures(spoil))
    return dataclasses.replace(source, pictures=pictures)


def with_training_digit(source: ConversionSource, digit: int) -> ConversionSource:
    """The same, with training pictures of one class alone."""
    subsets = source.pictures.subsets
    only = tuple(example for example in subsets["train"] if example.target == digit)
    pictures = dataclasses.replace(source.pictures, subsets={**subsets, "train": only})
    return dataclasses.replace(source, pictures=pictures)


def with_shuffled_targets(source: ConversionSource) -> ConversionSource:
    """The same, the labels of its test pictures dealt out anew."""
    subsets = source.pictures.subsets
    targets = np.random.default_rng(0).permutation([e.target for e in subsets["test"]])
    shuffled = tuple(
        dataclasses.replace(example, target=int(target))
        for example, target in zip(subsets["test"], targets, strict=True)
    )
    pictures = dataclasses.replace(source.pictures, subsets={**subsets, "test": shuffled})
    return dataclasses.replace(source, pictures=pictures)


def with_uneven_channels(source: ConversionSource, factor: float) -> ConversionSource:
    """The same float network, with depthwise channels that are far from alike."""
    _, keras = import_tensorflow()
    model = keras.models.clone_model(source.model)
    model.set_weights(source.model.get_weights())
    depthwise, after = model.get_layer("depthwise"), model.get_layer("after")
    kernel, bias = depthwise.get_weights()
    factors = np.where(np.arange(kernel.shape[2]) % 4 == 0, 1.0, 1 / factor)
    depthwise.set_weights([kernel * factors[:, None], bias * factors])
    kernel, bias = after.get_weights()
    after.set_weights([kernel / factors[:, None], bias])
    return dataclasses.replace(source, model=model)


def _network(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem"),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise"),
            layers.Conv2D(24, 3, strides=2, activation="relu", name="after"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", name="scores"),
        ],
        name="tinted",
    )


def _load(pictures: RunPictures, subset: Any) -> tuple[Any, npt.NDArray[np.int64]]:
    examples = pictures.subsets[subset]
    images = np.stack([pictures.load_image(example) for example in examples]).astype(np.float32)
    return images, np.array([example.target for example in examples])
