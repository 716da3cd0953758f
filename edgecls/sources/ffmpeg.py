"""FFmpeg's options, which OpenCV takes from the environment only."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_VARIABLE: Final = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_LOCK: Final = threading.Lock()


@contextmanager
def ffmpeg_options(options: str) -> Iterator[None]:
    """Set FFmpeg's options for what is opened inside.

    OpenCV reads them at each opening, and the environment belongs to the whole process: so one
    opening at a time, and everything is as it was afterwards. What the user has set there wins.
    """
    with _LOCK:
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = options if before is None else f"{options}|{before}"
        try:
            yield
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before
