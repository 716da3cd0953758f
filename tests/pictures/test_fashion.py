"""Fashion-MNIST from idx files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from edgecls.errors import DatasetError, NotInstalledError
from edgecls.pictures import open_pictures
from edgecls.pictures.fashion import FOLDER, FashionPictures


def write_idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three training pictures of brightness 0, 1, 2 and a test picture of brightness 7."""
    for prefix, shades, labels in (("train", [0, 1, 2], [9, 0, 3]), ("t10k", [7], [1])):
        pixels = np.stack([np.full((28, 28), shade, np.uint8) for shade in shades])
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", pixels)
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", np.array(labels, np.uint8))
    return tmp_path


def test_idx_files_are_read(folder: Path) -> None:
    pictures = FashionPictures(folder)
    assert pictures.names == ("train/00000", "train/00001", "train/00002", "test/00000")
    assert pictures.given_subsets == ("train", "train", "train", "test")
    assert pictures.targets.tolist() == [9, 0, 3, 1]
    assert pictures.labels[9] == "Ankle boot"
    assert pictures.load_frame(3).tolist() == np.full((28, 28, 3), 7).tolist()
    assert pictures.load_bytes(2) == b"\2" * 784


def test_what_is_absent_is_said_with_its_package(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="Fashion-MNIST is not installed") as refused:
        FashionPictures(tmp_path)
    assert refused.value.hint == "sudo apt-get install dataset-fashion-mnist"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"no gzip", "cannot be read", id="no gzip"),
        pytest.param(gzip.compress(b"\0\0\x0d\1rest"), "does not begin as an idx", id="floats"),
        pytest.param(
            gzip.compress(b"\0\0\x08\1\0\0\0\3ab"), "holds 2 values and promises 3", id="cut off"
        ),
        pytest.param(
            gzip.compress(b"\0\0\x08\1\0\0\0\2ab"), "do not fit each other", id="another number"
        ),
    ],
)
def test_damaged_files_are_refused(content: bytes, message: str, folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(DatasetError, match=message) as refused:
        FashionPictures(folder)
    assert "apt-get install --reinstall dataset-fashion-mnist" in refused.value.hint


@pytest.mark.skipif(not FOLDER.is_dir(), reason="dataset-fashion-mnist is not installed")
def test_the_package_of_debian_holds_70_000_pictures() -> None:
    pictures = open_pictures("fashion-mnist")
    assert np.bincount(pictures.targets[:60_000]).tolist() == [6_000] * 10
    assert np.bincount(pictures.targets[60_000:]).tolist() == [1_000] * 10
    assert pictures.given_subsets is not None
    assert pictures.given_subsets.count("train") == 60_000
