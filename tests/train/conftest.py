"""What the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.pictures.digits import DigitPictures
from edgecls_train.recipe_file import load_recipe
from edgecls_train.training import TrainedRun, train_classifier
from tests.train.made_data import write_shapes


@pytest.fixture(scope="session")
def digits() -> DigitPictures:
    """The built-in digits."""
    return DigitPictures()


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A folder of 36 photos of three shapes, to do with as one likes."""
    return write_shapes(tmp_path / "shapes")


@pytest.fixture(scope="session")
def digit_run(tmp_path_factory: pytest.TempPathFactory, digits: DigitPictures) -> TrainedRun:
    """The smallest textbook network after two epochs on the digits."""
    recipe = load_recipe("cnn").override(epochs=2)
    return train_classifier(digits, recipe, tmp_path_factory.mktemp("runs"))
