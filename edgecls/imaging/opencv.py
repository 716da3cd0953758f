"""OpenCV, imported once and with the limits that must be set before its import."""

from __future__ import annotations

import os
from typing import Final

from edgecls.contract.memory import memory_bytes
from edgecls.errors import NotInstalledError

# Decoding takes up to 6 bytes a pixel; a quarter of a board's memory is enough for one picture.
MEMORY_BYTES: Final = memory_bytes()
# A small file can claim 5 GB of pixels; OpenCV reads this limit only while it is imported.
FULL_PIXELS: Final = 1 << 26
MAX_PIXELS: Final = min(FULL_PIXELS, MEMORY_BYTES // 4 // 6)
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
# A camera that hangs: OpenCV's own wait is 10 s, in which no one can stop the loop.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")
# What a decoder says of a damaged picture is said in our message, in one line.
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
# FFmpeg's own complaints; what matters of them becomes an error with a hint.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


try:
    import cv2  # after the limits above
except ImportError as missing:
    raise NotInstalledError(
        f"OpenCV cannot be loaded: {missing}",
        # Its wheel brings most libraries along; these, it expects of the system.
        hint="sudo apt install libgl1 libglib2.0-0; if the module itself is missing:"
        " pip install opencv-python",
    ) from missing

# Preparing a frame takes under a millisecond; waking OpenCV's pool for it costs more CPU than it
# saves, and the cores belong to the decoder and the engine.
cv2.setNumThreads(1)

__all__ = ["FULL_PIXELS", "MAX_PIXELS", "MEMORY_BYTES", "cv2"]
