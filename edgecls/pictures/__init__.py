"""Labelled pictures: folders of them and the built-in digits, opened by one name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls.imaging.decode import Frame

DIGITS = "digits"


class PictureSet(Protocol):
    """Pictures with labels, addressed by position; the names are stable, positions are not."""

    @property
    def origin(self) -> str:
        """What `open_pictures` opens this very set by: `digits`, or an absolute folder."""

    @property
    def labels(self) -> Labels:
        """The classes."""

    @property
    def names(self) -> tuple[str, ...]:
        """One name a picture, unique in the set, the same next time."""

    @property
    def targets(self) -> npt.NDArray[np.int64]:
        """The class index of each picture, (N,)."""

    def __len__(self) -> int: ...

    def load_frame(self, index: int) -> Frame:
        """Decode one picture; raises PictureError when it cannot be read."""

    def load_bytes(self, index: int) -> bytes:
        """What the fingerprint of the set is made of: the stored bytes of one picture."""


def open_pictures(origin: str) -> PictureSet:
    """Open `digits` or a folder with one folder of pictures a class.

    Raises:
        DatasetError: There is no such folder, or it does not hold at least two classes.
        NotInstalledError: The digits are asked for and the package that carries them is absent.
    """
    if origin == DIGITS:
        from edgecls.pictures.digits import DigitPictures

        return DigitPictures()
    from edgecls.pictures.folder import FolderPictures

    return FolderPictures(Path(origin))
