"""Transfer learning on a few hundred photos: this package against the plain Keras loop.

    EDGECLS_DATA=... python benchmarks/transfer.py

Both start from photos on disk and the same ImageNet weights, freeze the same backbone, and train
the same head for the same epochs on the same training photos. The plain loop is the one of Keras'
own tutorials: pictures decoded once, mirrored at random, and sent through the network in every
epoch. Accuracies are on the same held-out photos; both times are wall clock of this one run, from
the first file opened to the trained model, imports and cache of neither counted.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CLASSES = ("airplane", "automobile", "cat", "horse", "ship")
PHOTOS_PER_CLASS = 100
SIDE = 224
EPOCHS = 20
BATCH = 32


def main() -> None:
    """Run both and print their ratio."""
    data = Path(os.environ.get("EDGECLS_DATA", "../shared/data"))
    archive = data / "cifar10-jpeg.zip"
    if not archive.is_file():
        print(f"skipped: there is no {archive}; set EDGECLS_DATA to the folder that holds it")
        return
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["EDGECLS_CACHE"] = str(Path(scratch, "cache"))
        photos = Path(scratch, "photos")
        unpack(archive, photos)
        print(
            f"{len(CLASSES)} classes of {PHOTOS_PER_CLASS} photos, {SIDE}x{SIDE}, {EPOCHS} epochs"
        )
        from edgecls_train.backend import load_keras, make_repeatable

        load_keras()
        make_repeatable(0)
        ours, our_s = timed("edgecls, features computed once", lambda: train_ours(photos))
        plain, plain_s = timed("plain Keras, frozen backbone", lambda: train_plain(photos))
    print(f"ratio of the times: {plain_s / our_s:.1f}")
    if abs(ours - plain) > 0.05 or plain_s < 3 * our_s:
        sys.exit("the promise is three times faster at the same accuracy")


def unpack(archive: Path, photos: Path) -> None:
    """The first pictures of some classes, as one folder a class."""
    with zipfile.ZipFile(archive) as file:
        names = sorted(name for name in file.namelist() if name.endswith(".jpg"))
        for label in CLASSES:
            (photos / label).mkdir(parents=True)
            of_class = [name for name in names if f"train/{label}/" in name]
            for name in of_class[:PHOTOS_PER_CLASS]:
                (photos / label / Path(name).name).write_bytes(file.read(name))


def train_ours(photos: Path) -> tuple[Any, Any]:
    """The product's own parts, as `edgecls train` calls them."""
    dataset, split, recipe = prepared(photos)
    from edgecls_train.transfer import fit_transfer

    model, _ = fit_transfer(dataset, split, recipe)
    return model, (dataset.images, dataset.targets, unseen(split))


def train_plain(photos: Path) -> tuple[Any, Any]:
    """What a tutorial would do: every photo through the whole network in every epoch."""
    dataset, split, recipe = prepared(photos)
    from edgecls_train.backbones import build_backbone_classifier
    from edgecls_train.backend import load_keras

    keras = load_keras()
    model = build_backbone_classifier(recipe, len(dataset.labels))
    for layer in model.layers[:-1]:
        layer.trainable = False
    inputs = keras.Input(recipe.preprocessing.shape)
    flipping = keras.Model(inputs, model(keras.layers.RandomFlip("horizontal", seed=0)(inputs)))
    optimizer = recipe.optimizer
    steps = EPOCHS * -(-len(split.train) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(optimizer.learning_rate, steps)
    flipping.compile(
        keras.optimizers.AdamW(rate, weight_decay=optimizer.weight_decay),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    flipping.fit(
        dataset.images[split.train],
        dataset.targets[split.train],
        batch_size=BATCH,
        epochs=EPOCHS,
        validation_data=(dataset.images[split.val], dataset.targets[split.val]),
        verbose=0,
    )
    return model, (dataset.images, dataset.targets, unseen(split))


def prepared(photos: Path) -> tuple[Any, Any, Any]:
    """Data set, split and recipe; for the second caller the pictures are in the cache."""
    from edgecls.pictures import open_pictures
    from edgecls_train.dataset import prepare_dataset
    from edgecls_train.recipe_file import load_recipe
    from edgecls_train.recipe_keys import override_recipe
    from edgecls_train.split import split_dataset

    recipe = load_recipe("efficientnet-lite0-quick")
    recipe = override_recipe(recipe, {"imgsz": str(SIDE), "epochs": EPOCHS, "batch_size": BATCH})
    pictures = open_pictures(str(photos))
    dataset = prepare_dataset(pictures, recipe.preprocessing)
    return dataset, split_dataset(dataset, pictures, recipe.seed), recipe


def unseen(split: Any) -> npt.NDArray[np.int64]:
    """Validation and test photos: neither side chose anything by them."""
    return np.concatenate([split.val, split.test])


def timed(title: str, train: Any) -> tuple[float, float]:
    """Accuracy and seconds of one training, printed."""
    started = time.monotonic()
    model, (images, targets, positions) = train()
    seconds = time.monotonic() - started
    scores = model.predict(images[positions].astype(np.float32), batch_size=32, verbose=0)
    accuracy = float((scores.argmax(axis=1) == targets[positions]).mean())
    print(f"{title:34} {seconds:6.1f} s   {accuracy:.1%} of {len(positions)} unseen photos")
    return accuracy, seconds


if __name__ == "__main__":
    main()
