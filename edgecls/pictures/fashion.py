"""Fashion-MNIST: 70,000 pictures of clothes, from the files of a Debian package."""

from __future__ import annotations

import gzip
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls.contract.run import Subset
from edgecls.errors import DatasetError, NotInstalledError
from edgecls.imaging.decode import Frame

FOLDER: Final = Path("/usr/share/datasets/fashion-mnist")
PACKAGE: Final = "dataset-fashion-mnist"
LABELS: Final = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_PARTS: Final[tuple[tuple[Subset, str], ...]] = (("train", "train"), ("test", "t10k"))
_UBYTE: Final = 0x08
# Of the training pictures, uncompressed; whatever claims to be more is no such file.
_MAX_BYTES: Final = 60_000 * 28 * 28 + 16

Pixels = npt.NDArray[np.uint8]


class FashionPictures:
    """60,000 training and 10,000 test pictures, white on black, 28x28, as RGB frames.

    Args:
        folder: Where the four idx.gz files are.

    Raises:
        NotInstalledError: They are not there.
        DatasetError: One of them is damaged.

    Source:
        Xiao et al. 2017, "Fashion-MNIST: a novel image dataset" (arXiv:1708.07747).
    """

    origin = "fashion-mnist"

    def __init__(self, folder: Path = FOLDER) -> None:
        parts = [(subset, *_load_part(folder, prefix)) for subset, prefix in _PARTS]
        self._pixels = np.concatenate([pixels for _, pixels, _ in parts])
        self.targets = np.concatenate([targets for *_, targets in parts])
        self.labels = Labels(LABELS)
        self.names = tuple(
            f"{subset}/{index:05d}" for subset, pixels, _ in parts for index in range(len(pixels))
        )
        self.given_subsets: tuple[Subset, ...] = tuple(
            subset for subset, pixels, _ in parts for _ in range(len(pixels))
        )

    def __len__(self) -> int:
        return len(self.targets)

    def load_frame(self, index: int) -> Frame:
        """Picture `index` as a frame: uint8 RGB, (28, 28, 3), all channels alike."""
        return np.repeat(self._pixels[index, :, :, None], 3, axis=2)

    def load_bytes(self, index: int) -> bytes:
        """Its pixels."""
        pixels: bytes = self._pixels[index].tobytes()
        return pixels

    def find_file(self, index: int) -> None:
        """The pictures are no files of their own."""


@cache
def _load_part(folder: Path, prefix: str) -> tuple[Pixels, npt.NDArray[np.int64]]:
    pixels = _read_idx(folder / f"{prefix}-images-idx3-ubyte.gz", 3)
    targets = _read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", 1)
    if len(pixels) != len(targets) or not len(targets) or targets.max() >= len(LABELS):
        raise DatasetError(
            f"the pictures and labels of '{prefix}' in '{folder}' do not fit each other",
            hint=f"sudo apt-get install --reinstall {PACKAGE}",
        )
    return pixels, targets.astype(np.int64)


def _read_idx(path: Path, dimensions: int) -> Pixels:
    """An idx file: two zero bytes, the type, the number of dimensions, each size, the values.

    Source:
        LeCun's MNIST page, "The IDX file format".
    """
    try:
        with gzip.open(path) as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as wrong:
        raise NotInstalledError(
            f"Fashion-MNIST is not installed: there is no '{path}'",
            hint=f"sudo apt-get install {PACKAGE}",
        ) from wrong
    except (OSError, EOFError, zlib.error) as wrong:
        raise _damaged(path, str(wrong)) from wrong
    header = struct.pack(">HBB", 0, _UBYTE, dimensions)
    start = 4 + 4 * dimensions
    if not content.startswith(header) or len(content) < start:
        raise _damaged(path, f"it does not begin as an idx file of {dimensions} dimensions")
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    values = np.frombuffer(content, np.uint8, offset=start)
    wanted = int(np.prod(shape, dtype=np.uint64))
    if len(values) != wanted:
        raise _damaged(path, f"it holds {len(values)} values and promises {wanted}")
    return values.reshape(shape)


def _damaged(path: Path, reason: str) -> DatasetError:
    return DatasetError(
        f"'{path}' cannot be read: {reason}", hint=f"sudo apt-get install --reinstall {PACKAGE}"
    )
