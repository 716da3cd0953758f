"""A picture or a folder of them, one frame each."""

from __future__ import annotations

import time
from pathlib import Path

from edgecls.errors import SourceError
from edgecls.pictures.folder import find_pictures, read_picture
from edgecls.sources import CapturedFrame, Closing, SourceWishes


class ImageSource(Closing):
    """Pictures in order; each stands for itself, so labels are not smoothed over them."""

    is_live = False
    is_sequence = False

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._paths = find_pictures([path])
        self._index = -1

    def read(self) -> CapturedFrame | None:
        """The next picture; None after the last.

        Raises:
            PictureError: This file cannot be read; the next call goes on.
        """
        path = next(self._paths, None)
        if path is None:
            if self._index < 0:
                raise SourceError(
                    f"the folder {self.name!r} holds no pictures", hint="give another folder"
                )
            return None
        self._index += 1
        now = time.monotonic()
        frame = read_picture(path)
        decode_ms = (time.monotonic() - now) * 1e3
        return CapturedFrame(frame, self._index, float(self._index), now, decode_ms, str(path))


def open_source(text: str, _wishes: SourceWishes | None = None) -> ImageSource:
    """Open a picture or a folder by its path."""
    return ImageSource(Path(text))
