"""Labelled pictures: folders, tables and built-in sets of them, opened by one name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls.contract.run import Subset
from edgecls.imaging.decode import Frame

DIGITS = "digits"
FASHION_MNIST = "fashion-mnist"


class PictureSet(Protocol):
    """Pictures with labels, addressed by position; the names are stable, positions are not."""

    @property
    def origin(self) -> str:
        """What `open_pictures` opens this very set by: a built-in name, or an absolute path."""

    @property
    def labels(self) -> Labels:
        """The classes."""

    @property
    def names(self) -> tuple[str, ...]:
        """One name a picture, unique in the set, the same next time."""

    @property
    def targets(self) -> npt.NDArray[np.int64]:
        """The class index of each picture, (N,)."""

    @property
    def given_subsets(self) -> tuple[Subset, ...] | None:
        """What each picture is for, where the set says so itself; None where it does not."""

    def __len__(self) -> int: ...

    def load_frame(self, index: int) -> Frame:
        """Decode one picture; raises PictureError when it cannot be read."""

    def load_bytes(self, index: int) -> bytes:
        """What the fingerprint of the set is made of: the stored bytes of one picture."""

    def find_file(self, index: int) -> Path | None:
        """The file of one picture, or None in sets whose pictures are no files."""


def open_pictures(origin: str) -> PictureSet:
    """Open pictures by name.

    Args:
        origin: `digits`; `fashion-mnist`; a folder with one folder of pictures a class, or with
            such folders in `train`, `val` and `test`; or a .csv file of path,label[,subset].

    Raises:
        DatasetError: There is nothing of this name, or it does not hold at least two classes.
        NotInstalledError: A built-in set is asked for and the package that carries it is absent.
    """
    if origin == DIGITS:
        from edgecls.pictures.digits import DigitPictures

        return DigitPictures()
    if origin == FASHION_MNIST:
        from edgecls.pictures.fashion import FashionPictures

        return FashionPictures()
    if origin.lower().endswith(".csv") and not os.path.isdir(origin):
        from edgecls.pictures.table import TablePictures

        return TablePictures(Path(origin))
    from edgecls.pictures.folder import FolderPictures

    return FolderPictures(Path(origin))
