"""Run folders as training leaves them, made with the contract alone."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from edgecls.contract.card import ModelCard, Output
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.run import RunFolder, SplitEntry
from edgecls.imaging.prepare import prepare
from edgecls.pictures.digits import DigitPictures

TRAIN, VAL, TEST = 1500, 100, 300
GRAY_DIGIT: Final = Preprocessing((28, 28), "GRAY")


def digits_card() -> ModelCard:
    """With every field set, so that a lost one shows."""
    return ModelCard(
        Labels(tuple("0123456789")),
        GRAY_DIGIT,
        Output(temperature=1.5, reject_threshold=0.25, class_thresholds={"7": 0.5}),
        provenance={"data": "digits", "recipe": "tiny", "seed": 3},
        metrics={"val": {"top1": 0.5}},
    )


def train_digits_run(folder: Path, epochs: int = 2) -> RunFolder:
    """A complete run: a tiny network, trained on 1,500 digits."""
    import keras

    keras.utils.set_random_seed(3)
    digits = DigitPictures()
    order = np.random.default_rng(3).permutation(len(digits))[: TRAIN + VAL + TEST]
    images = np.stack([prepare(digits.load_frame(int(i)), GRAY_DIGIT) for i in order[:TRAIN]])
    network = small_network(keras)
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(images, digits.targets[order[:TRAIN]], batch_size=32, epochs=epochs, verbose=0)
    subsets = ["train"] * TRAIN + ["val"] * VAL + ["test"] * TEST
    entries = [
        SplitEntry(digits.names[i], digits.labels[int(digits.targets[i])], subset)  # type: ignore[arg-type]
        for i, subset in zip(order, subsets, strict=True)
    ]
    return save_run(folder, network, digits_card(), entries)


def with_color(run: RunFolder, folder: Path) -> RunFolder:
    """A copy of a run of gray images whose network takes coloured ones and makes them gray."""
    import keras

    gray = keras.models.load_model(run.model_path)
    luma = keras.layers.Conv2D(1, 1, use_bias=False)
    color = keras.Sequential([keras.Input((28, 28, 3)), luma, gray])
    luma.set_weights([np.array([0.299, 0.587, 0.114], np.float32).reshape(1, 1, 3, 1)])
    copy = with_network(run, folder, color)
    copy.save_card(
        dataclasses.replace(run.load_card(), preprocessing=Preprocessing((28, 28), "RGB"))
    )
    return copy


def small_network(keras: Any, *, classes: int = 10) -> Any:
    """28x28x1 -> classes, with the layers that every classifier has."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu", name="hidden"),
            layers.Dense(classes, activation="softmax", name="scores"),
        ]
    )


def save_run(folder: Path, network: Any, card: ModelCard, entries: list[SplitEntry]) -> RunFolder:
    """Write a complete run; `network` None leaves an empty model file."""
    folder.mkdir(parents=True)
    run = RunFolder(folder)
    if network is None:
        run.model_path.write_bytes(b"")
    else:
        network.save(run.model_path)
    run.save_split(entries)
    run.save_card(card)
    run.save_metrics({"seconds": 1.0})
    return run


def with_network(run: RunFolder, folder: Path, network: Any) -> RunFolder:
    """A copy of a run with another network in it."""
    shutil.copytree(run.path, folder)
    network.save(folder / "model.keras")
    return RunFolder(folder)


def with_card(run: RunFolder, folder: Path, **changes: Any) -> RunFolder:
    """A copy of a run with another card in it."""
    shutil.copytree(run.path, folder)
    changed = RunFolder(folder)
    changed.save_card(dataclasses.replace(run.load_card(), **changes))
    return changed


def save_folder_run(root: Path) -> RunFolder:
    """A run, without a network, on a folder `pictures` of two classes with four pictures each."""
    entries = []
    for label, brightness in (("dark", 40), ("light", 200)):
        (root / "pictures" / label).mkdir(parents=True)
        for number, subset in enumerate(("train", "train", "val", "test")):
            name = f"{label}/{number}.png"
            picture = np.full((8, 8, 3), brightness + number, np.uint8)
            cv2.imwrite(str(root / "pictures" / name), picture)
            entries.append(SplitEntry(name, label, subset))  # type: ignore[arg-type]
    card = ModelCard(
        Labels(("dark", "light")),
        Preprocessing((8, 8)),
        provenance={"data": str(root / "pictures"), "seed": 0},
    )
    return save_run(root / "run", None, card, entries)
